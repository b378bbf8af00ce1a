"""The tables: which rows each has, and what the paper says of their order."""

from dataclasses import dataclass, replace
from typing import Literal

from selfhvd.ops.warp import Resampling

Method = Literal["input", "composite", "as-it-comes", "ren", "dadeblur", "selfhvd", "supervised"]


@dataclass(frozen=True)
class Setup:
    """Who restores the clip, and how it has learned to."""

    method: Method = "selfhvd"
    start: Literal["scratch", "base"] = "scratch"
    rscr: bool = True
    sis: bool = True
    scscm: bool = True
    updates: int = 2
    uncertainty: bool = True
    occlusion: bool = True
    flow: str = "dis"
    """`dis`, `dis-alone` (the camera's motion is not taken out first), or a flow network whose weights are at hand."""
    segment: int = 20
    resampling: Resampling = "bicubic"
    """How labels and guides are read between pixels; the paper's are bilinear."""


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    name: str
    setup: Setup
    paper: str = ""
    """What the paper has there (BasicVSR++, GoProShake), dB."""


@dataclass(frozen=True)
class Table:
    """Rows that are compared, and the orders that should hold."""

    title: str
    rows: tuple[Row, ...]
    orders: tuple[tuple[str, str], ...] = ()
    """(worse, better), by names of rows."""
    every_seed: bool = False
    """Whether all seeds are run, or the first alone."""


def _parts(title: str, full: Setup) -> Table:
    """SEVD and SCSCM on and off."""
    scscm = replace(full, rscr=False, sis=False)
    return Table(
        title,
        (
            Row("neither", replace(scscm, scscm=False), "35.61"),
            Row("SCSCM", scscm, "37.09"),
            Row("SEVD", replace(full, scscm=False), "36.67"),
            Row("both", full, "37.44"),
        ),
        (("neither", "SCSCM"), ("neither", "SEVD"), ("SCSCM", "both"), ("SEVD", "both")),
        every_seed=True,
    )


def _sevd(title: str, full: Setup) -> Table:
    """RSCR and SIS on and off, SCSCM on."""
    return Table(
        title,
        (
            Row("neither", replace(full, rscr=False, sis=False), "37.09"),
            Row("RSCR", replace(full, sis=False), "36.27"),
            Row("SIS", replace(full, rscr=False)),
            Row("both", full, "37.44"),
        ),
        (("RSCR", "both"), ("SIS", "both"), ("neither", "both")),
        every_seed=True,
    )


_FULL = Setup()
_BASE = replace(_FULL, start="base")

TABLES: dict[str, Table] = {
    "parts": _parts("SEVD and SCSCM, from base weights", _BASE),
    "sevd": _sevd("RSCR and SIS with SCSCM, from base weights", _BASE),
    "parts-scratch": _parts("SEVD and SCSCM, from scratch", _FULL),
    "sevd-scratch": _sevd("RSCR and SIS with SCSCM, from scratch", _FULL),
    "parts-coarse": _parts(
        "SEVD and SCSCM, from base weights, poorer alignment: DIS alone, bilinear labels",
        replace(_BASE, flow="dis-alone", resampling="bilinear"),
    ),
    "methods": Table(
        "Methods, on one network, one start (base weights) and one budget",
        (
            Row("input", Setup("input")),
            Row("composite, no training", Setup("composite")),
            Row("base weights as they come", Setup("as-it-comes", "base")),
            Row("Ren et al. 2020, pairs", Setup("ren", "base"), "25.05"),
            Row("DaDeblur, motion re-blur", Setup("dadeblur", "base"), "29.54"),
            Row("SelfHVD", _BASE, "37.44"),
            Row("supervised upper bound", Setup("supervised", "base"), "37.99"),
        ),
        (
            ("input", "SelfHVD"),
            ("composite, no training", "SelfHVD"),
            ("Ren et al. 2020, pairs", "SelfHVD"),
            ("DaDeblur, motion re-blur", "SelfHVD"),
            ("base weights as they come", "SelfHVD"),
            ("SelfHVD", "supervised upper bound"),
        ),
        every_seed=True,
    ),
    "methods-scratch": Table(
        "Methods, on one network from scratch and one budget",
        (
            Row("Ren et al. 2020, pairs", Setup("ren"), "25.05"),
            Row("DaDeblur, motion re-blur", Setup("dadeblur"), "29.54"),
            Row("SelfHVD", _FULL, "37.44"),
            Row("supervised upper bound", Setup("supervised"), "37.99"),
        ),
        (("Ren et al. 2020, pairs", "SelfHVD"), ("DaDeblur, motion re-blur", "SelfHVD")),
        every_seed=True,
    ),
    "updates": Table(
        "Snapshot updates of SCSCM",
        tuple(Row(str(n), replace(_BASE, updates=n), paper) for n, paper in ((1, "36.00"), (2, "37.44"), (3, "37.57"))),
    ),
    "masks": Table(
        "Masks",
        (
            Row("none", replace(_BASE, uncertainty=False, occlusion=False), "36.13"),
            Row("occlusion", replace(_BASE, uncertainty=False), "37.25"),
            Row("uncertainty", replace(_BASE, occlusion=False), "37.00"),
            Row("both", _BASE, "37.44"),
        ),
    ),
    "flow": Table(
        "Optical flow",
        (
            Row("DIS", replace(_BASE, flow="dis-alone")),
            Row("DIS after the camera's motion", _BASE),
            Row("RAFT", replace(_BASE, flow="raft"), "36.78"),
            Row("SEA-RAFT-M", replace(_BASE, flow="sea-raft-m"), "37.44"),
        ),
    ),
    "segment": Table(
        "Segment length",
        tuple(
            Row(str(n), replace(_BASE, segment=n), paper)
            for n, paper in ((5, "37.33"), (10, "37.36"), (20, "37.44"), (30, "37.03"))
        ),
    ),
    "start": Table(
        "Where the network starts",
        (
            Row("scratch", _FULL),
            Row("base weights, not adapted", Setup("as-it-comes", "base")),
            Row("base weights, adapted", _BASE),
        ),
    ),
}
"""The paper's column is of BasicVSR++ on GoProShake (of masks, which column is which is our reading)."""

DEFAULT = ("parts", "methods", "sevd", "updates", "masks", "flow", "segment", "start", "methods-scratch")
"""The tables that are made where none is named. From scratch a network is far from done after a small benchmark's
steps, so the parts of the method are compared from base weights."""
