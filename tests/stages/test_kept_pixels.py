"""Which pixels optimisation may change: exactly those, and as many whatever the mask."""

import dataclasses

import pytest
import torch

from fd2lib.ground import SettingError, build_settings, identity
from fd2lib.measure import attention_maps
from fd2lib.models import Teacher
from fd2lib.stages import DistillInputs, load_distilled, run_distill, to_unit
from fd2lib.stages.kept import kept_pixels


@pytest.fixture(scope="module", params=["cal", "plain"])
def masks(request, data, teachers):
    """Kind of teacher, bytes with their labels, and the two masks."""
    teacher = Teacher.load(teachers[request.param])
    images, labels = data.train.take(torch.arange(10)), data.train.labels[:10]
    made = [
        kept_pixels(teacher, teacher.normalize(to_unit(images)), labels, name) for name in ("unattended", "shifted")
    ]
    return request.param, teacher, images, labels, *made


def test_a_third_of_each_image_is_kept_and_the_control_is_the_same_shape_elsewhere(masks):
    *_, unattended, shifted = masks
    for mask in (unattended, shifted):
        assert mask.shape == (10, 1, 32, 32) and mask.dtype == torch.bool
        assert mask.flatten(1).sum(1).tolist() == [32 * 32 // 3] * 10
    for row, column in ((0, 0), (5, 20), (31, 31)):
        moved = shifted[:, :, (row + 16) % 32, (column + 16) % 32]
        assert torch.equal(moved, unattended[:, :, row, column])
    assert not torch.equal(unattended, shifted)


def test_what_is_kept_is_where_the_teacher_looks(masks):
    """No pixel that is kept has less attention than one that is not; of the shifted mask that is not so."""
    kind, teacher, images, labels, unattended, shifted = masks
    maps = attention_maps(teacher, images, labels)["head_attention" if kind == "cal" else "class_activation"]
    large = torch.nn.functional.interpolate(maps[:, None], (32, 32), mode="bilinear", align_corners=False)

    def least_and_most(kept):
        return large.masked_fill(~kept, 1e9).flatten(1).amin(1), large.masked_fill(kept, -1).flatten(1).amax(1)

    least, most = least_and_most(unattended)
    assert (least >= most - 1e-5 * most.abs()).all()
    least, most = least_and_most(shifted)
    assert (least < most).any()


def test_pixels_are_ranked_by_hand():
    class Looking(torch.nn.Module):
        """A teacher that looks at one corner of a 2 × 2 map."""

        def forward(self, images, effect):
            maps = torch.tensor([[[[0.0, 0.0], [0.0, 1.0]]]]).expand(len(images), 1, 2, 2)
            attention = type("Attention", (), {"mean_attention": maps})
            return type("Output", (), {"attention": attention, "features": None})

    kept = kept_pixels(Looking(), torch.zeros(1, 3, 4, 4), torch.zeros(1), "unattended")[0, 0].int().tolist()
    # Enlarged to 4 × 4 the corner is 1 at (3, 3), 0.75 beside it, 0.5625 at (2, 2): five of sixteen, and of the two
    # next ones, 0.25 at (1, 3) and (3, 1), the upper.
    assert kept == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 1, 1]]


@pytest.mark.parametrize(("method", "kind"), [("sre2lpp_fd2", "cal"), ("sre2lpp", "plain")])
def test_kept_pixels_are_the_bytes_of_the_start(tmp_path, data, recipe, teachers, method, kind):
    made = {}
    for name in ("all", "unattended", "shifted"):
        settings = recipe(method, ipc=2, **{"distill.optimised": name, "distill.learning_rate": 0.1}).distill
        folder = run_distill(settings, DistillInputs(data, [teachers[kind]]), tmp_path / name, progress=False).folder
        made[name] = load_distilled(folder)
    assert all(torch.equal(made["all"].starts, one.starts) for one in made.values())
    teacher = Teacher.load(teachers[kind])
    for name in ("unattended", "shifted"):
        one = made[name]
        # The labels' chunks of one image index, which is what one optimisation sees.
        kept = kept_pixels(teacher, teacher.normalize(to_unit(one.starts)), one.labels, name).expand(-1, 3, -1, -1)
        assert torch.equal(one.images[kept], one.starts[kept])
        changed = (one.images != one.starts)[~kept].float().mean()
        assert changed > 0.5 and (made["all"].images != one.starts)[kept].float().mean() > 0.5
        assert not torch.equal(one.images, made["all"].images)


def test_what_keeps_pixels_is_another_run_and_what_cannot_says_so():
    given = {"ipc": 1, "seed": 0}
    every = build_settings("distill", given)
    assert "optimised" not in identity(every)
    assert identity(dataclasses.replace(every, optimised="shifted"))["optimised"] == "shifted"
    none = build_settings("distill", given | {"iterations": 0, "optimised": "shifted"})
    assert none.optimised == "all"  # nothing is optimised
    with pytest.raises(SettingError, match="images that change size keep no pixels"):
        build_settings("distill", given | {"phases": "1@24 1@32", "optimised": "shifted"})
