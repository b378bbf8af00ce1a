"""The stages' losses with a network of one number, so that loss and gradient can be worked out by hand."""

import pytest
import torch
from torch import nn

from selfhvd.backbones import Backbone, Lite, LiteConfig, Needs
from selfhvd.method.batch import Batch, take
from selfhvd.method.perceptual import Perceptual
from selfhvd.method.scscm import ProbeScores, Snapshot
from selfhvd.method.stages import LossConfig, StageOne, StageTwo, learn_truth

FRAME, FULL, LEFT, TARGET = 0.5, 0.3, 0.1, 0.9
"""Colours: B, the guide on the full input, the guide that RSCR left, the label."""


class Gain(Backbone):
    """Output = frame + gain * guide."""

    needs = Needs(multiple_of=1, guides=1)

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def deblur(self, frames, guides, trust):
        return frames + self.gain * (trust * guides)[:, :, 0]


def batch(*, visible: float = 1.0, mask: float = 1.0, checker: float = 0.2, standing=((0,),), frames=None) -> Batch:
    """A batch of flat crops; the target has a checker on it, so that it is the sharper one."""
    frames = torch.full((1, 1, 3, 8, 8), FRAME) if frames is None else frames
    count = frames.shape[1]
    y, x = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    pattern = checker * (((x + y) % 2).float() - 0.5)
    trust = torch.ones(1, count, 1, 1, 8, 8)
    return Batch(
        frames=frames,
        all_guides=torch.full((1, count, 1, 3, 8, 8), FULL),
        all_trust=trust,
        standing=torch.tensor(standing),
        guides=torch.full((1, count, 1, 3, 8, 8), LEFT),
        trust=trust,
        target=(TARGET + pattern).expand(1, count, 3, 8, 8),
        mask=torch.full((1, count, 1, 8, 8), mask),
        visible=torch.full((1, count), visible),
        weight=torch.ones(1, count),
    )


def snapshot(gain: float = 1.0) -> Snapshot:
    return Snapshot(Gain(gain), ProbeScores(0.0, 1.0, 1.0), updates=0, tolerance=0.0)


def stage_two(held: float = 1.0, **config) -> StageTwo:
    return StageTwo(LossConfig(**({"consistency": 0.0} | config)), None, snapshot(held))


def loss_and_slope(stage, given: Batch, gain: float = 1.0) -> tuple[float, float]:
    network = Gain(gain)
    loss = stage(network, given)
    loss.backward()
    return loss.item(), network.gain.grad.item()


def test_stage_one_is_the_masked_difference():
    """Output 0.5 + 0.1, label 0.9: |0.25 * 0.3|, falling by 0.25 * 0.1 with the gain."""
    loss, slope = loss_and_slope(StageOne(LossConfig(), None), batch(mask=0.25))
    assert loss == pytest.approx(0.075, rel=1e-5)
    assert slope == pytest.approx(-0.025, rel=1e-5)


def test_truth_is_taught_by_charbonnier():
    loss, _ = loss_and_slope(learn_truth, batch(checker=0.0, mask=0.0))
    assert loss == pytest.approx((0.3**2 + 1e-6) ** 0.5, rel=1e-5)


def test_a_visible_sharper_label_is_learned_from():
    assert loss_and_slope(stage_two(), batch())[0] == pytest.approx(0.3, rel=1e-5)


def test_else_the_own_output_on_the_full_input():
    """R~ = 0.5 + 0.1 g, R = 0.5 + 0.3 g. Only R~ is pulled: slope -0.1, not the +0.2 of a gradient through R too."""
    loss, slope = loss_and_slope(stage_two(), batch(visible=0.4))
    assert loss == pytest.approx(0.2, rel=1e-5)
    assert slope == pytest.approx(-0.1, rel=1e-5)


def test_own_target_is_not_masked():
    assert loss_and_slope(stage_two(), batch(visible=0.4, mask=0.1))[0] == pytest.approx(0.2, rel=1e-5)


def test_own_target_where_the_label_is_no_sharper():
    assert loss_and_slope(stage_two(), batch(checker=0.0))[0] == pytest.approx(0.2, rel=1e-5)


def test_threshold_of_visibility_comes_from_the_configuration():
    assert loss_and_slope(stage_two(least_visible=0.3), batch(visible=0.4))[0] == pytest.approx(0.3, rel=1e-5)


