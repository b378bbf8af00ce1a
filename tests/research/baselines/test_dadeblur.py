"""DaDeblur: windows around re-blurred frames, inside sharp regions, with guides as when restoring."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from clip_for_baselines import COUNT, SHARP, lesson, selection, sliding

from selfhvd.errors import InputError
from selfhvd.flow import Dis
from selfhvd.method.batch import Batch
from selfhvd.method.sharp_frames import laplacian_variance
from selfhvd.research.baselines.blur_condition import ConditionConfig
from selfhvd.research.baselines.dadeblur import DaDeblurConfig, Prepared, ReblurredRegions, prepare
from selfhvd.research.baselines.regions import Region, RegionConfig
from selfhvd.video.frame_source import ArrayFrames

CONFIG = DaDeblurConfig(
    crop=32,
    size=4,
    window=5,
    guides=2,
    regions=RegionConfig(side=270, tile=45),
    condition=ConditionConfig(shutter=2.5, floor=20.0),
)
"""Regions of 24 pixels in tiles of 4, smeared by some 5 pixels."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dadeblur")
    prepare(sliding(), selection(), Dis(), folder, config=CONFIG)
    return folder


@pytest.fixture(scope="module")
def prepared(folder) -> Prepared:
    return Prepared.opened(folder)


def pairs(prepared: Prepared, config: DaDeblurConfig = CONFIG, **more) -> ReblurredRegions:
    return ReblurredRegions(sliding(), prepared, config, **more)


def single() -> DaDeblurConfig:
    return DaDeblurConfig(crop=24, size=4, window=1, guides=2)


def test_prepared_once_and_opened_again(folder, prepared):
    again = Prepared.opened(folder)
    assert again.regions == prepared.regions and again.material.captions == prepared.material.captions
    assert {c.index for c in prepared.material.captions} == {r.frame for r in prepared.regions} <= set(SHARP)


def test_records(prepared):
    frames = sliding()
    for slot, caption in enumerate(prepared.material.captions):
        record = prepared.material.crop(slot, 0, 0, *prepared.material.size)
        original = torch.from_numpy(record.truth).permute(2, 0, 1).float() / 255
        assert torch.equal(original, frames.tensor(caption.index))
        blurry = torch.from_numpy(record.frame).permute(2, 0, 1).float()[None] / 255
        assert laplacian_variance(blurry) < 0.5 * laplacian_variance(original[None])
        assert caption.index not in caption.guides and caption.guides == selection().around(caption.index, 1)


def test_reblur_smears_along_the_motion(prepared):
    """The wall slides sideways: columns lose their contrast, rows keep theirs."""
    record = prepared.material.crop(0, 8, 16, 48, 48)
    frame, truth = (torch.from_numpy(x).float() for x in (record.frame, record.truth))
    across = (frame.diff(dim=1).abs().mean() / truth.diff(dim=1).abs().mean()).item()
    down = (frame.diff(dim=0).abs().mean() / truth.diff(dim=0).abs().mean()).item()
    assert across < 0.45 < down


def test_guides_are_aligned_onto_the_reblurred_frame(prepared):
    for slot, caption in enumerate(prepared.material.captions):
        record = prepared.material.crop(slot, 16, 20, 32, 40)
        truth = torch.from_numpy(record.truth).float()
        for guide, trust, number in zip(record.guides, record.trust, caption.guides, strict=True):
            assert (number >= 0) == bool(trust.any())
            if number >= 0 and abs(number - caption.index) <= 4:
                aligned = (torch.from_numpy(guide).float() - truth).abs().mean()
                assert (
                    aligned
                    < 0.5 * (sliding().tensor(number) * 255)[:, 16:48, 20:60].permute(1, 2, 0).sub(truth).abs().mean()
                )


def test_only_the_centre_is_blurred_and_counts(prepared):
    batch = pairs(prepared).draw(0)
    assert batch.frames.shape == (4, 5, 3, 32, 32) and batch.guides.shape == (4, 5, 2, 3, 32, 32)
    assert batch.weight.sum(dim=1).tolist() == [1.0] * 4
    centre = batch.weight.bool()
    assert torch.equal(batch.frames[~centre], batch.target[~centre])
    blurry, original = batch.frames[centre], batch.target[centre]
    assert (laplacian_variance(blurry) < 0.6 * laplacian_variance(original)).all()
    assert batch.trust[~centre].max() == 0 and batch.trust[centre].mean() > 0.3
    assert torch.equal(batch.guides[~centre][:, 1], batch.frames[~centre])
    assert torch.equal(batch.shown, batch.frames)


