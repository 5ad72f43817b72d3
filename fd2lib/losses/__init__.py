"""Losses: one objective per file, pure functions of tensors."""

# isort: off
# Terms register themselves on import, in the order of histories' columns and of the sum.
from fd2lib.losses.terms import HeadInputs, Term, TermInputs, list_terms, register_term, term_titles
from fd2lib.losses.cross_entropy import mixed_cross_entropy
from fd2lib.losses.bn_statistics import bn_statistics_loss, bn_statistics_total
from fd2lib.losses.characteristic import CharacteristicTerms, characteristic_loss, characteristic_terms
from fd2lib.losses.similarity import similarity_loss

# isort: on
from fd2lib.losses.distance import pairwise_relative_distance, relative_distance
from fd2lib.losses.pretrain import PRETRAIN_TITLES, PretrainTerms, center_loss, pretrain_loss
from fd2lib.losses.soft_label import soft_label_loss
