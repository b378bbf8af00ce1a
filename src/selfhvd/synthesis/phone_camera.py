"""What a phone makes of light: exposure, mosaic, noise, demosaicking, denoising, gamma, sharpening.

After RSBlur (Rim et al., ECCV 2022): light is clipped after it was blurred, and noise comes before demosaicking.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfhvd.ops.light import GAMMA

Light = Float[np.ndarray, "height width 3"]
_BLACK, _RANGE = 4096, 56000
"""Codes of the sensor, 16 bits: darkness, so that noise has room below it, and what light of 1 adds."""


@dataclass(frozen=True)
class PhoneCamera:
    """A phone's ways, the same for the whole clip but for slow changes."""

    gains: Float[np.ndarray, "frame rgb=3"]
    """Of exposure and white balance."""
    photons: float
    """What white is made of; fewer, more shot noise."""
    read: float
    """Standard deviation of read noise, parts of white."""
    denoising: float
    """In standard deviations of the noise; 0 = none."""
    sharpening: float
    """Share of the detail that is added once more."""

    @staticmethod
    def draw(rng: np.random.Generator, frames: int, dark: bool) -> "PhoneCamera":
        """A phone by day, or at night."""
        photons, read = (rng.uniform(400, 1500), rng.uniform(0.002, 0.005)) if dark else (
            rng.uniform(2000, 9000), rng.uniform(0.0005, 0.002))  # fmt: skip
        seconds = np.arange(frames) / 30
        waves = np.sin(2 * np.pi * rng.uniform(0.1, 0.4, 3) * seconds[:, None] + rng.uniform(0, 2 * np.pi, 3))
        exposure, red, blue = (waves * rng.uniform(0, [0.12, 0.03, 0.03])).T
        gains = np.exp(np.stack([exposure + red, exposure, exposure + blue], axis=1))
        return PhoneCamera(gains, photons, read, rng.uniform(0.5, 2.5), rng.uniform(0.1, 0.6))

    def truth(self, light: Light, frame: int) -> UInt8[np.ndarray, "height width 3"]:
        """Without noise, and so without denoising; all else, sharpening too, is as in `take`."""
        return self._develop(_demosaicked(_mosaic(self._exposed(light, frame))))

    def take(self, light: Light, frame: int, rng: np.random.Generator) -> UInt8[np.ndarray, "height width 3"]:
        """A frame as the phone gives it to its encoder; `light` may exceed 1."""
        raw = _mosaic(self._exposed(light, frame))
        noise = np.sqrt(raw / self.photons + self.read**2)
        noisy = _demosaicked(raw + noise * rng.standard_normal(raw.shape, dtype=np.float32))
        return self._develop(noisy, denoise=True)

    def _exposed(self, light: Light, frame: int) -> Light:
        return np.clip(light * self.gains[frame], 0, 1).astype(np.float32)

    def _develop(self, light: Light, denoise: bool = False) -> UInt8[np.ndarray, "height width 3"]:
        codes = np.clip(light, 0, 1) ** np.float32(1 / GAMMA)
        if denoise and self.denoising > 0:
            grey = 0.18  # the noise of middle grey, in codes
            noise = np.sqrt(grey / self.photons + self.read**2) * grey ** (1 / GAMMA - 1) / GAMMA
            codes = cv2.bilateralFilter(codes, 5, float(2 * self.denoising * noise), 1.5)
        grey = cv2.cvtColor(codes, cv2.COLOR_RGB2GRAY)
        detail = self.sharpening * (grey - cv2.GaussianBlur(grey, (0, 0), 1.0))
        return np.rint(255 * np.clip(codes + detail[..., None], 0, 1)).astype(np.uint8)


def _mosaic(light: Light) -> Float[np.ndarray, "height width"]:
    """Each pixel sees one colour: red and green in the first row, green and blue in the second."""
    raw = light[..., 1].copy()
    raw[::2, ::2], raw[1::2, 1::2] = light[::2, ::2, 0], light[1::2, 1::2, 2]
    return raw


def _demosaicked(raw: Float[np.ndarray, "height width"]) -> Light:
    codes = np.clip(np.rint(_BLACK + _RANGE * raw), 0, 65535).astype(np.uint16)
    padded = cv2.copyMakeBorder(codes, 2, 2, 2, 2, cv2.BORDER_REFLECT_101)
    colour = cv2.demosaicing(padded, cv2.COLOR_BayerRGGB2RGB_EA)[2:-2, 2:-2]
    return (colour.astype(np.float32) - _BLACK) / _RANGE
