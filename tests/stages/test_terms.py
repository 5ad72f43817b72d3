"""Terms of the objective from outside the package, and histories whose chunks know different terms."""

import importlib.util
import sys

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from fd2lib.ground import SettingError, declare_setting
from fd2lib.ground.by_stage import STAGES
from fd2lib.losses import Term, register_term, term_titles, terms
from fd2lib.stages import DistillInputs, load_distilled, run_distill
from fd2lib.stages.objective import FIRST_COLUMNS

PLUGIN = '''
"""A term of one's own: blurred images cost more than sharp ones."""

from fd2lib.losses import Term, register_term


def sharpness(inputs):
    """Minus the mean step from pixel to pixel."""
    return -(inputs.images[..., 1:] - inputs.images[..., :-1]).abs().mean()


register_term(
    Term(name="sharpness", title="sharpness", weight="sharpness_weight", needs_head=False, function=sharpness)
)
'''


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(terms, "_TERMS", dict(terms._TERMS))
    monkeypatch.setitem(STAGES, "distill", STAGES["distill"])


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Imports a file that lies outside the package."""

    def load():
        path = tmp_path / "my_terms.py"
        path.write_text(PLUGIN, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("my_terms", path)
        monkeypatch.setitem(sys.modules, "my_terms", importlib.util.module_from_spec(spec))
        spec.loader.exec_module(sys.modules["my_terms"])

    return load


def _distill(settings, data, folder, out):
    result = run_distill(settings, DistillInputs(data, [folder]), out, progress=False)
    return load_distilled(result.folder).images, result.folder / "history.csv"


def _keep_chunks(folder, *names):
    """As if the process had died after the chunks of these names."""
    (folder / "manifest.json").rename(folder / "started.json")
    (folder / "images.safetensors").unlink()
    (folder / "history.csv").unlink()
    for path in (folder / "chunks").iterdir():
        if path.name.split(".")[0] not in names:
            path.unlink()


def test_a_strangers_term_is_optimised_recorded_and_titled(tmp_path, data, recipe, teachers, plugin):
    without, old = _distill(recipe("sre2lpp").distill, data, teachers["plain"], tmp_path / "without")
    plugin()
    unused, same = _distill(recipe("sre2lpp").distill, data, teachers["plain"], tmp_path / "unused")
    assert torch.equal(without, unused) and old.read_bytes() == same.read_bytes()  # registered, but weighs nothing
    weighed = recipe("sre2lpp", **{"distill.sharpness_weight": 20.0, "distill.iterations": 8})
    sharp, history = _distill(weighed.distill, data, teachers["plain"], tmp_path / "sharp")
    rows = pd.read_csv(history)
    assert list(rows)[3:] == [*FIRST_COLUMNS, "sharpness"] and "sharpness" in term_titles()
    assert (rows["sharpness"] < 0).all()
    weighted = rows["cross_entropy"] + weighed.distill.bn_weight * rows["bn"] + 20 * rows["sharpness"]
    assert rows["total"].tolist() == pytest.approx(weighted.tolist(), rel=1e-4)
    steps = [image.float().diff(dim=-1).abs().mean() for image in (without, sharp)]
    assert steps[1] > steps[0]


def test_a_term_that_needs_a_head_or_does_not_apply(tmp_path, data, recipe, teachers):
    register_term(Term("never", "never", "never_weight", True, lambda inputs: None))
    changes = {"distill.never_weight": 0.5}
    with pytest.raises(SettingError, match=r"distill\.never_weight = 0\.5.*attention head.*has none"):
        _distill(recipe("sre2lpp", **changes).distill, data, teachers["plain"], tmp_path / "plain")
    images, history = _distill(recipe(**changes).distill, data, teachers["cal"], tmp_path / "with")
    expected, _ = _distill(recipe().distill, data, teachers["cal"], tmp_path / "without")
    assert torch.equal(images, expected)
    assert (pd.read_csv(history)["never"] == 0).all()


def test_where_no_term_applies_the_image_stays(tmp_path, data, recipe, teachers):
    names = ("cross_entropy_weight", "bn_weight", "characteristic_weight", "attention_ratio")
    changes = {f"distill.{name}": 0.0 for name in names}
    settings = recipe(ipc=2, **changes).distill
    result = run_distill(settings, DistillInputs(data, [teachers["cal"]]), tmp_path / "run", progress=False)
    moved = result.change_by_index
    assert moved[0] < 1e-6 < moved[1]  # the first of a group has nothing to differ from


def test_a_distillation_begun_before_a_term_was_added_finishes_with_both(tmp_path, data, recipe, teachers, plugin):
    settings = recipe("sre2lpp", ipc=2).distill
    run = tmp_path / "run"
    _distill(settings, data, teachers["plain"], run)
    _keep_chunks(run, "000-000")
    declare_setting("distill", "sharpness_weight", 0.5, low=0.0, source="a test: what runs so far are said to have had")
    plugin()
    _, history = _distill(recipe("sre2lpp", ipc=2).distill, data, teachers["plain"], run)
    rows = pd.read_csv(history)
    assert list(rows)[3:] == [*FIRST_COLUMNS, "sharpness"]
    assert rows.loc[rows["index"] == 0, "sharpness"].isna().all()
    assert (rows.loc[rows["index"] == 1, "sharpness"] < 0).all()
    assert rows["total"].notna().all()


def test_chunks_that_do_not_name_their_columns_have_the_first_five(tmp_path, data, recipe, teachers):
    settings = recipe("sre2lpp_fd2", ipc=2).distill
    run = tmp_path / "run"
    images, history = _distill(settings, data, teachers["cal"], run)
    expected = history.read_bytes()
    _keep_chunks(run, "000-000")
    (chunk,) = (run / "chunks").iterdir()
    save_file(load_file(chunk), run / "chunks" / "000-000.safetensors")  # drops the names
    chunk.unlink()
    again, history = _distill(settings, data, teachers["cal"], run)
    assert torch.equal(images, again) and history.read_bytes() == expected
