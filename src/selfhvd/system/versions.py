"""Versions of everything that has a say in the result."""

from importlib.metadata import version


def versions() -> dict[str, str]:
    """Package name to version."""
    return {name: version(name) for name in ("selfhvd", "torch", "torchvision", "av", "opencv-python-headless")}
