"""Batches: labels never among the guides, everything in register, every draw repeatable."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from selfhvd.extensions.selection import Selection
from selfhvd.method.batch import Batch
from selfhvd.training.aligned_store import AlignedStore, ItemMeta, Record
from selfhvd.training.sampler import BatchConfig, Sampler, choose_guides

pytestmark = pytest.mark.unchecked

HEIGHT, WIDTH = 24, 40
SHARP = (1, 4, 9, 13, 16)
COUNT = 18
SELECTION = Selection((1.0,) * COUNT, (1.0,) * COUNT, 0.5, SHARP, (), "mixed")


def caption(i: int) -> ItemMeta:
    guides = SELECTION.around(i, 2)
    return ItemMeta(i, i in SHARP, guides)


def flat(value: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


@pytest.fixture(scope="module")
def numbered(tmp_path_factory) -> AlignedStore:
    """Frame i has colour i, its truth 100 + i, the sharp frame j aligned onto it 200 + j.

    Of that 10 j / 255 is seen, on the right half of the picture half as much.
    """
    captions = tuple(caption(i) for i in range(COUNT))
    material = AlignedStore.create(tmp_path_factory.mktemp("numbered"), COUNT, 4, HEIGHT, WIDTH)
    for slot, c in enumerate(captions):
        guides = np.stack([flat(200 + j if j >= 0 else 99) for j in c.guides])
        trust = np.stack([np.full((HEIGHT, WIDTH), 255 if j >= 0 else 0, np.uint8) for j in c.guides])
        seen = np.stack([np.full((HEIGHT, WIDTH), 10 * j if j >= 0 else 0, np.uint8) for j in c.guides])
        seen[..., WIDTH // 2 :] //= 2
        material.put(slot, Record(flat(c.index), guides, trust, flat(100 + c.index), seen))
    material.finish(captions)
    return AlignedStore.open(material.folder)


@pytest.fixture(scope="module")
def located(tmp_path_factory) -> AlignedStore:
    """Every picture shows where it is: red = 6 x, green = 10 y, blue = which picture; trust = 6 x."""
    captions = tuple(caption(i) for i in range(COUNT))
    material = AlignedStore.create(tmp_path_factory.mktemp("located"), COUNT, 4, HEIGHT, WIDTH)
    material.finish(captions)
    y, x = np.mgrid[:HEIGHT, :WIDTH]

    def picture(blue: int) -> np.ndarray:
        return np.stack([6 * x, 10 * y, np.full_like(x, blue)], -1).astype(np.uint8)

    for slot, c in enumerate(captions):
        guides = np.stack([picture(200 + j) for j in c.guides])
        trust = np.stack([(6 * x).astype(np.uint8)] * len(c.guides))
        material.put(slot, Record(picture(c.index), guides, trust, picture(100 + c.index)))
    return material


def config(**changes) -> BatchConfig:
    return BatchConfig(**({"crop": 8, "size": 4, "window": 1} | changes))


def codes(images: torch.Tensor) -> list:
    """The byte of each flat image."""
    return (255 * images[..., 0, 0, 0]).round().int().tolist()


def draws(material, lesson, *, count=15, seed=0, **changes) -> list[Batch]:
    sampler = Sampler([material], lesson, config(**changes), seed=seed)
    return [sampler.draw(step) for step in range(count)]


def seen_guides(batch: Batch) -> list[tuple[int, set[int], int]]:
    """For each position: the frame that stands there, the sharp frames shown with trust, and the target's code."""
    rows = []
    for b in range(batch.frames.shape[0]):
        for f in range(batch.frames.shape[1]):
            trusted = batch.trust[b, f].amax(dim=(1, 2, 3)) > 0
            guides = {c - 200 for c, there in zip(codes(batch.guides[b, f]), trusted, strict=True) if there}
            rows.append((codes(batch.shown[b, f]), guides, codes(batch.target[b, f])))
    return rows


