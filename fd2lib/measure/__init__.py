"""Measure: what networks, classes and sets of images are like, and how long steps take, as numbers."""

import typing

from fd2lib.ground import doors

if typing.TYPE_CHECKING:
    from fd2lib.measure.bench import Bench, bench_cases, bench_line, choose_cases
    from fd2lib.measure.classes import (
        class_means,
        class_vectors,
        closest_pairs,
        compare_formats,
        confused_pairs,
        cosine_matrix,
        examples,
        label_entropy,
        load_answers,
        load_labels,
        lookalike_order,
        mean_thumbnails,
        members,
        of_class,
        pixel_changes,
        pixel_twins,
        related_classes,
        spread,
        top_labels,
        with_names,
    )
    from fd2lib.measure.explore import Explored, ExploredSet, brightest, explore, nearest_places, said_of
    from fd2lib.measure.features import Look, Plane, embed, imagenet_network, look, part_attention, principal_plane
    from fd2lib.measure.label_views import likeliest_shares
    from fd2lib.measure.maps import (
        ReceptiveFields,
        attention_maps,
        attention_mass,
        average_map,
        centre_prior,
        channel_mean_map,
        maps_of_both,
        occlusion_maps,
        reachable_mass,
        receptive_fields,
    )
    from fd2lib.measure.measured import (
        ExperimentLike,
        PartMasks,
        attention_rows,
        fixed_spaces,
        geometry_rows,
        judge_space,
        part_discs,
        part_masks,
        provenance_columns,
        stages_of,
    )
    from fd2lib.measure.profile import profile_rows
    from fd2lib.measure.sets import (
        Nearest,
        Neighbours,
        Space,
        Spread,
        nearest_images,
        pairwise_similarity,
        rms_distance,
        spread_and_separation,
        unit_rows,
    )

doors.open_at_first_use(__name__)
