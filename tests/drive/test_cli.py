"""The command line: what a person types, and one line when it is wrong."""

import contextlib
import io
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from fd2lib.drive import Experiment, GridRequest, grid_requests, listings, load_plan, parse_studies, planned
from fd2lib.drive.cli import main
from fd2lib.ground import ArtefactError, DataError, SettingError

TINY = "pretrain.epochs=1 pretrain.num_maps=2 distill.iterations=1 relabel.epochs=1 evaluate.test_every=1"


@pytest.fixture(scope="module")
def own_images(tmp_path_factory):
    """A folder of one's own: two classes of plain colours."""
    root = tmp_path_factory.mktemp("own") / "my_birds"
    for split in ("train", "test"):
        for label, colour in {"robin": (180, 60, 40), "wren": (120, 100, 60)}.items():
            folder = root / split / label
            folder.mkdir(parents=True)
            for index in range(4):
                shade = tuple(min(255, channel + 12 * index) for channel in colour)
                Image.new("RGB", (40, 36), shade).save(folder / f"{index}.png")
    return root


def _run(own_images, tmp_path, *extra):
    return main(
        ["run", "--dataset", "folder", "--data-root", str(own_images), "--scale", "toy", "--image-size", "32",
         "--device", "cpu", "--methods", "random,sre2lpp_fd2", "--ipc", "1", "--seeds", "0", "--overrides", TINY,
         "--runs-dir", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--no-page", "--quiet", *extra]
    )  # fmt: skip


def test_own_images_end_in_rows(own_images, tmp_path):
    assert _run(own_images, tmp_path) == 0
    lines = (tmp_path / "out" / "runs.csv").read_text().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("toy,folder,my_birds,") and ",,2,32," in line for line in lines[1:])


def test_listing_names_every_set_with_licence_and_source(capsys):
    assert main(["data"]) == 0
    text = capsys.readouterr().out
    assert all(
        name in text for name in ("plumage", "folder", "cub200", "aircraft", "cars196", "flowers102", "cifar100")
    )


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--methods", "random,fd3"], ["SettingError", "'fd3'", "sre2lpp_fd2"]),
        (["--data-root", "/nowhere/at/all"], ["DataError", "/nowhere/at/all"]),
        (["--dataset", "cub2000"], ["SettingError", "cub200"]),
        (["--backbone", "resnet19"], ["SettingError", "resnet19", "resnet18"]),
        (["--ipc", "one"], ["SettingError", "'one'", "1,3"]),
        (["--ipc", "9"], ["DataError", "9", "4"]),
        (["--overrides", "distill.iteration=3"], ["SettingError", "distill.iterations"]),
        (["--classes", "eagle"], ["eagle"]),
        (["--device", "tpu9"], ["SettingError", "tpu9"]),
        (["--image-size", "-3"], ["-3"]),
    ],
)
def test_what_is_wrong_is_said_in_one_line(own_images, tmp_path, capsys, extra, words):
    assert _run(own_images, tmp_path, *extra) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fd2lib:")]
    assert len(error) == 1
    assert all(word in error[0] for word in words), error[0]


