"""Images per second of the losses and views, forward and backward, at the paper's sizes.

python benchmarks/losses.py --device cuda
"""

import argparse
import time
from collections.abc import Callable

import torch

from fd2lib.ground import make_generator
from fd2lib.losses import bn_statistics_loss, characteristic_loss, similarity_loss, soft_label_loss
from fd2lib.models import AttentionHead, ClassPrototypes
from fd2lib.views import attention_crop, crop_resize, cutmix, random_resized_crop_boxes, training_views


def measure(step: Callable[[], object], device: str, rounds: int) -> float:
    """Return the seconds of the fastest of several calls, after one to warm up."""
    best = float("inf")
    for _ in range(rounds + 1):
        _wait(device)
        start = time.perf_counter()
        step()
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return best


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def make_steps(batch: int, classes: int, size: int, device: str) -> dict[str, Callable[[], object]]:
    """Return one step per piece, for a ResNet-18's 512 channels of 7 × 7 and 8 attention maps."""
    generator = make_generator("benchmark")
    draw = lambda *shape: torch.rand(*shape, generator=generator).to(device)  # noqa: E731
    channels, maps = 512, 8
    features = draw(batch, channels, 7, 7).requires_grad_()
    head = AttentionHead(channels, classes, maps).to(device).eval()
    prototypes = ClassPrototypes(classes, head.num_features).to(device)
    parts = draw(batch, head.num_features).requires_grad_()
    labels = torch.randint(classes, (batch,), generator=generator).to(device)
    attention, earlier = draw(batch, maps, 7, 7).requires_grad_(), draw(batch, 3, maps, 7, 7)
    activations = draw(batch, 64, size // 4, size // 4).requires_grad_()
    mean, var = draw(64), draw(64)
    student, teacher = draw(batch, classes).requires_grad_(), draw(batch, classes)
    images = draw(batch, 3, size, size).requires_grad_()
    boxes = random_resized_crop_boxes(batch, size, generator)
    pixels, order = images.detach(), torch.randperm(batch, generator=generator)
    draws = torch.rand(6, batch, generator=generator).to(device)
    return {
        "attention head": lambda: head(features).logits.sum().backward(),
        "characteristic loss": lambda: characteristic_loss(parts, labels, prototypes.prototypes).backward(),
        "similarity loss": lambda: similarity_loss(attention, earlier).backward(),
        "BatchNorm loss, one layer": lambda: bn_statistics_loss(activations, mean, var).backward(),
        "soft-label loss": lambda: soft_label_loss(student, teacher, 20.0).backward(),
        "prototype update": lambda: prototypes.update(parts, labels),
        "crop and resize": lambda: crop_resize(images, boxes, size).sum().backward(),
        "attention crop": lambda: attention_crop(pixels, attention[:, :1], 0.5),
        "training views": lambda: training_views(pixels, draws, 0.2, 15.0),
        "CutMix": lambda: cutmix(pixels, order, (10, 10, size // 2, size // 2)),
        "drawing boxes": lambda: random_resized_crop_boxes(batch, size, generator),
    }


def main() -> None:
    """Print one line per piece."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=100, help="images per step")
    parser.add_argument("--classes", type=int, default=200)
    parser.add_argument("--size", type=int, default=224, help="side of the images, pixels")
    parser.add_argument("--rounds", type=int, default=5, help="steps, of which the fastest counts")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    print(
        f"{options.device}, {torch.get_num_threads()} threads, {options.batch} images of {options.size} px, "
        f"{options.classes} classes"
    )
    for name, step in make_steps(options.batch, options.classes, options.size, options.device).items():
        seconds = measure(step, options.device, options.rounds)
        print(f"{name:28s} {options.batch / seconds:10.0f} images/s  {1000 * seconds:8.2f} ms")


if __name__ == "__main__":
    main()
