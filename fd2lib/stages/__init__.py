"""Stages: pretrain, distill, relabel, evaluate. They meet through files.

Each is one function of the stage's ``settings``, its ``inputs``, the folder ``out_dir`` of the run, and by keyword the
``device`` (``cpu``, ``cuda``, ``cuda:N``, ``mps``, ``auto``) and whether to show a ``progress`` bar; it gives a result.
"""

import typing

from fd2lib.ground import doors

if typing.TYPE_CHECKING:
    from fd2lib.stages.computing import resolve_device, to_unit
    from fd2lib.stages.distill import DistillInputs, DistillResult, run_distill
    from fd2lib.stages.distilled import DistilledImages, load_distilled, write_pngs
    from fd2lib.stages.evaluate import EvaluateInputs, EvaluateResult, predict_student, run_evaluate
    from fd2lib.stages.labels import soft_labels
    from fd2lib.stages.pretrain import PretrainInputs, PretrainResult, predict, run_pretrain
    from fd2lib.stages.relabel import RelabelInputs, RelabelResult, run_relabel
    from fd2lib.stages.room import require_room
    from fd2lib.stages.student import StudentWeights, load_student

doors.open_at_first_use(__name__)
