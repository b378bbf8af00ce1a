"""Between a decoder's pixels and RGB, with the matrix and the range the stream says.

A stream that does not name its matrix is read and written as BT.601 with limited range at every size,
which is what swscale does; the same choice on both sides makes the round trip neutral, and the output is
left untagged like its source, so a player guesses for both alike. Likewise subsampled chroma is taken to lie in the
middle of its pixels on both sides, wherever the stream says it does: PyAV has no word for it when writing, and with
the stream's word heeded on reading alone colours moved half a pixel to the left.
"""

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation
from jaxtyping import UInt8, UInt16

from selfhvd.video.footage import Color
from selfhvd.video.frame import Frame

FULL = 2
LIMITED = 1
_SWSCALE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # AVColorSpace -> swscale's number
_BT601 = 5
_LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}  # Kr, Kb
_EXACT = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)


def known_matrix(color: Color) -> bool:
    """Whether the matrix is one that swscale can undo (or is not stated at all)."""
    return color.matrix in _SWSCALE or color.matrix in (0, 2)


def colour_of(frame: av.VideoFrame) -> Color:
    """The colour tags of a decoded frame; the deprecated `yuvj` formats mean full range."""
    full = frame.format.name.startswith("yuvj")
    return Color(
        range=FULL if full else int(frame.color_range),
        matrix=int(frame.colorspace),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
    )


def to_rgb(frame: av.VideoFrame, color: Color, *, deep: bool) -> Frame:
    """Decode `frame` to RGB, `height width 3`; `deep` gives uint16, else uint8. Alpha is dropped."""
    rgb = frame.format.is_rgb
    wanted = "rgb48le" if deep else "rgb24"
    converted = _unplaced(frame).reformat(
        format=wanted,
        src_colorspace=None if rgb else _SWSCALE.get(color.matrix, _BT601),
        src_color_range=None if rgb else (color.range or LIMITED),
        dst_color_range=FULL,
        interpolation=_EXACT,
        threads=1,
    )
    return np.ascontiguousarray(converted.to_ndarray())


def _unplaced(frame: av.VideoFrame) -> av.VideoFrame:
    """The same pixels without the decoder's word on where subsampled chroma lies."""
    if frame.format.chroma_width(16) == 16 and frame.format.chroma_height(16) == 16:
        return frame
    bare = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for source, plane in zip(frame.planes, bare.planes, strict=True):
        rows = np.frombuffer(bytes(source), np.uint8).reshape(source.height, source.line_size)
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        used = min(source.line_size, plane.line_size)
        padded[:, :used] = rows[:, :used]
        plane.update(padded.tobytes())
    return bare


def from_rgb(image: Frame, color: Color, pixel_format: str) -> av.VideoFrame:
    """Encode RGB `image` (`height width 3`, uint8 or uint16) as a `pixel_format` frame tagged `color`."""
    matrix = _SWSCALE.get(color.matrix, _BT601)
    if color.range == FULL:
        frame = _full_range(image, matrix, pixel_format)
    else:
        kind = "rgb24" if image.dtype == np.uint8 else "rgb48le"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=kind)
    yuv = frame.format.name.startswith("yuv")
    converted = frame.reformat(
        format=pixel_format,
        src_colorspace=matrix if yuv else None,
        src_color_range=FULL,
        dst_colorspace=matrix,
        dst_color_range=color.range or LIMITED,
        interpolation=_EXACT,
        threads=1,
    )
    converted.color_range = color.range
    converted.colorspace = color.matrix
    converted.color_primaries = color.primaries
    converted.color_trc = color.transfer
    return converted


def _full_range(image: Frame, matrix: int, pixel_format: str) -> av.VideoFrame:
    """RGB as full-range YUV 4:4:4: at the goal's own depth, but 16 bits before 8-bit chroma is averaged.

    Done here because swscale rounds full-range chroma down, half a step darker with every generation.
    """
    red, blue = _LUMA.get(matrix, _LUMA[_BT601])
    luma = np.array([red, 1 - red - blue, blue])
    blueness = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    redness = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    depth = next((bits for bits in (10, 12) if pixel_format.endswith(f"p{bits}le")), 8)
    averaged = depth == 8 and pixel_format != "yuv444p"
    top = 255 * 256 if averaged else 2**depth - 1  # white
    ceiling = 2**16 - 1 if averaged else top
    middle = 128 * 256 if averaged else 2 ** (depth - 1)  # grey, in the chroma planes
    white = 255.0 if image.dtype == np.uint8 else 65535.0
    if depth > 8 and image.dtype == np.uint16:
        white = float(top << (16 - depth))  # where `to_rgb` puts it
    scaled = np.stack([luma, blueness, redness]) * top / white
    offset = np.array([[0.5], [middle + 0.5], [middle + 0.5]])
    values = cv2.transform(image.astype(np.float32), np.hstack([scaled, offset]).astype(np.float32))
    values = np.clip(values, 0, ceiling)
    if averaged:
        frame = av.VideoFrame.from_ndarray(values.astype(np.uint16), format="yuv444p16le")
    else:
        planes = values.astype(np.uint8 if depth == 8 else np.uint16).transpose(2, 0, 1)
        frame = _of_planes(planes, "yuv444p" if depth == 8 else f"yuv444p{depth}le")
    frame.color_range = FULL
    return frame


def _of_planes(
    planes: UInt8[np.ndarray, "3 height width"] | UInt16[np.ndarray, "3 height width"], name: str
) -> av.VideoFrame:
    """A frame of three planes of one size."""
    frame = av.VideoFrame(planes.shape[2], planes.shape[1], name)
    for plane, values in zip(frame.planes, planes, strict=True):
        padded = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
        padded[:, : plane.width] = values
        plane.update(padded.tobytes())
    return frame
