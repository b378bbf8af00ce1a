"""Between decoding and encoding nothing leaves the device, and on it the same comes out as on the CPU."""

import copy
import importlib
from contextlib import nullcontext
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from selfhvd.extensions.deflicker import steadied
from selfhvd.extensions.selection import Selection
from selfhvd.flow import DeviceMotionFlow
from selfhvd.method.align import Aligned
from selfhvd.ops.quantize import quantize, to_pixels
from selfhvd.restore.config import RestoreConfig
from selfhvd.restore.restorer import Restorer
from selfhvd.video.frame_source import ArrayFrames
from selfhvd.weights.choose_backbone import choose_backbone
from simulated_device import DEVICE, LeftTheDeviceError, OnDevice, SimulatedDevice, moved

pytestmark = pytest.mark.unchecked
HEIGHT, WIDTH = 64, 88
SHARP = (0, 2)
SCORES = (300.0, 20.0, 298.0)
SELECTION = Selection(SCORES, SCORES, 100.0, SHARP, (), "mixed")
CONFIG = RestoreConfig(each_side=2, steadiness=0.3, restored_guides=True)


def filmed(photo: np.ndarray) -> list[np.ndarray]:
    """Three frames that move by three pixels each, the second blurred by nine."""
    light = (photo[::2, ::2] / 255.0).astype(np.float32) ** 2.2

    def seen(time: float) -> np.ndarray:
        left, top = 60 + 3 * time, 50 + 2 * time
        place = np.array([[1, 0, left], [0, 1, top]], np.float32)
        return cv2.warpAffine(light, place, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)

    def exposed(time: int) -> np.ndarray:
        times = [time] if time in SHARP else np.linspace(time - 1.5, time + 1.5, 15)
        mean = np.mean([seen(t) for t in times], axis=0)
        return np.rint(255 * np.clip(mean, 0, 1) ** (1 / 2.2)).astype(np.uint8)

    return [exposed(time) for time in range(3)]


def restorer(frames: list[np.ndarray], *, there: bool = False) -> Restorer:
    network = choose_backbone("lite").eval()
    return Restorer(
        moved(network) if there else network, ArrayFrames(frames), SELECTION, DeviceMotionFlow(), config=CONFIG
    )


@pytest.fixture
def device(monkeypatch):
    """The simulated device, which has neither convolutions in bf16 nor an inference mode."""
    monkeypatch.setattr("selfhvd.restore.inference.convolving", lambda *_: nullcontext())
    monkeypatch.setattr(torch.inference_mode, "__enter__", lambda self: None)
    monkeypatch.setattr(torch.inference_mode, "__exit__", lambda self, *_: None)
    return SimulatedDevice()


def on_device(frames: list[np.ndarray], device: SimulatedDevice) -> list[np.ndarray]:
    """What is written of each frame."""
    written = []
    with device, torch.no_grad():
        for frame in restorer(frames, there=True).since(0):
            assert isinstance(frame, OnDevice)
            with device.leaving():
                written.append(to_pixels(frame))
    return written


@pytest.fixture(scope="module")
def frames(photo):
    return filmed(photo)


def test_nothing_leaves_the_device_before_it_is_written(frames, device):
    written = on_device(frames, device)
    assert device.left == [torch.uint8] * len(frames)
    # Each frame came once, and nothing else that would be waited for.
    assert device.came == [(3, HEIGHT, WIDTH)] * len(frames)
    on_cpu = [to_pixels(frame) for frame in restorer(frames).since(0)]
    for there, here in zip(written, on_cpu, strict=True):
        assert np.abs(there.astype(float) - here).mean() < 0.2


@pytest.mark.parametrize("sharp", [False, True])
def test_steadying_a_noisy_clip_stays_there(frames, device, sharp):
    image, other = (torch.from_numpy(frame).permute(2, 0, 1) / 255 for frame in frames[:2])
    mask = torch.ones(1, 1, HEIGHT, WIDTH)
    here = steadied(image, [Aligned(other[None], mask, mask, mask)], 0.3, 0.5, sharp)
    with device:
        image, other, mask = (values.to(DEVICE) for values in (image, other, mask))
        there = steadied(image, [Aligned(other[None], mask, mask, mask)], 0.3, 0.5, sharp)
        with device.leaving():
            torch.testing.assert_close(there.cpu(), here, atol=1e-4, rtol=0)


WAYS_OUT = {
    "cpu": lambda image: image.cpu(),
    "to": lambda image: image.to("cpu"),
    "numpy": lambda image: image.numpy(),
    "item": lambda image: image.sum().item(),
    "float": lambda image: float(image.max()),
    "tolist": lambda image: image[0].tolist(),
    "if": lambda image: bool(image.sum() > 0),
    "equal": lambda image: torch.equal(image, image),
    "nonzero": lambda image: image.nonzero(),
    "mask": lambda image: image[image > 0.5],
    "host": lambda image: torch.zeros(2, 2).copy_(image),
    "both": lambda image: image + torch.ones(2, 2),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_the_simulated_device_keeps_what_it_has(device, way):
    with device, pytest.raises(LeftTheDeviceError):
        WAYS_OUT[way](torch.ones(2, 2).to(DEVICE))


def test_the_simulated_device_computes(device):
    with device:
        image = torch.arange(4.0, device=DEVICE).view(2, 2) * torch.tensor(2.0)
        image[0] += 1
        with device.leaving():
            assert image.cpu().tolist() == [[1, 3], [4, 6]]


@pytest.mark.parametrize("step", ["reduced.reduced", "inference.tiled"])
def test_a_copy_on_the_way_is_noticed(frames, device, monkeypatch, step):
    module, name = f"selfhvd.restore.{step}".rsplit(".", 1)
    real = getattr(importlib.import_module(module), name)
    monkeypatch.setattr(f"{module}.{name}", lambda *given, **named: real(*given, **named).cpu().to(DEVICE))
    with pytest.raises(LeftTheDeviceError):
        on_device(frames, device)


def test_codes_of_16_bits(device):
    """Half of them are negative on their way."""
    values = torch.tensor([[0.0, 0.25, 0.5, 0.75, 1.0]])
    with device:
        there = values.to(DEVICE)
        with device.leaving():
            found = quantize(there, 10)
    assert found.dtype == np.uint16 and found.tolist() == quantize(values, 10).tolist()
    assert device.left == [torch.int16]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_real_device_is_never_waited_for(frames):
    """And gives the motions that the CPU gives."""
    first, *seconds = (torch.from_numpy(frame).permute(2, 0, 1)[None] / 255 for frame in (frames[i] for i in (1, 0, 2)))
    there, *others = (image.cuda() for image in (first, *seconds))
    predictor = DeviceMotionFlow()
    predictor.motions(there, others)
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = predictor.motions(there, others)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for ours, theirs in zip(found, predictor.motions(first, seconds), strict=True):
        assert (ours.there.field.cpu() - theirs.there.field).abs().median() < 0.02
        assert (ours.there.certainty.cpu() - theirs.there.certainty).abs().mean() < 0.01


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_real_device_restores_alike(frames):
    network = choose_backbone("lite").eval()
    ways = [
        Restorer(net, ArrayFrames(frames), SELECTION, DeviceMotionFlow(), config=replace(CONFIG, bfloat16=False))
        for net in (network, copy.deepcopy(network).cuda())
    ]
    for here, there in zip(*(way.since(0) for way in ways), strict=True):
        assert there.device.type == "cuda" and (there.cpu() - here).abs().mean() < 0.001
