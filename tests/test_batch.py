"""Many clips: which, where to, and that a bad one does not stop the rest."""

import json
import os

import cv2
import pytest
from PIL import Image

from clips_for_tests import film, names, paint, quick, views, wall
from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.run.batch import gather, is_batch, lay_out, run_batch
from selfhvd.run.fingerprint import fingerprint
from selfhvd.run.up_to_date import is_finished
from selfhvd.video import default_destination
from selfhvd.video.read.content import holds_video
from test_video import make_clip

pytestmark = pytest.mark.unchecked


@pytest.fixture
def run(run, quickly):
    """A step for each stage."""
    quickly(steps=1)
    return run


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A clip of four sharp frames: handed through, so that it takes no time."""
    return film(tmp_path_factory.mktemp("shelf") / "tiny.mp4", views(4, 64, 48, lambda i: True)).read_bytes()


def touch(folder, *words):
    folder.mkdir(exist_ok=True)
    for word in words:
        (folder / word).write_bytes(b"x")
    return folder


class TestGather:
    def test_a_folder_of_videos_stands_for_its_videos(self, tmp_path):
        folder = touch(tmp_path / "f", "b10.mp4", "b2.MOV", "b2_deblurred.mov", ".b.mp4", "note.txt", "p.jpg")
        touch(folder / "deeper", "c.mp4")
        assert is_batch([folder], gather([folder]))
        assert [path.name for path in gather([folder])] == ["b2.MOV", "b10.mp4"]

    def test_a_folder_of_images_is_one_clip(self, tmp_path):
        folder = touch(tmp_path / "f", "1.png", "2.png", "f_deblurred.mp4")
        assert not is_batch([folder], gather([folder])) and gather([folder]) == [folder]

    def test_videos_are_known_by_content_where_the_name_does_not_tell(self, tmp_path, tiny):
        folder = touch(tmp_path / "f", "notes", "song.m4a", "half.mp4.part", "photo.jpg", "GX01.THM", "x.bin")
        for name in ("GL02.LRV", "PXL.MP", "PXL.MP~2", "VID.insv", "plain", "song.m4a", "half.mp4.part"):
            (folder / name).write_bytes(tiny)
        (folder / "motion.MP.jpg").write_bytes(cv2.imencode(".jpg", wall(32))[1].tobytes() + tiny)
        (folder / "torn").write_bytes(tiny[: tiny.index(b"moov") - 4])
        os.mkfifo(folder / "pipe")
        kept = {"GL02.LRV", "PXL.MP", "PXL.MP~2", "VID.insv", "plain", "motion.MP.jpg"}
        assert {path.name for path in gather([folder])} == kept and is_batch([folder], gather([folder]))

    def test_animations_in_a_folder_of_videos(self, tmp_path):
        folder = touch(tmp_path / "f", "a.mp4")
        shots = [Image.fromarray(view) for view in views(2)]
        for name in ("b.png", "c.webp", "d.gif"):
            shots[0].save(folder / name, save_all=True, append_images=shots[1:], duration=50)
        for name in ("still.png", "still.webp", "still.gif"):
            shots[0].save(folder / name)
        assert [path.name for path in gather([folder])] == ["a.mp4", "b.png", "c.webp", "d.gif"]

    def test_a_small_twin_is_passed_over_beside_its_clip(self, tmp_path, tiny):
        folder = touch(tmp_path / "f", "GX010001.MP4")
        for name in ("GL010001.LRV", "GL010002.LRV", "cat.LRF"):
            (folder / name).write_bytes(tiny)
        assert [path.name for path in gather([folder])] == ["GL010002.LRV", "GX010001.MP4", "cat.LRF"]

    def test_each_clip_once_and_a_result_that_is_named_itself(self, tmp_path):
        folder = touch(tmp_path / "f", "a.mp4", "b_deblurred.mp4")
        again = [folder / "a.mp4", folder, folder / ".." / "f" / "a.mp4", folder / "b_deblurred.mp4"]
        assert gather(again) == [folder / "a.mp4", folder / "b_deblurred.mp4"]


class TestLayOut:
    def stems(self, sources, output=None):
        return [clip.destination.name for clip in lay_out(sources, output)]

    def test_beside_each_clip(self, tmp_path):
        clips = lay_out([tmp_path / "x" / "a.mp4", tmp_path / "y" / "a.mp4"])
        assert [clip.destination for clip in clips] == [tmp_path / d / "a_deblurred.mp4" for d in "xy"]

    def test_same_stem_from_two_folders(self, tmp_path):
        sources = [tmp_path / "x" / "a.mp4", tmp_path / "y" / "a.mp4", tmp_path / "y" / "b.mp4"]
        said = self.stems(sources, tmp_path / "out")
        assert said == ["x_a_deblurred.mp4", "y_a_deblurred.mp4", "b_deblurred.mp4"]

    def test_same_stem_two_containers(self, tmp_path):
        sources = [tmp_path / "a.mp4", tmp_path / "a.mov", tmp_path / "A.avi"]
        assert self.stems(sources) == ["a_mp4_deblurred.mp4", "a_mov_deblurred.mov", "A_avi_deblurred.avi"]

    def test_names_that_are_taken_by_the_way_out(self, tmp_path):
        inside = [tmp_path / name for name in ("a.mp4", "a.mov", "a_mp4.mp4", "x_a.mp4")]
        far = [tmp_path / "1" / "x" / "a.mp4", tmp_path / "2" / "x" / "a.mp4"]
        clips = lay_out([*inside, *far], tmp_path / "out")
        assert len({clip.destination.stem.casefold() for clip in clips}) == 6

    def test_a_result_never_replaces_a_clip(self, tmp_path):
        with pytest.raises(UsageError, match="both an input and the result"):
            lay_out([tmp_path / "a.mp4", tmp_path / "a_deblurred.mp4"])

    def test_many_clips_do_not_go_into_one_file(self, tmp_path):
        with pytest.raises(UsageError, match="no folder"):
            lay_out([tmp_path / "a.mp4", tmp_path / "b.mp4"], tmp_path / "out.mp4")


class TestRun:
    def test_failures_are_noted(self, tmp_path):
        clips = lay_out([tmp_path / f"{name}.mp4" for name in "abc"])

        def work(clip):
            if clip.source.stem == "a":
                raise InputError("torn.")
            if clip.source.stem == "b":
                raise ZeroDivisionError("the universe\nand more")

        outcome = run_batch(clips, work)
        assert outcome.done == (clips[2],)
        said = [failure.sentence for failure in outcome.failures]
        assert said == ["torn.", "unexpected fault in selfhvd: ZeroDivisionError: the universe"]
        with pytest.raises(InputError, match="torn"):
            run_batch(clips, work, fail_fast=True)

    def test_an_interruption_ends_it(self, tmp_path):
        def work(clip):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_batch(lay_out([tmp_path / "a.mp4"]), work)


class TestFinished:
    def made(self, folder, settings=None, **changed):
        config = quick()
        source, result = folder / "a.mp4", folder / "a_deblurred.mp4"
        source.write_bytes(b"clip")
        result.write_bytes(b"result")
        from dataclasses import asdict

        from selfhvd.report.record import plain

        settings = plain(asdict((settings or config).resolved()))
        run = {"fingerprint": fingerprint(source), "settings": settings, **changed}
        (folder / "a_deblurred.run.json").write_text(json.dumps(run))
        return source, result, config

    def test_same_clip_same_settings(self, tmp_path):
        assert is_finished(*self.made(tmp_path))
        assert is_finished(*self.made(tmp_path, quick(max_minutes=3.0)))
        with pytest.raises(OutputError, match="made with other settings"):  # nothing is learned then
            is_finished(*self.made(tmp_path, quick(max_minutes=0.0)))

    def test_other_clip_or_other_settings(self, tmp_path):
        source, *rest = self.made(tmp_path)
        source.write_bytes(b"CLIP")
        with pytest.raises(OutputError, match="another clip"):
            is_finished(source, *rest)
        with pytest.raises(OutputError, match="other settings"):
            is_finished(*self.made(tmp_path, quick(seed=8)))

    def test_without_a_record_the_newer_one_counts(self, tmp_path):
        source, result, config = self.made(tmp_path)
        (tmp_path / "a_deblurred.run.json").unlink()
        assert is_finished(source, result, config)
        os.utime(result, (1, 1))
        with pytest.raises(OutputError, match="older"):
            is_finished(source, result, config)
        result.unlink()
        assert not is_finished(source, result, config)


def test_fingerprints(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(3 << 20))
    before = fingerprint(path)
    for place in (0, (3 << 20) // 2, (3 << 20) - 1):
        data = bytearray(3 << 20)
        data[place] = 1
        path.write_bytes(data)
        assert fingerprint(path) != before
    path.write_bytes(bytes((3 << 20) + 1))
    assert fingerprint(path) != before
    folder = touch(tmp_path / "f", "1.png")
    one = fingerprint(folder)
    touch(folder, "2.png")
    assert fingerprint(folder) != one
    with pytest.raises(InputError):
        fingerprint(tmp_path / "nowhere")


def test_a_bad_clip_does_not_stop_the_rest(run, tmp_path, tiny):
    folder, out = touch(tmp_path / "f", "bad.mp4"), tmp_path / "out"
    (folder / "a.mp4").write_bytes(tiny)
    (folder / "c.mov").write_bytes(tiny)
    done = run(folder, "-o", out)
    assert done.code == 7, done.err
    assert done.out.splitlines() == [str(out / "a_deblurred.mp4"), str(out / "c_deblurred.mov")]
    assert [line.startswith("failed: ") for line in done.err.splitlines()[-2:]] == [True, False]
    assert "bad.mp4 is not a video" in done.err.splitlines()[-2]
    assert done.err.splitlines()[-1] == "selfhvd: 1 of 3 clips could not be deblurred."
    assert [n for n in names(out) if n.endswith(("4", "v"))] == ["a_deblurred.mp4", "c_deblurred.mov"]

    again = run(folder, "-o", out, "--skip-existing", "--fail-fast", "-q")
    assert again.code == 3 and again.out == f"{out / 'a_deblurred.mp4'}\n" and "bad.mp4" in again.err
    (folder / "bad.mp4").unlink()
    assert run(folder, "-o", out, "--skip-existing", "-q").code == 0
    refused = run(folder, "-o", out, "-q")
    assert refused.code == 7 and names(out)[0] == "a_deblurred.mp4"


@pytest.mark.parametrize(
    ("name", "result"),
    [("GL01.LRV", "GL01_deblurred.mp4"), ("PXL.MP", "PXL_deblurred.mp4"), ("PXL.MP~2", "PXL_deblurred.mp4"),
     ("V_00.insv", "V_00_deblurred.mp4"), ("plain", "plain_deblurred.mp4"), ("At 7.30 pm", "At 7.30 pm_deblurred.mp4"),
     ("a.MP4", "a_deblurred.MP4")],
)  # fmt: skip
def test_mp4_stays_mp4_whatever_its_name(tmp_path, tiny, name, result):
    (tmp_path / name).write_bytes(tiny)
    assert default_destination(tmp_path / name).name == result


@pytest.mark.parametrize(
    ("container", "suffix"),
    [("mp4", ".mp4"), ("mov", ".mov"), ("3gp", ".3gp"), ("matroska", ".mkv"), ("webm", ".webm"), ("avi", ".avi"),
     ("mpegts", ".ts"), ("flv", ".mp4")],
)  # fmt: skip
def test_containers_are_told_by_content(tmp_path, container, suffix):
    codec = "libvpx-vp9" if container == "webm" else "libx264"
    path = make_clip(tmp_path / "clip", container=container, codec=codec)
    assert default_destination(path).name == f"clip_deblurred{suffix}"
    assert holds_video(path) == (container != "flv")


@pytest.mark.slow
def test_two_of_one_stem_and_a_proxy_that_is_sharp(run, tmp_path, tiny):
    for name in ("PXL.MP", "PXL.MP~2"):
        (tmp_path / name).write_bytes(tiny)
    done = run(tmp_path, "-q", "--no-report")
    assert done.code == 0, done.err
    results = ["PXL_MP_deblurred.mp4", "PXL_MP~2_deblurred.mp4"]
    assert names(tmp_path) == ["PXL.MP", "PXL.MP~2", *results]
    assert {(tmp_path / name).read_bytes() for name in results} == {tiny}


def test_what_every_clip_needs_is_missed_once(run, tmp_path, tiny):
    (tmp_path / "a.mp4").write_bytes(tiny)
    (tmp_path / "b.mp4").write_bytes(tiny)
    refused = run(tmp_path / "a.mp4", tmp_path / "b.mp4", "--backbone", "estrnn", "-q")
    assert refused.code == 6 and len(refused.err.splitlines()) == 1
    assert names(tmp_path) == ["a.mp4", "b.mp4"]


@pytest.mark.slow
def test_a_folder_of_images_beside_a_video(run, tmp_path, tiny):
    (tmp_path / "a.mp4").write_bytes(tiny)
    shots = paint(tmp_path / "shots", views(2, 64, 48, lambda i: True))
    done = run(shots, tmp_path / "a.mp4", "-q", "--no-report")
    assert done.code == 0, done.err
    assert names(tmp_path) == ["a.mp4", "a_deblurred.mp4", "shots", "shots_deblurred"]
