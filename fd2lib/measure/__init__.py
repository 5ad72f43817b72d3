"""Measure: what networks, classes and sets of images are like, as numbers. Nothing is trained or drawn here."""

from fd2lib.measure.answers import confused_pairs, examples, label_entropy, load_answers, load_labels, top_labels
from fd2lib.measure.classes import (
    class_means,
    class_vectors,
    closest_pairs,
    cosine_matrix,
    lookalike_order,
    mean_thumbnails,
    members,
    of_class,
    pixel_changes,
    pixel_twins,
    related_classes,
    spread,
    with_names,
)
from fd2lib.measure.features import Plane, embed, imagenet_network, part_attention, principal_plane
from fd2lib.measure.looks import Look, look, maps_of_both
from fd2lib.measure.maps import (
    attention_maps,
    attention_mass,
    average_map,
    centre_prior,
    channel_mean_map,
    class_activation_map,
    reachable_mass,
)
from fd2lib.measure.masks import PartMasks, part_discs, part_masks
from fd2lib.measure.measured import (
    ExperimentLike,
    attention_rows,
    fixed_spaces,
    geometry_rows,
    judge_space,
    provenance_columns,
    stages_of,
)
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
from fd2lib.measure.spaces import Neighbours, Space
