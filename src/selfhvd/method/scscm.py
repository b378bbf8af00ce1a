"""SCSCM, self-constrained spatial consistency: an earlier copy of the model holds the output in place (Eq. 9).

Its loss (Eq. 10) is a part of the second stage, see `stages`.
"""

import copy
from dataclasses import dataclass

from selfhvd.backbones.backbone import Backbone


@dataclass(frozen=True)
class ProbeScores:
    """How a model does on the probe frames."""

    drift: float
    """Median flow between output D(B)_i and input B_i, pixels."""
    sharpness: float
    """Mean v_l of the output."""
    ceiling: float
    """Mean v_l of the nearest sharp frames: a truthful output is not much sharper than these."""
    trial: float = 0.0
    """Mean PSNR on the clip's sharp frames, re-blurred, dB (see `extensions.reblur_validation`)."""

    def may_replace(self, kept: "ProbeScores", tolerance: float, gain: float = 0.0) -> bool:
        """The paper's test: still aligned with the input, and sharper than the previous output.

        Aligned means that the drift grew by no more than `tolerance` pixels, sharper that v_l grew by more than the
        part `gain` of it (derived: the paper gives no numbers). An output sharper than the sharp frames themselves is
        made of artefacts and does not pass (derived).
        """
        sharper = self.sharpness > (1 + gain) * kept.sharpness
        return self.drift <= kept.drift + tolerance and sharper and self.sharpness <= self.ceiling


class Snapshot:
    """Θ_De: the frozen parameters of an earlier iteration, replaced at most `updates` times.

    The first ones, of the iteration e at which the second stage begins, are no update.
    """

    def __init__(
        self, network: Backbone, standing: ProbeScores, *, updates: int, tolerance: float, gain: float = 0.0
    ) -> None:
        self.network = _frozen_copy(network)
        self.standing = standing
        self.updates_left = updates
        self.tolerance, self.gain = tolerance, gain

    def offer(self, network: Backbone, standing: ProbeScores) -> bool:
        """Take over `network`'s parameters if its standing allows and an update is left; say whether it did."""
        if self.updates_left == 0 or not standing.may_replace(self.standing, self.tolerance, self.gain):
            return False
        self.network, self.standing = _frozen_copy(network), standing
        self.updates_left -= 1
        return True


def _frozen_copy(network: Backbone) -> Backbone:
    return copy.deepcopy(network).eval().requires_grad_(False)
