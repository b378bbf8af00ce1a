"""LPIPS (Zhang et al., CVPR 2018): distance of learned features. Needs the extra `lpips`."""

import importlib
import warnings

import torch

from selfhvd.errors import UsageError, WeightsError
from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition, first_line
from selfhvd.video.frame import Picture, as_bytes, as_tensor, check_alike

LEAST_SIDE = 31
"""Pixels; AlexNet's layers shrink smaller images to nothing."""

LPIPS = Definition(
    name="lpips",
    title="LPIPS (AlexNet)",
    better="lower",
    formula="Zhang et al. 2018 against the truth: AlexNet features, linear weights of version 0.1, at full size",
    colour="RGB, gamma-encoded, rounded to 8 bits, scaled to [-1, 1]",
    borders="none cut",
    averaging=MEAN_OF_FRAMES,
    libraries=("lpips", "torchvision"),
    decimals=4,
)


class Lpips:
    """LPIPS of pairs of frames.

    Raises:
        UsageError: the package is not installed.
        WeightsError: AlexNet's weights, which the package fetches when first used, are not to be had.
    """

    def __init__(self, device: torch.device = torch.device("cpu")) -> None:
        try:
            package = importlib.import_module("lpips")
        except ImportError:
            raise UsageError("LPIPS needs the package lpips; install it with: pip install '.[lpips]'") from None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it asks torchvision for weights in an outdated way
                self._network = package.LPIPS(net="alex", version="0.1", verbose=False).to(device).eval()
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"The weights of LPIPS could not be loaded ({first_line(error)}).") from error
        self._device = device

    @torch.inference_mode()
    def __call__(self, image: Picture, truth: Picture) -> float:
        """0 for equal images, then upwards; both sides at least `LEAST_SIDE` pixels long.

        Raises:
            UsageError: one is no `Picture`, or they differ in size.
        """
        image, truth = as_bytes(image), as_bytes(truth)
        check_alike(image, truth)
        pair = [as_tensor(x)[None].to(self._device) for x in (image, truth)]
        return float(self._network(*pair, normalize=True))