@pytest.mark.parametrize("lesson", ["label", "clues-removed"])
@pytest.mark.parametrize("window", [1, 6])
def test_the_label_is_never_among_the_guides(numbered, lesson, window):
    for batch in draws(numbered, lesson, window=window, count=30 // window):
        for frame, guides, target in seen_guides(batch):
            if frame in SHARP:
                assert target == frame
            else:
                assert target - 200 == SELECTION.nearest(frame)
            assert target - 200 not in guides
            assert guides <= set(SHARP) - {frame}


def test_the_label_is_not_even_shown_untrusted(numbered):
    for batch in draws(numbered, "label"):
        for images, target in zip(batch.guides[:, 0], batch.target[:, 0], strict=True):
            assert codes(target) not in codes(images)


def test_the_frames_around_the_label_guide_in_its_place(numbered):
    """Frame 7, label 9: before it 4, after it 13. Frame 5, label 4: 1 and 9."""
    seen = {
        frame: guides
        for batch in draws(numbered, "label", own_label_weight=1.0, count=40)
        for frame, guides, _ in seen_guides(batch)
    }
    assert seen[7] == {4, 13} and seen[5] == {1, 9}
    assert seen[0] == {4}  # its label 1 is withheld, nothing is before it
    assert seen[4] == {1, 9}  # its own label


def test_all_guides_hold_the_nearest_on_both_sides(numbered):
    for batch in draws(numbered, "clues-removed", count=10):
        for frame, guides, trust in zip(batch.frames[:, 0], batch.all_guides[:, 0], batch.all_trust[:, 0], strict=True):
            around = SELECTION.around(codes(frame), 1)
            assert [int(t.amax()) for t in trust] == [int(j >= 0) for j in around]
            assert [c - 200 for c, j in zip(codes(guides), around, strict=True) if j >= 0] == [
                j for j in around if j >= 0
            ]


def test_label_mask_and_share_belong_to_the_label(numbered):
    """The share that is seen is that of the crop, as the sharpness that it is weighed with: at most what is in it."""
    shares = set()
    for batch in draws(numbered, "label", count=10):
        for frame, mask, visible in zip(batch.frames[:, 0], batch.mask[:, 0], batch.visible[:, 0], strict=True):
            number = codes(frame)
            most = 10 * SELECTION.nearest(number) / 255
            assert visible.item() == 1 if number in SHARP else most / 2 <= visible.item() + 0.002 <= most + 0.004
            assert mask.min() == 1
            shares |= set() if number in SHARP else {round(visible.item() / most, 1)}
    assert len(shares) > 2


def test_clues_are_taken_out_of_the_input(numbered):
    """Sharp frames of the window are replaced by the closest blurry ones, and their target is that one's."""
    replaced = 0
    for batch in draws(numbered, "clues-removed", window=8, size=2, count=8):
        for b in range(2):
            first = codes(batch.frames[b, 0])
            assert codes(batch.frames[b]) == list(range(first, first + 8))
            standing = [first + k for k in batch.standing[b].tolist()]
            assert codes(batch.shown[b]) == standing
            for position, stands in enumerate(standing):
                assert stands == first + position or (first + position in SHARP and stands not in SHARP)
                replaced += stands != first + position
            removed = {first + p for p, stands in enumerate(standing) if stands != first + p}
            for _, guides, _ in seen_guides(batch)[8 * b : 8 * b + 8]:
                assert not guides & removed
    assert replaced > 5


def test_in_stage_one_nothing_is_taken_out(numbered):
    for batch in draws(numbered, "label", window=5, count=5):
        assert torch.equal(batch.standing, torch.arange(5).expand(4, 5))
        assert torch.equal(batch.shown, batch.frames)


def test_the_truth_is_taught_with_guides_withheld_now_and_then(numbered):
    for batch in draws(numbered, "truth", guide_dropout=0.0, count=10):
        for frame, guides, target in seen_guides(batch):
            assert target == 100 + frame
            assert guides == {j for j in SELECTION.around(frame, 1) if j >= 0}
    assert all(
        not guides for b in draws(numbered, "truth", guide_dropout=1.0, count=5) for _, guides, _ in seen_guides(b)
    )


def test_sharp_frames_are_drawn_as_rarely_as_asked(numbered):
    def drawn(weight: float) -> list[int]:
        batches = draws(numbered, "label", own_label_weight=weight, crop=8, size=30, count=5)
        return [number for batch in batches for number in codes(batch.frames[:, 0])]

    assert not set(drawn(0.0)) & set(SHARP)
    assert set(drawn(0.0)) == set(range(COUNT)) - set(SHARP)
    # 5 sharp frames of weight 0.1 beside 13 others: 0.5 / 13.5.
    share = sum(number in SHARP for number in drawn(0.1)) / 150
    assert share == pytest.approx(0.5 / 13.5, abs=0.045)


@pytest.mark.parametrize("lesson", ["truth", "label", "clues-removed"])
@pytest.mark.parametrize(("crop", "window"), [(16, 1), (16, 3), (256, 2)])
def test_crops_flips_and_turns_keep_everything_in_register(located, lesson, crop, window):
    turned = set()
    for batch in draws(located, lesson, crop=crop, window=window, count=8):
        assert batch.frames.shape[-2:] == ((16, 16) if crop == 16 else (HEIGHT, WIDTH))
        place = batch.frames[:, :, :2]
        assert torch.equal(batch.target[:, :, :2], place)
        for g in range(2):
            assert torch.equal(batch.all_guides[:, :, g, :2], place)
            assert torch.equal(batch.guides[:, :, g, :2], place)
            there = batch.all_trust[:, :, g].amax(dim=(2, 3, 4), keepdim=True) > 0
            assert torch.equal(batch.all_trust[:, :, g] * there, place[:, :, :1] * there)
        # One transform for the whole window.
        assert torch.equal(place, place[:, :1].expand_as(place))
        for image in (255 * place[:, 0]).round():
            step = (image[:, 0, 1] - image[:, 0, 0], image[:, 1, 0] - image[:, 0, 0])
            turned.add(tuple(tuple(s.int().tolist()) for s in step))
    # (red, green) step to the right and down: eight ways to lay a square, four for what is not square.
    along, down = ((6, 0), (-6, 0)), ((0, 10), (0, -10))
    ways = {(a, d) for a in along for d in down}
    ways |= {(d, a) for a in along for d in down} if crop == 16 else set()
    assert turned == ways


def test_masks_follow_the_picture(located):
    for batch in draws(located, "label", count=10):
        for frame, mask, place in zip(batch.frames[:, 0], batch.mask[:, 0], batch.frames[:, 0, :1], strict=True):
            number = round(255 * frame[2, 0, 0].item())
            assert torch.equal(mask, torch.ones_like(mask) if number in SHARP else place)


def test_same_seed_same_batches(numbered):
    def one(seed: int) -> list[Batch]:
        return draws(numbered, "clues-removed", seed=seed, count=2, window=4)

    same = zip(one(3), one(3), strict=True)
    assert all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for a, b in same for f in fields(Batch))
    other = zip(one(3), one(4), strict=True)
    assert any(not torch.equal(a.frames, b.frames) for a, b in other)


