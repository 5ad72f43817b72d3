"""The notebooks that use a device run on a second one: their helpers mix nothing of it with the CPU's."""

from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest
from rehearsal_device import DEVICE, Rehearsal

from fd2lib.drive.notebooks import notebook_parameters

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TINY = "pretrain.epochs=1 pretrain.num_maps=2 distill.iterations=2 relabel.epochs=1 evaluate.test_every=1"
GIVEN = {"classes": "4", "image_size": 32, "device": str(DEVICE), "overrides": TINY, "occluded": 2, "interactive": "no"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Where notebooks keep what they make, for each other too."""
    return str(tmp_path_factory.mktemp("runs"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["00_start_here", "20_pretrain", "30_distill", "40_relabel", "50_evaluate",
                                  "80_what_it_learned", "90_cost"])  # fmt: skip
def test_a_notebook_runs_on_a_second_device(name, runs, monkeypatch):
    monkeypatch.setattr(mpl, "backend", "agg", raising=False)
    source = NOTEBOOKS / f"{name}.ipynb"
    known, names = notebook_parameters(source), {}
    with Rehearsal() as seen:
        for cell in nbformat.read(source, as_version=4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{name} {cell.id}", "exec"), names)
            if "parameters" in cell.metadata.get("tags", []):
                names |= {key: value for key, value in (GIVEN | {"runs_dir": runs}).items() if key in known}
    assert seen.copies, "it did not use the device"
