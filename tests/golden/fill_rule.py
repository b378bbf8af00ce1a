"""Weights and inputs by rule, so that no trained file is needed: numpy alone decides every byte.

Every weight is a function of the entry's official bare name (without checkpoint prefixes such as "generator.") and of
its shape. Only + - * / and square roots are used: numpy 1.19 and 2.4 give the same bytes.
"""

import re
import zlib

import numpy as np

# n = standard normal numbers, float64, from default_rng(crc32 of the name); the first matching line decides.
#   std   number * n                        one   1 + number * n
#   gain  number / sqrt(fan_in) * n         pos   1 + number * |n|
#   keep  the network's own value           at    number + 0.1 * n
# fan_in = elements / shape[0], also for transposed convolutions.
RULES = [
    ("keep", r"(^|\.)spynet\.(mean|std)$|^(mean|std)$", 0),
    ("keep", r"num_batches_tracked$|relative_position_index$", 0),
    ("std", r"running_mean$", 0.1),
    ("pos", r"running_var$", 0.5),
    ("std", r"relative_position_bias_table$", 0.5),
    ("at", r"\.gamma$", 0.5),
    # Layers that close a residual branch, or that produce flows, offsets and residues.
    ("gain", r"basic_module\.\d+\.basic_module\.(4\.conv|8)\.weight$", 0.4),  # SPyNet, last layer of a level
    ("gain", r"basic_module\.\d+\.basic_module\..*weight$", 1.5),  # SPyNet, other layers
    ("gain", r"(^|\.)F_h\.[02]\.weight$", 0.7),
    ("gain", r"(^|\.)conv_offset\.(6|10)\.weight$", 0.3),
    ("gain", r"(^|\.)conv_last\.weight$", 0.3),
    ("gain", r"(^|\.)flow_head\.2\.weight$", 0.25),
    ("gain", r"(^|\.)upsample_weight\.2\.weight$", 2.0),
    ("gain", r"(^|\.)cnet\.final_conv\.weight$", 0.7),
    ("gain", r"(^|\.)fnet\.final_conv\.weight$", 1.0),
    ("gain", r"(^|\.)encoder\.conv(c1)?\.weight$", 0.6),
    ("gain", r"(^|\.)(RDBs\.\d+|rdb|F_h\.1)\.conv1x1\.weight$", 0.4),
    ("gain", r"(^|\.)recons\.model\.2\.weight$", 0.3),
    ("gain", r"(^|\.)backbone\.\w+\.main\.0\.weight$", 0.7),
    ("gain", r"(^|\.)backbone\.\w+\.main\.2\.\d+\.conv2\.weight$", 0.25),
    ("gain", r"(^|\.)deform_align\.\w+\.weight$", 1.4),
    ("gain", r"main_branch\.2\.weight$", 0.5),
    ("gain", r"residual_group\.blocks\.\d+\.(attn\.proj|mlp\.fc2)\.weight$", 0.5),
    ("gain", r"(^|\.)conv2\.weight$", 0.5),
]


def rule_for(name: str, shape: tuple[int, ...]) -> tuple[str, float]:
    """Kind and number for an entry."""
    for kind, pattern, number in RULES:
        if re.search(pattern, name):
            return kind, number
    if len(shape) >= 2:
        return "gain", 1.3
    return ("std", 0.05) if name.endswith("bias") else ("one", 0.1)


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """The values of one entry, float32; None = keep the network's own."""
    kind, number = rule_for(name, shape)
    if kind == "keep":
        return None
    n = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    values = {
        "std": lambda: number * n,
        "gain": lambda: number / np.sqrt(float(n.size // n.shape[0])) * n,
        "one": lambda: 1.0 + number * n,
        "pos": lambda: 1.0 + number * np.abs(n),
        "at": lambda: number + 0.1 * n,
    }[kind]()
    return values.astype(np.float32)


OCTAVES = ((29.0, 0.16), (13.0, 0.10), (6.0, 0.06), (3.0, 0.03))
"""Cell size in pixels and amplitude of the noise that the inputs show."""


def make_input(frames: int, height: int, width: int) -> np.ndarray:
    """Low-pass noise, uint8 `frames 3 height width`: two layers, a disc in front of a background.

    The background moves by (+2.6, -1.7) pixels a frame with a 1 % zoom, the disc by (-3.2, +2.3).
    """
    rng = np.random.default_rng(0)
    layers = [[rng.standard_normal((64, 64, 4)) for _ in OCTAVES] for _ in range(2)]
    yy, xx = np.meshgrid(np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64), indexing="ij")
    cy, cx = height / 2.0, width / 2.0
    radius2 = (0.27 * min(height, width)) ** 2
    out = np.empty((frames, 3, height, width), np.uint8)
    for t in range(frames):
        views = []
        for lattices, zoom, (vy, vx) in zip(layers, (1.0 + 0.01 * t, 1.0), ((-1.7, 2.6), (2.3, -3.2)), strict=True):
            y = (yy - cy) / zoom + cy - vy * t + 200.0
            x = (xx - cx) / zoom + cx - vx * t + 200.0
            image = np.zeros((height, width, 3))
            for lattice, (cell, amplitude) in zip(lattices, OCTAVES, strict=True):
                v = _value_noise(lattice, y / cell, x / cell)
                image = image + amplitude * (v[..., 3:4] + 0.5 * v[..., :3])  # common luminance + own colour
            views.append(0.5 + image)
        oy, ox = yy - cy - 2.3 * t, xx - cx + 3.2 * t
        disc = (oy * oy + ox * ox < radius2)[..., None]
        image = np.where(disc, views[1], views[0])
        image = np.floor(np.clip(image, 0.0, 1.0) * 255.0 + 0.5)
        out[t] = np.moveaxis(image, -1, 0).astype(np.uint8)
    return out


def _value_noise(lattice: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Smooth interpolation of a periodic 64x64xC lattice at real lattice coordinates."""
    y0, x0 = np.floor(y), np.floor(x)
    fy, fx = _fade(y - y0)[..., None], _fade(x - x0)[..., None]
    y0, x0 = y0.astype(np.int64), x0.astype(np.int64)
    a = lattice[y0 % 64, x0 % 64]
    b = lattice[y0 % 64, (x0 + 1) % 64]
    c = lattice[(y0 + 1) % 64, x0 % 64]
    d = lattice[(y0 + 1) % 64, (x0 + 1) % 64]
    top = a + (b - a) * fx
    bottom = c + (d - c) * fx
    return top + (bottom - top) * fy


def _fade(f: np.ndarray) -> np.ndarray:
    return f * f * (3.0 - 2.0 * f)
