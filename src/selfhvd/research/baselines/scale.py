"""The published sizes in pixels are meant for frames of 1280 x 720."""


def relative_size(height: int, width: int) -> float:
    """The shorter side of a frame over 720 pixels: what published sizes are multiplied by."""
    return min(height, width) / 720
