"""Weights files: safetensors that name their network, so that it can be rebuilt from the file alone.

The file's texts hold the network's name under `backbone`, `flow` or `features` (by its table), its configuration as
JSON under `config`, and notes: where it came from, its licence, what it was trained on; of `lite` perhaps `ranges`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from selfhvd.backbones import BACKBONES
from selfhvd.backbones.backbone import Backbone
from selfhvd.backbones.lite import Lite
from selfhvd.errors import OutputError, WeightsError
from selfhvd.flow import FLOW_NETWORKS
from selfhvd.system.atomic import replacing
from selfhvd.weights.fit import MisfitError, check_fit, outline, own_tensors, put
from selfhvd.weights.header import Header, read_header, shown
from selfhvd.weights.pretrained_flow import PretrainedSpyNet, SpyNetConfig
from selfhvd.weights.ranges import RANGES, ranges_in
from selfhvd.weights.settings import SettingError, as_text, from_text
from selfhvd.weights.vgg import Vgg19, Vgg19Config

BASE_WEIGHTS = Path(__file__).parents[1] / "data" / "lite.safetensors"
"""First base weights of `lite`, shipped with the package; their card is `lite.md` beside them."""

Table = Mapping[str, tuple[type, type[nn.Module]]]
"""Name -> configuration and the network built from it."""

TABLES: Mapping[str, Table] = {
    "backbone": BACKBONES,
    "flow": FLOW_NETWORKS,
    "features": {"vgg19": (Vgg19Config, Vgg19), "spynet": (SpyNetConfig, PretrainedSpyNet)},
}
"""What a file can say it holds, and the networks of that kind."""


def save_weights(path: Path, network: nn.Module, name: str, notes: dict[str, str] | None = None) -> None:
    """Write weights, the network's name and its configuration; written aside, then renamed.

    Raises:
        OutputError: the file cannot be written.
    """
    kind = next((kind for kind, table in TABLES.items() if name in table), "backbone")
    texts = {**(notes or {}), kind: name, "config": as_text(network.config)}
    save_tensors(path, own_tensors(network), texts)


def save_tensors(path: Path, tensors: dict[str, Tensor], texts: dict[str, str]) -> None:
    """Write any safetensors file, aside and then renamed; see `save_weights`."""
    try:
        with replacing(path) as part:
            # `save_file` would make a file that only its owner may read.
            part.write_bytes(save(tensors, metadata=texts))
    except (SafetensorError, OSError) as error:
        raise OutputError(
            f"{path} cannot be written ({shown(str(error))}); check the folder and its free space."
        ) from error


def load_weights(path: Path, name: str | None = None) -> Backbone:
    """Rebuild a backbone from its file, whichever it is, or the one called `name` and no other.

    Raises:
        WeightsError: the file is missing, damaged, of an unknown or another network, or its tensors do not fit.
    """
    return cast(Backbone, load_network(path, "backbone", name))


def load_flow(path: Path, name: str | None = None) -> nn.Module:
    """Rebuild a flow network from its file; see `load_weights`."""
    return load_network(path, "flow", name)


def name_of(path: Path) -> str:
    """The name of the backbone in a file; raises as `load_weights`, but looks at the file's header only."""
    return _named(path, read_header(path), "backbone")


def holds(path: Path, header: Header) -> tuple[str, str]:
    """Kind (a key of `TABLES`) and name of the network in a file.

    Raises:
        WeightsError: it names none, or one that is not known here.
    """
    for kind, table in TABLES.items():
        if (name := header.texts.get(kind)) is not None:
            if name in table:
                return kind, name
            known = ", ".join(table)
            raise WeightsError(
                f"{path} holds {shown(name)}, not weights of a network known here ({known}); check the file."
            )
    raise WeightsError(
        f"{path} does not say that it holds weights of a network known here;"
        " `selfhvd weights convert` makes such a file of an official one."
    )


def load_network(path: Path, kind: str, name: str | None = None) -> nn.Module:
    """Rebuild the network of one of the kinds of `TABLES`; see `load_weights`."""
    header = read_header(path)
    found = _named(path, header, kind)
    if name not in (None, found):
        raise WeightsError(f"{path} holds weights of {found}, not of {name}; give another file, or ask for {found}.")
    build = _builder(path, header, TABLES[kind][found])
    try:
        # Everything that the header tells is settled before memory is taken.
        check_fit(header.shapes, outline(build))
        network = build()
        put(read_tensors(path), network)
        if isinstance(network, Lite) and RANGES in header.texts:
            network.ranges = ranges_in(header.texts[RANGES], network)
    except MisfitError as error:
        raise WeightsError(f"{path} does not fit {found}: {error}; fetch or convert it again.") from error
    return network.eval()


def _named(path: Path, header: Header, wanted: str) -> str:
    kind, name = holds(path, header)
    if kind != wanted:
        raise WeightsError(
            f"{path} holds the {kind} network {name}, but a {wanted} network is wanted; give another file."
        )
    return name


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file whose header was found good.

    Raises:
        WeightsError: they cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is not a weights file that can be read ({shown(str(error))}); fetch it again."
        ) from error


def _builder(path: Path, header: Header, entry: tuple[type, type[nn.Module]]) -> Callable[[], nn.Module]:
    config_class, network_class = entry
    try:
        config = from_text(header.texts.get("config", ""), config_class)
    except SettingError as error:
        raise WeightsError(f"{path} cannot be used: {error}; fetch or convert it again.") from error
    return lambda: network_class(config)
