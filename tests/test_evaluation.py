"""`selfhvd evaluate`: two clips or one, what is written, and what is refused."""

import csv
import json
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from clips_for_tests import MIXED, always, film, names, paint, views
from selfhvd.errors import InputError, UsageError
from selfhvd.metrics import psnr, sharpness, ssim
from selfhvd.research.evaluation import EvaluationConfig, evaluate
from selfhvd.research.evaluation.clip_tables import FILES, as_markdown, clip_csv, frames_csv, tables

COUNT = 12


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """The truth, the input with blurry frames, and a result that is 3 grey levels too bright; only read."""
    folder = tmp_path_factory.mktemp("shelf")
    truth = list(views(sharp=always))
    paint(folder / "truth", truth)
    paint(folder / "input", views())
    paint(folder / "result", [np.clip(image.astype(int) + 3, 0, 255).astype(np.uint8) for image in truth])
    paint(folder / "short", truth[:5])
    paint(folder / "small", views(width=48, sharp=always))
    still = truth[0] // 2
    paint(folder / "still", [still] * 4)
    paint(folder / "flashing", [still + np.uint8(20 * (i % 2)) for i in range(4)])
    film(folder / "input.mp4", views())
    (folder / "labels").write_text("\n".join(str(int(i in MIXED)) for i in range(COUNT)))
    return folder


@pytest.fixture(scope="module")
def full(shelf):
    without = {"lpips": None, "pyiqa": None}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in without.items():
            patch.setitem(sys.modules, name, module)
        return evaluate(shelf / "result", truth=shelf / "truth", source=shelf / "input", sharp_labels=shelf / "labels")


def columns(evaluation) -> list[str]:
    return [d.name for d in evaluation.definitions]


def test_everything_given(full, shelf):
    assert [(g.name, g.frames) for g in full.groups] == [("all", 12), ("blurry", 8), ("sharp", 4)]
    assert tuple(f.index for f in full.frames if f.sharp) == MIXED
    assert columns(full) == [
        *("psnr", "ssim", "drift", "flicker", "flicker_reference", "flicker_ratio"),
        *("sharpness", "sharpness_reference", "sharp_accuracy"),
    ]
    assert any("LPIPS is left out: LPIPS needs the package lpips" in note for note in full.notes)
    truth, result = ([image for image in views(sharp=always)][3], None)
    result = np.clip(truth.astype(int) + 3, 0, 255).astype(np.uint8)
    values = full.frames[3].values
    assert values["psnr"] == psnr(result, truth) and values["ssim"] == ssim(result, truth)
    assert values["sharpness"] == sharpness(result) and values["sharpness_reference"] == sharpness(truth)
    assert values["drift"] == pytest.approx(0, abs=0.05)
    assert values["flicker"] == pytest.approx(values["flicker_reference"], rel=0.05)
    assert "flicker" not in full.frames[0].values
    assert full.groups[0].values["sharp_accuracy"] == 1


def test_means_are_of_the_groups_frames(full):
    for group in full.groups:
        chosen = [f for f in full.frames if group.name == "all" or f.sharp == (group.name == "sharp")]
        assert len(chosen) == group.frames
        assert group.values["psnr"] == pytest.approx(np.mean([f.values["psnr"] for f in chosen]))
        flickers = [
            np.mean([f.values[name] for f in chosen if name in f.values]) for name in ("flicker", "flicker_reference")
        ]
        assert group.values["flicker_ratio"] == pytest.approx(flickers[0] / flickers[1])
    assert "sharp_accuracy" not in full.groups[1].values


def test_one_clip_alone(shelf):
    found = evaluate(shelf / "input")
    assert columns(found) == ["flicker", "sharpness"]
    assert [g.name for g in found.groups] == ["all"] and found.frames[0].sharp is None
    assert found.notes == ("There is no truth, so PSNR, SSIM and LPIPS are left out.",)
    assert "flow and mask are those of the result" in found.definitions[0].formula


