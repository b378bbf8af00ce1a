"""Whole runs on tiny clips: what goes in, what comes out, what is left behind, and how much memory it took."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import selfhvd
from clips_for_tests import (
    MIXED,
    VFR,
    film,
    names,
    never,
    paint,
    quick,
    seconds,
    seen,
    sound_packets,
    unmoved,
    views,
)
from selfhvd.errors import OutputError
from selfhvd.report.record import read_run


@pytest.mark.slow
@pytest.mark.subprocess
def test_phone_clip_end_to_end(tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("caches")
    source = film(tmp_path / "phone.mp4", views(12, 96, 64), times=VFR, sound=True, rotation=-90)
    bytes_before = source.read_bytes()
    told, shown = [], []
    facts = selfhvd.deblur(
        source,
        config=quick(),
        on_progress=lambda *step: told.append(step),
        on_frame=lambda index, frame: shown.append((index, frame.copy())),
    )
    target = tmp_path / "phone_deblurred.mp4"
    kept = ["phone.mp4", "phone_deblurred.mp4", "phone_deblurred.report.html", "phone_deblurred.run.json"]
    assert names(tmp_path) == kept
    assert source.read_bytes() == bytes_before

    before, after = seen(source, elsewhere / "in"), seen(target, elsewhere / "out")
    assert len(after) == len(before) == 12
    assert seconds(after) == seconds(before)
    assert (after.width, after.height, after.rotation) == (before.width, before.height, 0) == (64, 96, 0)
    assert sound_packets(target) == sound_packets(source) != []
    assert after.color == before.color and after.warnings == ()

    assert [index for index, _ in shown] == list(range(12))
    for index, frame in shown:
        assert np.abs(after.frame(index).astype(float) - frame).mean() < 4
    for index in MIXED:
        assert np.array_equal(shown[index][1], before.frame(index))
    assert {stage for stage, _, _ in told} >= {"read", "select", "stage 1", "stage 2", "restore", "verify"}

    run = read_run(tmp_path / kept[3])
    assert (run["source"], run["output"]) == (str(source), str(target))
    assert (run["frames"], run["width"], run["height"], run["codec"], run["depth"]) == (12, 64, 96, "h264", 8)
    assert run["seconds"] == pytest.approx(float(seconds(before)[-1] - seconds(before)[0]), abs=0.2)
    assert tuple(run["selection"]["sharp"]) == MIXED == facts.selection.sharp
    assert run["selection"]["verdict"] == "mixed"
    assert len(run["sharpness_after"]) == len(run["selection"]["sharpness"]) == 12
    assert run["adaptation"]["steps"] == 4 and isinstance(run["adaptation"]["kept"], bool)
    assert run["settings"]["adapt"]["stage_one"]["steps"] == 2
    assert (run["preset"], run["seed"], run["device"], run["weights"]) == ("fast", 0, "cpu", "base")
    assert list(run["timings"]) == ["read", "select and adapt", "restore and write"]
    assert min(run["timings"].values()) >= 0 and {"selfhvd", "torch"} <= set(run["versions"])
    page = (tmp_path / kept[2]).read_text(encoding="utf-8")
    assert "phone.mp4" in page and page.lstrip().lower().startswith("<!doctype html")


@pytest.mark.slow
@pytest.mark.unchecked
def test_png_folder_out_then_folder_in(tmp_path):
    source = film(tmp_path / "clip.mp4", views(), sound=True)
    facts = selfhvd.deblur(source, tmp_path / "shots", config=quick(steps=0))
    pictures = names(tmp_path / "shots")
    assert pictures == [f"{i:08d}.png" for i in range(12)]
    assert cv2.imread(str(tmp_path / "shots" / pictures[0])).shape == (48, 64, 3)
    assert any("sound" in warning for warning in facts.warnings)
    assert names(tmp_path) == ["clip.mp4", "shots", "shots.report.html", "shots.run.json"]


@pytest.mark.slow
@pytest.mark.subprocess
@pytest.mark.unchecked
def test_folder_of_images_in(tmp_path):
    frames = list(views())
    source = paint(tmp_path / "burst", frames)
    inside = {path.name: path.read_bytes() for path in source.iterdir()}
    facts = selfhvd.deblur(source, config=quick(steps=1), report=False)
    assert names(tmp_path) == ["burst", "burst_deblurred"]
    assert facts.frames == 12 and facts.selection.sharp == MIXED
    assert {path.name: path.read_bytes() for path in source.iterdir()} == inside
    for index in MIXED:
        image = cv2.imread(str(tmp_path / "burst_deblurred" / f"shot{index + 1}.png"))
        assert np.array_equal(image[..., ::-1], frames[index])


@pytest.mark.slow
@pytest.mark.unchecked
def test_folder_of_sharp_images_comes_out_equal(tmp_path):
    frames = list(views(4, sharp=unmoved))
    facts = selfhvd.deblur(paint(tmp_path / "burst", frames), config=quick(steps=1))
    assert facts.selection.verdict == "all-sharp"
    for index, frame in enumerate(frames):
        image = cv2.imread(str(tmp_path / "burst_deblurred" / f"shot{index + 1}.png"))
        assert np.array_equal(image[..., ::-1], frame)


def test_sharp_clip_is_handed_through(tmp_path):
    source = film(tmp_path / "clip.mp4", views(sharp=unmoved), sound=True)
    facts = selfhvd.deblur(source, config=quick())
    assert facts.selection.verdict == "all-sharp" and facts.adaptation is None
    assert (tmp_path / "clip_deblurred.mp4").read_bytes() == source.read_bytes()
    assert not (tmp_path / "clip_deblurred.mp4").samefile(source)
    assert "already sharp" in (tmp_path / "clip_deblurred.report.html").read_text(encoding="utf-8")
    assert len(names(tmp_path)) == 4


def test_a_clip_handed_through_is_not_said_to_lose_anything(tmp_path):
    turned = film(tmp_path / "clip.mp4", views(4, sharp=unmoved), rotation=30)
    facts = selfhvd.deblur(turned, config=quick(), report=False)
    assert facts.left == 4 and facts.warnings == ()
    changed = selfhvd.deblur(turned, config=quick(), report=False, quality=50, overwrite=True)
    assert changed.warnings == ("the display matrix is no multiple of 90 degrees and is ignored",)


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize("sharp", [unmoved, lambda i: i in MIXED])
def test_sound_of_an_mp4_goes_into_an_mkv(tmp_path, sharp):
    source = film(tmp_path / "clip.mp4", views(4, 64, 48, sharp), sound=True)
    selfhvd.deblur(source, tmp_path / "other.mkv", config=quick(steps=0), report=False)
    before, after = seen(source, tmp_path / "in"), seen(tmp_path / "other.mkv", tmp_path / "out")
    assert seconds(before) == pytest.approx(seconds(after), abs=0.001)
    assert [data for _, data in sound_packets(source)] == [data for _, data in sound_packets(tmp_path / "other.mkv")]


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize(
    "stop",
    [
        KeyboardInterrupt,
        OSError(28, "No space left on device"),
    ],
)
def test_handing_through_that_breaks_off_goes_on_when_run_again(tmp_path, monkeypatch, stop):
    source = film(tmp_path / "clip.mp4", views(3, sharp=unmoved))

    def half(one, two):
        Path(two).write_bytes(Path(one).read_bytes()[:100])
        raise stop

    monkeypatch.setattr("selfhvd.video.read.motion_photo.shutil.copyfile", half)
    with pytest.raises(KeyboardInterrupt if stop is KeyboardInterrupt else OutputError):
        selfhvd.deblur(source, config=quick())
    assert names(tmp_path) == [".clip_deblurred.mp4.selfhvd", "clip.mp4"]
    monkeypatch.undo()
    selfhvd.deblur(source, config=quick(), report=False)
    assert names(tmp_path) == ["clip.mp4", "clip_deblurred.mp4"]


@pytest.mark.slow
@pytest.mark.unchecked
def test_blurry_clip_is_restored_with_a_word_of_warning(tmp_path):
    source = film(tmp_path / "clip.mp4", views(sharp=never))
    facts = selfhvd.deblur(source, config=quick(steps=1))
    assert facts.selection.verdict == "none-sharp" and facts.selection.ratio == 0
    page = (tmp_path / "clip_deblurred.report.html").read_text(encoding="utf-8")
    assert "No frame of this clip is truly sharp" in page
    assert len(seen(tmp_path / "clip_deblurred.mp4", tmp_path / "cache")) == 12


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("count", "size", "sharp"),
    [(1, (64, 48), unmoved), (1, (64, 48), never), (2, (64, 48), never), (8, (16, 16), lambda i: i % 4 == 0)],
)
def test_short_and_small_clips(tmp_path, count, size, sharp):
    source = film(tmp_path / "clip.mp4", views(count, *size, sharp))
    selfhvd.deblur(source, config=quick(steps=1))
    after = seen(tmp_path / "clip_deblurred.mp4", tmp_path / "cache")
    assert (len(after), after.width, after.height) == (count, *size)
    run = json.loads((tmp_path / "clip_deblurred.run.json").read_text())
    assert run["frames"] == count and len(run["sharpness_after"]) == count


@pytest.mark.slow
@pytest.mark.unchecked
def test_same_seed_same_frames(tmp_path):
    source = film(tmp_path / "clip.mp4", views())
    config = quick(from_scratch=True, steps=1)
    config = replace(config, adapt=replace(config.adapt, judge=False))
    pictures = []
    for name in ("one", "two"):
        selfhvd.deblur(source, tmp_path / name, config=replace(config, seed=5), report=False)
        pictures.append([p.read_bytes() for p in sorted((tmp_path / name).iterdir())])
    assert len(pictures[0]) == 12 and pictures[0] == pictures[1]


def test_inspect_leaves_nothing_and_agrees_with_deblur(tmp_path):
    source = film(tmp_path / "clip.mp4", views())
    footage, selection = selfhvd.inspect(source)
    assert (len(footage), selection.sharp) == (12, MIXED)
    assert names(tmp_path) == ["clip.mp4"] and not footage.folder.exists()


_MEASURED = """
import os, sys, threading, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import cv2, torch
cv2.setNumThreads(1), torch.set_num_threads(1)
from clips_for_tests import quick
from dataclasses import replace
import selfhvd

