"""The authors' archive layouts, as tiny trees of generated images."""

import hashlib
import pickle

import numpy as np
import pytest
import scipy.io
import torch
import torchvision.datasets.flowers102
from PIL import Image
from torchvision import datasets

from fd2lib.data import list_datasets, load_dataset
from fd2lib.data.registry import get_reader
from fd2lib.ground import DataError


@pytest.fixture
def make_cub(tmp_path, save_image):
    """CUB_200_2011 with two classes; image 1 and 4 are for training."""

    def make():
        folder = tmp_path / "root" / "CUB_200_2011"
        files = ["001.Ash_Tit/b.png", "001.Ash_Tit/a.png", "002.Elm_Tit/c.png", "002.Elm_Tit/d.png"]
        for seed, file in enumerate(files):
            save_image(folder / "images" / file, seed)
        tables = {
            "images.txt": files,
            "classes.txt": ["001.Ash_Tit", "002.Elm_Tit"],
            "image_class_labels.txt": [1, 1, 2, 2],
            "train_test_split.txt": [1, 0, 0, 1],
        }
        for name, values in tables.items():
            (folder / name).write_text("".join(f"{i} {value}\n" for i, value in enumerate(values, 1)))
        return folder

    return make


def test_cub(make_cub):
    dataset = load_dataset("cub200", make_cub().parent, 8, "*")
    assert dataset.classes == ("001.Ash_Tit", "002.Elm_Tit")
    assert dataset.train.names == ("train/001.Ash_Tit/b.png", "train/002.Elm_Tit/d.png")
    assert dataset.test.labels.tolist() == [0, 1]
    (warning,) = dataset.warnings
    assert "not the whole set: it has 2 of 200 classes, 2 of 5,994 training images" in warning
    assert warning in dataset.report


def test_cub_gives_the_same_set_as_class_folders(make_cub, tmp_path):
    folder = make_cub()
    first = load_dataset("cub200", folder, 8, "*")  # the archive's own folder is found too
    for name in (*first.train.names, *first.test.names):
        target = tmp_path / "packs" / "cub200" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((folder / "images" / name.split("/", 1)[1]).read_bytes())
    assert load_dataset("cub200", tmp_path / "packs", 8, "*").fingerprint == first.fingerprint
    assert load_dataset("cub200", tmp_path / "packs" / "cub200", 8, "*").fingerprint == first.fingerprint


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("train_test_split.txt", "1 1\n2 0\n", "lists 2 images and images.txt 4"),
        ("image_class_labels.txt", "1 1\n2 1\n3 2\n4 9\n", "image 4 has class '9'"),
        ("images.txt", "1 x.png\nnonsense\n", "line 2 is 'nonsense'"),
        ("classes.txt", None, r"cannot read .*classes\.txt"),
    ],
)
def test_damaged_cub_tables_are_named(make_cub, table, text, message):
    folder = make_cub()
    (folder / table).unlink()
    if text:
        (folder / table).write_text(text)
    with pytest.raises(DataError, match=message):
        load_dataset("cub200", folder.parent, 8, "*")


def test_images_that_a_list_names_must_be_there(make_cub):
    folder = make_cub()
    (folder / "images" / "002.Elm_Tit" / "d.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 listed images are missing, the first is .*d\.png"):
        load_dataset("cub200", folder.parent, 8, "*")


def test_aircraft_cuts_the_strip_and_keeps_the_lists_order(tmp_path, save_image):
    folder = tmp_path / "fgvc-aircraft-2013b" / "data"
    for name in ("11", "12", "13", "14"):
        save_image(folder / "images" / f"{name}.jpg", int(name), (40, 50))
    (folder / "variants.txt").write_text("Yak 9\nF/A-18\n")
    (folder / "images_variant_trainval.txt").write_text("13 Yak 9\n11 F/A-18\n")
    (folder / "images_variant_test.txt").write_text("12 F/A-18\n14 Yak 9\n")
    dataset = load_dataset("aircraft", tmp_path, 8, "*")
    assert dataset.classes == ("Yak 9", "F-A-18")
    assert dataset.train.names == ("train/Yak 9/13.jpg", "train/F-A-18/11.jpg")
    whole = Image.open(folder / "images" / "13.jpg").crop((0, 0, 40, 30)).resize((8, 8), Image.Resampling.BILINEAR)
    assert np.array_equal(dataset.train.images[0].permute(1, 2, 0).numpy(), np.asarray(whole))
    assert any("20 rows" in line for line in dataset.report)


def test_cars(tmp_path, save_image):
    folder = tmp_path / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    names = np.array(["Ram C/V 2012", "Audi TT 2011"], dtype=object)
    scipy.io.savemat(folder / "devkit" / "cars_meta.mat", {"class_names": names})
    kind = [("fname", object), ("class", np.uint8)]
    for split, path in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        rows = np.array([("2.png", 1), ("1.png", 2)], dtype=kind)
        scipy.io.savemat(folder / path, {"annotations": rows})
        for name in ("1.png", "2.png"):
            save_image(folder / f"cars_{split}" / name, int(name[0]))
    dataset = load_dataset("cars196", tmp_path, 8, "*")
    assert dataset.classes == ("Ram C-V 2012", "Audi TT 2011")
    assert dataset.test.names == ("test/Ram C-V 2012/2.png", "test/Audi TT 2011/1.png")
    (folder / "cars_test_annos_withlabels.mat").unlink()
    with pytest.raises(DataError, match=r"cannot read Stanford Cars in .*unpack the whole archive"):
        load_dataset("cars196", tmp_path, 8, "*")


@pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("file", ["devkit/cars_meta.mat", "cars_test_annos_withlabels.mat"])
def test_cut_tables_of_an_archive_are_one_line(tmp_path, save_image, file, share):
    test_cars(tmp_path, save_image)
    folder = tmp_path / "stanford_cars"
    annotations = folder / "devkit" / "cars_train_annos.mat"
    (folder / "cars_test_annos_withlabels.mat").write_bytes(annotations.read_bytes())
    raw = (folder / file).read_bytes()
    (folder / file).write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(DataError, match=r"cannot read Stanford Cars in .*unpack the whole archive") as error:
        load_dataset("cars196", tmp_path, 8, "*")
    assert "\n" not in str(error.value)


def test_flowers_trains_on_training_and_validation(tmp_path, save_image, monkeypatch):
    folder = tmp_path / "flowers-102"
    count = 102 * 3
    for image in range(1, count + 1):
        save_image(folder / "jpg" / f"image_{image:05d}.jpg", image, (6, 6))
    labels = np.tile(np.arange(1, 103), 3)
    scipy.io.savemat(folder / "imagelabels.mat", {"labels": labels})
    thirds = np.arange(1, count + 1).reshape(3, 102)
    scipy.io.savemat(folder / "setid.mat", {"trnid": thirds[2], "valid": thirds[0], "tstid": thirds[1]})
    with pytest.raises(DataError, match="corrupted"):  # torchvision compares the lists with the authors' own
        load_dataset("flowers102", tmp_path, 8)
    monkeypatch.setattr(torchvision.datasets.flowers102, "check_integrity", lambda *args: True)
    dataset = load_dataset("flowers102", tmp_path, 8, "*")
    assert dataset.classes[:2] == ("001.pink_primrose", "002.hard_leaved_pocket_orchid")
    assert dataset.train.labels.bincount().tolist() == [2] * 102
    first = dataset.classes[0]
    assert dataset.train.names[:2] == (f"train/{first}/image_00001.jpg", f"train/{first}/image_00205.jpg")
    assert dataset.test.names[0] == f"test/{first}/image_00103.jpg"


@pytest.mark.parametrize(
    ("name", "kind", "key", "meta"),
    [("cifar10", "CIFAR10", "labels", "label_names"), ("cifar100", "CIFAR100", "fine_labels", "fine_label_names")],
)
def test_cifar(tmp_path, monkeypatch, name, kind, key, meta):
    kind = getattr(datasets, kind)
    folder = tmp_path / kind.base_folder
    folder.mkdir()
    rng = np.random.default_rng(0)

    def write(file, value):
        raw = pickle.dumps(value)
        (folder / file).write_bytes(raw)
        return [file, hashlib.md5(raw).hexdigest()]

    def batch(file):
        return write(file, {"data": rng.integers(0, 256, (4, 3072), dtype=np.uint8), key: [1, 0, 1, 0]})

    monkeypatch.setattr(kind, "train_list", [batch(file) for file, _ in kind.train_list])
    monkeypatch.setattr(kind, "test_list", [batch(file) for file, _ in kind.test_list])
    md5 = write(kind.meta["filename"], {meta: ["cat", "dog"]})[1]
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5})
    dataset = load_dataset(name, tmp_path, 32, "*")
    assert dataset.classes == ("cat", "dog") and dataset.test.labels.tolist() == [1, 0, 1, 0]
    official = kind(tmp_path, train=False).data
    assert torch.equal(dataset.test.images, torch.from_numpy(official).permute(0, 3, 1, 2))
    dog = load_dataset(name, tmp_path, 16, "dog")
    assert dog.test.images.shape == (2, 3, 16, 16) and dog.test.names == ("test/00000", "test/00002")
    (folder / kind.test_list[0][0]).write_bytes(b"damaged")
    with pytest.raises(DataError, match="corrupted"):
        load_dataset(name, tmp_path, 32)


@pytest.mark.parametrize(
    ("name", "folder", "wnids", "classes"),
    [
        ("imagenette", "imagenette2-320", ("n01440764", "n02979186"), ("tench", "cassette_player")),
        ("imagewoof", "imagewoof2", ("n02086240", "n02115641"), ("Shih-Tzu", "dingo")),
    ],
)
def test_imagenette_and_imagewoof(tmp_path, save_image, name, folder, wnids, classes):
    for split in ("train", "val"):
        for seed, wnid in enumerate(wnids):
            save_image(tmp_path / folder / split / wnid / "x.JPEG", seed)
    dataset = load_dataset(name, tmp_path, 8, "*")
    assert dataset.classes == classes and dataset.test.names[0] == f"test/{classes[0]}/x.JPEG"
    assert load_dataset(name, tmp_path, 8, classes[1]).classes == classes[1:]


@pytest.mark.parametrize("name", [name for name in list_datasets() if get_reader(name).unpacked])
def test_what_is_not_there_names_layout_and_remedy(tmp_path, name):
    with pytest.raises(DataError) as error:
        load_dataset(name, tmp_path, 8)
    text = str(error.value)
    assert "\n" not in text and get_reader(name).unpacked[0] in text and "prepare" in text


def test_a_failed_download_is_a_data_error(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets.utils, "download_and_extract_archive", offline)
    for name in ("cub200", "imagewoof"):
        with pytest.raises(DataError, match=r"no route to host.*by hand"):
            load_dataset(name, tmp_path / "new", 8, download=True)


def test_a_download_is_listed_like_an_archive(make_cub, tmp_path, monkeypatch):
    folder = make_cub()

    def fetch(address, root, md5):
        assert address.startswith("https://") and len(md5) == 32
        folder.rename(tmp_path / "new" / "CUB_200_2011")

    monkeypatch.setattr(datasets.utils, "download_and_extract_archive", fetch)
    assert len(load_dataset("cub200", tmp_path / "new", 8, "*", download=True).train) == 2
