"""Every setting of a recipe, declared once: name, type, default and its source, range or choices, unit.

Defaults are those of the paper's scale; recipes (see :mod:`fd2lib.ground.recipes`) hold what differs at a scale, for a
data set or in a method's pieces.
"""

import dataclasses
from dataclasses import dataclass

from fd2lib.ground.declaration import StageSettings, check_field, setting
from fd2lib.ground.errors import SettingError
from fd2lib.ground.typed import LARGEST_IMAGE, MOST, MOST_THREADS, parse_phases

STEMS = ("auto", "small", "standard")


@dataclass(frozen=True, kw_only=True)
class PretrainSettings(StageSettings):
    """Stage 1, a teacher on the whole training set (method section 3)."""

    stage = "pretrain"
    backbone: str = setting()  # timm name or one of fd2lib's small variants
    init: str = setting("imagenet", "release", weights=True)
    stem: str = setting(
        "standard", "torchvision's networks", choices=STEMS
    )  # "auto": small up to 64 px, random weights
    attention: bool = setting(True, "paper")  # attention head, counterfactual loss and prototypes (CAL)
    num_maps: int = setting(16, "the most frequent of the release's tables", low=1, high=10_000, unit="maps")  # M
    # λ, weight of the head's loss
    attention_ratio: float = setting(0.4, "the most frequent of the release's tables", low=0, high=1)
    # "release" adds attention crop and drop, "random" two random crops; "paper" adds none
    views: str = setting(
        "paper", "paper (second-hand): no crop and drop terms; release: release", choices=("release", "paper", "random")
    )
    # how class prototypes are updated
    prototype_rule: str = setting(
        "ema", "paper (second-hand); the release's rule is 'release'", choices=("ema", "release")
    )
    prototype_momentum: float = setting(0.05, "release", low=0, high=1)  # step of the prototype update
    epochs: int = setting(51, "release", low=1, high=MOST, unit="epochs")
    batch_size: int = setting(4, "release", low=2, high=MOST, unit="images")
    optimizer: str = setting("sgd", "release", choices=("sgd", "adamw"))  # "adamw" copes better with few epochs
    learning_rate: float = setting(1e-3, "release", low=0)  # for this batch size
    momentum: float = setting(0.9, "release", low=0, below=1)  # of SGD, or AdamW's first beta
    weight_decay: float = setting(1e-5, "release", low=0)
    # "exponential" is rate × 0.9^(epoch/2); "cosine" falls to final_learning_rate
    schedule: str = setting("exponential", "release: rate × 0.9^(epoch/2)", choices=("exponential", "cosine"))
    final_learning_rate: float = setting(0.0, "not used by the exponential schedule", low=0)
    # brightness, contrast, saturation ±; hue ± half of it
    jitter: float = setting(0.2, "release: brightness, contrast, saturation 0.2, hue 0.1", low=0, high=1)
    rotation: float = setting(15.0, "release", low=0, high=180, unit="degrees, ±")
    # "stopped": the head only reads the features, the backbone stays plain
    head_gradient: str = setting("flows", "paper", choices=("flows", "stopped"), before="flows")
    processes: int = setting(1, "ours: one", low=1, high=MOST, unit="processes that share each batch", before=1)


