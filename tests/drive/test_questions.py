"""Verdicts of committed rows, and the state of the evidence: recomputed from the files."""

import csv
import html
import json
from pathlib import Path

import pytest

from fd2lib import analyse, show
from fd2lib.drive import differences, evidence, load_plan, planned_verdicts
from fd2lib.drive.questions import AGAINST, AS_CLAIMED, SOURCES, measures
from fd2lib.ground import SettingError, read_tables

ROOT = Path(__file__).parents[2]
NOISE = (0.3, -0.2, 0.1, -0.1, 0.2, -0.3, 0.0, 0.1, -0.2, 0.2, 0.1, -0.2)


def ladder(part, request):
    """FD² five points above its base, and as good as its rival but for noise."""
    fd2, crops = request.method == "sre2lpp_fd2", request.teacher_kind == "crops"
    return 20 + 5 * (fd2 or crops) + NOISE[request.seed] * (1 + fd2) + request.ipc


def test_a_plan_is_judged_by_its_rows(commit):
    found = planned_verdicts("answer", commit("answer", range(12), ladder)).set_index(["a", "b", "ipc"])
    assert found["complete"].all() and (found["n"] == 12).all() and len(found) == 10
    assert found.loc[("fd2", "base", 3), "verdict"] == "better" and found.loc[("fd2", "base", 3), "mean"] > 4.9
    assert found.loc[("fd2", "rival", 1), "verdict"] == "no difference of 2 points"


def test_only_seeds_that_every_compared_arm_has_count(commit):
    folder = commit("answer", range(4), ladder)
    with open(folder / "results" / "answer.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    lacking = {"2": ("random_cal", ""), "3": ("sre2lpp_fd2", "head")}  # of the second no contrast speaks
    kept = []
    for row in rows:
        head = "head" if json.loads(row["settings"])["relabel"].get("label_source") == "head" else ""
        if lacking.get(row["seed"]) != (row["method"], head):
            kept.append(row)
    assert len(rows) - len(kept) == 4
    with open(folder / "results" / "answer.csv", "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(kept)
    found = planned_verdicts("answer", folder)
    assert set(found["n"]) == {3} and not found["complete"].any()


@pytest.mark.parametrize("name", ["answer", "mosaics", "sets", "pixels"])
def test_without_rows_nothing_is_measured(name, tmp_path):
    found = planned_verdicts(name, tmp_path)
    assert len(found) and set(found["verdict"]) == {analyse.NOT_MEASURED} and set(found["n"]) == {0}


def test_a_plan_without_contrasts_is_refused():
    with pytest.raises(SettingError, match="'variance' has no contrasts; expected"):
        planned_verdicts("variance", ROOT)


def test_a_source_that_is_none_is_refused():
    with pytest.raises(SettingError, match="'rumour'; expected plan, later, study"):
        differences("rumour", ROOT)


def test_an_empty_project_has_claims_and_no_evidence(tmp_path):
    found = evidence(tmp_path)
    assert set(found["verdict"]) == {analyse.NOT_MEASURED} and set(found["n"]) == {0}
    assert len(found) == sum(len(claim["measures"]) for claim in read_tables("claims").values())


def test_evidence_agrees_with_the_files():
    found = evidence(ROOT).set_index("name")
    assert found.index.is_unique and {f"{page}.ipynb" for page in found["page"]} <= {
        path.name for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    with open(ROOT / "results" / "studies.csv", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["ipc"] == "3" and '"student_init"' in row["settings"]]
    of = {name: {} for name in ("fadrm", "fadrm_fd2")}
    for row in rows:
        if row["method"] in of and row["student_init"] == "imagenet":
            of[row["method"]][row["seed"]] = float(row["last_top1"])
    gaps = [of["fadrm_fd2"][seed] - of["fadrm"][seed] for seed in of["fadrm"]]
    told = found.loc["joins_2"]
    assert told["n"] == len(gaps) == 3 and told["mean"] == pytest.approx(sum(gaps) / 3)
    assert found.loc["diverse_2", "verdict"] == AGAINST and found.loc["looks_1", "verdict"] == AS_CLAIMED
    assert found.loc["constraints_4", "verdict"] == "no difference of 2 points"
    assert found.loc["size_1", "verdict"] == analyse.NOT_MEASURED


@pytest.mark.parametrize("name", read_tables("claims"))
def test_every_claim_is_measured_by_what_exists(name):
    claim = read_tables("claims")[name]
    assert claim["by"] in ("abstract", "paper's table", "this book") and claim["claim"][0].isupper()
    for one in measures(claim):
        kind, _, source = one.get("source", "").partition(" ")
        assert kind in ("", *SOURCES)
        if kind == "plan":
            contrasts = planned_verdicts(source, ROOT)[["a", "b", "ipc"]].itertuples(index=False, name=None)
            assert (one["a"], one["b"], one["ipc"]) in set(contrasts) and load_plan(source)
        elif kind == "trends":
            slopes = differences(kind, ROOT)[["ladder", "a", "b"]].itertuples(index=False, name=None)
            assert (one["ladder"], one["a"], one["b"]) in set(slopes)
        elif kind:
            assert one["claimed"] in ("above", "below")


def test_the_state_of_the_evidence_links_each_measure_to_its_page(tmp_path):
    state = evidence(ROOT)
    table = show.evidence_table(state)
    assert table.count('<a href="') == len(state) and '<a href="70_ablations.html">ablations</a>' in table
    assert table.count("<table") == state["by"].nunique() and "−1.4" in table and "not measured" in table
    assert table.count(html.escape(state["claim"].iloc[0])) == 1  # said once, whatever the number of its measures
    assert show.evidence_table(evidence(tmp_path)).count("not measured") == len(state)


def test_the_readme_says_what_the_rows_say():
    verdicts = planned_verdicts("answer", ROOT).query("ipc == 3").set_index(["a", "b"])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(verdicts["n"]) == {12} and "twelve paired seeds" in readme
    assert verdicts.loc[("fd2", "rival"), "verdict"] == "undecided" and "undecided once corrected" in readme
    for pair in (("fd2", "base"), ("fd2", "rival")):
        effect = analyse.Interval.of(verdicts.loc[pair]).text(signed=True)
        assert effect.replace("\N{NO-BREAK SPACE}", " ") in readme, f"{pair} is {effect}"
