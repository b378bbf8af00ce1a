"""Which flow a run gets, and what it says about it."""

import logging
from pathlib import Path

import pytest
import torch

import selfhvd
from golden import golden
from selfhvd.errors import UsageError, WeightsError
from selfhvd.flow import (
    CertaintyConfig,
    DeviceMotionFlow,
    Dis,
    GlobalMotionFlow,
    Raft,
    RaftFlow,
    SeaRaft,
    SeaRaftConfig,
    SeaRaftFlow,
    WindowFlow,
)
from selfhvd.run import deblurrer
from selfhvd.weights import cached, save_weights
from selfhvd.weights import choose_flow as flow_choice
from selfhvd.weights.choose_flow import choose_flow

CPU, GPU = torch.device("cpu"), torch.device("meta")
"""`meta` stands for a GPU: networks move there without a machine that has one."""
NETWORKS = {
    "m": lambda: SeaRaft(),
    "s": lambda: SeaRaft(SeaRaftConfig(size="s")),
    "raft": lambda: Raft(),
}


@pytest.fixture(autouse=True)
def cache(monkeypatch) -> dict[str, Path]:
    """The user's cache, and files named by what they hold."""
    known: dict[str, Path] = {}
    monkeypatch.setattr(flow_choice, "cached", known.get)

    def load_flow(path):
        with torch.device("meta"):
            network = NETWORKS[path.stem]()
        return network.to_empty(device=CPU)

    monkeypatch.setattr(flow_choice, "load_flow", load_flow)
    return known


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="selfhvd.weights.choose_flow")
    return lambda: [record.getMessage() for record in caplog.records]


def is_dis(predictor) -> bool:
    return isinstance(predictor, GlobalMotionFlow) and isinstance(predictor.free, Dis)


def test_auto_with_weights_and_a_gpu(cache, said):
    cache["sea-raft-m"] = Path("cache/m.safetensors")
    predictor = choose_flow("auto", device=GPU)
    assert isinstance(predictor, SeaRaftFlow) and predictor.name == "sea-raft-m"
    assert next(predictor.network.parameters()).device == GPU
    assert said() == ["flow: sea-raft-m, because its weights and a GPU are at hand (cache/m.safetensors)"]


def test_auto_without_a_gpu(cache, said):
    cache["sea-raft-m"] = Path("cache/m.safetensors")
    assert is_dis(choose_flow("auto", device=CPU))
    assert said() == ["flow: dis, because sea-raft-m wants a GPU and the run is on the CPU"]


def test_auto_without_weights(cache, said):
    cache["sea-raft-s"] = Path("cache/s.safetensors")
    assert is_dis(choose_flow(device=GPU))
    assert said() == ["flow: dis, because no weights of sea-raft-m are at hand"]


@pytest.mark.parametrize(("file", "name"), [("m", "sea-raft-m"), ("s", "sea-raft-s"), ("raft", "raft")])
@pytest.mark.parametrize("device", [CPU, GPU])
def test_auto_takes_the_weights_given(file, name, device, said):
    """Whoever gives weights means them, on a CPU too."""
    assert choose_flow("auto", Path(f"{file}.safetensors"), device).name == name
    assert said() == [f"flow: {name}, because its weights were given ({file}.safetensors)"]


def test_dis_by_name(cache, said):
    cache["sea-raft-m"] = Path("cache/m.safetensors")
    assert is_dis(choose_flow("dis", device=GPU))
    assert said() == ["flow: dis, as asked"]


@pytest.mark.parametrize(("device", "helper"), [(CPU, GlobalMotionFlow), (GPU, DeviceMotionFlow)])
@pytest.mark.parametrize("shutter", [True, False])
def test_every_flow_gets_the_camera_where_asked(device, helper, shutter):
    """On the run's own device; what is measured takes less for a motion than what is restored."""
    predictor = choose_flow("sea-raft-m", Path("m.safetensors"), device, shutter=shutter, camera=True)
    assert isinstance(predictor, helper) and isinstance(predictor.free, SeaRaftFlow)
    assert predictor.name == "sea-raft-m" and predictor.shutter == shutter
    assert predictor.near == (0.3 if shutter else 2.0) and predictor.free.network.config.size == "m"


def test_the_embedded_flow_on_a_device(said):
    predictor = choose_flow("dis", device=GPU, camera=True)
    assert isinstance(predictor, DeviceMotionFlow) and isinstance(predictor.free, WindowFlow)
    assert said() == ["flow: windows, as asked"]
    assert is_dis(choose_flow("dis", camera=True))
    assert is_dis(choose_flow("dis", device=torch.device("mps"), camera=True))


