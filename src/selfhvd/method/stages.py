"""The two stages (Eq. 7, 13, 14): what each teaches; network and batch in, scalar loss out."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfhvd.method.batch import Batch, take
from selfhvd.method.losses import charbonnier, masked_l1
from selfhvd.method.perceptual import Perceptual
from selfhvd.method.scscm import Snapshot
from selfhvd.method.sevd import sevd_loss


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses, and which parts of the second stage are on (off only for ablation)."""

    perceptual: float = 1.0
    """λ_p of Eq. 13 and 14 (paper: 1)."""
    perceptual_weights: Literal["if-at-hand", "required"] = "if-at-hand"
    """Whether the term is left out where no VGG weights are at hand, or the training refused."""
    consistency: float = 1.0
    """λ_scscm of Eq. 14 (paper: 1); 0 switches SCSCM off."""
    least_visible: float = 0.5
    """τ of Eq. 8 (the author's later value; the paper's is not published)."""
    oversharp: float = 1.2
    """Times v_l of the sharp frame above which SIS takes an output for artefacts, or stage 2 runs away (derived;
    infinity is the paper's letter; docs/ablations.md#loss.oversharp)."""
    rscr: bool = True
    """Take sharp clues out of the input in the second stage."""
    removed: Literal["sharp", "any"] = "sharp"
    """any: as many frames, sharp or not, are taken out instead (the control of Table 6)."""
    sis: bool = True
    """Let the second stage learn from the better of label and own output. RSCR and SIS together are SEVD; with both off
    it goes on learning from the aligned sharp frames alone."""


def learn_truth(network: nn.Module, batch: Batch) -> Float[Tensor, ""]:
    """Plain supervised training: the way to base weights, and the upper bound."""
    return _mean(charbonnier(network(batch.frames, batch.guides, batch.trust), batch.target), batch)


def _mean(loss: Float[Tensor, "batch frame"], batch: Batch) -> Float[Tensor, ""]:
    """Not divided by the weights: so the mean over processes is the mean over the whole batch."""
    return (loss * batch.weight).mean()


@dataclass(frozen=True)
class StageOne:
    """L_stage1 = L_rec + λ_p L_p (Eq. 6, 11, 13): the output should look like the aligned sharp frame."""

    config: LossConfig
    perceptual: Perceptual | None

    def __call__(self, network: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """The guides of `batch` do not hold the label, so it cannot be copied."""
        output = network(batch.frames, batch.guides, batch.trust)
        return _mean(_likeness(output, batch.target, batch.mask, self.perceptual, self.config), batch)


@dataclass(frozen=True)
class StageTwo:
    """L_stage2 = L_sevd + λ_p L_p^sevd + λ_scscm L_scscm (Eq. 7, 8, 9, 10, 12, 14)."""

    config: LossConfig
    perceptual: Perceptual | None
    snapshot: Snapshot

    def __call__(self, network: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        """R̃ = D(B̃) against the better of S_{j→k} and R_k (SIS), and against the earlier model's R^e_k (SCSCM)."""
        output = network(batch.shown, batch.guides, batch.trust)
        if self.config.sis:
            own = _output_on_full_input(network, batch)
            loss = sevd_loss(output, own, batch, self._likeness, self.config.least_visible, self.config.oversharp)
        else:
            loss = self._likeness(output, batch.target, batch.mask)
        total = _mean(loss, batch)
        if self.config.consistency > 0:
            held = _output_on_full_input(self.snapshot.network, batch)
            total = total + self.config.consistency * masked_l1(output, held, torch.ones_like(batch.mask)).mean()
        return total

    def _likeness(
        self,
        output: Float[Tensor, "batch frame 3 height width"],
        target: Float[Tensor, "batch frame 3 height width"],
        mask: Float[Tensor, "batch frame 1 height width"],
    ) -> Float[Tensor, "batch frame"]:
        return _likeness(output, target, mask, self.perceptual, self.config)


@torch.no_grad()
def _output_on_full_input(network: nn.Module, batch: Batch) -> Float[Tensor, "batch frame 3 height width"]:
    """sg(D(B)_k): no gradient, so the current parameters need no copy (the paper draws one)."""
    return take(network(batch.frames, batch.all_guides, batch.all_trust), batch.standing)


def _likeness(
    output: Float[Tensor, "batch frame 3 height width"],
    target: Float[Tensor, "batch frame 3 height width"],
    mask: Float[Tensor, "batch frame 1 height width"],
    perceptual: Perceptual | None,
    config: LossConfig,
) -> Float[Tensor, "batch frame"]:
    loss = masked_l1(output, target, mask)
    if perceptual is not None and config.perceptual > 0:
        loss = loss + config.perceptual * perceptual(mask * output, mask * target)
    return loss
