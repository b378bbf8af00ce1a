"""Trajectory files: both orders of quaternions, Eq. C's speed, and a sentence for every bad line."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from selfhvd.errors import InputError
from selfhvd.synthesis.exposure_length import exposure_counts, normalisation
from selfhvd.synthesis.poses import read_poses


def turning(path, order="xyzw", angle=0.01, step=(0.03, 0.0, 0.04), interval=0.5, count=6):
    """A camera that turns about a slanted axis by `angle` and moves by `step` from pose to pose."""
    lines = ["# timestamp and pose"]
    for t in range(count):
        quaternion = Rotation.from_rotvec(angle * t * np.array([0.6, 0.0, 0.8])).as_quat()
        written = quaternion if order == "xyzw" else np.roll(quaternion, 1)
        lines.append(" ".join(repr(float(x)) for x in (interval * t, *(t * np.array(step)), *written)))
    path.write_text("\n".join(lines) + "\n\n")
    return path


@pytest.mark.parametrize("order", ["xyzw", "wxyz"])
def test_speed_of_a_known_motion(tmp_path, order):
    """0.01 rad and 0.05 of the way in half a second: 0.02 + 0.1 a second; the last pose repeats its forerunner."""
    poses = read_poses(turning(tmp_path / "path.txt", order), order)
    np.testing.assert_allclose(poses.speed(), [0.12] * 6, rtol=1e-6)


def test_the_order_of_the_quaternion(tmp_path):
    """Read in the right order, pose t is turned by 0.3 t about the slanted axis; in the other, it is not.

    The speed is the same either way: the angle between two quaternions does not see a common permutation.
    """
    path = turning(tmp_path / "path.txt", "wxyz", angle=0.3)
    right, wrong = (read_poses(path, order) for order in ("wxyz", "xyzw"))
    turns = Rotation.from_quat(right.rotations).as_rotvec()
    np.testing.assert_allclose(turns, 0.3 * np.arange(6)[:, None] * [0.6, 0.0, 0.8], atol=1e-9)
    assert np.abs(right.rotations - wrong.rotations).max() > 0.5
    np.testing.assert_allclose(right.speed(), wrong.speed())


def test_a_quaternion_and_its_negative_are_one_rotation(tmp_path):
    path = tmp_path / "path.txt"
    path.write_text("0 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 -1\n")
    np.testing.assert_allclose(read_poses(path).speed(), [0, 0], atol=1e-7)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("0 0 0 0 0 0 0 1\n1 0 0 0 0 0 1", "line 2 holds 7 numbers"),
        ("0 0 0 0 0 0 0 one", "line 1 holds something that is no number"),
        ("# head\n0 0 0 nan 0 0 0 1", "line 2 holds a number that is not finite"),
        ("0 0 0 0 0 0 0 0", "line 1: the quaternion has not length 1"),
        ("1 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1", "line 2: time does not go forward from 1 to 1"),
        ("0 0 0 0 0 0 0 1", "holds 1 poses"),
        ("", "holds 0 poses"),
    ],
)
def test_bad_lines(tmp_path, lines, said):
    path = tmp_path / "path.txt"
    path.write_text(lines)
    with pytest.raises(InputError, match=said):
        read_poses(path)


def test_no_text(tmp_path):
    (tmp_path / "path.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as a trajectory"):
        read_poses(tmp_path / "path.txt")


@pytest.mark.parametrize("share", [0.2, 0.33, 0.5])
def test_k_gives_the_wanted_share(rng, share):
    """Whatever the unit of the speed: K scales with it."""
    speed = np.repeat(rng.gamma(2.0, 1.0, 200), 7) * rng.uniform(0.5, 1.5, 1400)
    counts, scaled = exposure_counts(speed, 7, share), exposure_counts(1000 * speed, 7, share)
    assert abs((counts == 1).mean() - share) <= 0.01
    assert (counts % 2 == 1).all() and counts.max() == 7 and np.array_equal(counts, scaled)
    assert normalisation(1000 * speed, 7, share) == pytest.approx(1000 * normalisation(speed, 7, share))


def test_a_camera_that_mostly_rests_still_blurs_where_it_moves():
    speed = np.repeat([0.0, 0.0, 0.0, 1.0, 2.0], 5)
    assert exposure_counts(speed, 5, 0.33).tolist() == [1, 1, 1, 3, 5]
