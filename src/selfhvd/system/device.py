"""Which processor a run uses, and in which numbers."""

from typing import TypeVar

import torch
from torch import nn

from selfhvd.errors import DeviceError, UsageError

Network = TypeVar("Network", bound=nn.Module)


def pick_device(name: str = "auto") -> torch.device:
    """`auto` (CUDA, else MPS, else CPU), `cpu`, `mps`, `cuda` or `cuda:N`.

    Raises:
        DeviceError: the device is not there.
        UsageError: the name is not known.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"There is no device called {name}; choose auto, cpu, mps, cuda or cuda:N.") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"This machine has no CUDA device {name}; choose the device auto.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("This machine has no MPS device; choose the device auto.")
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"The device {name} is not supported; choose auto, cpu, mps, cuda or cuda:N.")
    return device


def settle(network: Network, device: torch.device) -> Network:
    """Move a network to `device`, its two-dimensional convolutions laid out for speed."""
    network.to(device)
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def convolving(device: torch.device, bfloat16: bool) -> torch.autocast:
    """A context in which convolutions run in bf16, if `bfloat16` is wanted and the device computes in it.

    Where it does not, bf16 is made up of float32: on a CPU with AVX-512 but no bf16 `lite` restored 2.8 and learned
    3.3 times slower so.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16 and computes_bfloat16(device))


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the processor has instructions for bf16; MPS is taken to."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return True
    able = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch does not tell
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
