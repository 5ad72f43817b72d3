"""The tables of results, each column declared once: its meaning, type, part in comparisons, and earlier names.

``results/SCHEMA.md`` says the same for people; a test keeps them equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a table of results."""

    meaning: str
    kind: type = str  # what pages read it as: str, int or float; an empty cell of a number is not known
    group: bool = False  # rows that differ in it are never averaged, nor seeds of one another
    formerly: str = ""  # its name in files that exist


@dataclass(frozen=True)
class Table:
    """A kind of results file.

    Attributes:
        name: of the kind of rows.
        title: what one row is.
        columns: by name, in their order.
        key: columns that say what a row is of; a row that agrees in them with another is the same, measured again.
    """

    name: str
    title: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]

    @property
    def groups(self) -> list[str]:
        """Columns that rows must agree in to be compared or averaged."""
        return [name for name, column in self.columns.items() if column.group]

    def named(self, name: str) -> str:
        """Return today's name of a column of a file that exists."""
        today = (own for own, column in self.columns.items() if column.formerly == name)
        return name if name in self.columns else next(today, name)


_IMAGES = {
    "scale": Column("toy, reduced or paper; rows of different scales are never compared", group=True),
    "dataset": Column("registered name of the image set", group=True),
    "image_set": Column("name of one's own for the images (--name); by default the folder's, or dataset", group=True),
    "images_fingerprint": Column("SHA-256 of the images; rows of different images are never averaged", group=True),
    "classes": Column("class subset asked for; empty for all", group=True),
    "num_classes": Column("number of classes", int),
    "image_size": Column("pixels, square", int, group=True),
}
_MADE = {
    "device": Column("device of the run or measurement"),
    "threads": Column("CPU threads it had; empty in rows of before this was recorded", int),
    "versions": Column("torch, torchvision, timm and numpy versions"),
    "commit": Column("fd2lib commit"),
    "date": Column("its end, UTC"),
}
_OF_TEACHERS = {
    "backbone": Column("network of the teachers", group=True),
    "init": Column("their initial weights", group=True),
    "seed": Column("seed of every stage", int),
}
_REAL = ("within", "between", "ratio", "similarity", "attention_similarity", "nearest")

