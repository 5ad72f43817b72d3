"""Settings and recipes: strict about names, types and ranges, and able to say where every value comes from."""

import dataclasses

import pytest

from fd2lib.ground import (
    SCALES,
    SettingError,
    build_settings,
    identity,
    list_methods,
    load_recipe,
    parse_numbers,
    parse_overrides,
)
from fd2lib.ground.by_stage import STAGES


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", list_methods())
@pytest.mark.parametrize("dataset", ["plumage", "cub200", "cifar10", "folder"])
def test_every_recipe_resolves_and_names_the_source_of_each_value(scale, method, dataset):
    recipe = load_recipe(scale, dataset=dataset, method=method)
    names = {f"{stage}.{field.name}" for stage, kind in STAGES.items() for field in dataclasses.fields(kind)}
    assert names <= set(recipe.values()) <= set(recipe.sources)
    assert all(source.strip() for source in recipe.sources.values())


def test_paper_scale_has_the_methods_numbers():
    recipe = load_recipe("paper", dataset="cub200", backbone="resnet50", method="sre2lpp_fd2", ipc=3)
    assert (recipe.pretrain.num_maps, recipe.pretrain.attention_ratio) == (8, 0.3)
    assert recipe.distill.attention_ratio == 0.3
    assert (recipe.distill.iterations, recipe.distill.learning_rate) == (10000, 1e-3)
    assert (recipe.distill.characteristic_weight, recipe.distill.similarity_weight) == (0.8, 0.2)
    assert (recipe.pretrain.epochs, recipe.pretrain.batch_size, recipe.image_size) == (51, 4, 224)
    assert (recipe.relabel.epochs, recipe.relabel.batch_size, recipe.evaluate.temperature) == (400, 20, 20.0)
    cars = load_recipe("paper", dataset="cars196", backbone="densenet121", method="sre2lpp_fd2")
    assert (cars.pretrain.num_maps, cars.pretrain.attention_ratio, cars.relabel.batch_size) == (32, 0.4, 14)
    assert cars.distill.iterations == 4000


def test_a_base_methods_teacher_is_plain():
    recipe = load_recipe("paper", dataset="cub200", method="sre2lpp")
    assert not recipe.pretrain.attention
    assert (recipe.pretrain.learning_rate, recipe.pretrain.batch_size, recipe.pretrain.epochs) == (1e-2, 32, 100)
    assert (
        recipe.distill.attention_ratio == recipe.distill.characteristic_weight == recipe.distill.similarity_weight == 0
    )


def test_fd2_differs_from_its_base_only_in_teacher_and_constraints():
    base, fd2 = (load_recipe("reduced", dataset="cub200", method=name) for name in ("sre2lpp", "sre2lpp_fd2"))
    differing = {
        f"{stage}.{field.name}"
        for stage, kind in STAGES.items()
        for field in dataclasses.fields(kind)
        if getattr(getattr(base, stage), field.name) != getattr(getattr(fd2, stage), field.name)
    }
    assert differing == {
        "pretrain.attention",
        "distill.base_cross_entropy",
        "distill.attention_ratio",
        "distill.characteristic_weight",
        "distill.similarity_weight",
    }


def test_random_real_optimises_nothing_whatever_is_asked_of_the_others():
    asked = dict(dataset="cub200", method="random", overrides="distill.iterations=9 relabel.epochs=3")
    recipe = load_recipe("reduced", **asked, strict=False)
    assert (recipe.distill.iterations, recipe.distill.start, recipe.relabel.epochs) == (0, "whole", 3)
    assert [text.split(":")[0] for text in recipe.not_followed] == ["distill.iterations=9"]
    with pytest.raises(SettingError, match=r"iterations=9 is not of method 'random'.*0.*Take .*sre2lpp"):
        load_recipe("reduced", **asked)
    same = load_recipe("reduced", dataset="cub200", method="random", overrides="distill.iterations=0")
    assert not same.not_followed  # what it is anyway


@pytest.mark.parametrize("key", ["distill.ipc", "relabel.ipc", "pretrain.seed", "pretrain.backbone", "relabel.threads"])
def test_what_has_a_name_of_its_own_is_no_override(key):
    with pytest.raises(SettingError, match=rf"override {key} is not followed: give "):
        load_recipe("toy", dataset="plumage", method="sre2lpp", overrides={key: 2})


def test_images_and_students_may_have_seeds_of_their_own():
    def seeds(**asked):
        recipe = load_recipe("reduced", dataset="plumage", method="fadrm_fd2", seed=3, **asked)
        teachers = [one.seed for one in (*recipe.teacher_settings, *recipe.label_teacher_settings)]
        return teachers, [getattr(recipe, stage).seed for stage in ("distill", "relabel", "evaluate")]

    assert seeds() == ([3, 4, 3, 4], [3, 3, 3])
    apart = "general.image_seed_offset=10 general.student_seed_offset=100"
    assert seeds(overrides=apart) == ([3, 4, 3, 4], [13, 103, 103])
    assert seeds(overrides=f"{apart} distill.seed=7 evaluate.seed=9") == ([3, 4, 3, 4], [7, 103, 9])
    recipe = load_recipe("toy", dataset="plumage", method="random", overrides=apart)
    assert recipe.sources["distill.seed"] == "caller and general.image_seed_offset"
    assert recipe.sources["pretrain.seed"] == "caller"


