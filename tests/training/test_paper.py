"""The paper's way to train: labels, removal, alignment and losses as its text has them, and recipes that ask for it."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clips_for_tests import views
from datasets_for_training import draw, pairs, quick
from doubles import Shift
from selfhvd.backbones import BasicVsrPp, BasicVsrPpConfig, EstRnn, EstRnnConfig, IfiRnn, Lite, LiteConfig
from selfhvd.datasets import open_dataset
from selfhvd.errors import InputError, Stopped, UsageError, WeightsError
from selfhvd.extensions.selection import Selection, SharpConfig, find_sharp, select_sharp
from selfhvd.method.align import AlignConfig, align
from selfhvd.method.perceptual import find_perceptual, vgg_path
from selfhvd.method.rscr import remove_at_random, stand_ins
from selfhvd.method.scscm import ProbeScores
from selfhvd.training.aligned_store import AlignedStore, ItemMeta, Record
from selfhvd.training.checkpoint import CheckpointConfig
from selfhvd.training.clip import TrainingClip
from selfhvd.training.job import first_network
from selfhvd.training.loop import LoopConfig, train
from selfhvd.training.precompute import labels_around
from selfhvd.training.recipe import read_recipe, typed
from selfhvd.training.sampler import BatchConfig, Sampler
from selfhvd.training.shipped import recipe_file, shipped_recipes
from selfhvd.training.two_stage import TwoStageTrainer
from selfhvd.video.image_frames import ImageFrames
from selfhvd.weights import save_weights
from selfhvd.weights.choose_flow import choose_flow
from selfhvd.weights.give_flow import give_flow
from selfhvd.weights.pretrained_flow import PretrainedSpyNet

RECIPES = list(shipped_recipes().values())
CHOSEN = Selection((1.0,) * 60, (1.0,) * 60, 0.5, (2, 9, 27, 40), (27,), "mixed")
CPU = torch.device("cpu")


class TestLabels:
    """Eq. 2: S_ψ(i), the nearest sharp frame, whatever its worth; the best of a bare segment is one of S."""

    @pytest.mark.parametrize(("index", "wanted"), [(5, 2), (6, 9), (18, 9), (19, 27), (33, 27), (34, 40), (59, 40)])
    def test_label_is_the_nearest(self, index, wanted):
        around = labels_around(CHOSEN, index, 1, "nearest")
        caption = ItemMeta(index, False, around)
        assert around[caption.label] == wanted == CHOSEN.nearest(index)

    def test_worth_may_choose_another(self):
        sharper = replace(CHOSEN, scores=tuple(9.0 if i == 2 else 1.0 for i in range(60)))
        assert labels_around(sharper, 10, 1, "worth")[0] == 2
        assert labels_around(sharper, 10, 1, "nearest")[0] == 9

    @pytest.mark.parametrize(("labels", "wanted"), [("nearest", True), ("worth", False)])
    def test_the_best_of_a_bare_segment_is_its_own_label(self, tmp_path, clips, labels, wanted):
        pick = TrainingClip(clips[0].frames, replace(CHOSEN, sharp=(1, 3, 6, 9), by_segment=(6,)), None, "pick")
        found = trainer(tmp_path, [pick], labels=labels).materials("one", None, lambda done, total: None)[0]
        own = {caption.index: caption.sharp for caption in found.captions}
        assert own[6] is wanted and own[3] is True and own[5] is False


class TestRemoval:
    """RSCR counts what the window shows, and its control takes any frame."""

    @pytest.fixture(scope="class")
    def store(self, tmp_path_factory):
        """Forty frames, the sharp ones every tenth; frame i has colour i."""
        made = AlignedStore.create(tmp_path_factory.mktemp("store"), 40, 2, 16, 16)
        captions = [ItemMeta(i, i % 10 == 5, (i - 3, i + 40)) for i in range(40)]
        for slot in range(40):
            image = np.full((16, 16, 3), slot, np.uint8)
            made.put(slot, Record(image, np.stack([image] * 2), np.full((2, 16, 16), 255, np.uint8), image))
        made.finish(captions)
        return made

    def windows(self, store, lesson, count=40):
        config = BatchConfig(crop=16, size=1, window=10, guides=0)
        sampler = Sampler([store], lesson, config, seed=0)
        for step in range(count):
            batch = sampler.draw(step)
            yield [int(v) for v in (255 * batch.frames[0, :, 0, 0, 0]).round()], batch.standing[0].tolist()

    def test_every_window_with_a_sharp_frame_loses_one(self, store):
        for frames, standing in self.windows(store, "clues-removed"):
            replaced = [frames[p] for p, k in enumerate(standing) if k != p]
            assert replaced and all(i % 10 == 5 for i in replaced)

    def test_the_control_takes_blurry_frames_too(self, store):
        taken = [frames[p] for frames, standing in self.windows(store, "any-removed") for p in range(10)
                 if standing[p] != p]  # fmt: skip
        assert len(taken) >= 40 and np.mean([i % 10 == 5 for i in taken]) < 0.4

    def test_as_many_as_rscr_would_take(self):
        draws = [remove_at_random(range(40), (3, 7, 25), 20, np.random.default_rng(n)) for n in range(300)]
        first = [sum(i < 20 for i in removed) for removed in draws]
        assert set(first) == {1, 2} and {len(d) - f for d, f in zip(draws, first, strict=True)} == {1}
        assert {i for removed in draws for i in removed} == set(range(40))

    def test_the_best_of_a_bare_segment_is_a_clue_too(self, tmp_path, bare, monkeypatch):
        """It is alone in its segment, so every draw takes it away, and a blurry frame stands in."""
        (pick,) = bare.selection.by_segment
        assert pick >= 6 and not bare.selection.is_sharp(pick)
        stood = []
        real = Sampler.draw

        def draw(self, step):
            batch = real(self, step)
            stood.extend(batch.standing[:, pick].tolist())
            return batch

        monkeypatch.setattr(Sampler, "draw", draw)
        batch = replace(quick(".").method.batch, window=12, segment=6)
        network = EstRnn(EstRnnConfig(features=4, blocks=1))
        stages = {"stage_one": LoopConfig(steps=0), "stage_two": LoopConfig(steps=2)}
        trainer(tmp_path, [bare], network, batch=batch, labels="nearest", **stages).run()
        assert len(stood) == 4 and pick not in stood and not set(stood) & set(bare.selection.sharp)

    def test_no_frame_that_is_removed_stands_in(self):
        assert stand_ins((0, 1, 2, 3), (False,) * 4, {1, 2}) == (0, 0, 3, 3)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    found = open_dataset(pairs(tmp_path_factory.mktemp("clips"))).clips
    return [TrainingClip(c.frames, find_sharp(c.frames, [False] * 12), c.truth, c.name) for c in found][:1]


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> TrainingClip:
    """Twelve frames in segments of six; the second has no sharp one but its best."""
    folder = draw(tmp_path_factory.mktemp("bare") / "a", views(12, 64, 48, (0, 4)))
    frames = ImageFrames(tuple(sorted(folder.iterdir())))
    config = SharpConfig(rule="otsu", corrected=False, segment=6)
    return TrainingClip(frames, find_sharp(frames, [False] * 12, config), None, "bare")


def trainer(folder, clips, network=None, keeping=None, stop=lambda: False, **changes) -> TwoStageTrainer:
    network = network or first()
    config = replace(quick(".").method, frames=100, judge=False, **changes)
    flow = choose_flow("dis", None, CPU, quick(".").flow.certainty)
    return TwoStageTrainer(network, clips, flow, folder, config=config, keeping=keeping, stop=stop)


def first() -> Lite:
    torch.manual_seed(0)
    return Lite(LiteConfig(widths=(8, 8, 8), blocks=(1, 1, 1)))


class TestAlignment:
    """Eq. 3 aligns onto the output as it is: anew every so many steps; a killed run goes on as if it had not been."""

    def run(self, folder, clips, **more):
        network, loop = first(), LoopConfig(steps=4, rate=1e-2)
        trainer(folder, clips, network, stage_one=loop, stage_two=loop, **more).run()
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    def test_aligned_onto_the_network_of_that_step(self, tmp_path, clips, monkeypatch):
        seen = []
        real = TwoStageTrainer.materials

        def materials(self, name, network, on_frame):
            state = None if network is None else float(next(network.parameters()).detach().double().sum())
            seen.append((name, state, float(next(self.network.parameters()).detach().double().sum())))
            return real(self, name, network, on_frame)

        monkeypatch.setattr(TwoStageTrainer, "materials", materials)
        anew = self.run(tmp_path / "anew", clips, align_every=2)
        assert [name for name, _, _ in seen] == ["one/0", "one/1", "two/0", "two/1"]
        assert all(shown == now for _, shown, now in seen) and len({now for _, _, now in seen}) == 4
        assert not torch.equal(anew, self.run(tmp_path / "once", clips))

    @pytest.mark.slow
    def test_a_killed_run_goes_on_with_the_same_rounds(self, tmp_path, clips):
        whole = self.run(tmp_path / "whole", clips, align_every=2)
        for after in (3, 5):
            count = itertools.count(1)
            keeping = CheckpointConfig(tmp_path / str(after) / "state", every=3)
            with pytest.raises(Stopped):
                self.run(tmp_path / str(after), clips, align_every=2, keeping=keeping,
                         stop=lambda count=count, after=after: next(count) > after)  # fmt: skip
            assert torch.equal(self.run(tmp_path / str(after), clips, align_every=2, keeping=keeping), whole)

    def test_with_all_masks_off_everything_is_trusted(self):
        away = Shift(100, 0)
        image = torch.rand(1, 3, 8, 8)
        off = AlignConfig(use_occlusion=False, use_uncertainty=False, use_in_frame=False)
        assert align(image, image, away, off).mask.min() == 1
        assert align(image, image, away, replace(off, use_in_frame=True)).mask.max() == 0


class TestLosses:
    """What is asked for is what is used."""

    def test_a_perceptual_term_that_is_required_is_not_left_out(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path))
        if vgg_path().is_file():
            pytest.skip("VGG weights are at hand")
        assert find_perceptual() is None
        with pytest.raises(WeightsError, match=r"selfhvd weights fetch vgg19.*method\.loss\.perceptual = 0"):
            find_perceptual(required=True)

    def test_a_training_goes_on_with_the_losses_it_began_with(self, tmp_path, clips):
        class Silent(torch.nn.Module):
            def forward(self, a, b):
                raise AssertionError("the perceptual term was not part of this training")

        count = itertools.count(1)
        keeping = CheckpointConfig(tmp_path / "state", every=1)
        with pytest.raises(Stopped):
            trainer(tmp_path, clips, keeping=keeping, stop=lambda: next(count) > 1).run()
        again = trainer(tmp_path, clips, keeping=keeping)
        again.perceptual = Silent()
        assert again.run().perceptual is False

    @pytest.mark.parametrize(("sharpness", "taken"), [(100 + 1e-6, False), (100.9, False), (101.1, True)])
    def test_no_update_is_spent_on_nothing(self, sharpness, taken):
        kept, now = ProbeScores(0.1, 100.0, 200.0), ProbeScores(0.1, sharpness, 200.0)
        assert now.may_replace(kept, 0.1, gain=0.01) is taken

    @pytest.mark.parametrize(("gain", "updates"), [(0.01, 1), (0.1, 0)])
    @pytest.mark.parametrize("cut", [False, True])
    def test_the_gain_that_is_asked_for_is_asked_of_the_snapshot(
        self, tmp_path, clips, monkeypatch, gain, updates, cut
    ):
        """What is offered is sharper by a twentieth; so too where the offer comes after a run that was cut off."""

        def standing(self, network):
            return ProbeScores(0.1, 105.0 if told else 100.0, 200.0)

        told, count = [], itertools.count(1)
        monkeypatch.setattr(TwoStageTrainer, "standing", standing)
        keeping = CheckpointConfig(tmp_path / "state", every=1)
        stages = {"stage_one": LoopConfig(steps=0), "stage_two": LoopConfig(steps=4)}  # offered after step 2
        if cut:
            with pytest.raises(Stopped):
                trainer(tmp_path, clips, keeping=keeping, stop=lambda: next(count) > 0, least_gain=gain, **stages).run()
        again = trainer(tmp_path, clips, keeping=keeping, least_gain=gain, **stages)
        again.on_step = lambda stage, step: told.append(step)
        assert again.run().updates == updates

    def test_sharpness_as_it_was_measured(self):
        keys = [i % 4 == 0 for i in range(16)]
        sharpness = [20.0 if key else 10.0 for key in keys]
        paper = select_sharp(sharpness, keys, [0.0] * 16, SharpConfig(rule="otsu", corrected=False))
        assert paper.sharp == (0, 4, 8, 12)
        assert len(select_sharp(sharpness, keys, [0.0] * 16, SharpConfig(rule="otsu")).sharp) > 4


class TestPublishedNetwork:
    """BasicVSR++ begins, and its flow learns, as in its published configuration."""

    SMALL = BasicVsrPpConfig(mid_channels=8, num_blocks=1, deform_groups=2, least_side=4)

    def test_its_flow_has_a_rate_of_its_own_and_stays_at_first(self):
        torch.manual_seed(0)
        network = BasicVsrPp(self.SMALL)
        before = [p.detach().clone() for p in network.flow_parameters()]
        config = LoopConfig(steps=3, rate=1e-3, last_rate=1e-3, flow_rate=0.25, flow_fixed=2)
        rates, moved = [], []

        def after(step):
            rates.append([group["lr"] for group in step.optimiser.param_groups])
            moved.append(any(not torch.equal(a, b) for a, b in zip(before, network.flow_parameters(), strict=True)))
            return True

        frames = torch.rand(1, 3, 3, 32, 32)

        class Held:
            def to(self, device):
                return self

        train(network, lambda step: Held(), lambda net, _: (net(frames) - frames.flip(1)).abs().mean(), config, after)
        assert rates == [[1e-3, 0.0], [1e-3, 0.0], [1e-3, 2.5e-4]] and moved[:2] == [False, False]

    def test_it_may_begin_as_published(self):
        frames = torch.rand(1, 3, 3, 32, 32)
        with torch.no_grad():
            torch.manual_seed(0)
            assert torch.equal(BasicVsrPp(self.SMALL)(frames), frames)
            published = BasicVsrPp(replace(self.SMALL, start="published"))
            assert not torch.equal(published(frames), frames)
        block = published.reconstruction.main[2][0]
        assert not block.conv1.bias.any() and float(block.conv1.weight.detach().std()) == pytest.approx(
            0.1 * (2 / 72) ** 0.5, rel=0.2
        )

    @pytest.mark.parametrize("layout", ["mmedit", "basicsr"])
    def test_its_flow_may_begin_pretrained(self, tmp_path, layout):
        taught = PretrainedSpyNet()
        with torch.no_grad():
            for n, parameter in enumerate(taught.parameters()):
                parameter.fill_(n / 100)
        save_weights(tmp_path / "spynet.safetensors", taught, "spynet")
        network = BasicVsrPp(self.SMALL)
        if layout == "basicsr":
            from selfhvd.backbones.spynet import SpyNet

            network.spynet = SpyNet("basicsr")
        give_flow(network, "basicvsrpp", tmp_path / "spynet.safetensors")
        for given, wanted in zip(network.spynet.parameters(), taught.parameters(), strict=True):
            assert torch.equal(given, wanted)
        with pytest.raises(UsageError, match="no SPyNet inside estrnn"):
            give_flow(EstRnn(EstRnnConfig(features=4, blocks=1)), "estrnn", tmp_path / "spynet.safetensors")

    @pytest.mark.parametrize("given", [True, False])
    def test_a_recipe_begins_with_the_flow_that_it_names(self, tmp_path, given):
        taught = PretrainedSpyNet()
        with torch.no_grad():
            for parameter in taught.parameters():
                parameter.fill_(0.5)
        save_weights(tmp_path / "spynet.safetensors", taught, "spynet")
        settings = {"mid_channels": 8, "num_blocks": 1, "deform_groups": 2}
        network = {"backbone": "basicvsrpp", "settings": settings}
        if given:
            network["flow_weights"] = str(tmp_path / "spynet.safetensors")
        made = first_network(typed({"network": network}))
        assert all(bool((p == 0.5).all()) is given for p in made.flow_parameters())

    @pytest.mark.parametrize("network", [BasicVsrPp(SMALL), IfiRnn()], ids=["basicvsrpp", "ifirnn"])
    def test_windows_are_as_long_as_the_recipe_says(self, tmp_path, clips, network):
        batch = replace(quick(".").method.batch, window=30)
        assert trainer(tmp_path, clips, network, batch=batch)._window == 30


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_papers_recipes_follow_it(path):
    recipe = read_recipe(path)
    method, loss = recipe.method, recipe.method.loss
    assert (recipe.sharp.rule, recipe.sharp.corrected, recipe.sharp.segment, method.batch.segment) == (
        "otsu", False, 20, 20,
    )  # fmt: skip
    assert (method.labels, method.updates, method.judge, method.batch.crop) == ("nearest", 2, False, 256)
    assert (loss.perceptual, loss.perceptual_weights, loss.consistency, loss.oversharp) == (
        1.0, "required", 1.0, float("inf"),
    )  # fmt: skip
    assert method.align_every > 0 and method.batch.own_label_weight == 1 and recipe.flow.name == "sea-raft-m"
    assert not recipe.data.screened and recipe.align.resampling == "bilinear" and recipe.align.use_in_frame
    assert [(stage.clip, stage.bfloat16) for stage in (method.stage_one, method.stage_two)] == 2 * [
        (float("inf"), False)
    ]
    if recipe.network.backbone in ("basicvsrpp", "rvrt"):  # SPyNet is inside
        assert recipe.network.flow_weights and method.stage_one.flow_rate == method.stage_two.flow_rate == 0.25
        assert (method.stage_one.flow_fixed, method.stage_two.flow_fixed) == (5000, 0)
    if recipe.network.backbone == "basicvsrpp":
        assert recipe.network.settings == {"start": "published"}
        assert (method.batch.window, method.batch.size) == (30, 1)


def test_there_is_a_recipe_for_each_row_that_the_paper_trains():
    assert {path.stem for path in RECIPES} == {
        *(f"{data}-{network}" for data in ("goproshake", "hvd") for network in ("ifirnn", "rvrt", "basicvsrpp")),
        *(f"{data}-estrnn" for data in ("bsd-1ms8ms", "bsd-2ms16ms", "bsd-3ms24ms", "realblur", "rbvd")),
    }


def test_a_recipe_that_comes_along_is_called_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    by_name = recipe_file(Path("hvd-rvrt"))
    assert read_recipe(by_name).data.layout == "hvd" and by_name == recipe_file(Path("hvd-rvrt.toml"))
    own = tmp_path / "hvd-rvrt"
    own.write_text("seed = 3")
    assert read_recipe(recipe_file(Path("hvd-rvrt"))).seed == 3
    for no in (Path("nothing"), Path("some") / "hvd-ifirnn"):
        with pytest.raises(InputError, match=r"no file and no recipe that comes with selfhvd; those are bsd-1ms8ms"):
            recipe_file(no)
