"""MUSIQ (Ke et al., ICCV 2021) and MANIQA (Yang et al., CVPRW 2022), scores without a reference.

They come from pyiqa, whose licence forbids commercial use. It is an optional extra, imported only when asked for.
"""

import importlib

import torch

from selfhvd.errors import InputError, UsageError, WeightsError
from selfhvd.metrics.definition import MEAN_OF_FRAMES, Definition, first_line
from selfhvd.video.frame import Picture, as_bytes, as_tensor

SEED = 0
"""Set before each frame: some versions of MANIQA look at random crops."""

MUSIQ = Definition(
    name="musiq",
    title="MUSIQ (KonIQ, 0-100)",
    better="higher",
    formula="pyiqa's `musiq` (weights for KonIQ-10k) of the result at its own size; no reference",
    colour="RGB, gamma-encoded, rounded to 8 bits",
    borders="none cut",
    averaging=MEAN_OF_FRAMES,
    libraries=("pyiqa",),
)
MANIQA = Definition(
    name="maniqa",
    title="MANIQA (KonIQ, 0-1)",
    better="higher",
    formula="pyiqa's `maniqa` (weights for KonIQ-10k) of the result at its own size, crops as this version of pyiqa "
    f"takes them, seed {SEED} before each frame; no reference",
    colour=MUSIQ.colour,
    borders="none cut",
    averaging=MEAN_OF_FRAMES,
    libraries=("pyiqa",),
    decimals=4,
)


class NoReference:
    """One of pyiqa's scores, by its name there: `musiq` or `maniqa`.

    Raises:
        UsageError: the package is not installed.
        WeightsError: the weights, which the package fetches when first used, are not to be had.
    """

    def __init__(self, name: str, device: torch.device = torch.device("cpu")) -> None:
        try:
            package = importlib.import_module("pyiqa")
        except ImportError:
            raise UsageError(
                "MUSIQ and MANIQA need the package pyiqa, whose licence forbids commercial use; "
                "install it with: pip install '.[iqa]'"
            ) from None
        try:
            self._score = package.create_metric(name, device=device)
        except (OSError, RuntimeError, ValueError) as error:
            raise WeightsError(f"The weights of {name} could not be loaded ({first_line(error)}).") from error
        self.name, self._device = name, device

    @torch.inference_mode()
    def __call__(self, image: Picture) -> float:
        """The score of one frame at its own size.

        Raises:
            InputError: the frame is too small for the network.
            UsageError: it is no `Picture`.
        """
        image = as_bytes(image)
        height, width, _ = image.shape
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(SEED)
            try:
                return float(self._score(as_tensor(image)[None].to(self._device)))
            except (RuntimeError, ValueError) as error:
                raise InputError(
                    f"{self.name} does not take frames of {width}x{height} ({first_line(error)})."
                ) from error
