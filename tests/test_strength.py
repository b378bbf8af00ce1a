"""Strength: exact at both ends, between them where it should be, and never a reason to restore anything again."""

import json
from dataclasses import replace
from functools import cache

import av
import numpy as np
import pytest

import selfhvd
from clips_for_tests import MIXED, film, names, quick, seen, unmoved, views
from selfhvd.backbones.backbone import Needs
from selfhvd.errors import OutputError, UsageError
from selfhvd.forecast.forecast import forecast
from selfhvd.forecast.pace import Pace
from selfhvd.forecast.words import as_text
from selfhvd.restore.restorer import Restorer
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.run.manifest import facts_of, stamp
from selfhvd.run.strength import blend
from selfhvd.run.up_to_date import is_finished

pytestmark = pytest.mark.unchecked

WORK = ".out.mp4.selfhvd"
CONFIG = quick(steps=0)
LEARNING = quick("fast", steps=1)
PACE = Pace(2e-6, 1e-6, Needs(guides=2, bytes_per_pixel=100), "dis", "cpu")
"""As if measured, which takes two seconds."""


def film_deep(path):
    """The same clip in ten bits."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx265", rate=30, options={"crf": "8", "x265-params": "log-level=none:pools=1"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p10le"
        for image in views():
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint16) * 256 + 77, format="rgb48le")
            out.mux(video.encode(frame.reformat(format="yuv420p10le", dst_colorspace=1)))
        out.mux(video.encode(None))
    return path


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filmed")
    return {8: film(folder / "clip.mp4", views()), 10: film_deep(folder / "deep.mp4")}


@pytest.fixture
def source(tmp_path, filmed):
    path = tmp_path / "clip.mp4"
    path.write_bytes(filmed[8].read_bytes())
    return path


def deblurred(source, target="out.mp4", **options):
    """The frames of the result as the encoder gets them."""
    frames = []
    options = {"config": CONFIG, "report": False} | options
    selfhvd.deblur(source, source.with_name(target), on_frame=lambda i, frame: frames.append(frame.copy()), **options)
    assert len(frames) == 12
    return np.stack(frames)


@pytest.fixture(scope="module")
def wanted(filmed):
    """By depth: the clip's own frames, and those restored without a word about strength."""

    @cache
    def of(depth):
        path = filmed[depth]
        return read(path, path.with_name(f"cache{depth}")), deblurred(path, f"whole{depth}")

    return of


def read(path, cache):
    footage = seen(path, cache)
    return np.stack([footage.frame(i) for i in range(len(footage))])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("strength", [0.0, 0.1, 0.25, 0.5, 0.7, 0.999, 1.0])
def test_blend(kind, strength):
    top = np.iinfo(kind).max
    values = np.unique(np.linspace(0, top, 256).round().astype(kind))
    before, after = (np.repeat(grid[..., None], 3, axis=2) for grid in np.meshgrid(values, values))
    mixed = blend(before, after, strength)
    assert mixed.dtype == kind
    exact = before + strength * (after.astype(float) - before)
    assert np.abs(mixed - exact).max() <= 0.5 + 0.004  # float32 at 65535
    if strength in (0, 1):
        assert np.array_equal(mixed, after if strength else before)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [8, 10])
def test_nothing_and_half_of_it(filmed, wanted, depth):
    before, after = wanted(depth)
    assert before.dtype == after.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert not any(np.array_equal(before[i], after[i]) for i in range(12))
    source, folder = filmed[depth], filmed[depth].parent
    assert np.array_equal(deblurred(source, f"none{depth}", strength=0.0), before)
    assert np.array_equal(read(folder / f"none{depth}", folder / f"none{depth}.cache"), before)
    half = deblurred(source, f"half{depth}", strength=0.5)
    assert np.array_equal(half, np.rint((before.astype(float) + after) / 2))
    assert np.array_equal(read(folder / f"half{depth}", folder / f"half{depth}.cache"), half)


def test_all_of_it_is_the_result_as_it_was(source, wanted):
    assert np.array_equal(deblurred(source, strength=1.0), wanted(8)[1])


def test_a_clip_that_is_sharp_is_copied_whatever_the_strength(tmp_path):
    source = film(tmp_path / "clip.mp4", views(sharp=unmoved))
    deblurred(source, strength=0.4)
    assert (tmp_path / "out.mp4").read_bytes() == source.read_bytes()


def test_outside_is_refused(source):
    for strength in (-0.01, 1.01, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="must be between 0 and 1"):
            deblurred(source, strength=strength)
    assert names(source.parent) == ["clip.mp4"]


class Power(Exception):
    """It went out."""


def cut_off(source, stage, at, **options):
    def progress(now, done, total):
        if now == stage and done >= at:
            raise Power

    with pytest.raises(Power):
        deblurred(source, on_progress=progress, **options)


@pytest.fixture
def restored(monkeypatch):
    """Counts the frames that are restored."""
    counted, window = [], Restorer.window

    def counting(self, start, end):
        counted.extend(range(start, end))
        return window(self, start, end)

    monkeypatch.setattr(Restorer, "window", counting)
    return counted


def test_an_unfinished_run_goes_on_with_another_strength(source, wanted, restored):
    cut_off(source, "restore", 7, strength=0.2)
    done = len(restored)
    assert 0 < done < 12 - len(MIXED)
    stages = set()
    frames = deblurred(source, strength=0.6, on_progress=lambda now, done, total: stages.add(now))
    assert stages == {"restore", "verify"} and set(restored) == set(range(12)) - set(MIXED)
    # Each frame is steadied by those beside it: the one before the cut and the one after are restored once more.
    assert len(restored) - len(set(restored)) == 2
    assert np.array_equal(frames, [blend(*pair, 0.6) for pair in zip(*wanted(8), strict=True)])
    assert names(source.parent) == ["clip.mp4", "out.mp4"]


