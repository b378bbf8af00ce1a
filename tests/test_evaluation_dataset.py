"""`selfhvd evaluate --dataset`: outputs of a network, of files and of the baselines over a dataset."""

import csv
import json
import math
from functools import partial

import cv2
import numpy as np
import pytest

from clips_for_tests import always, film, names, paint, views
from selfhvd.backbones import EstRnn, EstRnnConfig
from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.research.evaluation import (
    Composited,
    EvaluationConfig,
    Given,
    Outputs,
    Restored,
    Untouched,
    evaluate_dataset,
)
from selfhvd.research.evaluation.dataset_tables import FILES, as_markdown, clips_csv, frames_csv, means_csv, tables
from selfhvd.synthesis import ClipLabel
from selfhvd.weights import save_weights

SHARP = (0, 4, 5)


def label(path, counts):
    path.parent.mkdir(exist_ok=True)
    ClipLabel("plain", 48, 64, counts, (0,) * len(counts), ((),) * len(counts), (0,)).save(path)


def pair(root, clip, count, sharp=SHARP):
    """A clip with its truth; of the label, the last frame calls itself sharp though it is not."""
    for folder in ("blur", "sharp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    paint(root / "blur" / clip, views(count, sharp=sharp))
    paint(root / "sharp" / clip, views(count, sharp=always))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Two clips with truth, the first with a label, the second all sharp; and results 3 and 6 levels off. Only read."""
    root = tmp_path_factory.mktemp("set")
    pair(root, "long", 8)
    pair(root, "short", 2, sharp=always)
    label(root / "labels" / "long.json", (1, 3, 3, 3, 1, 1, 3, 1))
    for clip, count, off in (("long", 8, 3), ("short", 2, 6)):
        (root / "results").mkdir(exist_ok=True)
        paint(root / "results" / clip, (image // 2 + np.uint8(off) for image in views(count, sharp=always)))
    for clip in ("long", "short"):
        for path in (root / "sharp" / clip).iterdir():
            cv2.imwrite(str(path), cv2.imread(str(path)) // 2)
    return root


@pytest.fixture(scope="module")
def given(shelf):
    return evaluate_dataset(shelf, Given(shelf / "results"), layout="pairs")


@pytest.fixture(scope="module")
def restored(tmp_path_factory):
    """A clip through the base weights, its frames kept: the set, the frames, the numbers."""
    root, kept = tmp_path_factory.mktemp("restored") / "set", tmp_path_factory.mktemp("kept") / "frames"
    pair(root, "a", 8)
    return root, kept, evaluate_dataset(root, Restored(device="cpu"), save_frames=kept)


def means(found):
    return {(m.over, m.group): m for m in found.means}


def test_both_means_by_hand(given):
    """PSNR of 3 and of 6 grey levels; the long clip has four times the frames."""
    small, large = (20 * math.log10(255 / off) for off in (3, 6))
    found = means(given)
    assert found["clips", "all"].values["psnr"] == pytest.approx((small + large) / 2, abs=1e-6)
    assert found["frames", "all"].values["psnr"] == pytest.approx((8 * small + 2 * large) / 10, abs=1e-6)
    assert found["clips", "sharp"].values["psnr"] == pytest.approx((small + large) / 2, abs=1e-6)
    assert found["frames", "sharp"].values["psnr"] == pytest.approx((4 * small + 2 * large) / 6, abs=1e-6)
    assert found["clips", "blurry"].values["psnr"] == pytest.approx(small, abs=1e-6)
    counts = {key: (mean.clips, mean.frames) for key, mean in found.items()}
    assert counts["clips", "all"] == (2, 10) and counts["frames", "sharp"] == (2, 6)
    assert counts["clips", "blurry"] == counts["frames", "blurry"] == (1, 4)


def test_labels_tell_the_frames_apart_where_there_are_any(given):
    """The label calls the last frame sharp, find_sharp does not: seven of eight agree."""
    long, short = given.clips
    assert (long.told_by, short.told_by) == ("label", "find_sharp")
    assert [f.index for f in long.frames if f.sharp] == [0, 4, 5, 7]
    assert all(f.sharp for f in short.frames)
    assert long.groups[0].values["sharp_accuracy"] == 7 / 8
    assert "sharp_accuracy" not in short.groups[0].values
    found = means(given)
    assert found["clips", "all"].values["sharp_accuracy"] == found["frames", "all"].values["sharp_accuracy"] == 7 / 8
    assert "Without a blurry frame: short." in given.notes
    assert any(note.startswith("1 of 2 clips have a label") for note in given.notes)


def test_the_accuracy_is_that_of_the_selected_frames(shelf):
    """Segments of two put one of 2 and 3, which are blurry, and one of 6 and 7 into S, beside 0, 4 and 5."""
    counted = EvaluationConfig(segment=1), EvaluationConfig(segment=2)
    one, two = (evaluate_dataset(shelf, Given(shelf / "results"), layout="pairs", config=c).clips for c in counted)
    assert one[0].groups[0].values["sharp_accuracy"] == 4 / 8
    assert two[0].groups[0].values["sharp_accuracy"] in (5 / 8, 7 / 8)
    assert [f.sharp for f in one[0].frames] == [f.sharp for f in two[0].frames]


@pytest.mark.slow
def test_the_network_gains_and_its_kept_frames_measure_the_same(restored):
    """What is measured is what is kept: 8 bits."""
    root, kept, found = restored
    untouched = evaluate_dataset(root, Untouched())
    gain = {key: means(found)[key].values["psnr"] - mean.values["psnr"] for key, mean in means(untouched).items()}
    assert gain["clips", "blurry"] > 0.5 and gain["clips", "sharp"] < 0
    assert means(untouched)["clips", "sharp"].values["psnr"] == 100
    assert names(kept) == ["a"] and names(kept / "a") == [f"{i:08d}.png" for i in range(8)]
    again = evaluate_dataset(root, Given(kept))
    assert again.clips == found.clips
    assert found.outputs.startswith("lite with its base weights as they are, guides aligned by dis; every frame")


def test_weights_of_a_network_that_looks_at_several_frames(restored, tmp_path):
    root, _, _ = restored
    save_weights(tmp_path / "w.safetensors", EstRnn(EstRnnConfig(features=4, blocks=1)), "estrnn")
    found = evaluate_dataset(root, Restored(tmp_path / "w.safetensors", device="cpu"))
    assert len(found.clips[0].frames) == 8 and found.means[0].values["psnr"] < 60
    assert found.outputs == f"estrnn with {tmp_path / 'w.safetensors'} as they are; every frame through the network"


def test_handing_through_is_asked_for(restored):
    root, _, found = restored
    through = evaluate_dataset(root, Restored(device="cpu", hand_through=True))
    for one, other in zip(found.clips[0].frames, through.clips[0].frames, strict=True):
        assert other.values["psnr"] == 100 if one.sharp else other.values["psnr"] != one.values["psnr"]
    # Sharp frames as they came (here they are the truth) now guide the blurry ones, and steady them: better as a whole.
    network, handed = (means(m)["clips", "blurry"].values["psnr"] for m in (found, through))
    assert network < handed < network + 1
    assert "frames that are not blurred handed through" in through.outputs


def test_handing_through_gives_an_all_sharp_clip_as_it_is(tmp_path):
    pair(tmp_path, "still", 2, sharp=always)
    (network,) = evaluate_dataset(tmp_path, Restored(device="cpu")).clips
    (through,) = evaluate_dataset(tmp_path, Restored(device="cpu", hand_through=True)).clips
    assert network.groups[0].values["psnr"] < 100 == through.groups[0].values["psnr"]


@pytest.mark.slow
def test_the_composite_is_a_baseline(restored):
    root, _, _ = restored
    found = evaluate_dataset(root, Composited(device="cpu"))
    values = {key: mean.values["psnr"] for key, mean in means(found).items()}
    untouched = means(evaluate_dataset(root, Untouched()))
    assert values["clips", "blurry"] > untouched["clips", "blurry"].values["psnr"] + 0.5
    assert values["clips", "sharp"] == 100 and found.outputs.endswith("aligned by dis")


def test_without_truth_the_input_is_the_reference(tmp_path):
    paint(tmp_path / "walk", views(6))
    found = evaluate_dataset(tmp_path, Untouched())
    assert found.layout == "frames" and "psnr" not in found.means[0].values
    assert found.means[0].values["flicker_ratio"] == 1 and found.means[0].values["drift"] == pytest.approx(0, abs=1e-3)
    assert "There is no truth, so PSNR, SSIM and LPIPS are left out." in found.notes
    assert any("flicker of the input" in d.title for d in found.definitions)


def test_videos(tmp_path):
    """Clip, truth and result as videos; nothing of the laid out frames is left."""
    for folder, sharp in (("blur", SHARP), ("sharp", always), ("results", always)):
        (tmp_path / folder).mkdir()
        film(tmp_path / folder / "a.mp4", views(6, sharp=sharp))
    found = evaluate_dataset(tmp_path, Given(tmp_path / "results"))
    (clip,) = found.clips
    assert found.layout == "video-pairs" and (clip.width, clip.height, len(clip.frames)) == (64, 48, 6)
    assert clip.groups[0].values["psnr"] == 100 and [f.index for f in clip.frames if f.sharp] == list(SHARP)


def test_no_more_than_a_few_frames_are_held(shelf, monkeypatch):
    """Frames are measured as the outputs come: one output is made ahead at most."""
    made, seen = [], []

    class Watched(Untouched):
        def of(self, clip):
            for index, image in enumerate(super().of(clip)):
                made.append(index)
                yield image

    def progress(clip, done, of):
        seen.append(len(made) - done if clip == "long" else 0)

    evaluate_dataset(shelf, Watched(), layout="pairs", on_progress=progress)
    assert isinstance(Watched(), Outputs) and len(seen) == 10 and set(seen) == {0}


def test_results_that_do_not_fit(tmp_path, shelf):
    (tmp_path / "long").mkdir()
    paint(tmp_path / "short", views(2, width=48))
    faults = []
    with pytest.raises(InputError, match="no clip that can be measured"):
        evaluate_dataset(shelf, Given(tmp_path), layout="pairs", on_fault=faults.append)
    assert "Clip long:" in str(faults[0]) and "holds no images" in str(faults[0])
    assert "Clip short: frame 0 of the result is 48x48, but the truth is 64x48." in str(faults[1])
    (tmp_path / "long").rmdir()
    (tmp_path / "short" / "shot2.png").unlink()
    faults.clear()
    with pytest.raises(InputError):
        evaluate_dataset(shelf, Given(tmp_path), layout="pairs", on_fault=faults.append)
    assert "there is no result: expected" in str(faults[0]) and "has 1 frames, but the clip has 2" in str(faults[1])


@pytest.mark.slow
def test_a_frame_of_another_size(tmp_path):
    """In the middle of the input: a sentence, not a crash of the network."""
    pair(tmp_path, "a", 6)
    pair(tmp_path, "b", 6)
    for folder in ("blur", "sharp"):
        path = str(tmp_path / folder / "a" / "shot4.png")
        cv2.imwrite(path, cv2.imread(path)[:40])
    faults = []
    found = evaluate_dataset(tmp_path, Restored(device="cpu"), on_fault=faults.append)
    assert [clip.clip for clip in found.clips] == ["b"]
    (fault,) = faults
    assert "Clip a: " in str(fault) and "shot4.png is of another size than shot1.png" in str(fault)


def test_kept_frames_are_not_replaced_unasked(restored, tmp_path):
    root, kept, _ = restored
    before = (kept / "a" / "00000003.png").read_bytes()
    with pytest.raises(OutputError, match=r"a exists; choose another --save-frames or add --overwrite"):
        evaluate_dataset(root, Untouched(), save_frames=kept)
    assert (kept / "a" / "00000003.png").read_bytes() == before
    for taken in (root / "blur", root / "sharp"):
        with pytest.raises(UsageError, match="holds frames of the dataset"):
            evaluate_dataset(root, Untouched(), save_frames=taken, overwrite=True)
    evaluate_dataset(root, Untouched(), save_frames=tmp_path / "kept")
    evaluate_dataset(root, Untouched(), save_frames=tmp_path / "kept", overwrite=True)
    assert names(tmp_path / "kept") == ["a"] and len(names(tmp_path / "kept" / "a")) == 8


def rows(text):
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def test_tables_parse_back(given):
    frames = rows(frames_csv(given))
    assert [(row["clip"], int(row["frame"])) for row in frames] == [
        *(("long", i) for i in range(8)),
        *(("short", i) for i in range(2)),
    ]
    assert [float(row["psnr"]) for row in frames] == [f.values["psnr"] for c in given.clips for f in c.frames]
    clips = rows(clips_csv(given))
    assert [(row["clip"], row["group"], int(row["frames"])) for row in clips] == [
        *(("long", "all", 8), ("long", "blurry", 4), ("long", "sharp", 4)),
        *(("short", "all", 2), ("short", "sharp", 2)),
    ]
    averages = rows(means_csv(given))
    assert [float(row["psnr"]) for row in averages] == [mean.values["psnr"] for mean in given.means]
    assert [row["over"] for row in averages] == ["clips"] * 3 + ["frames"] * 3
    found = json.loads(tables(given)["evaluation.json"])
    assert [mean["values"] for mean in found["means"]] == [mean.values for mean in given.means]
    assert found["clips"][0]["told_by"] == "label" and all(all(d.values()) for d in found["definitions"])
    for form in (frames_csv, clips_csv, means_csv):
        comments = "\n".join(line for line in form(given).splitlines() if line.startswith("# "))
        assert all(f"# {name}: " in comments for name in ("psnr", "ssim", "drift", "flicker"))


def test_markdown_says_what_each_mean_is(given):
    text = as_markdown(given)
    assert "| all: 2 clips | blurry: 1 clip | sharp: 2 clips | all: 10 frames |" in text
    assert "mean over clips: the mean of the clips' own numbers" in text and "mean over frames: every frame" in text
    assert "by the clip's label" in text and "by find_sharp on the input" in text
    assert "clips are not pooled" not in text and "## How these were measured" in text
    assert f"| PSNR, dB | {given.means[0].values['psnr']:.2f} |" in text


@pytest.fixture
def run(run):
    return partial(run, "evaluate", "--dataset")


def test_broken_clips_are_named_and_the_rest_is_measured(run, tmp_path):
    """One cut in half at frame 5, one without truth, one of another layout: all told, and the table is written."""
    root, out = tmp_path / "set", tmp_path / "scores"
    for clip in ("good", "halved", "bare"):
        pair(root, clip, 7)
    cut = root / "sharp" / "halved" / "shot6.png"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    for path in (root / "sharp" / "bare").iterdir():
        path.unlink()
    paint(root / "stray", views(3))
    kept = tmp_path / "kept"
    done = run(root, "--baseline", "input", "--out", out, "--save-frames", kept, "--quiet")
    assert done.code == 7 and names(out) == sorted(FILES) and "good" in done.out
    told = [line for line in done.err.splitlines() if line.startswith("selfhvd: ")]
    assert "Clip bare is empty" in "".join(told) and "shot6.png cannot be read as an image" in "".join(told)
    assert any("Clip halved: " in line for line in told) and any("stray" in line and "frames" in line for line in told)
    assert told[-1] == f"selfhvd: 3 of 4 clips in {root} could not be measured."
    found = json.loads((out / "evaluation.json").read_text())
    assert [clip["clip"] for clip in found["clips"]] == ["good"] and len(found["faults"]) == 3
    assert all(name in (out / "evaluation.md").read_text() for name in ("halved", "bare", "stray"))
    assert names(kept) == ["good"], "of a clip that broke, frames are left"


def test_the_command_prints_tables_or_json(run, shelf, tmp_path):
    shown = run(shelf, "--layout", "pairs", "--baseline", "input", "--quiet")
    assert shown.code == 0 and "2 clips, 10 frames" in shown.out and "short" in shown.out and shown.err == ""
    found = json.loads(run(shelf, "--layout", "pairs", "--baseline", "input", "--json").out)
    assert found["outputs"] == "the input itself" and found["layout"] == "pairs"


REFUSED = [
    (("--truth", "x"), 2, "--truth is for a single RESULT"),
    (("--baseline", "input", "--weights", "x"), 2, "--weights is not for --baseline input"),
    (("--baseline", "input", "--align-flow", "dis"), 2, "--align-flow is not for --baseline input"),
    (("--result", "x", "--hand-through"), 2, "--hand-through is for outputs that are yet to be made"),
    (("--weights", "none.safetensors"), 6, "none.safetensors"),
    (("--layout", "dvd"), 2, "Layout dvd is not known"),
    (("--part", "test", "--baseline", "input"), 3, "has no part test"),
]


@pytest.mark.parametrize(("words", "code", "sentence"), REFUSED)
def test_refusals(run, shelf, words, code, sentence):
    refused = run(shelf, *words, "--quiet")
    assert refused.code == code and sentence in refused.err and refused.out == ""


@pytest.mark.parametrize(
    "words", [("--weights", "x"), ("--layout", "pairs"), ("--save-frames", "x"), ("--hand-through",)]
)
def test_a_datasets_options_need_one(run, words):
    run = partial(run.func, "evaluate")
    refused = run("clip", *words, "--quiet")
    assert refused.code == 2 and f"{words[0]} goes together with --dataset only." in refused.err
    nothing = run("--quiet")
    assert nothing.code == 2 and "Give a RESULT to measure, or --dataset FOLDER." in nothing.err


def test_an_earlier_evaluation_is_not_replaced_unasked(run, shelf, tmp_path):
    (tmp_path / "means.csv").write_text("mine")
    refused = run(shelf, "--layout", "pairs", "--baseline", "input", "--out", tmp_path, "--quiet")
    assert refused.code == 4 and "means.csv exists" in refused.err and names(tmp_path) == ["means.csv"]
