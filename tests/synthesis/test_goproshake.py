"""GoProShake: Eq. D's numbering, Eq. G's average by hand, motion from frames, clips that fail."""

import cv2
import numpy as np
import pytest
import torch

from clips_for_tests import film, names, paint
from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.flow import Dis
from selfhvd.synthesis import ClipLabel, GoProShake, egomotion, make_goproshake
from selfhvd.synthesis.goproshake import average, exposures, substeps_of
from selfhvd.synthesis.in_between import in_between
from selfhvd.synthesis.source_clips import find_clips, open_frames


class Arrays:
    def __init__(self, frames):
        self.frames = frames

    def __len__(self):
        return len(self.frames)

    def frame(self, index):
        return self.frames[index]


def edge(index, width=32):
    """Black left of column 8 + index, white from there on."""
    image = np.zeros((16, width, 3), np.uint8)
    image[:, 8 + index :] = 255
    return image


def pan(photo, count, step=3, side=(96, 128)):
    lefts = range(40, 40 + step * count, step)
    return [np.ascontiguousarray(photo[60 : 60 + side[0], left : left + side[1]]) for left in lefts]


def still(path, count, turn):
    """A TUM file of a camera that turns by `turn(t)` radians about its axis after pose t."""
    angle = np.cumsum([0, *(turn(t) for t in range(count - 1))])
    path.write_text("\n".join(f"{t} 0 0 0 0 0 {np.sin(a / 2)} {np.cos(a / 2)}" for t, a in enumerate(angle)))
    return path


def read(path):
    return cv2.imread(str(path))[..., ::-1]


def test_a_step_edge_averages_in_linear_light():
    """Five edges one column apart: columns are lit for 0 to 5 of five frames, and code 255 (k/5)^(1/2.2) shows it."""
    blurry = next(exposures(Arrays([edge(t) for t in range(1, 6)]), [5], 5, 1, Dis()))
    shown = blurry.frame[0, :, 0]
    by_hand = [round(255 * (k / 5) ** (1 / 2.2)) for k in range(6)]  # 0 123 168 202 230 255
    assert shown[8:14].tolist() == by_hand == [0, 123, 168, 202, 230, 255]
    assert np.array_equal(blurry.truth, edge(3)) and blurry.count == 5


def test_sixteen_bits_average_as_eight():
    eight = [edge(t) for t in range(3)]
    deep = [frame.astype(np.uint16) * 257 for frame in eight]
    one, two = (next(exposures(Arrays(f), [3], 3, 1, Dis())) for f in (eight, deep))
    assert np.array_equal(one.frame, two.frame) and np.array_equal(one.truth, two.truth)


def test_images_of_a_clip_are_alike(tmp_path, photo):
    clip = paint(tmp_path / "clip", pan(photo, 2))
    frames = open_frames(clip, tmp_path)
    assert len(frames) == 2 and np.array_equal(frames.frame(1), pan(photo, 2)[1])
    cv2.imwrite(str(clip / "shot3.png"), photo[:64, :64])
    with pytest.raises(InputError, match=r"shot3\.png is of another size than shot1\.png; make them alike"):
        open_frames(clip, tmp_path).frame(2)


def test_windows_are_centred_where_eq_d_says(photo):
    """N = 5: frames 2, 7 and 12; three are averaged around 7, and five around 12."""
    frames = pan(photo, 17)
    made = list(exposures(Arrays(frames), [1, 3, 5], 5, 1, Dis()))
    for exposure, centre, reach in zip(made, (2, 7, 12), (0, 1, 2), strict=True):
        light = [(frames[t] / 255) ** 2.2 for t in range(centre - reach, centre + reach + 1)]
        assert np.array_equal(exposure.truth, frames[centre])
        assert np.abs(exposure.frame - 255 * np.mean(light, axis=0) ** (1 / 2.2)).max() <= 0.51