def test_a_video_against_its_input(shelf):
    found = evaluate(shelf / "truth", source=shelf / "input.mp4")
    assert columns(found) == [
        *("drift", "flicker", "flicker_reference", "flicker_ratio", "sharpness", "sharpness_reference"),
    ]
    assert [g.name for g in found.groups] == ["all", "blurry", "sharp"]
    blurry = found.groups[1].values
    assert blurry["sharpness"] > 2 * blurry["sharpness_reference"]
    assert "flicker of the input" in [d.title for d in found.definitions]


def test_a_flashing_clip_against_a_still_one(shelf):
    found = evaluate(shelf / "flashing", truth=shelf / "still")
    assert [f.values.get("flicker") for f in found.frames] == [None, *[pytest.approx(20, abs=1e-3)] * 3]
    assert found.groups[0].values["flicker_reference"] == pytest.approx(0, abs=1e-4)
    assert "flicker_ratio" not in found.groups[0].values
    still = evaluate(shelf / "still", truth=shelf / "still")
    assert still.groups[0].values["flicker"] == pytest.approx(0, abs=1e-4)
    assert still.groups[0].values["psnr"] == 100 and still.groups[0].values["ssim"] == 1


def test_an_input_without_blurry_frames(shelf):
    found = evaluate(shelf / "truth", source=shelf / "truth")
    assert [g.name for g in found.groups] == ["all"]
    assert any("so there are no blurry and sharp ones" in note for note in found.notes)


def test_frames_too_small_for_a_metric(tmp_path):
    paint(tmp_path / "tiny", [image[:10, :10] for image in views(3)])
    found = evaluate(tmp_path / "tiny", truth=tmp_path / "tiny")
    assert "ssim" not in columns(found) and "psnr" in columns(found)
    assert [note.split(" is")[0] for note in found.notes] == ["SSIM", "LPIPS"]


def fake(monkeypatch, name, **attributes):
    module = ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


class Distance(torch.nn.Module):
    def forward(self, first, second, normalize):
        return (first - second).abs().mean()


def test_optional_metrics_where_their_packages_are_installed(shelf, monkeypatch):
    fake(monkeypatch, "lpips", LPIPS=lambda **options: Distance())
    fake(
        monkeypatch,
        "pyiqa",
        create_metric=lambda name, device: lambda x: torch.tensor(50.0 if name == "musiq" else 0.5),
    )
    found = evaluate(shelf / "flashing", truth=shelf / "still", config=EvaluationConfig(iqa=True))
    values = found.groups[0].values
    assert (values["musiq"], values["maniqa"]) == (50, 0.5)
    assert values["lpips"] == pytest.approx(10 / 255, rel=1e-4)
    assert found.notes == ()


def test_pyiqa_is_not_touched_unless_asked_for(shelf, monkeypatch):
    asked = []
    fake(monkeypatch, "pyiqa", create_metric=lambda *given, **named: asked.append(given))
    evaluate(shelf / "still")
    assert not asked
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(UsageError, match="forbids commercial use"):
        evaluate(shelf / "still", config=EvaluationConfig(iqa=True))


REFUSED = [
    ({"truth": "short"}, InputError, r"result has 12 frames but .*short has 5; cut them"),
    ({"truth": "small"}, InputError, r"result is 64x48 but .*small is 48x48; nothing is resized"),
    ({"truth": "truth", "source": "short"}, InputError, r"but .*short has 5"),
    ({"truth": "nothing"}, InputError, "nothing"),
    ({"sharp_labels": "labels"}, UsageError, "give the input with --input"),
    ({"source": "input", "sharp_labels": "few"}, InputError, "There are 2 sharp labels for 12 frames"),
]


@pytest.mark.parametrize(("given", "kind", "sentence"), REFUSED)
def test_what_does_not_fit(shelf, given, kind, sentence):
    (shelf / "few").write_text("1\n0\n")
    with pytest.raises(kind, match=sentence):
        evaluate(shelf / "result", **{name: shelf / path for name, path in given.items()})