@dataclass(frozen=True, kw_only=True)
class DistillSettings(StageSettings):
    """Stage 2, images from a teacher (method section 4)."""

    stage = "distill"
    ipc: int = setting(low=0, high=MOST, unit="images per class")  # 0 for start "all"
    # what optimisation starts from; with iterations 0, the result. "all": every training image
    start: str = setting(
        "pool2", "release: 2×2 mosaics for SRe2L++", choices=("noise", "pool1", "pool2", "whole", "all")
    )
    iterations: int = setting(
        4000, "SRe2L++", low=0, high=1000 * MOST, unit="steps per image index, all phases together"
    )
    learning_rate: float = setting(1e-3, "release", low=0, unit="of the teacher's normalised pixels")  # Adam
    cross_entropy_weight: float = setting(1.0, "release", low=0)  # of the classification term
    # λ, head against backbone cross-entropy; 0 for a teacher without head
    attention_ratio: float = setting(0.4, "as in pretraining", low=0, high=1)
    # "kept": the backbone's cross-entropy is added once more beside the mixture
    base_cross_entropy: str = setting("replaced", "a base method has one cross-entropy", choices=("replaced", "kept"))
    bn_weight: float = setting(1e-3, "release", low=0)  # of the BatchNorm matching term
    bn_first_multiplier: float = setting(10.0, "release", low=0)  # for the first BatchNorm layer
    characteristic_weight: float = setting(0.8, "paper (second-hand); release 0.9", low=0)  # w_F
    similarity_weight: float = setting(0.2, "paper (second-hand); release 0.1", low=0)  # w_S
    # "unit" normalises prototypes before the characteristic constraint
    prototype_norm: str = setting(
        "unit", "ours: raw prototypes of the release weaken the constraint tenfold", choices=("unit", "raw")
    )
    # how earlier images are seen: whole, or one random crop and flip
    similarity_views: str = setting("plain", "paper; release: cropped", choices=("plain", "cropped"))
    group_size: int = setting(4, "release", low=1, high=MOST, unit="images of a class compared")  # N_S
    min_crop_scale: float = setting(0.08, "release", low=0.01, high=1)  # smallest area of the random resized crop
    shift: int = setting(32, "release", low=0, high=LARGEST_IMAGE, unit="pixels, circular, both ways")
    chunk_classes: int = setting(
        100, "release", low=1, high=MOST, unit="classes"
    )  # optimised together: statistics of a chunk
    # "3@200 4@224": sizes (pixels) in turn and their shares of the iterations; "": one phase
    phases: str = setting("", "SRe2L++: one phase", before="")
    # share of the start mixed in between phases (FADRM)
    residual: float = setting(0.0, "SRe2L++: none", low=0, high=1, before=0.0)
    # "repeated": drawn with replacement, so that a set may hold one twice
    mosaics: str = setting(
        "distinct",
        "ours: a repeated mosaic teaches nothing new; release: repeated",
        choices=("distinct", "repeated"),
        before="distinct",
    )
    # who scores the crops of mosaics: the images' own first teacher, or one plain teacher that all methods share
    scorer: str = setting("own", "release: the method's teacher", choices=("own", "plain"), before="own")
    # which pixels: all, all but the third that the teacher attends to most, or all but that mask moved by half the side
    optimised: str = setting("all", "SRe2L++", choices=("all", "unattended", "shifted"), before="all")
    own_ratio: bool = setting(False, "one teacher", before=False)  # each teacher's own λ in place of attention_ratio

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start == "all" and self.iterations:
            raise SettingError(
                f"start 'all' with {self.iterations} iterations; expected 0: a whole training set is not optimised."
            )
        if self.start != "all" and self.ipc == 0:
            raise SettingError(f"ipc is 0 with start {self.start!r}; expected at least 1 (0 goes with start 'all').")
        if self.iterations == 0:
            object.__setattr__(self, "optimised", "all")  # nothing is, and the same images have one identity
        parse_phases(self.phases)
        if self.optimised != "all" and self.phases:
            raise SettingError(
                f"optimised is {self.optimised!r} with phases {self.phases!r}; expected 'all': "
                "images that change size keep no pixels."
            )
        if not self.start.startswith("pool"):
            object.__setattr__(self, "scorer", "own")  # no crops are scored, and the same images have one identity


@dataclass(frozen=True, kw_only=True)
class HalfBatchSettings(StageSettings):
    """What stages have in common that pass half batches through networks, so small that starting kernels counts."""

    # how they run: "kernels" by torch.compile, "graphs" also as CUDA graphs; numbers differ in their last digits
    compiled: str = setting("off", "release", choices=("off", "kernels", "graphs"), before="off")


