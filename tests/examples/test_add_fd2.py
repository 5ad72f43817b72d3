"""FD² in a pipeline that is not ours: ten lines, four names, and constraints that really act."""

import ast
import re
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from fd2lib.losses import characteristic_loss, similarity_loss
from fd2lib.models import AttentionHead

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "add_fd2.py"
PAGE = ROOT / "book" / "use_in_your_pipeline.md"
SOURCE = EXAMPLE.read_text(encoding="utf-8")
MARK = "  # FD²"
NAMES = {
    ("fd2lib.losses", "characteristic_loss"),
    ("fd2lib.losses", "similarity_loss"),
    ("fd2lib.models", "AttentionHead"),
    ("fd2lib.models", "ClassPrototypes"),
}
CLASSES, IPC, SIZE = 4, 5, 24


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small are fastest alone, and equal bits need an equal order of sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def without_marked(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if not line.endswith(MARK)) + "\n"


def load(source: str) -> types.ModuleType:
    module = types.ModuleType("example")
    exec(compile(source, str(EXAMPLE), "exec"), module.__dict__)
    return module


class Small(nn.Module):
    """What the loop asks of a network, no more: BatchNorm, ``layer4`` that ends activated, ``fc``."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.layer4 = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        self.fc = nn.Linear(16, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layer4(self.stem(x)).mean((2, 3)))


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def squeezed(module: types.ModuleType) -> nn.Module:
    def make() -> nn.Module:
        model = Small()
        module.squeeze(model, *module.patterns(48, CLASSES, SIZE, generator(1)), generator(2), epochs=20, batch=8)
        return model

    return seeded(make)


def recovered(module: types.ModuleType, model: nn.Module, iterations: int = 12) -> Tensor:
    images, labels = module.patterns(CLASSES * IPC, CLASSES, SIZE, generator(3))
    start = torch.stack([images[labels == label] for label in range(CLASSES)])
    return module.recover(model, start, generator(4), iterations)[0]


@pytest.fixture
def example() -> types.ModuleType:
    return load(SOURCE)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return squeezed(load(SOURCE))


@pytest.fixture(scope="module")
def both_on(model) -> Tensor:
    return recovered(load(SOURCE), model)


def silent(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *given: 0 * loss(*given)


def parts(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Part features and attention maps of whole images, ``[K, ipc, …]`` as the images are."""
    model(images.flatten(0, 1))
    seen = model.attention
    return tuple(value.unflatten(0, images.shape[:2]) for value in (seen.part_features, seen.attention_maps))


# What is added


def test_of_fd2lib_only_four_names_are_used():
    tree = ast.parse(SOURCE)
    assert not [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names if "fd2lib" in a.name]
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and "fd2lib" in node.module]
    assert {(node.module, alias.name) for node in froms for alias in node.names} == NAMES


def test_at_most_ten_lines_are_added():
    assert 0 < sum(line.endswith(MARK) for line in SOURCE.splitlines()) <= 10


def test_without_them_nothing_of_fd2_is_left():
    code = ast.unparse(ast.parse(without_marked(SOURCE)).body[1:])  # the first is the docstring
    words = ("fd2lib", "head", "prototypes", "attention", "earlier", *(name for _, name in NAMES))
    assert not [word for word in words if word in code]
    load(without_marked(SOURCE))


def test_each_added_line_stands_alone():
    """A line that is a whole statement can be pasted; one that ends inside brackets cannot."""
    added = {number for number, line in enumerate(SOURCE.splitlines(), 1) if line.endswith(MARK)}
    statements = {
        node.lineno
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.stmt) and node.lineno == node.end_lineno
    }
    assert added <= statements


# What does not change


def test_the_plain_loop_is_the_one_without_the_lines(example, monkeypatch):
    """A head that gives the backbone no gradient leaves the squeezed network as it was, bit for bit."""

    class Detached(AttentionHead):
        def forward(self, features: Tensor):
            return super().forward(features.detach())

    monkeypatch.setattr(example, "AttentionHead", Detached)
    plain, watched = squeezed(load(without_marked(SOURCE))).state_dict(), squeezed(example).state_dict()
    assert set(watched) - set(plain) == {
        "head.conv.weight",
        "head.classifier.weight",
        "prototypes.prototypes",
        *(f"head.norm.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")),
    }
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_constraints_of_weight_zero_change_no_bit(example, model, both_on, monkeypatch):
    plain = recovered(load(without_marked(SOURCE)), model)
    for name, loss in (("characteristic_loss", characteristic_loss), ("similarity_loss", similarity_loss)):
        monkeypatch.setattr(example, name, silent(loss))
    assert torch.equal(recovered(example, model), plain)
    assert not torch.equal(both_on, plain)


# What acts


def test_the_head_learns_and_prototypes_move_to_their_classes(example, model):
    images, labels = example.patterns(40, CLASSES, SIZE, generator(9))
    features = parts(model.eval(), images[None])[0][0]
    prototypes = model.prototypes.prototypes
    assert prototypes.shape == (CLASSES, 8 * 16)
    assert (prototypes.norm(dim=1) > 0.3).all(), "120 updates move a prototype well away from zero"
    assert ((features @ model.prototypes.unit().T).argmax(1) == labels).float().mean() > 0.9
    assert (model.attention.logits.argmax(1) == labels).float().mean() > 0.9


