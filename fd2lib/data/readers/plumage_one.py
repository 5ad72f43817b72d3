"""Drawn birds of the finest grain: two families of four siblings, any two of which differ in exactly one part.

Each of the four wears a mark of its own on that part, a crown or a beak; all else of the bird is the same.

**What for.** With `plumage_two`, `plumage_three` and `plumage_families`: what does fineness change? Classes and images
are equally many in all four, and image number *i* has one and the same scene in each: pose, light and background say
nothing. What differs is how much of the bird tells its class.

**Limits.** Those of `plumage`, and which part tells is fixed (a crown and a beak first), so that grain and part are not
told apart.
"""

from fd2lib.data.readers.plumage import of_grain
from fd2lib.data.registry import register_reader

register_reader(of_grain("one", "Plumage, one telling part", __doc__))
