"""Tensors by name, and a network: whether they fit each other, and putting the ones into the other."""

from collections import defaultdict
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from selfhvd.weights.header import shown

Shapes = Mapping[str, tuple[int, ...]]


class MisfitError(ValueError):
    """What does not fit, in words that go on a sentence about a file."""


def outline(build: Callable[[], nn.Module]) -> nn.Module:
    """A network without its numbers: names and shapes only, so even a huge one takes no memory.

    Raises:
        MisfitError: it cannot be built.
    """
    try:
        with torch.device("meta"):
            return build()
    except Exception as error:  # the configuration is a stranger's: building may fail in any way
        raise MisfitError(f"its configuration does not describe a network ({shown(str(error))})") from error


def check_fit(shapes: Shapes, network: nn.Module) -> None:
    """Whether tensors of these names and shapes are exactly those of a network.

    Where a network has one tensor under several names, one of them is enough.

    Raises:
        MisfitError: names the first key that is missing, too many, or of another shape.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    same = _same_tensor(network)
    lacking = [name for name in wanted if not any(other in shapes for other in same.get(name, (name,)))]
    extra = [name for name in shapes if name not in wanted]
    wrong = [name for name, shape in shapes.items() if name in wanted and shape != wanted[name]]
    if lacking:
        raise MisfitError(f"it lacks {lacking[0]} of shape {list(wanted[lacking[0]])}{_and_more(lacking)}")
    if extra:
        raise MisfitError(f"it has {shown(extra[0])} of shape {list(shapes[extra[0]])}{_and_more(extra)} too many")
    if wrong:
        found, right = list(shapes[wrong[0]]), list(wanted[wrong[0]])
        raise MisfitError(f"its {wrong[0]} has the shape {found} instead of {right}{_and_more(wrong)}")


def put(state: Mapping[str, Tensor], network: nn.Module) -> None:
    """Copy tensors into a network, in the network's own number types; half precision is welcome.

    Raises:
        MisfitError: see `check_fit`; or a value is not finite, or a whole number stands for a real one.
    """
    check_fit({name: tuple(value.shape) for name, value in state.items()}, network)
    same, ready = _same_tensor(network), dict[str, Tensor]()
    for name, own in network.state_dict().items():
        value = state[next(other for other in same.get(name, (name,)) if other in state)]
        if own.is_floating_point() != value.is_floating_point():
            raise MisfitError(f"its {name} holds numbers of the kind {value.dtype} instead of {own.dtype}")
        ready[name] = value.to(own.dtype)
        if not ready[name].isfinite().all():
            raise MisfitError(f"it holds values that are not finite (NaN or infinite), first in {name}")
    network.load_state_dict(ready)


def own_tensors(network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors, each under one name, the first it goes by."""
    same = _same_tensor(network)
    own = {name: value for name, value in network.state_dict().items() if same.get(name, (name,))[0] == name}
    return {name: value.detach().cpu().contiguous() for name, value in own.items()}


def _same_tensor(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """For each name of a tensor all its names, in order."""
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for named in (network.named_parameters, network.named_buffers):
        for name, value in named(remove_duplicate=False):
            groups[id(value)].append(name)
    return {name: tuple(names) for names in groups.values() for name in names}


def _and_more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
