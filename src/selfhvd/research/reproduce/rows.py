"""What a table of the paper is made of: rows, and of each what learns, from what, and on what it is measured."""

from dataclasses import dataclass
from typing import Literal

from selfhvd.datasets import Part

Method = Literal["train", "as-it-comes", "ren", "dadeblur", "select"]
"""train: `selfhvd train` as the recipe says; as-it-comes: the recipe's first weights, nothing learned; ren, dadeblur:
each clip alone; select: no network, only which frames are sharp."""
Metric = Literal["psnr", "ssim", "musiq", "maniqa", "share", "chosen", "agreement"]
"""share: of frames that are chosen as sharp; chosen: share of the chosen ones that a person calls sharp; agreement:
share of all frames in which choice and person agree."""
HEADS: dict[str, str] = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "musiq": "MUSIQ",
    "maniqa": "MANIQA",
    "share": "sharp, %",
    "chosen": "accuracy, %",
    "agreement": "agreement, %",
}
DECIMALS: dict[str, int] = {"psnr": 2, "ssim": 4, "musiq": 2, "maniqa": 4, "share": 1, "chosen": 2, "agreement": 2}
NO_TRUTH = ("musiq", "maniqa")
"""Measured without a truth, by the extra `iqa`."""


@dataclass(frozen=True)
class Place:
    """A part of a dataset."""

    folder: str
    """Under --data; also its name."""
    layout: str
    part: Part | None = "test"

    @property
    def name(self) -> str:
        """As the heads of tables have it."""
        return self.folder.rsplit("/", 1)[-1].replace("_", " ")


@dataclass(frozen=True)
class Start:
    """Weights that a network begins with."""

    name: str
    """FOLDER/weights/NAME.safetensors, or a checkpoint that `selfhvd weights fetch NAME` brought."""
    taught: "Setup"
    """How they are taught where there are none."""


@dataclass(frozen=True)
class Setup:
    """Who restores, and how it has learned to."""

    recipe: str
    """Name of a recipe that comes with the package."""
    changes: tuple[str, ...] = ()
    """KEY=VALUE, the keys in which the row differs from it."""
    method: Method = "train"
    start: Start | None = None
    """None: as the recipe says."""


@dataclass(frozen=True)
class Result:
    """A setup measured over a place."""

    place: Place
    setup: Setup
    paper: tuple[tuple[Metric, str], ...]
    """The metrics, each with the paper's number, "" where it is not known to us."""


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    name: str
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Table:
    """Rows that are compared."""

    number: str
    title: str
    rows: tuple[Row, ...]
    orders: tuple[tuple[str, str], ...] = ()
    """(worse, better) by names of rows, as the paper has it."""
    notes: tuple[str, ...] = ()
    """What of it is our reading."""
