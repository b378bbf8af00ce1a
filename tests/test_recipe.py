"""Recipes: typed, whole, and read back as they were written."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from selfhvd.errors import InputError, UsageError
from selfhvd.training.job import first_network
from selfhvd.training.recipe import Recipe, as_toml, difference, read_recipe, typed

SHIPPED = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_what_is_not_mentioned_keeps_its_default(tmp_path):
    assert read_recipe(written(tmp_path, "")) == Recipe().resolved()
    read = read_recipe(written(tmp_path, "seed = 3\n[method.batch]\ncrop = 64\n"))
    batch = replace(Recipe().method.batch, crop=64)
    assert read == replace(Recipe(), seed=3, method=replace(Recipe().method, batch=batch)).resolved()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sead = 1", r"no key sead \(there are .*seed"),
        ("[method]\nstage = 1", r"no key method\.stage \(there are .*stage_one"),
        ("[method.stage_one]\nstep = 1", r"no key method\.stage_one\.step \(there are steps, "),
        ("[flow.certainty]\nwhat = 1", r"no key flow\.certainty\.what \(there are "),
        ("[method.loss]\nperseptual = 0.0", r"no key method\.loss\.perseptual"),
        ('seed = "1"', r"seed is wrong: .*integer"),
        ("seed = 1.0", r"seed is wrong: .*integer"),
        ("per_clip = 1", r"per_clip is wrong: .*boolean"),
        ('[method]\nteach = "me"', r"method\.teach is wrong: .*truth"),
        ("[method]\nstage_one = 3", r"method\.stage_one is wrong"),
        ("[method.stage_one]\nbetas = [0.9]", r"method\.stage_one\.betas"),
        ("[data]\nfolder = 1", r"data\.folder is wrong: .*string"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, text, said):
    with pytest.raises(UsageError, match=said):
        read_recipe(written(tmp_path, text))


@pytest.mark.parametrize("text", ["seed = ", "[data", b"\xff\xfe"])
def test_no_toml(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r"recipe\.toml is no recipe in TOML"):
        read_recipe(path)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="no recipe in TOML"):
        read_recipe(tmp_path / "none.toml")


def test_changes_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    path = written(tmp_path, "seed = 3\nsave_every = 7\n[method.stage_one]\nsteps = 5\nrate = 0.5\n")
    read = read_recipe(path, ["method.stage_one.steps=9", "seed=4", "seed=5"])
    assert (read.method.stage_one.steps, read.method.stage_one.rate, read.seed, read.save_every) == (9, 0.5, 5, 7)


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ("data.folder=some/where", "data.folder", Path("some/where")),
        ('data.folder="12"', "data.folder", Path("12")),
        ("per_clip=true", "per_clip", True),
        ("network.settings={features=8, blocks=3}", "network.settings", {"features": 8, "blocks": 3}),
        ("method.loss.oversharp=inf", "method.loss.oversharp", math.inf),
        ("method.stage_two.betas=[0.5, 0.6]", "method.stage_two.betas", (0.5, 0.6)),
        ("data.part=train", "data.part", "train"),
        ("flow.weights=a=b", "flow.weights", Path("a=b")),
    ],
)
def test_a_change(tmp_path, change, key, value):
    found = read_recipe(written(tmp_path, ""), [change])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize("change", ["seed", "=3", "a..b=1", ".seed=1"])
def test_no_change(tmp_path, change):
    with pytest.raises(UsageError, match="write KEY=VALUE"):
        read_recipe(written(tmp_path, ""), [change])


@pytest.mark.parametrize(("change", "said"), [("seed=abc", "seed is wrong"), ("sed=1", "no key sed")])
def test_a_change_is_typed_too(tmp_path, change, said):
    with pytest.raises(UsageError, match=said):
        read_recipe(written(tmp_path, ""), [change])


UNUSUAL = typed(
    {
        "seed": 11,
        "per_clip": True,
        "data": {"folder": 'a "b"/ü', "layout": "bsd", "part": "valid", "clips": 2},
        "network": {"backbone": "estrnn", "settings": {"features": 8, "colour": "rgb"}},
        "flow": {"name": "dis", "weights": "x.safetensors"},
        "method": {"teach": "truth", "loss": {"oversharp": math.inf}, "stage_one": {"rate": 1, "betas": [0.1, 1e-30]}},
        "restore": {"window": 7, "tile": 256},
    }
)


@pytest.mark.parametrize("recipe", [Recipe(), UNUSUAL], ids=["default", "unusual"])
def test_a_merged_recipe_reads_back_equal(tmp_path, recipe):
    read = read_recipe(written(tmp_path, as_toml(recipe)))
    assert read == recipe.resolved()
    assert difference(read, recipe) == []


def test_a_merged_recipe_holds_every_key():
    """So that a later version's defaults do not change what was run."""
    text = as_toml(Recipe())
    assert all(f"{key} =" in text for key in ("save_every", "own_label_weight", "oversharp", "occlusion_strength"))


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ({}, (20, 20)),
        ({"sharp": {"segment": 10}}, (10, 10)),
        ({"method": {"batch": {"segment": 10}}}, (20, 10)),
        ({"sharp": {"segment": 5}, "method": {"batch": {"segment": 10}}}, (5, 10)),
    ],
)
def test_rscr_has_the_segments_of_the_sharp_frames_unless_it_has_its_own(tmp_path, table, wanted):
    for recipe in (typed(table).resolved(), read_recipe(written(tmp_path, as_toml(typed(table))))):
        assert (recipe.sharp.segment, recipe.method.batch.segment) == wanted


def test_difference_names_keys():
    other = typed({"seed": 1, "method": {"stage_two": {"steps": 1}}, "network": {"settings": {"blocks": 2}}})
    assert difference(Recipe(), other) == ["method.stage_two.steps", "network.settings.blocks", "seed"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_recipe_that_comes_with_selfhvd(path):
    """It reads, differs from the defaults, and its network can be made or its weights asked for."""
    recipe = read_recipe(path)
    assert difference(recipe, Recipe())
    if recipe.network.weights == "scratch":
        assert sum(p.numel() for p in first_network(recipe).parameters()) > 1e5


def test_recipes_come_with_selfhvd():
    assert [path.stem for path in SHIPPED] == ["base-lite"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"backbone": "none"}, "no network called none; there are "),
        ({"settings": {"wide": 3}}, "network.settings: .*wide"),
        ({"weights": "x.safetensors", "settings": {"blocks": 3}}, 'settings are for weights = "scratch"'),
    ],
)
def test_a_network_that_cannot_be(table, said):
    with pytest.raises(UsageError, match=said):
        first_network(typed({"network": table}))


def test_settings_shape_the_network():
    assert first_network(typed({"network": {"backbone": "estrnn", "settings": {"blocks": 3}}})).config.blocks == 3


def test_the_seed_decides_the_first_weights():
    def first(seed: int):
        return first_network(typed({"seed": seed})).head.weight

    assert first(0).equal(first(0)) and not first(0).equal(first(1))
