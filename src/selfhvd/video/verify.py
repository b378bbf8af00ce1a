"""Re-read what was written and compare it with the plan. Runs in the child process."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from selfhvd.errors import InputError, OutputError
from selfhvd.video.amr import single_frames
from selfhvd.video.footage import Footage
from selfhvd.video.limits import Limits
from selfhvd.video.reporting import Report
from selfhvd.video.sources import codec_name, open_source
from selfhvd.video.tally import time_of

_SOUND_SLACK = Fraction(1, 1000)  # seconds; Matroska and FLV keep milliseconds only


def verify(request: dict[str, Any], report: Report) -> None:
    """Raise `OutputError` unless the part file holds every frame at its time, and every copied packet."""
    footage = Footage.load(Path(request["folder"]))
    part, name = Path(request["part"]), request["destination"]
    try:
        _check_video(footage, part, name, report, tuple(request["size"]))
        if request["copied"]:
            _check_copies(footage, part, name, request["copied"])
    except (InputError, FFmpegError) as error:
        raise OutputError(f"{name} did not read back after writing ({error}); it was not kept.") from error


def _check_video(footage: Footage, part: Path, name: str, report: Report, size: tuple[int, int]) -> None:
    """Count, times, size, and that no rotation was left."""
    with open_source(part, Limits()) as container:
        stream = container.streams.video[0]
        tick = stream.time_base or Fraction(1)
        slack = tick / 2 if footage.time_base % tick else Fraction(0)  # times fall between the container's ticks
        count, exact = 0, True
        for frame in container.decode(stream):
            if count >= footage.count:
                raise OutputError(f"{name} reads back with over {footage.count} frames; it was not kept.")
            wanted = footage.seconds(count)
            ticks = time_of(frame)
            time = None if ticks is None else ticks * tick
            if time is None or abs(time - wanted) > slack:
                raise OutputError(
                    f"{name} reads back with frame {count} at {_say(time)} instead of {_say(wanted)};"
                    " it was not kept, write to .mp4 instead."
                )
            exact = exact and time == wanted
            if (frame.width, frame.height) != size or frame.rotation:
                raise OutputError(f"{name} reads back with {frame.width}x{frame.height} pixels; it was not kept.")
            count += 1
            report(frame=count, total=footage.count)
        if count != footage.count:
            raise OutputError(f"{name} reads back with {count} of {footage.count} frames; it was not kept.")
        if not exact:
            report(warning=f"frame times are rounded to {float(tick)} s, all that this container can hold")


def _say(time: Fraction | None) -> str:
    """A time for people."""
    return "no time" if time is None else f"{float(time):.6f} s"


def _check_copies(footage: Footage, part: Path, name: str, copied: list[list[int]]) -> None:
    """Every copied track has the same packets: number, size (same container) and time."""
    same = _container(footage.source) == _container(part)
    before = _packets(footage.source, [old for old, _ in copied])
    after = _packets(part, [new for _, new in copied])
    for old, new in copied:
        first, second = before[old], after[new]
        if len(first) != len(second):
            raise OutputError(
                f"{name}: {len(second)} of {len(first)} packets of stream {old} read back; it was not kept."
            )
        for one, two in zip(first, second, strict=True):
            if abs(one[0] - two[0]) > _SOUND_SLACK or (same and one[1] != two[1]):
                raise OutputError(
                    f"{name}: stream {old} reads back at {_say(two[0])}, not {_say(one[0])}; it was not kept."
                )


def _container(path: Path) -> str:
    """The demuxer's name."""
    with open_source(path, Limits()) as container:
        return container.format.name


def _packets(path: Path, indices: list[int]) -> dict[int, list[tuple[Fraction, int]]]:
    """(seconds, bytes) of every packet of the given streams."""
    found: dict[int, list[tuple[Fraction, int]]] = {index: [] for index in indices}
    with open_source(path, Limits()) as container:
        codecs = {index: codec_name(container.streams[index]) for index in indices}
        try:
            for whole in container.demux([container.streams[index] for index in indices]):
                if not whole.size or (whole.pts is None and whole.dts is None):
                    continue
                for packet in single_frames(whole, codecs[whole.stream_index]):
                    time = packet.pts if packet.pts is not None else packet.dts
                    found[whole.stream_index].append((Fraction(time) * Fraction(packet.time_base), packet.size))
        except FFmpegError:
            pass  # a source that breaks off; the copy broke off there too
    return found
