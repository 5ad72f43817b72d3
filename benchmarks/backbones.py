"""Images per second of backbones, forward and backward: which network fits the machine.

python benchmarks/backbones.py --size 64 --batch 32 resnet10_narrow resnet18
"""

import argparse
import time

import torch
import torch.nn.functional as F

from fd2lib.models import AttentionHead, create_backbone, list_backbones


def images_per_second(name: str, size: int, batch: int, rounds: int, maps: int, device: str) -> tuple[float, str]:
    """Return the best round's images per second, and the shape of the feature map in words."""
    backbone = create_backbone(name, 20, image_size=size).to(device)
    head = AttentionHead(backbone.num_features, 20, maps).to(device) if maps else None
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, size, size, generator=generator).to(device)
    labels = torch.randint(20, (batch,), generator=generator).to(device)
    best = float("inf")
    for _ in range(rounds + 1):  # the first one warms up and is never the best
        _wait(device)
        start = time.perf_counter()
        logits, features = backbone(images)
        loss = F.cross_entropy(logits, labels)
        if head is not None:
            loss = loss + F.cross_entropy(head(features, generator).logits, labels)
        loss.backward()
        _wait(device)
        best = min(best, time.perf_counter() - start)
    height, width = backbone.feature_size
    weights = sum(weight.numel() for weight in backbone.parameters()) / 1e6
    return batch / best, f"{backbone.num_features} × {height} × {width} features, {weights:.2f} M weights"


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def main() -> None:
    """Print one line per network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="backbones; fd2lib's own small ones when none is given")
    parser.add_argument("--size", type=int, default=64, help="side of the images, pixels")
    parser.add_argument("--batch", type=int, default=32, help="images per step")
    parser.add_argument("--rounds", type=int, default=5, help="steps, of which the fastest counts")
    parser.add_argument("--maps", type=int, default=0, help="attention maps of a head on top; 0 for none")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    print(f"{options.device}, {torch.get_num_threads()} threads, {options.batch} images of {options.size} px")
    for name in options.names or list_backbones():
        rate, words = images_per_second(name, options.size, options.batch, options.rounds, options.maps, options.device)
        print(f"{name:24s} {rate:8.0f} images/s  {words}")


if __name__ == "__main__":
    main()
