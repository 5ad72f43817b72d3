"""A small teacher with random weights and a few images, for measures that ask a network."""

import pytest
import torch

from fd2lib.ground import load_recipe
from fd2lib.models import create_teacher


def make_teacher(attention: bool, classes: int = 4, size: int = 32):
    settings = load_recipe("toy", dataset="plumage", method="sre2lpp_fd2" if attention else "sre2lpp").pretrain
    names = tuple(f"class {index}" for index in range(classes))
    return create_teacher(settings, names, size, (0.5,) * 3, (0.25,) * 3).eval().requires_grad_(False)


@pytest.fixture(params=[False, True], ids=["plain", "cal"])
def teacher(request):
    return make_teacher(request.param)


@pytest.fixture
def plain_teacher():
    return make_teacher(False)


@pytest.fixture
def cal_teacher():
    return make_teacher(True)


@pytest.fixture
def images():
    return torch.randint(0, 256, (6, 3, 32, 32), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.fixture
def labels():
    return torch.tensor([0, 1, 2, 3, 0, 1])
