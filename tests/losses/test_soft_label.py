"""The student's loss: the release's values and its behaviour over temperature."""

import pytest
import torch
import torch.nn.functional as F

from fd2lib.ground import SettingError, ShapeError
from fd2lib.losses import soft_label_loss


def test_value_and_gradient_match_the_release(golden) -> None:
    case = golden("distill_loss")
    student = case["student_logits"].requires_grad_()
    loss = soft_label_loss(student, case["teacher_logits"], float(case["temperature"]))
    torch.testing.assert_close(loss, case["loss"], rtol=1e-5, atol=0)
    loss.backward()
    expected = case["grad_student_logits"]
    torch.testing.assert_close(student.grad, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


def test_it_is_zero_only_for_equal_distributions() -> None:
    logits = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    assert soft_label_loss(logits + 3, logits, 20.0).abs() < 1e-7
    assert soft_label_loss(logits.flip(1), logits, 20.0) > 1e-4


def test_at_temperature_one_it_is_cross_entropy_less_the_teachers_entropy() -> None:
    generator = torch.Generator().manual_seed(1)
    student, teacher = torch.randn(5, 7, generator=generator), torch.randn(5, 7, generator=generator)
    shares = teacher.softmax(1)
    expected = F.cross_entropy(student, shares) + (shares * shares.log()).sum(1).mean()
    torch.testing.assert_close(soft_label_loss(student, teacher, 1.0), expected)


def test_stored_half_precision_logits_are_taken_as_they_are() -> None:
    generator = torch.Generator().manual_seed(2)
    student, teacher = torch.randn(3, 4, generator=generator), torch.randn(3, 4, generator=generator).half()
    loss = soft_label_loss(student, teacher, 20.0)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, soft_label_loss(student, teacher.float(), 20.0))


def test_bad_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="differ"):
        soft_label_loss(torch.zeros(2, 3), torch.zeros(2, 4), 20.0)
    with pytest.raises(SettingError, match="temperature is 0"):
        soft_label_loss(torch.zeros(2, 3), torch.zeros(2, 3), 0)