@dataclass(frozen=True, kw_only=True)
class RelabelSettings(HalfBatchSettings):
    """Stage 3, soft labels for every augmented batch (method section 5)."""

    stage = "relabel"
    ipc: int = setting(low=0, high=MOST, unit="images per class")  # the first this many; 0: all there are
    epochs: int = setting(400, "release", low=1, high=MOST, unit="epochs")
    batch_size: int = setting(20, "release", low=2, high=MOST, unit="images")  # each batch is used as two halves
    min_crop_scale: float = setting(0.08, "release", low=0.01, high=1)
    cutmix: bool = setting(True, "release")
    # "batch": BatchNorm statistics of each half batch; "evaluation": running statistics
    label_mode: str = setting("batch", "release", choices=("batch", "evaluation"))
    label_source: str = setting("backbone", "release", choices=("backbone", "head"))  # whose logits are stored
    store: bool = setting(True, "release")  # False: nothing is stored and evaluation asks the teachers again
    # of a stored logit; 8: a step of 1/255 of its row's range, with offset and step beside each row
    bits: int = setting(16, "release", choices=(16, 8), before=16)
    # distinct epochs of views and their labels, replayed in turn; 0, or at least epochs: all
    kept_epochs: int = setting(0, "release: all are distinct", low=0, high=MOST, unit="epochs", before=0)
    # "per_view": a label of each view; "fixed": one of each whole image, mixed as CutMix mixes the images
    regime: str = setting("per_view", "release", choices=("per_view", "fixed"), before="per_view")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kept_epochs >= self.epochs:
            object.__setattr__(self, "kept_epochs", 0)  # the same labels have one identity

    @property
    def view_epochs(self) -> int:
        """How many epochs have views of their own; epoch e replays those of epoch e mod so many."""
        return self.kept_epochs or self.epochs

    @property
    def label_epochs(self) -> int:
        """How many epochs of labels are stored."""
        return 1 if self.regime == "fixed" else self.view_epochs


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(HalfBatchSettings):
    """Stage 4, a student on distilled images and their labels (method section 6)."""

    stage = "evaluate"
    student: str = setting()  # backbone name
    student_init: str = setting(
        "random", "open question: the release gives only some students ImageNet weights", weights=True
    )
    stem: str = setting("standard", "torchvision's networks", choices=STEMS)
    labels: str = setting("soft", "release", choices=("soft", "hard"))  # logits of the teachers, or class labels
    learning_rate: float = setting(1e-3, "release", low=0)  # AdamW
    # of all but the classifier; 0: the same
    backbone_rate: float = setting(0.0, "release: one rate", low=0, before=0.0)
    weight_decay: float = setting(1e-5, "release", low=0)  # on weights with more than one dimension
    temperature: float = setting(20.0, "release", low=0.01)
    test_every: int = setting(10, "ours", low=1, high=MOST, unit="epochs")  # the last epoch is always tested
    processes: int = setting(1, "ours: one", low=1, high=MOST, unit="processes that share each batch", before=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backbone_rate == self.learning_rate:
            object.__setattr__(self, "backbone_rate", 0.0)  # one rate has one identity


@dataclass(frozen=True, kw_only=True)
class GeneralSettings:
    """What a recipe says besides the stages' settings."""

    backbone: str = setting("resnet18", "paper, main table")  # of teacher and student
    image_size: int = setting(224, "paper", low=1, high=LARGEST_IMAGE, unit="pixels, square")
    classes: str = setting("", "paper: all classes")  # class subset
    teacher_backbones: str = setting("", "one teacher: the backbone")  # separated by blanks
    seed_step: int = setting(1000, "ours: teachers that share a backbone share nothing else", low=0)
    # added to the run's seed for the images, and for a student with the views that it learns from
    image_seed_offset: int = setting(0, "ours: one seed fixes everything", low=0)
    student_seed_offset: int = setting(0, "ours: one seed fixes everything", low=0)
    # which accuracy is compared: after the last epoch, or the best (selected on test images)
    headline: str = setting("last", "nothing is selected on test images; release: best", choices=("last", "best"))
    threads: int = setting(1, "ours: the same numbers on every machine", low=1, high=MOST_THREADS, unit="CPU threads")
    # of training: sums over a batch are split among them; 0: as many as torchrun started
    processes: int = setting(0, "ours: all there are", low=0, high=MOST, unit="processes that share each batch")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_field(field, getattr(self, field.name), "general")
