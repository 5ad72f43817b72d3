"""The terms of distillation's objective: each is declared once, in the file of its loss, and known here by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from fd2lib.ground import DistillSettings, SettingError, declare_setting
from fd2lib.ground.by_stage import stage_settings
from fd2lib.ground.channels import LayerStatistics
from fd2lib.ground.declaration import setting_fields
from fd2lib.losses.pretrain import PRETRAIN_TITLES

TOTAL = "total"  # the weighted sum, a column beside the terms
_TAKEN = (TOTAL, *PRETRAIN_TITLES, "index", "chunk", "iteration", "epoch")  # other columns of histories


@dataclass(frozen=True)
class HeadInputs:
    """What a term may read of a teacher's attention head, for N images, K classes, M maps and C channels."""

    logits: Tensor  # [N, K]
    part_features: Tensor  # [N, M·C]
    attention_maps: Tensor  # [N, M, h, w]
    prototypes: Tensor  # [K, M·C], of length 1 or raw, as settings.prototype_norm says
    earlier_maps: Tensor | None  # [N, J, M, h, w] of the group's J earlier images; None for the first of a group


@dataclass(frozen=True)
class TermInputs:
    """What a term may read: one view of N images, one for each class of a chunk, and what a teacher makes of it."""

    images: Tensor  # [N, 3, S, S], normalised; gradients flow through it to the images that are optimised
    labels: Tensor  # [N] int64
    logits: Tensor  # [N, K], the backbone's
    features: Tensor | None  # [N, C, h, w], the backbone's last feature map, in the network's precision
    attention: HeadInputs | None  # None for a teacher without head
    batch_norm: Sequence[LayerStatistics]  # of each BatchNorm2d layer
    attention_ratio: float  # λ, the head's share of the cross-entropy
    settings: DistillSettings

    @property
    def head(self) -> HeadInputs:
        """The attention head's part; SettingError where the teacher has none, which ``needs_head`` tells earlier."""
        if self.attention is None:
            raise SettingError("a term reads the attention head, and this teacher has none; declare needs_head=True.")
        return self.attention


@dataclass(frozen=True)
class Term:
    """One term of the objective.

    Attributes:
        name: the column of histories, an identifier.
        title: what plots call it.
        weight: the setting of ``distill`` that weighs it; at 0 the term is not computed.
        needs_head: whether it reads :attr:`TermInputs.head`, which not every teacher has.
        function: gives a scalar, or ``None`` where the term does not apply, as to the first image of a group.
        needs_batch_norm: whether it reads :attr:`TermInputs.batch_norm`, which is recorded for such terms only.
    """

    name: str
    title: str
    weight: str
    needs_head: bool
    function: Callable[[TermInputs], Tensor | None]
    needs_batch_norm: bool = False

    def weight_in(self, settings: DistillSettings) -> float:
        """Return the term's weight; 0 in settings that were made before the term was registered."""
        return float(getattr(settings, self.weight, 0.0))


_TERMS: dict[str, Term] = {}


def register_term(term: Term) -> None:
    """Make a term known to the objective, to histories and to plots.

    A weight that is not a setting of ``distill`` yet becomes one, with the default 0: runs made before keep their
    identity, and recipes and overrides can set it. The very same term may be registered again.

    Raises:
        SettingError: the name is taken, or is not an identifier.
    """
    if _TERMS.get(term.name) == term:
        return
    if term.name in _TERMS or term.name in _TAKEN or not term.name.isidentifier():
        taken = ", ".join([*_TERMS, *_TAKEN])
        raise SettingError(
            f"term name {term.name!r} cannot be used; expected an identifier other than {taken}. Choose another name."
        )
    if term.weight not in setting_fields(stage_settings("distill")):
        declare_setting("distill", term.weight, 0.0, low=0.0, source=f"weight of {term.title}; 0: not computed")
    _TERMS[term.name] = term


def list_terms() -> dict[str, Term]:
    """Return every term of distillation by name, in the order of histories and of the sum: built-in ones first."""
    return dict(_TERMS)


def term_titles() -> dict[str, str]:
    """Return what plots call the columns of histories: the total, distillation's terms, then pretraining's."""
    return {TOTAL: "total", **{name: term.title for name, term in _TERMS.items()}, **PRETRAIN_TITLES}
