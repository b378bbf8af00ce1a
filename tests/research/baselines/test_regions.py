"""Relatively sharp regions: where the sharpness is, of the wanted number, with borders that are sharp."""

import cv2
import numpy as np
import pytest
import torch
from clip_for_baselines import COUNT, SHARP, Numbered, scene, sliding

from selfhvd.errors import InputError
from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.research.baselines.regions import Region, RegionConfig, demand_room, find_regions, regions_of
from selfhvd.research.baselines.sharpness_map import SoftnessMaps, tile_sharpness
from selfhvd.video.frame_source import ArrayFrames


def draw() -> np.random.Generator:
    return np.random.default_rng(0)


def half_sharp(count: int) -> ArrayFrames:
    """The left half as it is, the right one smeared."""
    views = []
    for i in range(count):
        view = scene()[:96, i : i + 192].copy()
        view[:, 96:] = cv2.GaussianBlur(view, (0, 0), 3)[:, 96:]
        views.append(view)
    return ArrayFrames(views)


def test_tiles_are_measured_by_themselves():
    image = sliding().tensor(1)
    scores = tile_sharpness(image, 12)
    assert scores.shape == (5, 6)
    assert scores[1, 2] == pytest.approx(float(laplacian_variance(image[None, :, 12:24, 24:36])), rel=1e-5)


def test_softness_is_the_share_of_tiles_that_are_sharper(tmp_path):
    maps = SoftnessMaps.measured(tmp_path, sliding(), 8)
    values = np.stack([maps[i] for i in range(len(maps))])
    assert values.shape == (COUNT, 8, 10)
    assert values.min() == 0 and 0.95 < values.max() < 1
    assert (values < 0.25).mean() == pytest.approx(0.25, abs=0.02)
    blurry = [i for i in range(COUNT) if i not in SHARP]
    assert values[list(SHARP)].max() < values[blurry].min()


def test_plain_but_sharp_comes_before_rich_but_blurred(tmp_path):
    """The left half has 0.4 of the contrast; alone, its v_l in sharp frames is below that of the right's blur."""
    views = []
    for i in range(12):
        view = scene()[:64, :96].astype(np.float32)
        view[:, :48] = 128 + 0.4 * (view[:, :48] - 128)
        views.append(np.rint(view if i % 3 == 0 else cv2.blur(view, (3, 1))).astype(np.uint8))
    frames = ArrayFrames(views)
    maps = SoftnessMaps.measured(tmp_path, frames, 8)
    plain, rich = (2, slice(1, 4)), (2, slice(8, 11))
    assert tile_sharpness(frames.tensor(6), 8)[plain].mean() < tile_sharpness(frames.tensor(7), 8)[rich].mean()
    assert maps[6][plain].mean() < maps[7][rich].mean() - 0.1


def test_regions_lie_in_the_sharp_half(tmp_path):
    maps = SoftnessMaps.measured(tmp_path, half_sharp(20), 8)
    found = find_regions(maps, 8, 32, draw())
    assert 2 <= len(found) <= 6
    for region in found:
        # A tile's neighbours are looked at too, so a border may be one tile off.
        assert region.left + region.width <= 96 + 8
        assert min(region.height, region.width) >= 32 and region.top + region.height <= 96


def test_regions_are_in_sharp_frames_not_at_the_ends(tmp_path):
    maps = SoftnessMaps.measured(tmp_path, sliding(), 4)
    found = find_regions(maps, 4, 24, draw())
    assert found and {region.frame for region in found} <= set(SHARP) - {1, 15}


def test_as_many_as_wanted(rng):
    """Forty frames, of which each is a little softer than the one before: the threshold decides how many pass."""
    maps = [np.full((6, 8), i / 40, np.float32) for i in range(40)]
    for per_frame in (0.1, 0.2, 0.5):
        found = find_regions(maps, 4, 16, rng, RegionConfig(per_frame=per_frame))
        assert abs(len(found) - 40 * per_frame) < min(3, 20 * per_frame)
        assert [region.frame for region in found] == list(range(3, 3 + len(found)))
        assert all(region == Region(region.frame, 0, 0, 24, 32) for region in found)


def test_borders_are_dropped_until_half_sharp():
    sharp = np.zeros((9, 12), bool)
    sharp[2:8, 3:9] = True
    sharp[4, 9:12] = True  # a spur that stretches the bounding box to the right
    sharp[0:2, 5] = True  # and one upwards
    sharp[2, 3:8] = False  # a third of the box's first row is left: dropped
    sharp[2, 5] = True
    assert regions_of(sharp, 7, tile=4, least=5) == [Region(7, 12, 12, 20, 24)]
    assert regions_of(sharp, 7, tile=4, least=6) == []


def test_diagonal_neighbours_are_two_regions():
    sharp = np.zeros((8, 8), bool)
    sharp[:4, :4] = sharp[4:, 4:] = True
    assert [(r.top, r.left) for r in regions_of(sharp, 0, tile=1, least=4)] == [(0, 0), (4, 4)]


def test_by_chance_where_nothing_is_large_enough():
    speckled = (np.indices((6, 8)).sum(axis=0) % 2).astype(np.float32)
    maps = [np.where(speckled > 0, 2.0, 0.0).astype(np.float32)] * 20
    found = find_regions(maps, 4, 16, draw())
    assert len(found) == 4 and found == find_regions(maps, 4, 16, draw())
    for region in found:
        assert 3 <= region.frame <= 16 and (region.height, region.width) == (16, 16)
        assert region.top + 16 <= 24 and region.left + 16 <= 32


@pytest.mark.parametrize(("count", "side"), [(6, 16), (20, 28)])
def test_too_short_or_too_small(count, side):
    with pytest.raises(InputError, match="at least 7 frames"):
        demand_room(count, 24, 32, tile=4, side=side)


def test_just_long_and_large_enough():
    demand_room(7, 24, 32, tile=4, side=24)
    found = find_regions([np.zeros((6, 8), np.float32)] * 7, 4, 24, draw())
    assert found == (Region(3, 0, 0, 24, 32),)


def test_each_frame_is_read_once(tmp_path):
    frames = Numbered(9)
    SoftnessMaps.measured(tmp_path, frames, 8)
    assert frames.asked == list(range(9))
    assert torch.equal(frames.tensor(3), torch.full((3, 48, 48), 3 / 255))
