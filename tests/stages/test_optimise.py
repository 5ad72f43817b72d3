"""Phases, residual mixing and teachers in turn: what makes FADRM+ of the same loop."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tqdm.auto import tqdm

from fd2lib.ground import SettingError
from fd2lib.models import Teacher
from fd2lib.stages import DistillInputs, load_distilled, run_distill
from fd2lib.stages.objective import Objective, history_columns
from fd2lib.stages.optimise import optimise, plan_phases

PHASES = "3@24 3@32 3@24 4@32"


@given(iterations=st.integers(1, 300), shares=st.lists(st.integers(1, 2000), min_size=1, max_size=6))
@settings(deadline=None, max_examples=60)
def test_phases_follow_each_other_and_keep_their_proportions(recipe, iterations, shares):
    text = " ".join(f"{share}@{32 + index}" for index, share in enumerate(shares))
    plan = plan_phases(recipe(**{"distill.phases": text, "distill.iterations": iterations}).distill, 32)
    assert [phase.size for phase in plan] == [32 + index for index in range(len(shares))]
    assert (plan[0].first, plan[-1].last) == (0, iterations)
    assert all(before.last == after.first for before, after in itertools.pairwise(plan))
    assert all(
        abs(phase.last - phase.first - iterations * share / sum(shares)) <= 1
        for phase, share in zip(plan, shares, strict=True)
    )


def test_the_papers_phases_are_the_papers_iterations(recipe):
    text = "1500@200 1500@224 1500@200 2000@224"
    plan = plan_phases(recipe(**{"distill.phases": text, "distill.iterations": 6500}).distill, 224)
    assert [(phase.last - phase.first, phase.size) for phase in plan] == [
        (1500, 200), (1500, 224), (1500, 200), (2000, 224),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["3x24", "3@", "0@24", "3@24,3@32", "a@b"])
def test_phases_of_another_form_are_refused(recipe, text):
    with pytest.raises(SettingError, match="share@pixels"):
        plan_phases(recipe(**{"distill.phases": text}).distill, 32)


def _optimise(recipe, data, teachers, spy=None, **changes):
    """One chunk of four classes; returns start, result and terms."""
    options = recipe(**{f"distill.{name}": value for name, value in changes.items()}).distill
    start = data.train.take(torch.tensor([(data.train.labels == label).nonzero()[0, 0] for label in range(4)]))
    objectives = [(spy or Objective)(teacher, options, torch.arange(4)) for teacher in teachers]
    images, terms = optimise(start, [], objectives, options, (0, 0), tqdm(disable=True))
    return start, images, terms


@pytest.fixture
def two(teachers):
    return [Teacher.load(teachers["cal"], "cpu"), Teacher.load(teachers["cal"], "cpu")]


def test_without_a_step_one_phase_gives_the_start_back(recipe, data, two):
    start, images, terms = _optimise(recipe, data, two[:1], learning_rate=0.0)
    assert (images.int() - start.int()).abs().max() <= 1  # through normalisation and back
    assert terms.shape == (3, len(history_columns(recipe().distill)))


def test_residual_mixing_pulls_back_to_the_start(recipe, data, two):
    changes = {"phases": "1@32 1@32", "iterations": 8, "learning_rate": 0.05}
    moved = [
        (images.float() - start.float()).abs().mean()
        for residual in (0.0, 0.5, 1.0)
        for start, images, _ in [_optimise(recipe, data, two[:1], residual=residual, **changes)]
    ]
    assert moved[0] > moved[1] > moved[2] > 0


def test_teachers_take_turns_and_see_the_phases_sizes(recipe, data, two):
    seen = []

    class Spy(Objective):
        def __call__(self, views):
            seen.append((two.index(self.teacher), views.shape[-1]))
            return super().__call__(views)

    _optimise(recipe, data, two, Spy, phases="2@24 2@32", iterations=4, residual=0.5)
    assert seen == [(0, 24), (1, 24), (0, 32), (1, 32)]


def test_each_teacher_sees_the_same_pixels_in_its_own_units(recipe, data, two):
    pixels = []
    two[1].mean.copy_(two[0].mean + 0.1)
    two[1].std.copy_(two[0].std * 2)

    class Spy(Objective):
        def __call__(self, views):
            pixels.append(self.teacher.denormalize(views.detach()))
            return super().__call__(views)

    _optimise(recipe, data, two, Spy, iterations=2, learning_rate=0.0, min_crop_scale=1.0, shift=0)
    flipped = pixels[1].flip(3)
    assert min((pixels[0] - other).abs().max() for other in (pixels[1], flipped)) < 1e-5


def test_each_phase_has_an_adam_of_its_own_under_one_cosine(recipe, data, two, monkeypatch):
    made = []
    adam = torch.optim.Adam

    def record(params, rate, **given):
        made.append(adam(params, rate, **given))
        step, optimizer = made[-1].step, made[-1]
        optimizer.rates = []
        optimizer.step = lambda: (optimizer.rates.append(optimizer.param_groups[0]["lr"]), step())[1]
        return optimizer

    monkeypatch.setattr("torch.optim.Adam", record)
    _optimise(recipe, data, two[:1], phases="1@32 1@32", iterations=6, learning_rate=0.04)
    rates = [rate for optimizer in made for rate in optimizer.rates]
    assert [len(optimizer.rates) for optimizer in made] == [3, 3]
    torch.testing.assert_close(
        torch.tensor(rates), 0.02 * (1 + torch.cos(torch.pi * torch.arange(6) / 6)), rtol=1e-5, atol=1e-8
    )


def test_own_ratio_is_the_teachers(recipe, two):
    two[1].attention_ratio = 0.3
    options = recipe(**{"distill.own_ratio": True, "distill.attention_ratio": 0.7}).distill
    assert [Objective(teacher, options, torch.arange(4)).ratio for teacher in two] == [0.5, 0.3]


def test_several_teachers_in_phases_end_in_images_and_resume_from_chunks(tmp_path, data, recipe, teachers):
    options = recipe("fadrm_fd2", ipc=2, **{"distill.iterations": 7, "distill.phases": PHASES}).distill
    inputs = DistillInputs(data, [teachers["cal"], teachers["cal"]])
    whole = run_distill(options, inputs, tmp_path / "whole", progress=False)
    broken = tmp_path / "broken"
    run_distill(options, inputs, broken, progress=False)
    (broken / "manifest.json").rename(broken / "started.json")
    (broken / "images.safetensors").unlink()
    next((broken / "chunks").glob("001-000.*")).unlink()
    again = run_distill(options, inputs, broken, progress=False)
    images = load_distilled(whole.folder).images
    assert images.shape == (8, 3, 32, 32) and images.dtype == torch.uint8
    assert torch.equal(images, load_distilled(again.folder).images)
