"""How long each exposure is: its window, the mean motion in it, the number of sub-frames averaged (Eq. D, E, F)."""

import numpy as np
from jaxtyping import Float, Int


def exposure_counts(
    speed: Float[np.ndarray, " step"], substeps: int, sharp_share: float, k: float | None = None
) -> Int[np.ndarray, " frame"]:
    """n_i, how many sub-frames each exposure averages (Eq. D, E, F): odd, at least 1, at most `substeps`.

    Frame i's window is centred on sub-frame c_i = i * N + (N - 1) / 2 (Eq. D, counted from 0). The constant K of
    Eq. F, `k`, is in the unit of `speed` and above 0. It is not published: by default it is chosen per clip so that
    about `sharp_share` of the frames get n_i = 1.
    """
    k = normalisation(speed, substeps, sharp_share) if k is None else k
    return np.clip(round_to_odd(substeps * _mean_speed(speed, substeps) / k), 1, substeps)


def normalisation(speed: Float[np.ndarray, " step"], substeps: int, sharp_share: float) -> float:
    """K of Eq. F, in the unit of `speed`: n_i leaves 1 where N d_i / K is 2: at the wanted quantile of d_i."""
    mean_speed = _mean_speed(speed, substeps)
    moving = mean_speed[mean_speed > 0]
    if not len(moving):
        return np.inf
    # A camera that rests for longer than the share asks for is sharp while it rests.
    return substeps * max(float(np.quantile(mean_speed, sharp_share)), float(moving.min())) / 2


def _mean_speed(speed: Float[np.ndarray, " step"], substeps: int) -> Float[np.ndarray, " frame"]:
    """Eq. E."""
    return speed.reshape(-1, substeps).mean(axis=1)


def round_to_odd(x: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The odd whole number nearest to each value; halfway (an even number) goes up."""
    return 2 * np.floor(x / 2).astype(int) + 1
