"""The attention head: the release's values in both modes, its draws, and the maps it picks."""

import pytest
import torch
from torch import Tensor

from fd2lib.ground import SettingError, ShapeError, make_generator
from fd2lib.models import AttentionHead, pick_maps, pool_parts


def head_of(case: dict[str, Tensor], training: bool) -> AttentionHead:
    maps, channels = case["conv_weight"].shape[:2]
    head = AttentionHead(channels, case["classifier_weight"].shape[0], maps).train(training)
    state = {"conv.weight": case["conv_weight"], "classifier.weight": case["classifier_weight"]}
    for name in ("weight", "bias", "running_mean", "running_var"):
        state[f"norm.{name}"] = case[f"bn_{name}"]
    head.load_state_dict(state | {"norm.num_batches_tracked": torch.tensor(0)}, strict=True)
    return head


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_every_output_matches_the_release(golden, mode: str) -> None:
    case = golden(f"attention_head_{mode}")
    output = head_of(case, mode == "train")(
        case["features"], counterfactual_attention=case.get("counterfactual_attention")
    )
    names = [name for name in output._fields if name in case]
    assert len(names) >= 5
    for name in names:
        expected = case[name]
        tolerance = 1e-5 * expected.abs().max().item()
        torch.testing.assert_close(getattr(output, name), expected, rtol=1e-5, atol=tolerance)


def test_part_features_have_unit_length_and_are_ordered_by_map() -> None:
    features, maps = torch.rand(2, 5, 3, 3), torch.rand(2, 4, 3, 3)
    parts = pool_parts(features, maps)
    torch.testing.assert_close(parts.norm(dim=1), torch.ones(2))
    second = (maps[:, 1, None] * features).mean(dim=(2, 3)).sqrt()  # [B, C]
    torch.testing.assert_close(parts[:, 5:10] / parts[:, 5:6], second / second[:, :1], rtol=1e-4, atol=1e-4)


def test_counterfactual_draws_follow_the_generator_and_leave_the_global_one_alone() -> None:
    head, features = AttentionHead(6, 3, 2), torch.randn(4, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    state = torch.random.get_rng_state()
    first, again = head(features, make_generator(1)), head(features, make_generator(1))
    other = head(features, make_generator(2))
    unseeded = [head(features), head(features)]
    assert torch.equal(first.counterfactual_features, again.counterfactual_features)
    assert not torch.equal(first.counterfactual_features, other.counterfactual_features)
    assert not torch.equal(unseeded[0].effect_logits, unseeded[1].effect_logits)
    assert torch.equal(state, torch.random.get_rng_state())


def test_evaluation_needs_no_generator_and_is_deterministic() -> None:
    head, features = AttentionHead(6, 3, 2).eval(), torch.randn(4, 6, 5, 5)
    assert torch.equal(head(features).effect_logits, head(features, make_generator(1)).effect_logits)


def test_gradients_reach_features_under_autocast_in_full_precision() -> None:
    head, features = AttentionHead(6, 3, 2).eval(), torch.randn(4, 6, 5, 5, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = head(features)
    assert output.logits.dtype == torch.float32
    output.part_features.square().sum().backward()
    assert features.grad.isfinite().all()


def test_features_of_zero_give_finite_parts_and_gradients() -> None:
    head, features = AttentionHead(6, 3, 2).eval(), torch.zeros(2, 6, 4, 4, requires_grad=True)
    head(features).logits.sum().backward()
    assert features.grad.isfinite().all()


def draws(seed: int, count: int) -> torch.Tensor:
    return torch.rand(count, 2, generator=make_generator(seed), dtype=torch.float64)


def test_picked_maps_are_maps_of_the_image_and_follow_the_draws() -> None:
    maps = torch.rand(6, 5, 3, 3)
    crop, drop = pick_maps(maps, draws(0, 6))
    assert crop.shape == drop.shape == (6, 1, 3, 3)
    for i in range(6):
        assert any(torch.equal(crop[i, 0], one) for one in maps[i])
        assert any(torch.equal(drop[i, 0], one) for one in maps[i])
    assert torch.equal(crop, pick_maps(maps, draws(0, 6))[0])


def test_maps_are_picked_in_proportion_to_the_root_of_their_sum() -> None:
    sums = torch.tensor([0.0, 1.0, 4.0, 9.0])
    maps = (sums / 4).view(1, 4, 1, 1).expand(6000, 4, 2, 2)
    for picked in pick_maps(maps, draws(3, 6000)):
        shares = torch.stack([(picked.sum(dim=(1, 2, 3)) - total).abs().lt(1e-3).float().mean() for total in sums])
        torch.testing.assert_close(shares, torch.tensor([0.0, 1 / 6, 2 / 6, 3 / 6]), rtol=0, atol=0.03)


def test_bad_input_is_refused() -> None:
    head = AttentionHead(6, 3, 2)
    with pytest.raises(ShapeError, match=r"expected \[B, 6, h, w\]"):
        head(torch.zeros(1, 5, 4, 4))
    with pytest.raises(ShapeError, match="counterfactual_attention has shape"):
        head(torch.zeros(2, 6, 4, 4), counterfactual_attention=torch.zeros(2, 3, 4, 4))
    with pytest.raises(SettingError, match="num_maps is 0"):
        AttentionHead(6, 3, 0)
