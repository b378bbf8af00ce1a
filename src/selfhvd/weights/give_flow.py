"""Give the flow network inside an untrained network its published weights."""

from pathlib import Path

from selfhvd.backbones.backbone import Backbone
from selfhvd.backbones.spynet import SpyNet
from selfhvd.errors import UsageError
from selfhvd.weights.file import load_network
from selfhvd.weights.layouts import layouts


def give_flow(network: Backbone, name: str, path: Path) -> None:
    """Let the flow network inside an untrained network start from the weights at `path`.

    Raises:
        UsageError: there is no such flow network inside it.
        WeightsError: the file cannot be read or holds something else.
    """
    inner = getattr(network, "spynet", None)
    if not isinstance(inner, SpyNet):
        raise UsageError(f"There is no SPyNet inside {name}; leave network.flow_weights out.")
    state = load_network(path, "features", "spynet").state_dict()
    wanted = dict(inner.named_parameters()).keys()
    fitting = next(way for way in layouts(state) if way.keys() == wanted)
    inner.load_state_dict(fitting, strict=False)  # mean and deviation of colours are its own
