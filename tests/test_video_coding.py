"""How results are coded: codec, chroma, colours, size; what is said of a change; interlaced sources made whole."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clips_for_tests import views, wall
from selfhvd.errors import UsageError
from selfhvd.video import Coding, ingest, open_writer
from selfhvd.video.write.encoder_choice import plan

AUTO = Coding()


def pictures(count=4, width=64, height=48):
    scene = wall()
    scene = np.tile(scene, (-(-(height + 10) // 256), -(-(width + 40) // 256), 1))
    for i in range(count):
        yield np.ascontiguousarray(scene[i : height + i, 3 * i : width + 3 * i])


def coded(path: Path, frames, codec, pix_fmt, options=None, tag=None, start=0, **metadata) -> Path:
    """A clip of RGB or RGBA frames, at 25 a second."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options or {})
        for index, image in enumerate(frames):
            if index == 0:
                stream.height, stream.width, stream.pix_fmt = *image.shape[:2], pix_fmt
                stream.metadata.update(metadata)
                if tag:
                    stream.codec_context.codec_tag = tag
            frame = av.VideoFrame.from_ndarray(image, format="rgba" if image.shape[2] == 4 else "rgb24")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = start + index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def written(source: Path, name: str, coding=AUTO, change=lambda frame: frame):
    """The footage of a clip, its result as another program reads it, and what was said."""
    cache, again = source.parent / f"{name}.in", source.parent / f"{name}.out"
    before, target = ingest(source, cache), source.parent / name
    with open_writer(before, target, coding=coding) as writer:
        for index in range(before.count):
            writer.write(change(before.frame(index)))
    return before, ingest(target, again), [*before.warnings, *writer.warnings]


def stream_of(path: Path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.name, stream.profile, stream.codec_context.pix_fmt


@pytest.mark.parametrize(("size", "matrix"), [((64, 48), 6), ((1280, 48), 1)])
def test_rgb_sources_are_tagged_and_keep_their_colours(tmp_path, size, matrix):
    flat = np.zeros((size[1], size[0], 3), np.uint8)
    flat[:] = 40, 190, 90  # a green that the wrong matrix moves by 20
    source = coded(tmp_path / "in.mov", [flat] * 2, "png", "rgb24")
    _, after, said = written(source, "out.mp4")
    assert (after.color.range, after.color.matrix, after.color.primaries, after.color.transfer) == (1, matrix, 1, 1)
    assert np.abs(after.frame(0).astype(int) - flat).max() <= 3  # read with the tags, as a player does
    assert "the result is H.264; the source was PNG" in said and any("4:2:0" in note for note in said)


def test_rgb_in_ffv1_stays_what_it_is(tmp_path):
    source = coded(tmp_path / "in.mkv", pictures(), "ffv1", "bgr0")
    before, after, said = written(source, "out.mkv")
    assert after.codec == "ffv1" and not said
    assert all(np.array_equal(before.frame(i), after.frame(i)) for i in range(4))


@pytest.mark.parametrize("alpha", [255, 100])
def test_transparency_is_named_only_where_there_is_some(tmp_path, alpha):
    frames = [np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]) for frame in pictures(3)]
    frames[2][5, 5, 3] = alpha
    source = coded(tmp_path / "in.mov", frames, "png", "rgba")
    _, _, said = written(source, "out.mp4")
    assert any("transparency" in note for note in said) is (alpha < 255)


def test_no_false_tag_of_transparency(tmp_path):
    source = coded(tmp_path / "in.webm", pictures(), "libvpx-vp9", "yuv420p", ALPHA_MODE="1")
    _, _, said = written(source, "out.webm")
    with av.open(str(tmp_path / "out.webm")) as container:
        assert not any(key.lower() == "alpha_mode" for key in container.streams.video[0].metadata)
    assert any("transparency" in note for note in said)


