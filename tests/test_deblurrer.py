"""The method on arrays: learn, restore, keep the better network."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clips_for_tests import MIXED, never, quick, unmoved, views
from selfhvd import Deblurrer
from selfhvd.backbones import BACKBONES, EstRnn, EstRnnConfig
from selfhvd.errors import UsageError, WeightsError
from selfhvd.extensions.scenes import SceneConfig
from selfhvd.method.scscm import ProbeScores
from selfhvd.run.config import PRESETS, DeblurConfig, preset_config
from selfhvd.training.two_stage import TwoStageTrainer
from selfhvd.weights import BASE_WEIGHTS


def state(deblurrer):
    return {key: value.clone() for key, value in deblurrer.network.state_dict().items()}


def same(one, two):
    return all(torch.equal(one[key], two[key]) for key in one)


def bold(config):
    """A rate at which two steps show, and no judge."""
    loud = {name: replace(getattr(config.adapt, name), rate=1e-2) for name in ("stage_one", "stage_two")}
    return replace(config, adapt=replace(config.adapt, judge=False, **loud))


def test_frames_in_frames_out():
    frames = list(views())
    told = []
    deblurrer = Deblurrer(quick())
    assert deblurrer.fit(frames, on_progress=lambda *step: told.append(step)) is deblurrer
    restored = list(deblurrer.restore())
    assert len(restored) == len(frames)
    for image in restored:
        assert image.shape == (3, 48, 64) and image.dtype == torch.float32 and image.device.type == "cpu"
        assert float(image.min()) >= 0 and float(image.max()) <= 1
    assert deblurrer.selection.verdict == "mixed" and deblurrer.selection.sharp == MIXED
    for i in MIXED:
        assert np.array_equal((255 * restored[i]).round().byte().permute(1, 2, 0).numpy(), frames[i])
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["scenes", "select", "align", "stage 1", "align again", "stage 2"]
    for stage in stages:
        last = [step for step in told if step[0] == stage][-1]
        assert last[1] == last[2] > 0


@pytest.mark.slow
@pytest.mark.unchecked
def test_restoring_twice_gives_the_same_frames_and_no_grad():
    deblurrer = Deblurrer(quick(steps=0)).fit(list(views()))
    one, two = list(deblurrer.restore()), list(deblurrer.restore())
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not any(image.requires_grad for image in one)


@pytest.mark.slow
@pytest.mark.unchecked
def test_record_of_the_adaptation():
    deblurrer = Deblurrer(quick(steps=3)).fit(list(views()))
    done = deblurrer.adaptation
    assert done.steps == 6 and done.seconds > 0
    assert 0 <= done.updates <= deblurrer.config.adapt.updates
    for standing in (done.before, done.after):
        assert np.isfinite([standing.drift, standing.sharpness, standing.ceiling]).all()
        assert standing.drift >= 0 and standing.sharpness > 0 and standing.ceiling > 0
    assert done.before.ceiling == done.after.ceiling
    assert not deblurrer.network.training


def test_without_steps_nothing_is_learnt():
    deblurrer = Deblurrer(quick(steps=0))
    before = state(deblurrer)
    deblurrer.fit(list(views()))
    assert deblurrer.adaptation is None and same(before, state(deblurrer))


@pytest.mark.slow
@pytest.mark.unchecked
def test_steps_change_the_network_and_the_blurry_frames_only():
    frames = list(views())
    learning = bold(quick(steps=2))
    plain = list(Deblurrer(quick(steps=0, restore=learning.restore)).fit(frames).restore())
    learnt = list(Deblurrer(learning).fit(frames).restore())
    changed = [i for i in range(len(frames)) if not torch.equal(plain[i], learnt[i])]
    assert changed == [i for i in range(len(frames)) if i not in MIXED]


@pytest.mark.slow
@pytest.mark.unchecked
def test_a_worse_network_is_thrown_away(monkeypatch):
    standings = []

    def standing(self, network):
        standings.append(ProbeScores(0.1 if not standings else 3.0, 100.0, 400.0))
        return standings[-1]

    monkeypatch.setattr(TwoStageTrainer, "standing", standing)
    config = quick(steps=2)
    for judge, kept in ((True, False), (False, True)):
        standings.clear()
        deblurrer = Deblurrer(replace(config, adapt=replace(config.adapt, judge=judge)))
        before = state(deblurrer)
        deblurrer.fit(list(views()))
        assert deblurrer.adaptation.kept is kept and deblurrer.adaptation.steps == 4
        assert same(before, state(deblurrer)) is not kept
        assert len(list(deblurrer.restore())) == 12


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("after", "kept"),
    [
        (ProbeScores(0.1, 200.0, 400.0), True),
        (ProbeScores(0.1, 200.0, 400.0, trial=-0.01), False),  # restores re-blurred sharp frames less well
        (ProbeScores(0.61, 200.0, 400.0), False),  # wandered off
        (ProbeScores(0.59, 90.0, 400.0), True),
    ],
)
def test_what_counts_as_worse(monkeypatch, after, kept):
    answers = iter([ProbeScores(0.1, 100.0, 400.0)])
    monkeypatch.setattr(TwoStageTrainer, "standing", lambda self, network: next(answers, after))
    assert Deblurrer(quick(steps=1)).fit(list(views())).adaptation.kept is kept


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize("minutes", [0.0, 1e-9])
def test_a_passed_deadline_ends_the_learning_before_its_first_step(minutes):
    deblurrer = Deblurrer(quick(steps=4, max_minutes=minutes))
    before = state(deblurrer)
    deblurrer.fit(list(views()))
    assert deblurrer.adaptation is None and same(before, state(deblurrer))
    assert len(list(deblurrer.restore())) == 12


@pytest.mark.slow
@pytest.mark.unchecked
def test_from_scratch():
    frames = list(views(sharp=(0, 4, 8)))
    deblurrer = Deblurrer(quick(from_scratch=True, seed=3))
    again = Deblurrer(quick(from_scratch=True, seed=3))
    other = Deblurrer(quick(from_scratch=True, seed=4))
    assert same(state(deblurrer), state(again)) and not same(state(deblurrer), state(other))
    restored = list(deblurrer.fit(frames).restore())
    assert len(restored) == 12 and all(torch.isfinite(image).all() for image in restored)
    assert preset_config(from_scratch=True).adapt.stage_one.rate == 10 * preset_config().adapt.stage_one.rate


def test_all_sharp_frames_come_back_untouched():
    frames = list(views(sharp=unmoved))
    deblurrer = Deblurrer(quick()).fit(frames)
    assert deblurrer.selection.verdict == "all-sharp" and deblurrer.adaptation is None
    for image, frame in zip(deblurrer.restore(), frames, strict=True):
        assert np.array_equal((255 * image).round().byte().permute(1, 2, 0).numpy(), frame)


@pytest.mark.slow
@pytest.mark.unchecked
def test_none_sharp_says_so(caplog):
    caplog.set_level("INFO")
    deblurrer = Deblurrer(quick()).fit(list(views(sharp=never)))
    assert deblurrer.selection.verdict == "none-sharp" and deblurrer.selection.ratio == 0
    assert "no frame is sharp" in caplog.text
    assert len(list(deblurrer.restore())) == 12


@pytest.mark.slow
@pytest.mark.parametrize(("count", "width", "height"), [(1, 64, 48), (2, 64, 48), (12, 16, 16), (12, 33, 17)])
@pytest.mark.parametrize("sharp", [never, lambda i: i % 4 == 0])
def test_few_and_small_frames(count, width, height, sharp):
    deblurrer = Deblurrer(quick(steps=1)).fit(list(views(count, width, height, sharp)))
    assert [tuple(image.shape) for image in deblurrer.restore()] == [(3, height, width)] * count


def test_wrong_order_and_nothing():
    with pytest.raises(UsageError, match=r"fit\(frames\)"):
        Deblurrer(quick()).restore()
    with pytest.raises(UsageError, match="no frames"):
        Deblurrer(quick()).fit([])


def test_weights_that_are_not_there(tmp_path):
    with pytest.raises(WeightsError, match="no weights file"):
        Deblurrer(quick(weights=tmp_path / "none.safetensors"))
    (tmp_path / "bad.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(WeightsError, match="not a weights file"):
        Deblurrer(quick(weights=tmp_path / "bad.safetensors"))


def test_presets_differ_in_length_guides_and_mirrored_views_only():
    assert [preset_config(name).restore.each_side for name in PRESETS] == [2, 4, 6]
    assert [preset_config(name).restore.ensemble for name in PRESETS] == [1, 2, 4]
    assert all(preset_config(name).restore.steadiness > 0 for name in PRESETS)
    assert not preset_config(backbone="basicvsrpp").restore.steadiness
    alike = {replace(preset_config(name).restore, each_side=1, ensemble=1) for name in PRESETS}
    assert alike == {replace(preset_config().restore, each_side=1)}
    lengths = [preset_config(name, from_scratch=True).adapt.stage_two.steps for name in PRESETS]
    assert lengths == sorted(set(lengths))


@pytest.mark.parametrize("start", [{}, {"weights": BASE_WEIGHTS}, {"backbone": "basicvsrpp"}])
def test_weights_are_used_as_they_are_unless_told_to_learn(start):
    asked = {name: preset_config(name, adapt_first=True, **start) for name in PRESETS}
    assert [preset_config(name, **start).steps for name in PRESETS] == [0, 0, 0]
    assert [config.steps for config in asked.values()] == [450, 900, 2000]
    assert [replace(config, max_minutes=0.0).steps for config in asked.values()] == [0, 0, 0]
    assert all(config.adapt_first for config in asked.values())


def test_an_untrained_network_always_learns():
    assert preset_config(from_scratch=True).steps == 450 and preset_config(from_scratch=True).adapt_first
    assert DeblurConfig(from_scratch=True).steps > 0 == DeblurConfig().steps


def test_only_the_base_weights_as_they_come_restore_the_sharpest_frames():
    assert {preset_config(name).restore.which for name in PRESETS} == {"auto"}
    others = ({"weights": BASE_WEIGHTS}, {"adapt_first": True}, {"from_scratch": True}, {"backbone": "basicvsrpp"})
    assert {preset_config(**other).restore.which for other in others} == {"blurry"}


def test_segments_are_said_once():
    """Whoever changes those of the sharp frames changes those of RSCR, in what runs and in what is written of it."""
    config = preset_config("fast", from_scratch=True)
    shorter = replace(config, sharp=replace(config.sharp, segment=10))
    assert Deblurrer(config).config.adapt.batch.segment == 20
    assert Deblurrer(shorter).config.adapt.batch.segment == 10


@pytest.mark.slow
@pytest.mark.unchecked
def test_training_material_is_gone_afterwards_what_was_learned_is_kept(tmp_path):
    Deblurrer(quick(steps=1), tmp_path).fit(list(views()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapted.ckpt", "scenes.json"]


@pytest.fixture(scope="module")
def learned_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned")
    return Deblurrer(bold(quick()), folder).fit(list(views())), folder


@pytest.fixture
def learned(learned_once, tmp_path):
    """One who has learned, and a copy of what it kept."""
    first, kept = learned_once
    return first, Path(shutil.copytree(kept, tmp_path / "kept"))


@pytest.mark.slow
@pytest.mark.unchecked
def test_what_is_kept_is_not_done_again(learned, monkeypatch):
    first, folder = learned
    for step in ("selfhvd.run.deblurrer.find_scenes", "selfhvd.training.two_stage.train"):
        monkeypatch.setattr(step, lambda *given, **named: pytest.fail("done again"))
    again = Deblurrer(bold(quick()), folder).fit(list(views()))
    assert again.scenes == first.scenes and again.adaptation == first.adaptation
    assert same(state(first), state(again)) and not same(state(first), state(Deblurrer(quick())))
    whole = list(first.restore())
    for first_frame in (0, 5, 11):
        restored = list(again.restore(first_frame))
        assert all(torch.equal(one, two) for one, two in zip(restored, whole[first_frame:], strict=True))


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize("name", ["scenes.json", "adapted.ckpt"])
def test_damaged_files_are_made_again_and_that_is_said(learned, caplog, name):
    first, folder = learned
    path = folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF  # a flipped tensor still unpickles
    for damage in (bytes(data), data[:100], b""):
        path.write_bytes(damage)
        caplog.clear()
        again = Deblurrer(bold(quick()), folder).fit(list(views()))
        assert f"{name} is damaged" in caplog.text
        assert again.scenes == first.scenes and same(state(first), state(again))


def shaken(scene: int):
    """Twelve views of a scene of its own."""
    seen = views(12, 96, 64)
    return [np.ascontiguousarray(np.rot90(view, 2) // 3) for view in seen] if scene else list(seen)


def two_scenes():
    """The second one is turned upside down, and dark."""
    return shaken(0) + shaken(1)


@pytest.mark.slow
@pytest.mark.unchecked
def test_nothing_crosses_a_cut():
    """Each scene comes out as if it were a clip of its own."""
    config = quick(steps=0)
    config = replace(config, restore=replace(config.restore, which="all"))
    both = Deblurrer(config).fit(two_scenes())
    assert [(scene.start, scene.end) for scene in both.scenes] == [(0, 12), (12, 24)]
    alone = [list(Deblurrer(config).fit(shaken(n)).restore()) for n in (0, 1)]
    for one, two in zip(both.restore(), alone[0] + alone[1], strict=True):
        assert torch.equal(one, two)
    assert both.selection.cuts == (12,) and len(both.selection.thresholds) == 2
    assert both.selection.sharp == MIXED + tuple(12 + i for i in MIXED)


@pytest.mark.slow
@pytest.mark.unchecked
def test_scenes_share_one_network_and_its_training(monkeypatch):
    taught, real = [], TwoStageTrainer.__init__

    def noted(self, network, clips, *given, **named):
        taught.extend(clips)
        real(self, network, clips, *given, **named)

    monkeypatch.setattr(TwoStageTrainer, "__init__", noted)
    done = Deblurrer(quick(steps=1)).fit(two_scenes())
    assert [clip.name for clip in taught] == ["scene-00000000", "scene-00000012"]
    assert [len(clip.frames) for clip in taught] == [12, 12] and done.adaptation.steps == 2


def test_a_clip_may_be_taken_for_one_scene():
    config = quick(steps=0)
    deblurrer = Deblurrer(replace(config, scenes=SceneConfig(find=False))).fit(two_scenes())
    assert len(deblurrer.scenes) == 1 and deblurrer.selection.cuts == ()


@pytest.mark.slow
@pytest.mark.unchecked
def test_an_untrained_network_that_learned_nothing_changes_nothing(caplog, monkeypatch):
    """estrnn has no path from input to output: untrained, it makes noise, and two steps do not mend that."""
    monkeypatch.setitem(BACKBONES, "estrnn", (lambda: EstRnnConfig(features=4, blocks=1), EstRnn))
    frames = list(views())
    config = quick(backbone="estrnn", from_scratch=True)
    small = replace(config, adapt=replace(config.adapt, batch=replace(config.adapt.batch, window=3)))
    deblurrer = Deblurrer(small).fit(frames)
    assert deblurrer.adaptation is not None and not deblurrer.adaptation.kept
    for i, image in enumerate(deblurrer.restore()):
        assert np.array_equal((255 * image).round().byte().permute(1, 2, 0).numpy(), frames[i])
    assert "learned nothing" in caplog.text
