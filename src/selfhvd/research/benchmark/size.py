"""How large a benchmark is: what is filmed, and how long is trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Everything but the rows that has a say in the numbers."""

    frames: int = 60
    width: int = 480
    height: int = 272
    blurry_psnr: float = 28.0
    """dB that the blurry frames have, about; the shake is searched for."""
    tries: int = 8
    """How often another shake is tried for that."""
    crf: int = 18
    """H.264 quality: a phone's clips are coded, and on uncoded ones the mean PSNR is about who leaves frames alone that
    are hardly blurred."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """A seed decides photo, shake, first weights and batches; each is a clip of its own."""
    backbone: str = "lite"
    steps: int = 1500
    """Of every row that learns; of two stages the first has a third."""
    crop: int = 128
    batch: int = 4
    """Windows."""
    window: int = 6
    """Frames a window, for a network that looks at several."""


SIZES = {"small": Size(frames=40, width=320, height=192, steps=300), "medium": Size(), "large": Size(steps=6000)}
