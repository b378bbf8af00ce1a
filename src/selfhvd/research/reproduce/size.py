"""How small `--small` is: what is filmed, how long is trained, and the networks' reduced settings."""

from dataclasses import dataclass

NETWORKS: dict[str, dict[str, str]] = {
    "basicvsrpp": {
        "mid_channels": "16",
        "num_blocks": "2",
        "deform_groups": "8",
        "least_side": "4",
        "start": '"identity"',
    },
    "rvrt": {
        "width": "48",
        "blocks": "[1, 1, 1]",
        "depth": "1",
        "heads": "3",
        "deform_groups": "4",
        "deform_heads": "4",
        "least_side": "16",
    },
    "ifirnn": {"width": "8", "blocks": "2", "iterations": "2"},
    "estrnn": {"features": "6", "blocks": "4"},
}
"""Of untrained networks, in TOML. As published, BasicVSR++ begins with noise that so few steps do not overcome."""


@dataclass(frozen=True)
class Size:
    """Everything but the rows that has a say in the numbers of `--small`."""

    train: int = 3
    """Clips in the part that is learned from."""
    test: int = 2
    """Clips in the part that is tested on."""
    frames: int = 40
    """Of a clip."""
    objects: int = 3
    """In every so manieth clip something moves on its own; 0: in none."""
    width: int = 256
    height: int = 144
    steps: int = 240
    """Of both stages together; the first has a third, as in the recipes."""
    crop: int = 64
    window: int = 5
    """Frames."""
    rate: float = 1e-3
    """First learning rate: there are few steps."""

    def changes(self, backbone: str, scratch: bool) -> list[str]:
        """The keys by which a recipe of the paper becomes small; a row's own keys win over them."""
        first = max(1, self.steps // 3)
        second = max(1, self.steps - first)
        settings = NETWORKS.get(backbone, {}) if scratch else {}
        return [
            'flow.name="dis"',
            # A quarter of the paper's frames has about as many pixels as these.
            "align.resolution=1.0",
            "align.occlusion_strength=0.8",
            f"method.align_every={max(first, second // 2)}",
            f"method.batch.crop={self.crop}",
            f"method.batch.window={self.window}",
            f"method.stage_one.steps={first}",
            f"method.stage_two.steps={second}",
            *(f"method.{stage}.rate={self.rate}" for stage in ("stage_one", "stage_two")),
            "method.stage_one.flow_fixed=0",
            "save_every=50",
            *(f"network.settings.{key}={value}" for key, value in settings.items()),
        ]
