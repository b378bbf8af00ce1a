"""Datasets as users have them on disk; `LAYOUTS` is the table of those that are known."""

from selfhvd.datasets.dataset import Dataset, DatasetClip
from selfhvd.datasets.labels import SharpLabel
from selfhvd.datasets.layouts import LAYOUTS, Layout, Part
from selfhvd.datasets.opening import open_dataset
from selfhvd.datasets.pairing import image_size

__all__ = ["LAYOUTS", "Dataset", "DatasetClip", "Layout", "Part", "SharpLabel", "image_size", "open_dataset"]
