"""Which frames of a clip are sharp, as the maker of the clip wrote it down."""

from dataclasses import dataclass
from pathlib import Path

from selfhvd.errors import InputError
from selfhvd.synthesis.clip_label import ClipLabel


@dataclass(frozen=True)
class SharpLabel:
    """What a label says about each frame."""

    sharp: tuple[bool, ...]
    """n_i = 1: made of one sub-frame, so nothing moved during its exposure."""
    keyframes: tuple[bool, ...]
    """Whether the encoder made it a key frame; all False where the frames were not coded."""

    @classmethod
    def load(cls, path: Path) -> "SharpLabel":
        """Read a label that `selfhvd synthesize` wrote; `InputError` if it is something else."""
        label = ClipLabel.load(path)
        if not _whole_numbers(label.counts) or not _whole_numbers(label.keyframes):
            raise InputError(f"{path} does not say of how many sub-frames each frame is made; make the clip again.")
        keys = set(label.keyframes)
        return cls(tuple(count == 1 for count in label.counts), tuple(i in keys for i in range(len(label.counts))))


def _whole_numbers(found: object) -> bool:
    """Whether that is what a file gave where they are asked for."""
    return isinstance(found, tuple) and all(type(number) is int for number in found)
