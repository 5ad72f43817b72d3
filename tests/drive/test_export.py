"""An exported set: what its card says is there, its views are those of the run, and others can train on it."""

import ast
import dataclasses
import html
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import mlcroissant
import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from torchvision import models
from torchvision.datasets import ImageFolder

from fd2lib.drive import Experiment, origin
from fd2lib.drive.card import SPDX, inline
from fd2lib.drive.cli import main
from fd2lib.drive.export import export_run
from fd2lib.ground import ArtefactError, RelabelSettings, SettingError
from fd2lib.losses import soft_label_loss
from fd2lib.record import file_digest, read_manifest
from fd2lib.record.manifest import write_record
from fd2lib.stages import DistilledImages, load_distilled
from fd2lib.stages.label_store import StoredLabels
from fd2lib.stages.labels import view_labels
from fd2lib.views import apply_plan, halves, plan_epoch

EPOCHS, BATCH = 16, 5  # 12 images in batches of 5, 5 and 2: odd halves, and a batch too small to halve
TINY = (
    "pretrain.epochs=3 pretrain.num_maps=2 distill.iterations=2 "
    f"relabel.epochs={EPOCHS} relabel.batch_size={BATCH} evaluate.test_every=1"
)
FORMATS = (
    "relabel.bits=8",
    "relabel.kept_epochs=3",
    "relabel.bits=8 relabel.kept_epochs=5",
    "relabel.regime=fixed",
    "relabel.regime=fixed relabel.bits=8 relabel.kept_epochs=3",
)
CUB200 = "https://www.vision.caltech.edu/datasets/cub_200_2011/"
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "fd2lib" / "drive" / "templates" / "train.py"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Four drawn birds at 32 px, three images each; ``experiment("relabel.store=false")`` changes settings."""
    runs = tmp_path_factory.mktemp("runs")

    def make(changes=""):
        return Experiment(
            scale="toy",
            classes="4",
            image_size=32,
            ipc=3,
            overrides=f"{TINY} {changes}",
            device="cpu",
            runs_dir=str(runs),
            progress=False,
        )

    return make


@pytest.fixture(scope="module")
def run(experiment):
    return experiment().relabel().folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export_run(run, tmp_path_factory.mktemp("export") / "birds").folder


@pytest.fixture
def movable(run, tmp_path):
    """A copy of the runs folder, to be moved and broken, and the relabel run in it."""
    shutil.copytree(run.parents[1], tmp_path / "moved")
    return tmp_path / "moved", tmp_path / "moved" / "relabel" / run.name


def rows_of(card, columns):
    """The cells of every table row with so many columns, without marks."""
    rows = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in card.splitlines() if "|" in line]
    return [row for row in rows if len(row) == columns and set(row[0]) != {"-"}]


# What is there


def test_images_labels_and_logits_are_those_of_the_run(run, exported):
    distilled = load_distilled(run / read_manifest(run, "relabel")["result"]["distilled"], 3)
    read = ImageFolder(exported / "images")
    told = load_file(exported / "labels.safetensors")
    assert read.targets == told["labels"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    for row, (path, label) in enumerate(read.samples):
        index = row % 3
        assert Path(path).name == f"{index:02d}.png" and Path(path).parent.name.startswith(f"{label:03d}_")
        pixels = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)
        assert torch.equal(pixels, distilled.images[index * 4 + label])
    assert np.array_equal(told["teacher_logits"].numpy(), np.load(run / "teacher_logits.npy"))
    with safe_open(exported / "labels.safetensors", "pt") as stored:
        assert tuple(json.loads(stored.metadata()["classes"])) == distilled.classes


def test_files_have_the_bytes_and_digests_that_are_stated(exported):
    card = (exported / "README.md").read_text(encoding="utf-8")
    stated = {name: (count, digest) for name, count, digest in rows_of(card, 3) if (exported / name).is_file()}
    assert set(stated) == {"croissant.json", "labels.safetensors", "train.py"}
    for name, (count, digest) in stated.items():
        assert (exported / name).stat().st_size == int(count.replace(",", ""))
        assert file_digest(exported / name) == digest
    digests = dict(reversed(line.split("  ")) for line in (exported / "SHA256SUMS").read_text().splitlines())
    files = {path.relative_to(exported).as_posix(): path for path in exported.rglob("*") if path.is_file()}
    assert set(digests) == set(files) - {"SHA256SUMS"} and len(digests) == 16
    assert all(file_digest(files[name]) == digest for name, digest in digests.items())
    assert all(path.stat().st_mode & 0o044 for path in [exported, *exported.rglob("*")])  # for others to read


def test_card_counts_images_classes_bytes_and_tensors(exported):
    card = (exported / "README.md").read_text(encoding="utf-8")
    facts = dict(rows_of(card, 2))
    pngs = sum(path.stat().st_size for path in exported.glob("images/*/*.png"))
    assert facts["images"] == f"12 of 32 × 32 px, {pngs:,} bytes of lossless PNG"
    assert facts["classes"] == "4" and facts["images per class (IPC)"] == "3"
    told = load_file(exported / "labels.safetensors")
    assert f"{told['teacher_logits'].nbytes:,} bytes, for {EPOCHS} epochs" in facts["soft labels"]
    tensors = {name: rest for name, *rest in rows_of(card, 5)}
    assert tensors.keys() - {"tensor"} == told.keys()
    for name, tensor in told.items():
        kind, shape, count, _ = tensors[name]
        assert (kind, shape) == (str(tensor.dtype)[6:], str(list(tensor.shape)))
        assert int(count.replace(",", "")) == tensor.nbytes


def test_card_has_licence_settings_and_fingerprints_but_no_path(run, exported):
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert "MIT, as fd2lib" in card and "every teacher started from random weights" in card
    assert "the backbone's own classifier, not the attention head" in card
    manifests = {"relabel": read_manifest(run, "relabel")}
    manifests["distill"] = read_manifest(run / manifests["relabel"]["result"]["distilled"], "distill")
    manifests["pretrain"] = read_manifest(run / manifests["relabel"]["result"]["teachers"][0], "pretrain")
    settings = {}
    for block in re.findall(r"```toml\n(.*?)```", card, re.S):
        settings |= tomllib.loads(block)
    assert settings == {stage: manifest["settings"] for stage, manifest in manifests.items()}
    for manifest in manifests.values():
        assert manifest["fingerprint"] in card and manifest["provenance"]["date"] in card
        assert all(digest in card for digest in manifest["inputs"].values())
    assert str(run.parents[1]) not in card


def test_exporting_again_gives_the_same_bytes(run, exported, tmp_path):
    again = export_run(run, tmp_path / "new" / "again")
    assert again.folder == tmp_path / "new" / "again" and again.num_images == 12 and again.soft_labels
    assert again.image_bytes == sum(path.stat().st_size for path in exported.glob("images/*/*.png"))
    assert again.label_bytes == (exported / "labels.safetensors").stat().st_size
    for name in ("README.md", "SHA256SUMS", "croissant.json", "labels.safetensors"):
        assert (again.folder / name).read_bytes() == (exported / name).read_bytes()


def test_card_of_photographs_states_their_licence_and_imagenet(run, tmp_path, monkeypatch):
    traced = origin.trace(run)
    teacher = traced.teachers[0]
    manifest = {**teacher.manifest, "settings": {**teacher.manifest["settings"], "init": "imagenet"}}
    teachers = (dataclasses.replace(teacher, manifest=manifest),)
    changed = dataclasses.replace(traced, info=origin.dataset_info("cub200"), teachers=teachers)
    monkeypatch.setattr("fd2lib.drive.export.trace", lambda *_: changed)
    card = (export_run(run, tmp_path / "out").folder / "README.md").read_text(encoding="utf-8")
    assert "non-commercial research and education; the photographers keep their rights" in card
    assert "4 of 200" in card and "started from weights pretrained on ImageNet" in card


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plumage", {"license": "mit"}),
        ("folder", {"license": "unknown"}),
        ("cub200", {"license": "other", "license_name": "cub200-terms", "license_link": CUB200}),
        ("flowers102", {"license": "other", "license_name": "flowers102-terms"}),
    ],
)
def test_hubs_read_licence_task_and_sizes(run, name, expected, tmp_path, monkeypatch):
    changed = dataclasses.replace(origin.trace(run), info=origin.dataset_info(name))
    monkeypatch.setattr("fd2lib.drive.export.trace", lambda *_: changed)
    out = export_run(run, tmp_path / "out").folder
    _, head, body = (out / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    told = yaml.safe_load(head)
    assert expected.items() <= told.items()
    assert told["task_categories"] == ["image-classification"] and told["size_categories"] == ["n<1K"]
    assert told["annotations_creators"] == ["found", "machine-generated"]
    assert told["source_datasets"] == [f"extended|other-{name}"] and "dataset-distillation" in told["tags"]
    assert told["pretty_name"] == f"{changed.info.title}, distilled: 3 images per class"
    assert body.strip().startswith(f"# {told['pretty_name']}")
    licence = json.loads((out / "croissant.json").read_text(encoding="utf-8"))["license"]
    assert licence == ("https://spdx.org/licenses/MIT.html" if name == "plumage" else changed.info.licence)


@pytest.mark.parametrize(
    ("licence", "identifier"),
    [
        ("MIT", "MIT"),
        ("CC BY-NC-SA 4.0; ask for more", "CC-BY-NC-SA-4.0"),
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("CC0 1.0", "CC0-1.0"),
        ("Apache-2.0, as the lists", "Apache-2.0"),
        ("MIT's terms for research", None),
        ("CC BY", None),
        ("none stated; MIT", None),
    ],
)
def test_only_a_licence_that_is_one_has_an_identifier(licence, identifier):
    match = SPDX.match(licence)
    assert (match and match[1].replace(" ", "-")) == identifier


# Croissant


def test_croissant_is_valid_and_reads_the_folder(run, exported):
    described = mlcroissant.Dataset(jsonld=exported / "croissant.json")
    assert not described.metadata.ctx.issues.errors and not described.metadata.ctx.issues.warnings
    classes = read_manifest(run / read_manifest(run, "relabel")["result"]["distilled"], "distill")["result"]["classes"]
    named = [(row["classes/label"], row["classes/name"]) for row in described.records("classes")]
    assert named == list(enumerate(classes))
    records = list(described.records("records"))
    read = ImageFolder(exported / "images")
    assert len(records) == len(read) == 12
    for record, (path, label), (image, _) in zip(records, read.samples, read, strict=True):
        assert record["records/label"] == label and np.array_equal(record["records/image"], image)
        assert exported / record["records/file"].decode() == Path(path)


def test_croissant_has_digests_and_no_path_of_the_machine(exported):
    told = json.loads((exported / "croissant.json").read_text(encoding="utf-8"))
    digests = {entry["@id"]: entry["sha256"] for entry in told["distribution"] if "sha256" in entry}
    assert digests == {name: file_digest(exported / name) for name in ("labels.safetensors", "train.py")}
    assert told["url"] == "./" and told["citeAs"] == "fd2lib" and str(exported.parent) not in json.dumps(told)


# Names that mean something in Markdown, YAML or JSON

HOSTILE = (
    "a | b",
    "-",
    "--- | ---",
    "c\\d\\",
    "\\|",
    "line\nbreak\r\n| x | y |",
    "`code` *bold* _it_ ~~no~~ **",
    "[link](http://x) <b>bold</b> <!-- no -->",
    "&amp; &#65; 5 & 6",
    "quote \" ' {{ brace }} {% raw %}",
    "# heading",
    "$x$ 鸟 🐦 \x85\x1b",
    "001.Black_footed_Albatross",
)


def seen(markdown):
    """The cells of every table row with so many columns, as a reader of the page sees them."""
    page = MarkdownIt("commonmark").enable("table").render(markdown)
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.S)
    return [[html.unescape(cell) for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", row, re.S)] for row in rows]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_as_it_is(name):
    shown = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", name).strip()
    page = f"| class | end |\n| --- | --- |\n| {inline(name)} | 1 |\n"
    assert seen(page) == [["class", "end"], [shown, "1"]]
    assert (
        html.unescape(MarkdownIt("commonmark").render(f"**{inline(name)}** x"))
        == f"<p><strong>{shown}</strong> x</p>\n"
    )
    assert MarkdownIt("commonmark").render(inline(name)).startswith("<p>")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_any_name_is_shown_as_it_is(name):
    rows = seen(f"| class | end |\n| --- | --- |\n| {inline(name)} | 1 |\n")
    shown = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", name).strip()
    assert rows == [["class", "end"], [shown, "1"]]


def test_classes_with_hostile_names_are_exported_whole(experiment, tmp_path, monkeypatch):
    count = len(HOSTILE)
    images = torch.randint(256, (count, 3, 8, 8), dtype=torch.uint8)
    hostile = DistilledImages(images, images, torch.arange(count), HOSTILE)
    monkeypatch.setattr(origin, "load_distilled", lambda *_: hostile)
    info = dataclasses.replace(
        origin.dataset_info("cub200"), title="A | *B*: C\n---", licence="MIT Press | terms", source="me | <i>you</i>"
    )
    monkeypatch.setattr(origin, "dataset_info", lambda _: info)
    out = export_run(experiment().distill().folder, tmp_path / "out").folder
    assert [Path(name).name for name in ImageFolder(out / "images").classes] == sorted(os.listdir(out / "images"))
    _, head, body = (out / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    told = yaml.safe_load(head)
    assert told["pretty_name"].startswith("A | *B*: C\n---, distilled") and told["license"] == "other"
    rows = seen(body)
    listed = [row[1] for row in rows if len(row) == 4][1:]
    assert listed == [re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", name).strip() for name in HOSTILE]
    facts = dict(row for row in rows if len(row) == 2)
    assert facts["licence of the source set"] == "MIT Press | terms" and facts["source"] == "me | <i>you</i>"
    described = mlcroissant.Dataset(jsonld=out / "croissant.json")
    assert [row["classes/name"] for row in described.records("classes")] == list(HOSTILE)
    assert [row["records/label"] for row in described.records("records")] == list(range(count))


# Views


class Recorder(torch.nn.Module):
    """Keeps what it is shown; its answers do not change with training."""

    def __init__(self, num_classes):
        super().__init__()
        self.idle = torch.nn.Parameter(torch.zeros(1))
        self.weight = torch.linspace(-9, 9, 3 * num_classes).view(3, num_classes)
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach())
        return x.mean((2, 3)) @ self.weight + 0 * self.idle


@pytest.mark.parametrize("changes", ["", "relabel.cutmix=false", *FORMATS])
def test_replayed_views_and_losses_are_those_of_the_run(experiment, changes, tmp_path, monkeypatch, capsys):
    folder = experiment(changes).relabel().folder
    out = export_run(folder, tmp_path / "out", temperature=4.0).folder
    recorders = []
    monkeypatch.setattr(models, "resnet18", lambda num_classes: recorders.append(Recorder(num_classes)) or recorders[0])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(out)
    runpy.run_path("train.py")
    printed = [float(value) for value in re.findall(r"loss ([\d.]+)", capsys.readouterr().out)]

    manifest = read_manifest(folder, "relabel")
    settings = RelabelSettings(**manifest["settings"])
    images = load_distilled(folder / manifest["result"]["distilled"], 3).images
    told, seen = load_file("labels.safetensors"), iter(recorders[0].seen)
    stored, batches = StoredLabels.read(folder), told["cutmix_lambda"].shape[1]
    assert told["cutmix_lambda"].shape == (settings.view_epochs, batches) and len(printed) == EPOCHS
    for epoch in range(EPOCHS):
        plans = plan_epoch(settings, len(images), 32, epoch)
        assert [len(plan) for plan in plans] == [5, 5, 2]
        logits = view_labels(settings, stored.epoch(epoch), plans, 4.0).split(BATCH)
        losses = []
        for plan, taught in zip(plans, logits, strict=True):
            shown = torch.cat([next(seen) for _ in halves(plan)])
            torch.testing.assert_close(shown * told["pixel_std"] + told["pixel_mean"], apply_plan(images, plan))
            losses.append(soft_label_loss(shown.mean((2, 3)) @ recorders[0].weight, taught, 4.0))
        assert printed[epoch] == pytest.approx(torch.stack(losses).mean().item(), abs=2e-6)
        lam = torch.tensor([plan.lam for plan in plans], dtype=torch.float64)
        assert torch.equal(told["cutmix_lambda"][epoch % settings.view_epochs], lam)
    assert next(seen, None) is None


@pytest.mark.parametrize("changes", FORMATS)
def test_card_tells_the_format_and_its_bytes(experiment, changes, tmp_path):
    made = experiment(changes)
    done = export_run(made.relabel().folder, tmp_path / "out")
    card, told = (done.folder / "README.md").read_text(encoding="utf-8"), load_file(done.folder / "labels.safetensors")
    facts, settings = dict(rows_of(card, 2))["soft labels"], made.recipe.relabel
    rows = 12 * settings.label_epochs
    assert told["teacher_logits"].shape == (settings.label_epochs, 12, 4)
    kind, size = ("uint8", rows * (4 + 4)) if settings.bits == 8 else ("float16", rows * 4 * 2)
    assert facts.startswith(f"{kind} teacher logits, {size:,} bytes")
    assert ("offset and step" in facts) == (settings.bits == 8)
    assert ("for each whole image" in facts) == ("They are of whole images" in card) == (settings.regime == "fixed")
    assert ("keep batches and halves" in card) == (settings.regime != "fixed")
    replayed = settings.regime != "fixed" and settings.kept_epochs
    assert (f"{settings.kept_epochs} epochs, replayed in turn for {EPOCHS}" in facts) == bool(replayed)
    assert {name for name, *_ in rows_of(card, 5)} - {"tensor"} == told.keys()


def test_the_script_halves_batches_as_the_run_does():
    for count in range(1, 30):
        parts = torch.arange(count).chunk(1 + (count > 3))  # the script's words
        assert [part.tolist() for part in parts] == [list(range(count))[part] for part in halves(range(count))]
    assert "x.chunk(1 + (len(x) > 3))" in SCRIPT.read_text(encoding="utf-8")


# Without fd2lib


def test_script_trains_a_student_without_fd2lib(run, tmp_path):
    """The script runs as a stranger would run it, where fd2lib cannot be imported."""
    # At temperature 20 answers are so flat that the first loss is nearly the last; here a few steps teach something.
    out, blocker = export_run(run, tmp_path / "out", temperature=1.5).folder, tmp_path / "blocker"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text("import sys\nsys.modules['fd2lib'] = None\n")
    environment = {**os.environ, "PYTHONPATH": str(blocker), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    options = {"cwd": out, "env": environment, "capture_output": True, "text": True}
    blocked = subprocess.run([sys.executable, "-c", "import fd2lib"], **options)
    assert blocked.returncode != 0 and "ModuleNotFoundError" in blocked.stderr
    done = subprocess.run([sys.executable, "train.py"], **options)
    assert done.returncode == 0, done.stderr
    losses = [float(value) for value in re.findall(r"loss ([\d.]+)", done.stdout)]
    assert len(losses) == EPOCHS
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4]), losses
    models.resnet18(num_classes=4).load_state_dict(torch.load(out / "student.pt", weights_only=True), strict=True)
    text = (out / "train.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    first = next(node.lineno for node in tree.body[1:] if not isinstance(node, ast.Import | ast.ImportFrom))
    assert "fd2lib" not in text and len(text.splitlines()) <= 33
    assert len(text.splitlines()) - first + 1 <= 23  # lines after the imports


def test_script_and_templates_are_installed_with_the_package():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    for path in SCRIPT.parent.iterdir():
        assert any(Path("templates", path.name).match(pattern) for pattern in patterns), path.name


# Other runs


@pytest.mark.parametrize("kind", ["distill", "unstored"])
def test_without_stored_logits_there_are_class_labels_only(experiment, kind, tmp_path):
    one = experiment("relabel.store=false")
    folder = one.distill().folder if kind == "distill" else one.relabel().folder
    done = export_run(folder, tmp_path / "out")
    assert not done.soft_labels and not (done.folder / "train.py").exists()
    assert load_file(done.folder / "labels.safetensors").keys() == {"labels", "pixel_mean", "pixel_std"}
    card = (done.folder / "README.md").read_text(encoding="utf-8")
    assert "none: class labels only" in card and "python train.py" not in card
    assert ("[relabel]" in card) == (kind == "unstored")


def test_labels_of_the_head_are_called_so(experiment, tmp_path):
    done = export_run(experiment("relabel.label_source=head").relabel().folder, tmp_path / "out")
    assert "Logits are those of the attention head" in (done.folder / "README.md").read_text(encoding="utf-8")


def test_fewer_images_per_class_than_were_distilled(experiment, tmp_path):
    """A relabel run of the first two of three images exports those two."""
    one = experiment().with_(ipc=2, distill_ipc=3)
    done = export_run(one.relabel().folder, tmp_path / "out")
    assert done.num_images == 8
    assert load_file(done.folder / "labels.safetensors")["teacher_logits"].shape == (EPOCHS, 8, 4)


def test_classes_of_any_count(experiment, tmp_path, monkeypatch):
    images = torch.randint(256, (7, 3, 8, 8), dtype=torch.uint8)
    labels = torch.tensor([2, 0, 1, 0, 2, 0, 3])
    uneven = DistilledImages(images, images, labels, ("a b", "c/d", "e", "f"))
    monkeypatch.setattr(origin, "load_distilled", lambda *_: uneven)
    out = export_run(experiment().distill().folder, tmp_path / "out").folder
    read = ImageFolder(out / "images")
    assert read.classes == ["000_a_b", "001_c_d", "002_e", "003_f"]
    assert read.targets == load_file(out / "labels.safetensors")["labels"].tolist() == [0, 0, 0, 1, 2, 2, 3]
    for (path, _), row in zip(read.samples, [1, 3, 5, 2, 0, 4, 6], strict=True):
        assert np.array_equal(np.array(Image.open(path)), images[row].permute(1, 2, 0).numpy())
    assert "1 to 3 images per class" in (out / "README.md").read_text(encoding="utf-8")


def test_runs_that_moved_are_found_beside(movable, exported, tmp_path, run):
    _, relabel = movable
    manifest = json.loads((relabel / "manifest.json").read_text())
    for name in ("distilled", "teachers"):  # as if made on another machine
        text = json.dumps(manifest["result"][name]).replace(str(run.parents[1]), "/elsewhere/runs")
        manifest["result"][name] = json.loads(text)
    (relabel / "manifest.json").write_text(json.dumps(manifest))
    done = export_run(relabel, tmp_path / "out")
    assert (done.folder / "README.md").read_bytes() == (exported / "README.md").read_bytes()


def test_a_teacher_that_is_gone_is_said_to_be(movable, tmp_path):
    runs, relabel = movable
    shutil.rmtree(runs / "pretrain")
    manifest = json.loads((relabel / "manifest.json").read_text())
    manifest["result"]["teachers"] = ["/elsewhere/runs/pretrain/one"]
    _write_manifest(relabel, manifest)
    out = export_run(relabel, tmp_path / "out").folder
    assert "whether it started from ImageNet weights is not known" in (out / "README.md").read_text(encoding="utf-8")
    pixels = torch.stack([torch.from_numpy(np.array(image)) for image, _ in ImageFolder(out / "images")]) / 255
    told = load_file(out / "labels.safetensors")
    torch.testing.assert_close(told["pixel_mean"].flatten(), pixels.mean((0, 1, 2)))


# Errors


def test_a_folder_that_holds_something_is_left_alone(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(ArtefactError, match=r"out holds 'mine.txt'.*new or empty folder"):
        export_run(run, out)
    with pytest.raises(SettingError, match=r"mine.txt' takes no files \(Not a directory\)"):
        export_run(run, out / "mine.txt")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_an_empty_folder_is_filled(run, tmp_path):
    (tmp_path / "out").mkdir()
    assert (export_run(run, tmp_path / "out").folder / "README.md").is_file()


def test_a_full_disk_leaves_nothing_behind(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fd2lib.drive.export.write_card", full)
    with pytest.raises(ArtefactError, match=r"could not write .*out: No space left on device"):
        export_run(run, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_runs_that_cannot_be_exported(experiment, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ArtefactError, match=r"holds a run of 'pretrain'; expected 'relabel' or 'distill'"):
        export_run(experiment().pretrain().folder, out)
    with pytest.raises(ArtefactError, match=r"nowhere does not exist; expected the folder of a finished run"):
        export_run(tmp_path / "nowhere", out)
    with pytest.raises(ArtefactError, match=r"has no manifest.json"):
        export_run(tmp_path, out)
    started = tmp_path / "started"
    started.mkdir()
    (started / "started.json").write_text('{"stage": "relabel"}')
    with pytest.raises(ArtefactError, match=r"was started but not finished"):
        export_run(started, out)
    assert not out.exists()


def test_files_that_are_missing_or_changed_are_named(movable, tmp_path):
    _, relabel = movable
    logits = relabel / "teacher_logits.npy"
    changed = bytearray(logits.read_bytes())
    changed[-1] ^= 1
    logits.write_bytes(changed)
    with pytest.raises(ArtefactError, match=r"teacher_logits.npy has changed since its run"):
        export_run(relabel, tmp_path / "out")
    logits.unlink()
    with pytest.raises(ArtefactError, match=r"teacher_logits.npy is missing"):
        export_run(relabel, tmp_path / "out")


def _write_manifest(folder, manifest):
    """As if the run had been made so: with a digest that fits."""
    write_record(folder / "manifest.json", manifest)


def test_images_that_are_gone_are_named(movable, tmp_path):
    runs, relabel = movable
    manifest = json.loads((relabel / "manifest.json").read_text())
    manifest["result"]["distilled"] = f"/elsewhere/distill/{Path(manifest['result']['distilled']).name}"
    _write_manifest(relabel, manifest)
    for folder in (runs / "distill").iterdir():
        other = json.loads((folder / "manifest.json").read_text())
        other["files"]["images.safetensors"] = "0" * 64
        _write_manifest(folder, other)
    with pytest.raises(ArtefactError, match=r"/elsewhere/distill/.*other images.*Put the folder back"):
        export_run(relabel, tmp_path / "out")
    shutil.rmtree(runs / "distill")
    with pytest.raises(ArtefactError, match=r"/elsewhere/distill/.*no such folder.*Put the folder back"):
        export_run(relabel, tmp_path / "out")


def test_the_source_set_must_be_known(experiment, tmp_path):
    folder = experiment().distill().folder
    renamed = shutil.copytree(folder, tmp_path / "best")
    with pytest.raises(SettingError, match=r"best does not tell.*--dataset.*cub200"):
        export_run(renamed, tmp_path / "out")
    with pytest.raises(SettingError, match="Did you mean 'plumage'"):
        export_run(renamed, tmp_path / "out", dataset="plumages")
    with pytest.raises(SettingError, match=r"dataset is 'cub200', but .* from 'plumage'"):
        export_run(folder, tmp_path / "out", dataset="cub200")
    assert export_run(renamed, tmp_path / "out", dataset="plumage").num_images == 12


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_is_positive(run, tmp_path, temperature):
    with pytest.raises(SettingError, match="temperature"):
        export_run(run, tmp_path / "out", temperature=temperature)


def test_command_line(run, experiment, tmp_path, capsys):
    assert main(["export", str(run), str(tmp_path / "out"), "--temperature", "4"]) == 0
    assert "12 images" in capsys.readouterr().out
    assert load_file(tmp_path / "out" / "labels.safetensors")["temperature"].item() == 4
    assert main(["export", str(experiment().distill().folder), str(tmp_path / "hard")]) == 0
    assert "No soft labels" in capsys.readouterr().out
