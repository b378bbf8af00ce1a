"""Flows find motions that are known, in the direction that the conventions state."""

import cv2
import numpy as np
import pytest
import torch

from doubles import tensor
from selfhvd.flow import FLOWS, Dis, GlobalMotionFlow
from selfhvd.flow.camera.predictor import homography_flow
from selfhvd.ops.warp import warp

HEIGHT, WIDTH = 160, 220
PREDICTORS = {"dis": lambda: Dis(), "camera": lambda: GlobalMotionFlow(Dis())}


@pytest.fixture(params=PREDICTORS)
def predictor(request):
    return PREDICTORS[request.param]()


def view(photo: np.ndarray, left: int, top: int, height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    return tensor(photo[top : top + height, left : left + width])


def median_error(field: torch.Tensor, wanted: torch.Tensor, border: int = 24) -> float:
    inner = slice(border, -border)
    return (field - wanted).norm(dim=1)[:, inner, inner].median().item()


def constant(x: float, y: float, height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    return torch.tensor([x, y], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, height, width)


@pytest.mark.parametrize("motion", [(7, -4), (-3, 5), (0, 0)])
def test_translation(predictor, photo, motion):
    """The second view starts 7 pixels further left and 4 lower: what first shows at p, it shows at p + (7, -4)."""
    first, second = view(photo, 120, 60), view(photo, 120 - motion[0], 60 - motion[1])
    flow = predictor(first, second)
    assert median_error(flow.field, constant(*motion)) < 0.3
    inner = (..., slice(24, -24), slice(24, -24))
    assert (warp(second, flow.field) - first)[inner].abs().mean() < 0.02
    assert flow.certainty[inner].mean() > 0.9
    assert flow.certainty.min() >= 0 and flow.certainty.max() <= 1


def turned_views(photo) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Two views that differ by a homography: three degrees of roll, some zoom, shift and tilt."""
    angle = np.deg2rad(3)
    cos, sin = 1.02 * np.cos(angle), 1.02 * np.sin(angle)
    matrix = np.array([[cos, -sin, 6.0], [sin, cos, -8.0], [5e-5, -4e-5, 1.0]])
    origin = np.array([[1.0, 0, -120], [0, 1, -60], [0, 0, 1]])
    second = cv2.warpPerspective(photo, matrix @ origin, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    return view(photo, 120, 60), tensor(second), matrix


def test_homography(predictor, photo):
    first, second, matrix = turned_views(photo)
    assert median_error(predictor(first, second).field, homography_flow(matrix, first)) < 0.3


def test_camera_finds_the_homography(photo):
    first, second, matrix = turned_views(photo)
    camera = GlobalMotionFlow(Dis()).camera(first, second)
    assert camera is not None
    apart = homography_flow(camera.middle, first) - homography_flow(matrix, first)
    assert apart.norm(dim=1).max() < 0.6


def test_homography_flow_by_hand():
    """x' = 2x + 3, y' = y - 1, both over 2."""
    flow = homography_flow(np.array([[2.0, 0, 3], [0, 1, -1], [0, 0, 2]]), torch.zeros(1, 3, 4, 5))
    assert flow[0, :, 0, 0].tolist() == [1.5, -0.5]
    assert flow[0, :, 3, 4].tolist() == [5.5 - 4, 1 - 3]


def object_pair(photo) -> tuple[torch.Tensor, torch.Tensor]:
    """A square, a tenth of the view, moves by 9 pixels over a scene that stands still."""
    scene = photo[60 : 60 + HEIGHT, 120 : 120 + WIDTH].copy()
    piece = photo[300:360, 300:360]
    first, second = scene.copy(), scene.copy()
    first[50:110, 80:140], second[50:110, 89:149] = piece, piece
    return tensor(first), tensor(second)


def test_object_moves_on_its_own(predictor, photo):
    """The camera does not explain it away."""
    field = predictor(*object_pair(photo)).field
    assert (field[0, :, 65:95, 95:125].flatten(1).median(dim=1).values - torch.tensor([9.0, 0])).norm() < 0.5


def test_scene_behind_the_object_stands_still(photo):
    field = GlobalMotionFlow(Dis())(*object_pair(photo)).field
    assert field[0, :, 20:140, 180:210].norm(dim=0).median() < 0.3


def test_both_ways_are_consistent(predictor, photo):
    first, second, _ = turned_views(photo)
    there, back = predictor.both(first, second)
    round_trip = there.field + warp(back.field, there.field)
    assert median_error(round_trip, torch.zeros(1, 2, HEIGHT, WIDTH)) < 0.2
    torch.testing.assert_close(there.field, predictor(first, second).field)
    assert median_error(back.field, predictor(second, first).field) < 0.3


def test_both_ways_are_as_one_by_one(photo):
    first, second = view(photo, 120, 60), view(photo, 112, 65)
    there, back = Dis().both(first, second)
    for flow, alone in ((there, Dis()(first, second)), (back, Dis()(second, first))):
        assert torch.equal(flow.field, alone.field) and torch.equal(flow.certainty, alone.certainty)


@pytest.mark.parametrize("threads", [1, 3])
def test_several_are_as_one_by_one(predictor, photo, threads):
    """Of a sharp image, which has no path; to the bit, whatever the number of threads."""
    first, *seconds = (view(photo, left, top) for left, top in ((120, 60), (112, 65), (125, 52), (118, 71)))
    before, helpers = torch.get_num_threads(), cv2.getNumThreads()
    cv2.setNumThreads(1)
    alone = [predictor.both(first, second) for second in seconds]
    cv2.setNumThreads(3)
    torch.set_num_threads(threads)
    together = list(predictor.motions(first, seconds))
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (threads, 3)
    torch.set_num_threads(before)
    cv2.setNumThreads(helpers)
    for ways, wanted in zip(together, alone, strict=True):
        for flow, right in zip((ways.there, ways.back), wanted, strict=True):
            assert torch.equal(flow.field, right.field) and torch.equal(flow.certainty, right.certainty)


def test_content_that_is_gone_is_uncertain(photo):
    first, second = photo[60 : 60 + HEIGHT, 120 : 120 + WIDTH].copy(), photo[60 : 60 + HEIGHT, 120 : 120 + WIDTH]
    first[40:120, 60:140] = (255, 0, 255)
    certainty = Dis()(tensor(first), tensor(second)).certainty[0, 0]
    assert certainty[65:95, 85:115].mean() < 0.3 < 0.9 < certainty[:, 190:].mean()


def test_pairs_of_a_batch_do_not_mix(predictor, photo):
    first, second = view(photo, 120, 60), view(photo, 113, 64)
    batch = predictor(torch.cat([first, second]), torch.cat([second, first]))
    torch.testing.assert_close(batch.field[:1], predictor(first, second).field)
    assert median_error(batch.field[1:], constant(-7, 4)) < 0.3


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 5), (16, 16)])
def test_tiny_and_flat_frames_give_numbers(name, size):
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    for first, second in (
        (noise, noise.flip(-1)),
        (torch.zeros_like(noise), torch.zeros_like(noise)),
        (noise, 0 * noise),
    ):
        for flow in FLOWS[name]().both(first, second):
            assert flow.field.shape == (1, 2, *size) and flow.certainty.shape == (1, 1, *size)
            assert flow.field.isfinite().all() and flow.certainty.isfinite().all()


def test_flat_frames_do_not_move(predictor):
    grey = torch.full((1, 3, 40, 60), 0.5)
    flow = predictor(grey, grey)
    assert flow.field.abs().max() < 0.1 and flow.certainty.min() > 0.99


def small_pair(photo, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two views of the reduced photo; first(p) is second(p + (2, -1))."""
    small = cv2.resize(photo, (2 * side, 2 * side), interpolation=cv2.INTER_AREA)
    start = side // 2
    return view(small, start, start, side, side), view(small, start - 2, start + 1, side, side)


@pytest.mark.parametrize("side", [16, 24])
def test_tiny_frames_free(photo, side):
    assert median_error(Dis()(*small_pair(photo, side)).field, constant(2, -1, side, side), border=4) < 0.3


@pytest.mark.parametrize("side", [16, 24])
def test_tiny_frames_camera(photo, side):
    field = GlobalMotionFlow(Dis())(*small_pair(photo, side)).field
    assert median_error(field, constant(2, -1, side, side), border=4) < 0.3
