"""Images as people have them: depth, orientation, transparency, frames, odd files; and names that are no text."""

import os
import socket
import sys
import zlib
from struct import pack

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fd2lib.data import check_folder, display_name, load_dataset
from fd2lib.data.picture import ORIENTATION, TURNS, upright_rgb
from fd2lib.ground import DataError, SettingError, one_line

RAMP = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)


@pytest.fixture
def loaded(make_folder, tmp_path):
    """Return a function that puts one file into a set, by a function of its path, and gives its pixels and the set."""
    root = make_folder()

    def load(name, write):
        write(root / "train" / "ash" / name)
        data = load_dataset("folder", root, 8)
        pixels = data.train.take([data.train.names.index(f"train/ash/{name}")])[0]
        return pixels.permute(1, 2, 0).numpy(), data

    return load


def upright(path, image, **options):
    """What a stored image looks like."""
    image.save(path, **options)
    with Image.open(path) as stored:
        return upright_rgb(stored)


def chunk(kind, data):
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))


def deep_png(pixels):
    """A PNG of 16-bit colour, uint16 ``[H, W, 3]``, which Pillow cannot write."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep.pgm"])
def test_sixteen_bits_are_scaled(loaded, name):
    pixels, data = loaded(name, Image.fromarray(RAMP).save)
    assert np.array_equal(pixels, np.repeat((RAMP >> 8)[..., None], 3, axis=2))
    assert any(
        "train: images with 16 bits" in line and f"(1 in all, the first is train/ash/{name})" in line
        for line in data.report
    )


def test_sixteen_bits_of_grey_and_of_colour_come_out_alike(loaded):
    colour, _ = loaded("deep.png", lambda path: path.write_bytes(deep_png(np.repeat(RAMP[..., None], 3, axis=2))))
    grey, _ = loaded("grey.png", Image.fromarray(RAMP).save)
    assert np.array_equal(colour, grey) and grey.max() == 252


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_values_of_unknown_range_are_refused(loaded, kind):
    with pytest.raises(DataError, match=r"no known range of values; save it with 8 or 16 bits"):
        loaded("odd.tif", Image.fromarray(RAMP.astype(kind)).save)


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_images_stand_upright_whatever_their_orientation(tmp_path, tag, suffix):
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:16, :32] = 255, 0, 0  # a red corner, left above, as viewers should show it
    seen = Image.fromarray(pixels)
    back = {6: 8, 8: 6}.get(tag, tag)  # turning by a quarter is undone by turning back, the others by themselves
    stored = seen.transpose(TURNS[back]) if tag > 1 else seen
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    image, remarks = upright(tmp_path / f"x.{suffix}", stored, exif=exif)
    assert image.size == (64, 32) and not remarks
    assert np.abs(np.asarray(image).astype(int) - pixels)[4:12, 4:28].max() < 60
    assert np.abs(np.asarray(image).astype(int) - pixels)[4:12, 36:60].max() < 60


def test_a_phones_photograph_is_loaded_upright(loaded):
    """Stored lying with a note to turn it, as phones do: colour above, white below."""
    pixels = np.full((60, 30, 3), 255, np.uint8)
    pixels[:30] = 250, 0, 0
    tag = Image.Exif()
    tag[ORIENTATION] = 6
    lying = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    seen, _ = loaded("phone.jpg", lambda path: lying.save(path, exif=tag, quality=95))
    assert seen[:3, :, 1].max() < 60 and seen[5:, :, 1].min() > 200


@pytest.mark.filterwarnings("ignore:.*EXIF")
@pytest.mark.parametrize(
    "said", [b"\xff\xff\x01\x12", b"\0\1\x01\x12\0\3\0\0\0\1XY\0\0", b"\0\1\x01\x12\0\2\0\0\0\2Z\0\0\0"]
)
def test_damaged_exif_leaves_an_image_as_it_is(tmp_path, said):
    """One that is cut, an orientation that does not exist, and one that is no number."""
    Image.new("RGB", (8, 4), "red").save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08" + said + bytes(4))
    with Image.open(tmp_path / "x.jpg") as stored:
        assert upright_rgb(stored)[0].size == (8, 4)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_lie_on_white(loaded, mode):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 8, 4))
    pixels, data = loaded("glass.png", image.convert(mode).save)
    assert pixels[:3].min() == 255 and pixels[5:].max() == 0
    assert any("laid on white" in line and "glass.png" in line for line in data.report)


@given(st.binary(min_size=48, max_size=48))
def test_opaque_alpha_changes_nothing(raw):
    plain = Image.frombytes("RGB", (4, 4), raw)
    image, remarks = upright_rgb(plain.convert("RGBA"))
    assert image.tobytes() == raw and not remarks


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "pages.tif"])
def test_of_several_frames_the_first_is_used_and_said_once(loaded, name):
    """Also when pixels come out of the cache."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pixels, data = loaded(name, lambda path: frames[0].save(path, save_all=True, append_images=frames[1:]))
    assert pixels[..., 0].min() > 240 and pixels[..., 2].max() < 10
    assert sum("several frames" in line for line in data.report) == 1
    again = loaded(name, lambda path: None)[1]
    assert again.report == data.report


