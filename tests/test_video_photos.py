"""Photos given for a video: stills are refused, the video in a motion photo is taken, animations are read."""

import io
import struct
import time
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, features

import selfhvd
from clips_for_tests import always, film, names, quick, seconds, sound_packets, views
from selfhvd.errors import InputError
from selfhvd.video import default_destination, ingest, probe
from selfhvd.video.read.motion_photo import embedded_video
from selfhvd.video.read.stills import is_animation, still


def picture(kind: str, *, shade: int = 90, **how) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), shade, np.uint8)).save(data, kind, **how)
    return data.getvalue()


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def brand(major: bytes, *others: bytes) -> bytes:
    return box(b"ftyp", major, bytes(4), *others)


def track() -> bytes:
    """An index with a track of pictures, and nothing else."""
    return box(b"moov", box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), b"vide", bytes(13)))))


HEIC = brand(b"heic", b"mif1", b"heic") + box(b"meta", bytes(60)) + box(b"mdat", bytes(range(200)))

STILLS = {
    "a JPEG": picture("JPEG"),
    "a PNG": picture("PNG"),
    "a WebP picture": picture("WEBP"),
    "a GIF of one picture": picture("GIF"),
    "a BMP": picture("BMP"),
    "an icon": picture("ICO"),
    "a TIFF or camera raw picture": picture("TIFF"),
    "a JPEG 2000 picture": picture("JPEG2000"),
    "a JPEG XL picture": b"\xff\x0a" + bytes(60),
    "a Photoshop picture": b"8BPS\0\1" + bytes(60),
    "a HEIC": HEIC,
    "an AVIF": brand(b"avif", b"mif1", b"miaf") + box(b"meta", bytes(60)) + box(b"mdat", bytes(60)),
}
MORE_STILLS = {
    "Canon CR3": brand(b"crx ", b"isom") + track() + box(b"mdat", bytes(60)),
    "Canon CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(60),
    "Fuji RAF": b"FUJIFILMCCD-RAW 0201" + bytes(60),
    "a major brand of its own": brand(b"mif1", b"heic") + box(b"meta", bytes(60)),
    "a burst without a track": brand(b"msf1", b"hevc") + box(b"meta", bytes(60)) + box(b"moov", bytes(20)),
}


@pytest.mark.parametrize("what", [*STILLS, *MORE_STILLS])
def test_a_still_is_refused_whatever_its_name(tmp_path, what):
    path = tmp_path / "clip.mp4"
    path.write_bytes((STILLS | MORE_STILLS)[what])
    with pytest.raises(InputError, match=f"is a still image {f'.{what}.' if what in STILLS else ''}"):
        ingest(path, tmp_path / "cache")
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_an_avif_still_and_an_avif_sequence(tmp_path):
    shots = [Image.fromarray(view) for view in views(3)]
    shots[0].save(tmp_path / "one.avif")
    shots[0].save(tmp_path / "three.avif", save_all=True, append_images=shots[1:], duration=[40, 60, 80])
    with pytest.raises(InputError, match="an AVIF"):
        ingest(tmp_path / "one.avif", tmp_path / "cache")
    footage = ingest(tmp_path / "three.avif", tmp_path / "cache")
    assert seconds(footage) == [0, Fraction(40, 1000), Fraction(100, 1000)] and footage.warnings == ()


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    """A sharp clip with sound, as a phone puts it into a photo."""
    return film(tmp_path_factory.mktemp("shelf") / "inner.mp4", views(4, sharp=always), sound=True)


def google(video: bytes) -> bytes:
    photo = picture("JPEG", xmp=b'<x:xmpmeta><rdf GCamera:MotionPhoto="1" Item:Length="%d"/></x:xmpmeta>' % len(video))
    return photo + video


def samsung(video: bytes) -> bytes:
    """The video in an entry of Samsung's trailer, another entry and the directory behind it."""
    begin = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data"
    other = b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1700000000000"
    directory = b"SEFH" + struct.pack("<II", 107, 2) + bytes(24)
    return picture("JPEG") + begin + video + other + directory + struct.pack("<I", len(directory)) + b"SEFT"


def in_heic(video: bytes) -> bytes:
    return HEIC + box(b"mpvd", video)


LAYOUTS = {"PXL_1.MP.jpg": google, "20260101_120000.jpg": samsung, "IMG_1.HEIC": in_heic}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_video_in_a_motion_photo_is_taken(tmp_path, inner, name):
    photo = tmp_path / name
    photo.write_bytes(LAYOUTS[name](inner.read_bytes()))
    facts = selfhvd.deblur(photo, config=quick(steps=0), report=False)
    result = default_destination(photo)
    assert result.name == f"{photo.stem}_deblurred.mp4" and names(tmp_path) == sorted([name, result.name])
    assert result.read_bytes() == inner.read_bytes()  # it is sharp: handed through
    assert any("motion photo" in warning for warning in facts.warnings)
    assert probe(photo) == probe(inner) and probe(photo) == probe(inner)


