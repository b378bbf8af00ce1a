"""A video laid out as losslessly cached frames.

Conventions of the whole package: frames are upright (display rotation and mirroring applied), axes are
`height width 3`, channels are R G B, values are display-referred exactly as stored (no gamma is undone),
`uint8` for 8-bit sources and `uint16` spread over 0..65535 for deeper ones. Time is an integer number of
ticks of `time_base` seconds.
"""

import json
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selfhvd.errors import InputError, OutputError
from selfhvd.system.atomic import replacing
from selfhvd.video.frame import Frame, as_tensor
from selfhvd.video.frame_file import SUFFIX, read_frame

if TYPE_CHECKING:
    import torch

RECORD = "footage.json"
FRAMES = "frames"
VERSION = 2


@dataclass(frozen=True)
class Color:
    """How numbers become colours: FFmpeg's integers, where 2 (0 for `range`) means "not said"."""

    range: int = 0  # 0 unknown, 1 limited, 2 full
    matrix: int = 2  # AVColorSpace
    primaries: int = 2  # AVColorPrimaries
    transfer: int = 2  # AVColorTransferCharacteristic


@dataclass(frozen=True)
class Track:
    """A stream of the source other than the restored picture."""

    index: int
    kind: str  # "audio", "subtitle", "data", "attachment" or "video"
    codec: str  # "" where FFmpeg does not know it
    picture: bool = False  # cover art or thumbnail


@dataclass(frozen=True)
class Footage:
    """A video laid out as losslessly cached frames, with everything needed to write its sharp twin."""

    source: Path  # the file or folder of images
    folder: Path  # holds `frames/00000000.frame`, ... and `footage.json`
    kind: Literal["container", "images"]
    count: int  # frames
    width: int  # pixels, upright
    height: int  # pixels, upright
    depth: int  # bits per channel of the source; the cache holds 8 bits when 8, else 16
    times: tuple[int, ...]  # presentation time of each frame, ticks
    durations: tuple[int, ...]  # ticks, 0 where unknown
    time_base: Fraction  # seconds per tick
    keyframes: tuple[bool, ...]  # the decoder's key-frame flag
    codec: str
    pixel_format: str
    rotation: int  # degrees counter-clockwise that the player turns the stored picture by, already applied
    color: Color
    sample_aspect_ratio: Fraction  # width over height of one upright pixel
    container: str = ""  # demuxer name, "" for images
    stream: int = 0  # index of the restored picture in the source
    tracks: tuple[Track, ...] = ()  # the other streams
    mastering: str = ""  # HDR10 mastering display as x265 writes it, "" if none
    light: str = ""  # HDR10 "max-cll,max-fall", "" if none
    profile: str = ""  # the picture's four-letter tag in the source, "" if none
    sizes: tuple[int, ...] = ()  # bytes of the picture's packets in the source, as they lie there; () if unknown
    marks: tuple[str, ...] = ()  # "360-degree", "3D": how the picture is to be looked at, beside what it shows
    warnings: tuple[str, ...] = field(default=())
    faults: tuple[str, ...] = ()  # those of the warnings that hold of the source itself, and so of a copy of it
    begins: Fraction | None = None  # of a part: seconds, the time of its first frame; None: begins as the source does
    ends: Fraction | None = None  # of a part: seconds, where it ends, exclusive; None: ends as the source does
    names: tuple[str, ...] = ()  # of the PNG results of a folder of images, one for each frame; else empty

    def __len__(self) -> int:
        return self.count

    @property
    def is_part(self) -> bool:
        """Whether something of the source was left out, before these frames or after them."""
        return self.begins is not None or self.ends is not None

    def path(self, index: int) -> Path:
        """Where frame `index` (0 .. count-1) is cached."""
        return frame_path(self.folder, index)

    def frame(self, index: int) -> Frame:
        """Read frame `index` (0 .. count-1) from its file; nothing is kept."""
        if not 0 <= index < self.count:
            raise IndexError(f"frame {index} is outside 0..{self.count - 1}")
        path = self.path(index)
        image = read_frame(path)
        if image is None or image.shape != (self.height, self.width, 3):
            raise InputError(f"cached frame {path} is damaged; delete {self.folder} and start again.")
        return image

    def tensor(self, index: int) -> "torch.Tensor":
        """Frame `index` as float32 `3 height width` in [0, 1]."""
        return as_tensor(self.frame(index))

    def seconds(self, index: int) -> Fraction:
        """Presentation time of frame `index` in seconds, exact."""
        return self.times[index] * self.time_base

    def save(self) -> None:
        """Write `footage.json` atomically; its presence says that the cache is complete.

        Raises:
            OutputError: there is no room for it.
        """
        record = {name: _plain(value) for name, value in vars(self).items() if name != "folder"}
        path = self.folder / RECORD
        try:
            with replacing(path, owned=True, fsync=True) as part:
                part.write_text(json.dumps({"version": VERSION, **record}), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}); make room and try again.") from error

    @classmethod
    def load(cls, folder: Path) -> "Footage":
        """Read a finished cache; `InputError` if there is none."""
        try:
            record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            if record.pop("version") != VERSION:
                raise InputError(f"{folder} was cached by another version; delete it and start again.")
            return cls(folder=folder, **{name: _rich(name, value) for name, value in record.items()})
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{folder} holds no finished frame cache; delete it and start again.") from error


def frame_path(folder: Path, index: int) -> Path:
    """Where the cache under `folder` keeps frame `index`."""
    return folder / FRAMES / f"{index:08d}{SUFFIX}"


def _plain(value: object) -> object:
    """A value of the record as JSON can hold it."""
    if isinstance(value, Path | Fraction):
        return str(value)
    if isinstance(value, Color | Track):
        return vars(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def _rich(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON in, any field out
    """The inverse of `_plain` for field `name`."""
    if name == "source":
        return Path(value)
    if name in ("time_base", "sample_aspect_ratio", "begins", "ends"):
        return None if value is None else Fraction(value)
    if name == "color":
        return Color(**value)
    if name == "tracks":
        return tuple(Track(**item) for item in value)
    return tuple(value) if isinstance(value, list) else value
