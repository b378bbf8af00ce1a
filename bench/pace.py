"""Seconds and peak memory a frame of each network, untrained, on windows of 1280x720 (or another size).

    python bench/pace.py [--size 1280x720] [--frames 10] [--networks lite,basicvsrpp] [--float32]

Seconds: the best of three windows after one that is not counted. Memory: what torch held at most, network included
(CUDA only). A network that runs out of memory is said to.
"""

import argparse
import time

import torch

from selfhvd.backbones import BACKBONES, Backbone
from selfhvd.system.device import convolving, pick_device, settle
from selfhvd.system.memory import is_out_of_memory


@torch.inference_mode()
def pace(network: Backbone, frames: int, width: int, height: int, narrow: bool) -> tuple[float, float]:
    """Seconds a frame and gigabytes."""
    device = next(network.parameters()).device
    cuda = device.type == "cuda"
    needs = network.needs
    count = 1 if needs.window == 1 else max(frames + sum(needs.context), needs.least_frames)
    clip = torch.rand(1, count, 3, height, width, device=device)
    guides = torch.rand(1, count, needs.guides, 3, height, width, device=device) if needs.guides else None
    trust = torch.rand(1, count, needs.guides, 1, height, width, device=device) if needs.guides else None
    times: list[float] = []
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(4):
        began = time.monotonic()
        with convolving(device, narrow):
            network(clip, guides, trust)
        if cuda:
            torch.cuda.synchronize()
        times.append(time.monotonic() - began)
    return min(times[1:]) / count, torch.cuda.max_memory_allocated() / 1e9 if cuda else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--networks", default=",".join(BACKBONES))
    parser.add_argument("--float32", action="store_true")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    device = pick_device()
    print(torch.cuda.get_device_name() if device.type == "cuda" else device, torch.__version__)
    for name in options.networks.split(","):
        config, kind = BACKBONES[name]
        network = settle(kind(config()), device).eval()  # pyright: ignore
        try:
            seconds, memory = pace(network, options.frames, width, height, not options.float32)
            print(f"{name}: {1000 * seconds:.1f} ms a frame, {memory:.2f} GB", flush=True)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            print(f"{name}: out of memory", flush=True)
        del network


if __name__ == "__main__":
    main()
