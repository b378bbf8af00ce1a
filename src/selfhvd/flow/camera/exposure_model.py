"""Numbers of the path of an exposure, its fit and what is believed of it: the same wherever it is looked for (ours)."""

SIDES = (120, 240, 720)
"""Longer side of the images, coarse to fine, at most."""
ROUNDS = (10, 8, 4)
"""Of Gauss-Newton on each of them, at most."""
SAMPLES = 120
"""Places along the longer side at which images are compared: they must be fine, the places need not be many
(docs/ablations.md#shutter.exact)."""
DETAIL = 15
"""Pixels a side of what counts as detail, where a path is judged; twice the path, if that is more, for less is wiped
out."""
TRIED = (0.5, 1.5, 3.0, 6.0, 10.0)
"""Lengths of straight paths tried first, coarse pixels, in eight directions each."""
ODDITY = 0.5
"""Acceleration that is as likely as not, as part of the speed."""
DARK = 0.01
"""Light, 0..1, from which on a difference counts as much as it is seen, in codes: there noise and coding errors are
even, in light they grow with it (docs/ablations.md#shutter.light)."""
LEAST_REACH = 2.0
"""Pixels of the finest level; a shorter path hides no part of a pixel that could be told from noise."""
LONGEST = 0.3
"""Of the diagonal: a longer path in one exposure is no hand's (docs/ablations.md#shutter._LONGEST)."""
TURNING = 3.0
"""Acceleration, in multiples of the speed, beyond which a path is no hand's, unless it is short
(docs/ablations.md#shutter._TURNING)."""
SHORT, CLEAR = 6.0, 12.0
"""Speeds, pixels of the finest level, up to which how a path turns cannot be told, and with it where its middle lies:
its mean is taken; and from which on it can (docs/ablations.md#shutter._SHORT)."""
LIKELY = 0.7
"""Part of the pixels that is looked at to judge a path, the best ones: what moves on its own does not count."""
LEFT = 0.42
"""Part of the disagreement of detail without motion that a believed path leaves at most."""
STRANGE = 0.08
"""Disagreement of detail (1 - correlation) from which on the images do not show the same
(docs/ablations.md#shutter._STRANGE)."""
LEAST_OVERLAP = 0.2
"""Part of the places at which both images must be known."""
WHOLLY_KNOWN = 0.999
"""Of a place, as interpolated; below, part of the path left the image."""
MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation."""
DAMPING = 1e-3
"""Levenberg-Marquardt's, as part of the diagonal."""
TURN = 137.0
"""Of the unit, half a diagonal: one part of so many is how far a hand is as likely as not to turn or to draw nearer."""
PRIOR_WIDTH = 50.0
"""Pixels that homographies are free to move by."""
