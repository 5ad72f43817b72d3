"""An image set that was explored, without any network."""

import pytest
import torch

from fd2lib.data import Dataset, ImageSplit
from fd2lib.measure import Explored, ExploredSet
from fd2lib.stages import DistilledImages


def random_images(number: int, seed: int) -> torch.Tensor:
    return torch.randint(0, 256, (number, 3, 12, 12), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture
def explored():
    """Return a function that makes an explored set of three classes, two training and five test images each."""

    def make(
        methods=("sre2lpp", "random"), counts=(1, 2), classes=("001.Red_Wren", "b<i>", "c</script>")
    ) -> ExploredSet:
        train, test = (
            ImageSplit(random_images(3 * each, seed), torch.arange(3).repeat_interleave(each), ("x",) * 3 * each)
            for each, seed in ((2, 0), (5, 1))
        )
        data = Dataset("plumage", classes, 12, train, test, (0.5,) * 3, (0.2,) * 3, "f", (), image_set="plumage")
        shown = []
        for number, method in enumerate(methods):
            for ipc in counts:
                starts = torch.cat([train.images[place::2] for place in range(ipc)])
                images = starts if method == "random" else random_images(3 * ipc, 10 + number)
                made = DistilledImages(images, starts, torch.arange(3).repeat(ipc), classes)
                near = torch.tensor(
                    [[2 * label + place, 2 * (label + 1) % 6] for place in range(ipc) for label in range(3)]
                )
                answers = torch.full((15, 3), 0.1)
                answers[torch.arange(15), torch.tensor([0, 0, 0, 1, 2] * 3)] = 0.8
                attention, distance = torch.rand(3 * ipc, 4, 4), torch.tensor([[0.25, 1.5]]).repeat(3 * ipc, 1)
                shown.append(Explored(method, ipc, made, attention, near, distance, answers))
        return ExploredSet(data, "toy", "convnet4, seed 1", shown)

    return make
