"""Odd clips, the same ones every time: what phones, editors, broken cards and pranksters hand in.

    python bench/odd_files.py FOLDER

`CASES` names each file, what makes it, and whether a whole result or a refusal is right for it.
"""

import os
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np
from odd_film import STEADY, Film, picture, shoot, texts

Right = Literal["result", "refusal", "either"]


class Case(NamedTuple):
    """One odd file."""

    name: str
    right: Right
    make: Callable[[Path], object]


def film(name: str, right: Right = "result", **knobs: object) -> Case:
    """A case that `Film` alone can make."""
    return Case(name, right, lambda path: shoot(path, Film(**knobs)))  # type: ignore[arg-type]


WOBBLY = (0, 1500, 6100, 9000, 15000, 15900, 21000, 24000)
BT709, BT2020, HLG, PQ = (1, 1, 1, 1), (1, 9, 9, 14), (1, 9, 9, 18), (1, 9, 9, 16)
FULL709, FULL601 = (2, 1, 1, 1), (2, 5, 5, 6)
QUIET = "log-level=none:bframes=0"


def whole(path: Path) -> bytes:
    """The bytes of an ordinary clip with its index in front, made beside `path`."""
    aside = path.with_name("ordinary.mp4")
    shoot(aside, Film(times=range(0, 90000, 3000), sound=("aac",), mux={"movflags": "+faststart"}))
    data = aside.read_bytes()
    aside.unlink()
    return data


def cut(percent: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes((data := whole(path))[: len(data) * percent // 100])


def damaged(path: Path) -> None:
    data = bytearray(whole(path))
    start = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    for spot in range(start, min(len(data), start + 600), 7):
        data[spot] ^= 0xA5
    path.write_bytes(data)


def without_index(path: Path) -> None:
    shoot(path)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])


def patched(make: Case, find: bytes, skip: int, new: bytes) -> Callable[[Path], object]:
    """`make`'s file with the bytes `skip` behind `find` overwritten."""

    def write(path: Path) -> None:
        make.make(path)
        data = bytearray(path.read_bytes())
        spot = data.index(find) + skip
        data[spot : spot + len(new)] = new
        path.write_bytes(data)

    return write


def two_sizes(path: Path) -> None:
    parts = [path.with_name(f"part{n}.ts") for n in (0, 1)]
    shoot(parts[0], Film(times=STEADY[:6]))
    shoot(parts[1], Film(times=STEADY[6:], size=(64, 64)))
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


def sound_only(path: Path) -> None:
    aside = shoot(path.with_name("both.mp4"), Film(sound=("aac",)))
    with av.open(str(aside)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    aside.unlink()


def cover_only(path: Path) -> None:
    sound_only(path)
    aside = path.with_name("sound.mp4")
    path.rename(aside)
    with av.open(str(aside)) as source, av.open(str(path), "w", format="mp4") as out:
        sound = out.add_stream_from_template(source.streams.audio[0])
        cover = out.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame.from_ndarray(picture(0, 32, 32), format="rgb24")))
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = sound
                out.mux(packet)
    aside.unlink()


def no_frames(path: Path) -> None:
    """A picture track that never gets a packet, beside sound."""
    aside = shoot(path.with_name("both.mp4"), Film(sound=("aac",)))
    with av.open(str(aside)) as source, av.open(str(path), "w") as out:
        out.add_stream_from_template(source.streams.video[0])
        sound = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = sound
                out.mux(packet)
    aside.unlink()


def chapters(path: Path) -> None:
    mark = {"id": 1, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}

    def add(out: object) -> Callable[[], None]:
        out.set_chapters([{**mark, "start": 0, "end": 200}, {**mark, "id": 2, "start": 200, "end": 400}])  # type: ignore[attr-defined]
        return lambda: None

    shoot(path, Film(sound=("aac",), extra=add))


def linked(path: Path) -> None:
    target = shoot(path.with_name("target of link.mov"))
    path.unlink(missing_ok=True)
    path.symlink_to(target.name)


def negative(path: Path) -> None:
    shoot(path, Film(times=tuple(t - 6000 for t in STEADY), sound=("aac",), mux={"avoid_negative_ts": "disabled"}))


SUBTITLE = [b"\x00\x05Hello", b"\x00\x05again"]
AVI = film("x.avi", codec="ffv1")
PLAIN = film("x.mp4")

