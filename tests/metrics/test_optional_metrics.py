"""LPIPS, MUSIQ and MANIQA through packages that only record how they are called."""

import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from selfhvd.errors import InputError, UsageError, WeightsError
from selfhvd.metrics.iqa import NoReference
from selfhvd.metrics.lpips import Lpips

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


class Network(torch.nn.Module):
    """As LPIPS is called: the mean difference of two images in [-1, 1]."""

    def forward(self, first, second, normalize=False):
        assert normalize, "the images are in [0, 1]"
        assert first.shape == second.shape == (1, 3, *first.shape[2:]) and first.max() <= 1
        return 2 * (first - second).abs().mean().view(1, 1, 1, 1)


def fake_lpips(monkeypatch, network=Network):
    module = ModuleType("lpips")
    asked = []

    def build(**options):
        asked.append(options)
        return network()

    module.LPIPS = build
    monkeypatch.setitem(sys.modules, "lpips", module)
    return asked


def fake_pyiqa(monkeypatch, score):
    module = ModuleType("pyiqa")
    asked = []

    def create_metric(name, device):
        asked.append((name, device))
        return score

    module.create_metric = create_metric
    monkeypatch.setitem(sys.modules, "pyiqa", module)
    return asked


def broken(*given, **named):
    raise OSError("no route to host.\nmore lines")


IMAGE = np.full((40, 50, 3), 51, np.uint8)


def test_lpips_is_called_as_it_wants(monkeypatch):
    asked = fake_lpips(monkeypatch)
    metric = Lpips()
    assert asked == [{"net": "alex", "version": "0.1", "verbose": False}]
    assert metric(IMAGE, IMAGE) == 0
    assert metric(IMAGE + np.uint8(51), IMAGE) == pytest.approx(0.4)


def test_lpips_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(UsageError, match=r"pip install '.\[lpips\]'"):
        Lpips()


def test_lpips_without_its_weights(monkeypatch):
    fake_lpips(monkeypatch, network=broken)
    with pytest.raises(WeightsError, match=r"could not be loaded \(no route to host\)\.$"):
        Lpips()


def test_no_reference_scores_are_called_as_they_want(monkeypatch):
    seen = []

    def score(image):
        seen.append(image)
        return torch.tensor([[100 * float(image.mean())]])

    asked = fake_pyiqa(monkeypatch, score)
    assert NoReference("musiq")(IMAGE) == pytest.approx(20)
    assert asked == [("musiq", torch.device("cpu"))]
    assert seen[0].shape == (1, 3, 40, 50) and seen[0].max() <= 1


def test_random_crops_are_the_same_for_every_call_and_leave_the_callers_draws_alone(monkeypatch):
    fake_pyiqa(monkeypatch, lambda image: torch.rand(()))
    metric = NoReference("maniqa")
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    first = torch.rand(1)
    assert metric(IMAGE) == metric(IMAGE)
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)


def test_no_reference_scores_without_package_weights_or_room(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(UsageError, match=r"forbids commercial use; install it with: pip install '.\[iqa\]'"):
        NoReference("musiq")

    def too_small(image):
        raise RuntimeError("crop is larger than the image")

    fake_pyiqa(monkeypatch, too_small)
    with pytest.raises(InputError, match=r"maniqa does not take frames of 50x40 \(crop is larger"):
        NoReference("maniqa")(IMAGE)
    sys.modules["pyiqa"].create_metric = broken
    with pytest.raises(WeightsError, match=r"weights of musiq could not be loaded \(no route to host\)\.$"):
        NoReference("musiq")


def test_the_extras_bring_the_packages_and_the_core_does_not():
    project = tomllib.loads(PROJECT.read_text())["project"]
    extras = project["optional-dependencies"]
    assert [line.split(">")[0] for line in extras["lpips"] + extras["iqa"]] == ["lpips", "pyiqa"]
    assert not any(line.startswith(("lpips", "pyiqa")) for line in project["dependencies"] + extras["dev"])
