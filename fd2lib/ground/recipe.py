"""What a recipe is once it is resolved: the settings of all four stages, and where each value comes from."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fd2lib.ground.by_stage import STAGES
from fd2lib.ground.settings import DistillSettings, EvaluateSettings, PretrainSettings, RelabelSettings


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of all four stages for one experiment, with the source of each value."""

    scale: str
    dataset: str
    backbone: str
    method: str
    title: str  # the method's display name
    bundle: str  # "paper", "release", or "" for the scale's own reading
    headline: str  # which accuracy the bundle's reading compares: "last" or "best" (selected on test images)
    image_size: int  # pixels, square
    classes: str  # class subset, "" for all
    teacher_kind: str  # of the teachers that make the images
    label_teacher_kind: str  # of the teachers that make the labels
    teacher_settings: tuple[PretrainSettings, ...]  # of the images' teachers, used in turn
    label_teacher_settings: tuple[PretrainSettings, ...]  # of the labels' teachers, averaged
    scorer_settings: PretrainSettings | None = None  # of the teacher that scores crops where none of the images' does
    distill: DistillSettings
    relabel: RelabelSettings
    evaluate: EvaluateSettings
    sources: Mapping[str, str] = field(hash=False)  # "distill.learning_rate" -> where the value comes from
    not_followed: tuple[str, ...] = ()  # overrides that the method does not allow, with what fixes each

    @property
    def pretrain(self) -> PretrainSettings:
        """The first teacher's settings."""
        return self.teacher_settings[0]

    @property
    def teacher_backbones(self) -> str:
        """Names of the image teachers' networks, in turn, separated by blanks."""
        return " ".join(teacher.backbone for teacher in self.teacher_settings)

    @property
    def needs_label_teachers(self) -> bool:
        """Whether labels are asked of teachers: not where the student learns from the true classes."""
        return self.evaluate.labels == "soft" or self.relabel.store

    @property
    def needs_image_teachers(self) -> bool:
        """Whether images are: optimisation asks, and mosaics are ranked by one."""
        return self.distill.iterations > 0 or self.distill.start.startswith("pool")

    @property
    def image_teachers(self) -> tuple[PretrainSettings, ...]:
        """The teachers that the images need, in turn; none for real images."""
        return self.teacher_settings if self.needs_image_teachers else ()

    @property
    def label_teachers(self) -> tuple[PretrainSettings, ...]:
        """The teachers that the labels need; none for true classes."""
        return self.label_teacher_settings if self.needs_label_teachers else ()

    def values(self) -> dict[str, Any]:
        """Return every setting: ``general.*``, and every stage's, keyed ``stage.setting``.

        Of further teachers, ``pretrain[2].setting`` and so on say what differs from the first.
        """
        names = ("image_size", "classes", "headline", "teacher_backbones")
        general = {f"general.{name}": getattr(self, name) for name in names}
        stages = {
            f"{stage}.{name}": value
            for stage in STAGES
            for name, value in dataclasses.asdict(getattr(self, stage)).items()
        }
        further = {
            f"pretrain[{number}].{name}": value
            for number, teacher in enumerate(self.teacher_settings[1:], 2)
            for name, value in dataclasses.asdict(teacher).items()
            if value != getattr(self.pretrain, name)
        }
        return general | stages | further
