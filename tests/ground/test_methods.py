"""Methods, teachers, bundles and studies as data."""

import dataclasses

import pytest

from fd2lib.ground import (
    DistillSettings,
    SettingError,
    identity,
    list_bundles,
    list_methods,
    list_teacher_kinds,
    load_recipe,
    read_tables,
)


def _recipe(**changes):
    return load_recipe(**{"scale": "paper", "dataset": "cub200", "method": "sre2lpp_fd2", **changes})


def _differing(first, second):
    return {key for key, value in first.values().items() if second.values().get(key) != value}


def test_the_paper_scale_is_the_papers_reading():
    for method in list_methods():
        for student in ("resnet18", "resnet50"):
            plain, bundled = (_recipe(method=method, backbone=student, bundle=bundle) for bundle in ("", "paper"))
            assert plain.values() == bundled.values()


DISPUTED = {
    "general.headline",
    "pretrain.views",
    "pretrain.prototype_rule",
    "distill.mosaics",
    "distill.prototype_norm",
    "distill.characteristic_weight",
    "distill.similarity_weight",
    "distill.similarity_views",
    "distill.base_cross_entropy",
}


def test_both_bundles_name_the_same_settings():
    names = []
    for bundle in list_bundles():
        table = {key: value for key, value in read_tables("bundles")[bundle].items() if key != "title"}
        stages = [group if name == "all" else None for name, group in table.items()]
        flat = {f"{stage}.{name}" for group in stages if group for stage, own in group.items() for name in own}
        flat |= {f"{stage}.{name}" for piece in table["piece"].values() for stage, own in piece.items() for name in own}
        names.append(flat)
    assert names[0] == names[1] >= DISPUTED


def test_an_unknown_bundle_teacher_or_method_names_the_choices():
    with pytest.raises(SettingError, match=r"'relase'.*release"):
        _recipe(bundle="relase")
    with pytest.raises(SettingError, match=r"'CAL'.*cal"):
        _recipe(teacher_kind="CAL")
    with pytest.raises(SettingError, match=r"'plain'.*probed"):
        _recipe(teacher_kind="plain")
    assert set(list_teacher_kinds()) == {"plain", "probed", "crops", "cal"}


def test_label_teachers_are_of_the_kind_asked_for_and_images_do_not_change():
    own, other = _recipe(), _recipe(label_teacher_kind="plain")
    assert own.distill == other.distill and own.teacher_settings == other.teacher_settings
    assert not other.label_teacher_settings[0].attention
    assert other.label_teacher_settings == _recipe(method="sre2lpp").teacher_settings


def test_cal_alone_differs_from_both_only_in_the_constraints():
    alone, both = _recipe(method="sre2lpp", teacher_kind="cal"), _recipe()
    assert alone.teacher_settings == both.teacher_settings
    assert _differing(alone, both) == {"distill.characteristic_weight", "distill.similarity_weight"}


def test_teachers_that_share_a_backbone_have_seeds_of_their_own():
    seeds = [
        teacher.seed for teacher in _recipe(teacher_backbones="resnet18 resnet50 resnet18", seed=3).teacher_settings
    ]
    assert seeds[0] == seeds[1] == 3 != seeds[2]


def test_students_can_be_of_another_architecture():
    recipe = _recipe(backbone="resnet18", student="resnet50", bundle="release")
    assert recipe.pretrain.backbone == "resnet18"
    assert (recipe.evaluate.student, recipe.evaluate.student_init) == ("resnet50", "imagenet")


def test_true_classes_ask_no_teacher():
    recipe = _recipe(method="random", overrides="evaluate.labels=hard")
    assert not recipe.needs_label_teachers and not recipe.needs_image_teachers
    assert recipe.relabel.store is False
    assert _recipe(method="rded").needs_image_teachers
    whole = _recipe(method="whole_set", ipc=3)
    assert (whole.distill.ipc, whole.relabel.ipc, whole.evaluate.labels) == (0, 0, "hard")


def test_sets_without_images_are_refused():
    with pytest.raises(SettingError, match="expected at least 1"):
        _recipe(ipc=0)
    with pytest.raises(SettingError, match="start 'all' with"):
        dataclasses.replace(_recipe().distill, start="all")


def test_a_setting_added_later_identifies_a_run_only_where_it_was_changed():
    plain = _recipe(method="sre2lpp").distill
    later = {
        field.name
        for field in dataclasses.fields(DistillSettings)
        if field.metadata["before"] is not dataclasses.MISSING
    }
    assert later and not later & identity(plain).keys()
    changed = dataclasses.replace(plain, residual=0.5)
    assert identity(changed) == identity(plain) | {"residual": 0.5}
    assert identity(plain).keys() | later == dataclasses.asdict(plain).keys()
