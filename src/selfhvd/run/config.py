"""One run's configuration: frozen, printable, and made from a preset."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from selfhvd.extensions.scenes import SceneConfig
from selfhvd.extensions.selection import SharpConfig
from selfhvd.flow import CertaintyConfig
from selfhvd.method.align import AlignConfig
from selfhvd.restore.config import RestoreConfig
from selfhvd.training.config import AdaptConfig
from selfhvd.training.loop import LoopConfig
from selfhvd.training.sampler import BatchConfig
from selfhvd.weights.choose_flow import FlowName

Preset = Literal["fast", "balanced", "best"]
PRESETS: tuple[Preset, ...] = get_args(Preset)


@dataclass(frozen=True)
class DeblurConfig:
    """Everything that decides the frames that come out."""

    preset: Preset = "fast"
    backbone: str = "lite"
    """A name of `BACKBONES`."""
    weights: Path | None = None
    """Weights to start from, of that network; None = the base weights of `lite`, or what was fetched for the others."""
    adapt_first: bool = False
    """Learn on the clip, as `adapt` says, before restoring it; else the weights are used as they are."""
    from_scratch: bool = False
    """Start from an untrained network and learn on this clip alone, whatever `adapt_first` says: the paper's stages,
    but no row of the paper, which trains one network on a training set and adapts to clips (Table 3) from trained
    weights."""
    flow: FlowName = "auto"
    flow_weights: Path | None = None
    """Weights of the flow network; None = what was fetched."""
    certainty: CertaintyConfig = CertaintyConfig()
    seed: int = 0
    device: str = "auto"
    max_minutes: float | None = None
    """The learning ends after so many minutes with what it has; 0 = nothing is learned."""
    scenes: SceneConfig = SceneConfig()
    sharp: SharpConfig = SharpConfig()
    align: AlignConfig = AlignConfig()
    adapt: AdaptConfig = field(default_factory=AdaptConfig)
    restore: RestoreConfig = RestoreConfig()

    @property
    def steps(self) -> int:
        """Of learning on the clip, at most; 0 = the weights are used as they are."""
        if self.max_minutes == 0 or not (self.adapt_first or self.from_scratch):
            return 0
        return self.adapt.stage_one.steps + self.adapt.stage_two.steps

    def resolved(self) -> "DeblurConfig":
        """The same, with every setting that follows another one filled in."""
        return replace(self, adapt=self.adapt.following(self.sharp))


def preset_config(
    preset: Preset = "fast",
    *,
    backbone: str = "lite",
    from_scratch: bool = False,
    weights: Path | None = None,
    adapt_first: bool = False,
) -> DeblurConfig:
    """The configuration of a preset.

    Weights are used as they are, whosever they are, unless `adapt_first` says to learn on the clip from them; an
    untrained network always learns. How long, is the preset's; the longer presets also look at more sharp frames, and
    closer when they align them. All but the base weights as they come hand frames that are not blurred through: what
    becomes of these is known only for them, see `RestoreConfig.which`.
    """
    learns = adapt_first or from_scratch
    base_as_it_comes = backbone == "lite" and weights is None and not learns
    one, two, frames = _STEPS[preset if learns else "as they come"]
    rate = _SCRATCH_RATES.get(backbone, 1e-4) if from_scratch else 1e-4
    loop = LoopConfig(rate=rate, last_rate=rate / 100, bfloat16=True)
    single = backbone == "lite"
    adapt = AdaptConfig(
        stage_one=replace(loop, steps=one),
        stage_two=replace(loop, steps=two),
        frames=frames,
        batch=BatchConfig(size=2 if single else 1),
    )
    return DeblurConfig(
        preset=preset,
        backbone=backbone,
        weights=weights,
        adapt_first=learns,
        from_scratch=from_scratch,
        align=AlignConfig(longest=_LONGEST[preset]),
        adapt=adapt,
        restore=RestoreConfig(
            each_side=_EACH_SIDE[preset],
            ensemble=_VIEWS[preset] if single else 1,
            steadiness=0.3 if single else 0.0,  # the others look at many frames at once
            restored_guides=single,
            which="auto" if base_as_it_comes else "blurry",
        ),
    )


_STEPS: dict[str, tuple[int, int, int]] = {
    "as they come": (0, 0, 48),
    "fast": (150, 300, 48),
    "balanced": (300, 600, 60),
    "best": (500, 1500, 120),
}
"""Steps of stage 1 and 2, and frames trained on. Nothing is learned unless asked for, for that lost on made clips
(docs/ablations.md#config._STEPS)."""
_EACH_SIDE: dict[Preset, int] = {"fast": 2, "balanced": 4, "best": 6}
_LONGEST: dict[Preset, int] = {"fast": 640, "balanced": 720, "best": 720}
"""See `AlignConfig.longest`; half of 1280 pixels, a third of 1920 (docs/ablations.md#align.longest)."""
_VIEWS: dict[Preset, int] = {"fast": 1, "balanced": 2, "best": 4}
_SCRATCH_RATES = {"lite": 1e-3, "ifirnn": 5e-4, "estrnn": 5e-4, "basicvsrpp": 1e-4, "rvrt": 4e-4}
"""First learning rates from scratch: those the networks were published with; our own for `lite` and `ifirnn`."""
