"""Networks D(B; Θ) that deblur a clip; `BACKBONES` is the table of what there is."""

from selfhvd.backbones.backbone import Backbone, Needs
from selfhvd.backbones.basicvsrpp import BasicVsrPp, BasicVsrPpConfig
from selfhvd.backbones.estrnn import EstRnn, EstRnnConfig
from selfhvd.backbones.ifirnn import IfiRnn, IfiRnnConfig
from selfhvd.backbones.lite import Lite, LiteConfig
from selfhvd.backbones.rvrt import Rvrt, RvrtConfig

BACKBONES: dict[str, tuple[type, type[Backbone]]] = {
    "lite": (LiteConfig, Lite),
    "ifirnn": (IfiRnnConfig, IfiRnn),
    "estrnn": (EstRnnConfig, EstRnn),
    "basicvsrpp": (BasicVsrPpConfig, BasicVsrPp),
    "rvrt": (RvrtConfig, Rvrt),
}
"""Name -> configuration (a frozen dataclass whose defaults are the published network) and network built from it."""

__all__ = [
    "BACKBONES",
    "Backbone",
    "BasicVsrPp",
    "BasicVsrPpConfig",
    "EstRnn",
    "EstRnnConfig",
    "IfiRnn",
    "IfiRnnConfig",
    "Lite",
    "LiteConfig",
    "Needs",
    "Rvrt",
    "RvrtConfig",
]
