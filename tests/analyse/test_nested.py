"""Components of variance: a worked example, a simulation whose components are known, rows told apart by their seeds."""

import json

import numpy as np
import pandas as pd
import pytest

from fd2lib import show
from fd2lib.analyse import PLACE, nested_components, variance_components
from fd2lib.ground import ArtefactError


def test_components_by_hand():
    """Sets of images 1 and 3, 4 and 8 (means 2, 6 and a teacher of 4); 10 and 14, 17 and 19 (12, 18 and 15)."""
    values = np.array([[[1, 3], [4, 8]], [[10, 14], [17, 19]]], dtype=float)
    table = nested_components(values).set_index("component")
    # Between teachers 4 · 2 · 5.5²; between sets 2 · (2 · 2² + 2 · 3²) on two; between students 2 + 8 + 8 + 2 on four.
    assert table["mean_square"].tolist() == [242, 26, 5]
    assert table["degrees"].tolist() == [1, 2, 4]
    assert table["variance"].tolist() == [(242 - 26) / 4, (26 - 5) / 2, 5]


def test_components_of_a_simulation_are_found_again():
    """Estimates are unbiased: their mean over many small designs is what was put in, within four standard errors."""
    draw, true, runs = np.random.default_rng(0), np.array([4.0, 0.0, 1.0]), 4000
    found = []
    for _ in range(runs):
        effects = (
            draw.normal(0, sd, shape) for sd, shape in zip(true**0.5, [(2, 1, 1), (2, 2, 1), (2, 2, 2)], strict=True)
        )
        found.append(nested_components(50 + sum(effects))["variance"].to_numpy())
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / runs**0.5
    assert (np.abs(mean - true) < 4 * error).all() and error.max() < 0.15
    assert (np.array(found)[:, 1] < 0).any()  # no component is cut off at 0, which would lift its mean


def rows(**changes):
    """Eight students of one method, in a mixed order; the accuracy tells their place."""
    made = []
    for teacher, image, student in reversed(list(np.ndindex(2, 2, 2))):
        images, student_seed = 100 + 100 * image + teacher, 1000 + 100 * image + 10 * student + teacher
        settings = {"pretrain": {"seed": teacher}, "distill": {"seed": images}}
        settings |= {"relabel": {"seed": student_seed}, "evaluate": {"seed": student_seed}}
        accuracy = 40 + 10 * teacher + 4 * image + student
        made.append({"method": "a", "ipc": 3, "settings": json.dumps(settings), "last_top1": accuracy} | changes)
    return made


def test_rows_are_told_apart_by_their_seeds():
    table = variance_components(pd.DataFrame([*rows(), *rows(method="b", last_top1=7.0)]))
    assert table["method"].tolist() == ["a"] * 3 + ["b"] * 3
    # Halves of squared gaps: 1 within sets; (4² / 2 · 2 = 16) between sets; (10² / 2 · 4 = 200) between teachers.
    assert table["mean_square"].tolist() == [200, 16, 0.5, 0, 0, 0]
    assert table["variance"].tolist() == [46, 7.75, 0.5, 0, 0, 0]
    assert variance_components(pd.DataFrame(columns=["method", "ipc", "settings", "last_top1"])).empty


@pytest.mark.parametrize("kept", [slice(0, 7), slice(0, 6), slice(0, 4)])
def test_unbalanced_rows_are_refused(kept):
    with pytest.raises(ArtefactError, match="expected"):
        variance_components(pd.DataFrame(rows()[kept]))


def test_a_student_that_is_there_twice_is_refused():
    with pytest.raises(ArtefactError, match="expected as many everywhere"):
        variance_components(pd.DataFrame([*rows(), *rows()]))


def test_a_table_shows_deviations_in_points():
    """Roots of 46, 7.75 and 0.5; an estimate below 0, where students differ by more than sets, is shown as 0."""
    place = dict(
        scale="reduced", dataset="cub200", image_set="cub200", images_fingerprint="f", classes="", image_size=96
    )
    noisy = [row | {"last_top1": 40.0 + 4 * (number % 2)} for number, row in enumerate(rows(method="b"))]
    frame = pd.DataFrame([row | place for row in (*rows(), *noisy)])
    table = show.variance_table(variance_components(frame, [*PLACE, "method", "ipc"]))
    cells = [line.split(">")[-1] for line in table.split("</td>")]
    assert [cell for cell in cells if "." in cell] == ["6.78", "2.78", "0.71", "0.00", "0.00", "2.83"]
    assert "sets of images of one teacher" in table and "reduced scale, cub200" in table
    assert "not measured" in show.variance_table(variance_components(frame[:0]))
