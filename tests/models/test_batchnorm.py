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
        assert len(tap.inputs) == len(layers)
        for (features, mean, var), layer in zip(tap.inputs, order, strict=True):
            assert mean is layer.running_mean and var is layer.running_var
            assert features.shape[1] == layer.num_features
        bn_statistics_total(tap.inputs).backward()
        tap.clear()
        network(images)
        assert len(tap.inputs) == len(layers)
    for handle in handles:
        handle.remove()
    assert images.grad.abs().sum() > 0
    network(images)
    assert tap.inputs == []


def test_what_the_tap_recorded_gives_the_layers_output_again(network: nn.Module) -> None:
    layer = next(layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d))
    kept = []
    handle = layer.register_forward_hook(lambda layer, inputs, output: kept.append(inputs[0].clone()))
    with BatchNormTap(network) as tap:
        network(IMAGES)
        assert torch.equal(tap.inputs[0][0], kept[0])  # not overwritten by an in-place activation
    handle.remove()


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
    assert tap.inputs == []


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
        assert bn_statistics_total(tap.inputs).dtype == torch.float32