STUDENTS = Table(
    "students",
    "one row per trained student",
    _IMAGES
    | {
        "bundle": Column("paper or release where one of the two readings was asked for; empty for the scale's own"),
        "method": Column("name of the method, as python -m fd2lib recipes lists them"),
        "start": Column("what optimisation starts from: noise, pool1, pool2 (2×2 mosaic), whole; all: whole set"),
        "ipc": Column("images per class; 0: all there are", int),
        "distill_ipc": Column("images per class of the set that they are the first of; empty where not recorded", int),
        "seed": Column("seed of every stage", int),
        "teacher_kind": Column("kind of the teachers that made the images: plain, probed, crops or cal"),
        "label_teacher_kind": Column(
            "kind of the teachers that made the labels; empty for true classes", formerly="label_teacher"
        ),
        "teacher_backbones": Column("the teachers' networks, in turn", group=True, formerly="teacher"),
        "teacher_init": Column("teacher's initial weights; of a file the SHA-256 of what is in it", group=True),
        "student": Column("student's backbone", group=True),
        "student_init": Column("student's initial weights; likewise", group=True),
        "labels": Column("soft or hard", group=True),
        "headline": Column("last or best: which of the next two the bundle's reading compares"),
        "last_top1": Column("student's test accuracy after the last epoch, %", float),
        "best_top1": Column("best test accuracy over the tested epochs, % (selected on test data)", float),
        "teacher_top1": Column(
            "test accuracy of the image teachers' backbone classifier, %, their mean; empty without teacher", float
        ),
        "teacher_head_top1": Column("test accuracy of their attention head, %; empty without head", float),
        "label_teacher_top1": Column(
            "test accuracy of the label teachers' backbone classifier, %, their mean; empty without", float
        ),
        "test_images": Column("number of test images", int),
        "mean_pixel_change": Column("mean absolute change from the start, share of the pixel range", float),
        "images_bytes": Column("bytes of the distilled images as lossless PNG", int),
        "labels_bytes": Column("bytes of the stored soft labels", int),
        "pretrain_images": Column("images passed through networks to train the teachers of the images", int),
        "distill_images": Column(
            "images passed through networks to make the images of this IPC, scoring of mosaics aside", int
        ),
        "relabel_images": Column("images passed through teachers for the labels", int),
        "evaluate_images": Column("images passed through the student in training", int),
        "pretrain_seconds": Column("wall time of the image teachers' training", float),
        "distill_seconds": Column("wall time of making the images (all IPC of the run they are a prefix of)", float),
        "relabel_seconds": Column("wall time of making the labels", float),
        "evaluate_seconds": Column("wall time of the student's training and tests", float),
        "pretrain_peak_mib": Column(
            "peak memory of the teachers' training, MiB; empty where it was not measured stage by stage", float
        ),
        "distill_peak_mib": Column("likewise of making the images", float),
        "relabel_peak_mib": Column("likewise of making the labels", float),
        "evaluate_peak_mib": Column("likewise of the student", float),
        "fingerprint": Column("identity of the student's run: settings and inputs"),
        "settings": Column(
            "JSON of all four stages' settings; teacher_settings where several make the images, "
            "label_teacher_settings where others make the labels"
        ),
    }
    | _MADE,
    key=("dataset", "image_set", "classes", "image_size", "settings"),
)
ATTENTION = Table(
    "attention",
    "where teachers look, one row per teacher and kind of map",
    _IMAGES
    | _OF_TEACHERS
    | {
        "teacher_kind": Column("plain, or cal: with the head of counterfactual attention learning", formerly="teacher"),
        "map": Column("class_activation, channel_mean, occlusion; cal only: head_attention, head_occlusion"),
        "map_size": Column("height × width of the maps"),
        "mass": Column("share of the map that lies on the masks, %, mean over images", float),
        "chance": Column("share of the area that the masks cover, %, mean over images", float),
        "centre": Column(
            "mass of a Gaussian around the image's centre, standard deviation a quarter of the side, %", float
        ),
        "average_map": Column("mass of the mean of this teacher's maps over these images, %", float),
        "reachable": Column("mass of the best map of this size, %, mean over images", float),
        "cell_spread": Column(
            "how wide a cell of the last feature map sees, % of the whole image (100: it sees everything alike)", float
        ),
        "cell_offset": Column("from a cell's place to the centre of what it sees, % of the image's side", float),
        "blank": Column("maps that are 0 everywhere and count as even, % of the images", float),
        "images": Column(
            "test images with a visible part that were measured; occlusion takes fewer, evenly spread", int
        ),
        "parts": Column("visible parts in them", int),
        "masks": Column("what the masks show"),
        "fingerprint": Column("identity of the teacher's run"),
    }
    | _MADE,
    key=(*(name for name, one in _IMAGES.items() if one.group), *_OF_TEACHERS, "teacher_kind", "map", "masks"),
)
GEOMETRY = Table(
    "geometry",
    "what distilled images are like, one row per set of images and space",
    _IMAGES
    | _OF_TEACHERS
    | {
        "method": Column("random, sre2lpp or sre2lpp_fd2"),
        "start": Column("what optimisation starts from"),
        "ipc": Column("images per class", int),
        "images": Column("distilled, or start: what they were before optimisation"),
        "space": Column(
            "pixels; imagenet: features of the network before any fine-tuning; judge: features of a CAL teacher of "
            "another seed (or network), which made none of the images"
        ),
        "judge": Column("the network of the space, and its seed"),
        "within": Column(
            "root mean square difference of two images of one class, mean over classes, in the space's units", float
        ),
        "between": Column("the same for two images of different classes, mean over pairs of classes", float),
        "ratio": Column("between over within; 1 where classes do not differ", float),
        "similarity": Column(
            "cosine similarity of two images of one class, centred on the mean real image, mean over classes", float
        ),
        "attention_similarity": Column("the same for the judge's attention maps; empty in other spaces", float),
        "nearest": Column("root mean square difference to the nearest training image, mean over images", float),
        "own_start": Column("root mean square difference to the image's own start, mean over images", float),
        "copies": Column("images nearer to a training image than 95 % of training images are to another, %", float),
        **{f"real_{name}": Column(f"{name} of all training images (each without itself)", float) for name in _REAL},
        "count": Column("distilled images measured", int),
        "fingerprint": Column("identity of the distillation's run"),
    }
    | _MADE,
    key=(
        *(name for name, one in _IMAGES.items() if one.group),
        *_OF_TEACHERS,
        *("method", "start", "ipc", "images", "space", "judge"),
    ),
)
TABLES = {table.name: table for table in (STUDENTS, ATTENTION, GEOMETRY)}
