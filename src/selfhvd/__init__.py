"""selfhvd: deblur a handheld video by learning from the sharp frames it already contains.

    import selfhvd
    selfhvd.deblur("in.mp4", "out.mp4", preset="fast")

The method is in `selfhvd.method`, one file a step.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfhvd.run.config import DeblurConfig, preset_config
    from selfhvd.run.deblurrer import Deblurrer
    from selfhvd.run.job import deblur, inspect

__all__ = ["DeblurConfig", "Deblurrer", "deblur", "inspect", "preset_config"]

_HOMES = {
    "DeblurConfig": "selfhvd.run.config",
    "Deblurrer": "selfhvd.run.deblurrer",
    "deblur": "selfhvd.run.job",
    "inspect": "selfhvd.run.job",
    "preset_config": "selfhvd.run.config",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol's own signature
    """Import a public name when it is first asked for: torch takes seconds, and the decoder's process needs none."""
    if name not in _HOMES:
        raise AttributeError(f"module 'selfhvd' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
