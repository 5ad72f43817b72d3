"""BatchNorm matching: the release's values and the statistics it compares."""

import pytest
import torch
from torch import nn

from fd2lib.ground import ShapeError
from fd2lib.ground.channels import LayerStatistics, channel_statistics
from fd2lib.losses import bn_statistics_loss, bn_statistics_total


def layers_of(case: dict[str, torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    return [(case[f"input_{i}"], case[f"running_mean_{i}"], case[f"running_var_{i}"]) for i in range(3)]


def test_each_layer_and_the_total_match_the_release(golden) -> None:
    case = golden("bn_statistics")
    layers = layers_of(case)
    for i, layer in enumerate(layers):
        torch.testing.assert_close(bn_statistics_loss(*layer), case[f"loss_{i}"], rtol=1e-5, atol=0)
    recorded = [LayerStatistics(*channel_statistics(x), *running) for x, *running in layers]
    total = bn_statistics_total(recorded, float(case["first_multiplier"]))
    torch.testing.assert_close(total, case["total"], rtol=1e-5, atol=0)


def test_it_vanishes_for_what_a_layer_measured_itself_up_to_its_unbiased_variance() -> None:
    layer = nn.BatchNorm2d(3, momentum=1.0)
    features = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    layer(features)
    count = 4 * 8 * 8
    loss = bn_statistics_loss(features, layer.running_mean, layer.running_var * (count - 1) / count)
    assert loss < 1e-6
    assert bn_statistics_loss(features + 1, layer.running_mean, layer.running_var) > 1


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_value_and_gradient_are_those_of_the_plain_formula(memory_format) -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(5, 4, 3, 2, dtype=torch.float64, generator=generator).to(memory_format=memory_format)
    running_mean, running_var = torch.rand(2, 4, dtype=torch.float64, generator=generator)
    features.requires_grad_(True)
    var, mean = torch.var_mean(features, dim=(0, 2, 3), correction=0)
    plain = (running_var - var).norm() + (running_mean - mean).norm()
    torch.testing.assert_close(bn_statistics_loss(features, running_mean, running_var), plain)
    assert torch.autograd.gradcheck(lambda x: bn_statistics_loss(x, running_mean, running_var), features)


def test_gradients_are_finite_where_the_statistics_agree() -> None:
    features = torch.zeros(2, 3, 4, 4, requires_grad=True)
    bn_statistics_loss(features, torch.zeros(3), torch.zeros(3)).backward()
    assert features.grad.isfinite().all()


def test_half_precision_is_widened_before_the_variance() -> None:
    features = 100 + torch.randn(8, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    half = features.half()
    expected = bn_statistics_loss(half.float(), torch.zeros(2), torch.ones(2))
    torch.testing.assert_close(bn_statistics_loss(half, torch.zeros(2), torch.ones(2)), expected)


def test_wrong_channels_and_no_layers_are_refused() -> None:
    with pytest.raises(ShapeError, match="running statistics"):
        bn_statistics_loss(torch.zeros(2, 3, 4, 4), torch.zeros(4), torch.zeros(4))
    with pytest.raises(ShapeError, match="no BatchNorm layers"):
        bn_statistics_total([])