@pytest.mark.slow
def test_kept_work_is_only_blended_again(source, wanted, restored):
    kept = {"config": LEARNING, "keep_work": True}
    after = deblurred(source, **kept)
    assert names(source.parent) == [WORK, "clip.mp4", "out.mp4"]
    assert names(source.parent / WORK) == [
        "adapted.ckpt", "footage", "holder", "job.json", "lock", "restored", "scenes.json",
    ]  # fmt: skip
    with pytest.raises(OutputError, match=r"out\.mp4 exists"):
        deblurred(source, strength=0.6, **kept)
    restored.clear()
    stages = set()
    told = {"on_progress": lambda now, done, total: stages.add(now), "overwrite": True}
    cut_off(source, "verify", 0, config=LEARNING, overwrite=True, strength=0.3)
    mixed = deblurred(source, strength=0.6, **kept, **told)
    assert np.array_equal(mixed, [blend(*pair, 0.6) for pair in zip(wanted(8)[0], after, strict=True)])
    assert WORK in names(source.parent)
    last = deblurred(source, config=LEARNING, **told)
    assert np.array_equal(last, after) and not np.array_equal(mixed, after)
    assert stages == {"restore", "verify"} and not restored
    assert names(source.parent) == ["clip.mp4", "out.mp4"]


@pytest.mark.slow
def test_work_of_another_job_is_not_thrown_away_unasked(source):
    cut_off(source, "restore", 1, keep_work=True)
    other = replace(CONFIG, seed=1)
    with pytest.raises(OutputError, match=r"holds an earlier run's work, .*seed \(was 0, is 1\).*--restart"):
        deblurred(source, config=other, overwrite=True)
    deblurred(source, config=other, overwrite=True, restart=True)
    assert names(source.parent) == ["clip.mp4", "out.mp4"]


@pytest.mark.slow
def test_the_record_the_report_and_the_stamp_tell_it(source):
    comments = []
    for strength in (1.0, 0.6):
        deblurred(source, strength=strength, overwrite=True, report=True, keep_work=True)
        assert json.loads(source.with_name("out.run.json").read_text())["strength"] == strength
        page = source.with_name("out.report.html").read_text()
        assert ("deblurred at strength 0.6" in page) is (strength == 0.6)
        assert f"<dt>Strength</dt><dd><bdi>{strength:g} (" in page
        with av.open(str(source.with_name("out.mp4"))) as made:
            comments.append(made.metadata["comment"])
    job = facts_of(source, Deblurrer(CONFIG))
    assert comments == [stamp(job), stamp(job, 0.6)] and comments[0] != comments[1]
    destination = source.with_name("out.mp4")
    assert is_finished(source, destination, CONFIG, 0.6)
    with pytest.raises(OutputError, match="other settings"):
        is_finished(source, destination, CONFIG)


@pytest.mark.slow
def test_the_forecast_tells_it_and_what_stays(source):
    plain = forecast(source, source.with_name("out.mp4"), CONFIG, PACE)
    kept = forecast(source, source.with_name("out.mp4"), CONFIG, PACE, strength=0.6, keep_work=True)
    assert "strength" not in as_text(plain) and "; blended at strength 0.6" in as_text(kept)
    assert plain.stays == plain.room.result and kept.stays == kept.room.result + kept.room.cache
    assert kept.facts()["strength"] == 0.6


@pytest.fixture
def run(run, quickly):
    quickly(steps=0)
    return run


def test_the_command_refuses_in_one_sentence(run, source):
    for words, strength in (([], "1.5"), ([], "nan"), (["--dry-run"], "-1"), (["again.mp4"], "-1")):
        refused = run("deblur", source, *words, f"--strength={strength}")
        assert refused.code == 2 and names(source.parent) == ["clip.mp4"]
        assert refused.err.startswith("selfhvd: The strength must be between 0 and 1, not ")
        assert len(refused.err.splitlines()) == 1


@pytest.mark.slow
def test_the_command_keeps_tells_and_blends(run, source, restored, monkeypatch):
    """A folder with a clip in it is a batch."""
    monkeypatch.setattr("selfhvd.cli.clip_runs.measure_pace", lambda config: PACE)
    shelf, folder = source.parent / "from", source.parent / "to"
    shelf.mkdir()
    source.rename(shelf / "clip.mp4")
    first = run(shelf, "-o", folder, "--keep-work")
    assert first.code == 0 and "are kept in" in first.err and "until a run without --keep-work" in first.err
    assert ".clip_deblurred.mp4.selfhvd" in names(folder)
    told = run(shelf, "-o", folder, "--overwrite", "--strength", "0.6", "--keep-work", "--dry-run")
    assert told.code == 0 and "; blended at strength 0.6" in told.out
    restored.clear()
    again = run(shelf, "-o", folder, "--overwrite", "--strength", "0.6")
    assert again.code == 0 and "are kept" not in again.err and not restored
    assert names(folder) == ["clip_deblurred.mp4", "clip_deblurred.report.html", "clip_deblurred.run.json"]
    assert json.loads((folder / "clip_deblurred.run.json").read_text())["strength"] == 0.6
    assert run(shelf, "-o", folder, "--skip-existing", "--strength", "0.6").code == 0
    assert run(shelf, "-o", folder, "--skip-existing", "--strength", "0.5").code == 7
