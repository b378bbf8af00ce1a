"""Baselines, for comparison only: makers of supervised pairs out of a clip alone, for any network and the usual loop.

`RandomBlur` is Ren et al. 2020, `ReblurredRegions` is DaDeblur; docs/baselines.md says what of them is whose.
"""

from selfhvd.research.baselines.dadeblur import DaDeblurConfig, Prepared, ReblurredRegions, prepare
from selfhvd.research.baselines.hypercolumn import FeatureLoss, Hypercolumn, HypercolumnConfig
from selfhvd.research.baselines.idblau import DiffusionReblur, IdBlau, load_idblau
from selfhvd.research.baselines.kernels import KernelConfig, random_kernel
from selfhvd.research.baselines.pairs import Pair, Pairs, Share
from selfhvd.research.baselines.reblur import MotionReblur, Reblur
from selfhvd.research.baselines.ren import RandomBlur, RenConfig

__all__ = [
    "DaDeblurConfig",
    "DiffusionReblur",
    "FeatureLoss",
    "Hypercolumn",
    "HypercolumnConfig",
    "IdBlau",
    "KernelConfig",
    "MotionReblur",
    "Pair",
    "Pairs",
    "Prepared",
    "RandomBlur",
    "Reblur",
    "ReblurredRegions",
    "RenConfig",
    "Share",
    "load_idblau",
    "prepare",
    "random_kernel",
]