@pytest.mark.parametrize("constraint", ["characteristic", "similarity"])
def test_gradients_reach_every_image(model, both_on, constraint):
    x = both_on[:, 1].clone().requires_grad_()
    earlier = parts(model, both_on[:, :1])[1]
    model(x)
    if constraint == "characteristic":
        loss = characteristic_loss(model.attention.part_features, torch.arange(CLASSES), model.prototypes.unit())
    else:
        loss = similarity_loss(model.attention.attention_maps, earlier)
    (gradient,) = torch.autograd.grad(loss, x)
    assert gradient.isfinite().all() and (gradient.flatten(1).norm(dim=1) > 0).all()


def test_the_characteristic_term_falls_when_it_is_on(example, model, both_on, monkeypatch):
    monkeypatch.setattr(example, "characteristic_loss", silent(characteristic_loss))
    off = recovered(example, model)
    labels = torch.arange(CLASSES).repeat_interleave(IPC)
    values = [
        characteristic_loss(parts(model, images)[0].flatten(0, 1), labels, model.prototypes.unit()).item()
        for images in (both_on, off)
    ]
    assert values[0] < values[1] - 0.003


def test_the_similarity_term_acts_from_the_second_image_of_a_group(example, model, both_on, monkeypatch):
    monkeypatch.setattr(example, "similarity_loss", silent(similarity_loss))
    off = recovered(example, model)
    assert [torch.equal(both_on[:, i], off[:, i]) for i in range(IPC)] == [True, False, False, False, True]
    on_value, off_value = (
        torch.stack([similarity_loss(maps[:, i], maps[:, :i]) for i in (1, 2, 3)]).mean().item()
        for maps in (parts(model, images)[1] for images in (both_on, off))
    )
    assert on_value < off_value - 0.003


def test_it_compares_with_the_finished_images_of_the_group(example, model, both_on, monkeypatch):
    seen = []

    def watch(now: Tensor, earlier: Tensor) -> Tensor:
        seen.append(earlier)
        return similarity_loss(now, earlier)

    monkeypatch.setattr(example, "similarity_loss", watch)
    assert torch.equal(recovered(example, model), both_on)
    first_of_each = seen[:: len(seen) // IPC]
    assert [earlier.shape[1] for earlier in first_of_each] == [0, 1, 2, 3, 0]
    maps = parts(model, both_on)[1]
    for index, earlier in enumerate(first_of_each):
        torch.testing.assert_close(earlier, maps[:, index - index % 4 : index])


# The whole


def test_a_network_of_torchvision_takes_the_lines(example):
    def make() -> nn.Module:
        model = torchvision.models.resnet18()
        example.squeeze(model, *example.patterns(4, 2, 64, generator(1)), generator(2), epochs=1, batch=4)
        return model

    model = seeded(make)
    assert model.prototypes.prototypes.shape == (2, 8 * 512) and model.prototypes.prototypes.any()
    start = example.patterns(4, 2, 64, generator(3))[0].unflatten(0, (2, 2))
    images, recognised = example.recover(model, start, generator(4), iterations=1)
    assert model.attention.attention_maps.shape == (2, 8, 2, 2)
    assert (images != start).flatten(2).any(-1).all() and images.abs().max() <= 1 and len(recognised) == 2


def test_all_four_stages_run(example, monkeypatch, capsys):
    monkeypatch.setattr(example.torchvision.models, "resnet18", lambda num_classes=10: Small(num_classes))
    with torch.random.fork_rng():
        example.main()
    first, second = capsys.readouterr().out.splitlines()
    assert len(re.findall(r"\d+ %", first)) == 2
    assert 0 <= float(re.search(r"(\d+) % of the test images", second)[1]) <= 100


# The page


def function_lines(name: str) -> list[str]:
    (node,) = [n for n in ast.parse(SOURCE).body if isinstance(n, ast.FunctionDef) and n.name == name]
    return SOURCE.splitlines()[node.lineno - 1 : node.end_lineno]


def test_the_page_includes_the_file_and_marks_the_added_lines():
    shown = re.findall(r"^```\{literalinclude\} (\S+)\n((?::.*\n)*)```", PAGE.read_text(encoding="utf-8"), re.M)
    options = [dict(re.findall(r"^:([a-z-]+): *(.*)$", text, re.M)) for _, text in shown]
    assert {(PAGE.parent / name).resolve() for name, _ in shown} == {EXAMPLE}
    assert [given.get("pyobject") for given in options] == [None, "squeeze", "recover"]
    for given in options[1:]:
        marked = [i for i, line in enumerate(function_lines(given["pyobject"]), 1) if line.endswith(MARK)]
        assert given["emphasize-lines"] == ",".join(map(str, marked))


def test_the_page_explains_each_line_and_copies_none():
    text = PAGE.read_text(encoding="utf-8")
    added = [line.removesuffix(MARK).strip() for line in SOURCE.splitlines() if line.endswith(MARK)]
    assert not [line for line in added if line in text]
    table = re.findall(r"^\| (\d+) \|", text, re.M)
    assert table == [str(number) for number in range(1, len(added) + 1)]
