"""How images are dealt out to batches where networks see a batch's own statistics."""


def batch_sizes(images: int, size: int) -> list[int]:
    """Return the sizes of the batches of a pass over images: ``size``, and what is left in a last one.

    A last one of a single image joins the one before it: one image has no statistics of its own that say anything, and
    where a network ends in a single pixel BatchNorm refuses it.
    """
    sizes = [min(size, images - first) for first in range(0, images, size)]
    if len(sizes) > 1 and sizes[-1] == 1:
        sizes[-2:] = [size + 1]
    return sizes
