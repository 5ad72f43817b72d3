"""One image file as it comes, opened and made upright RGB of 8 bits, with a remark where that took a decision."""

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fd2lib.ground import require_file

# Suffix -> Pillow's reader. Others are never tried: some start programs, as that of EPS does with Ghostscript.
FORMATS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".ppm", ".pgm"), "PPM"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **{".png": "PNG", ".bmp": "BMP", ".webp": "WEBP", ".gif": "GIF"},
}
READERS = tuple(sorted(set(FORMATS.values())))
GROUND = "white"  # what lies behind transparent pixels, as in browsers
ORIENTATION = 0x0112  # EXIF's tag; how a stored image is turned to stand upright
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow raises for damaged files depends on the format.
UNREADABLE = (OSError, ValueError, SyntaxError, TypeError, EOFError, struct.error, Image.DecompressionBombError)
FRAMES = "images with several frames, of which the first is used"
ALPHA = f"images with transparent pixels, which are laid on {GROUND}"
DEEP = "images with 16 bits per channel, of which the upper 8 are used"


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """Open an image file, as one of the ``FORMATS`` whatever its suffix says.

    Raises:
        OSError: it is missing, no regular file, or no image of these formats.
    """
    require_file(path)
    with Image.open(path, formats=READERS) as image:
        yield image


def upright_rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Return an opened image as viewers show it, in 8-bit RGB, and remarks on what was decided for it.

    Orientation follows EXIF; of several frames the first is taken; of 16 bits the upper 8, as Pillow takes them of
    colour images; transparent pixels lie on white.

    Raises:
        ValueError: values of unknown range (32 bits or floating point), which would be clipped.
    """
    remarks = [FRAMES] if getattr(image, "n_frames", 1) > 1 and image.format != "MPO" else []
    image.load()
    turn = TURNS.get(_orientation(image))
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
        remarks.append(DEEP)
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"mode {image.mode} has no known range of values; save it with 8 or 16 bits per channel")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            image = Image.alpha_composite(Image.new("RGBA", image.size, GROUND), image)
            remarks.append(ALPHA)
    image = image.convert("RGB")
    return image if turn is None else image.transpose(turn), remarks


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded image; damaged EXIF says nothing, as viewers take it too."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except (*UNREADABLE, KeyError, AttributeError):
        return 1
