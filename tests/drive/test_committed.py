"""The studies of a plan and their committed rows: every part apart, and none taken for another's."""

from pathlib import Path

import pytest

from fd2lib.drive import committed_studies, committed_study, grid_requests, load_plan
from fd2lib.drive.asked import resolve_recipe
from fd2lib.ground import SettingError
from fd2lib.views import plan_epoch

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["students", "grain_photos", "sets", "regimes", "grain"])
def test_each_part_gets_its_own_rows(name, commit):
    found = committed_studies(name, commit(name, [0, 2], lambda place, request: 10 * (place + 1)))
    plan = load_plan(name)
    assert [one.title for one in found] == list(plan.titles) and all(plan.titles)
    for place, one in enumerate(found):
        seeds = {row["seed"] for row in one.rows}
        assert seeds == {"0", "2"} and {row["last_top1"] for row in one.rows} == {str(10 * (place + 1))}
        assert {row["arm"] for row in one.rows} == set(one.study.arms)
        assert len(one.rows) == len(one.study.arms) * len(one.ipcs) * 2
        assert one.results.title == one.title and one.results.measured == list(one.study.arms)


def test_what_was_planned_is_there_without_rows(tmp_path):
    one, two, three, fine = committed_studies("grain", tmp_path)
    assert (one.ipcs, one.seeds, one.rows) == ((1, 3, 5), tuple(range(20)), [])
    assert len({part.title for part in (one, two, three, fine)}) == 4 and fine.results.rows.empty
    (budget,) = committed_studies("labels_budget", tmp_path)  # parts that differ in seeds alone are one
    assert budget.seeds == (0, 1, 2) and budget.title == budget.study.title


def test_a_plan_of_several_studies_gives_each():
    found = committed_studies("studies", ROOT)
    named = [one.study.name for one in found]
    assert named[:3] == ["main", "fadrm", "parts"] and named.count("controls") == 5
    assert all(one.rows for one in found)


@pytest.mark.parametrize("name", ["warblers", "attention"])
def test_a_plan_without_studies_says_so(name):
    with pytest.raises(SettingError, match=rf"'{name}' asks for no studies; expected"):
        committed_studies(name, ROOT)


def test_one_study_is_asked_for_where_there_are_several():
    with pytest.raises(SettingError, match="'grain' is of 4 studies; expected one"):
        committed_study("grain", ROOT)
    study, rows = committed_study("labels_budget", ROOT)
    assert study.name == "budget" and rows


def test_titles_stay_with_their_parts_when_seeds_are_chosen():
    plan = load_plan("labels_budget").of_seeds("1")
    assert len(plan.parts) == len(plan.titles) == 1
    assert load_plan("sets").of_seeds("3").titles == ("25 flowers", "ten breeds of dogs")


def test_the_part_without_crops_and_mixtures_sees_whole_images():
    plan = load_plan("regimes")
    still = plan.parts[plan.titles.index("a vector per view, without crops and mixtures")]
    recipe = resolve_recipe(next(iter(grid_requests(still))))
    for batch in plan_epoch(recipe.relabel, 75, recipe.image_size, epoch=2):
        assert batch.boxes.tolist() == [[0, 0, 96, 96]] * len(batch) and batch.cutmix_box is None
