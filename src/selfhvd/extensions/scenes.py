"""Scenes: where a clip is cut. Nothing is aligned, learned or blended across a cut.

PySceneDetect proposes; a shaking hand or a flash changes the picture as much as a cut does, so each proposal is looked
at: a cut is one only where no frame shortly before it shows what any frame shortly after it shows.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from selfhvd.extensions.selection import Selection, SharpConfig, Verdict, check_named, find_sharp
from selfhvd.system.ahead import ahead
from selfhvd.system.progress import Stage
from selfhvd.video.frame_source import Frames, FrameSlice

_LOOKED_AT = 192
"""Pixels of the longer side on which PySceneDetect looks."""
_OUTLINE = 96
"""Pixels of the longer side on which frames are compared; motion blur is small there."""
_FLAT = 1.5
"""Grey levels of contrast below which a frame shows nothing: black, white, a lens cap."""

Item = TypeVar("Item")
Outline = Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class SceneConfig:
    """What counts as a cut."""

    find: bool = True
    """False: the clip is taken for one scene."""
    change: float = 15.0
    """PySceneDetect's content value (mean change of hue, saturation and lightness, 0..255) from which a cut is looked
    for; its own default of 27 asks for more, because nothing looks again there."""
    alike: float = 0.72
    """Correlation, -1..1, from which two frames show the same: between shaken clips and cuts (derived;
    docs/ablations.md#scenes.alike)."""
    around: int = 8
    """Frames looked at on each side; shorter scenes are restored but not learned from."""


@dataclass(frozen=True)
class Scene:
    """Frames `start` to `end` (exclusive), and which of them are sharp, numbered from `start`."""

    start: int
    end: int
    selection: Selection

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, frames: Frames) -> Frames:
        """The scene's frames of its clip."""
        return frames if len(self) == len(frames) else FrameSlice(frames, self.start, self.end)


