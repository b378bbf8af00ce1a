"""Random motion kernels: what each must be, and what many are."""

from dataclasses import replace

import numpy as np
import pytest

from selfhvd.research.baselines.kernels import KernelConfig, random_kernel, trajectory

CONFIG = KernelConfig()


def kernels(count: int, config: KernelConfig = CONFIG) -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    return [random_kernel(rng, config) for _ in range(count)]


def extent(kernel: np.ndarray) -> float:
    """Root mean square distance from the centre, pixels."""
    y, x = np.indices(kernel.shape) - kernel.shape[0] // 2
    return float(np.sqrt((kernel * (x**2 + y**2)).sum()))


@pytest.mark.parametrize("scale", [1.0, 0.4, 0.02])
def test_each_kernel(scale):
    config = KernelConfig(scale=scale)
    for kernel in kernels(40, config):
        assert kernel.shape == (config.side, config.side) and config.side % 2 == 1
        assert kernel.min() >= 0 and kernel.sum() == pytest.approx(1, abs=1e-5)
        y, x = np.indices(kernel.shape) - config.side // 2
        assert (kernel * x).sum() == pytest.approx(0, abs=1e-3) and (kernel * y).sum() == pytest.approx(0, abs=1e-3)


def test_side_is_odd_and_within_the_canvas():
    assert [KernelConfig(canvas=c).side for c in (64, 63, 32, 2)] == [63, 63, 31, 3]


def test_steps_are_alike_and_add_up_to_a_length_in_the_range():
    rng = np.random.default_rng(2)
    lengths = []
    for _ in range(40):
        strides = np.abs(np.diff(trajectory(rng)))
        assert np.ptp(strides) < 1e-9 and len(strides) == 1999
        lengths.append(strides.sum())
    assert 60 <= min(lengths) < 64 and 76 < max(lengths) <= 80


def test_seeded():
    a, b = (random_kernel(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(a, b) and not np.array_equal(a, random_kernel(np.random.default_rng(4)))


def test_the_same_hand_at_half_the_scale_draws_the_same_path_half_as_large():
    whole = trajectory(np.random.default_rng(5))
    half = trajectory(np.random.default_rng(5), replace(CONFIG, scale=0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-9)


def test_impulses_turn_the_hand_about_now_and_then():
    """A chance of 0.2 · 0.005 at most, half of that on average: once in 2000 steps."""
    rng = np.random.default_rng(8)
    turns = 0
    for _ in range(60):
        strides = np.diff(trajectory(rng))
        turns += int((np.abs(np.angle(strides[1:] / strides[:-1])) > 2).sum())
    assert 30 < turns < 90


def test_a_steady_hand_draws_a_straight_line_shrunk_into_the_canvas():
    steady = replace(CONFIG, explosion=0.0)
    path = trajectory(np.random.default_rng(6), steady)
    assert abs(path[-1] - path[0]) == pytest.approx(np.abs(np.diff(path)).sum())
    kernel = random_kernel(np.random.default_rng(6), steady)
    rows, columns = np.nonzero(kernel)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 >= 62  # of 63: the line is 60 to 80 pixels long


@pytest.mark.slow
def test_many_kernels_point_everywhere_and_differ_in_extent():
    found = kernels(300)
    mean = np.mean(found, axis=0)
    y, x = np.indices(mean.shape) - mean.shape[0] // 2
    across, down, skew = ((mean * m).sum() for m in (x**2, y**2, x * y))
    assert 0.7 < across / down < 1.4 and abs(skew) < 0.2 * across
    extents = sorted(map(extent, found))
    assert 3 < extents[15] < 6 < extents[-15] < 25
