"""Drawn birds whose siblings differ in exactly two parts: `plumage_one` with one part more that tells.

Two families of four siblings; each of the four wears a mark of its own on both parts, so that either names the class.

**What for.** The second of four sets of one size and one sequence of scenes, see `plumage_one`.

**Limits.** Those of `plumage`, and which part tells is fixed (a crown and a beak first), so that grain and part are not
told apart.
"""

from fd2lib.data.readers.plumage import of_grain
from fd2lib.data.registry import register_reader

register_reader(of_grain("two", "Plumage, two telling parts", __doc__))
