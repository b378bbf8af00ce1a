"""The benchmark: clips with known truth, each trial once, tables that say what holds."""

import json
from dataclasses import replace

import numpy as np
import pytest

from selfhvd.metrics import psnr
from selfhvd.research.benchmark import TABLES, Row, Score, Setup, Size, Table, as_markdown, run_benchmark
from selfhvd.research.benchmark import run as running
from selfhvd.research.benchmark.clips import film, photos_of
from selfhvd.research.benchmark.trial import try_out

TINY = Size(frames=10, width=64, height=48, steps=3, crop=32, batch=2, seeds=(0, 1), tries=1)
INPUT, COMPOSITE, FULL = Setup("input"), Setup("composite"), Setup()


@pytest.fixture(scope="module")
def clip():
    return film(photos_of(None), TINY, 0)


LONGER = replace(TINY, frames=14)


@pytest.fixture(scope="module")
def longer():
    return film(photos_of(None), LONGER, 0)


@pytest.mark.slow
def test_a_clip_has_blurry_frames_of_the_wanted_kind():
    size = Size(frames=24, width=320, height=192)
    clip = film(photos_of(None), size, 0)
    assert sorted((*clip.blurry, *clip.sharp)) == list(range(24)) and len(clip.sharp) >= 5
    found = np.mean([psnr(clip.frames[i], clip.truth[i]) for i in clip.blurry])
    assert found == pytest.approx(size.blurry_psnr, abs=1.0)
    assert np.mean([psnr(clip.frames[i], clip.truth[i]) for i in clip.sharp]) > 34 and any(clip.keyframes)


@pytest.mark.slow
def test_same_seed_same_clip(clip):
    again, other = film(photos_of(None), TINY, 0), film(photos_of(None), TINY, 1)
    assert all(np.array_equal(a, b) for a, b in zip(clip.frames, again.frames, strict=True))
    assert clip.name != other.name and not np.array_equal(clip.frames[0], other.frames[0])


@pytest.mark.slow
def test_the_input_is_measured_by_hand(clip):
    score = try_out(INPUT, TINY, clip, 0)
    assert score is not None
    assert score.psnr == pytest.approx(np.mean([psnr(clip.frames[i], clip.truth[i]) for i in clip.blurry]))
    assert score.sharp_psnr == pytest.approx(np.mean([psnr(clip.frames[i], clip.truth[i]) for i in clip.sharp]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "setup",
    [FULL, Setup("ren"), Setup("dadeblur"), *(pytest.param(setup, marks=pytest.mark.unchecked) for setup in (
        Setup("supervised"), Setup(rscr=False, sis=False, scscm=False), Setup("as-it-comes", "base"),
        Setup(start="base", flow="dis-alone", resampling="bilinear", segment=5)))],
)  # fmt: skip
def test_every_kind_of_row_runs(longer, setup):
    """Shapes are checked where a row is of the product's own and of each other method; the rest only switch parts."""
    one = try_out(setup, LONGER, longer, 0)
    assert one is not None and np.isfinite([one.psnr, one.ssim, one.drift]).all()


@pytest.mark.slow
@pytest.mark.unchecked
def test_a_row_repeats(longer):
    one, two = (try_out(FULL, LONGER, longer, 0) for _ in range(2))
    assert replace(one, seconds=0.0) == replace(two, seconds=0.0)


@pytest.mark.slow
def test_weights_that_are_not_at_hand_leave_the_row_out(clip, monkeypatch, tmp_path):
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path))
    assert try_out(Setup(flow="sea-raft-m"), TINY, clip, 0) is None


@pytest.mark.slow
@pytest.mark.unchecked
def test_the_truth_teaches_more_than_its_neighbours(clip):
    """The upper bound is one: with a few more steps the supervised network is nearer to the truth."""
    size = replace(TINY, frames=14, steps=40)
    longer = film(photos_of(None), size, 2)
    bound, ours = try_out(Setup("supervised"), size, longer, 0), try_out(FULL, size, longer, 0)
    assert bound is not None and ours is not None and bound.psnr > ours.psnr


@pytest.mark.slow
def test_trials_are_run_once_and_looked_up(tmp_path):
    table = Table("t", (Row("input", INPUT), Row("composite", COMPOSITE)), (("input", "composite"),), every_seed=True)
    told: list[tuple[int, int]] = []
    scores = run_benchmark([table, table], TINY, tmp_path, workers=1, on_progress=lambda _, n, of: told.append((n, of)))
    assert set(scores) == {(setup, seed) for setup in (INPUT, COMPOSITE) for seed in (0, 1)}
    assert told[0] == (0, 4) and told[-1] == (4, 4)
    paths = sorted((tmp_path / "trials").iterdir())
    assert len(paths) == 4
    facts = json.loads(paths[0].read_text())
    facts["score"]["psnr"] = 12.5
    paths[0].write_text(json.dumps(facts))
    paths[1].unlink()
    told.clear()
    again = run_benchmark([table], TINY, tmp_path, workers=1, on_progress=lambda _, n, of: told.append((n, of)))
    assert told[0] == (3, 4) and 12.5 in {score.psnr for score in again.values() if score is not None}
    # Another size is another trial.
    key = running._key(INPUT, 0, TINY, photos_of(None))
    assert key != running._key(INPUT, 0, replace(TINY, steps=4), photos_of(None))
    assert key == running._key(INPUT, 0, replace(TINY, seeds=(0, 1, 2)), photos_of(None))


def test_tables_say_what_holds():
    table = Table("Two", (Row("a", INPUT, "30"), Row("b", COMPOSITE)), (("a", "b"),), every_seed=True)

    def score(value: float) -> Score:
        return Score("c", value, 0.9, 40.0, 0.1, 3.0)

    scores = {
        (INPUT, 0): score(28.0),
        (INPUT, 1): score(30.0),
        (COMPOSITE, 0): score(29.0),
        (COMPOSITE, 1): score(29.5),
    }
    text = as_markdown([table], TINY, scores, "selfhvd benchmark", 90.0)
    assert "| a | 2 | 29.00 ± 1.41 | +0.00 | 0.9000 ± 0.0000 | 40.00 ± 0.00 | 0.100 ± 0.000 | 3 | 30 |" in text
    assert "| b | 2 | 29.25 ± 0.35 | +0.25 |" in text
    assert "* a < b: holds for 1 of 2 seeds, by +0.25 ± 1.06 dB" in text
    assert "`selfhvd benchmark` in 2 min" in text and "steps 3" in text
    missing = as_markdown([table], TINY, {(INPUT, 0): score(28.0), (COMPOSITE, 0): None}, "x", 1.0)
    assert "its weights are not at hand" in missing and "a < b: not measured" in missing


def test_orders_name_rows_that_there_are():
    for table in TABLES.values():
        names = {row.name for row in table.rows}
        assert len(names) == len(table.rows) and {name for order in table.orders for name in order} <= names


def test_from_the_command_line(run, tmp_path):
    assert run("benchmark", "--table", "nothing", "-o", tmp_path).code == 2
    assert run("benchmark", "--frames", 3, "-o", tmp_path).code == 2
    assert run("benchmark", "--backbone", "nothing", "-o", tmp_path).code == 2
    taken = tmp_path / "file"
    taken.write_text("x")
    assert run("benchmark", "--table", "parts", "-o", taken).code == 4
