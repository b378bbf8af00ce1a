"""`selfhvd train` in this process: what is written, what is refused, which clips are named."""

import logging
import re
import signal
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from clips_for_tests import film, never, views
from datasets_for_training import SIZE, command, draw, journal, losses, pairs, quick, spoil, stopping, tables, weights
from selfhvd.backbones import Lite
from selfhvd.errors import InputError, OutputError, Stopped, UsageError, WeightsError
from selfhvd.method.perceptual import Perceptual
from selfhvd.system.lock import locked
from selfhvd.training.checkpoint import older
from selfhvd.training.job import first_network, train
from selfhvd.training.recipe import read_recipe, typed
from selfhvd.weights import load_weights
from selfhvd.weights.facts import read_facts


def test_a_run_leaves_weights_recipe_journal_and_curves(whole, clips):
    assert read_recipe(whole / "recipe.toml") == quick(clips)
    network = load_weights(whole / "weights.safetensors", "lite")
    assert isinstance(network, Lite) and network.config.widths == (8, 8, 8)
    first = torch.cat([p.flatten() for p in first_network(quick(clips)).parameters()])
    last = torch.cat([p.flatten() for p in network.parameters()])
    assert last.isfinite().all() and not torch.equal(first, last)
    assert not (whole / "work").exists()
    events = [line["event"] for line in journal(whole)]
    assert events == ["begin", *["step"] * 8, "end"]
    assert list(losses(whole)) == [(f"stage {stage}", step) for stage in (1, 2) for step in (1, 2, 3, 4)]
    assert journal(whole)[0]["clips"] == 2 and journal(whole)[-1]["steps"] == 8


def test_curves_for_tensorboard(whole):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(whole / "tensorboard")).Reload()
    assert set(found.Tags()["scalars"]) == {f"stage {n}/{what}" for n in (1, 2) for what in ("loss", "norm", "rate")}
    told = {event.step: event.value for event in found.Scalars("stage 2/loss")}
    assert told == pytest.approx({step: losses(whole)["stage 2", step] for step in (1, 2, 3, 4)}, rel=1e-6)


@pytest.mark.slow
@pytest.mark.unchecked
def test_without_tensorboard(clips, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    caplog.set_level(logging.INFO, "selfhvd.training.log")
    train(quick(clips, steps=1), tmp_path / "run")
    assert [r.message for r in caplog.records if r.name == "selfhvd.training.log"] == [
        "no curves for TensorBoard: it is not installed (extra `tensorboard`)"
    ]
    assert (tmp_path / "run" / "weights.safetensors").exists() and not (tmp_path / "run" / "tensorboard").exists()


def test_a_finished_run_is_not_trained_again(whole, clips):
    before = (whole / "journal.jsonl").read_bytes()
    assert train(quick(clips), whole).result == whole / "weights.safetensors"
    assert (whole / "journal.jsonl").read_bytes() == before


@pytest.mark.unchecked
def test_stopped_again_and_again_it_goes_on_exactly(whole, clips, tmp_path):
    for stage, after in (("read", 1), ("align", 3), ("stage 1", 3), ("align again", 5), ("stage 2", 1)):
        with pytest.raises(Stopped):
            train(quick(clips), tmp_path, **stopping(after, stage))
        assert not (tmp_path / "weights.safetensors").exists()
    train(quick(clips), tmp_path)
    assert torch.equal(weights(tmp_path / "weights.safetensors"), weights(whole / "weights.safetensors"))
    assert losses(tmp_path) == losses(whole)


@pytest.mark.slow
@pytest.mark.unchecked
def test_steps_already_made_are_not_made_again(clips, tmp_path):
    with pytest.raises(Stopped):
        train(quick(clips), tmp_path, **stopping(3, "stage 2"))
    before = len(journal(tmp_path))
    train(quick(clips), tmp_path)
    assert [line.get("step", line["event"]) for line in journal(tmp_path)[before:]] == ["begin", 4, "end"]


def test_another_recipe_is_refused(whole, clips):
    other = replace(quick(clips), seed=3, save_every=9)
    with pytest.raises(
        OutputError, match=r"begun with another recipe \(save_every, seed\); give that, or another --out"
    ):
        train(other, whole)
    assert read_recipe(whole / "recipe.toml") == quick(clips)


def test_a_second_process_is_refused(clips, tmp_path):
    tmp_path.joinpath(".lock").touch()
    with (
        locked(tmp_path / ".lock", OutputError("")),
        pytest.raises(OutputError, match="Another selfhvd is training in"),
    ):
        train(quick(clips), tmp_path)
    assert not (tmp_path / "recipe.toml").exists()


@pytest.mark.unchecked
def test_a_damaged_state_is_named(clips, tmp_path):
    with pytest.raises(Stopped):
        train(quick(clips), tmp_path, **stopping(1))
    state = tmp_path / "work" / "state.ckpt"
    for damaged in (state, older(state)):
        damaged.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"state\.ckpt\S* is no state of this training; remove it"):
        train(quick(clips), tmp_path)