def test_frames_in_between_lie_on_the_way(photo):
    """Half way of a pan of six pixels is a pan of three; mixing the two frames misses it by far."""
    first, half, second = (torch.from_numpy(f / 255).float().permute(2, 0, 1)[None] for f in pan(photo, 3))
    (found,) = in_between(first, second, 2, Dis())
    inner = (..., slice(8, -8), slice(12, -12))
    miss = float((found[inner] - half[inner] ** 2.2).square().mean())
    mixed = float(((first[inner] ** 2.2 + second[inner] ** 2.2) / 2 - half[inner] ** 2.2).square().mean())
    assert miss < 0.1 * mixed


def test_interpolation_brings_an_average_nearer_to_the_continuous_one(photo):
    """Every fourth frame of a slow pan, with three put between, against the slow pan itself."""
    slow = pan(photo, 9, step=1)
    wanted = average(Arrays(slow), 4, 9, 1, Dis())
    plain, smooth = (average(Arrays(slow[::4]), 1, 3, factor, Dis()) for factor in (1, 4))
    errors = [np.square(a - wanted)[8:-8, 12:-12].mean() for a in (plain, smooth)]
    assert errors[1] < 0.2 * errors[0]


def turned(photo, radians):
    """What a pinhole camera, 320 pixels wide with a focal length of as many, sees turned about its upright axis."""
    camera = np.array([[320.0, 0, 159.5], [0, 320.0, 119.5], [0, 0, 1]])
    rotation = cv2.Rodrigues(np.array([0.0, radians, 0.0]))[0]
    wall = np.array([[1.0, 0, 80], [0, 1.0, 60], [0, 0, 1]])
    seen = wall @ camera @ rotation @ np.linalg.inv(camera)
    return cv2.warpPerspective(photo, seen, (320, 240), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)


def test_a_known_rotation_is_measured_in_radians(photo):
    found = egomotion.estimate_egomotion(Arrays([turned(photo, 0.01 * t) for t in range(5)]))
    np.testing.assert_allclose(found.speed, 0.01, rtol=0.15)
    assert found.displaced == found.missing == 0 and found.warnings == ()


def test_mean_displacement_of_a_shift():
    """Three pixels right and four down, of a focal length of 100: 5 / 100."""
    shift = np.array([[1.0, 0, 3], [0, 1, 4], [0, 0, 1]])
    assert egomotion.mean_displacement(shift, 100, 80) == pytest.approx(0.05)


def test_a_decomposition_that_fails_is_said(photo, monkeypatch):
    monkeypatch.setattr(egomotion, "homography_speed", lambda *_: None)
    found = egomotion.estimate_egomotion(Arrays(pan(photo, 4)))
    np.testing.assert_allclose(found.speed, 3 / 128, rtol=0.05)
    assert found.displaced == 3 and found.warnings == ("3 of 3 intervals by the homography's mean displacement",)


def test_a_frame_without_corners_takes_its_neighbours_speed(photo):
    frames = pan(photo, 6)
    frames[3] = np.full_like(frames[3], 90)
    found = egomotion.estimate_egomotion(Arrays(frames))
    assert found.missing == 2 and np.isfinite(found.speed).all() and found.speed.min() > 0.01
    assert "2 of 5 intervals by their neighbours" in found.warnings[-1]


def test_a_blank_clip_has_no_motion():
    with pytest.raises(InputError, match="no camera motion can be found"):
        egomotion.estimate_egomotion(Arrays([np.full((96, 128, 3), 90, np.uint8)] * 3))


def test_substeps_as_the_name_says_or_drawn():
    assert substeps_of("GOPR0372_07_00", GoProShake()) == 7
    assert substeps_of("GOPR0372_07_00", GoProShake(substeps=5)) == 5
    drawn = {substeps_of(f"clip{i}", GoProShake()) for i in range(40)}
    assert drawn == {7, 9, 11, 13}
    assert substeps_of("clip1", GoProShake()) == substeps_of("clip1", GoProShake())


