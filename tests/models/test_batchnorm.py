"""Looking into BatchNorm layers of plain and timm networks, and batch statistics that leave no trace."""

import pytest
import torch
from torch import nn

from fd2lib.ground import SettingError
from fd2lib.losses import bn_statistics_total
from fd2lib.models import AttentionHead, BatchNormTap, batch_statistics, create_backbone

IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
NETWORKS = ("resnet10_narrow", "densenet_narrow", "mobilenet_narrow")  # BatchNorm2d, and timm's BatchNormAct2d


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    backbone = create_backbone(request.param, 3, image_size=32)
    backbone(torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1)))  # statistics are no longer 0 and 1
    return backbone.eval()


def test_the_tap_sees_every_layer_in_forward_order_with_gradients(network: nn.Module) -> None:
    order = []
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    handles = [layer.register_forward_hook(lambda layer, *_: order.append(layer)) for layer in layers]
    images = IMAGES.clone().requires_grad_()
    with BatchNormTap(network) as tap:
        network(images)
        assert len(tap.recorded) == len(layers)
        for found, layer in zip(tap.recorded, order, strict=True):
            assert found.running_mean is layer.running_mean and found.running_var is layer.running_var
            assert found.mean.shape == found.var.shape == layer.running_mean.shape
        bn_statistics_total(tap.recorded).backward()
        tap.clear()
        network(images)
        assert len(tap.recorded) == len(layers)
    for handle in handles:
        handle.remove()
    assert images.grad.abs().sum() > 0
    network(images)
    assert tap.recorded == []


def total_and_gradient(network: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    images = images.clone().requires_grad_()
    with BatchNormTap(network) as tap:
        logits = network(images).logits
        total = bn_statistics_total(tap.recorded)
        (logits.square().sum() + total).backward()
    return logits.detach(), total.detach(), images.grad


def test_a_frozen_network_gives_the_same_statistics_outputs_and_gradients(network: nn.Module) -> None:
    expected = total_and_gradient(network, IMAGES)  # its weights ask for gradients: every layer runs its own forward
    network.requires_grad_(False)
    found = total_and_gradient(network, IMAGES)
    assert torch.equal(found[0], network(IMAGES).logits)
    for value, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(value, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_shared_passes_have_the_gradients_of_the_plain_formula(affine, memory_format) -> None:
    layer = nn.BatchNorm2d(4, affine=affine, dtype=torch.float64).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(5, 4, 3, 2, dtype=torch.float64, generator=generator).to(memory_format=memory_format)
    layer.running_mean.copy_(torch.rand(4, generator=generator))
    layer.running_var.copy_(torch.rand(4, generator=generator) + 0.5)
    if affine:
        layer.weight.copy_(torch.rand(4, generator=generator))

    def shared(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with BatchNormTap(layer) as tap:
            output = layer(x)
            assert len(tap.recorded) == 1
            return output, tap.recorded[0].mean, tap.recorded[0].var

    output, mean, var = shared(features)
    torch.testing.assert_close(output, layer(features))
    torch.testing.assert_close(mean, features.mean((0, 2, 3)))
    torch.testing.assert_close(var, features.var((0, 2, 3), correction=0))
    assert torch.autograd.gradcheck(shared, features.requires_grad_())


def test_a_layer_of_unknown_kind_is_recorded_before_its_own_forward() -> None:
    class Doubled(nn.BatchNorm2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    layer = Doubled(3).eval().requires_grad_(False)
    with BatchNormTap(layer) as tap:
        output = layer(IMAGES)
        torch.testing.assert_close(tap.recorded[0].mean, IMAGES.mean((0, 2, 3)))
    assert torch.equal(output, layer(IMAGES))


def test_the_tap_covers_a_head_and_skips_an_absent_one() -> None:
    backbone = create_backbone("resnet10_narrow", 3, image_size=32)
    alone = len(BatchNormTap(backbone, None).layers)
    assert len(BatchNormTap(backbone, AttentionHead(backbone.num_features, 3, 2)).layers) == alone + 1
    assert len(BatchNormTap(backbone, backbone).layers) == alone
    with pytest.raises(SettingError, match="no BatchNorm2d"):
        BatchNormTap(nn.Linear(2, 2), None)


def test_hooks_go_when_the_block_fails(network: nn.Module) -> None:
    with pytest.raises(RuntimeError), BatchNormTap(network) as tap:
        raise RuntimeError
    network(IMAGES)
    assert tap.recorded == []


def test_batch_statistics_give_training_mode_outputs_and_leave_every_buffer(network: nn.Module) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad(), batch_statistics(network):
        logits = network(IMAGES).logits
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(module.training for module in network.modules())
    with torch.no_grad():
        evaluated = network(IMAGES).logits
        expected = network.train()(IMAGES).logits
    torch.testing.assert_close(logits, expected)
    assert not torch.allclose(logits, evaluated, rtol=1e-2)


def test_each_part_has_its_own_statistics(network: nn.Module) -> None:
    with torch.no_grad(), batch_statistics(network):
        whole, half = network(IMAGES).logits, network(IMAGES[:2]).logits
    assert not torch.allclose(whole[:2], half, rtol=1e-2)


def test_dropout_and_modes_are_left_alone() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.9)).eval()
    net[1].train()
    tracked = net[1].num_batches_tracked.clone()
    with batch_statistics(net):
        first, second = net(IMAGES), net(IMAGES)
    assert torch.equal(first, second)
    assert torch.equal(net[1].num_batches_tracked, tracked)
    assert net[1].training and not net[2].training


def test_buffers_come_back_when_the_block_fails() -> None:
    layer = nn.BatchNorm2d(3)
    mean = layer.running_mean
    with pytest.raises(RuntimeError), batch_statistics(layer):
        raise RuntimeError
    assert layer.running_mean is mean and layer.training


def test_both_work_under_autocast(network: nn.Module) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), batch_statistics(network):
        logits = network(IMAGES).logits
    assert logits.isfinite().all()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), BatchNormTap(network) as tap:
        network(IMAGES)
        assert bn_statistics_total(tap.recorded).dtype == torch.float32