def test_a_window_longer_than_the_material_is_all_of_it(numbered):
    (batch,) = draws(numbered, "label", window=99, count=1)
    assert codes(batch.frames[0]) == list(range(COUNT))


def test_a_network_without_guides_gets_none(numbered):
    (batch,) = draws(numbered, "clues-removed", guides=0, count=1)
    assert batch.guides.shape == (4, 1, 0, 3, 8, 8) and batch.trust.shape == (4, 1, 0, 1, 8, 8)


def test_choice_of_guides():
    near = ItemMeta(7, False, (4, 9, 1, 13))
    assert choose_guides(near, set(), 2) == (0, 1)
    assert choose_guides(near, {4}, 2) == (2, 1)
    assert choose_guides(near, {4, 1}, 2) == (-1, 1)
    assert choose_guides(near, {4, 1, 9, 13}, 2) == (-1, -1)
    assert choose_guides(near, set(), 1) == (0,)
    assert choose_guides(ItemMeta(0, False, (-1, 1, -1, 4)), {1}, 2) == (-1, 3)


def test_label_of_a_caption():
    assert ItemMeta(7, False, (4, 9, 1, 13)).label == 1
    assert ItemMeta(6, False, (4, 8, 1, 13)).label == 0  # tie: the earlier
    assert ItemMeta(0, False, (-1, 3, -1, 4)).label == 1
    assert ItemMeta(0, False, (-1, -1)).label == -1


