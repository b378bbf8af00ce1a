"""Where the ticks of an axis go and what they say."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_LOG_FROM = 30.0  # largest value over smallest at which a linear axis hides the small ones
_MOST_DECADES = 4


@dataclass(frozen=True)
class Scale:
    """A vertical axis."""

    low: float
    high: float
    is_log: bool
    ticks: tuple[float, ...]

    def share(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Height of `values` on the axis, 0 (bottom) to 1; what lies beyond an end is put on it."""
        inside = np.clip(values, self.low, self.high)
        if self.is_log:
            return np.log(inside / self.low) / math.log(self.high / self.low)
        return (inside - self.low) / (self.high - self.low)


def choose_scale(values: Float[np.ndarray, " n"], about: int) -> Scale:
    """A scale for `values` with about so many ticks: linear from 0, or logarithmic where they differ much."""
    high = float(values.max(initial=0.0))
    if high <= 0:
        return Scale(0.0, 1.0, False, (0.0, 1.0))
    low = max(float(values[values > 0].min()), high / 10**_MOST_DECADES)
    if high / low < _LOG_FROM:
        ticks = round_steps(high * 1.08, about)
        return Scale(0.0, high * 1.08, False, ticks)
    low, high = low / 1.25, high * 1.25
    return Scale(low, high, True, _log_ticks(low, high, about))


def round_steps(high: float, about: int, least_step: float = 0.0) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten from 0 to `high`, about so many."""
    rough = max(high / max(about, 1), least_step, 1e-12)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    return tuple(n * step for n in range(math.floor(high / step * 1.000001) + 1))


def _log_ticks(low: float, high: float, about: int) -> tuple[float, ...]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[tuple[float, ...]] = []
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = (digit * 10.0**decade for decade in decades for digit in digits)
        found.append(tuple(tick for tick in ticks if low <= tick <= high))
    return next((ticks for ticks in found if len(ticks) <= about + 1), found[-1])


def tick_text(value: float) -> str:
    """A tick's number without needless digits: 0, 0.05, 2.5, 40, 100,000."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-4 else f"{value:.0e}"
