"""Labels on disk: what each format keeps of a logit, how much it takes, and what students are taught from it."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fd2lib.ground import ArtefactError, RelabelSettings, SettingError, TrainingError, build_settings, identity
from fd2lib.losses import soft_label_loss
from fd2lib.measure import load_labels
from fd2lib.stages import DistillInputs, EvaluateInputs, RelabelInputs, run_distill, run_evaluate, run_relabel
from fd2lib.stages.distilled import load_distilled
from fd2lib.stages.label_store import LabelWriter, StoredLabels, as_stored, decode, encode
from fd2lib.stages.labels import epoch_logits, load_teachers, soft_labels, view_labels
from fd2lib.views import plan_epoch

FORMATS = {
    "half": {},
    "8 bits": {"relabel.bits": 8},
    "kept": {"relabel.epochs": 5, "relabel.kept_epochs": 2},
    "8 bits, kept": {"relabel.epochs": 5, "relabel.kept_epochs": 2, "relabel.bits": 8},
    "fixed": {"relabel.regime": "fixed"},
    "fixed, 8 bits": {"relabel.regime": "fixed", "relabel.bits": 8},
}
each_format = pytest.mark.parametrize("changes", FORMATS.values(), ids=FORMATS)
ROWS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(1, 40)), elements=st.floats(-30000, 30000, width=32)
)


@pytest.fixture(scope="module")
def images(tmp_path_factory, data, recipe, teachers):
    inputs, out = DistillInputs(data, [teachers["cal"]]), tmp_path_factory.mktemp("images")
    return run_distill(recipe(ipc=3).distill, inputs, out / "run", progress=False).folder


def _labels(recipe, images, teachers, out, **changes):
    inputs = RelabelInputs(images, [teachers["cal"]])
    return run_relabel(recipe(ipc=3, **changes).relabel, inputs, out, progress=False)


@given(ROWS)
def test_eight_bits_are_off_by_half_a_step_of_the_rows_range(rows):
    logits = torch.from_numpy(rows)
    parts = encode(logits, 8)
    step = parts["teacher_scales.npy"][:, 1:].double()
    error = (decode(parts).double() - logits.double()).abs()
    rounding = 1e-6 * (logits.double().abs().amax(1, keepdim=True) + 255 * step)  # of sums in single precision
    assert (error <= step / 2 + rounding).all()
    low, high = logits.double().aminmax(dim=1, keepdim=True)
    # The step is 1/255 of the range, but for what half precision cannot say of the row's beginning, and of the step.
    assert (step <= (high - low + low.abs() / 500) / 255 * 1.003 + 2**-22).all()


@given(ROWS)
def test_a_row_is_stored_alike_whatever_stands_beside_it(rows):
    logits = torch.from_numpy(rows)
    for bits in (16, 8):
        assert torch.equal(as_stored(logits, bits)[-1:], as_stored(logits[-1:], bits))
    assert torch.equal(as_stored(logits, 16), logits.half().float())


@each_format
def test_files_take_the_bytes_of_their_format(tmp_path, recipe, images, teachers, changes):
    settings = recipe(ipc=3, **changes).relabel
    made = _labels(recipe, images, teachers, tmp_path / "run", **changes)
    rows = 12 * settings.label_epochs
    assert settings.label_epochs == (1 if settings.regime == "fixed" else settings.kept_epochs or settings.epochs)
    expected = rows * (4 * 2 if settings.bits == 16 else 4 + 4)
    headers = 128 * (1 if settings.bits == 16 else 2)
    assert made.label_bytes == expected + headers
    names = {path.name for path in made.folder.glob("*.npy")}
    assert names == ({"teacher_logits.npy"} if settings.bits == 16 else {"teacher_codes.npy", "teacher_scales.npy"})
    told = load_labels(made.folder)
    assert told.shape == (settings.label_epochs, 12, 4) and np.isfinite(told).all()
    for epoch in range(settings.epochs):
        assert np.array_equal(StoredLabels.read(made.folder).epoch(epoch), told[epoch % len(told)].astype(np.float32))


@each_format
def test_stored_are_the_teachers_answers_within_the_format(tmp_path, recipe, images, teachers, changes):
    settings = recipe(ipc=3, **changes).relabel
    told = load_labels(_labels(recipe, images, teachers, tmp_path / "run", **changes).folder)
    pixels = load_distilled(images).images.float() / 255
    for epoch, stored in enumerate(told):
        asked = epoch_logits(settings, load_teachers([teachers["cal"]], torch.device("cpu")), pixels, epoch)
        assert np.array_equal(as_stored(asked, settings.bits), stored.astype(np.float32))
        assert not np.array_equal(asked, stored)


@each_format
def test_storing_nothing_gives_the_same_student(tmp_path, data, recipe, images, teachers, changes):
    students = []
    for store in (True, False):
        made = _labels(recipe, images, teachers, tmp_path / f"{store}", **changes, **{"relabel.store": store})
        assert (made.label_bytes > 0) == store
        inputs = EvaluateInputs(data, made.folder)
        result = run_evaluate(recipe().evaluate, inputs, tmp_path / f"student{store}", progress=False)
        students.append(np.load(result.folder / "predictions.npz")["logits"])
    assert np.array_equal(*students)


def test_formats_teach_different_students(tmp_path, data, recipe, images, teachers):
    students = []
    for name, changes in FORMATS.items():
        made = _labels(recipe, images, teachers, tmp_path / name, **{"relabel.epochs": 5, **changes})
        result = run_evaluate(
            recipe().evaluate, EvaluateInputs(data, made.folder), tmp_path / f"of {name}", progress=False
        )
        students.append(np.load(result.folder / "predictions.npz")["logits"])
    for place, first in enumerate(students):
        assert all(not np.array_equal(first, other) for other in students[place + 1 :])


def test_kept_epochs_are_replayed_in_turn(recipe):
    settings = recipe(ipc=3, **FORMATS["kept"]).relabel
    every = dataclasses.replace(settings, kept_epochs=0)
    for epoch in range(5):
        plans, first = plan_epoch(settings, 12, 32, epoch), plan_epoch(every, 12, 32, epoch % 2)
        for one, other in zip(plans, first, strict=True):
            assert torch.equal(one.indices, other.indices) and torch.equal(one.boxes, other.boxes)
            assert one.cutmix_box == other.cutmix_box and torch.equal(one.permutation, other.permutation)


def test_fixed_labels_are_of_whole_images_in_evaluation_mode(tmp_path, recipe, images, teachers):
    pixels = load_distilled(images).images.float() / 255
    (teacher,) = load_teachers([teachers["cal"]], torch.device("cpu"))
    for mode in ("batch", "evaluation"):
        changes = {"relabel.label_mode": mode, "relabel.regime": "fixed", "relabel.batch_size": 5}
        told = load_labels(_labels(recipe, images, teachers, tmp_path / mode, **changes).folder)
        for index in range(12):  # alone, so that no batch has a say
            alone = soft_labels(teacher, pixels[index : index + 1], mode="evaluation")
            np.testing.assert_allclose(told[0, index], alone[0], rtol=2e-3, atol=2e-3)


@given(st.integers(0, 2**30), st.sampled_from([0.5, 1.0, 20.0]), st.booleans())
def test_cutmix_mixes_the_probabilities_of_fixed_labels(seed, temperature, cutmix):
    values = {"ipc": 1, "seed": seed, "epochs": 3, "batch_size": 5, "cutmix": cutmix, "regime": "fixed"}
    settings = RelabelSettings(**values)
    generator = torch.Generator().manual_seed(seed)
    rows = 10 * torch.randn(12, 7, generator=generator)
    plans = plan_epoch(settings, 12, 32, 1)
    got = view_labels(settings, rows, plans, temperature)
    shares, answers, place = (rows.double() / temperature).softmax(1), torch.randn(12, 7, generator=generator), 0
    for plan in plans:
        own, other = shares[plan.indices], shares[plan.indices[plan.permutation]]
        label, part = got[place : place + len(plan)], answers[place : place + len(plan)].requires_grad_()
        torch.testing.assert_close(
            (label.double() / temperature).softmax(1), plan.lam * own + (1 - plan.lam) * other, rtol=1e-4, atol=1e-7
        )
        # The student's gradient is that of both labels' losses, in the mixture of the images.
        (mixed,) = torch.autograd.grad(soft_label_loss(part, label, temperature), part)
        both = [
            torch.autograd.grad(soft_label_loss(part, rows[index], temperature), part)[0]
            for index in (plan.indices, plan.indices[plan.permutation])
        ]
        torch.testing.assert_close(mixed, plan.lam * both[0] + (1 - plan.lam) * both[1], rtol=1e-3, atol=1e-6)
        place += len(plan)


def test_labels_per_view_are_their_rows(recipe):
    rows, settings = torch.randn(12, 4), recipe(ipc=3).relabel
    assert view_labels(settings, rows, plan_epoch(settings, 12, 32, 0), 20.0) is rows


@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -7e4])
def test_what_half_precision_cannot_say_is_refused_and_not_written(tmp_path, recipe, bits, wrong):
    settings = recipe(**{"relabel.bits": bits}).relabel
    writer, logits = LabelWriter(tmp_path, settings, 3, 4), torch.zeros(3, 4)
    logits[1, 2] = wrong
    with pytest.raises(TrainingError, match="epoch 1 is not finite"):
        writer.write(1, logits)
    assert all(not np.load(path)[1].any() for path in tmp_path.glob("*.npy"))


def test_a_run_without_labels_says_so(tmp_path, recipe, images, teachers):
    made = _labels(recipe, images, teachers, tmp_path / "run", **{"relabel.store": False})
    with pytest.raises(ArtefactError, match=r"relabel\.store=true"):
        StoredLabels.read(made.folder)


@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("damage", ["short", "flipped", "header", "other shape"])
def test_an_interrupted_run_goes_on_before_the_first_damaged_epoch(tmp_path, recipe, bits, damage, caplog):
    settings = recipe(**{"relabel.bits": bits, "relabel.epochs": 4}).relabel
    rows = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    writer = LabelWriter(tmp_path, settings, 3, 5)
    for epoch in range(3):
        writer.write(epoch, rows[epoch])
    state = {"epochs": 3, "digests": writer.digests}
    assert LabelWriter(tmp_path, settings, 3, 5).resume(state) == 3
    assert LabelWriter(tmp_path, settings, 3, 5).resume({"epochs": 2}) == 2  # of an earlier version
    assert LabelWriter(tmp_path, settings, 3, 5).resume({}) == 0
    path = next(tmp_path.glob("*.npy"))
    content = bytearray(path.read_bytes())
    if damage == "other shape":
        assert LabelWriter(tmp_path, settings, 2, 5).resume(state) == 0
        return
    if damage == "flipped":
        epoch = (len(content) - 128) // 4
        content[128 + epoch + 2] ^= 1
    path.write_bytes(content[: len(content) // 2] if damage == "short" else content)
    if damage == "header":
        path.write_bytes(bytes(content).replace(b"False", b"True ", 1))
    assert LabelWriter(tmp_path, settings, 3, 5).resume(state) == (1 if damage == "flipped" else 0)
    assert "damaged" in caplog.text


def test_keeping_all_epochs_is_the_default_and_formats_have_identities_of_their_own(recipe):
    usual = recipe().relabel
    for kept in (0, 2, 3):  # of two
        assert identity(dataclasses.replace(usual, kept_epochs=kept)) == identity(usual)
    changed = [identity(recipe(**{"relabel.epochs": 5, **changes}).relabel) for changes in FORMATS.values()]
    assert all(changed.count(one) == 1 for one in changed)
    assert not {"bits", "kept_epochs", "regime"} & identity(usual).keys()
    assert build_settings("relabel", identity(usual), as_before=True) == usual


@pytest.mark.parametrize(("name", "value"), [("bits", 4), ("regime", "hard"), ("kept_epochs", -1)])
def test_formats_that_there_are_not(name, value):
    with pytest.raises(SettingError, match=name):
        RelabelSettings(ipc=1, seed=0, **{name: value})