@pytest.mark.parametrize(("profile", "tag"), [("lt", "apcs"), ("hq", "apch")])
def test_prores_stays_prores(tmp_path, profile, tag):
    source = coded(tmp_path / "in.mov", pictures(4, 96, 64), "prores_ks", "yuv422p10le", {"profile": profile})
    _, after, said = written(source, "out.mov")
    assert (after.codec, after.profile, after.pixel_format, said) == ("prores", tag, "yuv422p10le", [])
    _, after, said = written(source, "out.mp4")
    assert (after.codec, after.pixel_format) == ("hevc", "yuv420p10le") and after.profile == "hvc1"
    assert "the result is H.265; the source was ProRes" in said and any("4:2:0" in note for note in said)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "name"), [("mpeg4", "yuv420p", "MPEG-4"), ("mjpeg", "yuvj422p", "Motion JPEG")]
)
def test_a_change_of_codec_is_said_and_plays_everywhere(tmp_path, codec, pix_fmt, name):
    _, after, said = written(coded(tmp_path / "in.avi", pictures(), codec, pix_fmt), "out.mp4")
    assert (after.codec, after.pixel_format.replace("j", "")) == ("h264", "yuv420p")
    assert f"the result is H.264; the source was {name}" in said


def test_an_odd_gif_plays_everywhere(tmp_path):
    source = coded(tmp_path / "in.gif", pictures(width=53, height=35), "gif", "rgb8")
    before, after, said = written(source, "out.mp4")
    assert stream_of(tmp_path / "out.mp4") == ("h264", "High", "yuv420p")
    assert (before.width, before.height, after.width, after.height) == (53, 35, 54, 36)
    assert any("54x36" in note for note in said) and not any("transparency" in note for note in said)


def test_odd_vp9_keeps_size_and_chroma(tmp_path):
    source = coded(tmp_path / "in.webm", pictures(width=67, height=65), "libvpx-vp9", "yuv420p")
    _, after, said = written(source, "out.webm")
    assert (after.width, after.height, after.pixel_format, said) == (67, 65, "yuv420p", [])


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_size_is_near_the_sources_unless_quality_is_asked_for(tmp_path, codec):
    options = {"crf": "26", "x265-params": "log-level=none"} if codec == "libx265" else {"crf": "26"}
    source = coded(tmp_path / "in.mp4", pictures(24, 192, 128), codec, "yuv420p", options)

    def sharper(frame):
        return np.clip(1.8 * frame - 0.8 * cv2.GaussianBlur(frame, (0, 0), 1.0), 0, 255).astype(np.uint8)

    before, usual, _ = written(source, "usual.mp4", change=sharper)
    _, fine, _ = written(source, "fine.mp4", Coding(quality=90), change=sharper)
    _, poor, _ = written(source, "poor.mp4", Coding(quality=20), change=sharper)
    assert 0.9 < sum(usual.sizes) / sum(before.sizes) < 1.5
    assert sum(fine.sizes) > 1.8 * sum(before.sizes) > 3 * sum(poor.sizes)


def test_size_of_a_clip_that_begins_unlike_the_rest_is_near_the_sources(tmp_path):
    rng = np.random.default_rng(3)
    still, *lively = pictures(61, 192, 128)
    frames = [still] * 25 + [np.clip(f + rng.normal(0, 5, f.shape), 0, 255).astype(np.uint8) for f in lively]
    before, usual, _ = written(coded(tmp_path / "in.mp4", frames, "libx264", "yuv420p", {"crf": "28"}), "out.mp4")
    assert 0.8 < sum(usual.sizes) / sum(before.sizes) < 1.8


