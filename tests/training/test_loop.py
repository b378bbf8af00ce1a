"""The loop: rate, guard against gradients that are not finite, early end, repeatability."""

from dataclasses import replace

import pytest
import torch

from selfhvd.backbones import Backbone, Lite, LiteConfig
from selfhvd.method.batch import Batch
from selfhvd.method.stages import learn_truth
from selfhvd.training.loop import LoopConfig, Step, cosine_rate, train

CONFIG = LoopConfig(steps=100, rate=1e-3, last_rate=1e-5)


@pytest.mark.parametrize(
    ("step", "wanted"),
    [(0, 1e-3), (25, 1e-5 + 0.5 * 9.9e-4 * (1 + 0.5**0.5)), (50, 5.05e-4), (100, 1e-5), (150, 1e-5)],
)
def test_cosine(step, wanted):
    assert cosine_rate(step, CONFIG) == pytest.approx(wanted, rel=1e-9)


def network() -> Lite:
    torch.manual_seed(0)
    return Lite(LiteConfig(widths=(4, 4, 4), blocks=(1, 1, 1)))


def batches(seed: int):
    generator = torch.Generator().manual_seed(seed)

    def draw(step: int) -> Batch:
        frames, target = torch.rand(2, 1, 1, 3, 8, 8, generator=generator)
        guides, trust = torch.rand(1, 1, 2, 3, 8, 8, generator=generator), torch.ones(1, 1, 2, 1, 8, 8)
        first, mask, whole = torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, 1, 8, 8), torch.ones(1, 1)
        return Batch(frames, guides, trust, first, guides, trust, target, mask, whole, whole)

    return draw


def weights(trained: Backbone) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trained.parameters()])


def run(steps: int = 4, seed: int = 0, loss_of=learn_truth, **options) -> torch.Tensor:
    trained = network()
    train(trained, batches(seed), loss_of, replace(CONFIG, steps=steps), **options)
    assert not trained.training
    return weights(trained)


def test_same_seed_same_weights():
    assert torch.equal(run(), run())
    assert not torch.equal(run(), run(seed=1))


def test_training_makes_the_loss_smaller():
    """One batch, over and over."""
    losses: list[float] = []
    given = batches(0)(0)
    train(network(), lambda step: given, learn_truth, replace(CONFIG, steps=25, rate=1e-2),
          after_step=lambda step: not losses.append(step.loss))  # fmt: skip
    assert losses[-1] < 0.8 * losses[0]


def test_first_step_is_as_long_as_the_rate():
    """Adam's first step is the rate along the sign of the gradient."""
    before = network().tail.bias.detach()
    trained = network()
    train(trained, batches(0), learn_truth, LoopConfig(steps=1, rate=1e-3))
    moved = (trained.tail.bias.detach() - before).abs()
    torch.testing.assert_close(moved.max(), torch.tensor(1e-3), rtol=1e-2, atol=0)


def test_a_gradient_that_is_not_finite_is_left_out():
    def poisoned(trained, batch):
        return learn_truth(trained, batch) * float("nan")

    assert torch.equal(run(loss_of=poisoned), weights(network()))


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_training_goes_on_after_a_bad_step(poison):
    """Bad first, good later: the weights move and stay finite."""
    told: list[int] = []

    def sometimes(trained, batch):
        return learn_truth(trained, batch) * (poison if not told else 1.0)

    after = run(loss_of=sometimes, after_step=lambda step: not told.append(step.number))
    assert told == [1, 2, 3, 4]
    assert after.isfinite().all() and not torch.equal(after, weights(network()))


def test_false_ends_the_training():
    told: list[int] = []

    def until_second(step: Step) -> bool:
        told.append(step.number)
        return step.number < 2

    stopped = run(steps=4, after_step=until_second)
    assert told == [1, 2]
    assert not torch.equal(stopped, run(steps=4))


def test_no_steps_change_nothing():
    assert torch.equal(run(steps=0), weights(network()))


def test_bfloat16_trains_float32_weights():
    trained = network()
    train(trained, batches(0), learn_truth, replace(CONFIG, steps=2, bfloat16=True))
    assert all(p.dtype == torch.float32 for p in trained.parameters())
    assert weights(trained).isfinite().all() and not torch.equal(weights(trained), weights(network()))
