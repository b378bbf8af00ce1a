"""Restoring: padding, windows and blending change nothing that the network does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from doubles import Still, fused_frames
from selfhvd.backbones import Backbone, Lite, LiteConfig, Needs
from selfhvd.errors import DeviceError
from selfhvd.extensions.selection import Selection
from selfhvd.restore.config import RestoreConfig
from selfhvd.restore.inference import Inference
from selfhvd.restore.restorer import Restorer
from selfhvd.video.frame_source import ArrayFrames, RecentFrames

COUNT = 13


class Five(Backbone):
    """Likes five frames at once; adds `lift` times the number of frames it was shown."""

    needs = Needs(multiple_of=4, window=5)

    def __init__(self, lift: float = 0.0) -> None:
        super().__init__()
        self.lift = nn.Parameter(torch.tensor(lift))
        self.shown: list[tuple[int, ...]] = []

    def deblur(self, frames, guides, trust):
        assert guides is None and trust is None
        self.shown.append(tuple(frames.shape[1:]))
        return frames + self.lift * frames.shape[1]


class Three(Five):
    needs = Needs(multiple_of=4, window=3)


SMALL = Lite(LiteConfig(widths=(8, 8, 8), blocks=(1, 1, 1))).eval()
"""As quick as a network with guides can be."""


def clip(rng, count: int = COUNT, height: int = 10, width: int = 14) -> ArrayFrames:
    return ArrayFrames([rng.integers(0, 200, size=(height, width, 3), dtype=np.uint8) for _ in range(count)])


def selection(*sharp: int, count: int = COUNT) -> Selection:
    """Frames `sharp` are not blurred at all."""
    unblurred = tuple(i in sharp for i in range(count))
    return Selection((1.0,) * count, (1.0,) * count, 0.5, sharp, (), "mixed", unblurred=unblurred)


def restorer(network, frames, chosen=None, **config) -> Restorer:
    chosen = chosen or selection(0, count=len(frames))
    return Restorer(network, frames, chosen, Still(), config=RestoreConfig(**({"bfloat16": False} | config)))


def fused(at, *images):
    """What is shown of sharp frames: before, after, second before, ...; None where there is none."""

    class Given:
        def __len__(self):
            return len(images)

        def tensor(self, index):
            return images[index]

    return fused_frames(at, Given(), [n if i is not None else -1 for n, i in enumerate(images)], Still()).images[0]


@pytest.mark.parametrize("count", [1, 4, 5, 6, 8, 13])
@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_identity_gives_back_every_frame(rng, count, overlap):
    frames = clip(rng, count)
    output = list(restorer(Five(), frames, overlap=overlap))
    assert len(output) == count
    for i, frame in enumerate(output):
        torch.testing.assert_close(frame, frames.tensor(i), atol=1e-6, rtol=0)


def test_a_short_window_is_blended_to_the_whole_too(rng):
    frames = clip(rng)
    for i, frame in enumerate(restorer(Three(), frames, overlap=2)):
        torch.testing.assert_close(frame, frames.tensor(i), atol=1e-6, rtol=0)


def test_frames_are_padded_to_the_multiple_and_windows_are_as_long_as_liked(rng):
    network = Five()
    list(restorer(network, clip(rng), ensemble=1))
    assert network.shown == [(5, 3, 12, 16)] * 3 + [(4, 3, 12, 16)]


def test_the_last_round_averages_mirrored_views(rng):
    """A network that darkens the left column darkens both side columns half as much under two views."""

    class Left(Five):
        def deblur(self, frames, guides, trust):
            dark = torch.ones_like(frames)
            dark[..., 0] = 0.5
            return frames * dark

    frames = clip(rng)
    once = restorer(Left(), frames, ensemble=1, which="all").frame(3)
    twice = restorer(Left(), frames, ensemble=2, which="all").frame(3)
    source = frames.tensor(3)
    torch.testing.assert_close(once[..., 0], 0.5 * source[..., 0])
    torch.testing.assert_close(twice[..., 0], 0.75 * source[..., 0])
    torch.testing.assert_close(twice[..., 1:-1], source[..., 1:-1])


def test_windows_are_blended_where_they_meet(rng):
    """Windows 0..5, 3..8, 6..11 lift by 0.05, the last, 9..13, by 0.04; shared frames get 1/3 and 2/3 of each."""
    frames = clip(rng)
    lifts = [(o - frames.tensor(i)).mean().item() for i, o in enumerate(restorer(Five(0.01), frames, which="all"))]
    wanted = [0.05] * 9 + [0.05 * 2 / 3 + 0.04 / 3, 0.05 / 3 + 0.04 * 2 / 3] + [0.04] * 2
    assert lifts == pytest.approx(wanted, abs=1e-5)


def test_one_frame_is_that_of_the_window_around_it(rng):
    frames = clip(rng)
    one = restorer(Five(0.01), frames)
    for i in (0, 1, 6, 12):
        torch.testing.assert_close(one.frame(i), frames.tensor(i) + 0.05, atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.stack(one.window(4, 7)), torch.stack([frames.tensor(i) for i in (4, 5, 6)]) + 0.03)


def test_one_frame_of_a_clip_shorter_than_the_window(rng):
    frames = clip(rng, 3)
    torch.testing.assert_close(restorer(Five(0.01), frames).frame(2), frames.tensor(2) + 0.03, atol=1e-6, rtol=0)


def test_sharp_frames_are_handed_through(rng):
    frames = clip(rng)
    for copied in (True, False):
        output = list(restorer(Five(0.01), frames, selection(2, 9), which="blurry" if copied else "all"))
        untouched = [i for i, frame in enumerate(output) if torch.equal(frame, frames.tensor(i))]
        assert untouched == ([2, 9] if copied else [])


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize("network", [Five(0.01), Three(0.01), SMALL])
@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_beginning_later_changes_nothing(rng, network, overlap):
    frames = clip(rng)
    whole = list(restorer(network, frames, selection(2, 9), overlap=overlap))
    for first in range(COUNT + 1):
        rest = list(restorer(network, frames, selection(2, 9), overlap=overlap).since(first))
        assert len(rest) == COUNT - first
        assert all(torch.equal(one, two) for one, two in zip(rest, whole[first:], strict=True))


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize("noisy", [True, False])
@pytest.mark.parametrize("network", [Five(0.01), SMALL])
def test_beginning_later_changes_nothing_for_steadied_frames(rng, network, noisy):
    frames = flickering(rng)
    chosen = replace(selection(2, 9), noise=float(noisy))
    whole = list(restorer(network, frames, chosen, steadiness=0.25))
    for first in range(COUNT + 1):
        rest = list(restorer(network, frames, chosen, steadiness=0.25).since(first))
        assert len(rest) == COUNT - first
        assert all(torch.equal(one, two) for one, two in zip(rest, whole[first:], strict=True))


def flickering(rng) -> ArrayFrames:
    """The same picture again and again, every other time 2 code values lighter."""
    picture = rng.integers(100, 200, size=(10, 14, 3), dtype=np.uint8)
    return ArrayFrames([picture + 2 * np.uint8(n % 2) for n in range(COUNT)])


def test_steadied_frames_flicker_less_and_sharp_ones_stay(rng):
    frames = flickering(rng)
    output = list(restorer(Five(), frames, selection(2, 9), steadiness=0.25))
    light = [255 * (frame - frames.tensor(0)).mean().item() for frame in output]
    alternating = [2.0 * (n % 2) for n in range(COUNT)]
    assert [light[2], light[9]] == pytest.approx([alternating[2], alternating[9]], abs=1e-4)
    assert [light[n] for n in (1, 4, 7)] == pytest.approx([1.0] * 3, abs=0.05)
    assert light[0] == pytest.approx(2 / 3, abs=0.05)  # it has one neighbour only


@pytest.mark.parametrize(("noisy", "reached"), [(True, [4, 5, 6, 7, 8]), (False, [5, 6, 7])])
def test_noise_is_spread_over_more_frames(rng, noisy, reached):
    """Steadied twice, a frame takes from the second before and after it, too."""
    picture = rng.integers(100, 200, size=(10, 14, 3), dtype=np.uint8)
    frames = ArrayFrames([picture + 3 * np.uint8(n == 6) for n in range(COUNT)])
    output = list(restorer(Five(), frames, replace(selection(0), noise=float(noisy)), steadiness=0.25))
    assert [n for n, frame in enumerate(output) if (frame - frames.tensor(0)).mean() > 1e-4] == reached


@pytest.mark.parametrize(("noisy", "level"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_sharp_frame_takes_nothing_but_where_a_noisy_clip_is_level(rng, noisy, level):
    frames = flickering(rng)
    if level:
        frames = ArrayFrames([np.full((10, 14, 3), 100 + 2 * (n % 2), dtype=np.uint8) for n in range(COUNT)])
    chosen = replace(selection(*range(0, COUNT, 2)), noise=float(noisy))
    output = list(restorer(Five(), frames, chosen, steadiness=0.25, which="all"))
    same = [torch.allclose(frame, frames.tensor(n), atol=1e-5) for n, frame in enumerate(output)]
    assert set(same[::2]) == {not (noisy and level)} and not any(same[1::2])


def test_beginning_later_computes_no_window_before(rng):
    network = Five(0.01)
    list(restorer(network, clip(rng), ensemble=1, overlap=1).since(11))
    assert len(network.shown) == 1


def test_a_segments_best_that_is_blurry_is_not_handed_through(rng):
    frames = clip(rng)
    chosen = replace(selection(2), sharp=(2, 9), by_segment=(9,))
    output = list(restorer(Five(0.01), frames, chosen))
    assert torch.equal(output[2], frames.tensor(2)) and not torch.equal(output[9], frames.tensor(9))


def test_output_stays_in_range(rng):
    frames = clip(rng)
    assert max(frame.max().item() for frame in restorer(Five(0.2), frames, which="all")) == 1
    assert min(frame.min().item() for frame in restorer(Five(-0.2), frames, which="all")) == 0


@pytest.mark.parametrize("bfloat16", [True, False])
@pytest.mark.parametrize("size", [(10, 14), (8, 16), (1, 1)])
def test_untrained_lite_changes_nothing(rng, size, bfloat16):
    frames = clip(rng, 4, *size)
    for i, frame in enumerate(restorer(Lite().eval(), frames, selection(1, count=4), bfloat16=bfloat16)):
        assert torch.equal(frame, frames.tensor(i))


def copier() -> Lite:
    """Weights of 1 on the first guide and 0 on the other."""
    network = Lite().eval()
    with torch.no_grad():
        network.tail.bias.copy_(torch.tensor([0.0, 0, 0, 1, 0]).repeat_interleave(4))
    return network


def test_guides_are_the_sharp_frames_on_both_sides(rng):
    """Each blurry frame becomes what the sharp ones beside it are fused to: at an end two of the other side."""
    frames = clip(rng, 6)
    output = list(restorer(copier(), frames, selection(1, 4, count=6), rounds=2, each_side=1))
    one, four = frames.tensor(1), frames.tensor(4)
    sides = ((one, four), None, (one, four), (one, four), None, (four, one))
    for i, beside in enumerate(sides):
        wanted = fused(frames.tensor(i), *beside) if beside else frames.tensor(i)
        torch.testing.assert_close(output[i], wanted, atol=1e-4, rtol=0)


def test_window_by_window_equals_the_whole(rng):
    """Lite looks at one frame at a time, so every frame stands alone."""
    torch.manual_seed(0)
    network = Lite().eval()
    nn.init.normal_(network.tail.weight, std=0.02)
    frames = clip(rng, 4)
    whole = restorer(network, frames, selection(1, count=4), which="all")
    for i, frame in enumerate(whole):
        torch.testing.assert_close(frame, whole.frame(i))
        torch.testing.assert_close(frame, whole.window(0, 4)[i], atol=1e-5, rtol=1e-4)


def test_tiles_change_nothing_for_a_network_that_looks_at_single_pixels(rng):
    frames = clip(rng, 3, 150, 200)
    whole = restorer(Five(0.01), frames, which="all")
    parts = restorer(Five(0.01), frames, which="all", tile=64)
    for i, frame in enumerate(parts):
        torch.testing.assert_close(frame, whole.frame(i), atol=1e-6, rtol=0)


class Greedy(Five):
    """Runs out of memory on anything larger than `limit` pixels."""

    limit = 256 * 256

    def deblur(self, frames, guides, trust):
        if frames.shape[-1] * frames.shape[-2] > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().deblur(frames, guides, trust)


@pytest.mark.parametrize(
    ("size", "asked", "tile", "overlap"),
    [
        ((1080, 1920), None, None, 128),
        ((2160, 3840), None, 2200, 128),
        ((2160, 3840), 512, 512, 64),
        ((300, 400), 128, 128, 32),
    ],
)
def test_large_frames_go_in_tiles_however_much_memory_there_is(monkeypatch, size, asked, tile, overlap):
    monkeypatch.setattr("selfhvd.restore.inference.free_bytes", lambda device: 10**12)
    inference = Inference(Five(), RestoreConfig(tile=asked))
    inference._choose_tile(1, *size)
    assert (inference._tile, inference._overlap) == (tile, overlap)


def test_recent_frames_keep_fewer_where_they_are_large(rng):
    asked = []

    class Counted(ArrayFrames):
        def tensor(self, index):
            asked.append(index)
            return super().tensor(index)

    frames = Counted([rng.integers(0, 256, (10, 14, 3), dtype=np.uint8) for _ in range(4)])
    size = frames.tensor(0).nbytes
    for most, again in ((None, 0), (4 * size, 0), (2 * size, 4), (1, 4)):
        recent = RecentFrames(frames, 4, most)
        shown = [recent.tensor(n) for n in range(4)]
        asked.clear()
        assert all(torch.equal(recent.tensor(n), frame) for n, frame in enumerate(shown))
        assert len(asked) == again


def test_a_second_pass_takes_the_motions_of_the_first(rng):
    looked = []

    class Watched(Still):
        def both(self, first, second):
            looked.append(1)
            return super().both(first, second)

    chosen = replace(selection(1, 4, count=6), noise=0.5)
    config = RestoreConfig(bfloat16=False, steadiness=0.3, guided=False, which="all")
    assert len(list(Restorer(Five(), clip(rng, 6), chosen, Watched(), config=config))) == 6
    assert len(looked) == 5


def test_tiles_are_halved_when_memory_runs_out(rng, caplog):
    frames = clip(rng, 2, 300, 500)
    output = list(restorer(Greedy(0.01), frames, which="all"))
    assert len(output) == 2 and "tiles of 250" in caplog.text and "tiles of 125" not in caplog.text
    torch.testing.assert_close(output[0], frames.tensor(0) + 0.02, atol=1e-6, rtol=0)


def test_memory_that_never_suffices_is_said(rng):
    network = Greedy()
    network.limit = 0
    with pytest.raises(DeviceError, match="Memory ran out even with tiles"):
        list(restorer(network, clip(rng, 1, 300, 500)))


def test_other_faults_are_not_taken_for_want_of_memory(rng):
    class Broken(Five):
        def deblur(self, frames, guides, trust):
            raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(restorer(Broken(), clip(rng)))


def test_frames_in_order_compute_each_window_once(rng):
    """13 frames in windows of 5 whose outermost frames do not count: they start at 0, 3, 6 and 8."""
    frames, network = clip(rng), Five(0.01)
    one = restorer(network, frames, ensemble=1, overlap=1)
    for i in range(COUNT):
        torch.testing.assert_close(one.frame(i), frames.tensor(i) + 0.05, atol=1e-6, rtol=0)
    assert len(network.shown) == 4


def test_windows_can_be_shorter_than_the_network_likes(rng):
    network = Five()
    list(restorer(network, clip(rng), ensemble=1, window=3))
    assert {shown[0] for shown in network.shown} == {3}


class HalfWay(Backbone):
    """Gives the frame half way to its first guide."""

    needs = Needs(guides=2)

    def __init__(self) -> None:
        super().__init__()
        self.config, self.nothing = None, nn.Parameter(torch.zeros(1))

    def deblur(self, frames, guides, trust):
        return frames + 0.5 * (trust * (guides - frames[:, :, None]))[:, :, 0]


def half_way(at, *images):
    return (at + fused(at, *images)) / 2


def test_restored_sharp_frames_guide_the_others_but_not_one_another(rng):
    """Sharp frames go half way to the others as they came, blurry ones half way to these, restored."""
    frames = clip(rng, 6)
    chosen = selection(1, 4, count=6)
    config = {"restored_guides": True, "each_side": 1, "which": "all"}
    output = list(restorer(HalfWay(), frames, chosen, **config))
    _, one, two, _, four, five = (frames.tensor(i) for i in range(6))
    first, second = half_way(one, None, four), half_way(four, one, None)
    torch.testing.assert_close(output[1], first, atol=2e-5, rtol=0)
    torch.testing.assert_close(output[4], second, atol=2e-5, rtol=0)
    torch.testing.assert_close(restorer(HalfWay(), frames, chosen, **config).guiding(4), output[4], atol=0, rtol=0)
    torch.testing.assert_close(output[2], half_way(two, first, second), atol=2e-5, rtol=0)
    torch.testing.assert_close(output[5], half_way(five, second, None), atol=2e-5, rtol=0)


def test_a_sharp_frame_is_shown_one_more_on_each_side(rng):
    """Frame 10 is shown 7, 4 and 1, frame 11, blurry, only 10 and 7."""
    frames = clip(rng, 12)
    config = {"restored_guides": True, "each_side": 1, "which": "all"}
    output = list(restorer(HalfWay(), frames, selection(1, 4, 7, 10, count=12), **config))
    one, four, seven, ten, eleven = (frames.tensor(i) for i in (1, 4, 7, 10, 11))
    torch.testing.assert_close(output[10], half_way(ten, seven, four, one), atol=1e-5, rtol=0)
    assert (output[10] - half_way(ten, seven, four)).abs().max() > 0.01
    torch.testing.assert_close(output[11], half_way(eleven, output[10], output[7]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("blurred", [False, True])
def test_a_sharp_frame_that_restoring_made_sharper_is_restored_again(rng, blurred):
    """Frame 4 goes half way to 1 as it came; if that shows that it was blurred, half way to 1 restored instead."""
    images = [rng.integers(0, 200, size=(10, 14, 3), dtype=np.uint8) for _ in range(6)]
    images[4] = np.full_like(images[4], 90) if blurred else images[4]
    frames = ArrayFrames(images)
    chosen = selection(1, 4, count=6)
    output = list(restorer(HalfWay(), frames, chosen, restored_guides=True, each_side=1, which="all"))
    one, four = frames.tensor(1), frames.tensor(4)
    guide = half_way(one, None, four) if blurred else one
    torch.testing.assert_close(output[4], half_way(four, guide, None), atol=1e-5, rtol=0)
    assert (half_way(one, None, four) - one).abs().max() > 0.1


class Brighter(Backbone):
    """Adds a tenth, whatever it is shown."""

    needs = Needs(guides=2)

    def __init__(self) -> None:
        super().__init__()
        self.config, self.nothing = None, nn.Parameter(torch.zeros(1))

    def deblur(self, frames, guides, trust):
        return frames + 0.1


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sure", [0.0, 1.0])
def test_a_sharp_frame_is_changed_where_others_show_it_or_the_clip_is_noisy(rng, noise, sure):
    class Sure(Still):
        def __call__(self, first, second):
            flow = super().__call__(first, second)
            return replace(flow, certainty=sure * flow.certainty)

    chosen = replace(selection(1, 4, count=6), noise=noise)
    config = RestoreConfig(bfloat16=False, restored_guides=True, each_side=1, which="all")
    frames = clip(rng, 6)
    output = list(Restorer(Brighter(), frames, chosen, Sure(), config=config))
    for index in range(6):
        added = (output[index] - frames.tensor(index)).mean().item()
        assert added == pytest.approx(0.1 * max(sure, noise) if index in (1, 4) else 0.1, abs=1e-3)


def test_frames_handed_through_guide_as_they_are(rng):
    frames = clip(rng, 6)
    output = list(restorer(HalfWay(), frames, selection(1, 4, count=6), restored_guides=True, each_side=1))
    torch.testing.assert_close(output[5], half_way(*(frames.tensor(i) for i in (5, 4, 1))), atol=1e-5, rtol=0)


def test_restored_guides_are_the_same_from_the_middle_on(rng):
    frames = clip(rng, 9)
    config = {"restored_guides": True, "which": "all", "steadiness": 0.3}
    whole = list(restorer(HalfWay(), frames, selection(1, 4, 7, count=9), **config))
    later = list(restorer(HalfWay(), frames, selection(1, 4, 7, count=9), **config).since(5))
    assert all(torch.equal(a, b) for a, b in zip(whole[5:], later, strict=True))


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize("each_side", [1, 2, 4])
def test_each_sharp_frame_is_restored_once(rng, monkeypatch, each_side):
    restored = []
    guiding = Restorer.guiding
    monkeypatch.setattr(Restorer, "guiding", lambda self, i: restored.append(i) or guiding(self, i))
    chosen = selection(*range(1, 36, 3), count=36)
    list(restorer(HalfWay(), clip(rng, 36), chosen, restored_guides=True, each_side=each_side, which="all"))
    assert sorted(restored) == list(chosen.sharp)


class Ramp(HalfWay):
    """Adds more to the right."""

    def deblur(self, frames, guides, trust):
        return frames + 0.1 * torch.linspace(0, 1, frames.shape[-1])


@pytest.mark.parametrize(("views", "level"), [(1, False), (2, True), (4, True)])
def test_what_leans_to_one_side_in_one_view_leans_to_the_other_in_the_next(rng, views, level):
    frames = clip(rng, 3)
    shown = restorer(Ramp(), frames, selection(0, count=3), ensemble=views, which="all")
    added = shown.window(1, 2)[0] - frames.tensor(1)
    assert torch.allclose(added, torch.tensor(0.05), atol=1e-5) is level


class Hidden(Still):
    """Nothing moves, and all is hidden from a frame that `lost` names by their sums."""

    def __init__(self, lost) -> None:
        self.lost = {float(image.sum()) for image in lost}

    def motions(self, first, seconds, hops=()):
        found = super().motions(first, seconds, hops)
        if float(first.sum()) not in self.lost:
            return found
        sharp = found[0].there
        none = replace(sharp, certainty=torch.zeros_like(sharp.certainty))
        return [replace(one, there=none) if float(b.sum()) in self.lost or n < 1 else one
                for n, (one, b) in enumerate(zip(found, seconds, strict=True))]  # fmt: skip


def relaying(network, frames, *sharp: int, far: int = 2, **config) -> Restorer:
    config = {"restored_guides": True, "each_side": 1, "which": "all", "far": far} | config
    return restorer(network, frames, selection(*sharp, count=len(frames)), **config)


def test_far_frames_are_guided_by_the_neighbour_that_is_nearer_to_a_sharp_one(rng):
    frames = clip(rng, 12)
    shown = relaying(HalfWay(), frames, 0, 10)
    relays = [shown.relays_to(i) for i in range(12)]
    assert relays == [(), (), (), (2,), (3,), (4, 6), (7,), (8,), (), (), (), ()]
    assert all(relaying(HalfWay(), frames, 0, 10, far=5).relays_to(i) == () for i in range(12))
    without = relaying(HalfWay(), frames, 0, 10, restored_guides=False)
    assert all(without.relays_to(i) == () for i in range(12))


def test_a_neighbour_that_comes_back_as_it_came_guides_nobody(rng):
    chosen = replace(selection(0, count=8), unblurred=tuple(i in (0, 4) for i in range(8)))
    shown = restorer(HalfWay(), clip(rng, 8), chosen, restored_guides=True, far=2)
    assert [shown.relays_to(i) for i in (4, 5, 6)] == [(3,), (), (5,)]


def test_the_neighbour_shows_what_no_sharp_frame_does(rng):
    """From frame 4 on nothing of the sharp one is to be seen: what is restored of the frame before guides instead."""
    frames = clip(rng, 6)
    lost = [frames.tensor(i) for i in (4, 5)]

    def output(far: int) -> list[torch.Tensor]:
        return list(replace_predictor(relaying(HalfWay(), frames, 0, far=far), Hidden(lost)))

    alone, relayed = output(9), output(2)
    assert all(torch.equal(alone[i], relayed[i]) for i in range(3))
    torch.testing.assert_close(alone[4], frames.tensor(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(relayed[4], half_way(frames.tensor(4), relayed[3]), atol=1e-3, rtol=0)


def replace_predictor(shown: Restorer, predictor) -> Restorer:
    shown.predictor = predictor
    return shown


def test_relayed_frames_are_restored_once_and_are_the_same_from_the_middle_on(rng, monkeypatch):
    frames, restored = clip(rng, 24), list[int]()
    whole = list(relaying(HalfWay(), frames, 0, 20, steadiness=0.3))
    for first in (1, 7, 15, 23):
        later = list(relaying(HalfWay(), frames, 0, 20, steadiness=0.3).since(first))
        assert all(torch.equal(a, b) for a, b in zip(whole[first:], later, strict=True)), first
    single = Restorer._single
    monkeypatch.setattr(Restorer, "_single", lambda self, i: restored.append(i) or single(self, i))
    shown = relaying(HalfWay(), frames, 0, 20)
    for number, _ in enumerate(shown):
        assert all(number - 1 <= kept for kept in shown._relayed)
    assert sorted(restored) == list(range(24))


def test_so_far_from_any_sharp_frame_none_relays_and_few_are_held(rng):
    """As where a person names one sharp frame of a long clip, at its end."""
    frames = clip(rng, 400)
    shown = relaying(HalfWay(), frames, 399, far=4)
    assert [i for i in range(400) if shown.relays_to(i)] == list(range(379, 395))
    most = max(len(shown._relayed) for _ in shown)
    assert 0 < most <= 20
