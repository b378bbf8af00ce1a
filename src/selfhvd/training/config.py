"""How the two stages run, and what is told of them afterwards."""

from dataclasses import dataclass, field, replace
from typing import Literal

from selfhvd.extensions.selection import SharpConfig
from selfhvd.method.scscm import ProbeScores
from selfhvd.method.stages import LossConfig
from selfhvd.training.loop import LoopConfig
from selfhvd.training.sampler import BatchConfig

Labels = Literal["worth", "nearest"]
"""worth: sharpness against distance in time decides (ours); nearest: ψ(i) of Eq. 2, a segment's best frame counts."""
Teach = Literal["sharp-frames", "truth"]
"""The paper's method, or plain supervised training."""


@dataclass(frozen=True)
class AdaptConfig:
    """How clips train a network."""

    teach: Teach = "sharp-frames"
    """truth: both stages learn from what the frames should be; the second aligns the guides anew."""
    stage_one: LoopConfig = field(default_factory=lambda: LoopConfig(steps=100))
    stage_two: LoopConfig = field(default_factory=lambda: LoopConfig(steps=200))
    batch: BatchConfig = BatchConfig()
    loss: LossConfig = LossConfig()
    frames: int = 48
    """Frames of each clip that are trained on, spread evenly over the blurry ones; bounds time and disk, not memory."""
    labels: Labels = "worth"
    """Which sharp frames are aligned as labels and guides."""
    align_every: int = 0
    """Steps after which all sharp frames are aligned anew, onto the output as it is then (Eq. 3); 0: once a stage."""
    candidates: int = 2
    """Sharp frames aligned from each side of a training frame: RSCR and the label leave something over."""
    updates: int = 2
    """Snapshot updates of SCSCM (paper: 2)."""
    drift_tolerance: float = 0.1
    """Pixels by which the drift may grow for a snapshot to be replaced (derived)."""
    most_drift: float = 0.5
    """Pixels by which the drift may grow over the whole adaptation before its result is thrown away (derived)."""
    judge: bool = True
    """Throw the adaptation away where our own measures call it worse than what it started from."""
    least_gain: float = 0.01
    """Part by which v_l must have grown for a snapshot to be replaced (derived)."""
    probes: int = 6
    """Frames, of all clips together, on which a model's standing is measured (derived)."""
    probe_window: int = 5
    """Frames restored around each probe by a network that looks at several: their cost is what a check costs."""
    checks: int = 4
    """Times in stage 2 that the current model is offered as the new snapshot (derived)."""

    def following(self, sharp: SharpConfig) -> "AdaptConfig":
        """The same, with RSCR's segments those by which sharp frames are chosen, unless it has its own."""
        segment = self.batch.segment or sharp.segment
        return replace(self, batch=replace(self.batch, segment=segment))


@dataclass(frozen=True)
class Adaptation:
    """What the adaptation did."""

    steps: int
    seconds: float
    before: ProbeScores
    """Of the network before the first step."""
    after: ProbeScores
    updates: int
    """Snapshots taken over."""
    kept: bool
    """False: the adapted network did worse by our own measures and the one before it was kept."""
    perceptual: bool = False
    """Whether the perceptual term was part of the losses."""
