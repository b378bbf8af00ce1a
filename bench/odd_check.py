"""Is the result the input's twin? Both are read anew, with PyAV alone (and ffprobe where it is at hand)."""

import hashlib
import json
import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.error import FFmpegError
from av.stream import Disposition

_MILLISECOND = Fraction(1, 1000)
_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails


class Seen(NamedTuple):
    """What an independent reader finds in a file."""

    times: list[Fraction | None]  # of each decoded frame, seconds
    size: tuple[int, int]  # as shown
    broken: bool  # whether decoding met an error
    tick: Fraction
    packets: dict[int, list[tuple[Fraction, str]]]  # stream -> (seconds, digest) of the other tracks
    joined: dict[int, str]  # stream -> digest of all its bytes
    kinds: dict[int, str]


def look(path: Path) -> Seen:
    """Decode the picture, and hash every packet of the other tracks."""
    with av.open(os.path.abspath(path), metadata_errors="replace") as container:
        videos = [s for s in container.streams.video if not s.disposition & _PICTURE]
        stream: Any = next((s for s in videos if s.disposition & Disposition.default), videos[0])
        # AVI states no presentation times, only where a frame stands among the ticks; a reader's guess from H.264 in
        # it is late by a frame.
        in_avi = container.format.name == "avi"
        times: list[Fraction | None] = []
        size, broken = (0, 0), False
        packets: dict[int, list[tuple[Fraction, str]]] = {}
        joined = {s.index: hashlib.sha256() for s in container.streams}
        demuxed = container.demux()
        while True:
            try:
                packet = next(demuxed, None)
            except FFmpegError:
                broken, packet = True, None
            if packet is not None and packet.stream_index != stream.index:
                joined[packet.stream_index].update(bytes(packet))
                stamp = packet.pts if packet.pts is not None else packet.dts
                if packet.size and stamp is not None:
                    known = packets.setdefault(packet.stream_index, [])
                    known.append((stamp * packet.time_base, hashlib.sha256(bytes(packet)).hexdigest()))
                continue
            try:
                for frame in stream.decode(packet):
                    stamp = frame.dts if in_avi or frame.pts is None else frame.pts
                    times.append(None if stamp is None else stamp * stream.time_base)
                    turned = abs(frame.rotation) % 180 == 90
                    size = (frame.height, frame.width) if turned else (frame.width, frame.height)
            except av.error.EOFError:
                pass
            except FFmpegError:
                broken = True
            if packet is None:
                break
        kinds = {s.index: s.type for s in container.streams if s.index != stream.index}
        digests = {index: digest.hexdigest() for index, digest in joined.items()}
        return Seen(times, size, broken, Fraction(stream.time_base), packets, digests, kinds)


def differences(source: Path, result: Path, warnings: str) -> list[str]:
    """Where the promise of a playable twin is broken: frames, times, size, sound. Told differences are none."""
    if source.read_bytes() == result.read_bytes():
        return []  # a clip that is sharp already comes back as it is, damage and all
    before, after = look(source), look(result)
    found: list[str] = []
    if after.broken:
        found.append("result does not decode cleanly")
    if len(after.times) != len(before.times) and not (
        before.broken or "damaged" in warnings or "ends early" in warnings
    ):
        found.append(f"{len(after.times)} frames of {len(before.times)}")
    if after.size != before.size:
        found.append(f"{after.size} pixels of {before.size}")
    slack = max(after.tick / 2, Fraction(0)) if "rounded" in warnings else Fraction(0)
    pairs = list(zip(before.times, after.times, strict=False))
    wrong = [n for n, (a, b) in enumerate(pairs) if a is not None and (b is None or abs(a - b) > slack)]
    if wrong and "ran backwards" not in warnings and "carry no time" not in warnings and not before.broken:
        a, b = pairs[wrong[0]]
        found.append(f"time of frame {wrong[0]}: {float(b or 0):.4f} of {float(a or 0):.4f}")
    return found + _tracks(before, after, warnings) + _ffprobe(result, len(after.times))


def _tracks(before: Seen, after: Seen, warnings: str) -> list[str]:
    """Sound and subtitles packet for packet, in order of their streams."""
    found: list[str] = []
    for kind in ("audio", "subtitle"):
        kept = [i for i, k in before.kinds.items() if k == kind and f"stream {i} (" not in warnings]
        there = [i for i, k in after.kinds.items() if k == kind]
        if len(kept) != len(there):
            found.append(f"{len(there)} {kind} tracks of {len(kept)}, and no word of it")
            continue
        for old, new in zip(kept, there, strict=True):
            one, two = before.packets.get(old, []), after.packets.get(new, [])
            if before.joined[old] == after.joined[new] and len(one) < len(two):
                continue  # AMR in packets of several frames, which the muxer takes one by one
            if [digest for _, digest in one] != [digest for _, digest in two]:
                found.append(f"{kind} {old}: packets differ ({len(two)} of {len(one)})")
            elif one and max(abs(a - b) for (a, _), (b, _) in zip(one, two, strict=True)) > _MILLISECOND:
                found.append(f"{kind} {old}: times differ by {float(two[0][0] - one[0][0]):.4f} s")
    return found


def _ffprobe(result: Path, frames: int) -> list[str]:
    """A second opinion on the number of frames."""
    tool = shutil.which("ffprobe")
    if tool is None:
        return []
    words = ["-v", "error", "-count_frames", "-select_streams", "V:0", "-show_entries", "stream=nb_read_frames"]
    done = subprocess.run([tool, *words, "-of", "json", f"file:{result}"], capture_output=True, text=True, check=False)
    counted = int(json.loads(done.stdout)["streams"][0]["nb_read_frames"])
    return [] if counted == frames else [f"ffprobe counts {counted} frames, not {frames}"]
