"""Models: backbones, the attention head, class prototypes, and the teacher that bundles them."""

import typing

from fd2lib.ground import doors

if typing.TYPE_CHECKING:
    from fd2lib.models.attention import (
        AttentionHead,
        AttentionOutput,
        ClassPrototypes,
        class_activation_map,
        pick_maps,
        pool_parts,
    )
    from fd2lib.models.backbones import Backbone, BackboneOutput, create_backbone, list_backbones, resolve_name
    from fd2lib.models.batchnorm import BatchNormTap, batch_statistics
    from fd2lib.models.synchronised import SynchronisedBatchNorm
    from fd2lib.models.teacher import Teacher, TeacherOutput, create_teacher
    from fd2lib.models.weight_files import StoredWeights, read_state_dict, read_weights
    from fd2lib.models.weights import load_weights, to_timm_keys

doors.open_at_first_use(__name__)