def test_the_number_of_threads_is_one_for_all_stages_and_part_of_what_is_fixed():
    one, two = (
        load_recipe("toy", dataset="plumage", method="sre2lpp", overrides=f"general.threads={number}")
        for number in (1, 2)
    )
    assert [getattr(two, stage).threads for stage in STAGES] == [2] * 4
    assert "threads" not in identity(one.distill) and identity(two.distill)["threads"] == 2


def test_weights_of_a_file_are_known_by_what_is_in_it(tmp_path):
    first, copy = tmp_path / "first.pth", tmp_path / "deeper" / "copy.pth"
    copy.parent.mkdir()
    for path in (first, copy):
        path.write_bytes(b"weights")
    settings = [build_settings("pretrain", {"backbone": "a", "seed": 0, "init": str(path)}) for path in (first, copy)]
    assert identity(settings[0]) == identity(settings[1])
    before = identity(settings[0])["init"]
    first.write_bytes(b"other weights")
    assert identity(settings[0])["init"] != before
    with pytest.raises(SettingError, match=r"nowhere\.pth"):
        identity(build_settings("pretrain", {"backbone": "a", "seed": 0, "init": str(tmp_path / "nowhere.pth")}))


def test_overrides_are_split_at_any_white_space_and_values_may_hold_blanks():
    text = 'distill.phases="3@40 4@48"\nrelabel.epochs=3,\tdistill.start=whole'
    expected = {"distill.phases": "3@40 4@48", "relabel.epochs": 3, "distill.start": "whole"}
    assert parse_overrides(text) == expected
    with pytest.raises(SettingError, match="#"):
        parse_overrides("relabel.epochs=3 # few")


def test_overrides_from_text_reach_the_settings_and_their_sources():
    recipe = load_recipe(
        "toy",
        dataset="plumage",
        method="sre2lpp",
        overrides="distill.iterations=7, distill.start=pool2 relabel.store=false",
    )
    assert (recipe.distill.iterations, recipe.distill.start, recipe.relabel.store) == (7, "pool2", False)
    assert recipe.sources["distill.iterations"] == "override"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (dict(scale="huge"), ["huge", "toy, reduced, paper"]),
        (dict(method="sre2lp"), ["sre2lp", "Did you mean 'sre2lpp'"]),
        (dict(overrides="distill.iteration=3"), ["distill.iteration", "distill.iterations"]),
        (dict(overrides="iterations=3"), ["iterations=3", "stage.setting=value"]),
        (dict(overrides="general.thread=3"), ["thread", "Did you mean 'threads'"]),
        (dict(overrides="distill.iterations=3.5"), ["3.5", "expected int"]),
        (dict(overrides="distill.iterations=-1"), ["distill.iterations is -1", "between 0 and"]),
        (dict(overrides="distill.start=middle"), ["middle", "noise, pool1, pool2, whole"]),
        (dict(overrides="pretrain.attention_ratio=1.5"), ["1.5", "between 0 and 1"]),
        (dict(overrides="pretrain.learning_rate=nan"), ["pretrain.learning_rate is nan", "between 0 and"]),
        (dict(overrides="pretrain.learning_rate=inf"), ["pretrain.learning_rate is inf"]),
        (dict(overrides="distill.bn_weight=1e30"), ["1e+30", "1e+06"]),
        (dict(overrides="pretrain.momentum=1"), ["pretrain.momentum is 1.0", "less than 1"]),
        (dict(overrides="distill.shift=99999999999999999999"), ["distill.shift", "2048"]),
        (dict(overrides=r"distill.phases=1@1_0"), ["1@1_0", "share@pixels"]),
        (dict(seed=2**63), ["seed is 9223372036854775808"]),
        (dict(ipc=10**11), ["distill.ipc is 100000000000", "1000000"]),
    ],
)
def test_wrong_names_and_values_are_refused_in_one_line(call, words):
    with pytest.raises(SettingError) as caught:
        load_recipe(**{"scale": "toy", "dataset": "plumage", "method": "sre2lpp", **call})
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_build_settings_says_what_is_missing():
    with pytest.raises(SettingError, match=r"lack seed, student"):
        build_settings("evaluate", {})
    with pytest.raises(SettingError, match="unknown stage"):
        build_settings("squeeze", {})


def test_parse_overrides_accepts_mappings_and_nothing():
    assert parse_overrides(None) == {}
    assert parse_overrides({"a.b": 1}) == {"a.b": 1}
    assert parse_overrides("a.b=1e-3 a.c=true a.d=word") == {"a.b": 1e-3, "a.c": True, "a.d": "word"}


def test_parse_numbers_takes_whole_numbers_and_nothing_else():
    assert parse_numbers("ipc", "1, 3") == [1, 3]
    for text in ("", "1,", "1.5", "1 3", "one"):
        with pytest.raises(SettingError, match=r"^ipc is .*; expected whole numbers"):
            parse_numbers("ipc", text)
