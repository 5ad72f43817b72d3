"""Losses: one objective per file, pure functions of tensors."""

from fd2lib.losses.bn_statistics import bn_statistics_loss, bn_statistics_total
from fd2lib.losses.characteristic import CharacteristicTerms, characteristic_loss, characteristic_terms
from fd2lib.losses.distance import pairwise_relative_distance, relative_distance
from fd2lib.losses.pretrain import PretrainTerms, center_loss, pretrain_loss
from fd2lib.losses.similarity import similarity_loss
from fd2lib.losses.soft_label import soft_label_loss

__all__ = [
    "CharacteristicTerms",
    "PretrainTerms",
    "bn_statistics_loss",
    "bn_statistics_total",
    "center_loss",
    "characteristic_loss",
    "characteristic_terms",
    "pairwise_relative_distance",
    "pretrain_loss",
    "relative_distance",
    "similarity_loss",
    "soft_label_loss",
]