def test_all_of_a_window_is_cut_and_turned_alike(prepared):
    """Undone the motion of two pixels a frame, neighbours show what the centre shows, in whichever turn."""
    batch = ReblurredRegions(sliding(sharp=tuple(range(COUNT))), prepared, CONFIG).draw(1)
    found = 0
    for window, weight in zip(batch.target, batch.weight, strict=True):
        centre = int(weight.argmax())
        moved = [torch.roll(window[centre], (dy, dx), (1, 2)) for dy, dx in ((0, 2), (0, -2), (2, 0), (-2, 0))]
        for near in (centre - 1, centre + 1):
            if 0 <= near < 5:
                distances = [float((m - window[near])[:, 4:-4, 4:-4].abs().mean()) for m in moved]
                assert min(distances) < 1e-6 < 0.05 < sorted(distances)[1]
                found += 1
    assert found >= 4


def test_regions_bound_the_crops(prepared):
    """Frames that tell where they are: red = 3 x, green = 3 y."""

    class Located:
        def __len__(self) -> int:
            return COUNT

        def tensor(self, index: int) -> torch.Tensor:
            y, x = torch.meshgrid(torch.arange(64.0), torch.arange(80.0), indexing="ij")
            return torch.stack([3 * x, 3 * y, torch.full_like(x, index)]) / 255

    boxes = tuple(Region(c.index, 12, 20 + c.index, 30, 36) for c in prepared.material.captions)
    located = ReblurredRegions(Located(), Prepared(prepared.material, boxes), DaDeblurConfig(size=16, window=3))
    assert located.side == 24
    for window in located.draw(0).target:
        x, y, number = (255 * window[0]).round().flatten(1)
        # A window at either side of the centre, whose own pixels come from the folder.
        inside = [
            r.left <= x.min() / 3 and x.max() / 3 < r.left + r.width
            and r.top <= y.min() / 3 and y.max() / 3 < r.top + r.height
            for r in boxes if r.frame == int(number[0]) + 1
        ]  # fmt: skip
        assert any(inside)


def test_one_frame_networks_get_the_centre_alone(prepared):
    batch = pairs(prepared, single()).draw(0)
    assert batch.frames.shape == (4, 1, 3, 24, 24) and batch.weight.min() == 1 and batch.standing.max() == 0
    without = pairs(prepared, DaDeblurConfig(crop=24, size=2, window=1)).draw(0)
    assert without.guides.shape == (2, 1, 0, 3, 24, 24)


def test_window_longer_than_the_clip(prepared):
    assert pairs(prepared, DaDeblurConfig(size=1, window=40)).draw(0).frames.shape[1] == COUNT


def test_hangs_on_seed_step_and_number_alone(prepared):
    whole = pairs(prepared).draw(3)
    shares = [pairs(prepared, share=(rank, 2)).draw(3) for rank in (0, 1)]
    for field in fields(Batch):
        for rank, share in enumerate(shares):
            assert torch.equal(getattr(whole, field.name)[rank::2], getattr(share, field.name))
    assert not torch.equal(whole.frames, pairs(prepared).draw(4).frames)
    assert not torch.equal(whole.frames, pairs(prepared, seed=1).draw(3).frames)


def test_the_reblur_is_given_its_own_seed(tmp_path):
    seeds: list[int] = []

    class Noted:
        name = "noted"

        def __call__(self, image, condition, seed):
            seeds.append(seed)
            return image

    left = prepare(sliding(), selection(), Dis(), tmp_path, reblur=Noted(), config=CONFIG, seed=100)
    assert seeds == [100 + c.index for c in left.material.captions]
    record = left.material.crop(0, 0, 0, 8, 8)
    assert (record.frame == record.truth).all()


def test_unfinished_preparations_are_refused(tmp_path):
    with pytest.raises(InputError, match="prepare them first"):
        Prepared.opened(tmp_path)

    def interrupted(part: str, done: int, total: int) -> None:
        if part == "re-blur":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(sliding(), selection(), Dis(), tmp_path, config=CONFIG, on_progress=interrupted)
    with pytest.raises(InputError, match="prepare them first"):
        Prepared.opened(tmp_path)


def test_too_short_a_clip(tmp_path):
    with pytest.raises(InputError, match="at least 7 frames"):
        prepare(sliding(6), selection(6, (1, 4)), Dis(), tmp_path)


def test_frames_without_a_tile(tmp_path):
    tiny = ArrayFrames([np.zeros((3, 40, 3), np.uint8)] * 12)
    with pytest.raises(InputError, match="of 40 x 3"):
        prepare(tiny, selection(12, (1, 4)), Dis(), tmp_path)


@pytest.mark.slow
def test_teaches_a_network(prepared):
    assert lesson(pairs(prepared, single())) < 0.9
