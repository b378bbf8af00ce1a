"""`selfhvd train --per-clip`: each clip by itself, finished ones passed over, one cut off gone on with."""

import cv2
import numpy as np
import pytest
import torch

from datasets_for_training import command, journal, pairs, quick, spoil, stopping, tables, weights
from selfhvd.datasets import open_dataset
from selfhvd.errors import Stopped
from selfhvd.extensions.selection import find_sharp
from selfhvd.restore.restorer import Restorer
from selfhvd.system.device import settle
from selfhvd.training.job import train
from selfhvd.training.recipe import Recipe
from selfhvd.weights import load_weights
from selfhvd.weights.choose_flow import choose_flow

pytestmark = pytest.mark.unchecked


def recipe(folder, **tops) -> Recipe:
    return quick(folder, 3, per_clip=True, **tops)


@pytest.fixture(scope="module")
def whole(clips, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole")
    train(recipe(clips), run)
    return run


def pictures(run) -> dict[str, bytes]:
    """Those of finished clips."""
    found = sorted((run / "restored").glob("[!.]*/*.png"))
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


def test_each_clip_has_its_weights_and_its_frames(whole, clips):
    assert list(pictures(whole)) == [f"restored/{name}/{index:08d}.png" for name in "ab" for index in range(12)]
    a, b = (weights(whole / "weights" / f"{name}.safetensors") for name in "ab")
    assert a.isfinite().all() and not torch.equal(a, b)
    assert not (whole / "work").exists() and not (whole / "weights.safetensors").exists()
    assert [line["clip"] for line in journal(whole) if line["event"] == "end"] == ["a", "b"]


def test_the_frames_are_what_the_weights_make_of_the_clip(whole, clips):
    """As the recipe says: sharp frames too go through the network."""
    clip = open_dataset(clips).clips[1]
    network = settle(load_weights(whole / "weights" / "b.safetensors", "lite"), torch.device("cpu"))
    predictor = choose_flow("dis", None, torch.device("cpu"), recipe(clips).flow.certainty)
    selection = find_sharp(clip.frames, [False] * 12)
    made = Restorer(network, clip.frames, selection, predictor, recipe(clips).align, recipe(clips).restore)
    for index, frame in enumerate(made):
        wanted = (255 * frame).round().byte().permute(1, 2, 0).numpy()
        found = cv2.imread(str(whole / "restored" / "b" / f"{index:08d}.png"))[..., ::-1]
        assert np.array_equal(found, wanted), index


@pytest.mark.slow
def test_a_clip_does_not_depend_on_the_others(whole, clips, tmp_path):
    """The same start and the same draws, whichever clip came before."""
    train(recipe(clips / "blur" / "b"), tmp_path)
    alone = next(tmp_path.rglob("*.safetensors"))
    assert torch.equal(weights(alone), weights(whole / "weights" / "b.safetensors"))


@pytest.mark.slow
def test_stopped_in_the_middle_of_clips_it_goes_on_there(whole, clips, tmp_path):
    """Twice in the first clip, once in the second; what is finished is passed over."""
    began, steps = [], []
    for stage, after in (("stage 2, clip 1 of 2", 1), ("restore", 5), ("stage 1, clip 2 of 2", 2), ("none", 0)):
        lines = len(journal(tmp_path)) if began else 0
        if stage == "none":
            mark = tmp_path / "restored" / "a" / "00000003.png"
            right = mark.read_bytes()
            mark.write_bytes(b"untouched")
            train(recipe(clips), tmp_path)
            assert mark.read_bytes() == b"untouched"
            mark.write_bytes(right)
        else:
            with pytest.raises(Stopped):
                train(recipe(clips), tmp_path, **stopping(after, stage))
            assert len(pictures(tmp_path)) == (12 if "clip 2" in stage else 0)
        told = journal(tmp_path)[lines:]
        began.append([line.get("clip") for line in told if line["event"] == "begin"])
        steps.append(next(((line["stage"], line["step"]) for line in told if line["event"] == "step"), None))
    assert pictures(tmp_path) == pictures(whole)
    assert began == [["a"], ["a"], ["a", "b"], ["b"]]
    assert steps == [("stage 1", 1), ("stage 2", 2), ("stage 2", 3), ("stage 1", 3)]


@pytest.mark.slow
def test_a_clip_may_be_mended_afterwards(run, tmp_path):
    root = pairs(tmp_path / "clips")
    path = root / "blur" / "a" / "005.png"
    good = path.read_bytes()
    spoil(path)
    table = tables(root, 1)
    broken = command(run, tmp_path, table, "--per-clip")
    assert broken.code == 7 and "Clip a: " in broken.err and broken.out == f"{tmp_path}/run/restored\n"
    assert {name.split("/")[1] for name in pictures(tmp_path / "run")} == {"b"}
    path.write_bytes(good)
    mended = command(run, tmp_path, table, "--per-clip")
    assert mended.code == 0, mended.err
    assert {name.split("/")[1] for name in pictures(tmp_path / "run")} == {"a", "b"}


def test_the_outputs_can_be_measured(whole, clips, run):
    """By the very folder, as `selfhvd evaluate` wants it."""
    done = run("evaluate", whole / "restored", "--dataset", clips, "--json")
    assert done.code == 0 and '"psnr"' in done.out.lower(), done.err
