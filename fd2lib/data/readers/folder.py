"""What the folders may hold, and how to check them: see {doc}`reproduce`.

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
