"""The built book. Skipped, saying so, where nothing is built."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def pages() -> list[Path]:
    """Every page of the built book, without the theme's own templates."""
    index = HTML / f"{yaml.safe_load((ROOT / '_toc.yml').read_text(encoding='utf-8'))['root']}.html"
    if not index.exists():
        pytest.skip("the book is not built; make book builds it")
    if index.stat().st_mtime < (ROOT / "_toc.yml").stat().st_mtime:
        pytest.skip("the built book is older than its contents; make book builds it")
    return sorted(path for path in HTML.rglob("*.html") if "_static" not in path.parts)
