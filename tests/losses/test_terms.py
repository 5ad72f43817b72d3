"""Terms are declared once: everything that depends on one reads the declaration."""

import dataclasses

import pytest
import torch

from fd2lib.ground import DistillSettings, SettingError, identity, load_recipe
from fd2lib.ground.by_stage import STAGES
from fd2lib.losses import (
    PRETRAIN_TITLES,
    PretrainTerms,
    Term,
    TermInputs,
    list_terms,
    mixed_cross_entropy,
    register_term,
    term_titles,
    terms,
)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(terms, "_TERMS", dict(terms._TERMS))
    monkeypatch.setitem(STAGES, "distill", STAGES["distill"])


def _one(inputs):
    return torch.ones(())


def _two(inputs):
    return 2 * torch.ones(())


def _term(name="brightness", function=_one, **changes):
    return dataclasses.replace(Term(name, f"{name}, weighed", f"{name}_weight", False, function), **changes)


def _recipe(**overrides):
    return load_recipe("toy", dataset="plumage", method="sre2lpp", overrides=overrides)


def test_each_built_in_term_has_a_weight_and_a_title_of_its_own():
    found = list_terms()
    assert list(found) == ["cross_entropy", "bn", "characteristic", "similarity"]
    assert {term.weight for term in found.values()} <= {field.name for field in dataclasses.fields(DistillSettings)}
    titles = term_titles()
    assert list(titles) == ["total", *found, *PRETRAIN_TITLES]
    assert len(set(titles.values())) == len(titles)
    assert list(PRETRAIN_TITLES) == list(PretrainTerms._fields[1:])


def test_a_strangers_term_brings_its_weight_as_a_setting_and_leaves_earlier_runs_their_identity():
    before = _recipe().distill
    with pytest.raises(SettingError, match="brightness_weight"):
        _recipe(**{"distill.brightness_weight": 0.5})
    register_term(_term())
    after, weighed = _recipe().distill, _recipe(**{"distill.brightness_weight": 0.5}).distill
    assert identity(after) == identity(before)
    assert identity(weighed) == identity(before) | {"brightness_weight": 0.5}
    assert [list_terms()["brightness"].weight_in(settings) for settings in (before, after, weighed)] == [0, 0, 0.5]
    assert term_titles()["brightness"] == "brightness, weighed"
    with pytest.raises(SettingError, match="brightness_weight"):
        _recipe(**{"distill.brightness_weight": -1.0})


def test_a_name_is_registered_once():
    register_term(_term())
    register_term(_term())  # the very same
    for other in (_term(function=_two), _term(needs_head=True), _term("bn"), _term("total"), _term("two words")):
        with pytest.raises(SettingError, match="cannot be used"):
            register_term(other)
    assert list_terms()["brightness"] == _term()


def test_a_head_that_is_not_there_is_named():
    settings = _recipe().distill
    inputs = TermInputs(torch.zeros(1), torch.zeros(1), torch.zeros(1), None, None, [], 0.0, settings)
    with pytest.raises(SettingError, match="needs_head=True"):
        _ = inputs.head


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_cross_entropy_is_shared_between_backbone_and_head(ratio):
    generator = torch.Generator().manual_seed(0)
    backbone, head = torch.randn(2, 5, 4, generator=generator)
    labels = torch.tensor([0, 1, 2, 3, 0])
    own, others = (torch.nn.functional.cross_entropy(logits, labels) for logits in (backbone, head))
    mixed = mixed_cross_entropy(backbone, labels, head, ratio)
    torch.testing.assert_close(mixed, (1 - ratio) * own + ratio * others)
    kept = mixed_cross_entropy(backbone, labels, head, ratio, keep_base=True)
    torch.testing.assert_close(kept, mixed + own)
