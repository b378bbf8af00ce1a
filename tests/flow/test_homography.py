"""A homography is found where the images share half a view, turned, noisy, or blurred until hardly anything is left."""

import cv2
import numpy as np
import pytest

from selfhvd.flow.camera.homography import explains, find_homography

HEIGHT, WIDTH = 216, 288


def viewed(photo: np.ndarray, matrix: np.ndarray, blur: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Grey; `matrix` leads from the view to the photo, `blur` is how far the view moves meanwhile, pixels."""
    views = []
    for part in np.linspace(-0.5, 0.5, 31):
        moved = matrix @ np.array([[1, 0, part * blur[0]], [0, 1, part * blur[1]], [0, 0, 1.0]])
        views.append(cv2.warpPerspective(photo, moved, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))
    return np.mean(views, axis=0).mean(axis=2).astype(np.float32)


def turned(x: float, y: float, degrees: float, zoom: float = 1.0) -> np.ndarray:
    """From the view to a photo of 512x512: turned about the view's middle, which lies at (x, y)."""
    cos, sin = zoom * np.cos(np.radians(degrees)), zoom * np.sin(np.radians(degrees))
    return np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1]]) @ np.array(
        [[1, 0, -WIDTH / 2], [0, 1, -HEIGHT / 2], [0, 0, 1.0]]
    )


def missed(found: np.ndarray | None, wanted: np.ndarray) -> float:
    """Pixels by which the centre of the view is led astray."""
    assert found is not None
    ends = [m @ np.array([WIDTH / 2, HEIGHT / 2, 1]) for m in (found, wanted)]
    return float(np.linalg.norm(ends[0][:2] / ends[0][2] - ends[1][:2] / ends[1][2]))


@pytest.mark.parametrize(("x", "y", "degrees"), [(110, 70, 8), (-60, 100, -12), (-120, 60, 5), (20, -115, 15)])
def test_lightly_blurred_and_noisy(photo, rng, x, y, degrees):
    there, here = turned(250, 250, 0), turned(250 + x, 250 + y, degrees, 1.05)
    first, second = viewed(photo, here, (5, 3)), viewed(photo, there)
    first, second = (image + rng.normal(0, 2, image.shape).astype(np.float32) for image in (first, second))
    assert missed(find_homography(first, second), np.linalg.inv(there) @ here) < 2


@pytest.mark.parametrize(("x", "y", "degrees"), [(60, 60, 13), (-50, 70, -18), (70, -50, 16), (-80, -30, -14)])
@pytest.mark.parametrize("light", [1.0, 0.1])
def test_heavily_blurred(photo, x, y, degrees, light):
    """Also where it is dark, where a wrong motion misses by little."""
    there, here = turned(250, 250, 0), turned(250 + x, 250 + y, degrees, 0.95)
    first, second = (light * image for image in (viewed(photo, here, (30, 14)), viewed(photo, there)))
    assert missed(find_homography(first, second), np.linalg.inv(there) @ here) < 15


def test_what_moves_on_its_own_casts_no_doubt_on_a_motion(photo):
    """A sixth of the view is something else; two views of one place would else be looked at turned, too."""
    there, here = turned(250, 250, 0), turned(258, 246, 1)
    first, second = viewed(photo, here), viewed(photo, there)
    second[60:150, 80:190] = viewed(photo, turned(120, 330, 0))[60:150, 80:190]
    right = np.linalg.inv(there) @ here
    assert explains(right, first, second)
    assert not explains(right @ turned(12, 0, 0), first, second)


def test_strangers_have_none():
    """Dark against bright: no motion brings the one onto the other."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    assert find_homography(20 + 10 * np.sin(x / 9), 200 + 40 * np.sin(y / 7)) is None
