"""Handheld clips with known truth, from still photos."""

from selfhvd.synthesis.handheld import KINDS, Exposure, Handheld, shoot

__all__ = ["KINDS", "Exposure", "Handheld", "shoot"]