def test_a_plan_is_narrowed_to_some_of_its_seeds_and_by_nothing_else(capsys):
    plan = load_plan("labels_budget")
    assert plan.of_seeds("") is plan
    whole = planned(plan)
    parts = [planned(plan.of_seeds(seed)) for seed in ("0", "1", "2")]
    assert [one for part in parts for one in part] == whole and all(len(part) == len(whole) // 3 for part in parts)
    assert planned(plan.of_seeds("2,0")) == parts[0] + parts[2]
    assert len(planned(load_plan("warblers").of_seeds("3"))) == len(planned(load_plan("warblers"))) / 4
    for name, options, words in (
        ("labels_budget", ["--seeds", "0,7"], "seed of plan 'labels_budget' 7"),
        ("labels_budget", ["--seeds", "one"], "'one'"),
        ("geometry", ["--seeds", "0"], "compares its seeds"),
        ("warblers", ["--seeds", "0", "--ipc", "1"], "and so does ipc"),
    ):
        assert main(["run", "--plan", name, *options]) == 2
        assert words in capsys.readouterr().err


def test_a_corrupt_image_is_named(own_images, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(own_images, broken)
    (broken / "train" / "wren" / "2.png").write_bytes(b"no image")
    assert _run(broken, tmp_path) == 2
    assert "wren/2.png" in capsys.readouterr().err


def test_an_unknown_notebook_parameter_is_refused(capsys):
    assert main(["notebook", "notebooks/30_distill.ipynb", "out.ipynb", "-p", "datset", "plumage"]) == 2
    assert "dataset" in capsys.readouterr().err


def test_a_reader_that_stops_reading_is_no_error():
    command = [sys.executable, "-m", "fd2lib", "recipes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        listing.stdout.close()
        assert listing.wait() == 141
        assert listing.stderr.read() == b""


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["bench", "--help"], ["recipes"], ["--version"]])
def test_what_needs_no_network_is_answered_without_pytorch(words):
    """It takes seconds to import, and people ask for help often."""
    program = (
        "import contextlib, sys\nfrom fd2lib.drive.cli import main\n"
        f"with contextlib.suppress(SystemExit):\n    main({words!r})\n"
        "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout, done.stderr


def test_benchmarks_are_rows_and_lines(tmp_path, capsys):
    out = tmp_path / "bench.csv"
    assert (
        main(["bench", "--quick", "--quiet", "--cases", "decoding-folder", "--device", "cpu", "--out", str(out)]) == 0
    )
    assert "decoding-folder" in out.read_text() and "ratio" in capsys.readouterr().out
    assert main(["bench", "--cases", "distil", "--out", str(out)]) == 2
    assert "'distil'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["recipes", "show", "toy"], ["data"], ["plans"], ["recipes", "--help"], ["recipes", "é"]]
)
def test_a_locale_without_the_letters_shows_their_numbers(words, monkeypatch):
    """As that of C, where Python cannot write what FD² is called."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="ascii") for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    with contextlib.suppress(SystemExit):  # as help does
        assert main(words) == (2 if "é" in words else 0)
    told = b"".join(stream.buffer.getvalue() for stream in streams.values() if not stream.flush())
    assert len(told) > 50 and told.isascii()


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (PermissionError(13, "Permission denied", "here/x"), 1, "PermissionError: here/x: Permission denied"),
        (MemoryError(), 1, "MemoryError: no more memory"),
        (ArtefactError("two\nlines"), 1, "ArtefactError: two lines"),
        (SettingError("x is 3"), 2, "SettingError: x is 3"),
        (DataError("no image"), 2, "DataError: no image"),
    ],
)
def test_status_tells_bad_input_from_failed_work(error, status, said, monkeypatch, capsys):
    def fail(_):
        raise error

    monkeypatch.setattr(listings.Plans, "run", fail)
    assert main(["plans"]) == status
    told = capsys.readouterr().err
    assert told.startswith(f"fd2lib: {said}") and told.count("\n") == 1


@pytest.mark.parametrize("taken", ["gallery", "page", "page/_build", "page/results.ipynb/x"])
def test_a_page_that_cannot_lie_there_is_refused_before_the_rows(own_images, tmp_path, capsys, taken, monkeypatch):
    monkeypatch.setattr(Experiment, "record", lambda *_: pytest.fail("computed"))
    place = tmp_path / "out" / taken
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    arguments = ["run", "--scale", "toy", "--dataset", "folder", "--data-root", str(own_images), "--methods", "random"]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert taken.split("/")[0] in capsys.readouterr().err and place.read_text() == "mine"


@pytest.mark.parametrize("typed", ["~/birds", "~/birds/"])
def test_words_are_taken_as_people_type_them(own_images, tmp_path, monkeypatch, typed):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "birds").symlink_to(own_images)
    given = GridRequest(
        scale=" TOY", methods=" random , SRe2Lpp_FD2,", ipc=" 1 ,2", seeds=3, data_root=typed, image_size="32"
    )
    assert [(one.method, one.ipc, one.seed) for one in grid_requests(given)] == [
        ("random", 1, 3), ("random", 2, 3), ("sre2lpp_fd2", 1, 3), ("sre2lpp_fd2", 2, 3),
    ]  # fmt: skip
    one = Experiment(scale="TOY", dataset="folder", data_root=typed, image_size=32, device="cpu")
    assert one.dataset.num_classes == 2
    assert [study.name for study in parse_studies("main : random , sre2lpp  parts")] == ["main", "parts"]
