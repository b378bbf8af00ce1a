"""CONTRIBUTING.md, "Add a backbone", followed to the letter: its code in its own file, its line in the table."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from doubles import Still
from selfhvd.backbones import BACKBONES
from selfhvd.extensions.selection import Selection
from selfhvd.restore.restorer import Restorer
from selfhvd.video.frame_source import ArrayFrames
from selfhvd.weights import load_weights, save_weights

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def section() -> str:
    return PAGE.read_text().split("## Add a backbone\n")[1]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The network, in the table."""
    (tmp_path / "tiny.py").write_text(section().split("```python\n")[1].split("```")[0])
    spec = importlib.util.spec_from_file_location("tiny", tmp_path / "tiny.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    name, config, network = re.search(r'Add `"(\w+)": \((\w+), (\w+)\)` to `BACKBONES`', section()).groups()
    monkeypatch.setitem(BACKBONES, name, (getattr(module, config), getattr(module, network)))
    torch.manual_seed(0)
    return BACKBONES[name][1](BACKBONES[name][0](width=4)).eval()


def test_takes_ten_lines():
    steps = section().split("```python")[0].strip().splitlines()
    assert len([line for line in steps if line]) <= 10


def test_takes_an_odd_clip(tiny):
    with torch.no_grad():
        for frames in (1, 2, 5):
            clip = torch.rand(1, frames, 3, 33, 41)
            output = tiny(clip)
            assert output.shape == clip.shape and not torch.equal(output, clip)


def test_is_saved_and_loaded_by_its_name(tiny, tmp_path):
    save_weights(tmp_path / "tiny.safetensors", tiny, "tiny")
    loaded = load_weights(tmp_path / "tiny.safetensors")
    clip = torch.rand(1, 3, 3, 33, 41)
    with torch.no_grad():
        assert loaded.config == tiny.config and torch.equal(loaded(clip), tiny(clip))


def test_restores_a_clip(tiny, rng):
    count = 12
    frames = ArrayFrames([rng.integers(0, 256, size=(33, 41, 3), dtype=np.uint8) for _ in range(count)])
    clear = tuple(i == 4 for i in range(count))
    chosen = Selection((1.0,) * count, (1.0,) * count, 0.5, (4,), (), "mixed", unblurred=clear)
    output = list(Restorer(tiny, frames, chosen, Still()))
    assert [frame.shape for frame in output] == [(3, 33, 41)] * count
    changed = [i for i, frame in enumerate(output) if not torch.equal(frame, frames.tensor(i))]
    assert changed == [i for i in range(count) if i != 4], "all but the sharp frame, which is handed through"
