"""A device without a device: tensors that say they lie on one, and refuse what a real one would have to be asked for.

Computed on the CPU. `meta` stands for the device's name, for torch takes it on every machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
aten = torch.ops.aten
_ASKS = {
    aten._local_scalar_dense,  # item, tolist, float, int, bool, if
    aten.is_nonzero,
    aten.equal,
    aten.nonzero,
    aten.masked_select,
    aten._unique2,
}
_INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._unsafe_index}


class LeftTheDeviceError(AssertionError):
    """Something would have been copied to the host, or waited for."""


class OnDevice(torch.Tensor):
    """A tensor on the simulated device."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor):
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            device=DEVICE,
        )  # fmt: skip
        made.inner = inner
        return made

    def __repr__(self) -> str:
        return f"OnDevice({tuple(self.shape)}, {self.dtype})"

    def numpy(self, *_, **__):
        raise LeftTheDeviceError("numpy")

    def tolist(self):
        raise LeftTheDeviceError("tolist")

    def new_tensor(self, data, dtype=None):
        return torch.tensor(data, dtype=dtype or self.dtype).to(DEVICE)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise LeftTheDeviceError(f"{func} outside of the simulation")


class SimulatedDevice(TorchDispatchMode):
    """While it is entered, `meta` is a device: what is copied there can be computed with and does not come back."""

    def __init__(self) -> None:
        super().__init__()
        self.may_leave = False
        self.left: list[torch.dtype] = []
        """Of what kind the numbers of each copy to the host were."""
        self.came: list[tuple[int, ...]] = []
        """The shape of each copy from the host."""

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Within, copies to the host are granted."""
        self.may_leave = True
        try:
            yield
        finally:
            self.may_leave = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        flat = (
            tree_leaves((args, kwargs))
            if any(type(arg) in (list, tuple) for arg in args)
            else [*args, *kwargs.values()]
        )
        there = [value for value in flat if isinstance(value, OnDevice)]
        target = kwargs.get("device")
        packet = func.overloadpacket
        if there:
            self._check(packet, args, flat, target)
        if target == DEVICE:
            self.came += [tuple(v.shape) for v in flat if isinstance(v, torch.Tensor) and not isinstance(v, OnDevice)]
            kwargs["device"] = torch.device("cpu")
        result = func(*(_inside(arg) for arg in args), **{name: _inside(value) for name, value in kwargs.items()})
        if there and target is not None and target != DEVICE:
            self.left.append(there[0].dtype)
        if not (target == DEVICE if target is not None else there):
            return result
        wrapped = OnDevice(result) if isinstance(result, torch.Tensor) else tree_map(_outside, result)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if _is_shared(func) else wrapped

    def _check(self, packet, args, flat, target) -> None:
        if packet in _ASKS:
            raise LeftTheDeviceError(f"{packet} asks the device")
        masks = args[1] if packet in _INDEXING else ()
        if any(isinstance(mask, torch.Tensor) and mask.dtype in (torch.bool, torch.uint8) for mask in masks):
            raise LeftTheDeviceError("how many a mask counts is known on the device alone")
        if target is not None and target != DEVICE and not self.may_leave:
            raise LeftTheDeviceError(f"{packet} to {target}")
        elsewhere = [v for v in flat if isinstance(v, torch.Tensor) and not isinstance(v, OnDevice) and v.ndim]
        if packet in _INDEXING:
            return  # places may be told by the host
        if elsewhere and not (packet is aten.copy_ and isinstance(args[0], OnDevice)):
            raise LeftTheDeviceError(f"{packet} of tensors in two places")


def _inside(value):
    if isinstance(value, (list, tuple)):
        return [_inside(each) for each in value]
    return value.inner if isinstance(value, OnDevice) else value


def _outside(value):
    return OnDevice(value) if isinstance(value, torch.Tensor) else value


@cache
def _is_shared(func) -> bool:
    """Whether what comes back is, or looks into, what was given."""
    return any(argument.alias_info is not None for argument in func._schema.arguments)


def moved(network: nn.Module) -> nn.Module:
    """A network on the simulated device, in place; within the simulation."""
    for module in network.modules():
        for name, value in module._parameters.items():
            if value is not None:
                module._parameters[name] = nn.Parameter(OnDevice(value.detach()), requires_grad=False)
        for name, value in module._buffers.items():
            if value is not None:
                module._buffers[name] = OnDevice(value.detach())
    return network
