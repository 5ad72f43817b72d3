"""Additions from outside the package: Python files that register terms or readers, and recipe files."""

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path

from fd2lib.drive.request import Additions
from fd2lib.ground import SettingError, add_recipes


def load_additions(asked: Additions) -> None:
    """Import the plugins and read the recipe files of a request; what was loaded before is not loaded again.

    Raises:
        SettingError: one of them is missing or fails.
    """
    for plugin in asked.plugin.split():
        load_plugin(plugin)
    for file in asked.recipes.split():
        add_recipes(file)


def load_plugin(plugin: str) -> None:
    """Import a Python file by its path, or a module by its name.

    Raises:
        SettingError: there is none, or importing it fails.
    """
    path = Path(plugin)
    try:
        if path.suffix != ".py":
            importlib.import_module(plugin)
            return
        name = f"fd2lib_plugin_{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
        if name in sys.modules:  # the same content registers once, wherever it lies
            return
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError("no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    except Exception as error:
        raise SettingError(
            f"plugin {plugin!r} could not be loaded ({type(error).__name__}: {error}); "
            "expected a Python file or the name of a module that imports without errors."
        ) from error
