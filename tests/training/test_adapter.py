"""The adapter's material: of every clip, made once, passed over by a later run."""

from dataclasses import replace

import pytest
import torch

import selfhvd.training.precompute as making
from datasets_for_training import pairs, quick
from selfhvd.backbones import EstRnn, EstRnnConfig, Lite, LiteConfig
from selfhvd.datasets import open_dataset
from selfhvd.extensions.selection import find_sharp
from selfhvd.training.clip import TrainingClip
from selfhvd.training.config import AdaptConfig
from selfhvd.training.two_stage import TwoStageTrainer
from selfhvd.weights.choose_flow import choose_flow

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    found = open_dataset(pairs(tmp_path_factory.mktemp("clips"))).clips
    return [TrainingClip(c.frames, find_sharp(c.frames, [False] * 12), c.truth, c.name) for c in found]


CONFIG = replace(quick(".").method, frames=4)


def adapter(folder, clips, config: AdaptConfig = CONFIG, network=None) -> TwoStageTrainer:
    network = network or Lite(LiteConfig(widths=(8, 8, 8), blocks=(1, 1, 1)))
    return TwoStageTrainer(
        network, clips, choose_flow("dis", None, CPU, quick(".").flow.certainty), folder, config=config
    )


def stamps(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.npy")}


@pytest.mark.slow
def test_material_of_an_earlier_run_is_passed_over(tmp_path, clips):
    told = []
    first = adapter(tmp_path, clips).materials("one", None, lambda done, total: told.append((done, total)))
    assert told[-1] == (8, 8) and [len(material) for material in first] == [4, 4]
    before = stamps(tmp_path)
    assert len(before) == 10
    (tmp_path / "one" / "b" / "captions.json").unlink()  # as if killed before it was finished
    told.clear()
    again = adapter(tmp_path, clips).materials("one", None, lambda done, total: told.append((done, total)))
    after = stamps(tmp_path)
    assert {name.split("/")[1] for name in before if before[name] != after[name]} == {"b"}
    assert told[0] == (4, 8)
    assert [m.captions for m in again] == [m.captions for m in first]


def test_material_holds_frames_guides_and_truth(tmp_path, clips):
    material = adapter(tmp_path, clips).materials("one", None, lambda done, total: None)[0]
    record, caption = material.crop(1, 0, 0, 48, 64), material.captions[1]
    assert record.guides.shape == (4, 48, 64, 3)
    for image, wanted in ((record.frame, clips[0].frames), (record.truth, clips[0].truth)):
        assert torch.equal(torch.tensor(image).permute(2, 0, 1), (255 * wanted.tensor(caption.index)).round().byte())


@pytest.mark.parametrize(("teach", "guides"), [("sharp-frames", 2), ("truth", 0)])
def test_a_network_without_guides_has_no_more_aligned_than_the_label(tmp_path, clips, teach, guides):
    network = EstRnn(EstRnnConfig(features=4, blocks=1))
    config = replace(CONFIG, teach=teach)
    material = adapter(tmp_path, clips, config, network).materials("one", None, lambda done, total: None)[0]
    assert material.crop(0, 0, 0, 8, 8).guides.shape[0] == guides


@pytest.mark.slow
def test_the_material_of_the_first_stage_does_not_outlive_it(tmp_path, clips, monkeypatch):
    seen = []
    real = making.align_guides

    def align(*words):
        seen.append((tmp_path / "one").exists())
        return real(*words)

    monkeypatch.setattr(making, "align_guides", align)
    adapter(tmp_path, clips).run()
    assert seen == [True] * 8 + [False] * 8
