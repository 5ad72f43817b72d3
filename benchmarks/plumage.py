"""Print how many embedded birds a second are drawn on one core.

Usage: ``python benchmarks/plumage.py --size 64 --images 400``
"""

import argparse
import time

from fd2lib.data.plumage import draw, render_split


def main() -> None:
    """Time single draws with their masks and a whole split without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="image side in pixels")
    parser.add_argument("--images", type=int, default=400, help="images per measurement")
    parser.add_argument("--classes", type=int, default=8, help="2 to 64")
    arguments = parser.parse_args()
    per_class = max(1, arguments.images // arguments.classes)
    count = per_class * arguments.classes
    for index in range(arguments.classes):  # fills the caches
        draw(0, "train", index, arguments.classes, arguments.size)
    start = time.perf_counter()
    for index in range(count):
        draw(0, "train", index, arguments.classes, arguments.size)
    with_masks = count / (time.perf_counter() - start)
    start = time.perf_counter()
    render_split(arguments.classes, per_class, arguments.size, "train")
    images_only = count / (time.perf_counter() - start)
    print(f"{arguments.size} px: {with_masks:.0f} images/s with part masks, {images_only:.0f} images/s without")


if __name__ == "__main__":
    main()
