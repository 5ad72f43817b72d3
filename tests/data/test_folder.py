"""Folders of one's own images: what is read, in which order, and what is said when something is wrong."""

import numpy as np
import pytest
import torch
from PIL import Image

from fd2lib.data import check_folder, load_dataset
from fd2lib.ground import DataError


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_images_labels_and_names_follow_the_folders(make_folder):
    root = make_folder()
    dataset = load_dataset("folder", root, 8)
    assert dataset.classes == ("ash", "beech", "cedar")
    assert dataset.train.images.shape == (12, 3, 8, 8) and dataset.train.images.dtype == torch.uint8
    assert dataset.test.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert dataset.train.names[4] == "train/beech/00.png"
    expected = Image.open(root / dataset.train.names[4]).resize((8, 8), Image.Resampling.BILINEAR)
    assert np.array_equal(dataset.train.images[4].permute(1, 2, 0).numpy(), np.asarray(expected))


def test_mean_and_std_are_those_of_all_training_pixels(make_folder):
    dataset = load_dataset("folder", make_folder(), 8)
    pixels = dataset.train.images.double() / 255
    torch.testing.assert_close(torch.tensor(dataset.mean).double(), pixels.mean(dim=(0, 2, 3)), atol=1e-6, rtol=0)
    expected = pixels.transpose(0, 1).flatten(1).std(dim=1, correction=0)
    torch.testing.assert_close(torch.tensor(dataset.std).double(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_every_colour_mode_becomes_rgb(make_folder, mode):
    root = make_folder()
    Image.new("RGB", (9, 9), (204, 204, 204)).convert(mode).save(root / "train" / "ash" / "00.tif")
    images = load_dataset("folder", root, 8).train
    image = images.images[images.names.index("train/ash/00.tif")]
    assert (image.float() - 204).abs().max() <= 2


def test_report_counts_classes_and_images(make_folder):
    root = make_folder()
    (root / "train" / "beech" / "03.png").unlink()
    report = load_dataset("folder", root, 8).report
    assert report[0] == "3 classes in label order: ash … cedar"
    assert report[1] == "train: 11 images, 3–4 per class, fewest in beech"
    assert report[2] == "test: 9 images, 3 per class"


def test_strays_are_skipped_and_reported(make_folder):
    root = make_folder()
    (root / "train" / "ash" / "notes.txt").write_text("seen in May")
    (root / "train" / "ash" / ".DS_Store").write_text("")
    (root / "test" / "cedar" / "more").mkdir()
    dataset = load_dataset("folder", root, 8)
    assert len(dataset.train) == 12
    assert any("train/ash" in line and "notes.txt" in line for line in dataset.report)
    assert any("test/cedar" in line and "more" in line for line in dataset.report)


def test_numbered_classes_sort_as_text_and_say_so(make_folder):
    dataset = load_dataset("folder", make_folder(classes=("1", "2", "10")), 8)
    assert dataset.classes == ("1", "10", "2")
    assert any("sort as text" in line for line in dataset.report)


def test_val_stands_in_for_test_and_the_report_says_so(make_folder):
    dataset = load_dataset("folder", make_folder(test_name="val"), 8)
    assert dataset.test.names[0] == "test/ash/00.png"
    assert any("val" in line for line in dataset.report)


def test_missing_root_names_it_and_what_belongs_there(tmp_path):
    with pytest.raises(DataError) as error:
        load_dataset("folder", tmp_path / "nowhere", 8)
    assert "nowhere" in one_line(error) and "train/CLASS/IMAGE" in one_line(error)


def test_no_root_at_all_says_how_to_give_one():
    with pytest.raises(DataError) as error:
        load_dataset("folder", "", 8)
    assert "FD2LIB_DATA_ROOT" in one_line(error)


def test_root_comes_from_the_environment(make_folder, monkeypatch):
    monkeypatch.setenv("FD2LIB_DATA_ROOT", str(make_folder()))
    assert len(load_dataset("folder", size=8).test) == 9


def test_missing_split_is_named(make_folder, tmp_path):
    root = make_folder()
    (root / "test").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"no folder .*test; expected"):
        load_dataset("folder", root, 8)


def test_classes_that_differ_are_named(make_folder, save_image):
    root = make_folder()
    save_image(root / "train" / "elder" / "0.png")
    with pytest.raises(DataError) as error:
        load_dataset("folder", root, 8)
    assert "4 classes" in one_line(error) and "only in train/ (elder)" in one_line(error)


def test_empty_class_is_named(make_folder):
    root = make_folder()
    for split in ("train", "test"):
        (root / split / "empty").mkdir()
    with pytest.raises(DataError) as error:
        load_dataset("folder", root, 8)
    assert "empty has no images" in one_line(error) and "add images" in one_line(error)


def test_corrupt_image_is_named_with_a_remedy(make_folder):
    root = make_folder()
    (root / "train" / "cedar" / "01.png").write_bytes(b"not an image")
    with pytest.raises(DataError) as error:
        load_dataset("folder", root, 8)
    text = one_line(error)
    assert str(root / "train" / "cedar" / "01.png") in text and "replace it" in text


def test_truncated_image_is_not_half_read(make_folder):
    root = make_folder()
    path = root / "test" / "ash" / "00.png"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"00\.png"):
        load_dataset("folder", root, 8)


def test_several_corrupt_images_are_counted(make_folder):
    root = make_folder()
    for name in ("00.png", "02.png"):
        (root / "train" / "ash" / name).write_bytes(b"")
    with pytest.raises(DataError, match="2 of 12 train images are unreadable"):
        load_dataset("folder", root, 8)


def test_check_folder_lists_every_problem_without_raising(make_folder):
    root = make_folder()
    assert not any(line.startswith("problem") for line in check_folder(root))
    for path in (root / "train" / "ash" / "00.png", root / "test" / "cedar" / "02.png"):
        path.write_bytes(b"")
    problems = [line for line in check_folder(root) if line.startswith("problem")]
    assert len(problems) == 2 and "ash" in problems[0] and "cedar" in problems[1]
    assert check_folder(root / "nothing")[0].startswith("problem: no folder")
    assert [line.split(";")[0][-6:] for line in check_folder(root / "train" / "beech")] == ["/train", "h/test"]
