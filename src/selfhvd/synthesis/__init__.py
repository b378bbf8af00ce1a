"""Handheld clips with known truth, from still photos or from high-rate video."""

from selfhvd.synthesis.clip_folder import ClipFolder
from selfhvd.synthesis.clip_label import ClipLabel
from selfhvd.synthesis.exact_flow import exact_flow
from selfhvd.synthesis.exposure import Exposure
from selfhvd.synthesis.goproshake import GoProShake, make_goproshake
from selfhvd.synthesis.handheld import KINDS, Handheld, Kind, shoot
from selfhvd.synthesis.handheld_clips import HandheldClips, make_handheld
from selfhvd.synthesis.world import WORLD_KINDS, World, film_world

__all__ = [
    "KINDS",
    "WORLD_KINDS",
    "ClipFolder",
    "ClipLabel",
    "Exposure",
    "GoProShake",
    "Handheld",
    "HandheldClips",
    "Kind",
    "World",
    "exact_flow",
    "film_world",
    "make_goproshake",
    "make_handheld",
    "shoot",
]