def test_the_frame_table_parses_back(full):
    lines = frames_csv(full).splitlines()
    comments = [line for line in lines if line.startswith("# ")]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [int(row["frame"]) for row in rows] == list(range(COUNT))
    assert tuple(i for i, row in enumerate(rows) if row["sharp"] == "1") == MIXED
    for row, frame in zip(rows, full.frames, strict=True):
        values = {name: float(cell) for name, cell in list(row.items())[2:] if cell}
        assert values == frame.values
    for name in list(rows[0])[2:]:
        (said,) = (line for line in comments if line.startswith(f"# {name}: "))
        assert all(word in said for word in ("With ", "Colour: ", "Borders: ", "Averaging: "))


def test_the_clip_table_parses_back(full):
    rows = list(csv.DictReader(clip_csv(full).splitlines()))
    groups = {group.name: group for group in full.groups}
    assert len(rows) == sum(len(group.values) for group in full.groups)
    for row in rows:
        assert float(row["value"]) == groups[row["frames"]].values[row["metric"]]
        assert int(row["count"]) == groups[row["frames"]].frames
        assert all(row[fact] for fact in ("formula", "version", "colour", "borders", "averaging", "better"))
    assert {row["version"] for row in rows if row["metric"] == "ssim"} == {full.definitions[1].version}


def test_json_parses_back(full):
    found = json.loads(tables(full)["evaluation.json"])
    assert [frame["values"] for frame in found["frames"]] == [frame.values for frame in full.frames]
    assert found["groups"][1]["values"] == full.groups[1].values
    assert [d["metric"] for d in found["definitions"]] == columns(full)
    assert all(all(d.values()) for d in found["definitions"])
    assert found["flow"] == "dis" and found["versions"]["torch"] == torch.__version__.split("+")[0]


def test_markdown_parses_back(full):
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in as_markdown(full).splitlines()
        if line.startswith("|")
    ]
    means, facts = rows[: 2 + len(full.definitions)], rows[2 + len(full.definitions) :]
    assert means[0] == ["", "all (12)", "blurry (8)", "sharp (4)", "better"] and all(len(row) == 5 for row in means)
    for row, definition in zip(means[2:], full.definitions, strict=True):
        assert row[0] == definition.title
        assert row[1] == f"{full.groups[0].values[definition.name]:.{definition.decimals}f}"
    assert all(len(row) == 6 and all(row) for row in facts) and len(facts) == len(means)
    assert all(note in as_markdown(full) for note in full.notes)


@pytest.fixture
def run(run):
    return partial(run, "evaluate")


def test_the_command_prints_a_table_and_writes_files(run, shelf, tmp_path):
    out = tmp_path / "deep" / "scores"
    done = run(shelf / "flashing", "--truth", shelf / "still", "--out", out, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "PSNR, dB" in done.out and "flashing: 4 frames, 64x48" in done.out and done.out.endswith(f"{out}\n")
    assert names(out) == sorted(FILES)
    again = run(shelf / "flashing", "--out", out, "--quiet")
    assert again.code == 4 and "frames.csv exists; choose another --out or add --overwrite." in again.err
    assert run(shelf / "flashing", "--out", out, "--quiet", "--overwrite").code == 0
    assert "psnr" not in (out / "clip.csv").read_text()


def test_json_on_stdout_is_nothing_but_json(run, shelf):
    done = run(shelf / "still", "--json")
    assert done.code == 0 and json.loads(done.out)["groups"][0]["frames"] == 4


def test_errors_are_one_sentence_and_a_code(run, shelf, tmp_path):
    done = run(shelf / "result", "--truth", shelf / "short", "--quiet")
    assert done.code == 3 and len(done.err.splitlines()) == 1 and done.err.startswith("selfhvd: ")
    out = tmp_path / "deep" / "scores"
    assert run(shelf / "result", "--truth", shelf / "short", "--out", out, "--quiet").code == 3
    assert names(tmp_path) == [], "a refusal leaves a folder behind"
    assert run(shelf / "result", "--sharp-labels", shelf / "labels", "--quiet").code == 2
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path / "file", tmp_path / "file" / "scores"):
        assert run(shelf / "result", "--out", taken, "--quiet").code == 4
    assert Path(tmp_path / "file").read_text() == "mine"
