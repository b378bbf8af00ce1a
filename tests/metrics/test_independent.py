"""PSNR, SSIM and LPIPS against other people's code, within 1e-4: scikit-image, torchmetrics, and numbers by hand.

Ours count only SSIM windows that lie inside the frame; torchmetrics mirrors the frame at its borders and counts those
windows too, so its map is cut to ours before the mean. Ours of equal images is 100 dB, where the others give infinity.
scikit-image makes our SSIM, so it is asked for another thing here: the map of one channel at a time.
"""

import math
from itertools import product

import numpy as np
import pytest
import skimage.data
import torch
import torchvision
from skimage.metrics import mean_squared_error, structural_similarity
from torchmetrics.functional.image import (
    learned_perceptual_image_patch_similarity,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from selfhvd.metrics import psnr, ssim
from selfhvd.metrics.lpips import Lpips
from selfhvd.metrics.ssim import SIGMA, WINDOW

NEAR = 1e-4
NATURAL = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "hubble_deep_field")
SIDES = {"random": (70, 93), "window": (WINDOW, WINDOW), "narrow": (120, 12)}


def truth_of(name: str) -> np.ndarray:
    """A picture that comes with scikit-image, or random bytes."""
    if name in SIDES:
        return np.random.default_rng(3).integers(0, 256, (*SIDES[name], 3), dtype=np.uint8)
    return np.ascontiguousarray(getattr(skimage.data, name)()[60:220, 100:300])


def rounded(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


HARMS = {
    "faint noise": lambda image, rng: rounded(image + rng.normal(0, 1, image.shape)),
    "strong noise": lambda image, rng: rounded(image + rng.normal(0, 40, image.shape)),
    "shaken": lambda image, rng: rounded((image * 1.0 + np.roll(image, 3, 1) + np.roll(image, (2, 5), (0, 1))) / 3),
    "darker": lambda image, rng: rounded(0.7 * image),
    "another": lambda image, rng: rng.integers(0, 256, image.shape, dtype=np.uint8),
    "one level off": lambda image, rng: image ^ np.uint8(1),
}


CASES = [*product(("astronaut", *SIDES), HARMS), *zip(NATURAL[1:], HARMS, strict=False)]
"""Each harm done to a picture and to each odd size, each other picture harmed once."""


@pytest.fixture(params=CASES, ids="-".join)
def case(request, rng) -> tuple[np.ndarray, np.ndarray]:
    name, harm = request.param
    truth = truth_of(name)
    return HARMS[harm](truth, rng), truth


def tensor(image: np.ndarray) -> torch.Tensor:
    """With a batch axis, 0 to 255, in double precision: nobody's rounding is measured."""
    return torch.from_numpy(image).permute(2, 0, 1)[None].double()


def test_psnr(case):
    image, truth = case
    ours = psnr(image, truth)
    assert ours == pytest.approx(10 * math.log10(255**2 / mean_squared_error(truth, image)), abs=NEAR)
    assert ours == pytest.approx(float(peak_signal_noise_ratio(tensor(image), tensor(truth), 255.0)), abs=NEAR)


def test_ssim(case):
    image, truth = case
    ours, cut = ssim(image, truth), WINDOW // 2
    inner = (..., slice(cut, -cut), slice(cut, -cut))
    how = {"data_range": 255, "gaussian_weights": True, "sigma": SIGMA, "use_sample_covariance": False, "full": True}
    maps = [structural_similarity(image[..., c], truth[..., c], **how)[1] for c in range(3)]
    assert ours == pytest.approx(np.stack(maps)[inner].mean(), abs=NEAR)
    _, whole = structural_similarity_index_measure(
        tensor(image), tensor(truth), gaussian_kernel=True, sigma=SIGMA, data_range=255.0, return_full_image=True
    )
    assert ours == pytest.approx(whole[inner].mean().item(), abs=NEAR)


def test_errors_by_hand():
    """Half the pixels off by 3, half by 4: MSE 12.5, 37.162 dB. One of 4x5x3 values off by 255: 10 log10(60) dB."""
    truth = np.full((4, 6, 3), 100, np.uint8)
    image = truth + np.uint8(3)
    image[:2] = 96
    assert psnr(image, truth) == pytest.approx(37.1617, abs=NEAR)
    black = np.zeros((4, 5, 3), np.uint8)
    dot = black.copy()
    dot[2, 3, 1] = 255
    assert psnr(dot, black) == pytest.approx(17.7815, abs=NEAR)
    assert psnr(np.full_like(black, 255), black) == 0


def test_lpips(monkeypatch, rng):
    """With one and the same AlexNet of seeded weights in both, so that nothing is downloaded; the rest is published."""
    pytest.importorskip("lpips")

    def seeded(*given, **named):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return alexnet(weights=None)

    alexnet = torchvision.models.alexnet
    monkeypatch.setattr(torchvision.models, "alexnet", seeded)
    metric = Lpips()
    for name in ("astronaut", "chelsea", "random"):
        truth = truth_of(name)
        for harm in HARMS.values():
            image = harm(truth, rng)
            pair = [(tensor(x) / 255).float() for x in (image, truth)]
            theirs = learned_perceptual_image_patch_similarity(*pair, net_type="alex", normalize=True)
            assert theirs > 10 * NEAR or harm in (HARMS["faint noise"], HARMS["one level off"]), "too alike to tell"
            assert metric(image, truth) == pytest.approx(float(theirs), abs=NEAR)
