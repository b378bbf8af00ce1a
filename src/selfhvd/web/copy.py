"""The page's copy: `python -m selfhvd.web.copy RESULT FOLDER`, before and after in one H.264 video, FOLDER/play.mp4.

Every browser plays it, whatever the result is coded in, and two pictures of one video cannot get out of step. It is
made of the frames that the run kept, as they came and fully restored, so that the page can blend them as it likes.
FOLDER/play.json says where the pictures lie and when each frame is shown.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError

from selfhvd.errors import SelfHVDError
from selfhvd.run.places import FOOTAGE, RESTORED, finished_path, work_path
from selfhvd.system.atomic import replacing, write_aside
from selfhvd.video import Color, Footage, Frame
from selfhvd.video.colour import from_rgb, known_matrix
from selfhvd.video.frame import as_bytes, reduced
from selfhvd.video.frame_file import read_frame
from selfhvd.web.folder import JobFolder

_LONGEST = 1920
"""Pixels of the longer side of each picture."""
_BLOCK = 16
"""Pixels that an encoder treats as one: each picture is widened to whole ones, so that none bleeds into the other."""
_OPTIONS = {"crf": "18", "preset": "veryfast", "g": "12", "bf": "0"}
"""A key frame each twelve, so that a step of one frame, or a jump, is shown at once."""
_INDEX = {"movflags": "+faststart"}
_LIMITED, _BT709 = 1, 1


@dataclass(frozen=True)
class Layout:
    """Where both pictures lie in one."""

    width: int
    """Of each picture, pixels."""
    height: int
    across: bool
    """Side by side, where they are upright; else one above the other."""

    @property
    def offset(self) -> tuple[int, int]:
        """Where the second picture begins, x and y."""
        wide, high = (-(-side // _BLOCK) * _BLOCK for side in (self.width, self.height))
        return (wide, 0) if self.across else (0, high)

    def joined(self, before: Frame, after: Frame) -> Frame:
        """Both in one."""
        pair = [self._widened(reduced(as_bytes(picture), _LONGEST)) for picture in (before, after)]
        return np.concatenate(pair, axis=1 if self.across else 0)

    def _widened(self, picture: Frame) -> Frame:
        height, width = picture.shape[:2]
        down, right = -height % _BLOCK, -width % _BLOCK
        return np.asarray(cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REPLICATE))


def main(words: Sequence[str]) -> int:
    """Make the copy; a fault is the last line."""
    result, folder = Path(words[0]), JobFolder(Path(words[1]))
    try:
        make_copy(result, folder)
    except (SelfHVDError, OSError, FFmpegError) as error:
        code = error.exit_code if isinstance(error, SelfHVDError) else 4
        _line(error=f"The page's copy could not be made: {error}", exit_code=code)
        return code
    return 0


def make_copy(result: Path, folder: JobFolder) -> None:
    """Write the copy and its facts; these come last.

    Raises:
        InputError, OutputError, OSError, FFmpegError: the frames are gone, or there is no room.
    """
    work = work_path(result)
    footage = Footage.load(work / FOOTAGE)
    first = reduced(footage.frame(0), _LONGEST)
    layout = Layout(first.shape[1], first.shape[0], across=first.shape[0] > first.shape[1])
    with replacing(folder.copy) as part, av.open(str(part), "w", format="mp4", container_options=_INDEX) as out:
        has_sound = _Copy(footage, work / RESTORED, layout, out, result).write()
    write_aside(folder.copy_facts, json.dumps({**_facts(footage, layout), "sound": has_sound}).encode())


def _facts(footage: Footage, layout: Layout) -> dict[str, Any]:
    times = [round(float(footage.seconds(index) - footage.seconds(0)), 5) for index in range(len(footage))]
    whole = {"full_width": footage.width, "full_height": footage.height}
    shape = float(footage.sample_aspect_ratio or 1)
    return {**asdict(layout), "offset": layout.offset, "times": times, "pixel_shape": shape, **whole}


class _Copy:
    def __init__(self, footage: Footage, restored: Path, layout: Layout, out: Any, result: Path) -> None:  # noqa: ANN401 - PyAV
        self.footage, self.restored, self.layout, self.out, self.result = footage, restored, layout, out, result
        self.color = _shown(footage.color)

    def write(self) -> bool:
        """All frames, then the sound of the result, where browsers play it; whether there is some."""
        stream = self._stream()
        with av.open(str(self.result)) as source:
            sound = self._sound(source)
            for index, (before, after) in enumerate(self._pairs()):
                frame = from_rgb(self.layout.joined(before, after), self.color, "yuv420p")
                frame.pts = self.footage.times[index] - self.footage.times[0]
                frame.time_base = self.footage.time_base
                self.out.mux(stream.encode(frame))
                _line(stage="copy", done=index + 1, total=len(self.footage), eta_s=None)
            self.out.mux(stream.encode(None))
            if sound is not None:
                self._add_sound(source, sound)
        return sound is not None

    def _pairs(self) -> Iterator[tuple[Frame, Frame]]:
        """Each frame as it came and as it was restored; a clip that was left as it is has only the first."""
        for index in range(len(self.footage)):
            before = self.footage.frame(index)
            after = read_frame(finished_path(self.restored, index))
            yield before, before if after is None else after

    def _stream(self) -> Any:  # noqa: ANN401 - PyAV
        wide, high = (-(-side // _BLOCK) * _BLOCK for side in (self.layout.width, self.layout.height))
        across = self.layout.across
        rate = _rate(self.footage)
        stream = self.out.add_stream("libx264", rate=rate, options=_OPTIONS)
        stream.width, stream.height = (2 * wide, high) if across else (wide, 2 * high)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = self.footage.time_base
        context.color_range, context.colorspace = self.color.range, self.color.matrix
        context.color_primaries, context.color_trc = self.color.primaries, self.color.transfer
        return stream

    def _sound(self, source: Any) -> tuple[Any, Any] | None:  # noqa: ANN401 - PyAV
        """The first track of AAC or MP3, and its copy; None where there is none."""
        track = next((track for track in source.streams.audio if track.codec_context.name in ("aac", "mp3")), None)
        return None if track is None else (track, self.out.add_stream_from_template(track))

    def _add_sound(self, source: Any, sound: tuple[Any, Any]) -> None:  # noqa: ANN401 - PyAV
        """Its packets as they are, moved with the picture to zero; one before it, for decoders to begin with."""
        track, copy = sound
        picture = source.streams.video[0]
        begin = Fraction(picture.start_time or 0) * picture.time_base
        shift = round(begin / track.time_base)
        for packet in source.demux(track):
            if packet.dts is None or packet.pts is None or packet.pts + (packet.duration or 0) < shift:
                continue
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
            self.out.mux(packet)


def _rate(footage: Footage) -> Fraction:
    """Frames a second on the average; it only guides the encoder."""
    length = footage.seconds(len(footage) - 1) - footage.seconds(0)
    return Fraction((len(footage) - 1) / length).limit_denominator(1001) if length > 0 else Fraction(30)


def _shown(color: Color) -> Color:
    """The clip's own tags, in limited range; where browsers could not follow them, BT.709."""
    if not known_matrix(color) or color.matrix in (0, 2):
        return Color(range=_LIMITED, matrix=_BT709, primaries=_BT709, transfer=_BT709)
    return replace(color, range=_LIMITED)


def _line(**fields: object) -> None:
    sys.stderr.write(json.dumps(fields) + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
