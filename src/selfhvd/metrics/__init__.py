"""How good a result is: one file a metric, a function and the definition that goes with its number."""

from selfhvd.metrics.accuracy import sharp_accuracy
from selfhvd.metrics.definition import Definition
from selfhvd.metrics.drift import drift
from selfhvd.metrics.flicker import flicker, motion
from selfhvd.metrics.psnr import psnr
from selfhvd.metrics.sharpness import sharpness
from selfhvd.metrics.ssim import ssim

__all__ = ["Definition", "drift", "flicker", "motion", "psnr", "sharp_accuracy", "sharpness", "ssim"]
