"""Aligned store: frames with the sharp frames aligned onto them, kept on disk, to cut training crops from.

Flows are computed once per refresh on whole frames; a training step then only reads crops. Nothing stays in memory:
each array is opened, cut and closed again.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from selfhvd.errors import OutputError
from selfhvd.system.atomic import replacing


@dataclass(frozen=True)
class Record:
    """One frame, or one crop of it, with everything the losses may need."""

    frame: UInt8[np.ndarray, "height width 3"]
    guides: UInt8[np.ndarray, "guide height width 3"]
    """Sharp frames aligned onto it, in order before, after, second before, second after; of each side the
    worthiest first."""
    trust: UInt8[np.ndarray, "guide height width"]
    """Their masks M, 255 = trusted; all 0 where there is no such sharp frame."""
    truth: UInt8[np.ndarray, "height width 3"]
    """What the frame should be, where that is known; a copy of the frame where it is not."""
    seen: UInt8[np.ndarray, "guide height width"] | None = None
    """Where each is neither hidden nor beyond the border, 255 = seen: p of Eq. 8 is its mean; None: as `trust`."""


@dataclass(frozen=True)
class ItemMeta:
    """The facts of a record that have no pixels."""

    index: int
    """Frame number in its clip."""
    sharp: bool
    """Whether the frame counts as sharp, and so is its own label (ψ(i) = i)."""
    guides: tuple[int, ...]
    """Frame numbers of the guides, -1 where there is none."""

    @property
    def label(self) -> int:
        """Position among the guides of S_ψ(i), the nearest of them in time (ties: the earlier); -1: none."""
        there = [g for g, j in enumerate(self.guides) if j >= 0]
        return min(there, key=lambda g: (abs(self.guides[g] - self.index), self.guides[g]), default=-1)


_CAPTIONS = "captions.json"
_RECORD_BYTES = 7
"""Of a pixel of a record, beside its guides: the frame and its truth, three each, and a share of the index."""
_GUIDE_BYTES = 5
"""Of a pixel of one guide: three colours, its mask and what of it is seen."""


def record_bytes(guides: int) -> int:
    """Bytes of a pixel of a record with so many guides."""
    return _RECORD_BYTES + guides * _GUIDE_BYTES


class AlignedStore:
    """`len(material)` records of equal size in a folder of raw arrays."""

    def __init__(self, folder: Path, captions: Sequence[ItemMeta] = ()) -> None:
        self.folder, self.captions = folder, tuple(captions)

    @classmethod
    def create(cls, folder: Path, count: int, guides: int, height: int, width: int) -> "AlignedStore":
        """Lay out empty arrays; fill them with `put`, and say with `finish` that they are full."""
        shapes = {
            "frame": (count, height, width, 3),
            "guides": (count, guides, height, width, 3),
            "trust": (count, guides, height, width),
            "truth": (count, height, width, 3),
            "seen": (count, guides, height, width),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, shape in shapes.items():
                np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape)
                _reserve(folder / f"{name}.npy")
        except OSError as error:
            raise OutputError(f"{folder} cannot hold the training material ({error.strerror}); make room.") from error
        return cls(folder)

    def finish(self, captions: Sequence[ItemMeta]) -> None:
        """Write the captions, one for each record; from then on the material is complete."""
        self.captions = tuple(captions)
        with replacing(self.folder / _CAPTIONS, owned=True) as part:
            part.write_text(json.dumps([asdict(caption) for caption in captions]), encoding="utf-8")

    @staticmethod
    def complete(folder: Path) -> bool:
        """Whether `finish` was reached there."""
        return (folder / _CAPTIONS).exists()

    @classmethod
    def open(cls, folder: Path) -> "AlignedStore":
        """A complete one."""
        notes = json.loads((folder / _CAPTIONS).read_text(encoding="utf-8"))
        captions = [ItemMeta(n["index"], n["sharp"], tuple(n["guides"])) for n in notes]
        return cls(folder, captions)

    def __len__(self) -> int:
        return len(self.captions)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the whole frames, pixels."""
        return self._open("frame").shape[1:3]

    def put(self, slot: int, record: Record) -> None:
        """Store a whole-frame record."""
        seen = record.trust if record.seen is None else record.seen
        for name, pixels in {**vars(record), "seen": seen}.items():
            self._open(name, "r+")[slot] = pixels

    def crop(self, slot: int, top: int, left: int, height: int, width: int) -> Record:
        """Cut the same window out of every array of a record."""
        rows, columns = slice(top, top + height), slice(left, left + width)
        return Record(
            frame=self._open("frame")[slot, rows, columns].copy(),
            guides=self._open("guides")[slot, :, rows, columns].copy(),
            trust=self._open("trust")[slot, :, rows, columns].copy(),
            truth=self._open("truth")[slot, rows, columns].copy(),
            seen=self._open("seen")[slot, :, rows, columns].copy(),
        )

    def _open(self, name: str, mode: str = "r") -> np.memmap:
        return np.lib.format.open_memmap(self.folder / f"{name}.npy", mode=mode)  # pyright: ignore[reportArgumentType]


def _reserve(path: Path) -> None:
    """Take the room on the disk now: writing to a mapped file on a full disk ends the process by a signal."""
    if hasattr(os, "posix_fallocate") and path.stat().st_size:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
