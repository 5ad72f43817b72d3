"""Plumage: the embedded image set, procedurally drawn birds that need no download.

Up to 64 classes in 16 families of four; siblings share the body and differ in exactly two of three small parts, and
each image comes with a mask per part and the list of telling parts. The first 4n classes are n whole families. An image
is a function of (seed, split, index), the number of classes and the size; all that varies besides the class, see
:class:`Scene`, does not depend on it.
"""

from fd2lib.data.plumage.anatomy import bird
from fd2lib.data.plumage.families import GRAINS, MAX_CLASSES, PARTS, class_names, siblings, telling_parts
from fd2lib.data.plumage.render import PlumageImage, draw, draw_class, render_masks, render_split
from fd2lib.data.plumage.scene import SPLITS, Scene, draw_scene

__all__ = [
    "GRAINS",
    "MAX_CLASSES",
    "PARTS",
    "SPLITS",
    "PlumageImage",
    "Scene",
    "bird",
    "class_names",
    "draw",
    "draw_class",
    "draw_scene",
    "render_masks",
    "render_split",
    "siblings",
    "telling_parts",
]