def test_without_sevd_it_is_the_reconstruction_loss():
    given = batch(visible=0.0, mask=0.25)
    assert loss_and_slope(stage_two(sis=False), given) == loss_and_slope(StageOne(LossConfig(), None), given)


def test_consistency_off_does_not_ask_the_snapshot():
    stage = stage_two(held=7.0)
    stage.snapshot.network.forward = None
    assert loss_and_slope(stage, batch())[0] == pytest.approx(0.3, rel=1e-5)


def test_consistency_holds_the_output_to_the_snapshot_on_the_full_input():
    """R^e = 0.5 + 2 * 0.3 = 1.1 with the snapshot's gain of 2; R~ = 0.6: 0.5 away, times 0.4, added to 0.3."""
    loss, slope = loss_and_slope(stage_two(held=2.0, consistency=0.4), batch())
    assert loss == pytest.approx(0.3 + 0.4 * 0.5, rel=1e-5)
    assert slope == pytest.approx(-0.1 - 0.4 * 0.1, rel=1e-5)


def test_the_snapshot_gets_no_gradient():
    stage = stage_two(held=2.0, consistency=1.0)
    loss_and_slope(stage, batch())
    assert stage.snapshot.network.gain.grad is None


def test_input_and_targets_are_those_of_the_frame_that_stands_there():
    """Position 0 shows frame 1 of B (0.7): R~ = 0.8 and R_k = 1.0. With k ignored the targets would be 0.8."""
    frames = torch.stack([torch.full((3, 8, 8), 0.5), torch.full((3, 8, 8), 0.7)])[None]
    given = batch(visible=0.0, frames=frames, standing=((1, 1),))
    assert loss_and_slope(stage_two(), given)[0] == pytest.approx(0.2, rel=1e-5)
    assert loss_and_slope(stage_two(sis=False, consistency=1.0), given)[0] == pytest.approx(0.1 + 0.2, rel=1e-5)


def test_take_puts_frames_in_place():
    clip = torch.arange(6.0).view(2, 3, 1, 1, 1).expand(2, 3, 3, 2, 2)
    assert take(clip, torch.tensor([[2, 0, 0], [1, 1, 2]]))[:, :, 0, 0, 0].tolist() == [[2, 0, 0], [4, 4, 5]]


@pytest.fixture
def tenfold(monkeypatch) -> Perceptual:
    """A perceptual loss that is ten times the mean difference."""
    monkeypatch.setattr(Perceptual, "__init__", lambda self: nn.Module.__init__(self))
    monkeypatch.setattr(
        Perceptual, "forward", lambda self, output, target: 10 * (output - target).abs().mean(dim=(-3, -2, -1))
    )
    return Perceptual()


@pytest.mark.parametrize(("visible", "wanted"), [(1.0, 0.25 * 0.3), (0.0, 0.2)])
def test_perceptual_term_sees_what_the_other_sees(tenfold, visible, wanted):
    """Masked images where the label is chosen, whole ones where the own output is."""
    stage = StageTwo(LossConfig(perceptual=0.5, consistency=0.0), tenfold, snapshot())
    loss, _ = loss_and_slope(stage, batch(visible=visible, mask=0.25))
    assert loss == pytest.approx(wanted * (1 + 0.5 * 10), rel=1e-5)


def test_perceptual_weight_of_zero_is_off():
    stage = StageOne(LossConfig(perceptual=0.0), None)
    assert loss_and_slope(stage, batch())[0] == pytest.approx(0.3, rel=1e-5)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_stage_two_reaches_every_weight_of_a_real_network(bfloat16):
    """Autocast keeps its casts of the weights: made without gradient first, they would cut the network off."""
    torch.manual_seed(0)
    network = Lite(LiteConfig(widths=(8, 8, 8), blocks=(1, 1, 1)))
    nn.init.normal_(network.tail.weight, std=0.01)
    two = torch.rand(1, 1, 2, 3, 8, 8), torch.ones(1, 1, 2, 1, 8, 8)
    given = batch()
    given = Batch(given.frames, *two, given.standing, *two, given.target, given.mask, given.visible, given.weight)
    stage = StageTwo(LossConfig(), None, Snapshot(network, ProbeScores(0.0, 1.0, 1.0), updates=0, tolerance=0.0))
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        loss = stage(network, given)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
