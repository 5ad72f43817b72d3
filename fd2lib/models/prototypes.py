"""Class prototypes: what the part features of each class look like on average."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fd2lib.ground import SettingError, ShapeError, unknown

RULES = ("ema", "release")


class ClassPrototypes(nn.Module):
    """One running vector per class, updated by the images of a batch; zero until its class is first seen.

    Rules, with ``f`` the mean over the batch's images of the class and ``ĉ = c/‖c‖``:

    - ``ema`` (FD² paper): ``c ← (1 − momentum)·c + momentum·f/‖f‖``.
    - ``release`` (authors' code): ``c ← c + momentum·(f − ĉ)``. From zero and for unit features this stays at
      momentum × the last feature seen. Where a class has several images in a batch the release's result is
      whichever was written last; here they take one step together, by their mean.
    """

    prototypes: Tensor  # [K, dim]

    def __init__(self, num_classes: int, dim: int, rule: str = "ema", momentum: float = 0.05) -> None:
        """Make prototypes of zeros.

        Args:
            num_classes: K.
            dim: length of the part features, M·C.
            rule: ``ema`` or ``release``.
            momentum: step of an update, in [0, 1].

        Raises:
            SettingError: an unknown rule, or a momentum outside [0, 1].
        """
        super().__init__()
        if rule not in RULES:
            raise SettingError(unknown("prototype_rule", rule, RULES))
        if not 0 <= momentum <= 1:
            raise SettingError(f"prototype momentum is {momentum}; expected between 0 and 1.")
        self.rule, self.momentum = rule, momentum
        self.register_buffer("prototypes", torch.zeros(num_classes, dim))

    @torch.no_grad()
    def update(self, part_features: Tensor, labels: Tensor) -> None:
        """Move the prototypes of the classes in a batch; all others stay.

        Args:
            part_features: ``[B, dim]``.
            labels: ``[B]`` int64; a class may occur more than once.

        Raises:
            ShapeError: the tensors do not fit.
        """
        num_classes, dim = self.prototypes.shape
        if part_features.ndim != 2 or part_features.shape[1] != dim or labels.shape != part_features.shape[:1]:
            raise ShapeError(
                f"part_features {tuple(part_features.shape)} and labels {tuple(labels.shape)} do not fit; "
                f"expected [B, {dim}] and [B]."
            )
        with torch.autocast(part_features.device.type, enabled=False):
            # A product with the membership matrix adds up in a fixed order; index_add on CUDA does not.
            member = F.one_hot(labels, num_classes).to(self.prototypes.dtype).T  # [K, B]
            count = member.sum(1, keepdim=True)  # [K, 1]
            mean = member @ part_features.to(self.prototypes.dtype) / count.clamp_min(1)
            step = F.normalize(mean, dim=1) - self.prototypes if self.rule == "ema" else mean - self.unit()
            self.prototypes.add_(step * (count > 0), alpha=self.momentum)

    def unit(self) -> Tensor:
        """Return the prototypes scaled to length 1, ``[K, dim]``; a zero prototype stays zero."""
        length = torch.linalg.vector_norm(self.prototypes, dim=1, keepdim=True)
        return self.prototypes / torch.where(length > 0, length, torch.ones_like(length))

    def extra_repr(self) -> str:
        """Return the rule and sizes for the module's printed form."""
        return f"{list(self.prototypes.shape)}, rule={self.rule!r}, momentum={self.momentum}"
