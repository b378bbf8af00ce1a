"""Base weights for more guides: the network as it is, to which the guides that are new mean nothing yet.

    python bench/widen.py OLD.safetensors NEW.safetensors [--guides 4]

Where the training of today's base weights of `lite` began: with those before, which took two guides.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from selfhvd.backbones.lite import Lite, LiteConfig
from selfhvd.weights import save_weights


def widened(old: dict[str, Tensor], guides: int) -> Lite:
    """The same function of frame and first guides."""
    new = Lite(LiteConfig(guides=guides))
    had = (old["head.weight"].shape[1] // 4 - 3) // 4
    places = {
        # Frame, colours of each guide, mask of each guide; then residual, weight of each guide. Four pixels a channel.
        "head.weight": (1, [*range(3 + 3 * had), *(3 + 3 * guides + g for g in range(had))]),
        "tail.weight": (0, range(3 + had)),
        "tail.bias": (0, range(3 + had)),
    }
    state: dict[str, Tensor] = {}
    for name, value in old.items():
        state[name] = value
        if name in places:
            axis, channels = places[name]
            rows = torch.tensor([4 * channel + n for channel in channels for n in range(4)])
            state[name] = torch.zeros_like(new.state_dict()[name]).index_copy(axis, rows, value)
    new.load_state_dict(state)
    return new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--guides", type=int, default=LiteConfig.guides)
    options = parser.parse_args()
    network = widened(load_file(options.old), options.guides)
    save_weights(options.new, network, "lite", {"widened": options.old.name})


if __name__ == "__main__":
    main()
