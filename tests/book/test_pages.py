"""What the prose pages, the contents and the commands claim agrees with the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fd2lib.data import format_card, list_datasets
from fd2lib.drive import load_plan, plan_jobs
from fd2lib.ground import list_methods, list_teacher_kinds, load_recipe

ROOT = Path(__file__).parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = sorted((ROOT / "book").glob("*.md")) + sorted((ROOT / "book" / "api").glob("*.md"))
TEXTS = {path: path.read_text(encoding="utf-8") for path in [*PAGES, ROOT / "README.md"] if path.exists()}


def contents(node: object) -> list[str]:
    """Every file the contents name."""
    if isinstance(node, list):
        return [name for item in node for name in contents(item)]
    if isinstance(node, dict):
        own = [node[key] for key in ("root", "file") if key in node]
        return own + [name for value in node.values() if isinstance(value, list) for name in contents(value)]
    return []


def test_contents_name_every_page_and_notebook_once():
    named = contents(TOC)
    assert len(named) == len(set(named))
    expected = {str(path.relative_to(ROOT).with_suffix("")) for path in PAGES}
    expected |= {f"book/executed/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert set(named) == expected


def test_a_page_that_reads_committed_rows_is_made_again_when_they_change(tmp_path):
    run = dry_run(f"out={tmp_path}")
    inputs = dict(re.findall(r"rule page_(\w+):\s+input: (.*)", run.stdout + run.stderr))
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert inputs.keys() == texts.keys()
    reading = {name for name, text in texts.items() if "results/" in text}
    behind = {name for name, files in inputs.items() if "results/answer.csv" in files}
    assert {"01_answer", "02_evidence", "55_read_results"} <= reading <= behind
    assert "20_pretrain" not in behind


def test_readme_exists():
    assert ROOT / "README.md" in TEXTS


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = {match for text in TEXTS.values() for match in re.findall(r"^\s*(?:\$ )?make ([a-z]+)\b", text, re.M)}
    assert {"book", "test", "setup"} <= targets and {"book", "test"} <= named
    assert named <= targets
    for target in sorted(targets):
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_commands_that_are_named_exist():
    named = {match for text in TEXTS.values() for match in re.findall(r"(?m)(?:-m |^|`|bin/)fd2lib ([a-z]+)", text)}
    assert {"run", "rerun", "plans", "notebook", "data", "recipes", "export"} <= named
    for command in sorted(named):
        words = [sys.executable, "-m", "fd2lib", command, "--help"]
        run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
        assert run.returncode == 0, f"python -m fd2lib {command}: {run.stderr}"


def test_each_data_set_has_a_card_with_its_facts():
    assert "```{data-cards}" in TEXTS[ROOT / "book" / "data_cards.md"]
    for name, info in list_datasets().items():
        card = format_card(name)
        assert card.startswith(f"# {info.title}\n") and f"`{name}`" in card and len(card.splitlines()) > 8
        assert all(number == 0 or f"{number:,}" in card for number in (info.train_images, info.test_images))
        assert info.licence in card and re.sub(r" .*", "", info.source) in card


def test_defaults_in_the_method_page_are_those_of_the_recipes():
    recipe = load_recipe("paper", dataset="cub200", method="sre2lpp_fd2")
    rows = re.findall(r"`([a-z]+)\.([a-z_]+)`[^|]*\| `([^`]+)` \|$", TEXTS[ROOT / "book" / "method.md"], re.M)
    assert len(rows) == 14
    for stage, name, default in rows:
        assert str(recipe.values()[f"{stage}.{name}"]) == default, f"{stage}.{name}"


def test_the_method_page_names_every_setting_that_the_bundles_read_differently():
    first, second = (load_recipe("paper", dataset="cub200", method="sre2lpp_fd2", backbone="resnet50", bundle=bundle)
                     for bundle in ("paper", "release"))  # fmt: skip
    differing = {key for key, value in first.values().items() if value != second.values()[key]}
    assert differing and all(f"`{key}`" in TEXTS[ROOT / "book" / "method.md"] for key in differing)


def test_the_method_page_names_every_method_and_kind_of_teacher():
    text = TEXTS[ROOT / "book" / "method.md"]
    assert all(f"`{name}`" in text for name in [*list_methods(), *list_teacher_kinds()] if name != "random_cal")


def test_every_reference_is_cited_and_every_citation_is_there():
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    keys = set(re.findall(r"^@\w+\{([^,]+),", bibliography, re.M))
    cells = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb"))
    cards = "".join(map(format_card, list_datasets()))
    cited = {
        key.strip()
        for group in re.findall(r"\{cite:[pt]\}`([^`]+)`", "".join(TEXTS.values()) + cells + cards)
        for key in group.split(",")
    }
    assert cited <= keys, f"not in references.bib: {sorted(cited - keys)}"
    assert keys <= cited, f"never cited: {sorted(keys - cited)}"


@pytest.mark.parametrize("name", ["LICENSE", "LICENSE-TEXT", "CHANGELOG.md", "CITATION.cff"])
def test_formalities_are_there(name):
    assert (ROOT / name).read_text(encoding="utf-8").strip()


def test_citation_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "fd2lib contributors"}]
    paper = citation["preferred-citation"]
    assert paper["authors"][0]["family-names"] == "Ma" and len(paper["authors"]) == 8
    assert any("2603.25144" in identifier["value"] for identifier in paper["identifiers"])


def dry_run(*config: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", "--cores", "1", "--config", *config]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_snakefile_refuses_a_parameter_no_notebook_has(tmp_path):
    run = dry_run("daatset=cub200", f"out={tmp_path}")
    assert run.returncode != 0
    assert "unknown notebook parameter 'daatset'. Did you mean 'dataset'?" in run.stdout + run.stderr


def test_snakefile_gives_parameters_to_the_notebooks_that_have_them(tmp_path):
    from fd2lib.drive.notebooks import notebook_parameters

    run = dry_run("dataset=cub200", f"out={tmp_path}")
    assert run.returncode == 0, run.stderr
    commands = re.findall(r"-m fd2lib notebook (\S+) (\S+)(.*)", run.stdout + run.stderr)
    assert sorted(ROOT / source for source, _, _ in commands) == sorted((ROOT / "notebooks").glob("*.ipynb"))
    for source, target, given in commands:
        assert Path(target).parent == tmp_path
        assert ("-p dataset cub200" in given) == ("dataset" in notebook_parameters(ROOT / source))


def test_snakefile_makes_each_teacher_and_each_set_once(tmp_path):
    settings = ("methods=random,sre2lpp", "set=distill.iterations=3", "study=parts controls:rded,fd2_soft")
    run = dry_run("datasets=plumage,cub200", "seeds=0,7", *settings, "device=cpu", f"out={tmp_path}")
    assert run.returncode == 0, run.stderr
    told = run.stdout + run.stderr
    commands = re.findall(r"-m fd2lib jobs (\S+) --job (\S+) --out (\S+) --quiet (.*)", told)
    assert {(plan, machine) for plan, _, _, machine in commands} == {(f"{tmp_path}/plan.toml", "--device cpu")}
    plan = load_plan(f"{tmp_path}/plan.toml")
    assert [part.dataset for part in plan.parts] == ["plumage", "cub200"]
    for part in plan.parts:
        assert (part.seeds, part.overrides, part.scale) == ("0,7", "distill.iterations=3", "reduced")
    jobs = plan_jobs(plan)
    assert sorted(name for _, name, _, _ in commands) == sorted(jobs), "each once"
    folders = {"teacher": "teachers/{}.json", "students": "students/{}.csv"}
    for _, name, out, _ in commands:
        assert out == f"{tmp_path}/{folders[jobs[name].kind].format(name)}"
    pages = re.findall(r"-m fd2lib notebook (\S+) (\S+) (.*)", told)
    assert sorted(target for _, target, _ in pages) == [
        f"{tmp_path}/studies-{name}.ipynb" for name in ("cub200-2", "plumage-1")
    ]
    for _, _, given in pages:
        assert "-p studies 'parts controls:rded,fd2_soft'" in given and "-p seeds 0,7" in given
        assert "-p overrides distill.iterations=3" in given and "-p scale reduced" in given
        assert f"-p runs_dir {ROOT}/runs" in given and "-p bundle ''" in given


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (("plan=warblers", "seeds=0", "ipc=1"), "plan 'warblers' says what is run, and so does ipc"),
        (("datasets=plumage", "sedes=0"), "unknown option 'sedes'. Did you mean 'seeds'?"),
    ],
)
def test_snakefile_refuses_a_grid_that_cannot_be(config, told, tmp_path):
    run = dry_run(*config, f"out={tmp_path}")
    assert run.returncode != 0 and told in run.stdout + run.stderr


def test_snakefile_ends_a_grid_of_methods_in_the_page_of_results(tmp_path):
    run = dry_run("datasets=plumage", "seeds=0", f"out={tmp_path}")
    assert run.returncode == 0, run.stderr
    command = f'notebooks/55_read_results.ipynb {tmp_path}/results.ipynb -p results "$(realpath {tmp_path}/runs.csv)"'
    assert command in run.stdout + run.stderr
