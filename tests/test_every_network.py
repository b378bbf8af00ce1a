"""The whole job with each network and each flow, on weights made here, in small sizes of the published networks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import selfhvd
from clips_for_tests import film, quick, seconds, seen, views
from selfhvd.backbones import (
    BACKBONES,
    BasicVsrPp,
    BasicVsrPpConfig,
    EstRnnConfig,
    IfiRnnConfig,
    LiteConfig,
    RvrtConfig,
)
from selfhvd.errors import UsageError, WeightsError
from selfhvd.flow import FLOW_NETWORKS, RaftConfig, SeaRaftConfig
from selfhvd.weights import convert, load_weights, opening, save_weights, unpickle

SMALL = {
    "lite": LiteConfig(widths=(8, 8, 8), blocks=(1, 1, 1)),
    "ifirnn": IfiRnnConfig(width=4, blocks=1, iterations=1),
    "estrnn": EstRnnConfig(features=4, blocks=1),
    "basicvsrpp": BasicVsrPpConfig(mid_channels=8, num_blocks=1, deform_groups=4, least_side=32),
    "rvrt": RvrtConfig(width=24, blocks=(1, 1, 1), heads=2, deform_groups=4, deform_heads=4, least_side=32),
}


def made(name: str, config: object, table, folder: Path) -> Path:
    torch.manual_seed(1)
    path = folder / f"{name}.safetensors"
    save_weights(path, table[name][1](config), name)
    return path


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(
    "start", ["weights", pytest.param("from scratch", marks=[pytest.mark.slow, pytest.mark.unchecked])]
)
def test_every_backbone_deblurs_a_clip(tmp_path, name, start, monkeypatch):
    """With weights as they come; from scratch it has to learn."""
    source = film(tmp_path / "clip.mp4", views(8 if start == "weights" else 6))
    if start == "weights":
        config = replace(quick(backbone=name, steps=0), weights=made(name, SMALL[name], BACKBONES, tmp_path))
    else:
        monkeypatch.setitem(BACKBONES, name, (lambda: SMALL[name], BACKBONES[name][1]))
        config = quick(backbone=name, from_scratch=True)
        batch = replace(config.adapt.batch, window=min(3, config.adapt.batch.window))
        config = replace(config, adapt=replace(config.adapt, batch=batch))
    facts = selfhvd.deblur(source, tmp_path / "out.mp4", config=config, report=False)
    before, after = seen(source, tmp_path / "in"), seen(tmp_path / "out.mp4", tmp_path / "back")
    assert facts.network == name and (facts.adaptation.steps if facts.adaptation else 0) == 4 * (start != "weights")
    assert len(after) == len(before) and seconds(after) == seconds(before)


@pytest.mark.parametrize(
    ("flow", "network", "config"),
    [
        ("sea-raft-s", "sea-raft", SeaRaftConfig(size="s", iterations=1)),
        pytest.param("sea-raft-m", "sea-raft", SeaRaftConfig(size="m", iterations=1), marks=pytest.mark.slow),
        pytest.param("raft", "raft", RaftConfig(iterations=1), marks=pytest.mark.slow),
    ],
)
def test_every_flow_deblurs_a_clip(tmp_path, flow, network, config):
    source = film(tmp_path / "clip.mp4", views(3, sharp=(0,)))
    settings = replace(quick(steps=0), flow=flow, flow_weights=made(network, config, FLOW_NETWORKS, tmp_path))
    facts = selfhvd.deblur(source, tmp_path / "out.mp4", config=settings, report=False)
    assert facts.flow == flow and facts.frames == len(facts.sharpness_after) == 3


@pytest.mark.unchecked
@pytest.mark.slow
def test_basicvsrpp_from_a_checkpoint_of_the_official_layout(tmp_path, monkeypatch):
    """mmcv's container and prefix; what comes out of the job is what the network itself says."""
    torch.manual_seed(2)
    network = BasicVsrPp(SMALL["basicvsrpp"])
    state = {f"generator.{key}": value for key, value in network.state_dict().items()}
    torch.save({"meta": {}, "state_dict": {**state, "step_counter": torch.zeros(1)}}, tmp_path / "official.pth")
    # In this process; `test_unpickle` has one of its own.
    monkeypatch.setattr(opening, "_unpickle", lambda source, out, raw: unpickle.extract(source, out, 2**28, raw))
    convert(tmp_path / "official.pth", tmp_path / "ours.safetensors")
    loaded = load_weights(tmp_path / "ours.safetensors")
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in network.state_dict().items())
    source = film(tmp_path / "clip.mp4", views(8))
    config = replace(quick(backbone="basicvsrpp", steps=0), weights=tmp_path / "ours.safetensors")
    shown = []
    selfhvd.deblur(source, tmp_path / "out.mp4", config=config, on_frame=lambda i, f: shown.append(f.copy()))
    clip = seen(source, tmp_path / "in")
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        wanted = loaded(torch.stack([clip.tensor(i) for i in range(8)])[None])[0].float().clamp(0, 1)
    for i in (1, 2, 3, 6, 7):  # 0, 4 and 5 are sharp and handed through
        assert np.abs(shown[i] / 255 - wanted[i].permute(1, 2, 0).numpy()).max() < 0.02


def test_weights_of_another_network_are_refused(tmp_path):
    source = film(tmp_path / "clip.mp4", views(3))
    config = replace(quick(backbone="estrnn"), weights=made("lite", SMALL["lite"], BACKBONES, tmp_path))
    with pytest.raises(WeightsError, match="lite"):
        selfhvd.deblur(source, config=config)


def test_published_networks_without_weights_say_where_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "empty"))
    source = film(tmp_path / "clip.mp4", views(3))
    with pytest.raises(WeightsError, match="selfhvd weights list"):
        selfhvd.deblur(source, config=quick(backbone="basicvsrpp"))


def test_unknown_backbone_is_named(tmp_path):
    with pytest.raises(UsageError, match="There is no network called vrt"):
        selfhvd.deblur(film(tmp_path / "clip.mp4", views(3)), config=replace(quick(), backbone="vrt"))
