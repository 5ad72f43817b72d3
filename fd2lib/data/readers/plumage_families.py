"""Drawn birds of eight families, one class of each: body, build and marks all tell them apart.

The classes are the first ones of the first eight families of `plumage`.

**What for.** The coarsest of four sets of one size and one sequence of scenes, see `plumage_one`.

**Limits.** Those of `plumage`. No number of parts says how far families are apart: at least four colours or marks.
"""

from fd2lib.data.readers.plumage import of_grain
from fd2lib.data.registry import register_reader

register_reader(of_grain("families", "Plumage, one class of each family", __doc__))
