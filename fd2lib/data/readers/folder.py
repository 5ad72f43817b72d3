"""What the folders may hold, and how to check them: see {doc}`reproduce`.

**What is read.** JPEG, PNG, BMP, WebP, TIFF, GIF and PPM. Images stand upright as their EXIF says. Transparent pixels
lie on white. Of 16 bits per channel the upper 8 are used, of several frames the first. Values of 32 bits or in floating
point have no known range and are refused. Hidden files and those of file managers are ignored; a run says before it
computes what else it passes over. `fd2lib data check FOLDER` lists everything that is wrong.

Write a card for your images too: who made it, how it was split, what it may be used for, and what is wrong with it.
"""

from fd2lib.data.registry import DatasetInfo, Reader, register_reader

INFO = DatasetInfo(
    name="folder",
    title="Your own images",
    native_size="any",
    split="yours: train/ and test/",
    licence="yours",
    source="yours",
    layout="train/CLASS/IMAGE, test/CLASS/IMAGE",
)

register_reader(Reader(INFO, __doc__, in_root=True))
