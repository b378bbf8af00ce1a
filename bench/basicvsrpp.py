"""How fast is `basicvsrpp` beside a straight port of the published arithmetic? On the CPU, one thread, one process.

    python bench/basicvsrpp.py [--frames 10] [--side 256] [--rounds 7]

Runs alternate, so that a busy machine troubles all alike; the table has the least and the median of each one's CPU
seconds, and what its output differs by from the straight port's. Weights are random, of a size that keeps features and
offsets alive: a network fresh from its constructor would hide errors.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

from selfhvd.backbones.basicvsrpp import BasicVsrPp
from selfhvd.ops.warp import warp


class StraightPort(BasicVsrPp):
    """Step by step as published: torchvision's deformable convolution, one pair of frames after the other."""

    our_alignment = False

    def deblur(self, frames: Tensor, guides: Tensor | None, trust: Tensor | None) -> Tensor:
        clip = list(frames.unbind(1))
        small = [F.interpolate(x, scale_factor=0.25, mode="bicubic", align_corners=False) for x in clip]
        pairs = list(itertools.pairwise(small))
        to_next = [self.spynet(first, second) for first, second in pairs]
        to_previous = [self.spynet(second, first) for first, second in pairs]
        known = [[self.feat_extract(x)] for x in clip]
        for branch, align in self.deform_align.items():
            backward = branch.startswith("backward")
            order, flows = (known[::-1], to_next[::-1]) if backward else (known, to_previous)
            zeros = torch.zeros_like(known[0][0])
            done: list[Tensor] = []
            for n, trail in enumerate(order):
                aligned = zeros
                if n:
                    flow, last, before, further = flows[n - 1], done[-1], zeros, torch.zeros_like(flows[0])
                    if n > 1:
                        before, further = done[-2], flow + warp(flows[n - 2], flow)
                    aligned = self._aligned(align, trail[0], last, before, flow, further)
                done.append(aligned + self.backbone[branch](torch.cat([*trail, aligned], dim=1)))
                trail.append(done[-1])
        return torch.stack([x + self._residual(trail) for x, trail in zip(clip, known, strict=True)], dim=1)

    def _aligned(self, align, current: Tensor, last: Tensor, before: Tensor, flow: Tensor, further: Tensor) -> Tensor:
        if self.our_alignment:
            return align(current, last, before, flow, further)
        condition = torch.cat([warp(last, flow), current, warp(before, further), flow, further], dim=1)
        first, second, mask = align.conv_offset(condition).chunk(3, dim=1)
        first, second = 10 * first.tanh(), 10 * second.tanh()
        repeats = first.shape[1] // 2
        first = first + flow.flip(1).repeat(1, repeats, 1, 1)
        second = second + further.flip(1).repeat(1, repeats, 1, 1)
        features, offset = torch.cat([last, before], dim=1), torch.cat([first, second], dim=1)
        return deform_conv2d(features, offset, align.weight, align.bias, padding=1, mask=mask.sigmoid())


def lively(network: BasicVsrPp) -> BasicVsrPp:
    """Random weights that keep the size of what passes through, offsets of several pixels among it."""
    generator = torch.Generator().manual_seed(0)
    closing = {"conv2": 0.25, "conv_offset.6": 0.3, "conv_last": 0.3, "basic_module.4.conv": 0.4}
    with torch.no_grad():
        for name, value in network.named_parameters():
            gain = next((g for part, g in closing.items() if f"{part}.weight" in name), 1.2)
            spread = 0.05 if value.dim() == 1 else gain / value[0].numel() ** 0.5
            value.copy_(spread * torch.randn(value.shape, generator=generator))
    return network.eval()


def filmed(frames: int, side: int) -> Tensor:
    """A photo that the camera pans over, 3 and 2 pixels a frame: `1 frame 3 side side`."""
    photo = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1).float() / 255
    photo = photo.tile(1, 1 + side // 256, 1 + side // 256)
    return torch.stack([photo[:, 2 * n : 2 * n + side, 3 * n : 3 * n + side] for n in range(frames)])[None]


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    shipped = lively(BasicVsrPp())
    straight, in_order, aligned = [StraightPort().eval() for _ in range(3)]
    for network in (straight, in_order, aligned):
        network.load_state_dict(shipped.state_dict())
    straight.to(memory_format=torch.contiguous_format)
    aligned.to(memory_format=torch.contiguous_format).our_alignment = True
    clip = filmed(chosen.frames, chosen.side)

    def in_bfloat16() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return shipped(clip)

    runs: dict[str, Callable[[], Tensor]] = {
        "straight port": lambda: straight(clip),
        "... in channels_last": lambda: in_order(clip),
        "... with our sampling": lambda: aligned(clip),
        "as shipped": lambda: shipped(clip),
        "as shipped, bf16 autocast": in_bfloat16,
    }
    truth = straight(clip)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    outputs: dict[str, Tensor] = {}
    for _ in range(chosen.rounds):
        for name, run in runs.items():
            start = time.process_time()
            outputs[name] = run()
            seconds[name].append(time.process_time() - start)
    report(seconds, {name: (output - truth) for name, output in outputs.items()}, (truth - clip).square().mean().sqrt())


def report(seconds: dict[str, list[float]], errors: dict[str, Tensor], size: Tensor) -> None:
    base = seconds["straight port"]
    print(f"what the network adds to its input has rms {size:.3f}")
    print(f"{'':28s}{'least s':>9s}{'median s':>10s}{'faster':>8s}{'median':>8s}{'max error':>12s}{'rms error':>12s}")
    for name, taken in seconds.items():
        ratios = min(base) / min(taken), statistics.median(base) / statistics.median(taken)
        worst, rms = errors[name].abs().max(), errors[name].square().mean().sqrt()
        print(
            f"{name:28s}{min(taken):9.2f}{statistics.median(taken):10.2f}{ratios[0]:8.2f}{ratios[1]:8.2f}"
            f"{worst:12.1e}{rms:12.1e}"
        )


if __name__ == "__main__":
    main()