@pytest.mark.parametrize(
    ("name", "coding", "reason"),
    [
        ("a.webm", Coding("h264"), "it can hold vp9, av1"),
        ("a.mp4", Coding("prores"), "it can hold h264, hevc, av1"),
        ("a.mov", Coding("prores", 50), "no quality"),
        ("a.mp4", Coding(quality=101), "between 0 and 100"),
        ("folder", Coding(quality=50), "PNG"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(tmp_path, name, coding, reason):
    with pytest.raises(UsageError, match=reason):
        coding.check(tmp_path / name)


@pytest.mark.parametrize(
    ("codec", "name"), [("hevc", "a.mp4"), ("av1", "a.mkv"), ("vp9", "a.webm"), ("prores", "a.mov")]
)
def test_the_codec_asked_for(tmp_path, codec, name):
    source = coded(tmp_path / "in.mp4", pictures(2, 64, 64), "libx264", "yuv420p")
    _, after, said = written(source, name, Coding(codec))
    assert codec in (after.codec, {"libdav1d": "av1", "libvpx-vp9": "vp9"}.get(after.codec))
    assert any(note.startswith("the result is ") for note in said)


def combed(top_first: bool, count=8):
    """Frames of two fields of a scene that moves 4 pixels a field; and both fields, whole."""
    scene = cv2.GaussianBlur(np.tile(wall(), (1, 2, 1)), (0, 0), 2.0)
    fields = [np.ascontiguousarray(scene[:96, 4 * i : 128 + 4 * i]) for i in range(2 * count)]
    for i in range(count):
        frame = fields[2 * i].copy()
        frame[1 if top_first else 0 :: 2] = fields[2 * i + 1][1 if top_first else 0 :: 2]
        yield frame, (fields[2 * i], fields[2 * i + 1])


def combing(frame):
    """How much rows differ from those around them."""
    rows = frame.astype(float)
    return np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean()


@pytest.mark.parametrize("top_first", [True, False])
def test_combing_is_taken_out_at_the_same_rate(tmp_path, top_first):
    frames, wanted = zip(*combed(top_first), strict=True)
    order = {"x264-params": "tff=1" if top_first else "bff=1", "crf": "5", "bf": "0"}
    source = coded(tmp_path / "in.ts", frames, "libx264", "yuv420p", order)
    before, after, said = written(source, "out.ts")
    assert (before.count, after.count) == (8, 8)
    assert [after.seconds(i) for i in range(8)] == [before.seconds(i) for i in range(8)]
    assert np.allclose(np.diff([float(before.seconds(i)) for i in range(8)]), 0.04)
    for i in range(8):
        assert combing(before.frame(i)) < 0.4 * combing(frames[i])
        first, second = (np.abs((before.frame(i) - field.astype(float)).mean(axis=2)).mean() for field in wanted[i])
        assert first < 0.5 * second
    assert "8 frames are marked interlaced; their combing was taken out at the same rate" in said
    assert not any("interlaced" in note for note in after.warnings)


def test_whole_frames_marked_interlaced_are_not_hurt(tmp_path):
    frames = list(pictures(8, 128, 96))
    plain = ingest(coded(tmp_path / "a.ts", frames, "libx264", "yuv420p", {"crf": "5", "bf": "0"}), tmp_path / "a")
    marked = {"x264-params": "fake-interlaced=1:tff=1", "crf": "5", "bf": "0"}
    flagged = ingest(coded(tmp_path / "b.ts", frames, "libx264", "yuv420p", marked), tmp_path / "b")
    assert flagged.count == plain.count == 8 and any("interlaced" in note for note in flagged.warnings)
    assert np.mean([np.abs(flagged.frame(i).astype(int) - plain.frame(i)).mean() for i in range(8)]) < 1.5


def test_a_clip_of_which_a_part_is_interlaced(tmp_path):
    whole = list(pictures(5, 128, 96))
    frames = [frame for frame, _ in combed(True)]
    one = coded(tmp_path / "a.ts", whole, "libx264", "yuv420p", {"crf": "5", "bf": "0"})
    two = coded(tmp_path / "b.ts", frames, "libx264", "yuv420p", {"x264-params": "tff=1", "bf": "0"}, start=5)
    (tmp_path / "both.ts").write_bytes(one.read_bytes() + two.read_bytes())
    both = ingest(tmp_path / "both.ts", tmp_path / "cache")
    assert both.count == 13 and any(note.startswith("8 frames are marked interlaced") for note in both.warnings)
    assert np.abs(both.frame(2).astype(int) - whole[2]).mean() < 4
    assert combing(both.frame(9)) < 0.4 * combing(frames[4])


def test_the_same_frames_make_the_same_bytes_whatever_lies_in_memory(tmp_path):
    frames = 3 * list(views(12, 96, 72, lambda i: i % 5 == 0))
    footage = ingest(coded(tmp_path / "clip.mp4", frames, "libx264", "yuv420p"), tmp_path / "in")
    chosen, draw, files = plan(footage, tmp_path / "result.mp4", AUTO), np.random.default_rng(0), set[bytes]()
    for n in range(24):
        beside = [draw.bytes(int(size)) for size in draw.integers(1_000, 3_000_000, n % 9)]
        options = {**chosen.options(17), "bf": "3", "threads": str(n % 4)}  # with which it shows most
        files.add(coded(tmp_path / "result.mp4", frames, chosen.codec, chosen.pixel_format, options).read_bytes())
        del beside
    assert len(files) == 1
