"""The path of an exposure is found where one was made, and leads to its middle, not to its mean."""

import cv2
import numpy as np
import pytest
import torch

from selfhvd.flow import Dis, GlobalMotionFlow
from selfhvd.flow.camera.exposure_fit import fit_trajectory, refine_homography
from selfhvd.flow.camera.exposure_path import ExposureTrajectory, linear_light

HEIGHT, WIDTH = 216, 288
STEPS = 41
GAMMA = 2.2


def view(photo: np.ndarray, x: float, y: float) -> np.ndarray:
    """Linear light seen with the corner at (x, y) of the photo."""
    matrix = np.array([[1.0, 0, x], [0, 1.0, y]])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine((photo / 255.0).astype(np.float32) ** GAMMA, matrix, (WIDTH, HEIGHT), flags=how)


def codes(linear: np.ndarray) -> np.ndarray:
    return (255 * np.clip(linear, 0, 1) ** (1 / GAMMA)).astype(np.float32)


def lit(image: np.ndarray) -> np.ndarray:
    """The light that an image of codes stands for."""
    return linear_light(torch.from_numpy(image / 255).permute(2, 0, 1)[None])


def exposed(photo: np.ndarray, velocity: tuple[float, float], acceleration: tuple[float, float]) -> np.ndarray:
    """What the open shutter sees while the view moves; at its middle the corner is at (110, 90)."""
    taus = (np.arange(STEPS) + 0.5) / STEPS - 0.5
    places = [[t * v + 0.5 * t * t * a for v, a in zip(velocity, acceleration, strict=True)] for t in taus]
    return codes(np.mean([view(photo, 110 + x, 90 + y) for x, y in places], axis=0))


def shifted(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1.0, y], [0, 0, 1.0]])


def missed(path: ExposureTrajectory, wanted: np.ndarray) -> float:
    """Pixels by which the centre of the view is led astray."""
    centre = np.array([WIDTH / 2, HEIGHT / 2, 1])
    ends = [m @ centre for m in (path.middle, wanted)]
    return float(np.linalg.norm(ends[0][:2] / ends[0][2] - ends[1][:2]))


@pytest.mark.parametrize("velocity", [(14.0, 5.0), (-3.0, 18.0), (9.0, -10.0)])
@pytest.mark.parametrize("sign", [1, -1])
def test_finds_the_middle_of_an_exposure_that_speeds_up(photo, velocity, sign):
    """Mean and middle lie a / 24 apart: half a pixel here, which matching alone cannot tell."""
    acceleration = (sign * 12.0, sign * -9.0)
    blurry, sharp = exposed(photo, velocity, acceleration), codes(view(photo, 103, 95))
    wanted = shifted(7, -5)
    # Matching finds the mean: as good a start as there is.
    start = shifted(7 + acceleration[0] / 24, -5 + acceleration[1] / 24)
    path = fit_trajectory(lit(blurry), lit(sharp), start)
    assert path is not None
    assert missed(ExposureTrajectory.still(start), wanted) > 0.6
    assert missed(path, wanted) < 0.08
    assert path.blur_extent == pytest.approx(np.hypot(*velocity), abs=2.5)


def test_a_start_that_is_pixels_off_will_do(photo):
    blurry, sharp = exposed(photo, (16.0, 4.0), (0.0, 0.0)), codes(view(photo, 103, 95))
    path = fit_trajectory(lit(blurry), lit(sharp), shifted(11, -8))
    assert path is not None and missed(path, shifted(7, -5)) < 0.15


def test_noise_is_borne(photo, rng):
    blurry, sharp = exposed(photo, (14.0, 5.0), (10.0, -8.0)), codes(view(photo, 103, 95))
    noisy = [image + rng.normal(0, 6, image.shape).astype(np.float32) for image in (blurry, sharp)]
    path = fit_trajectory(lit(noisy[0]), lit(noisy[1]), shifted(7.4, -5.3))
    assert path is not None and missed(path, shifted(7, -5)) < 0.25


