"""Pages that Snakemake and papermill are making when they are killed, or whose images change behind them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
COMMAND = ["-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--quiet", "all", "--nolock"]
FIRST, SECOND = "book/executed/00_first.ipynb", "book/executed/10_second.ipynb"
FINISHED = {"00_first.ipynb", "10_second.ipynb"}
MARK = "from pathlib import Path\nPath('../{name}.pid').write_text(str(__import__('os').getpid()))\n"
WAIT = "import time\nwhile not Path('../go').exists():\n    time.sleep(0.05)\n"


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook whose first cell holds its parameters."""
    made = [nbformat.v4.new_code_cell(text) for text in ("dataset = 'plumage'\ndata_root = ''", *cells)]
    made[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)


@pytest.fixture
def book(tmp_path):
    """A book of two pages; the second one waits for a file called go."""
    for name in ("notebooks", "fd2lib"):
        (tmp_path / name).mkdir()
    write_notebook(tmp_path / "notebooks" / "00_first.ipynb", MARK.format(name="first"))
    write_notebook(tmp_path / "notebooks" / "10_second.ipynb", MARK.format(name="second") + WAIT)
    return tmp_path


def start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    """A command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for what must come; a kernel takes seconds to start."""
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end, f"waited two minutes for {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def pid_in(path: Path) -> int:
    """The number of the kernel that wrote it, once it is written."""
    until(lambda: path.is_file() and path.read_text() != "", str(path))
    return int(path.read_text())


def left(folder: Path) -> set[str]:
    """All names in the folder of executed notebooks, hidden ones too."""
    return {path.name for path in (folder / "book" / "executed").iterdir()}


def run(words: list[str], folder: Path) -> None:
    """A command that ends well."""
    process = start(words, folder)
    told = process.communicate()[0]
    assert process.returncode == 0, told


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc which processes are alive")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_snakemake_that_was_stopped_between_pages_goes_on_with_the_next(book, number):
    process = start(COMMAND, book)
    kernel = pid_in(book / "second.pid")
    made = (book / FIRST).stat().st_mtime_ns
    os.killpg(process.pid, number)
    assert process.wait(timeout=120) != 0
    until(lambda: not alive(kernel), "the kernel to end with those that started it")
    assert not (book / SECOND).exists()

    (book / "go").touch()
    run(COMMAND, book)
    assert (book / FIRST).stat().st_mtime_ns == made, "the finished page was made again"
    assert left(book) - {"10_second.failed.ipynb"} == FINISHED
    assert all(cell.get("execution_count") for cell in nbformat.read(book / SECOND, as_version=4).cells)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_page_that_was_stopped_leaves_its_earlier_version_and_no_litter(book, number, code):
    target = book / SECOND
    words = ["-m", "fd2lib", "notebook", "notebooks/10_second.ipynb", str(target)]
    target.parent.mkdir(parents=True)
    target.write_text("an earlier version")
    process = start(words, book)
    kernel = pid_in(book / "second.pid")
    process.send_signal(number)
    told = process.communicate(timeout=120)[0]
    assert process.returncode == code, told
    until(lambda: not alive(kernel), "the kernel to end with the one that started it")
    assert target.read_text() == "an earlier version"
    assert "Traceback" not in told

    (book / "go").touch()
    run(words, book)
    assert left(book) - {"10_second.failed.ipynb"} == {"10_second.ipynb"}
    assert nbformat.read(target, as_version=4).cells


def test_a_page_is_made_again_when_its_images_changed_and_not_otherwise(book):
    (book / "go").touch()
    image = book / "images" / "train" / "a" / "1.png"
    image.parent.mkdir(parents=True)
    Image.new("RGB", (4, 4), "red").save(image)
    words = [
        *COMMAND,
        FIRST,
        "--rerun-triggers",
        "mtime",
        "params",
        "--config",
        "dataset=folder",
        "data_root=../images",
    ]
    run(words, book)
    made = (book / FIRST).stat().st_mtime_ns
    run(words, book)
    assert (book / FIRST).stat().st_mtime_ns == made
    Image.new("RGB", (5, 5), "blue").save(image)
    run(words, book)
    assert (book / FIRST).stat().st_mtime_ns > made
