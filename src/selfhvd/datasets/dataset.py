"""What every reader gives: named clips, truth optional, frames read when asked for."""

from dataclasses import dataclass
from pathlib import Path

from selfhvd.datasets.labels import SharpLabel
from selfhvd.datasets.layouts import Part
from selfhvd.errors import InputError
from selfhvd.video.image_frames import ImageFrames


@dataclass(frozen=True)
class DatasetClip:
    """One clip: either frames as image files or a video file, and the same of its truth where there is one."""

    name: str
    """Unique in its dataset, as `test/GOPR0384_11_00`; fit for a relative path."""
    part: Part | None
    frame_paths: tuple[Path, ...] = ()
    """Image files in order; empty for a video."""
    truth_paths: tuple[Path, ...] | None = None
    """The truth of each of `frame_paths`; None where there is no truth, and for a video."""
    video: Path | None = None
    truth_video: Path | None = None
    label_path: Path | None = None
    """The label that `selfhvd synthesize` wrote of the clip; None where there is none."""

    @property
    def has_truth(self) -> bool:
        """Whether it is known what the frames should be."""
        return self.truth_paths is not None or self.truth_video is not None

    @property
    def frames(self) -> ImageFrames:
        """The frames as given; `InputError` for a video, which `selfhvd.video.ingest` lays out first."""
        return ImageFrames(_images_of(self.frame_paths, self.video))

    @property
    def truth(self) -> ImageFrames | None:
        """The sharp frames, one for each of `frames`; None where there are none; `InputError` for a video."""
        return ImageFrames(_images_of(self.truth_paths or (), self.truth_video)) if self.has_truth else None

    def label(self) -> SharpLabel | None:
        """Which frames are sharp, where that is known; `InputError` if it cannot be read, or is of another clip."""
        if self.label_path is None:
            return None
        found = SharpLabel.load(self.label_path)
        if self.video is None and len(found.sharp) != len(self.frame_paths):
            raise InputError(
                f"{self.label_path} is of {len(found.sharp)} frames, but clip {self.name} has {len(self.frame_paths)}."
            )
        return found


@dataclass(frozen=True)
class Dataset:
    """The clips found in a folder, in natural order of their names."""

    name: str
    layout: str
    """A key of `LAYOUTS`."""
    clips: tuple[DatasetClip, ...]


def _images_of(paths: tuple[Path, ...], video: Path | None) -> tuple[Path, ...]:
    if video is not None:
        raise InputError(f"{video} is a video and has no frames by number yet; lay it out with selfhvd.video.ingest.")
    return paths
