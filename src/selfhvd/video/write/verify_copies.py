"""Whether copied tracks read back as they were: packet by packet, or sample by sample where they were cut anew.

Sound without frames of its own (PCM) is cut into other packets by every muxer. What counts there are the bytes and the
times at which stretches without a gap begin.
"""

import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.error import FFmpegError
from av.stream import Disposition

from selfhvd.errors import OutputError
from selfhvd.video.limits import Limits
from selfhvd.video.read.demux import codec_name, open_source
from selfhvd.video.write.packets import Bounds, packets_of, time_of
from selfhvd.video.write.time_shift import move

_UNSAID = Disposition.default | Disposition.multilayer
_SLACK = Fraction(1, 1000)  # seconds; Matroska and FLV keep milliseconds only


@dataclass
class _Stretch:
    """Packets that follow one another without a gap."""

    start: Fraction  # seconds
    end: Fraction | None = None  # seconds, None where the last packet does not say how long it is
    size: int = 0  # bytes
    check: int = 0  # CRC-32 of the bytes

    def goes_on(self, time: Fraction) -> bool:
        """Whether a packet at `time` follows without a gap."""
        return self.end is None or abs(time - self.end) <= _SLACK

    def like(self, other: "_Stretch") -> bool:
        """Whether both hold the same at the same time."""
        return abs(self.start - other.start) <= _SLACK and (self.size, self.check) == (other.size, other.check)


@dataclass
class _Copy:
    """What was read of one track."""

    codec: str
    container: str
    packets: list[_Stretch] = field(default_factory=list[_Stretch])
    stretches: list[_Stretch] = field(default_factory=list[_Stretch])

    def add(self, packet: Any) -> None:  # noqa: ANN401 - PyAV packet
        """Note the next packet."""
        time = time_of(packet)
        if not self.stretches or not self.stretches[-1].goes_on(time):
            self.stretches.append(_Stretch(time))
        self.packets.append(_Stretch(time))
        for place in (self.stretches[-1], self.packets[-1]):
            place.end = time + packet.duration * packet.time_base if packet.duration else None
            place.size += packet.size
            place.check = zlib.crc32(packet, place.check)

    def begin(self) -> None:
        """Count times from the first packet, for AVI, which lets every stream begin at once."""
        start = self.packets[0].start if self.packets else Fraction(0)
        for place in (*self.packets, *self.stretches):
            place.start -= start

    def difference(self, other: "_Copy", *, exact: bool) -> str:
        """In words how `other` differs, "" if not; `exact` asks for the same bytes, else only for the same times."""
        if self._same_samples(other):
            return ""
        if self.codec.startswith("pcm_") and len(self.stretches) != len(other.stretches):
            return "pauses in it would be lost"
        if len(self.packets) != len(other.packets):
            return f"{len(other.packets)} of {len(self.packets)} packets read back"
        for one, two in zip(self.packets, other.packets, strict=True):
            if abs(one.start - two.start) > _SLACK:
                return f"it reads back at {float(two.start):.6f} s, not at {float(one.start):.6f} s"
            if exact and not one.like(two):
                return f"other bytes read back at {float(one.start):.6f} s"
        return ""

    def _same_samples(self, other: "_Copy") -> bool:
        """Whether the same bytes stand at the same times, however they are cut."""
        both = self.stretches, other.stretches
        return len(both[0]) == len(both[1]) and all(one.like(two) for one, two in zip(*both, strict=True))


def check_copies(
    source: Path,
    part: Path,
    name: str,
    copied: Sequence[tuple[int, int]],
    shift: Fraction = Fraction(0),
    bounds: Bounds = Bounds(),
) -> None:
    """Raise `OutputError` unless the tracks `copied` (index before, after) hold the same, `shift` seconds later.

    Of the source what lies within `bounds` is asked for.
    """
    before = _read(source, [old for old, _ in copied], shift, bounds)
    after = _read(part, [new for _, new in copied])
    for old, new in copied:
        if after[new].container == "avi":
            before[old].begin()
            after[new].begin()
        same = before[old].container == after[new].container
        exact = same or before[old].codec.startswith("pcm_")  # other containers frame other sound otherwise
        difference = before[old].difference(after[new], exact=exact)
        if difference:
            raise OutputError(
                f"{name} cannot hold stream {old} as it is ({difference}); write to a file of another kind, as .mkv."
            )


def _read(path: Path, indices: list[int], shift: Fraction = Fraction(0), bounds: Bounds = Bounds()) -> dict[int, _Copy]:
    """What the given streams hold, their times moved by `shift` seconds."""
    with open_source(path, Limits()) as container:
        found = {index: _Copy(codec_name(container.streams[index]), container.format.name) for index in indices}
        with suppress(FFmpegError):  # a source that breaks off; the copy broke off there too
            for number, packet in packets_of(container, indices, bounds):
                move(packet, shift)
                found[number].add(packet)
    return found


def lost_flags(source: Path, part: Path, pairs: Sequence[Sequence[int]]) -> list[str]:
    """In words which flags (forced, comment, ...) the streams in `pairs` (index before, after) no longer have.

    The default flag is no loss: MP4 and MPEG have none that could be taken away.
    """
    words: list[str] = []
    with open_source(source, Limits()) as before, open_source(part, Limits()) as after:
        for old, new in pairs:
            gone = before.streams[old].disposition & ~after.streams[new].disposition & ~_UNSAID
            words += [f"stream {old} is no longer marked {flag.name}" for flag in Disposition if flag & gone]
    return words
