"""SCSCM: who may replace the snapshot, how often, and that nothing reaches it in between."""

import pytest
import torch

from selfhvd.backbones import Lite, LiteConfig
from selfhvd.method.scscm import ProbeScores, Snapshot


def standing(drift: float, sharpness: float) -> ProbeScores:
    return ProbeScores(float(drift), float(sharpness), ceiling=300.0)


KEPT = standing(0.2, 100)
TINY = LiteConfig(widths=(4, 4, 4), blocks=(1, 1, 1))


@pytest.mark.parametrize(
    ("drift", "sharpness", "wanted"),
    [
        (0.2, 120, True),
        (0.3, 120, True),  # grown by just the tolerance
        (0.31, 120, False),
        (0.0, 120, True),
        (0.2, 100, False),  # as sharp is not sharper
        (0.2, 99, False),
        (0.2, 300, True),  # at the ceiling
        (0.2, 301, False),
        (float("nan"), 120, False),
        (0.2, float("nan"), False),
    ],
)
def test_acceptance(drift, sharpness, wanted):
    assert standing(drift, sharpness).may_replace(KEPT, tolerance=0.1 + 1e-9) is wanted


def test_at_most_so_many_updates():
    network = Lite(TINY)
    snapshot = Snapshot(network, KEPT, updates=2, tolerance=0.1)
    taken = [snapshot.offer(network, standing(0.2, sharpness)) for sharpness in (110, 105, 120, 130)]
    assert taken == [True, False, True, False]
    assert snapshot.standing.sharpness == 120
    assert snapshot.updates_left == 0


def test_no_updates_at_all():
    assert not Snapshot(Lite(TINY), KEPT, updates=0, tolerance=0.1).offer(Lite(TINY), standing(0.1, 200))


def test_snapshot_is_frozen_and_apart():
    network = Lite(TINY).train()
    snapshot = Snapshot(network, KEPT, updates=1, tolerance=0.1)
    held = {key: value.clone() for key, value in snapshot.network.state_dict().items()}
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.rand(1, 1, 3, 8, 8)).square().sum().backward()
    optimiser.step()
    assert not torch.equal(network.tail.bias, held["tail.bias"])
    assert all(torch.equal(value, held[key]) for key, value in snapshot.network.state_dict().items())
    assert not any(p.requires_grad for p in snapshot.network.parameters())
    assert not snapshot.network.training
    assert network.training and all(p.requires_grad for p in network.parameters())


def test_an_accepted_offer_takes_the_parameters_of_that_moment():
    network = Lite(TINY)
    snapshot = Snapshot(network, KEPT, updates=1, tolerance=0.1)
    with torch.no_grad():
        network.tail.bias.fill_(0.5)
    assert snapshot.offer(network, standing(0.2, 120))
    with torch.no_grad():
        network.tail.bias.fill_(0.9)
    assert snapshot.network.tail.bias.eq(0.5).all()
    assert not snapshot.network.tail.bias.requires_grad


def test_a_refused_offer_leaves_the_snapshot():
    network = Lite(TINY)
    snapshot = Snapshot(network, KEPT, updates=1, tolerance=0.1)
    with torch.no_grad():
        network.tail.bias.fill_(0.5)
    assert not snapshot.offer(network, standing(5, 120))
    assert snapshot.network.tail.bias.eq(0).all() and snapshot.standing == KEPT and snapshot.updates_left == 1
