"""The inner levels of `lite` in whole numbers of 8 bits: half of bf16's time on a CPU that has instructions for them.

A value x is kept as a code from 0 to 255, x = (code - zero) · step, with one step for all of a tensor. Steps are
settled beforehand, by what values were seen at each place (`ranges_of`); what is beyond is cut off. The level at half
the resolution, where a coarse step would show, stays as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.utils import skip_init
from torch.utils.hooks import RemovableHandle

Ranges = Mapping[str, tuple[float, float]]
"""Least and largest value at each of the `places`."""
Values = Float[Tensor, "1 channel h w"]

_SLOPE = 0.1
"""Of the leaky rectifier inside each block."""
_ONEDNN: Any = torch.ops.onednn
_BLOCKS = ("down_quarter", "bottom", "up_quarter")
_BETWEEN = ("to_eighth", "from_eighth", "from_quarter")
_BOTH = "quarter"


def computes_int8(device: torch.device) -> bool:
    """Whether the processor multiplies whole numbers of 8 bits four at a time, and torch makes it do so."""
    return device.type == "cpu" and _has_instructions() and _works()


def _has_instructions() -> bool:
    able = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch does not tell
    return any(able.get(name, False) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


@cache
def _works() -> bool:
    """Whether torch calls it as it is called here, and sums do not overflow: largest codes with largest weights."""
    layer = skip_init(nn.Conv2d, 32, 8, 3, padding=1)  # first weights would be drawn at random, and change what follows
    assert isinstance(layer, nn.Conv2d) and layer.bias is not None
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        layer.weight.fill_(1.0)
        layer.bias.zero_()
        given = _Coded.of(torch.ones(1, 32, 6, 6), _Scale(1 / 255, 0))
        wanted = layer(torch.ones(1, 32, 6, 6))
        try:
            made = _Convolution(layer)
            added = made.onto(given, made.to(given, _Scale(1.5, 10)), _Scale(3.0, 10))
            found = made.to_values(given, torch.float32), 1.5 * (added.codes.float() - 10)
        except (RuntimeError, TypeError, AttributeError, NotImplementedError):
            return False
    return all(bool(((values - wanted).abs() <= 1.5).all()) for values in found)


def ranges_of(network: nn.Module, show: Callable[[], None]) -> dict[str, tuple[float, float]]:
    """Least and largest values inside a `lite` while `show` calls it, 0 among them."""
    found = dict.fromkeys(places(network), (0.0, 0.0))

    def see(place: str, values: Tensor) -> None:
        least, largest = found[place]
        found[place] = min(least, float(values.min())), max(largest, float(values.max()))

    def watched(place: str) -> RemovableHandle:
        if place == _BOTH:
            meeting = network.get_submodule("up_quarter")
            return meeting.register_forward_pre_hook(lambda _, given: see(_BOTH, cast(tuple[Tensor], given)[0]))
        return network.get_submodule(place).register_forward_hook(lambda _, __, made: see(place, cast(Tensor, made)))

    handles = [watched(place) for place in found]
    try:
        show()
    finally:
        for handle in handles:
            handle.remove()
    return found


def places(network: nn.Module) -> tuple[str, ...]:
    """Where values are kept in 8 bits: behind these layers, and where the way down and the way up meet."""
    blocks = [f"{name}.{number}" for name in _BLOCKS for number in range(len(_parts(network, name)))]
    return "to_quarter", "to_eighth", _BOTH, *blocks, *(f"{block}.first" for block in blocks)


def _parts(network: nn.Module, name: str) -> list[nn.Module]:
    return list(network.get_submodule(name).children())


@dataclass(frozen=True)
class _Scale:
    step: float
    zero: int

    @classmethod
    def over(cls, least: float, largest: float) -> "_Scale":
        """Codes for the values from `least` to `largest`, and for 0."""
        low, high = min(least, 0.0), max(largest, 0.0)
        step = max(high - low, 1e-6) / 255
        return cls(step, round(-low / step))


@dataclass(frozen=True)
class _Coded:
    codes: UInt8[Tensor, "1 channel h w"]
    """Channels last in memory."""
    scale: _Scale

    @classmethod
    def of(cls, values: Values, scale: _Scale) -> "_Coded":
        shifted = values.to(torch.float32, copy=True).mul_(1 / scale.step).add_(scale.zero + 0.5)
        return cls(shifted.clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last), scale)

    def rectified(self) -> "_Coded":
        """Of what is below zero only the tenth part."""
        values = (np.arange(256) - self.scale.zero) * self.scale.step
        values = np.where(values < 0, _SLOPE * values, values)
        scale = _Scale.over(values[0], values[-1])
        table = np.rint(values / scale.step + scale.zero).clip(0, 255).astype(np.uint8)
        rows = self._image.reshape(self.codes.shape[2], -1)
        return self._with(cv2.LUT(rows, table).reshape(self._image.shape), scale)

    def doubled(self) -> "_Coded":
        """Enlarged to twice the size, bilinearly."""
        height, width = self.codes.shape[-2:]
        return self._with(cv2.resize(self._image, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR), self.scale)

    @property
    def _image(self) -> UInt8[np.ndarray, "h w channel"]:
        return self.codes[0].permute(1, 2, 0).numpy()

    def _with(self, image: UInt8[np.ndarray, "h w channel"], scale: _Scale) -> "_Coded":
        return _Coded(torch.from_numpy(image).permute(2, 0, 1)[None], scale)


class _Convolution:
    """A layer with weights of 8 bits, a step for each channel that it makes."""

    def __init__(self, layer: nn.Conv2d) -> None:
        assert layer.bias is not None
        weight = layer.weight.detach().float()
        self._bias = layer.bias.detach().float()
        self._steps = weight.abs().amax(dim=(1, 2, 3)).clamp(min=1e-8) / 127
        self._zeros = torch.zeros(len(self._steps), dtype=torch.int64)
        self._weight = (weight / self._steps[:, None, None, None]).round().to(torch.int8)
        self._placed = list(layer.stride), list(layer.padding), [1, 1], 1
        self._packed: dict[_Scale, Tensor] = {}

    def to(self, given: _Coded, scale: _Scale) -> _Coded:
        made = _ONEDNN.qconv2d_pointwise(
            *self._given(given), self._bias, *self._placed, scale.step, scale.zero, torch.uint8, "none", [], None
        )
        return _Coded(made, scale)

    def to_values(self, given: _Coded, dtype: torch.dtype) -> Float[Tensor, "1 made h w"]:
        return _ONEDNN.qconv2d_pointwise(
            *self._given(given), self._bias, *self._placed, 1.0, 0, dtype, "none", [], None
        )

    def onto(self, given: _Coded, base: _Coded, scale: _Scale) -> _Coded:
        """`base` and what the layer makes of `given`, added; `base` is written over."""
        made = _ONEDNN.qconv2d_pointwise.binary(
            *self._given(given), base.codes, self._bias, *self._placed, scale.step, scale.zero, torch.uint8,
            base.scale.step, base.scale.zero, "sum", 1.0, "none", [], None,
        )  # fmt: skip
        return _Coded(made, scale)

    def _given(self, given: _Coded) -> tuple[Any, ...]:
        scale = given.scale
        if scale not in self._packed:
            self._packed[scale] = _ONEDNN.qconv_prepack(
                self._weight, self._steps, scale.step, scale.zero, *self._placed, None
            )
        return given.codes, scale.step, scale.zero, self._packed[scale], self._steps, self._zeros


class InnerInt8:
    """What lies between the two levels of half the resolution of a `lite`, with its weights as they are now."""

    def __init__(self, network: nn.Module, ranges: Ranges) -> None:
        self._scales = {place: _Scale.over(*range_) for place, range_ in ranges.items()}
        self._layers = {
            name: _Convolution(layer)
            for name, layer in network.named_modules()
            if isinstance(layer, nn.Conv2d) and name.split(".")[0] in (*_BLOCKS, *_BETWEEN)
        }
        self._first: nn.Module = network.get_submodule("to_quarter")
        self._counts = {name: len(_parts(network, name)) for name in _BLOCKS}

    def __call__(self, half: Float[Tensor, "1 channel h w"]) -> Float[Tensor, "1 channel h/2 w/2"]:
        """From the values at half the resolution those that are added to them, at a quarter."""
        quarter = _Coded.of(self._first(half), self._scales["to_quarter"])
        quarter = self._through("down_quarter", quarter)
        eighth = self._through("bottom", self._layers["to_eighth"].to(quarter, self._scales["to_eighth"]))
        # Enlarged before the layer instead of after it: the same, for it looks at single pixels.
        both = self._layers["from_eighth"].onto(eighth.doubled(), quarter, self._scales[_BOTH])
        return self._layers["from_quarter"].to_values(self._through("up_quarter", both), half.dtype)

    def _through(self, blocks: str, values: _Coded) -> _Coded:
        for number in range(self._counts[blocks]):
            name = f"{blocks}.{number}"
            inner = self._layers[f"{name}.first"].to(values, self._scales[f"{name}.first"]).rectified()
            values = self._layers[f"{name}.second"].onto(inner, values, self._scales[name])
        return values
