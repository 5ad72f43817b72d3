"""What devices differ in."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # see fd2lib.ground.random
    import torch

WITHOUT_FLOAT64 = {"mps"}  # types of devices


def widest_float(device: "torch.device") -> "torch.dtype":
    """Return float64, or float32 on a device that has no float64: there, sums differ in more of their last digits."""
    import torch

    return torch.float32 if device.type in WITHOUT_FLOAT64 else torch.float64