@pytest.mark.slow
def test_colour_adds_up_like_light(photo):
    """Red, green and blue of three different places: a mean of their codes, made linear, is not the light."""
    coloured = np.stack([photo[..., 0], np.roll(photo[..., 1], 60, 1) // 8, np.roll(photo[..., 2], 60, 0) // 3], axis=2)
    blurry, sharp = exposed(coloured, (24.0, 9.0), (14.0, -12.0)), codes(view(coloured, 103, 95))
    grey = [((image / 255).mean(axis=2) ** GAMMA).astype(np.float32) for image in (blurry, sharp)]
    start, wanted = shifted(7.4, -5.3), shifted(7, -5)
    right, wrong = fit_trajectory(lit(blurry), lit(sharp), start), fit_trajectory(*grey, start)
    assert right is not None and missed(right, wanted) < 0.05
    assert wrong is None or missed(wrong, wanted) > 2 * missed(right, wanted)


def test_darker_exposure_is_borne(photo):
    """Frames of other exposure times differ in brightness."""
    blurry, sharp = exposed(photo, (14.0, 5.0), (10.0, -8.0)), codes(view(photo, 103, 95))
    path = fit_trajectory(lit(0.85 * blurry), lit(sharp), shifted(7.4, -5.3))
    assert path is not None and missed(path, shifted(7, -5)) < 0.25


def test_no_path_between_images_that_are_equally_sharp(photo):
    assert fit_trajectory(lit(codes(view(photo, 110, 90))), lit(codes(view(photo, 103, 95))), shifted(7, -5)) is None


def test_a_short_path_leads_to_its_mean(photo):
    """How it turned cannot be told from so little blur once it is coded, and with it where it was half way through."""
    blurry = lit(exposed(photo, (4.0, -2.0), (24.0, 12.0)))
    path = fit_trajectory(blurry, lit(codes(view(photo, 103, 95))), shifted(7.6, -4.7))
    assert path is not None and path.lead == pytest.approx(1 / 24)
    assert missed(path, shifted(7 + 24 / 24, -5 + 12 / 24)) < 0.1


def test_no_long_path_that_turns_more_than_a_hand(photo):
    blurry = lit(exposed(photo, (14.0, 5.0), (70.0, -40.0)))
    assert fit_trajectory(blurry, lit(codes(view(photo, 103, 95))), shifted(10, -6)) is None


def test_light_that_differs_over_the_picture_is_no_proof_against_a_path(photo):
    """Detail is: a real clip's light, noise and parallax are more than what a short blur takes."""
    light = np.linspace(0.85, 1.05, WIDTH, dtype=np.float32)[:, None]
    blurry = lit(light * exposed(photo, (8.0, -3.0), (4.0, 2.0)))
    path = fit_trajectory(blurry, lit(codes(view(photo, 103, 95))), shifted(7.4, -5.2))
    assert path is not None and missed(path, shifted(7, -5)) < 0.25


def test_no_path_between_strangers(photo):
    """Blur alone is no proof: the images must show the same."""
    other = np.ascontiguousarray(photo[::-1, ::-1])
    assert (
        fit_trajectory(lit(exposed(photo, (14.0, 5.0), (0.0, 0.0))), lit(codes(view(other, 50, 50))), np.eye(3)) is None
    )


def test_no_path_where_nothing_overlaps(photo):
    blurry, sharp = exposed(photo, (14.0, 5.0), (0.0, 0.0)), codes(view(photo, 103, 95))
    assert fit_trajectory(lit(blurry), lit(sharp), shifted(3 * WIDTH, 0)) is None


def test_flat_images_have_no_path():
    flat = np.full((HEIGHT, WIDTH), 0.2, np.float32)
    assert fit_trajectory(flat, flat, np.eye(3)) is None


def test_the_camera_is_made_exact(photo, rng):
    """From half a pixel off to a fiftieth, in noise and with a quarter of the picture strange."""
    first, second = codes(view(photo, 110, 90)), codes(view(photo, 103.3, 95.6))
    first[60:160, 80:240] = first[60:160, 80:240][:, ::-1]
    first, second = (lit(x + rng.normal(0, 4, x.shape).astype(np.float32)) for x in (first, second))
    found = refine_homography(first, second, shifted(7.1, -6.0))
    wanted = shifted(6.7, -5.6)
    assert (
        missed(ExposureTrajectory.still(found), wanted)
        < 0.02
        < 0.5
        < missed(ExposureTrajectory.still(shifted(7.1, -6.0)), wanted)
    )


def test_a_camera_that_cannot_be_made_exact_stays(photo):
    start, image = shifted(3 * WIDTH, 0), lit(codes(view(photo, 110, 90)))
    assert refine_homography(image, image, start) is start
    flat = np.full((HEIGHT, WIDTH), 0.2, np.float32)
    assert refine_homography(flat, flat, start) is start


def test_blurred_along_the_path_looks_like_the_exposure(photo):
    """ExposureTrajectory.blurred is the camera's model: the mean of views in linear light."""
    velocity, acceleration = (12.0, -5.0), (8.0, 6.0)
    motion = [np.array([*pair, 0, 0], np.float32) for pair in (velocity, acceleration)]
    sharp = torch.from_numpy(codes(view(photo, 110, 90)) / 255).permute(2, 0, 1)[None]
    wanted = exposed(photo, velocity, acceleration) / 255
    blurred = ExposureTrajectory(np.eye(3), *motion).blurred(sharp)[0].permute(1, 2, 0).numpy()
    inner = (slice(16, -16), slice(16, -16))
    assert (
        np.abs(blurred - wanted)[inner].mean() < 0.2 * np.abs(sharp[0].permute(1, 2, 0).numpy() - wanted)[inner].mean()
    )


def test_flow_of_a_blurred_frame_leads_to_the_middle(photo):
    """The whole way: camera, path, free flow against the re-blurred sharp image."""
    blurry, sharp = exposed(photo, (14.0, 5.0), (12.0, -9.0)), codes(view(photo, 103, 95))
    first, second = (torch.from_numpy(x / 255).permute(2, 0, 1)[None] for x in (blurry, sharp))
    there, back = GlobalMotionFlow(Dis()).both(first, second)
    inner = (0, slice(None), slice(24, -24), slice(24, -24))
    assert (there.field[inner].flatten(1).median(dim=1).values - torch.tensor([7.0, -5.0])).norm() < 0.15
    assert (back.field[inner].flatten(1).median(dim=1).values - torch.tensor([-7.0, 5.0])).norm() < 0.15
    assert there.certainty[..., 24:-24, 24:-24].mean() > 0.95


def test_of_a_known_path_only_the_middle_is_found(photo):
    """As another sharp image showed it, from where the view starts elsewhere."""
    blurry = lit(exposed(photo, (14.0, 5.0), (12.0, -9.0)))
    known = fit_trajectory(blurry, lit(codes(view(photo, 103, 95))), shifted(7.4, -5.3))
    assert known is not None
    path = fit_trajectory(blurry, lit(codes(view(photo, 121, 84))), shifted(-10, 7), known)
    assert path is not None and missed(path, shifted(-11, 6)) < 0.1
    assert path.velocity == pytest.approx(known.velocity) and path.acceleration == pytest.approx(known.acceleration)


@pytest.mark.slow
def test_a_known_path_that_is_none_here_is_refused(photo):
    sharp = codes(view(photo, 103, 95))
    known = fit_trajectory(lit(exposed(photo, (14.0, 5.0), (0.0, 0.0))), lit(sharp), shifted(7, -5))
    assert fit_trajectory(lit(exposed(photo, (-3.0, 18.0), (0.0, 0.0))), lit(sharp), shifted(7, -5), known) is None


def test_blurs_that_are_alike():
    """A blur does not tell in which direction of time it was made."""

    def path(*velocity: float) -> ExposureTrajectory:
        return ExposureTrajectory(np.eye(3), np.array(velocity, np.float32), np.zeros(4, np.float32))

    one = path(9, -4, 1, 0)
    assert one.is_like(path(9.3, -4.2, 1, 0.1)) and one.is_like(path(-9.3, 4.2, -1, 0))
    assert not one.is_like(path(9, 4, 1, 0)) and not one.is_like(path(9, -4, 3, 0))
    assert not one.is_like(path(0, 0, 0, 0)) and not path(0, 0, 0, 0).is_like(path(0, 0, 0, 0))


class Watched(GlobalMotionFlow):
    """Remembers which path was known when a camera was looked for."""

    def __init__(self) -> None:
        super().__init__(Dis())
        self.known: list[ExposureTrajectory | None] = []

    def camera(self, first, second, known=None, led=None):
        self.known.append(known)
        return super().camera(first, second, known, led)


def images_of(photo: np.ndarray, *corners: tuple[int, int]) -> list[torch.Tensor]:
    return [torch.from_numpy(codes(view(photo, *at)) / 255).permute(2, 0, 1)[None] for at in corners]


@pytest.mark.slow
def test_the_path_that_two_images_agree_on_serves_the_others(photo):
    blurry = torch.from_numpy(exposed(photo, (14.0, 5.0), (12.0, -9.0)) / 255).permute(2, 0, 1)[None]
    corners = [(103, 95), (121, 84), (115, 99), (98, 83)]
    watched = Watched()
    flows = watched.motions(blurry, images_of(photo, *corners))
    assert [path is not None for path in watched.known] == [False, False, True, True]
    inner = (0, slice(None), slice(24, -24), slice(24, -24))
    for motion, (left, top) in zip(flows, corners, strict=True):
        there, back = motion.there, motion.back
        wanted = torch.tensor([110.0 - left, 90.0 - top])
        assert (there.field[inner].flatten(1).median(dim=1).values - wanted).norm() < 0.15
        assert (back.field[inner].flatten(1).median(dim=1).values + wanted).norm() < 0.15


@pytest.mark.slow
def test_what_two_images_do_not_agree_on_is_looked_for_in_each(photo):
    blurry = torch.from_numpy(exposed(photo, (14.0, 5.0), (0.0, 0.0)) / 255).permute(2, 0, 1)[None]
    stranger = torch.full_like(blurry, 0.5)
    watched = Watched()
    watched.motions(blurry, [*images_of(photo, (103, 95)), stranger, *images_of(photo, (121, 84), (115, 99))])
    assert watched.known == [None] * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("x", "y", "velocity"),
    [(-60, 80, (40.0, 10.0)), (-110, -90, (10.0, 45.0)), (-140, 20, (10.0, 45.0)), (60, -110, (20.0, 10.0))],
)
def test_a_blurred_frame_half_a_view_away_is_placed(photo, x, y, velocity):
    """About half of the view is in both images: phase correlation and flow find no way from one to the other."""
    blurry, sharp = exposed(photo, velocity, (0.0, 0.0)), codes(view(photo, 110 - x, 90 - y))
    images = [torch.from_numpy(image / 255).permute(2, 0, 1)[None] for image in (blurry, sharp)]
    found = GlobalMotionFlow(Dis()).camera(*images)
    assert found is not None and missed(found, shifted(x, y)) < 0.2
