"""The device to rehearse on behaves as a GPU does where it matters: it refuses, and it counts."""

import pytest
import torch
import torch.nn.functional as F
from rehearsal_device import DEVICE, Rehearsal
from torch import nn

READS = {
    "item": lambda x: x.sum().item(),
    "bool": lambda x: bool((x > 0).all()),
    "float": lambda x: float(x[0, 0]),
    "cpu": lambda x: x.cpu(),
    "tolist": lambda x: x.tolist(),
    "equal": lambda x: torch.equal(x, x),
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 2],
    "set by mask": lambda x: x.index_put((x > 2,), x.sum()),
    "copied to the CPU": lambda x: torch.empty(2, 3).copy_(x),
    "unique": lambda x: x.unique(),
}
COPIES = {
    "to": lambda x: torch.ones(4).to(DEVICE),
    "tensor": lambda x: torch.tensor([1.0, 2.0], device=DEVICE),
    "set": lambda x: x.copy_(torch.ones(2, 3)),
}
NEITHER = {
    "arithmetic": lambda x: (2 * x + x.mean()).relu(),
    "a number of the CPU": lambda x: x * torch.tensor(2.0),
    "made there": lambda x: torch.zeros(2, device=DEVICE) + x.new_ones(2) + torch.arange(2, device=DEVICE),
    "positions": lambda x: x[torch.arange(2, device=DEVICE)],
    "one_hot": lambda x: F.one_hot(torch.arange(2, device=DEVICE), 4),
    "in place": lambda x: x.mul_(2)[:, 1:].zero_(),
    "layout": lambda x: x.view(1, 1, 2, 3).contiguous(memory_format=torch.channels_last),
}


@pytest.mark.parametrize(
    ("operation", "reads", "copies"),
    [*((one, 1, 0) for one in READS.values()), *((one, 0, 1) for one in COPIES.values())]
    + [(one, 0, 0) for one in NEITHER.values()],
    ids=[*READS, *COPIES, *NEITHER],
)
def test_reads_and_copies_are_counted(operation, reads, copies):
    hidden = torch.arange(6.0).view(2, 3)
    with Rehearsal() as seen:
        x = hidden.to(DEVICE)
        seen.copies.clear()
        operation(x)
    assert (seen.reads.total(), seen.copies.total()) == (reads, copies)


@pytest.mark.parametrize("mix", [torch.add, torch.minimum, lambda x, y: x[y.long().argsort(0)[:, 0]]])
def test_devices_do_not_mix(mix):
    with Rehearsal():
        x, y = torch.ones(2, 3).to(DEVICE), torch.ones(2, 3)
        for pair in ((x, y), (y, x)):
            with pytest.raises(RuntimeError, match="expected all tensors on one device"):
                mix(*pair)


def test_a_network_trains_there_as_on_the_cpu(tmp_path):
    def train(device):
        generator = torch.Generator().manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)
        )
        for value in net.parameters():
            value.data = torch.rand(value.shape, generator=generator) - 0.5
        net = net.to(device).to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(net.parameters(), 0.01)
        for _ in range(3):
            images = torch.rand(2, 3, 8, 8, generator=generator).to(device)
            optimizer.zero_grad()
            F.cross_entropy(net(images), torch.arange(2, device=device)).backward()
            optimizer.step()
        torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "state.pt")
        return torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True)["net"]

    here = train("cpu")
    with Rehearsal():
        there = train(DEVICE)
    for name, value in here.items():
        torch.testing.assert_close(there[name], value)


def test_outside_of_a_rehearsal_there_is_no_device():
    with Rehearsal():
        x = torch.ones(2).to(DEVICE)
    with pytest.raises(RuntimeError, match="outside of a rehearsal"):
        x + 1
