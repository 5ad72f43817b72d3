"""Measure: what networks and sets of images are like, as numbers. Nothing is trained and nothing is drawn here."""

from fd2lib.measure.attention import (
    attention_maps,
    attention_mass,
    average_map,
    centre_prior,
    channel_mean_map,
    class_activation_map,
    reachable_mass,
)
from fd2lib.measure.features import Plane, embed, imagenet_network, part_attention, principal_plane
from fd2lib.measure.masks import PartMasks, part_discs, part_masks
from fd2lib.measure.places import ReceptiveFields, occlusion_maps, receptive_fields
from fd2lib.measure.sets import (
    Nearest,
    Spread,
    nearest_images,
    pairwise_similarity,
    rms_distance,
    spread_and_separation,
    unit_rows,
)

__all__ = [
    "Nearest",
    "PartMasks",
    "Plane",
    "ReceptiveFields",
    "Spread",
    "attention_maps",
    "attention_mass",
    "average_map",
    "centre_prior",
    "channel_mean_map",
    "class_activation_map",
    "embed",
    "imagenet_network",
    "nearest_images",
    "occlusion_maps",
    "pairwise_similarity",
    "part_attention",
    "part_discs",
    "part_masks",
    "principal_plane",
    "reachable_mass",
    "receptive_fields",
    "rms_distance",
    "spread_and_separation",
    "unit_rows",
]
