"""The similarity constraint of FD²: images of one class shall not all attend to the same parts."""

from torch import Tensor

from fd2lib.ground import ShapeError
from fd2lib.losses.distance import relative_distance
from fd2lib.losses.terms import Term, TermInputs, register_term


def similarity_loss(attention_maps: Tensor, earlier_maps: Tensor) -> Tensor:
    """Similarity of attention to that of the class's earlier images, averaged over images (FD² paper).

    Per image ``1 − mean_j d(A, A_j)`` on maps flattened to ``[M·h·w]``, with the relative distance ``d``
    of :func:`fd2lib.losses.relative_distance`. The order of the earlier images does not matter. In [0, 1]: 1 where
    all maps are equal.

    Args:
        attention_maps: maps of the images being optimised, ``[N, M, h, w]``, not negative.
        earlier_maps: maps of J finished images of the same class each, ``[N, J, M, h, w]``. The first image
            of a group has none: with J = 0 the loss is zero.

    Raises:
        ShapeError: the maps do not fit each other.
    """
    now, earlier = attention_maps.shape, earlier_maps.shape
    if len(now) != 4 or len(earlier) != 5 or (earlier[0], *earlier[2:]) != tuple(now):
        raise ShapeError(
            f"attention_maps {tuple(now)} and earlier_maps {tuple(earlier)} do not fit; "
            "expected [N, M, h, w] and [N, J, M, h, w]."
        )
    if earlier_maps.shape[1] == 0:
        return attention_maps.new_zeros(())
    # [N, 1, M·h·w] against [N, J, M·h·w]
    return 1 - relative_distance(attention_maps.flatten(1)[:, None], earlier_maps.flatten(2)).mean()


def _constraint(inputs: TermInputs) -> Tensor | None:
    earlier = inputs.head.earlier_maps
    return None if earlier is None else similarity_loss(inputs.head.attention_maps, earlier)


register_term(Term("similarity", "similarity constraint", "similarity_weight", needs_head=True, function=_constraint))
