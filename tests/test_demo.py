"""The demo on a shot of a few small frames."""

from functools import partial

import cv2
import numpy as np
import pytest

from clips_for_tests import names, quick, seen
from selfhvd.cli.demo import DemoScores, run_demo
from selfhvd.errors import OutputError
from selfhvd.synthesis import Handheld

pytestmark = pytest.mark.unchecked


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr("selfhvd.cli.demo.SHOT", Handheld(frames=24, width=64, height=48, amplitude=9.0))
    monkeypatch.setattr("selfhvd.run.job.preset_config", partial(quick, steps=1))


MADE = [
    "shaky.mp4",
    "shaky_deblurred.mp4",
    "shaky_deblurred.report.html",
    "shaky_deblurred.run.json",
    "side_by_side.mp4",
    "side_by_side.png",
]


@pytest.mark.slow
def test_demo_refuses_a_full_folder_and_then_replaces_it(tmp_path, small):
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "shaky.mp4").write_bytes(b"mine")
    with pytest.raises(OutputError, match="not empty"):
        run_demo(folder)
    assert names(folder) == ["shaky.mp4"] and (folder / "shaky.mp4").read_bytes() == b"mine"
    told = []
    scores = run_demo(folder, overwrite=True, on_progress=lambda *step: told.append(step))
    assert names(folder) == MADE
    assert isinstance(scores, DemoScores)
    for row in (scores.blurry, scores.sharp):
        assert len(row) == 3 and all(np.isfinite(row)) and all(10 < value < 60 for value in row)
    assert scores.sharp[2] >= scores.sharp[0] - 1
    assert told and scores.table().row_count == 2
    assert cv2.imread(str(folder / "side_by_side.png")).shape == (48, 128, 3)
    for name, width in (("shaky.mp4", 64), ("shaky_deblurred.mp4", 64), ("side_by_side.mp4", 128)):
        footage = seen(folder / name, tmp_path / "cache")
        assert (len(footage), footage.width, footage.height) == (24, width, 48)


def test_demo_into_a_file(tmp_path, small):
    (tmp_path / "demo").write_bytes(b"mine")
    with pytest.raises(OutputError):
        run_demo(tmp_path / "demo")
    assert (tmp_path / "demo").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "step",
    [
        "encode_clip",
        "deblur",
    ],
)
def test_demo_that_breaks_off_leaves_no_hidden_folder(tmp_path, small, monkeypatch, step):
    def stop(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"selfhvd.cli.demo.{step}", stop)
    with pytest.raises(KeyboardInterrupt):
        run_demo(tmp_path / "deep" / "demo")
    assert [name for name in names(tmp_path / "deep" / "demo") if name.startswith(".")] == []
