"""Noticing numbers that are no longer finite at the iteration where they appear."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fd2lib.ground import TrainingError
from fd2lib.losses.terms import TOTAL

EVERY = 64  # steps whose terms are read together: a read makes the host wait for the device


class Watch:
    """Keeps the terms of each step on the device and looks at them together, every so many steps.

    Args:
        names: of the terms; the sum of others is named only when it alone is not finite.
        where: what the steps are of, as "epoch 3 of runs/pretrain/x".
        remedy: what to do, a sentence.
    """

    def __init__(self, names: Sequence[str], where: str, remedy: str) -> None:
        self.names, self.where, self.remedy = list(names), where, remedy
        self._new: list[Tensor] = []  # of each step that was not looked at yet, [terms]
        self._seen: list[Tensor] = []  # [steps, terms], on the CPU
        self._promises: list[Tensor] = []  # that were not looked at yet
        self.kept = True  # whether all promises were

    @property
    def steps(self) -> int:
        """How many were taken."""
        return sum(map(len, self._seen)) + len(self._new)

    def see(self, terms: Sequence[Tensor]) -> None:
        """Take the terms of one step, scalars.

        Raises:
            TrainingError: as :meth:`check`.
        """
        self._new.append(torch.stack([term.detach().float() for term in terms]))
        if len(self._new) >= EVERY:
            self.check()

    def promise(self, holds: Tensor) -> None:
        """Take what should hold, a bool; :attr:`kept` says whether it does after the next look."""
        self._promises.append(holds.float())

    def check(self) -> Tensor:
        """Look at the steps that were not looked at yet, and return all steps' terms ``[steps, terms]`` on the CPU.

        Raises:
            TrainingError: a term is not finite, naming it and the step.
        """
        if waiting := self._new + [promise[None] for promise in self._promises]:
            read, values = torch.cat(waiting).cpu(), len(self._new) * len(self.names)
            self._seen.append(read[:values].view(-1, len(self.names)))
            self.kept &= bool(read[values:].all())
            self._new, self._promises = [], []
        recorded = torch.cat(self._seen)
        wrong = ~recorded.isfinite()
        if wrong.any():
            step = int(wrong.any(dim=1).nonzero()[0])
            terms = [name for name, bad in zip(self.names, wrong[step].tolist(), strict=True) if bad]
            named = next((name for name in terms if name != TOTAL), TOTAL)
            value = recorded[step, self.names.index(named)].item()
            raise TrainingError(
                f"{named} is {value} at iteration {step} of {self.where}; expected a finite number. {self.remedy}"
            )
        return recorded