def test_without_any_sharp_frame_around_a_frame_is_its_own_label(tmp_path):
    material = AlignedStore.create(tmp_path, 1, 2, 8, 8)
    material.finish([ItemMeta(0, False, (-1, -1))])
    material.put(0, Record(np.full((8, 8, 3), 5, np.uint8), np.zeros((2, 8, 8, 3), np.uint8),
                           np.zeros((2, 8, 8), np.uint8), np.zeros((8, 8, 3), np.uint8)))  # fmt: skip
    (batch,) = draws(material, "label", count=1, crop=8)
    assert codes(batch.target) == [[5]] * 4 and batch.visible.min() == 1 and batch.mask.min() == 1


def test_windows_do_not_jump_over_gaps(tmp_path):
    """Frames 0..3 and 10..13 were kept: a window of three frames never mixes them."""
    captions = tuple(caption(i) for i in (0, 1, 2, 3, 10, 11, 12, 13))
    material = AlignedStore.create(tmp_path, len(captions), 4, HEIGHT, WIDTH)
    material.finish(captions)
    for slot, c in enumerate(captions):
        trust = np.full((len(c.guides), HEIGHT, WIDTH), 255, np.uint8)
        material.put(slot, Record(flat(c.index), np.stack([flat(0)] * len(c.guides)), trust, flat(0)))
    shown = {tuple(codes(batch.frames[b])) for batch in draws(material, "label", window=3) for b in range(4)}
    assert shown == {(0, 1, 2), (1, 2, 3), (10, 11, 12), (11, 12, 13)}


def test_frames_that_are_their_own_label_count_little_in_a_window(numbered):
    batch = draws(numbered, "label", window=COUNT, count=1, own_label_weight=0.2)[0]
    assert batch.weight[0].tolist() == pytest.approx([0.2 if i in SHARP else 1.0 for i in range(COUNT)])
    assert draws(numbered, "truth", window=COUNT, count=1)[0].weight.eq(1).all()
    assert draws(numbered, "label", window=1, count=1)[0].weight.eq(1).all()


def same(one: Batch, two: Batch) -> bool:
    return all(torch.equal(getattr(one, f.name), getattr(two, f.name)) for f in fields(Batch))


def test_processes_draw_their_windows_of_the_same_batch(numbered):
    """Windows 0, 2 and 1, 3 of a batch of four."""
    whole, *parts = (
        Sampler([numbered], "clues-removed", config(window=4), 5, share).draw(7) for share in ((0, 1), (0, 2), (1, 2))
    )
    for name in (f.name for f in fields(Batch)):
        assert torch.equal(getattr(whole, name)[0::2], getattr(parts[0], name))
        assert torch.equal(getattr(whole, name)[1::2], getattr(parts[1], name))


def test_a_step_draws_the_same_whatever_was_drawn_before(numbered):
    one, two = (Sampler([numbered], "label", config(), 5) for _ in range(2))
    assert not same(one.draw(2), one.draw(3))
    assert same(one.draw(3), two.draw(3))


def test_many_clips_are_drawn_alike_often(numbered, tmp_path):
    """A second clip of another size and colour; crops fit into both."""
    other = AlignedStore.create(tmp_path, COUNT, 4, 16, 16)
    for slot in range(COUNT):
        blank = np.full((16, 16, 3), 77, np.uint8)
        other.put(slot, Record(blank, np.stack([blank] * 4), np.zeros((4, 16, 16), np.uint8), blank))
    other.finish([caption(i) for i in range(COUNT)])
    batch = Sampler([numbered, other], "truth", config(crop=64, size=200), 0).draw(0)
    assert batch.frames.shape[-2:] == (16, 16)
    share = sum(code == 77 for code in codes(batch.frames[:, 0])) / 200
    assert share == pytest.approx(0.5, abs=0.12)


def test_material_is_complete_only_when_it_says_so(tmp_path):
    material = AlignedStore.create(tmp_path, 1, 2, 8, 8)
    assert not AlignedStore.complete(tmp_path)
    material.finish([ItemMeta(3, True, (1, -1))])
    assert AlignedStore.complete(tmp_path)
    assert AlignedStore.open(tmp_path).captions == (ItemMeta(3, True, (1, -1)),)
