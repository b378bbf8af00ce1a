"""The facts of one run: what `run.json` holds and the report shows."""

from dataclasses import dataclass

from selfhvd.extensions.selection import Selection
from selfhvd.training.config import Adaptation


@dataclass(frozen=True)
class RunFacts:
    """Everything a run found and did; every field is plain data once turned into a dict."""

    source: str
    output: str
    frames: int
    width: int
    """Pixels, upright."""
    height: int
    seconds: float
    """Length of the clip."""
    codec: str
    depth: int
    """Bits a channel."""
    selection: Selection
    sharpness_after: tuple[float, ...]
    """v_l of each output frame."""
    adaptation: Adaptation | None
    """None where the network was used as it came."""
    network: str
    weights: str
    """Where the network's first weights came from: `base`, `fetched`, a path, or `none` (from scratch)."""
    flow: str
    device: str
    preset: str
    seed: int
    settings: dict[str, object]
    """The merged configuration, nested plain data."""
    timings: dict[str, float]
    """Seconds by stage, in order."""
    warnings: tuple[str, ...]
    versions: dict[str, str]
    """selfhvd, torch, ffmpeg libraries."""
    fingerprint: str = ""
    """Of the source's content, see `selfhvd.run.fingerprint`; "" where it was not taken."""
    strength: float = 1.0
    """How much of the restoration was blended into the result, 0..1."""
    left: int = 0
    """Frames that came back as they came, because they were not blurred."""
    fps: str = ""
    """Frames per second of a folder of images, as a fraction; "" for what has times of its own."""
    part: str = ""
    """What of the clip was restored, in seconds of its own time: `10-20.5`, `10-end`; "" for all of it."""
    preview: float | None = None
    """Seconds of the preview that this is, None where the part was not chosen as one."""
    written_codec: str = "auto"
    """The codec asked for; `auto` is the source's own where the container carries it."""
    written_quality: float | int | None = None
    """The quality asked for, 0..100; None: as near the source's size as is not seen."""