class CutFinder:
    """Takes the frames of a clip in order; a few of them are kept, reduced."""

    def __init__(self, config: SceneConfig = SceneConfig()) -> None:
        from scenedetect.detectors import ContentDetector

        self.cuts: list[int] = []
        """Numbers of the frames with which a new scene begins, ascending, without 0; known `around` frames later."""
        self._config, self._seen = config, 0
        self._detector = ContentDetector(threshold=config.change, min_scene_len=0)
        self._outlines: deque[Outline] = deque(maxlen=2 * config.around)
        self._proposed: deque[int] = deque()

    def add(self, image: Float[Tensor, "3 height width"]) -> None:
        """See the next frame, RGB in [0, 1]."""
        self.look(_picture(image))

    def look(self, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """The same, the frame already reduced by `_picture`."""
        from scenedetect import FrameTimecode

        self._outlines.append(_outline(picture))
        if self._detector.process_frame(FrameTimecode(self._seen, 30.0), picture) and self._seen > 0:
            self._proposed.append(self._seen)
        self._seen += 1
        if self._proposed and self._seen - self._proposed[0] == self._config.around:
            self._decide()

    def end(self) -> tuple[int, ...]:
        """All cuts, after the last frame."""
        while self._proposed:
            self._decide()
        return tuple(self.cuts)

    def _decide(self) -> None:
        cut = self._proposed.popleft()
        after = self._seen - cut
        if _nothing_shared(list(self._outlines)[:-after], list(self._outlines)[-after:], self._config):
            self.cuts.append(cut)


def find_cuts(
    frames: Frames,
    config: SceneConfig = SceneConfig(),
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, ...]:
    """Numbers of the frames with which a new scene begins, ascending, without 0."""
    finder = CutFinder(config)
    for i, picture in enumerate(ahead(lambda i: _picture(frames.tensor(i)), len(frames))):
        finder.look(picture)
        on_frame(i + 1, len(frames))
    return finder.end()


def find_scenes(
    frames: Frames,
    keyframes: Sequence[bool],
    config: SceneConfig = SceneConfig(),
    sharp: SharpConfig = SharpConfig(),
    on_progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> tuple[Scene, ...]:
    """Cut a clip into scenes and find the sharp frames of each.

    Args:
        frames: of the whole clip; read twice, one after the other.
        keyframes: which of them the codec coded on their own.
        config: what counts as a cut.
        sharp: how sharp frames are told from blurry ones.
        on_progress: told of the stages `scenes` and `select`.

    Raises:
        UsageError: `sharp` names a frame that the clip does not have.
    """
    count = len(frames)
    check_named(sharp.named, count)
    cuts = find_cuts(frames, config, lambda done, of: on_progress(Stage.SCENES, done, of)) if config.find else ()
    scenes: list[Scene] = []
    for start, end in pairwise((0, *cuts, count)):
        part = frames if not cuts else FrameSlice(frames, start, end)
        here = replace(sharp, named=tuple(n - start for n in sharp.named if start <= n < end))
        found = find_sharp(
            part,
            keyframes[start:end],
            here,
            lambda done, _, start=start: on_progress(Stage.SELECT, start + done, count),
        )
        scenes.append(Scene(start, end, found))
    return tuple(scenes)


def joined(scenes: Sequence[Scene]) -> Selection:
    """The selections of all scenes as one, for people to look at; frames count from the start of the clip."""
    if len(scenes) == 1:
        return scenes[0].selection
    parts = [scene.selection for scene in scenes]
    return Selection(
        sharpness=_chained(part.sharpness for part in parts),
        scores=_chained(part.scores for part in parts),
        threshold=sum(len(scene) * scene.selection.threshold for scene in scenes) / scenes[-1].end,
        sharp=tuple(scene.start + i for scene in scenes for i in scene.selection.sharp),
        by_segment=tuple(scene.start + i for scene in scenes for i in scene.selection.by_segment),
        verdict=_verdict({part.verdict for part in parts}),
        cuts=tuple(scene.start for scene in scenes[1:]),
        thresholds=tuple(part.threshold for part in parts),
        noise=max(part.noise for part in parts),
        halved=max(part.halved for part in parts),
        blur=_chained(part.blur for part in parts),
        unblurred=_chained(part.unblurred for part in parts),
        shaken=_chained(part.shaken for part in parts),
        rule=parts[0].rule,
        named=any(part.named for part in parts),
    )


def _verdict(verdicts: set[Verdict]) -> Verdict:
    return verdicts.pop() if len(verdicts) == 1 else "mixed"


def _chained(parts: Iterable[tuple[Item, ...]]) -> tuple[Item, ...]:
    return tuple(value for part in parts for value in part)


def _picture(frame: Float[Tensor, "3 height width"]) -> UInt8[np.ndarray, "rows columns 3"]:
    """Reduced, 8 bits, blue first."""
    planes = [_reduced(plane, _LOOKED_AT) for plane in frame.cpu().numpy()[::-1]]
    return (255 * cv2.merge(planes)).clip(0, 255).round().astype(np.uint8)


def _outline(picture: UInt8[np.ndarray, "rows columns 3"]) -> Outline:
    """What is neither fine, and lost to motion blur, nor broad, and changed by light."""
    grey = _reduced(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32), _OUTLINE)
    return cv2.GaussianBlur(grey, (0, 0), 1.0) - cv2.GaussianBlur(grey, (0, 0), 8.0)


def _reduced(image: np.ndarray, longest: int) -> np.ndarray:
    """To at most `longest` pixels on the longer side."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _nothing_shared(before: Sequence[Outline], after: Sequence[Outline], config: SceneConfig) -> bool:
    # The nearest pairs first: mostly the first already is alike, or none.
    nearest = before[: -config.around - 1 : -1]
    return not any(likeness(a, b) >= config.alike for b in after for a in nearest)


def likeness(one: Outline, other: Outline) -> float:
    """Correlation of the middle of one outline with where it fits best in the other, at most 1; both flat: 1."""
    flat = [outline.std() < _FLAT for outline in (one, other)]
    if any(flat):
        return float(all(flat))
    height, width = one.shape
    middle = (slice(height // 4, height - height // 4), slice(width // 4, width - width // 4))
    return max(
        float(cv2.matchTemplate(there, here[middle], cv2.TM_CCOEFF_NORMED).max())
        for here, there in ((one, other), (other, one))
    )