def test_weights_of_another_flow_with_the_camera():
    with pytest.raises(WeightsError, match="holds sea-raft-s, not sea-raft-m"):
        choose_flow("sea-raft-m", Path("s.safetensors"), camera=True)


def test_a_clip_asks_for_the_camera(monkeypatch):
    """A run on a clip does; recipes, measurements and baselines do not."""
    asked = {}
    monkeypatch.setattr(deblurrer, "choose_flow", lambda *_, **named: asked.update(named) or Dis())
    deblurrer.Deblurrer()
    assert asked == {"camera": True}
    root = Path(selfhvd.__file__).parent
    callers = [path for path in root.rglob("*.py") if "camera=True" in path.read_text()]
    assert callers == [root / "run" / "deblurrer.py"]


def test_dis_takes_no_weights():
    with pytest.raises(UsageError, match="takes no weights; give it none, or choose the flow auto"):
        choose_flow("dis", Path("m.safetensors"))


@pytest.mark.parametrize(("name", "file"), [("sea-raft-m", "m"), ("sea-raft-s", "s"), ("raft", "raft")])
def test_by_name(cache, said, name, file):
    cache[name] = Path(f"cache/{file}.safetensors")
    predictor = choose_flow(name)
    assert predictor.name == name and isinstance(predictor, RaftFlow if name == "raft" else SeaRaftFlow)
    assert choose_flow(name, Path(f"given/{file}.safetensors")).name == name
    assert said() == [f"flow: {name}, as asked"] * 2


@pytest.mark.parametrize("name", ["sea-raft-m", "sea-raft-s", "raft"])
def test_weights_that_are_not_at_hand(name, said):
    with pytest.raises(WeightsError) as caught:
        choose_flow(name, device=GPU)
    assert f"`selfhvd weights fetch {name}`" in str(caught.value) and "as the flow's weights" in str(caught.value)
    assert said() == []


@pytest.mark.parametrize(("name", "file", "held"), [("sea-raft-m", "s", "sea-raft-s"), ("raft", "m", "sea-raft-m")])
def test_weights_of_another_flow(name, file, held):
    with pytest.raises(WeightsError, match=f"holds {held}, not {name}"):
        choose_flow(name, Path(f"{file}.safetensors"))


def test_certainty_is_handed_on():
    wanted = CertaintyConfig(scale="per-image")
    assert choose_flow("sea-raft-s", Path("s.safetensors"), certainty=wanted).certainty == wanted


@pytest.mark.parametrize("name", ["sea-raft-s", "sea-raft-m", "raft"])
def test_names_are_known_to_the_cache(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path))
    assert cached(name) is None
    (tmp_path / f"{name}.safetensors").touch()
    assert cached(name) == tmp_path / f"{name}.safetensors"


def test_flowformer_needs_a_checkpoint():
    with pytest.raises(WeightsError, match=r"no weights for flowformer\+\+; give ptlflow's checkpoint as"):
        choose_flow("flowformer++")


def test_flowformer_by_name(monkeypatch, said):
    asked = []

    class Fake(Dis):
        def __init__(self, weights, device):
            super().__init__()
            self.name = "flowformer++"
            asked.append((weights, device))

    monkeypatch.setattr(flow_choice, "FlowFormer", Fake)
    assert choose_flow("flowformer++", Path("things.ckpt"), GPU).name == "flowformer++"
    assert asked == [(Path("things.ckpt"), GPU)] and said() == ["flow: flowformer++, as asked"]


def test_a_real_file(tmp_path, monkeypatch):
    """Saved, found again, and the same flow; the twin names of SEA-RAFT's norms do no harm."""
    monkeypatch.undo()
    torch.manual_seed(0)
    network, path = SeaRaft(SeaRaftConfig(size="s", iterations=1)), tmp_path / "s.safetensors"
    save_weights(path, network, "sea-raft")
    images = golden("searaft_s").input.unbind(1)
    found = choose_flow("sea-raft-s", path)
    assert torch.equal(found(*images).field, SeaRaftFlow(network)(*images).field)
    for helped in (choose_flow("sea-raft-s", path, camera=True), DeviceMotionFlow(found)):
        there = helped.motions(images[0][:1], [image[:1] for image in images])[1].there
        assert there.field.shape == images[0][:1, :2].shape and there.field.isfinite().all()