def peak(pid):
    lines = Path(f"/proc/{{pid}}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

def watch():
    while True:
        for task in Path("/proc/self/task").iterdir():
            try:
                for pid in (task / "children").read_text().split():
                    words = Path(f"/proc/{{pid}}/cmdline").read_bytes().split(b"\\0")
                    if b"selfhvd.video.process.worker" in words:
                        workers.append(peak(pid))
            except (OSError, StopIteration):
                pass
        time.sleep(0.02)

config = quick(steps=0)
config = replace(config, restore=replace(config.restore, rounds=1, each_side=1))
workers = [0]
threading.Thread(target=watch, daemon=True).start()
for source in {sources!r}:
    workers[:] = [0]
    facts = selfhvd.deblur(source, source + ".out.mp4", config=config, report=False)
    assert facts.selection.verdict == "mixed"
    print(peak("self"), max(workers))
"""
"""VmHWM and not ru_maxrss: the latter starts at the peak of whoever started the process."""


@pytest.mark.slow
@pytest.mark.subprocess
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_memory_does_not_grow_with_the_length(tmp_path):
    sources = [str(film(tmp_path / f"{n}.mp4", views(n, 160, 96, lambda i: i % 4 == 0))) for n in (20, 70, 200)]
    code = _MEASURED.format(tests=str(Path(__file__).parent), sources=sources)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, (short, short_worker), (long, long_worker) = (  # what is loaded but once, and caches, the first has filled
        [int(word) for word in line.split()] for line in done.stdout.splitlines()
    )
    assert short > 50_000 and short_worker > 10_000
    # 130 frames more, as float32, are 24 MB: 4 % of torch itself, so bytes are counted. 5 to 9 MB were seen.
    assert long - short < 14_000
    assert long_worker - short_worker < 4_500


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize("sharp", [MIXED, unmoved])
def test_the_result_says_who_made_it_and_not_where_if_asked(tmp_path, sharp):
    plain = film(tmp_path / "plain.mp4", views(sharp=sharp))
    source = tmp_path / "here.mp4"
    with av.open(str(plain)) as given, av.open(str(source), "w", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata.update({"location": "+52.5186+013.4081/", "title": "Wall"})
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)

    def tags(target: str, **options: bool) -> dict[str, str]:
        selfhvd.deblur(source, tmp_path / target, config=quick(steps=0), report=False, **options)
        with av.open(str(tmp_path / target)) as made:
            return dict(made.metadata)

    stripped = tags("stripped.mp4", strip_location=True)
    assert not any("+52" in value for value in stripped.values()) and stripped["title"] == "Wall"
    assert re.fullmatch(rf"selfhvd {re.escape(selfhvd.__version__)}, settings [0-9a-f]{{12}}", stripped["comment"])
    kept = tags("kept.mp4")
    assert any("+52.5186" in value for value in kept.values()) and kept["title"] == "Wall"
    # A clip that is sharp already is handed over as it is.
    assert kept.get("comment") == (stripped["comment"] if sharp == MIXED else None)