CASES: tuple[Case, ...] = (
    # Times
    film("variable rate.mp4", times=WOBBLY, sound=("aac",)),
    film("variable rate.mkv", times=WOBBLY, sound=("libopus",)),
    film("first time not zero.mp4", times=tuple(t + 45000 for t in STEADY), sound=("aac",)),
    film("b-frames and edit list.mp4", options={"preset": "fast", "bf": "2"}, sound=("aac",)),
    Case("negative times.mkv", "result", negative),
    Case("negative times.mp4", "result", negative),
    film("sound starts late.mp4", sound=("aac",), late=0.25),
    film("sound starts late.mkv", sound=("libopus",), late=0.25),
    film("repeated times.mkv", times=(0, 3000, 3040, 3060, 9000, 9020, 12000), mux={"avoid_negative_ts": "disabled"}),
    film("no times.264"),
    film("no times with b-frames.avi", codec="mpeg4", options={"bf": "2", "qscale": "3"}),
    film("one frame.mp4", times=(0,)),
    film("two frames.mp4", times=(0, 3000)),
    film("three frames.mp4", times=(0, 3000, 6000)),
    # Sizes and shape
    film("33x17.mp4", size=(33, 17), pixels="yuv444p"),
    film("33x17 vp9.webm", size=(33, 17), codec="libvpx-vp9"),
    film("1x1.mkv", size=(1, 1), codec="ffv1", pixels="yuv444p"),
    film("16x16.mp4", size=(16, 16)),
    film("4000x16.mp4", size=(4000, 16), times=(0, 3000, 6000)),
    film("rotated 90.mp4", rotation=90, sound=("aac",)),
    film("rotated 180.mov", rotation=180),
    film("rotated 270.mp4", rotation=-90),
    film("mirrored.mp4", mirrored=True),
    film("mirrored and rotated.mov", mirrored=True, rotation=90),
    film("wide pixels.mp4", aspect=Fraction(4, 3)),
    film("wide pixels rotated.mp4", aspect=Fraction(4, 3), rotation=90),
    film("interlaced.mp4", options={"flags": "+ildct+ilme", "x264-params": "interlaced=1"}),
    film("interlaced mpeg2.ts", codec="mpeg2video", options={"flags": "+ildct+ilme", "qscale": "3"}),
    # Depth, layout, colour
    film("8-bit 422 full 709.mp4", pixels="yuv422p", color=FULL709),
    film("8-bit 444 limited 709.mp4", pixels="yuv444p", color=BT709),
    film("8-bit 420 full 601.mp4", color=FULL601),
    film("jpeg range.mov", codec="mjpeg", pixels="yuvj420p", color=(2, 5, 2, 2)),
    film("10-bit 420 2020.mp4", codec="libx265", pixels="yuv420p10le", color=BT2020),
    film("10-bit 422 h264.mkv", pixels="yuv422p10le", color=BT709),
    film("12-bit 444 2020.mkv", codec="libx265", pixels="yuv444p12le", color=BT2020),
    film("hlg.mp4", codec="libx265", pixels="yuv420p10le", color=HLG),
    film("pq.mp4", codec="libx265", pixels="yuv420p10le", color=PQ, options={"x265-params": QUIET + ":hdr10=1:max-cll=900,300:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"}),  # noqa: E501
    film("grey.mkv", codec="ffv1", pixels="gray"),
    film("rgb.mkv", codec="ffv1", pixels="bgr0"),
    film("rgb 16-bit.mkv", codec="ffv1", pixels="gbrp16le"),
    film("alpha.mov", codec="prores_ks", pixels="yuva444p10le"),
    film("alpha.webm", codec="libvpx-vp9", pixels="yuva420p"),
    film("palette.gif", codec="gif", pixels="rgb8"),
    film("animated.webp", "either", codec="libwebp_anim", pixels="yuv420p"),
    # Codecs and containers
    film("av1.mp4", codec="libsvtav1"),
    film("av1.webm", codec="libsvtav1", sound=("libopus",)),
    film("vp8.webm", codec="libvpx", options={"deadline": "realtime", "b": "300k"}),
    film("prores.mov", codec="prores_ks", pixels="yuv422p10le", sound=("pcm_s16be",)),
    film("ffv1 12-bit.mkv", codec="ffv1", pixels="yuv422p12le", sound=("flac",)),
    film("hevc.ts", codec="libx265", options={"x265-params": QUIET}, sound=("aac",)),
    film("h263 with amr.3gp", codec="h263", size=(176, 144), sound=("libopencore_amrnb",)),
    film("h264 with amr.3gp", sound=("libopencore_amrnb",)),
    film("pcm sound.avi", codec="mpeg4", options={"qscale": "3"}, sound=("pcm_s16le",)),
    film("pcm sound.mov", sound=("pcm_s16le",)),
    film("opus sound.mp4", sound=("libopus",)),
    film("fragmented.mp4", mux={"movflags": "+frag_keyframe+empty_moov"}, sound=("aac",)),
    film("windows.wmv", codec="mpeg4", options={"qscale": "3"}, sound=("libmp3lame",)),
    film("flash.flv", sound=("aac",)),
    # Other tracks and words
    film("three sound tracks.mp4", sound=("aac", "aac", "libmp3lame")),
    film("three sound tracks.mkv", sound=("aac", "libopus", "pcm_s16le")),
    film("subtitles.mp4", sound=("aac",), extra=texts("mov_text", SUBTITLE)),
    film("subtitles.mkv", extra=texts("subrip", [b"Hello", b"again"])),
    film("data track.ts", extra=texts("klv", [b"\x06\x0e\x2b\x34" + bytes(20)] * 3)),
    Case("chapters.mp4", "result", chapters),
    Case("chapters.mkv", "result", chapters),
    film("words.mp4", metadata={"title": "<script>alert(1)</script>", "comment": "mine", "location": "+52.5+013.4/"},
         mux={"movflags": "+use_metadata_tags"}),
    # Broken
    Case("cut at 10.mp4", "either", cut(10)),
    Case("cut at 50.mp4", "result", cut(50)),
    Case("cut at 90.mp4", "result", cut(90)),
    Case("cut at 99.mp4", "result", cut(99)),
    Case("damaged middle.mp4", "result", damaged),
    Case("no index.mp4", "refusal", without_index),
    Case("claims 100000x100000.avi", "either", patched(AVI, b"strf", 12, struct.pack("<2I", 100_000, 100_000))),
    Case("claims 65000x65000.mp4", "either", patched(PLAIN, b"avc1", 28, struct.pack(">2H", 65000, 65000))),
    Case("claims 1e9 frames.avi", "either", patched(AVI, b"avih", 24, struct.pack("<I", 10**9))),
    Case("claims 1e9 samples.mp4", "either", patched(PLAIN, b"stsz", 12, struct.pack(">I", 10**9))),
    Case("size changes.ts", "refusal", two_sizes),
    Case("sound only.mp4", "refusal", sound_only),
    Case("cover art only.mp4", "refusal", cover_only),
    Case("no frames.mkv", "refusal", no_frames),
    Case("empty.mp4", "refusal", lambda path: path.write_bytes(b"")),
    Case("noise.mp4", "refusal", lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000))),
    Case("text.mp4", "refusal", lambda path: path.write_text("Dear diary.\n" * 99)),
    Case("still.mp4", "refusal", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(99))),
    Case("playlist.mp4", "refusal", lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")),
    Case("concat list.mp4", "refusal", lambda path: path.write_text("ffconcat version 1.0\nfile one.mp4\n")),
    # Names
    film("it's; $(touch x) %03d \"q\".mp4"),
    film("new\nline.mp4"),
    film("-o.mp4"),
    film("Kätzchen 🐈.mp4"),
    film("n" * 240 + ".mp4"),
    Case("link.mp4", "result", linked),
    Case("pipe.mp4", "refusal", os.mkfifo),
)  # fmt: skip


def make_all(folder: Path) -> list[Case]:
    """Write every case that is not there yet; those that this FFmpeg cannot make are told and left out."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Case] = []
    for case in CASES:
        path = folder / case.name
        try:
            if not os.path.lexists(path):
                case.make(path)
            made.append(case)
        except (OSError, ValueError, AttributeError) as error:
            path.unlink(missing_ok=True)
            print(f"{case.name!r} cannot be made here: {error}", file=sys.stderr)
    return made


if __name__ == "__main__":
    print(f"{len(make_all(Path(sys.argv[1])))} clips")