def test_a_cmyk_photograph_and_a_palette_become_rgb(loaded):
    ink, _ = loaded("ink.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save)
    palette, _ = loaded("few.gif", Image.new("RGB", (8, 8), "red").convert("P").save)
    assert (np.abs(ink.astype(int) - (255, 0, 0)) < 6).all() and (np.abs(palette.astype(int) - (255, 0, 0)) < 6).all()


@pytest.mark.parametrize("suffix", ["jfif", "jpe", "JPG"])
def test_jpeg_has_many_suffixes(loaded, suffix):
    pixels, data = loaded(f"x.{suffix}", lambda path: Image.new("RGB", (8, 8), "red").save(path, "JPEG"))
    assert pixels[..., 0].min() > 240 and not data.warnings


def test_what_file_managers_leave_is_ignored_without_a_word(make_folder):
    root = make_folder()
    for name in (".DS_Store", "._00.png", "Thumbs.db", "desktop.ini"):
        (root / "train" / "ash" / name).write_bytes(b"\0")
    (root / "train" / "__MACOSX").mkdir()
    (root / "test" / "@eaDir").mkdir()
    data = load_dataset("folder", root, 8)
    assert len(data.train) == 12 and not data.warnings and data.num_classes == 3


@pytest.mark.parametrize("case", ["bare", "nested", "heic", "beside"])
def test_what_is_passed_over_is_a_warning(make_folder, case):
    root = make_folder()
    folder = root / "train" / "ash"
    for path in sorted(folder.iterdir())[:2]:
        target = {"bare": path.with_suffix(""), "heic": path.with_suffix(".heic"), "beside": root / "train" / path.name}
        if case == "nested":
            (folder / "more").mkdir(exist_ok=True)
        path.rename(target.get(case, folder / "more" / path.name))
    data = load_dataset("folder", root, 8)
    (warning,) = data.warnings
    first = {"bare": "ash/00", "heic": "ash/00.heic", "beside": "00.png", "nested": "ash/more/00.png"}[case]
    assert warning.endswith(f"(2 in all, the first is train/{first})") and warning in data.report
    assert warning.startswith("train: passed over ")


def test_a_folder_without_images_inside_a_class_folder_is_a_warning(make_folder):
    (make_folder() / "train" / "ash" / "more").mkdir()
    (warning,) = load_dataset("folder", make_folder(), 8).warnings
    assert warning == "train: passed over folders inside class folders (1 in all, the first is train/ash/more)"


def test_val_beside_test_is_said_to_be_unused(make_folder):
    (make_folder() / "val").mkdir()
    assert load_dataset("folder", make_folder(), 8).warnings == ("own/val is not used, as there is own/test",)


def special(path, kind):
    """Make something that is no regular file."""
    if kind == "named pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(os.path.relpath(path))  # a whole path may be too long for one
    elif kind == "device":
        path.symlink_to("/dev/zero")


@pytest.mark.skipif(sys.platform == "win32", reason="has none of them")
@pytest.mark.parametrize("kind", ["named pipe", "socket", "device"])
def test_only_regular_files_are_opened(make_folder, monkeypatch, kind):
    root = make_folder()
    monkeypatch.chdir(root)
    special(root / "train" / "ash" / "x.png", kind)
    with pytest.raises(DataError, match=rf"cannot read image .*x\.png \(a {kind}, not a file\)"):
        load_dataset("folder", root, 8)


def test_a_picture_that_would_start_a_program_does_not(make_folder, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *args, **more: pytest.fail(f"started {args}"))
    root = make_folder()
    text = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    (root / "train" / "ash" / "x.jpg").write_text(text)
    with pytest.raises(DataError, match=r"x\.jpg \(not an image of a kind that is read: BMP, GIF, JPEG"):
        load_dataset("folder", root, 8)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep no bytes that are not text")
@pytest.mark.parametrize("where", ["class", "file"])
def test_names_that_are_not_utf8_are_refused_in_one_line(make_folder, where):
    root = make_folder()
    for split in ("train", "test") if where == "class" else ("train",):
        folder = os.fsencode(root / split)
        if where == "class":
            os.rename(folder + b"/ash", folder + b"/M\xf6we")
        else:
            os.rename(folder + b"/ash/00.png", folder + b"/ash/M\xf6we.png")
    with pytest.raises(DataError, match=r"names of folders or files are not UTF-8, the first is b'.*M\\xf6we") as error:
        load_dataset("folder", root, 8)
    assert str(error.value).isascii() and "\n" not in str(error.value)
    assert check_folder(root)[0].startswith("problem: ")


@pytest.mark.parametrize(
    "name", ["two\nlines", "<b>bold", "-rf", 'say "so"', "$5 & $9.99%", "bell\a", "Vögel 鳥", "a|b"]
)
def test_any_text_names_a_class_on_one_line(make_folder, name):
    data = load_dataset("folder", make_folder(classes=(name, "zebra")), 8)
    assert sorted(data.classes) == sorted([name, "zebra"]) and torch.bincount(data.train.labels).tolist() == [4, 4]
    told = [*data.report, display_name(name)]
    assert all(line.isprintable() for line in told)


@given(st.text())
def test_a_name_for_people_is_one_line_and_never_empty(name):
    assert len(f"x{one_line(name)}x".splitlines()) == 1 and len(one_line(name)) == len(name)
    assert len(f"x{display_name(name)}x".splitlines()) == 1 and bool(display_name(name)) == bool(name)


def forbid(monkeypatch, folder):
    """Let a folder be unreadable, which to a superuser none is."""
    inside = type(folder).iterdir

    def iterdir(self):
        if self == folder:
            raise PermissionError(13, "Permission denied", str(self))
        return inside(self)

    monkeypatch.setattr(type(folder), "iterdir", iterdir)


@pytest.mark.parametrize("where", [".", "train", "train/ash"])
def test_an_unreadable_folder_is_one_line(make_folder, monkeypatch, where):
    root = make_folder()
    forbid(monkeypatch, root / where)
    with pytest.raises(DataError, match=r"cannot look into .* \(permission denied\); allow reading it") as error:
        load_dataset("folder", root, 8)
    assert "\n" not in str(error.value)


def test_a_file_where_a_folder_is_meant(make_folder, tmp_path):
    root = make_folder()
    with pytest.raises(DataError, match=r"is no folder; pass the folder that holds"):
        load_dataset("folder", root / "train" / "ash" / "00.png", 8)
    (root / "test").rename(tmp_path / "test")
    (root / "test").write_text("")
    with pytest.raises(DataError, match=r"test is a file; expected test/ with one folder"):
        load_dataset("folder", root, 8)


def test_all_faults_of_a_folder_are_listed_at_once(make_folder):
    root = make_folder(classes=("ash", "beech", "cedar", "elder"))
    for path in (root / "test" / "elder").iterdir():
        path.unlink()
    (root / "test" / "elder").rmdir()
    for path in (root / "train" / "cedar").iterdir():
        path.rename(path.with_suffix(".txt"))
    (root / "train" / "ash" / "00.png").write_bytes(b"")
    (root / "test" / "beech" / "00.png").write_bytes(b"cut")
    problems = [line for line in check_folder(root) if line.startswith("problem: ")]
    assert len(problems) == 4
    for word, line in zip(
        ("only in train/ (elder)", "cedar has no images", "beech", "ash"), sorted(problems), strict=True
    ):
        assert word in line
    with pytest.raises(DataError, match=r"only in train/ \(elder\).* 1 more: `fd2lib data check"):
        load_dataset("folder", root, 8)


def test_an_incomplete_known_set_is_an_error_unless_classes_are_named(make_folder):
    """A copy of CUB-200-2011 of which two of 200 classes arrived."""
    root = make_folder(classes=("001.Black_footed_Albatross", "002.Laysan_Albatross"), name="cub200").parent
    for classes in ("", "2"):
        with pytest.raises(DataError, match=r"has 2 of 200 classes, 8 of 5,994 training images.* naming classes"):
            load_dataset("cub200", root, 8, classes)
    for classes, count in (("*", 2), ("Laysan", 1)):
        data = load_dataset("cub200", root, 8, classes)
        assert data.num_classes == count and "2 of 200 classes" in data.warnings[0]


@pytest.mark.parametrize("root", ["a\0b", "~nobody_of_that_name/images", "x" * 5000, "loop/images"])
def test_roots_that_cannot_be_one(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=r"^data root .*(does not exist|null byte); pass the"):
        load_dataset("folder", root, 8, image_set="mine")
    with pytest.raises((DataError, SettingError)):
        load_dataset("folder", root, 8)
