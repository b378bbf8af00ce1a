"""Footage in and out: frames, times, sound, tags, orientation and depth survive a round trip."""

import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.video import (
    Footage,
    Limits,
    check_destination,
    default_destination,
    encode_clip,
    ingest,
    open_writer,
)
from selfhvd.video.write.decode_times import decode_times, forward

VFR = (0, 3000, 6100, 9000, 15000, 15900, 21000, 24000)  # ticks of 1/90000 s


def picture(index: int, width: int, height: int) -> np.ndarray:
    """A smooth coloured gradient with a white block in the upper left quarter, moving to the right."""
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([40 + 150 * x / width, 60 + 120 * y / height, np.full(x.shape, 90.0)], -1)
    rgb[height // 8 : height // 4, width // 8 + index : width // 3 + index] = 230
    return rgb.astype(np.uint8)


def make_clip(path, *, width=96, height=64, times=VFR, codec="libx264", pix_fmt="yuv420p", sound=False,
              rotation=0, color=(1, 1, 1, 1), hflip=False, container=None, metadata=(), shift=0):  # fmt: skip
    """A clip with known times, colours and sound."""
    options = {"crf": "10", "preset": "veryfast"} | (
        {"x265-params": "log-level=none:bframes=0"} if codec == "libx265" else {}
    )
    with av.open(str(path), "w", format=container, container_options={"video_track_timescale": "90000"}
                 if path.suffix in (".mp4", ".mov") else {}) as out:  # fmt: skip
        out.metadata.update(dict(metadata))
        video = out.add_stream(codec, rate=30, options=options)
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        context = video.codec_context
        context.time_base = Fraction(1, 90000)
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = color
        if rotation or hflip:
            video.set_display_rotation(rotation, hflip=hflip)
        audio = out.add_stream("aac", rate=48000) if sound else None
        for index, time in enumerate(times):
            deep = pix_fmt.endswith("10le")
            image = picture(index, width, height)
            source = av.VideoFrame.from_ndarray(
                image.astype(np.uint16) * 257 if deep else image, format="rgb48le" if deep else "rgb24"
            )
            frame = source.reformat(
                format=pix_fmt, dst_colorspace={1: 1, 9: 9}.get(color[1], 5), dst_color_range=color[0] or 1
            )
            frame.pts, frame.time_base = time + shift, Fraction(1, 90000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            wave = (0.2 * np.sin(np.arange(1024 * 14) / 20)).astype(np.float32)
            for block in range(14):
                sound_frame = av.AudioFrame.from_ndarray(
                    np.stack([wave[block * 1024 : (block + 1) * 1024]] * 2), format="fltp", layout="stereo"
                )
                sound_frame.sample_rate, sound_frame.pts = 48000, block * 1024
                sound_frame.time_base = Fraction(1, 48000)
                out.mux(audio.encode(sound_frame))
            out.mux(audio.encode(None))
    return path


def packets(path, kind):
    """(seconds, bytes) of each packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]


def round_trip(source, folder, name=None, **options):
    """Ingest, write the same frames back, ingest again."""
    footage = ingest(source, folder / "cache")
    target = folder / (name or default_destination(source).name)
    with open_writer(footage, target, **options) as writer:
        for index in range(len(footage)):
            writer.write(footage.frame(index))
    return footage, ingest(target, folder / "again"), target, writer


def psnr(one, two):
    peak = 255.0 if one.dtype == np.uint8 else 65535.0
    return 10 * np.log10(peak**2 / max(1e-9, np.mean((one.astype(float) - two.astype(float)) ** 2)))


def seconds(footage):
    return [footage.seconds(index) for index in range(len(footage))]


def test_phone_clip_keeps_times_sound_tags_and_stands_upright(tmp_path):
    source = make_clip(tmp_path / "phone.mp4", sound=True, rotation=-90, metadata={"title": "Kitten"}.items())
    before, after, target, writer = round_trip(source, tmp_path, comment="deblurred")
    assert (before.width, before.height, before.rotation) == (64, 96, -90)
    assert [t * before.time_base for t in before.times] == [Fraction(t, 90000) for t in VFR]
    assert seconds(after) == seconds(before)
    assert (after.width, after.height, after.rotation) == (64, 96, 0)
    assert after.color == before.color and before.color.matrix == 1
    assert packets(target, "audio") == packets(source, "audio")
    assert writer.warnings == []
    assert psnr(before.frame(3), after.frame(3)) > 40
    with av.open(str(target)) as container:
        assert container.metadata["title"] == "Kitten" and container.metadata["comment"] == "deblurred"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


@pytest.mark.parametrize(
    ("rotation", "hflip", "corner"),
    [(0, False, "tl"), (-90, False, "tr"), (180, False, "br"), (90, False, "bl"), (0, True, "tr")],
)
def test_frames_are_upright(tmp_path, rotation, hflip, corner):
    # The white block of the stored picture is in its upper left quarter.
    source = make_clip(tmp_path / "a.mp4", times=(0,), rotation=rotation, hflip=hflip)
    footage = ingest(source, tmp_path / "cache")
    mean = footage.frame(0).astype(float).min(-1)
    h, w = mean.shape
    quarters = {"tl": mean[: h // 2, : w // 2], "tr": mean[: h // 2, w // 2 :]}
    quarters |= {"bl": mean[h // 2 :, : w // 2], "br": mean[h // 2 :, w // 2 :]}
    assert max(quarters, key=lambda name: quarters[name].max()) == corner


@pytest.mark.parametrize("color", [(1, 1, 1, 1), (2, 5, 5, 6), (0, 2, 2, 2), (2, 1, 1, 1)])
def test_colours_are_decoded_and_encoded_with_their_matrix(tmp_path, color):
    source = make_clip(tmp_path / "a.mp4", color=color)
    before, after, _, _ = round_trip(source, tmp_path)
    assert after.color == before.color
    assert before.color.matrix == color[1]
    flat = np.s_[40:60, 70:90]
    wanted = picture(0, 96, 64)[flat].astype(float)
    assert np.abs(before.frame(0)[flat] - wanted).mean() < 2.5
    assert abs((after.frame(0)[flat].astype(float) - before.frame(0)[flat]).mean()) < 0.5


def test_ten_bits_stay_ten(tmp_path):
    source = make_clip(tmp_path / "hdr.mp4", codec="libx265", pix_fmt="yuv420p10le", color=(1, 9, 9, 18))
    before, after, target, _ = round_trip(source, tmp_path)
    assert before.depth == after.depth == 10
    assert before.frame(0).dtype == np.uint16
    assert after.pixel_format == "yuv420p10le" and after.codec == "hevc"
    assert after.color == before.color
    assert psnr(before.frame(2), after.frame(2)) > 40
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize("size", [(53, 35), (16, 16), (54, 33)])
def test_any_size_is_kept(tmp_path, size):
    source = make_clip(tmp_path / "odd.mp4", width=size[0], height=size[1], pix_fmt="yuv444p")
    before, after, _, _ = round_trip(source, tmp_path)
    assert (after.width, after.height) == size == (before.width, before.height)


def test_small_hevc(tmp_path):
    source = make_clip(tmp_path / "small.mp4", width=64, height=64, codec="libx265", times=(0, 3000))
    assert round_trip(source, tmp_path)[1].count == 2


def test_one_frame(tmp_path):
    before, after, _, _ = round_trip(make_clip(tmp_path / "one.mp4", times=(0,)), tmp_path)
    assert before.count == after.count == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.ts"])
def test_late_start_is_kept(tmp_path, name):
    source = make_clip(tmp_path / name, shift=45000, sound=True)
    before, after, target, _ = round_trip(source, tmp_path)
    assert before.seconds(0) > Fraction(4, 10)
    assert seconds(after) == seconds(before)
    assert packets(target, "audio") == packets(source, "audio")


def test_repeated_times_are_kept(tmp_path):
    source = make_clip(tmp_path / "a.mp4")
    footage = ingest(source, tmp_path / "cache")
    import dataclasses

    times = (0, 3000, 3000, 3000, 6000, 6000, 9000, 12000)
    dataclasses.replace(footage, times=times).save()
    footage = Footage.load(tmp_path / "cache")
    with open_writer(footage, tmp_path / "out.mp4") as writer:
        for index in range(len(footage)):
            writer.write(footage.frame(index))
    assert ingest(tmp_path / "out.mp4", tmp_path / "again").times == times


def test_other_codecs_and_containers(tmp_path):
    make_clip(tmp_path / "a.webm", codec="libvpx-vp9", times=(0, 2970, 5940))
    _, after, _, _ = round_trip(tmp_path / "a.webm", tmp_path)
    assert after.codec == "vp9" or after.codec == "libvpx-vp9"
    make_clip(tmp_path / "b.mkv", times=(0, 2970, 5940))
    _, after, _, _ = round_trip(tmp_path / "b.mkv", tmp_path, "b.mp4")
    assert after.container.startswith("mov")


def test_folder_of_images_in_and_out(tmp_path):
    images = tmp_path / "shots"
    images.mkdir()
    for index in (10, 2, 1):
        cv2.imwrite(str(images / f"shot{index}.png"), picture(index, 40, 30)[..., ::-1])
    footage = ingest(images, tmp_path / "cache")
    assert footage.count == 3 and footage.time_base == Fraction(1, 30) and footage.kind == "images"
    assert np.array_equal(footage.frame(2), picture(10, 40, 30))
    target = default_destination(images)
    assert target.name == "shots_deblurred"
    with open_writer(footage, target) as writer:
        for index in range(3):
            writer.write(footage.frame(index))
    assert sorted(p.name for p in target.iterdir()) == ["shot1.png", "shot10.png", "shot2.png"]
    with pytest.raises(OutputError, match="exists"), open_writer(footage, target):
        pass
    with open_writer(footage, tmp_path / "shots.mp4") as writer:
        for index in range(3):
            writer.write(footage.frame(index))
    assert ingest(tmp_path / "shots.mp4", tmp_path / "again").count == 3


def test_sixteen_bit_images_stay_sixteen(tmp_path):
    images = tmp_path / "deep"
    images.mkdir()
    deep = picture(0, 20, 10).astype(np.uint16) * 200 + 7
    cv2.imwrite(str(images / "0.png"), deep[..., ::-1])
    footage = ingest(images, tmp_path / "cache")
    assert np.array_equal(footage.frame(0), deep)
    with open_writer(footage, tmp_path / "out") as writer:
        writer.write(deep)
    assert np.array_equal(cv2.imread(str(tmp_path / "out/0.png"), cv2.IMREAD_UNCHANGED)[..., ::-1], deep)


def test_images_of_two_sizes_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), picture(0, 40, 30))
    cv2.imwrite(str(tmp_path / "2.png"), picture(0, 40, 32))
    with pytest.raises(InputError, match=r"2\.png is 40x32"):
        ingest(tmp_path, tmp_path / "cache")


def test_frame_tensor_and_progress(tmp_path):
    seen = []
    footage = ingest(make_clip(tmp_path / "a.mp4"), tmp_path / "cache", on_frame=lambda *step: seen.append(step))
    assert seen == [(n + 1, len(VFR)) for n in range(len(VFR))]
    tensor = footage.tensor(0)
    assert tensor.shape == (3, 64, 96) and tensor.min() >= 0 and tensor.max() <= 1
    assert np.array_equal((tensor * 255).round().byte().permute(1, 2, 0).numpy(), footage.frame(0))
    assert Footage.load(tmp_path / "cache") == footage
    with pytest.raises(IndexError):
        footage.frame(8)


def test_times_that_run_backwards_are_repaired():
    assert forward([0, 3003, 7007, 4505, 9009], 1001) == ([0, 3003, 7007, 8008, 9009], 1)
    assert forward([0, 10, 10, 20], 5) == ([0, 10, 10, 20], 0)
    assert forward([50, 60, 0, 10], 10) == ([50, 60, 70, 80], 2)


def test_decode_times_rise_and_never_pass_their_frame():
    assert decode_times([0, 10, 10, 10, 30]) == [0, 8, 9, 10, 30]
    assert decode_times([5]) == [5]


def test_encode_clip(tmp_path):
    encode_clip((picture(i, 64, 48) for i in range(5)), tmp_path / "clip.mp4", rate=Fraction(24))
    footage = ingest(tmp_path / "clip.mp4", tmp_path / "cache")
    assert footage.count == 5 and footage.seconds(4) == Fraction(4, 24)
    assert psnr(footage.frame(2), picture(2, 64, 48)) > 32
    with pytest.raises(UsageError):
        encode_clip([], tmp_path / "none.mp4")
    assert not (tmp_path / "none.mp4").exists()


def test_default_destination(tmp_path):
    assert default_destination(Path("a/clip.mp4")) == Path("a/clip_deblurred.mp4")
    assert default_destination(Path("clip.MOV")).name == "clip_deblurred.MOV"
    assert default_destination(Path("clip.wmv")).name == "clip_deblurred.mkv"
    assert default_destination(tmp_path).name == f"{tmp_path.name}_deblurred"


def test_check_destination(tmp_path):
    source = make_clip(tmp_path / "a.mp4", times=(0,))
    check_destination(source, tmp_path / "b.mp4")
    for link in (os.symlink, os.link):
        (tmp_path / "link.mp4").unlink(missing_ok=True)
        link(source, tmp_path / "link.mp4")
        with pytest.raises(UsageError, match="input itself"):
            check_destination(source, tmp_path / "link.mp4", overwrite=True)
    with pytest.raises(UsageError, match="cannot be written"):
        check_destination(source, tmp_path / "b.docx")
    with pytest.raises(OutputError, match="does not exist"):
        check_destination(source, tmp_path / "no" / "b.mp4")
    (tmp_path / "c.mp4").write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"):
        check_destination(source, tmp_path / "c.mp4")
    check_destination(source, tmp_path / "c.mp4", overwrite=True)


def test_strange_names(tmp_path):
    folder = tmp_path / "it's; $(x) %03d"
    folder.mkdir()
    name = "-ä 'q' %d:" + "n" * 180 + ".mp4"
    source = make_clip(folder / name, times=(0, 3000))
    assert round_trip(source, folder)[1].count == 2


def test_limits(tmp_path):
    source = make_clip(tmp_path / "a.mp4")
    for limits in (Limits(pixels=100), Limits(frames=3), Limits(streams=0)):
        with pytest.raises(InputError):
            ingest(source, tmp_path / "cache", limits=limits)
        assert not (tmp_path / "cache" / "footage.json").exists()