@pytest.mark.slow
def test_a_blurry_motion_photo_keeps_its_sound_and_times(tmp_path):
    inner = film(tmp_path / "inner.mp4", views(6, sharp=(0, 3)), sound=True, times=(0, 3000, 6100, 9000, 15000, 15900))
    photo = tmp_path / "PXL_1.MP.jpg"
    photo.write_bytes(samsung(inner.read_bytes()))
    before = photo.read_bytes()
    selfhvd.deblur(photo, config=quick(steps=0), report=False)
    result = tmp_path / "PXL_1.MP_deblurred.mp4"
    assert sound_packets(result) == sound_packets(inner) != []
    one, two = (ingest(path, tmp_path / path.stem) for path in (inner, result))
    assert seconds(one) == seconds(two) and photo.read_bytes() == before
    assert "ends early" not in str(ingest(photo, tmp_path / "cache").warnings)


def test_damaged_and_hostile_photos_neither_hang_nor_fool(tmp_path, inner):
    path, video = tmp_path / "p.jpg", inner.read_bytes()
    huge = struct.pack(">I4sQ", 1, b"mdat", 2**63)
    decoys = (struct.pack(">I4s", 16, b"ftyp") + b"isom\0\0\0\0" + struct.pack(">I4s", 8, b"moov")) * 50_000
    bad = {
        "cut before its index": google(video)[:-2000],
        "huge": picture("JPEG") + brand(b"isom") + huge,
        "huge index": picture("JPEG") + brand(b"isom") + struct.pack(">I4sQ", 1, b"moov", 2**62) + track(),
        "endless": picture("JPEG") + brand(b"isom") + bytes(4) + b"moov" + bytes(4) + b"trak",
        "decoys": picture("JPEG") + decoys,
        "a word": picture("JPEG") + b"\0\0\0\x18ftyp" * 3,
        "sound only": picture("JPEG") + brand(b"M4A ") + track().replace(b"vide", b"soun"),
    }
    began = time.monotonic()
    for what, data in bad.items():
        path.write_bytes(data)
        assert still(path) == "a JPEG", what
    assert time.monotonic() - began < 20


def test_a_video_is_not_looked_through(tmp_path, inner, monkeypatch):
    monkeypatch.setattr("selfhvd.video.read.motion_photo._places", None)  # the search would fail
    assert embedded_video(inner) is None and still(inner) == ""


def animate(path, durations, *, alpha: int | None = None, **how):
    """An animation of as many pictures as durations (ms); what it shows."""
    shots = list(views(len(durations), sharp=always))
    pictures = [Image.fromarray(shot) for shot in shots]
    for one in pictures if alpha is not None else ():
        one.putalpha(alpha)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, **how)
    return shots


@pytest.mark.parametrize(
    ("name", "how"), [("a.webp", {"lossless": True}), ("a.png", {}), ("a.apng", {"format": "PNG"})]
)
def test_animations_keep_pictures_and_times(tmp_path, name, how):
    path = tmp_path / name
    shots = animate(path, [40, 60, 100, 30], **how)
    assert is_animation(path) and default_destination(path).name == "a_deblurred.mp4"
    footage = ingest(path, tmp_path / "cache")
    assert seconds(footage) == [0, Fraction(4, 100), Fraction(1, 10), Fraction(2, 10)]
    assert all(np.array_equal(footage.frame(i), shot) for i, shot in enumerate(shots))
    assert footage.durations[-1] * footage.time_base == Fraction(3, 100)
    assert (probe(path).width, probe(path).height) == (64, 48) and footage.warnings == ()


def test_an_animated_webp_end_to_end(tmp_path):
    path = tmp_path / "a.webp"
    animate(path, [40, 60, 100, 30])
    selfhvd.deblur(path, config=quick(steps=0), report=False)
    assert names(tmp_path) == ["a.webp", "a_deblurred.mp4"]
    result = ingest(tmp_path / "a_deblurred.mp4", tmp_path / "cache")
    assert seconds(result) == [0, Fraction(4, 100), Fraction(1, 10), Fraction(2, 10)]


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.gif"])
@pytest.mark.parametrize("alpha", [None, 255, 128])
def test_transparency_is_named_only_where_there_is_any(tmp_path, name, alpha):
    path = tmp_path / name
    animate(path, [50, 50], alpha=0 if alpha == 128 and name == "a.gif" else alpha)
    told = ingest(path, tmp_path / "cache").warnings
    assert any("transparency is dropped" in text for text in told) == (alpha == 128)


def test_a_broken_animation_is_one_sentence(tmp_path):
    path = tmp_path / "a.webp"
    animate(path, [50, 50, 50])
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="no frame can be decoded"):
        ingest(path, tmp_path / "cache")
