"""FlowFormer++ through a flow zoo that only records how it is called."""

import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

import selfhvd
from clips_for_tests import film, quick, views
from selfhvd.errors import UsageError
from selfhvd.flow import FlowFormer

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


class Recorder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, inputs):
        self.images = inputs["images"]
        batch, _, _, height, width = self.images.shape
        return {"flows": torch.tensor([3.0, 5]).view(1, 1, 2, 1, 1).expand(batch, 1, 2, height, width)}


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, str]]:
    """An installed zoo; what it was asked for."""
    calls: list[tuple[str, str]] = []
    zoo = ModuleType("ptlflow")

    def get_model(name, ckpt_path=None):
        calls.append((name, ckpt_path))
        if "broken" in ckpt_path:
            raise KeyError("state_dict")
        return Recorder()

    zoo.get_model = get_model
    monkeypatch.setitem(sys.modules, "ptlflow", zoo)
    return calls


def test_the_zoo_is_called_as_it_wants(asked):
    flows = FlowFormer(Path("things.ckpt"))
    assert asked == [("flowformer_pp", "things.ckpt")] and flows.name == "flowformer++"
    first, second = torch.rand(2, 2, 3, 130, 141).unbind(0)
    flow = flows(first, second)
    images = flows.network.images
    assert images.shape == (2, 2, 3, 130, 141)
    assert torch.equal(images[:, 0], first[:, [2, 1, 0]]) and torch.equal(images[:, 1], second[:, [2, 1, 0]])
    assert flow.field.shape == (2, 2, 130, 141) and flow.field[0, :, 7, 9].tolist() == [3, 5]
    assert flow.certainty.shape == (2, 1, 130, 141) and flow.certainty.eq(1).all()
    assert not flows.network.training


def test_small_frames_are_enlarged(asked):
    flows = FlowFormer(Path("things.ckpt"))
    flow = flows(torch.rand(1, 3, 64, 32), torch.rand(1, 3, 64, 32))
    assert flows.network.images.shape == (1, 2, 3, 128, 128)
    torch.testing.assert_close(flow.field[0, :, 7, 9], torch.tensor([0.75, 2.5]))


def test_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ptlflow", None)
    with pytest.raises(UsageError, match=r"needs ptlflow; install it with: pip install '.\[flow-zoo\]'"):
        FlowFormer(Path("things.ckpt"))


def test_a_checkpoint_that_the_zoo_refuses(asked):
    with pytest.raises(UsageError, match=r"does not take broken\.ckpt"):
        FlowFormer(Path("broken.ckpt"))


def test_the_zoo_is_an_extra():
    project = tomllib.loads(PROJECT.read_text())["project"]
    assert any(needed.startswith("ptlflow") for needed in project["optional-dependencies"]["flow-zoo"])
    assert not any(needed.startswith("ptlflow") for needed in project["dependencies"])


@pytest.mark.slow
def test_the_whole_job_runs_on_it(asked, tmp_path):
    source = film(tmp_path / "clip.mp4", views(3, sharp=(0,)))
    config = replace(quick(steps=0), flow="flowformer++", flow_weights=Path("things.ckpt"))
    facts = selfhvd.deblur(source, tmp_path / "out.mp4", config=config, report=False)
    assert facts.flow == "flowformer++" and len(facts.sharpness_after) == 3