def test_clips_from_a_trajectory(tmp_path, photo):
    """Four frames of three that turn by 1, 1, 3 and 9: a quarter is sharp; truth and n_i lie beside."""
    source = paint(tmp_path / "walk", pan(photo, 13))
    path = still(tmp_path / "path.txt", 13, lambda t: 0.001 * [1, 2, 3, 9, 9][t // 3])
    made = tmp_path / "made"
    assert make_goproshake(source, made, GoProShake(0.25, 3, 1), path) == ()
    label = ClipLabel.load(made / "labels" / "walk.json")
    assert label.counts == (1, 3, 3, 3) and label.facts["centres"] == [1, 4, 7, 10] and label.kind == "goproshake"
    assert label.facts["motion"] == "trajectory" and (label.height, label.width) == (96, 128)
    assert names(made) == ["blur", "labels", "sharp", "synthesis.json"]
    assert names(made / "blur" / "walk") == names(made / "sharp" / "walk") == [f"{i:08d}.png" for i in range(4)]
    for i, centre in enumerate((1, 4, 7, 10)):
        assert np.array_equal(read(made / "sharp" / "walk" / f"{i:08d}.png"), pan(photo, 13)[centre])
    blurry = read(made / "blur" / "walk" / "00000001.png")
    wanted = 255 * np.mean([(f / 255) ** 2.2 for f in pan(photo, 13)[3:6]], axis=0) ** (1 / 2.2)
    assert np.abs(blurry - wanted).max() <= 0.51


def test_a_given_k_decides_how_long_exposures_are(run, tmp_path, photo):
    """N d / K = 0.75, 1.5, 2.25 and 6.75. A folder without K says nothing of it: older ones are gone on with."""
    source = paint(tmp_path / "walk", pan(photo, 13))
    path = still(tmp_path / "path.txt", 13, lambda t: 0.001 * [1, 2, 3, 9, 9][t // 3])
    words = ("synthesize", "goproshake", source, tmp_path / "made", "--trajectory", path, "--substeps", 3)
    done = run(*words, "--interpolate", 1, "--K", "0.004")
    assert done.code == 0, done.err
    label = ClipLabel.load(tmp_path / "made" / "labels" / "walk.json")
    assert label.counts == (1, 1, 3, 3) and label.facts["K"] == 0.004 == label.facts["settings"]["K"]
    refused = run(*words, "--interpolate", 1)
    assert refused.code == 4 and "other settings (K)" in refused.err


def test_poses_must_be_as_many_as_frames(tmp_path, photo):
    source = paint(tmp_path / "walk", pan(photo, 6))
    path = still(tmp_path / "path.txt", 5, lambda t: 0.01)
    with pytest.raises(InputError, match="holds 5 poses for 6 frames"):
        make_goproshake(source, tmp_path / "made", GoProShake(substeps=3), path)
    assert names(tmp_path / "made") == ["synthesis.json"]


def test_one_bad_clip_does_not_stop_the_rest(tmp_path, photo):
    """A video, a folder, a folder of three frames, a text: two are made, two told of by name."""
    source = tmp_path / "clips"
    source.mkdir()
    film(source / "video.mp4", pan(photo, 7))
    paint(source / "folder", pan(photo, 7))
    paint(source / "short", pan(photo, 3))
    (source / "notes.txt").write_text("no video")
    failures = make_goproshake(source, tmp_path / "made", GoProShake(substeps=7, interpolate=1))
    assert [failure.split(":")[0] for failure in failures] == ["notes", "short"]
    assert "one blurry frame takes 7" in failures[1]
    assert names(tmp_path / "made" / "labels") == ["folder.json", "video.json"]


def test_nothing_to_make_clips_of(tmp_path):
    with pytest.raises(InputError, match="is empty"):
        find_clips(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        find_clips(tmp_path / "nowhere")


def test_other_settings_are_refused(tmp_path, photo):
    source, made = paint(tmp_path / "walk", pan(photo, 6)), tmp_path / "made"
    make_goproshake(source, made, GoProShake(substeps=3, interpolate=1))
    before = (made / "labels" / "walk.json").stat().st_mtime_ns
    make_goproshake(source, made, GoProShake(substeps=3, interpolate=1))
    assert (made / "labels" / "walk.json").stat().st_mtime_ns == before
    with pytest.raises(OutputError, match=r"other settings \(sharp_share\)"):
        make_goproshake(source, made, GoProShake(0.5, substeps=3, interpolate=1))


def test_exact_motion_is_not_known_here():
    label = ClipLabel("goproshake", 8, 8, (1, 1), (0, 0), ((), ()))
    with pytest.raises(UsageError, match="not known"):
        label.flow(0, 1)
