"""The state of a training: read back as it was, refused where it is damaged."""

from pathlib import Path

import pytest
import torch

from selfhvd.backbones import Lite, LiteConfig
from selfhvd.errors import InputError, OutputError
from selfhvd.method.scscm import ProbeScores, Snapshot
from selfhvd.training.checkpoint import TrainState

BEFORE, LATER = ProbeScores(0.1, 2.0, 3.0, 20.1), ProbeScores(0.2, 2.5, 3.0, 20.5)
SMALL = LiteConfig(widths=(8, 8, 8), blocks=(1, 1, 1))


def network(seed: int, config: LiteConfig = SMALL) -> Lite:
    torch.manual_seed(seed)
    made = Lite(config)
    torch.nn.init.normal_(made.tail.weight)
    return made


def stepped(trained: Lite) -> dict:
    """The state of an optimiser after a step."""
    optimiser = torch.optim.Adam(trained.parameters(), lr=1e-3)
    trained(torch.rand(1, 1, 3, 8, 8)).mean().backward()
    optimiser.step()
    return optimiser.state_dict()


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture
def kept(tmp_path):
    """A network in its second stage, the course it took, and where both are kept."""
    trained = network(1)
    snapshot = Snapshot(network(2), LATER, updates=1, tolerance=0.3)
    course = TrainState(BEFORE, 2, 7, 40, stepped(trained), snapshot)
    course.save(tmp_path / "deep" / "state.ckpt", trained)
    return trained, course, tmp_path / "deep" / "state.ckpt"


def test_everything_is_read_back(kept):
    trained, course, path = kept
    other = network(3)
    found = TrainState.load(path, other, 0.3)
    assert same(other, trained)
    assert (found.before, found.stage, found.done, found.steps) == (BEFORE, 2, 7, 40)
    assert found.snapshot is not None and same(found.snapshot.network, course.snapshot.network)
    assert (found.snapshot.standing, found.snapshot.updates_left, found.snapshot.tolerance) == (LATER, 1, 0.3)
    for number, moments in course.optimiser["state"].items():
        assert all(torch.equal(moments[k], found.optimiser["state"][number][k]) for k in moments)
    assert found.optimiser["param_groups"] == course.optimiser["param_groups"]


def test_a_snapshot_read_back_is_frozen_and_apart(kept):
    _, _, path = kept
    other = network(3)
    held = TrainState.load(path, other, 0.3).snapshot.network
    assert not held.training and not any(p.requires_grad for p in held.parameters())
    with torch.no_grad():
        other.head.weight.zero_()
    assert held.head.weight.abs().max() > 0


def test_the_first_stage_has_no_snapshot(tmp_path):
    TrainState(BEFORE).save(tmp_path / "state.ckpt", network(1))
    assert TrainState.load(tmp_path / "state.ckpt", network(2), 0.1) == TrainState(BEFORE)


def test_nothing_is_left_beside_it(kept):
    assert [path.name for path in kept[2].parent.iterdir()] == ["state.ckpt"]


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_a_damaged_file_is_refused(kept, keep):
    path = kept[2]
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"state\.ckpt is no state of this training; remove it to begin anew"):
        TrainState.load(path, network(3), 0.1)


def test_the_state_of_another_network_is_refused(kept):
    with pytest.raises(InputError, match="no state of this training"):
        TrainState.load(kept[2], network(3, LiteConfig(widths=(8, 8, 16), blocks=(1, 1, 1))), 0.1)


def test_nothing_is_unpickled_but_tensors_numbers_and_texts(tmp_path):
    path = tmp_path / "state.ckpt"
    torch.save({"network": print}, path)
    with pytest.raises(InputError, match="no state"):
        TrainState.load(path, network(3), 0.1)


def test_what_was_there_before_stays_where_it_cannot_be_written(kept, monkeypatch):
    trained, course, path = kept
    before = path.read_bytes()

    def full(self, data):
        with self.open("wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"state\.ckpt cannot be written .*make room and run again"):
        course.save(path, trained)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["state.ckpt"]