def test_a_batch_that_cannot_be_shared(clips, tmp_path, monkeypatch):
    import selfhvd.training.job as job

    class Three:
        count, rank = 3, 0

    monkeypatch.setattr(job, "together", lambda device: Three)
    with pytest.raises(UsageError, match="A batch of 2 cannot be shared evenly by 3 processes"):
        train(quick(clips), tmp_path)


def test_a_folder_that_cannot_be_written(clips, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        train(quick(clips), tmp_path / "file" / "run")


def test_weights_that_are_not_there(clips, tmp_path):
    network = {"backbone": "lite", "weights": str(tmp_path / "none.safetensors")}
    with pytest.raises(WeightsError, match="none"):
        train(quick(clips, network=network), tmp_path / "run")


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"network": {"backbone": "litte"}}, UsageError),
        ({"network": {"settings": {"width": [8, 8, 8]}}}, UsageError),
        ({"network": {"backbone": "lite", "weights": "none.safetensors"}}, WeightsError),
        ({"network": {"backbone": "estrnn", "weights": "at-hand"}}, WeightsError),
        ({"flow": {"name": "raft", "weights": "none.safetensors"}}, WeightsError),
        ({"data": {"folder": "nowhere"}}, InputError),
        ({"method": {"loss": {"perceptual_weights": "required"}}}, WeightsError),
    ],
)
def test_what_is_not_there_is_missed_before_any_clip_is_read(clips, tmp_path, monkeypatch, wrong, error):
    monkeypatch.setattr("selfhvd.training.job.read_clips", None)
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "cache"))
    with pytest.raises(error):
        train(quick(clips, **wrong), tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Plain(Perceptual):
    """Stands in for VGG: the pixels themselves are the features."""

    def __init__(self):
        torch.nn.Module.__init__(self)

    def forward(self, output, target):
        return (output - target).abs().mean(dim=(2, 3, 4))


@pytest.mark.parametrize("began", [True, False])
def test_the_notes_say_what_the_perceptual_term_was(clips, tmp_path, monkeypatch, began):
    """A run that began without VGG goes on without it, also where it has come since."""
    at_hand = [Plain() if began else None]
    monkeypatch.setattr("selfhvd.training.job.find_perceptual", lambda device, required: at_hand[0])
    recipe = typed(tables(clips, 2) | {"method": tables(clips, 2)["method"] | {"loss": {"perceptual": 1.0}}})
    with pytest.raises(Stopped):
        train(recipe, tmp_path, **stopping(1, "stage 1"))
    at_hand[0] = Plain()
    train(recipe, tmp_path)
    wanted = "on" if began else "off"
    assert read_facts(tmp_path / "weights.safetensors").notes["perceptual"] == wanted
    assert journal(tmp_path)[-1]["perceptual"] is began


@pytest.mark.unchecked
def test_a_recipe_that_came_to_no_step_does_not_keep_the_folder(clips, tmp_path):
    """It finds no truth; the mended one finds its clips by its own settings."""
    root = pairs(tmp_path / "clips", ["a"], truth=())
    with pytest.raises(InputError, match="no clip to learn from"):
        train(typed(truthful(root)), tmp_path / "run")
    with pytest.raises(Stopped):
        train(quick(root), tmp_path / "run", **stopping(1, "align"))
    mended = quick(root, steps=1)
    train(mended, tmp_path / "run")
    assert read_recipe(tmp_path / "run" / "recipe.toml") == mended
    assert [line["event"] for line in journal(tmp_path / "run")] == ["begin", "step", "step", "end"]


@pytest.mark.unchecked
def test_a_recipe_that_came_to_a_step_keeps_the_folder(clips, tmp_path):
    with pytest.raises(Stopped):
        train(quick(clips), tmp_path, **stopping(1, "stage 1"))
    (tmp_path / "journal.jsonl").unlink()  # the state alone says so
    with pytest.raises(OutputError, match="begun with another recipe"):
        train(quick(clips, steps=3), tmp_path)


def test_given_weights_are_gone_on_with(clips, whole, tmp_path):
    given = whole / "weights.safetensors"
    recipe = quick(clips, steps=0, network={"backbone": "lite", "weights": str(given)})
    train(recipe, tmp_path)
    assert torch.equal(weights(tmp_path / "weights.safetensors"), weights(given))


def truthful(folder, steps: int = 4, **batch):
    table = tables(folder, steps)
    table["method"] |= {"teach": "truth", "batch": table["method"]["batch"] | batch}
    return table


@pytest.mark.slow
@pytest.mark.unchecked
def test_the_truth_is_learned_from(clips, tmp_path):
    """Supervised, for 60 steps: nearer to the truth than what it was given, which it starts as."""
    table = truthful(clips, 60, size=4)
    table["method"]["stage_two"] = {"steps": 0}
    train(typed(table), tmp_path)
    found = list(losses(tmp_path).values())
    assert 0 < sum(found[-10:]) < 0.8 * sum(found[:10])


@pytest.mark.slow
def test_a_network_without_guides_learns_the_truth_without_alignment(clips, tmp_path, monkeypatch):
    import selfhvd.training.precompute as making

    monkeypatch.setattr(making, "align_guides", None)
    table = truthful(clips, 2, window=4, size=1) | {
        "network": {"backbone": "estrnn", "settings": {"features": 4, "blocks": 1}}
    }
    train(typed(table), tmp_path)
    assert weights(tmp_path / "weights.safetensors").isfinite().all()


@pytest.mark.slow
@pytest.mark.unchecked
def test_unusable_clips_are_named_and_the_rest_is_learned_from(run, tmp_path):
    """Each of what can be wrong, in one dataset."""
    names = ["good", "broken", "uneven", "no-truth", "truth-broken", "still", "tiny"]
    root = pairs(tmp_path / "clips", names)
    spoil(root / "blur" / "broken" / "007.png")
    spoil(root / "sharp" / "truth-broken" / "008.png")
    cv2.imwrite(str(root / "blur" / "uneven" / "006.png"), np.zeros((40, 64, 3), np.uint8))
    for path in (root / "sharp" / "no-truth").iterdir():
        path.unlink()
    for part in ("blur", "sharp"):
        for path in (root / part / "tiny").iterdir():
            cv2.imwrite(str(path), np.zeros((24, 24, 3), np.uint8))
    done = command(run, tmp_path, truthful(root, 1))
    assert done.code == 7, done.err
    assert done.out == f"{tmp_path}/run/weights.safetensors\n"
    for name in ("broken", "uneven", "no-truth", "truth-broken", "tiny"):
        assert re.search(rf"selfhvd: .*{name}", done.err), name
    assert "selfhvd: 5 of 7 clips could not be used" in done.err
    events = journal(tmp_path / "run")
    assert [line["event"] for line in events].count("fault") == 5
    assert next(line for line in events if line["event"] == "begin")["clips"] == 2
    again = command(run, tmp_path, truthful(root, 1))
    assert again.code == 7 and "5 of 7" in again.err


@pytest.mark.slow
@pytest.mark.unchecked
def test_a_clip_without_sharp_frames_teaches_nothing(run, tmp_path):
    root = pairs(tmp_path / "clips", ["good"], truth=())
    draw(root / "grey", [np.full((48, 64, 3), 90, np.uint8)] * 12)
    draw(root / "blurry", views(12, **SIZE, sharp=never))
    done = command(run, tmp_path, tables(root, 1))
    named = [line for line in done.err.splitlines() if line.startswith("selfhvd: Clip ")]
    assert done.code == 7 and all("nothing to learn" in line for line in named), done.err
    assert {line.split()[2] for line in named} <= {"grey:", "blurry:"} and named


def test_no_truth_to_be_taught(run, tmp_path):
    root = pairs(tmp_path / "clips", ["a"], truth=())
    done = command(run, tmp_path, truthful(root, 1))
    assert done.code == 3
    assert "Clip a: there is no truth to learn from; leave the clip out, or teach sharp-frames." in done.err
    assert "has no clip to learn from" in done.err


@pytest.mark.slow
@pytest.mark.unchecked
def test_the_truth_is_not_read_where_it_is_not_taught(run, tmp_path):
    root = pairs(tmp_path / "clips")
    for path in root.glob("sharp/*/00[1-9].png"):
        spoil(path)
    assert command(run, tmp_path, tables(root, 1)).code == 0


@pytest.mark.unchecked
def test_changes_on_the_command_line(run, tmp_path, clips):
    done = command(
        run, tmp_path, tables(clips, 5), "--set", "method.stage_one.steps=1", "--set", "method.stage_two.steps=1"
    )
    assert done.code == 0 and list(losses(tmp_path / "run")) == [("stage 1", 1), ("stage 2", 1)]


@pytest.mark.slow
@pytest.mark.unchecked
def test_a_dataset_of_videos(tmp_path):
    """Decoded once, and gone on with from what was laid out."""
    root = tmp_path / "clips"
    root.mkdir()
    for name in ("a", "b"):
        film(root / f"{name}.mp4", views(12, **SIZE))
    recipe = quick(root, 2, data={"folder": str(root), "layout": "videos"})
    with pytest.raises(Stopped):
        train(recipe, tmp_path / "run", **stopping(1))
    frames = sorted(tmp_path.glob("run/cache/*/frames/frames/*.frame"))
    stamps = [path.stat().st_mtime_ns for path in frames]
    train(recipe, tmp_path / "run")
    assert len(frames) == 24 and stamps == [path.stat().st_mtime_ns for path in frames]
    assert (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.unchecked
def test_signals_are_given_back(run, tmp_path, clips):
    before = signal.getsignal(signal.SIGINT)
    assert command(run, tmp_path, tables(clips, 1)).code == 0
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
@pytest.mark.unchecked
def test_a_line_cut_off_by_a_full_disk_does_not_spoil_the_journal(clips, tmp_path):
    (tmp_path / "journal.jsonl").write_text('{"event": "st')
    train(quick(clips, 1), tmp_path)
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert lines[0] == '{"event": "st' and '"begin"' in lines[1]


def test_a_file_of_weights_says_how_it_was_made(whole, run):
    told = run("weights", "info", whole / "weights.safetensors").out
    assert "2 clips of" in told and "steps" in told
