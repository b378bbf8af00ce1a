"""What a phone makes of light: exposure and colours that drift, a mosaic with noise, denoising, sharpening."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfhvd.synthesis.light import to_codes

Light = Float[np.ndarray, "height width 3"]
"""Linear, white at 1; more is cut off."""
_LEVELS = 65535


@dataclass(frozen=True)
class PhoneCamera:
    """One phone's, with its settings for a clip."""

    gains: Float[np.ndarray, "frame 3"]
    """By which red, green and blue are multiplied."""
    photons: float
    """That white is made of: its square root is the noise there."""
    read: float
    """Noise of the read-out, part of white."""
    denoising: float
    """Part of the noise that is smoothed away, 0 to 1."""
    sharpening: float
    """Part of what a Gaussian of one pixel takes that is added, on codes."""

    @staticmethod
    def drawn(rng: np.random.Generator, frames: int, brightness: float) -> "PhoneCamera":
        """`brightness`: of the whole clip, 1 = as the photo."""
        seconds = np.arange(frames) / max(1, frames)
        swing, phase = rng.uniform(0, 0.12, size=3) * [1, 0.3, 0.3], rng.uniform(0, 2 * np.pi, size=3)
        waves = 1 + swing * np.sin(2 * np.pi * rng.uniform(0.2, 1.0, size=3) * seconds[:, None] + phase)
        exposure, warm = waves[:, 0], waves[:, 1]
        gains = np.stack([exposure * warm, exposure, exposure / warm], axis=1) * brightness
        photons = float(np.exp(rng.uniform(np.log(1500), np.log(20000)))) * brightness
        return PhoneCamera(
            gains, photons, float(rng.uniform(0.0003, 0.002)), float(rng.uniform(0, 0.8)), float(rng.uniform(0, 0.8))
        )

    def truth(self, light: Light, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """Frame `index` without noise."""
        return self._finished(to_codes(light * self.gains[index]))

    def frame(self, rng: np.random.Generator, light: Light, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """The same as it comes."""
        raw = np.clip(_mosaic((light * self.gains[index]).astype(np.float32)), 0, 1)
        noise = rng.standard_normal(raw.shape, dtype=np.float32) * np.sqrt(raw / self.photons + self.read**2)
        image = to_codes(_demosaiced(np.clip(raw + noise, 0, 1).astype(np.float32)))
        if self.denoising:
            strength = 40 * self.denoising
            image = cv2.addWeighted(
                image, 1 - self.denoising, cv2.bilateralFilter(image, 5, strength, 2.0), self.denoising, 0
            )
        return self._finished(image)

    def _finished(self, image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """Sharpened."""
        return cv2.addWeighted(image, 1 + self.sharpening, cv2.GaussianBlur(image, (0, 0), 1.0), -self.sharpening, 0)


def _mosaic(light: Light) -> Float[np.ndarray, "height width"]:
    """What red, green, green and blue pixels of two by two see."""
    raw = light[..., 1].copy()
    raw[0::2, 0::2] = light[0::2, 0::2, 0]
    raw[1::2, 1::2] = light[1::2, 1::2, 2]
    return raw


def _demosaiced(raw: Float[np.ndarray, "height width"]) -> Light:
    """Along edges, as phones do."""
    levels = np.rint(raw * _LEVELS).astype(np.uint16)
    return cv2.demosaicing(levels, cv2.COLOR_BayerRGGB2RGB_EA).astype(np.float32) / _LEVELS
