"""Re-read what was written and compare it with the plan. Runs in the child process."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from selfhvd.errors import InputError, OutputError
from selfhvd.video.footage import Footage
from selfhvd.video.limits import Limits
from selfhvd.video.process.protocol import Report
from selfhvd.video.read.demux import open_source
from selfhvd.video.read.tally import time_of
from selfhvd.video.write.attachments import lost
from selfhvd.video.write.encoder_choice import MP4_LIKE, container_of
from selfhvd.video.write.packets import Bounds
from selfhvd.video.write.time_shift import moved
from selfhvd.video.write.verify_copies import check_copies, lost_flags


def verify(footage: Footage, request: dict[str, Any], report: Report) -> None:
    """Raise `OutputError` unless the part file holds every frame at its time, and every copied packet."""
    shift = Fraction(request["shift"])
    source, footage = footage, moved(footage, shift)
    part, name = Path(request["part"]), request["destination"]
    try:
        _check_video(footage, part, name, report, tuple(request["size"]))
        if request["copied"]:
            check_copies(source.source, part, name, request["copied"], shift, Bounds.of(source))
        if footage.kind == "container":
            for word in lost_flags(footage.source, part, [(footage.stream, 0), *request["copied"]]):
                report(warning=word)
        if request["attached"]:
            _check_attached(footage, part, name, request["attached"])
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
                    f" it was not kept{_advice(name)}."
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


def _check_attached(footage: Footage, part: Path, name: str, attached: list[int]) -> None:
    """Every cover picture and attached file is there, to the byte."""
    missing = lost(footage.source, part, attached)
    if missing:
        raise OutputError(f"{name}: stream {missing[0]} (attached) did not read back; nothing is kept.")


def _advice(name: str) -> str:
    """What to do where the container is to blame."""
    return "" if container_of(Path(name)) in MP4_LIKE else ", write to .mp4 instead"


def _say(time: Fraction | None) -> str:
    """A time for people."""
    return "no time" if time is None else f"{float(time):.6f} s"
