"""The statistics of a set's pixels that networks are given."""

from fd2lib.data import Dataset
from fd2lib.ground import DataError

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation of pixels in [0, 1]


def pixel_statistics(data: Dataset) -> Statistics:
    """Return mean and standard deviation of a set's pixels, per channel, as networks are given them.

    A channel that has one value in all images, as two of a fluorescence picture have, is divided by 1.

    Raises:
        DataError: all training images are of one and the same colour.
    """
    if not any(data.std):
        colour = ", ".join(f"{255 * value:.0f}" for value in data.mean)
        raise DataError(
            f"all {len(data.train)} training images of {data.image_set} have one colour, rgb({colour}); expected "
            "pictures that differ. Look at the files: they may be empty masks, or have been written wrongly."
        )
    return data.mean, tuple(value or 1.0 for value in data.std)
