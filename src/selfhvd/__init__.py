"""selfhvd: deblur a handheld video by learning from the sharp frames it already contains.

    import selfhvd
    selfhvd.deblur("in.mp4", "out.mp4", preset="fast")

The method is in `selfhvd.method`, one file a step.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfhvd.errors import Stopped
    from selfhvd.extensions.scenes import SceneConfig
    from selfhvd.extensions.selection import SharpConfig
    from selfhvd.method.align import AlignConfig
    from selfhvd.report.facts import RunFacts
    from selfhvd.restore.config import RestoreConfig
    from selfhvd.run.config import DeblurConfig, preset_config
    from selfhvd.run.deblurrer import Deblurrer
    from selfhvd.run.job import deblur, inspect
    from selfhvd.training.config import AdaptConfig

__all__ = [
    "AdaptConfig",
    "AlignConfig",
    "DeblurConfig",
    "Deblurrer",
    "RestoreConfig",
    "RunFacts",
    "SceneConfig",
    "SharpConfig",
    "Stopped",
    "deblur",
    "inspect",
    "preset_config",
]

_HOMES = {
    "AdaptConfig": "selfhvd.training.config",
    "AlignConfig": "selfhvd.method.align",
    "DeblurConfig": "selfhvd.run.config",
    "Deblurrer": "selfhvd.run.deblurrer",
    "RestoreConfig": "selfhvd.restore.config",
    "RunFacts": "selfhvd.report.facts",
    "SceneConfig": "selfhvd.extensions.scenes",
    "SharpConfig": "selfhvd.extensions.selection",
    "Stopped": "selfhvd.errors",
    "deblur": "selfhvd.run.job",
    "inspect": "selfhvd.run.job",
    "preset_config": "selfhvd.run.config",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol's own signature
    """Import a public name when it is first asked for: torch takes seconds, and the decoder's process needs none."""
    if name == "__version__":
        from importlib.metadata import version

        return version("selfhvd")
    if name not in _HOMES:
        raise AttributeError(f"module 'selfhvd' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
