"""Networks D(B; Θ) that deblur a clip; `BACKBONES` is the table of what there is."""

from selfhvd.backbones.backbone import Backbone, Needs
from selfhvd.backbones.lite import Lite, LiteConfig

BACKBONES: dict[str, tuple[type, type[Backbone]]] = {"lite": (LiteConfig, Lite)}
"""Name -> configuration (a frozen dataclass whose defaults are the published network) and network built from it."""

__all__ = ["BACKBONES", "Backbone", "Lite", "LiteConfig", "Needs"]
