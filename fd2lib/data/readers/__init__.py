"""The image sets that come with the library: one module each, which registers itself when it is imported."""

import importlib
import pkgutil

# The order of lists and cards; modules that are not named here follow by name.
_FIRST = ("plumage", "folder", "cub200", "aircraft", "cars196", "flowers102")

for _name in dict.fromkeys([*_FIRST, *sorted(module.name for module in pkgutil.iter_modules(__path__))]):
    importlib.import_module(f"{__name__}.{_name}")
