"""SRe²L in plain PyTorch, and FD² in it: the ten lines that end in ``# FD²``. Without them this is SRe²L.

Squeeze a training set into a network, recover images from it, relabel them, validate them on a student. Images are
tensors ``[n, 3, S, S]`` with values in [−1, 1], labels ``[n]`` int64. The network is one of torchvision's ResNets, or
any other with BatchNorm, a last stage ``layer4`` that ends in its activation, and a classifier ``fc``.

Try it: ``python examples/add_fd2.py``
"""

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from fd2lib.losses import characteristic_loss, similarity_loss  # FD²
from fd2lib.models import AttentionHead, ClassPrototypes  # FD²


def squeeze(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    epochs: int = 10,
    batch: int = 16,
    rate: float = 0.002,
) -> None:
    """Train ``model`` on the training set, with a new classifier, by cross-entropy."""
    channels, num_classes = model.fc.in_features, int(labels.max()) + 1
    model.fc = nn.Linear(channels, num_classes)
    model.head = AttentionHead(channels, num_classes, num_maps=8)  # FD²
    model.prototypes = ClassPrototypes(num_classes, model.head.num_features)  # FD²
    model.layer4.register_forward_hook(lambda _, __, out: setattr(model, "attention", model.head(out)))  # FD²
    model.to(images.device).train()
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9, weight_decay=1e-4)
    ce = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for index in torch.randperm(len(images), generator=generator).split(batch):
            y = labels[index]
            loss = ce(model(images[index]), y)
            loss = loss + ce(model.attention.logits, y) + ce(model.attention.effect_logits, y)  # FD²
            model.prototypes.update(model.attention.part_features, y)  # FD²
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def recover(
    model: nn.Module,
    start: Tensor,
    generator: torch.Generator,
    iterations: int = 100,
    rate: float = 0.05,
    bn_weight: float = 1e-3,
) -> tuple[Tensor, list[float]]:
    """Optimise ``start`` ``[K, ipc, 3, S, S]``, one image of every class at a time, by cross-entropy and BatchNorm.

    Returns the images, and how many of the set the network recognised, in %, before each image index was optimised.
    """
    model.eval().requires_grad_(False)
    images, y = start.clone(), torch.arange(len(start), device=start.device)
    gaps, recognised = [], []
    hooks = [norm.register_forward_hook(_add_gap(gaps)) for norm in model.modules() if isinstance(norm, nn.BatchNorm2d)]
    for index in range(images.shape[1]):
        guesses = model(images.flatten(0, 1)).argmax(1).unflatten(0, images.shape[:2])  # [K, ipc]
        recognised.append(100 * (guesses == y[:, None]).float().mean().item())
        earlier = model.attention.attention_maps.unflatten(0, images.shape[:2])[:, index - index % 4 : index]  # FD²
        x = images[:, index].clone().requires_grad_()  # [K, 3, S, S]
        optimizer = torch.optim.Adam([x], rate, betas=(0.5, 0.9))
        for _ in range(iterations):
            gaps.clear()
            loss = F.cross_entropy(model(view(x, generator)), y)
            loss = loss + bn_weight * sum(gaps)
            loss = loss + 0.8 * characteristic_loss(model.attention.part_features, y, model.prototypes.unit())  # FD²
            loss = loss + 0.2 * similarity_loss(model.attention.attention_maps, earlier)  # FD²
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            x.data.clamp_(-1, 1)
        images[:, index] = x.detach()
    for hook in hooks:
        hook.remove()
    return images, recognised


def _add_gap(gaps: list[Tensor]):
    """A hook that notes how far a batch's channel statistics are from the running ones."""

    def hook(norm: nn.BatchNorm2d, inputs: tuple[Tensor], _: Tensor) -> None:
        var, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        gaps.append((norm.running_var - var).norm() + (norm.running_mean - mean).norm())

    return hook


def view(images: Tensor, generator: torch.Generator) -> Tensor:
    """One random crop, resized, and one random flip for the whole batch."""
    full = images.shape[-1]
    side = int(torch.randint(full // 2, full + 1, (), generator=generator))
    top, left = torch.randint(full - side + 1, (2,), generator=generator).tolist()
    crop = F.interpolate(images[..., top : top + side, left : left + side], (full, full), mode="bilinear")
    return crop.flip(3) if torch.rand((), generator=generator) < 0.5 else crop


@torch.no_grad()
def relabel(model: nn.Module, images: Tensor, generator: torch.Generator, epochs: int = 20) -> list[tuple]:
    """Give views of the images ``[n, 3, S, S]`` and the network's logits on them, a pair for every epoch."""
    model.eval()
    views = [view(images, generator) for _ in range(epochs)]
    return [(seen, model(seen)) for seen in views]


def validate(
    student: nn.Module, pairs: list[tuple], images: Tensor, labels: Tensor, rate: float = 1e-3, temperature: float = 20
) -> float:
    """Train ``student`` on the relabelled views alone; return its accuracy on test images, in %."""
    student.to(images.device).train()
    optimizer = torch.optim.AdamW(student.parameters(), rate)
    for seen, logits in pairs:
        answers = F.log_softmax(student(seen) / temperature, dim=1)
        loss = F.kl_div(answers, F.softmax(logits / temperature, dim=1), reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    student.eval()
    with torch.no_grad():
        return 100 * (student(images).argmax(1) == labels).float().mean().item()


def patterns(count: int, num_classes: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Stand-in images: a coarse pattern per class under noise. Put your own images and labels here."""
    classes = torch.rand(num_classes, 3, 4, 4, generator=torch.Generator().manual_seed(0)) - 0.5
    labels = torch.arange(count) % num_classes
    noise = 0.3 * torch.randn(count, 3, size, size, generator=generator)
    return (F.interpolate(classes[labels], (size, size)) + noise).clamp(-1, 1), labels


def main() -> None:
    """Run the four stages on stand-in images: seconds on two CPU cores."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    num_classes, ipc, size = 4, 2, 48
    images, labels = patterns(64, num_classes, size, generator)
    test_images, test_labels = patterns(40, num_classes, size, generator)

    teacher = torchvision.models.resnet18()
    squeeze(teacher, images, labels, generator, epochs=12)
    start = torch.stack([images[labels == label][:ipc] for label in range(num_classes)])
    distilled, recognised = recover(teacher, start, generator, iterations=20)
    pairs = relabel(teacher, distilled.flatten(0, 1), generator, epochs=40)
    accuracy = validate(torchvision.models.resnet18(num_classes=num_classes), pairs, test_images, test_labels)
    print(f"Recognised by the teacher before each image index: {', '.join(f'{share:.0f} %' for share in recognised)}")
    print(f"A student trained on {num_classes * ipc} distilled images: {accuracy:.0f} % of the test images right")


if __name__ == "__main__":
    main()
