"""Scenes: cuts are found, and nothing else is taken for one."""

import cv2
import numpy as np
import pytest

from selfhvd.extensions.scenes import SceneConfig, find_cuts, find_scenes, joined, likeness
from selfhvd.extensions.selection import find_sharp
from selfhvd.video.frame_source import ArrayFrames, FrameSlice

WIDTH, HEIGHT = 160, 96


def scene(seed: int, count: int, shake: float = 3.0) -> list[np.ndarray]:
    """A hand holds a camera on a random pattern; every other frame is smeared."""
    draw = np.random.default_rng(seed)
    wide = cv2.GaussianBlur(draw.normal(size=(2 * HEIGHT, 2 * WIDTH, 3)), (0, 0), 5)
    tint = draw.uniform(60, 190, size=3)
    wide = np.clip(tint + 45 * wide / wide.std(), 0, 255).astype(np.uint8)
    frames = []
    for i in range(count):
        left, top = (np.array([WIDTH, HEIGHT]) / 2 + draw.normal(0, shake, 2)).clip(0, [WIDTH, HEIGHT]).astype(int)
        view = np.ascontiguousarray(wide[top : top + HEIGHT, left : left + WIDTH])
        frames.append(cv2.blur(view, (13, 5)) if i % 2 else view)
    return frames


def flat(level: int, count: int) -> list[np.ndarray]:
    draw = np.random.default_rng(level)
    return [np.clip(draw.normal(level, 2, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8) for _ in range(count)]


def lit(frames, gain):
    return [np.clip(gain * frame.astype(float), 0, 255).astype(np.uint8) for frame in frames]


def cuts(frames, **config):
    return find_cuts(ArrayFrames(frames), SceneConfig(**config))


def test_cuts_are_found_where_they_are():
    told = []
    frames = scene(1, 20) + scene(2, 13) + scene(3, 25)
    assert find_cuts(ArrayFrames(frames), on_frame=lambda n, of: told.append((n, of))) == (20, 33)
    assert told[-1] == (58, 58) and len(told) == 58


@pytest.mark.parametrize("seed", range(6))
def test_a_violent_shake_is_no_cut(seed):
    """Between two frames the view moves by a quarter of its width now and then."""
    assert cuts(scene(seed, 40, shake=14.0)) == ()


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_flash_is_no_cut(length):
    frames = scene(4, 40)
    for bright in ([np.full_like(frames[0], 250)] * length, lit(frames[20 : 20 + length], 2.5)):
        assert cuts(frames[:20] + bright + frames[20 + length :]) == ()


def test_a_flickering_torch_is_no_cut():
    frames = scene(5, 40)
    assert cuts([lit([frame], 0.3 if i % 7 in (2, 3) else 1.0)[0] for i, frame in enumerate(frames)]) == ()


def test_a_fade_to_black_is_no_cut_but_what_comes_after_is_another_scene():
    frames = scene(6, 30)
    fading = [lit([frame], 1 - i / 12)[0] for i, frame in enumerate(frames[18:])]
    # Its last two frames show nothing any more.
    assert {*cuts(frames[:18] + fading)} <= {28, 29}
    found = cuts(frames[:18] + fading + flat(2, 12) + scene(7, 20))
    assert found[-1] == 42 and {*found[:-1]} <= {28, 29}


def test_frozen_and_black_clips_are_one_scene():
    assert cuts(scene(8, 1) * 30) == () and cuts(flat(3, 30)) == () and cuts(flat(3, 1)) == ()


def test_short_scenes_and_cuts_near_the_ends():
    assert cuts(scene(1, 3) + scene(2, 20) + scene(3, 4) + scene(4, 1)) == (3, 23, 27)
    assert cuts(scene(1, 1) + scene(2, 1)) == (1,)


def test_a_picture_shown_for_a_moment_is_no_cut():
    frames = scene(1, 30)
    assert cuts(frames[:15] + scene(2, 3) + frames[15:]) == ()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 400), (700, 900)])
def test_any_size(size):
    frames = [cv2.resize(frame, size[::-1]) for frame in scene(1, 4)]
    assert cuts(frames) == ()


def test_likeness_by_hand(rng):
    view = cv2.GaussianBlur(rng.normal(0, 50, (40, 60)), (0, 0), 2).astype(np.float32)
    assert likeness(view, view) == pytest.approx(1, abs=1e-4)
    assert likeness(view, -view) < 0.6
    assert likeness(view, 0.1 * view) in (0.0, pytest.approx(1, abs=1e-4))
    assert likeness(view, np.roll(view, 9, axis=1)) == pytest.approx(1, abs=1e-3)
    black = np.zeros_like(view)
    assert likeness(black, black) == 1 and likeness(view, black) == likeness(black, view) == 0


@pytest.mark.slow
def test_a_clip_of_one_scene_is_selected_as_a_whole():
    frames = ArrayFrames(scene(1, 30))
    (found,) = find_scenes(frames, [i % 10 == 0 for i in range(30)])
    assert found.selection == find_sharp(frames, [i % 10 == 0 for i in range(30)]) == joined((found,))
    assert (found.start, found.end) == (0, 30) and found.of(frames) is frames


@pytest.mark.slow
def test_each_scene_is_selected_alone():
    parts = [scene(1, 20), lit(scene(2, 13), 0.7)]
    keys = [i % 6 == 0 for i in range(33)]
    stages = []
    found = find_scenes(ArrayFrames(parts[0] + parts[1]), keys, on_progress=lambda *step: stages.append(step))
    assert [step for step in stages if step[1] == step[2]] == [("scenes", 33, 33), ("select", 33, 33)]
    alone = [find_sharp(ArrayFrames(parts[0]), keys[:20]), find_sharp(ArrayFrames(parts[1]), keys[20:])]
    assert [scene.selection for scene in found] == alone
    whole = joined(found)
    assert whole.cuts == (20,) and whole.thresholds == (alone[0].threshold, alone[1].threshold)
    assert whole.threshold == pytest.approx((20 * alone[0].threshold + 13 * alone[1].threshold) / 33)
    assert whole.sharp == alone[0].sharp + tuple(20 + i for i in alone[1].sharp)
    assert whole.scores == alone[0].scores + alone[1].scores and len(whole.sharpness) == 33


def test_the_verdict_of_scenes_that_differ_is_mixed():
    calm, shaken = [scene(1, 1)[0]] * 10, [scene(2, 1)[0]] * 10
    shaken = [cv2.blur(frame, (15, 15)) if i % 2 else frame for i, frame in enumerate(shaken)]
    whole = joined(find_scenes(ArrayFrames(calm + shaken), [False] * 20))
    assert whole.verdict == "mixed" and whole.cuts == (10,)
    assert [i for i in range(20) if not whole.is_sharp(i)] == [11, 13, 15, 17, 19]
    assert [i for i, left in enumerate(whole.left("auto")) if left] == list(range(10))


def test_slices_stay_inside():
    frames = FrameSlice(ArrayFrames(scene(1, 6)), 2, 5)
    assert len(frames) == 3 and frames.tensor(2).shape == (3, HEIGHT, WIDTH)
    for outside in (-1, 3):
        with pytest.raises(IndexError):
            frames.tensor(outside)
