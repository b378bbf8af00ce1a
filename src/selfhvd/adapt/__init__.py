"""Adapt: the two stages of the paper on one clip or on many, from given weights or from scratch."""

from selfhvd.adapt.adapter import Adapter
from selfhvd.adapt.clip import TrainingClip
from selfhvd.adapt.config import Adaptation, AdaptConfig
from selfhvd.adapt.course import DamagedState, Keeping, Stopped

__all__ = [
    "AdaptConfig",
    "Adaptation",
    "Adapter",
    "DamagedState",
    "Keeping",
    "Stopped",
    "TrainingClip",
]
