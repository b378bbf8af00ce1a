"""What people and machines do to video files: every fault is one sentence, and nothing half-made stays."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.video import Limits, ingest, open_writer
from test_video import VFR, make_clip, picture

SHARED = Path(os.environ.get("SELFHVD_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def sound_only(path):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 48000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def without_index(path):
    data = make_clip(path).read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])


MAKERS = {
    "does not exist": lambda path: None,
    "empty file": lambda path: path.write_bytes(b""),
    "not a video": lambda path: path.write_text("Dear diary, this is no film.\n" * 50),
    "a PDF": lambda path: path.write_bytes(b"%PDF-1.7\n" + b"x" * 500),
    "still image": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"x" * 500),
    "is not a video that": lambda path: path.write_bytes(np.random.default_rng(0).bytes(4000)),
    "playlist": lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    "no moving picture": sound_only,
    "not close the file": without_index,
    "no images": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("sentence", MAKERS)
def test_sentences(tmp_path, sentence):
    source = tmp_path / "clip.mp4"
    MAKERS[sentence](source)
    with pytest.raises(InputError, match=sentence) as caught:
        ingest(source, tmp_path / "cache")
    assert "clip.mp4" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "cache" / "footage.json").exists()


@pytest.mark.parametrize("name", ["https://example.org/a.mp4", "concat:a.mp4|b.mp4", "subfile:,,start,0,end,9,,:a.mp4"])
def test_no_protocols(tmp_path, name):
    with pytest.raises(InputError, match="not a local file"):
        ingest(Path(name), tmp_path / "cache")


def test_concat_script_is_refused(tmp_path):
    make_clip(tmp_path / "a.mp4")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile a.mp4\n")
    with pytest.raises(InputError, match="playlist"):
        ingest(tmp_path / "list.mp4", tmp_path / "cache")


def faststart(path):
    """The clip with its index in front, as a download cut short would have it."""
    plain = make_clip(path.with_name("plain.mp4"), times=tuple(range(0, 90000, 3000)))
    with av.open(str(plain)) as source, av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        stream = out.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return path


def test_cut_file_gives_its_beginning_and_a_warning(tmp_path):
    source = faststart(tmp_path / "a.mp4")
    data = source.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    source.write_bytes(data[: int(len(data) * 0.95)])
    footage = ingest(source, tmp_path / "cache")
    assert 1 <= footage.count < 30
    assert f"source ends early at frame {footage.count}" in footage.warnings


def test_whole_file_has_no_warning(tmp_path):
    assert ingest(faststart(tmp_path / "a.mp4"), tmp_path / "cache").warnings == ()


@pytest.mark.slow
def test_flipped_bytes_never_hang_or_kill(tmp_path):
    good = make_clip(tmp_path / "good.mp4", sound=True).read_bytes()
    random = np.random.default_rng(7)
    for turn in range(8):
        data = bytearray(good)
        for spot in random.integers(0, len(data), 12):
            data[spot] ^= int(random.integers(1, 256))
        (tmp_path / "bad.mp4").write_bytes(data)
        try:
            footage = ingest(tmp_path / "bad.mp4", tmp_path / f"cache{turn}", limits=Limits(stall=20))
            assert footage.count >= 1
        except InputError as error:
            assert "\n" not in str(error)


def test_size_change_names_the_frame(tmp_path):
    one = make_clip(tmp_path / "one.ts", times=VFR[:3], container="mpegts").read_bytes()
    two = make_clip(tmp_path / "two.ts", times=VFR[3:6], width=64, container="mpegts").read_bytes()
    (tmp_path / "both.ts").write_bytes(one + two)
    with pytest.raises(InputError, match=r"from 96x64 to 64x64 .* at frame 3"):
        ingest(tmp_path / "both.ts", tmp_path / "cache")


def frames_of(footage):
    return (footage.frame(index) for index in range(len(footage)))


@pytest.fixture
def footage(tmp_path):
    return ingest(make_clip(tmp_path / "in.mp4", sound=True), tmp_path / "cache")


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name not in ("in.mp4", "cache"))


@pytest.mark.subprocess
@pytest.mark.parametrize("name", ["out.mp4", "out"])
def test_an_exception_leaves_nothing(tmp_path, footage, name):
    with pytest.raises(KeyboardInterrupt), open_writer(footage, tmp_path / name) as writer:
        writer.write(footage.frame(0))
        raise KeyboardInterrupt
    assert leftovers(tmp_path) == []


@pytest.mark.subprocess
def test_too_few_frames_leave_nothing(tmp_path, footage):
    with (
        pytest.raises(OutputError, match="1 of 8 frames"),
        open_writer(footage, tmp_path / "out.mp4") as writer,
    ):
        writer.write(footage.frame(0))
    assert leftovers(tmp_path) == []


def test_wrong_frames_are_refused(tmp_path, footage):
    with (
        pytest.raises(UsageError, match="expected 64x96x3 uint8"),
        open_writer(footage, tmp_path / "o.mp4") as writer,
    ):
        writer.write(picture(0, 64, 64))
    assert leftovers(tmp_path) == []


@pytest.mark.subprocess
def test_full_disk(tmp_path, footage):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with (
            pytest.raises(OutputError, match=re.escape("out.mp4")),
            open_writer(footage, tmp_path / "out.mp4") as out,
        ):
            for frame in frames_of(footage):
                out.write(frame)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert leftovers(tmp_path) == []


@pytest.mark.subprocess
def test_encoder_killed(tmp_path, footage):
    with (
        pytest.raises(OutputError, match=r"crashed \(signal 9\)"),
        open_writer(footage, tmp_path / "o.mp4") as writer,
    ):
        writer._child.process.kill()
        writer._child.process.wait()
        for frame in frames_of(footage):
            writer.write(frame)
    assert leftovers(tmp_path) == []


@pytest.mark.slow
@pytest.mark.subprocess
def test_overwrite_keeps_the_old_file_until_the_new_is_whole(tmp_path, footage):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with pytest.raises(ValueError), open_writer(footage, target, overwrite=True) as writer:
        writer.write(footage.frame(0))
        raise ValueError
    assert target.read_bytes() == b"old"
    with open_writer(footage, target, overwrite=True) as writer:
        for frame in frames_of(footage):
            writer.write(frame)
    assert target.stat().st_size > 1000 and leftovers(tmp_path) == ["out.mp4"]


@pytest.mark.subprocess
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"crashed \(signal 11\)"),
        ("import time; time.sleep(60)", "no sign of life"),
        ("import sys; sys.exit('boom')", r"failed \(code 1: boom\)"),
    ],
)
def test_a_child_that_dies_or_hangs_is_one_sentence(tmp_path, monkeypatch, code, sentence):
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **more: start([sys.executable, "-c", code], **more))
    began = time.monotonic()
    with pytest.raises(InputError, match=sentence):
        ingest(make_clip(tmp_path / "a.mp4"), tmp_path / "cache", limits=Limits(stall=1.5))
    assert time.monotonic() - began < 20


@pytest.mark.slow
@pytest.mark.subprocess
def test_worker_dies_with_its_parent(tmp_path):
    ingest(make_clip(tmp_path / "in.mp4", times=range(0, 40 * 3000, 3000)), tmp_path / "cache")
    code = (
        "import sys, os, time\nfrom pathlib import Path\nfrom selfhvd.video import Footage, open_writer\n"
        f"footage = Footage.load(Path({str(tmp_path / 'cache')!r}))\n"
        f"with open_writer(footage, Path({str(tmp_path / 'out.mp4')!r})) as writer:\n"
        "    for number in range(30):\n        writer.write(footage.frame(number))\n"
        f"    while not list(Path({str(tmp_path)!r}).glob('.*.part')):\n        time.sleep(0.01)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    source = str(Path(__file__).resolve().parents[1] / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 15
    while leftovers(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert leftovers(tmp_path) == []


@pytest.mark.subprocess
def test_worker_starts_without_torch():
    modules = "selfhvd.video.process.worker, selfhvd.video.write.encode, selfhvd.video.write.verify"
    code = f"import {modules}, sys; assert 'torch' not in sys.modules"
    source = str(Path(__file__).resolve().parents[1] / "src")
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": source}, check=True)


@pytest.mark.skipif(not (SHARED / "data/odd").is_dir(), reason="the shared sample clips are not here")
@pytest.mark.parametrize(
    ("name", "count"), [("with-gps.mp4", 3), ("sample.3gp", 74), ("sample_android_slow_motion.mp4", 7)]
)
def test_shared_samples(tmp_path, name, count):
    assert ingest(SHARED / "data/odd" / name, tmp_path / "cache").count == count
