"""Sharp-frame accuracy: how often the paper's choice of sharp frames agrees with labels."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selfhvd.errors import InputError, UsageError
from selfhvd.method.sharp_frames import select
from selfhvd.metrics.definition import Definition

SHARP_ACCURACY = Definition(
    name="sharp_accuracy",
    title="sharp-frame accuracy",
    better="higher",
    formula="share of the input's frames for which being in S (by the paper's rule: above Otsu's threshold on v_l, or "
    "the best of a segment in which no frame is) equals the given label",
    colour="RGB, gamma-encoded, rounded to 8 bits",
    borders="none cut",
    averaging="one number for the clip",
    libraries=("selfhvd", "scikit-image"),
    decimals=3,
)


def sharp_accuracy(decisions: Sequence[bool], labels: Sequence[bool]) -> float:
    """Share of equal entries, 0 to 1; both are as long as the clip.

    Raises:
        UsageError: they are not, or there are none.
    """
    if len(decisions) != len(labels) or not labels:
        raise UsageError(
            f"{len(decisions)} decisions cannot be compared with {len(labels)} labels; frames have one each."
        )
    agree = [decision == label for decision, label in zip(decisions, labels, strict=True)]
    return sum(agree) / len(agree)


def selection_accuracy(scores: Sequence[float], labels: Sequence[bool], segment: int) -> float:
    """How well S by the paper's rule agrees with the labels, 0 to 1; a bare segment's best is in S, as any other.

    Args:
        scores: v_l of each frame, as the rule `otsu` ranks them.
        labels: whether each frame is sharp.
        segment: frames a segment, at least 1.
    """
    return sharp_accuracy(select(np.asarray(scores, dtype=float), segment).tolist(), labels)


def read_labels(path: Path) -> tuple[bool, ...]:
    """Whether each frame is sharp: a JSON list, or one label a line; a label is 0, 1, or in JSON true or false.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as labels ({error}).") from error
    wrong = InputError(f"{path} holds no labels; write 0 (blurry) or 1 (sharp) for each frame, one a line or as JSON.")
    try:
        found = json.loads(text if text.lstrip().startswith("[") else f"[{','.join(text.split())}]")
    except ValueError as error:
        raise wrong from error
    if not found or any(label not in (0, 1) for label in found):
        raise wrong
    return tuple(bool(label) for label in found)
