"""Networks D(B; Θ) that deblur a clip; `BACKBONES` is the table of what there is."""

from selfhvd.backbones.backbone import Backbone, Needs
from selfhvd.backbones.lite import Lite, LiteConfig

BACKBONES: dict[str, tuple[type[LiteConfig], type[Lite]]] = {"lite": (LiteConfig, Lite)}

__all__ = ["BACKBONES", "Backbone", "Lite", "LiteConfig", "Needs"]
