"""The embedded birds are fine-grained: pixels on average say little, a small network learns them all the same."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fd2lib.data.plumage import render_split
from fd2lib.ground import make_generator, seeded_initialisation


def nearest_mean_accuracy(num_classes, size=32):
    images, labels, _ = render_split(num_classes, 100, size, "train")
    tests, answers, _ = render_split(num_classes, 60, size, "test")
    pixels, test_pixels = images.float().flatten(1), tests.float().flatten(1)
    means = torch.stack([pixels[labels == k].mean(0) for k in range(num_classes)])
    return (torch.cdist(test_pixels, means).argmin(1) == answers).float().mean().item()


@pytest.mark.parametrize("num_classes", [8, 16])
def test_nearest_class_mean_on_pixels_stays_below_twice_chance(num_classes):
    assert nearest_mean_accuracy(num_classes) < 2 / num_classes


def small_network(num_classes, width=16):
    layers = []
    for inputs, outputs in ((3, width), (width, 2 * width), (2 * width, 4 * width), (4 * width, 4 * width)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
    layers[-1] = nn.AdaptiveMaxPool2d(1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width, num_classes))


def augment(images, generator):
    """Flip each image or not, shift the batch by up to four pixels, change each image's colour balance."""
    flip = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    images = torch.where(flip, images.flip(3), images)
    row, column = torch.randint(0, 9, (2,), generator=generator).tolist()
    size = images.shape[-1]
    images = F.pad(images, (4,) * 4, mode="replicate")[..., row : row + size, column : column + size]
    return images * (0.8 + 0.4 * torch.rand(len(images), 3, 1, 1, generator=generator))


def train(network, images, labels, epochs, batch=32):
    steps = epochs * (len(images) // batch)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps)
    generator = make_generator(0, "plumage test")
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=generator).split(batch):
            logits = network(augment(images[chosen], generator))
            optimiser.zero_grad()
            F.cross_entropy(logits, labels[chosen], label_smoothing=0.05).backward()
            optimiser.step()
            schedule.step()


def test_small_network_learns_eight_classes_from_a_hundred_images_each():
    def prepare(split, per_class):
        images, labels, _ = render_split(8, per_class, 48, split)
        return ((images.float() / 255 - 0.5) / 0.25).contiguous(memory_format=torch.channels_last), labels

    with seeded_initialisation(0, "plumage test"):
        network = small_network(8).to(memory_format=torch.channels_last)
    train(network, *prepare("train", 100), epochs=20)
    tests, answers = prepare("test", 50)
    with torch.no_grad():
        predicted = network.eval()(tests).argmax(1)
    assert (predicted == answers).float().mean() > 0.8
    # The families alone would give 25 percent within a family; siblings are told apart too.
    same_family = predicted // 4 == answers // 4
    assert (predicted == answers)[same_family].float().mean() > 0.8
