"""Where made clips go: blurry frames, truth and labels side by side, each clip there as a whole or not at all.

| path | what |
|---|---|
| synthesis.json | the settings that make the clips |
| blur/CLIP/########.png | the frames, from 00000000 |
| sharp/CLIP/########.png | the truth |
| labels/CLIP.json | `ClipLabel`; comes last, so its presence says that the clip is complete |
"""

import json
import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from selfhvd.errors import OutputError
from selfhvd.synthesis.clip_label import ClipLabel, as_tuples
from selfhvd.synthesis.exposure import Exposure
from selfhvd.system.atomic import part_path, replacing
from selfhvd.video import Frame, encode_clip, ingest
from selfhvd.video.png import write_png

RECORD = "synthesis.json"


class ClipFolder:
    """A folder of made clips that can be gone on with, by the settings that began it.

    Args:
        root: created where it is missing.
        settings: everything that decides the bytes of a clip, as JSON can hold it.

    Raises:
        OutputError: `root` was begun with other settings, holds something else, or cannot be written.
    """

    def __init__(self, root: Path, settings: dict[str, Any]) -> None:
        self.root = root
        try:
            self._claim(json.loads(json.dumps(settings)))
        except OSError as error:
            raise OutputError(f"{root} cannot be written ({error.strerror}); choose another folder.") from error

    def has(self, clip: str) -> bool:
        """Whether `clip` is there, complete."""
        return self._label(clip).exists()

    @contextmanager
    def begin(self, clip: str) -> Generator["ClipInMaking"]:
        """A clip that appears when the context ends well; what an earlier, cut-off run left of it goes first."""
        hidden = part_path(self.root / clip, owned=True)  # not `replacing`: three renames, of which the label's is last
        try:
            for leftover in (hidden, *self._places(clip)):
                shutil.rmtree(leftover, ignore_errors=True)
            for place in ("blur", "sharp", "work"):
                (hidden / place).mkdir(parents=True)
            yield ClipInMaking(hidden)
            for place, target in zip(("blur", "sharp"), self._places(clip), strict=True):
                _move(hidden / place, target)
            _move(hidden / "label.json", self._label(clip))
        except OSError as error:
            raise OutputError(f"{self.root} cannot be written ({error.strerror}); make room and try again.") from error
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    def _places(self, clip: str) -> tuple[Path, Path]:
        return self.root / "blur" / clip, self.root / "sharp" / clip

    def _label(self, clip: str) -> Path:
        return self.root / "labels" / f"{clip}.json"

    def _claim(self, settings: dict[str, Any]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / RECORD
        if path.exists():
            self._check_same(_read(path), settings)
        elif any(not entry.name.startswith(".") for entry in self.root.iterdir()):
            raise OutputError(f"{self.root} holds other things; choose another folder.")
        else:
            with replacing(path, owned=True) as part:
                part.write_text(json.dumps(settings, indent=2), encoding="utf-8")

    def _check_same(self, found: dict[str, Any], settings: dict[str, Any]) -> None:
        changed = [name for name in {**found, **settings} if found.get(name, ...) != settings.get(name, ...)]
        if changed:
            said = ", ".join(changed)
            raise OutputError(f"{self.root} was begun with other settings ({said}); give those, or another folder.")


@dataclass(frozen=True)
class Coding:
    """How an encoder takes the frames."""

    crf: int
    """0 (lossless) to 51 (worst)."""
    effort: str = "medium"
    """x264's preset: how hard it looks for what repeats. Phones' encoders have no time to."""
    codec: Literal["h264", "hevc"] = "h264"


class ClipInMaking:
    """A clip that grows in a hidden folder; `work` is for whatever the making needs, and goes with it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"

    def write(self, exposures: Iterable[Exposure], kind: str, coding: Coding | None, facts: dict[str, Any]) -> None:
        """Write frame by frame; with `coding`, the blurry frames are what an encoder makes of them.

        Args:
            exposures: at least one.
            kind: see `ClipLabel`.
            coding: None leaves the frames as they are.
            facts: see `ClipLabel`.
        """
        notes = _Notes()
        frames = self._frames(exposures, notes)
        keyframes = self._plain(frames) if coding is None else self._coded(frames, coding)
        notes.label(kind, keyframes, facts).save(self.folder / "label.json")

    def _frames(self, exposures: Iterable[Exposure], notes: "_Notes") -> Iterator[Frame]:
        """The frames in passing; the truth is written and the rest noted."""
        for index, exposure in enumerate(exposures):
            write_png(self.folder / "sharp" / _name(index), exposure.truth)
            notes.add(exposure)
            yield exposure.frame

    def _plain(self, frames: Iterator[Frame]) -> tuple[int, ...]:
        for index, frame in enumerate(frames):
            write_png(self.folder / "blur" / _name(index), frame)
        return ()

    def _coded(self, frames: Iterator[Frame], coding: Coding) -> tuple[int, ...]:
        """Through an encoder and back; the numbers of the key frames."""
        encode_clip(frames, self.work / "coded.mp4", crf=coding.crf, preset=coding.effort, codec=coding.codec)
        footage = ingest(self.work / "coded.mp4", self.work / "coded")
        for index in range(len(footage)):
            write_png(self.folder / "blur" / _name(index), footage.frame(index))
        return tuple(i for i, is_key in enumerate(footage.keyframes) if is_key)


class _Notes:
    """What is kept of each exposure when its pixels have gone."""

    def __init__(self) -> None:
        self.size = (0, 0)
        self.counts: list[int] = []
        self.scenes: list[int] = []
        self.matrices: list[list[list[list[float]]]] = []

    def add(self, exposure: Exposure) -> None:
        self.size = (exposure.truth.shape[0], exposure.truth.shape[1])
        self.counts.append(exposure.count)
        self.scenes.append(exposure.scene)
        self.matrices.append(exposure.matrices.tolist())

    def label(self, kind: str, keyframes: tuple[int, ...], facts: dict[str, Any]) -> ClipLabel:
        height, width = self.size
        counts, scenes, matrices = tuple(self.counts), tuple(self.scenes), as_tuples(self.matrices)
        return ClipLabel(kind, height, width, counts, scenes, matrices, keyframes, facts)


def _name(index: int) -> str:
    return f"{index:08d}.png"


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    os.replace(path, target)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise OutputError(f"{path} is damaged; choose another folder.") from error
