"""Tiny handheld clips with a known share of blurry frames, and settings under which they take seconds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from selfhvd.run.config import DeblurConfig, preset_config
from selfhvd.video import Footage, ingest

MIXED = (0, 4, 5, 9)
"""The sharp ones of the twelve frames of a mixed clip."""
VFR = (0, 3000, 6100, 9000, 15000, 15900, 21000, 24000, 27100, 30000, 36000, 39000)
"""Twelve uneven times, ticks of 1/90000 s."""


def wall(side: int = 256) -> np.ndarray:
    """A pebbledash wall: as rich in detail here as there, so that sharpness does not hang on the view."""
    draw = np.random.default_rng(5)
    grain = cv2.GaussianBlur(draw.normal(size=(side, side)).astype(np.float32), (0, 0), 0.7)[..., None]
    stains = cv2.GaussianBlur(draw.normal(size=(side, side, 3)).astype(np.float32), (0, 0), 4.0)
    return np.clip(120 + 30 * grain / grain.std() + 30 * stains / stains.std(), 0, 255).astype(np.uint8)


def views(count: int = 12, width: int = 64, height: int = 48, sharp: Sequence[int] | Callable[[int], bool] = MIXED):
    """A window that wanders over a wall, smeared sideways in every frame but the sharp ones.

    Where none is sharp they are smeared crosswise: of what all share alike nobody could tell that it is a smear.
    """
    scene = wall()
    is_sharp = sharp if callable(sharp) else (lambda i: i in sharp)
    for i in range(count):
        left, top = (50, 10) if sharp is unmoved else (50 + (2 * i) % 40, 10 + i % 20)
        view = np.ascontiguousarray(scene[top : top + height, left : left + width])
        yield view if is_sharp(i) else cv2.blur(view, (1, 9) if sharp is never and i % 2 else (9, 5))


def always(index: int) -> bool:
    return True


def unmoved(index: int) -> bool:
    """Always, and the window stands still."""
    return True


def never(index: int) -> bool:
    return False


def film(path: Path, frames, *, times: Sequence[int] | None = None, sound: bool = False, rotation: int = 0) -> Path:
    """An H.264 clip of RGB frames at times in ticks of 1/90000 s, with sound if asked for."""
    with av.open(str(path), "w", container_options={"video_track_timescale": "90000"}) as out:
        video, audio = out.add_stream("libx264", rate=30, options={"crf": "8", "preset": "veryfast"}), None
        for index, image in enumerate(frames):
            if index == 0:
                video.height, video.width = image.shape[:2]
                video.pix_fmt = "yuv420p"
                video.codec_context.time_base = Fraction(1, 90000)
                if rotation:
                    video.set_display_rotation(rotation)
                audio = out.add_stream("aac", rate=48000) if sound else None
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p", dst_colorspace=1)
            frame.pts, frame.time_base = 3000 * index if times is None else times[index], Fraction(1, 90000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            hum(out, audio)
    return path


def hum(out, audio, blocks: int = 18) -> None:
    """Encode a tone into an audio stream."""
    for block in range(blocks):
        wave = (0.2 * np.sin((np.arange(1024) + 1024 * block) / 20)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, block * 1024, Fraction(1, 48000)
        out.mux(audio.encode(frame))
    out.mux(audio.encode(None))


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as out:
        hum(out, out.add_stream("aac", rate=48000), 4)
    return path


def paint(folder: Path, frames) -> Path:
    """The frames as a folder of PNG files."""
    folder.mkdir()
    for index, image in enumerate(frames):
        cv2.imwrite(str(folder / f"shot{index + 1}.png"), image[..., ::-1])
    return folder


def sound_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """(seconds, bytes) of each packet of sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]


def seen(path: Path, cache: Path) -> Footage:
    """What another program would find in a file; the cache is made where it is told."""
    return ingest(path, cache)


def seconds(footage: Footage) -> list[Fraction]:
    return [footage.seconds(i) for i in range(len(footage))]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def quick(
    preset="fast",
    *,
    backbone: str = "lite",
    from_scratch: bool = False,
    steps: int = 2,
    adapt_first: bool = False,
    **changes,
) -> DeblurConfig:
    """The preset on the CPU with so many steps a stage, few frames to learn from, flow found on small pictures.

    Steps are there to be taken, whether `adapt_first` says so or not. Who learns hands sharp frames on.
    """
    config = preset_config(preset, backbone=backbone, from_scratch=from_scratch, adapt_first=adapt_first or steps > 0)
    one, two = (replace(stage, steps=steps) for stage in (config.adapt.stage_one, config.adapt.stage_two))
    adapt = replace(config.adapt, stage_one=one, stage_two=two, frames=4, probes=2, checks=1)
    adapt = replace(adapt, batch=replace(adapt.batch, crop=48, size=1))
    config = replace(config, restore=replace(config.restore, which="blurry" if steps > 0 else config.restore.which))
    changes = {"align": replace(config.align, longest=48)} | changes
    return replace(config, device="cpu", adapt=adapt, **changes)
