"""One run's configuration: frozen, printable, and made from a preset."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from selfhvd.adapt import AdaptConfig
from selfhvd.method.align import AlignConfig
from selfhvd.method.sharp import SharpConfig
from selfhvd.restore import RestoreConfig
from selfhvd.training.loop import LoopConfig

Preset = Literal["fast", "balanced", "best"]
PRESETS: tuple[Preset, ...] = get_args(Preset)


@dataclass(frozen=True)
class DeblurConfig:
    """Everything that decides the frames that come out."""

    preset: Preset = "fast"
    weights: Path | None = None
    """Weights to start from; None = the base weights of `lite`."""
    from_scratch: bool = False
    """Start from an untrained `lite`: the paper's main setting."""
    flow: Literal["dis"] = "dis"
    seed: int = 0
    device: str = "auto"
    max_minutes: float | None = None
    """The adaptation ends after so many minutes with what it has."""
    sharp: SharpConfig = SharpConfig()
    align: AlignConfig = AlignConfig()
    adapt: AdaptConfig = field(default_factory=AdaptConfig)
    restore: RestoreConfig = RestoreConfig()


def preset_config(preset: Preset = "fast", *, from_scratch: bool = False) -> DeblurConfig:
    """The configuration of a preset; from scratch the rate is ten times as high, since nothing can be forgotten."""
    one, two, frames = _STEPS["from-scratch" if from_scratch and preset == "fast" else preset]
    rate = 1e-3 if from_scratch else 1e-4
    loop = LoopConfig(rate=rate, last_rate=rate / 100, bfloat16=True)
    adapt = AdaptConfig(stage_one=replace(loop, steps=one), stage_two=replace(loop, steps=two), frames=frames)
    return DeblurConfig(preset=preset, from_scratch=from_scratch, adapt=adapt)


_STEPS: dict[str, tuple[int, int, int]] = {
    "fast": (0, 0, 48),
    "from-scratch": (150, 300, 48),
    "balanced": (100, 200, 48),
    "best": (500, 1500, 120),
}
"""Steps of stage 1 and 2, and frames trained on. From the base weights `fast` does not adapt: on the synthetic clips no
part of the adaptation improved on them (docs/results.md). The longer presets adapt and keep the better of the two."""
