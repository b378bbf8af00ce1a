"""Teach the shipped base weights on: what made the last step of `lite` (see docs/model_card.md).

    python bench/base_weights.py film PHOTOS FOLDER --minutes 5 --processes 2 [--held-out]
    python bench/base_weights.py teach FOLDER OUT.safetensors --minutes 8 [--widths 32 64 96] [--rate 4e-4]
    python bench/base_weights.py prove FOLDER ONE.safetensors ...    what weights gain on a folder of held-out clips
    python bench/base_weights.py blend ONE.safetensors OTHER.safetensors OUT.safetensors --share 0.9
    python bench/base_weights.py measure FOLDER ONE.safetensors OUT.safetensors     the same with its ranges, for 8 bits

Both may run at once: `teach` takes in new clips as they are finished, and learns on a CUDA device if there is one.

Other than in `selfhvd train recipes/base-lite.toml` the network sees what `deblur` shows it: fused guides, restored
first for blurry frames. There are about as many sharp frames as blurry ones, and exchanged colours.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from clips import HELD_OUT, for_training, held_out
from torch import Tensor

from selfhvd.backbones.lite import Lite, LiteConfig
from selfhvd.backbones.lite_int8 import ranges_of
from selfhvd.extensions.selection import find_sharp
from selfhvd.method.align import Guides, align_guides
from selfhvd.method.losses import charbonnier
from selfhvd.ops.quantize import quantize, to_pixels
from selfhvd.restore.config import RestoreConfig
from selfhvd.restore.restorer import Restorer
from selfhvd.synthesis import Exposure, Handheld, HandheldClips, film_world, shoot
from selfhvd.synthesis.handheld_clips import draw_world, load_photo
from selfhvd.system.device import computes_bfloat16, convolving
from selfhvd.training.aligned_store import AlignedStore, ItemMeta, Record
from selfhvd.training.loop import LoopConfig, cosine_rate
from selfhvd.video import encode_clip, ingest
from selfhvd.video.frame_source import ArrayFrames, Frames, RecentFrames
from selfhvd.weights import BASE_WEIGHTS, load_weights, save_weights
from selfhvd.weights.choose_flow import choose_flow
from selfhvd.weights.header import read_header
from selfhvd.weights.ranges import RANGES, as_text

WIDTH, HEIGHT, LENGTH = 384, 216, 30
KINDS = {"plain": 0.28, "object": 0.21, "night": 0.32, "all-blurry": 0.14, "sharp": 0.05}
DEPTH = 0.15
"""Share of the clips that are of a world with depth."""
TAKEN = {"sharp": (4, 0, 0), "all-blurry": (0, 4, 5)}
"""Frames of one, up to five and more sub-frames that are learned from, where not (2, 3, 4). The sharp frames that guide
them are, too."""
GROUPS = {"sharp": 0.40, "blurry": 0.48, "pair": 0.12}
"""Shares of the samples: frames of either sort with fused guides; and with the two nearest sharp frames as they are,
which is what learning from a clip shows."""
CROP, BATCH = 128, 32
HIDDEN = 0.4
"""Share of the samples in which guides are hidden in places, as where no sharp frame shows what a frame does."""
EACH, WITHIN = 5, 0.9
"""Ranges are measured on each fifth frame, and nine in ten of them have all their values within."""
_EXACT = 1.3
"""Mean squared difference, in codes, of 47 dB: what is nearer to the truth was never coded."""


def expose(photo: Path, rng: np.random.Generator) -> tuple[str, list[Exposure]]:
    if DEPTH and rng.random() < DEPTH:
        world = draw_world(rng, HandheldClips("mixed-depth", LENGTH, WIDTH, HEIGHT))
        beside = sorted(photo.parent.iterdir())
        # Only photos of the same half, training or held out: steps of HELD_OUT keep to it.
        at = beside.index(photo)
        used = [beside[(at + HELD_OUT * k) % (len(beside) // HELD_OUT * HELD_OUT)] for k in range(3)]
        pictures = [load_photo(path, rng.uniform(1.25, 2.3) * WIDTH, WIDTH, HEIGHT) for path in used]
        return world.kind, list(film_world(pictures, world))
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    speed = 0.8 * float(np.exp(rng.uniform(np.log(5), np.log(32))))
    share, seed = float(rng.uniform(0.10, 0.40)), int(rng.integers(1 << 30))
    shot = Handheld(kind, LENGTH, WIDTH, HEIGHT, amplitude=speed, sharp_share=share, seed=seed)  # pyright: ignore
    return kind, list(shoot(load_photo(photo, rng.uniform(1.25, 2.3) * WIDTH, WIDTH, HEIGHT), shot))


def film(
    photo: Path, rng: np.random.Generator
) -> tuple[str, list[np.ndarray], list[bool], list[np.ndarray], list[int]]:
    kind, exposures = expose(photo, rng)
    frames, keys = [e.frame for e in exposures], [False] * LENGTH
    crf, effort = int(rng.integers(8, 27)), str(rng.choice(["ultrafast", "veryfast", "veryfast", "medium"]))
    if rng.random() > 1 / 7:
        with tempfile.TemporaryDirectory() as name:
            encode_clip(iter(frames), Path(name) / "clip.mp4", crf=crf, preset=effort)
            footage = ingest(Path(name) / "clip.mp4", Path(name) / "frames")
            frames, keys = [footage.frame(i) for i in range(LENGTH)], list(footage.keyframes)
    return kind, frames, keys, [e.truth for e in exposures], [e.count for e in exposures]


def taught(kind: str, counts: list[int], rng: np.random.Generator) -> list[int]:
    """Which frames are learned from, beside the sharp ones that guide them."""
    groups = ([1], [3, 5], [7, 9, 11, 13, 15])
    numbers: list[int] = []
    for group, most in zip(groups, TAKEN.get(kind, (2, 3, 4)), strict=True):
        numbers += rng.permutation([i for i, n in enumerate(counts) if n in group])[:most].tolist()
    return sorted(int(i) for i in numbers)


class Watched(Restorer):
    """Keeps what the network is shown."""

    shown: dict[tuple[int, bool], Guides]
    """By number of the frame, and whether it was restored as a guide of others."""

    def _guides(
        self, index: int, output: Tensor, each_side: int, source: Frames, as_it_came: bool = False
    ) -> Guides | None:
        guides = super()._guides(index, output, each_side, source, as_it_came)
        assert guides is not None
        self.shown[index, source is self.frames] = guides
        return guides


def make(photo: Path, folder: Path, number: int) -> None:
    """One clip's material."""
    rng = np.random.default_rng([79, number])
    kind, frames, keys, truth, counts = film(photo, rng)
    source, flow = RecentFrames(ArrayFrames(frames), LENGTH), choose_flow("dis")
    selection = find_sharp(source, keys)
    config = RestoreConfig(each_side=int(rng.choice((2, 2, 3))), restored_guides=True, which="all")
    restorer = Watched(load_weights(BASE_WEIGHTS).eval(), source, selection, flow, config=config)
    restorer.shown = {}
    for i in taught(kind, counts, rng):
        if selection.is_sharp(i):
            restorer.guiding(i)
        else:
            restorer.frame(i)
    shown = [(i, selection.is_sharp(i), guides) for (i, _), guides in restorer.shown.items()]
    with torch.inference_mode():
        for i in {i for i, _, _ in shown}:
            if rng.random() < 0.3:
                around = selection.around(i, 1)
                # A negative number tells these apart.
                shown.append((-1 - i, selection.is_sharp(i), align_guides(source.tensor(i), source, around, flow)))
    material = AlignedStore.create(folder, len(shown), 2, HEIGHT, WIDTH)
    captions: list[ItemMeta] = []
    for slot, (n, sharp, guides) in enumerate(shown):
        i = n if n >= 0 else -1 - n
        images = to_pixels(guides.images)
        material.put(slot, Record(frames[i], images, quantize(guides.trust[:, 0]), truth[i]))
        captions.append(ItemMeta(n, sharp, ()))
    (folder / "kind.txt").write_text(kind)
    material.finish(captions)


def film_for(photos: list[Path], folder: Path, minutes: float, share: int, count: int) -> None:
    """Make clips until the time is over: numbers `share`, `share + count`, ..."""
    torch.set_num_threads(1)
    until, number = time.monotonic() + 60 * minutes, share
    order = np.random.default_rng(77).permutation(len(photos))
    while time.monotonic() < until:
        if not AlignedStore.complete(folder / f"{number:04d}"):
            make(photos[order[number % len(photos)]], folder / f"{number:04d}", number)
            print(number, flush=True)
        number += count


@dataclass
class Store:
    """Records on the device that learns."""

    room: int
    device: torch.device

    def __post_init__(self) -> None:
        def empty(*shape: int) -> Tensor:
            return torch.empty(self.room, *shape, dtype=torch.uint8, device=self.device)

        self.frame, self.truth = empty(HEIGHT, WIDTH, 3), empty(HEIGHT, WIDTH, 3)
        self.guides, self.trust = empty(2, HEIGHT, WIDTH, 3), empty(2, HEIGHT, WIDTH)
        self.groups: dict[str, list[int]] = {name: [] for name in GROUPS}
        self.kinds: list[str] = []
        self.taken: set[str] = set()

    def take_in(self, folder: Path) -> None:
        for place in sorted(folder.glob("*/captions.json")):
            material = AlignedStore.open(place.parent)
            first, end = len(self.kinds), len(self.kinds) + len(material)
            if place.parent.name in self.taken or end > self.room or not len(material):
                continue
            self.taken.add(place.parent.name)
            for name in ("frame", "guides", "trust", "truth"):
                values = torch.from_numpy(np.load(place.with_name(f"{name}.npy")))
                getattr(self, name)[first:end] = values.to(self.device)
            for n, caption in enumerate(material.captions):
                group = "pair" if caption.index < 0 else "sharp" if caption.sharp else "blurry"
                self.groups[group].append(first + n)
                self.kinds.append((place.with_name("kind.txt")).read_text())

    def draw(self, rng: np.random.Generator) -> list[Tensor]:
        """Frames, guides, trust and truth of one batch: cut, turned, colours exchanged, guides at times taken away."""
        names = [name for name in GROUPS if self.groups[name]]
        chances = np.array([GROUPS[name] for name in names])
        chosen = rng.choice(len(names), BATCH, p=chances / chances.sum())
        records = [self.groups[names[c]][int(rng.integers(len(self.groups[names[c]])))] for c in chosen]
        tops, lefts = rng.integers(HEIGHT - CROP + 1, size=BATCH), rng.integers(WIDTH - CROP + 1, size=BATCH)
        flips, turned = rng.integers(2, size=(2, BATCH)), rng.random(BATCH) < 0.5
        colours = np.stack([rng.permutation(3) if rng.random() < 0.5 else np.arange(3) for _ in range(BATCH)])
        swapped = rng.random(BATCH) < 0.5
        kept = rng.random((BATCH, 2)) >= np.where(rng.random(BATCH) < 0.5, 0.1, 0.0)[:, None]
        kept &= (rng.random(BATCH) >= 0.06)[:, None]
        packed = np.concatenate(
            [np.array(records)[:, None], tops[:, None], lefts[:, None], flips.T, turned[:, None], swapped[:, None],
             colours, kept], axis=1
        ).astype(np.int64)  # fmt: skip
        frame, guides, trust, truth = self._cut(torch.from_numpy(packed).to(self.device, non_blocking=True))
        return [frame, guides, trust * self._shown(rng), truth]

    def _shown(self, rng: np.random.Generator) -> Tensor:
        """Where guides may be seen, 0 to 1: of some samples only in places, with soft borders."""
        rough = torch.from_numpy(rng.standard_normal((BATCH, 1, 5, 5)).astype(np.float32))
        field = F.interpolate(rough, (CROP, CROP), mode="bicubic")
        hidden = np.where(rng.random(BATCH) < HIDDEN, rng.uniform(0.15, 0.9, BATCH), 0.0)
        floor = torch.stack([f.quantile(float(h)) if h else f.min() - 9 for f, h in zip(field, hidden, strict=True)])
        steep = torch.from_numpy(rng.uniform(3, 20, (BATCH, 1, 1, 1)).astype(np.float32))
        return torch.sigmoid(steep * (field - floor.view(-1, 1, 1, 1)))[:, None, None].to(self.device)

    def _cut(self, drawn: Tensor) -> list[Tensor]:
        record, top, left, up, over, turned, swapped = (drawn[:, k, None, None] for k in range(7))
        along = torch.arange(CROP, device=self.device)
        a, b = along[None, :, None], along[None, None, :]
        y, x = torch.where(turned > 0, b, a), torch.where(turned > 0, a, b)
        y, x = top + torch.where(up > 0, CROP - 1 - y, y), left + torch.where(over > 0, CROP - 1 - x, x)
        colours, kept = drawn[:, 7:10], drawn[:, 10:12]
        one = record[..., None]

        def cut(images: Tensor) -> Tensor:
            return images[record, y, x].gather(-1, colours[:, None, None].expand(-1, CROP, CROP, -1)).movedim(-1, 1)

        frame, truth = cut(self.frame), cut(self.truth)
        order = torch.stack([swapped[:, 0, 0], 1 - swapped[:, 0, 0]], dim=1)[:, :, None, None]
        guides = self.guides[one, order, y[:, None], x[:, None]]
        guides = guides.gather(-1, colours[:, None, None, None].expand(-1, 2, CROP, CROP, -1)).movedim(-1, 2)
        trust = self.trust[one, order, y[:, None], x[:, None]] * kept[:, :, None, None].to(torch.uint8)
        return [(v.float() / 255)[:, None] for v in (frame, guides, trust[:, :, None], truth)]


def widened(widths: tuple[int, int, int]) -> Lite:
    """`lite` of other widths that begins as the shipped one: what is new is not yet listened to."""
    known, network = load_weights(BASE_WEIGHTS, "lite").state_dict(), Lite(LiteConfig(widths=widths))
    state = network.state_dict()
    for name, value in known.items():
        if state[name].dim() == 4:
            rows, columns = value.shape[:2]
            state[name][:rows, columns:] = 0
            state[name][:rows, :columns] = value
        else:
            state[name][: len(value)] = value
    network.load_state_dict(state)
    return network


class Learner:
    """Steps of Adam on fixed buffers; on CUDA as one recorded graph."""

    def __init__(self, network: Lite, rate: float, example: list[Tensor]) -> None:
        self.device = example[0].device
        self.narrow = computes_bfloat16(self.device)
        self.network = network.to(self.device, memory_format=torch.channels_last).train()
        self.mean = [p.detach().clone() for p in network.parameters()]
        cuda = self.device.type == "cuda"
        self.rate = torch.tensor(rate, device=self.device)
        self.adam = torch.optim.Adam(network.parameters(), lr=self.rate, betas=(0.9, 0.99), capturable=cuda)
        self.batch, self.loss = [v.clone() for v in example], torch.zeros((), device=self.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        if cuda:
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(4):
                    self._once()
            torch.cuda.current_stream().wait_stream(aside)
            try:
                self.graph = torch.cuda.CUDAGraph()
                self.adam.zero_grad(set_to_none=True)
                with torch.cuda.graph(self.graph):
                    self._once()
            except RuntimeError as error:
                print("no graph:", error, flush=True)
                self.graph = None
                torch.cuda.synchronize()

    def _once(self) -> None:
        frames, guides, trust, truth = self.batch
        self.adam.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, self.narrow, cache_enabled=False):
            output = self.network(frames, guides, trust)
        each = charbonnier(output.float(), truth)
        # A hardly blurred frame's error counts for as many decibels as a heavily blurred one's.
        loss = (each * (each.detach() + 0.004).rsqrt()).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 0.3, foreach=True)
        self.adam.step()
        torch._foreach_lerp_(self.mean, list(self.network.parameters()), 0.002)
        self.loss.copy_(each.detach().mean())

    def step(self, batch: list[Tensor], rate: float) -> None:
        for kept, value in zip(self.batch, batch, strict=True):
            kept.copy_(value)
        self.rate.fill_(rate)
        if self.graph is None:
            self._once()
        else:
            self.graph.replay()


@torch.inference_mode()
def gains(network: Lite, store: Store) -> dict[str, str]:
    """Mean gain of PSNR over the input, dB, and of how many frames, by group and kind; clips never coded left out."""
    found: dict[str, list[float]] = {}
    for group, records in store.groups.items():
        for n in records:
            frame, guides, trust, truth = (
                v[n : n + 1].float() / 255 for v in (store.frame, store.guides, store.trust, store.truth)
            )
            given = guides.movedim(-1, -3)[None], trust[:, :, None][None]
            with convolving(store.device, True):
                output = network(frame.movedim(-1, -3)[None], *given)[0, 0].float().clamp(0, 1).movedim(0, -1)
            before, after = ((255 * (v - truth[0]).abs()).round().square().mean() for v in (frame[0], output))
            if before < _EXACT:
                continue
            gain = float(10 * torch.log10(before / (after + 1e-3)))
            found.setdefault(f"{group} {store.kinds[n]}", []).append(gain)
            found.setdefault(f"{group} all", []).append(gain)
    return {name: f"{np.mean(values):+.3f} ({len(values)})" for name, values in sorted(found.items())}


def teach(folder: Path, out: Path, minutes: float, rate: float, widths: tuple[int, int, int], least: int) -> None:
    began = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    store, rng = Store(12000 if device.type == "cuda" else 5200, device), np.random.default_rng(3)
    while len(store.taken) < least:
        time.sleep(1)
        store.take_in(folder)
    print(f"{time.monotonic() - began:.0f} s: {len(store.taken)} clips", flush=True)
    torch.manual_seed(0)
    learner = Learner(widened(widths), rate, store.draw(rng))
    first, steps, told = time.monotonic(), 0, time.monotonic()
    length = 60 * minutes - (first - began)
    while (gone := time.monotonic() - first) < length:
        at = cosine_rate(int(1000 * gone / length), LoopConfig(steps=1000, rate=rate, last_rate=1e-6))
        learner.step(store.draw(rng), at)
        steps += 1
        if time.monotonic() - told > 20:
            store.take_in(folder)
            told = time.monotonic()
            print(f"{gone:.0f} s, step {steps}: {float(learner.loss):.5f}, {len(store.kinds)} records", flush=True)
    if device.type == "cuda":
        torch.cuda.synchronize()
    now = learner.network.eval()
    notes = {"steps": str(steps), "clips": str(len(store.taken)), "records": str(len(store.kinds))}
    save_weights(out.with_stem(out.stem + "-last"), now.cpu(), "lite", notes)
    with torch.no_grad():
        for parameter, value in zip(now.parameters(), learner.mean, strict=True):
            parameter.copy_(value)
    save_weights(out, now.cpu(), "lite", notes)
    print(out.name, notes, flush=True)


def prove(folder: Path, *weights: Path) -> None:
    """What weights gain on the clips of held-out photos."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    store = Store(6000 if device.type == "cuda" else 3000, device)
    store.take_in(folder)
    for path in (BASE_WEIGHTS, *weights):
        print(path.name, gains(load_weights(path, "lite").to(device).eval(), store), flush=True)  # pyright: ignore


def blend(one: Path, other: Path, out: Path, share: float) -> None:
    network, second = load_weights(one, "lite"), load_weights(other, "lite").state_dict()
    mixed = {name: share * value + (1 - share) * second[name] for name, value in network.state_dict().items()}
    network.load_state_dict(mixed)
    save_weights(out, network, "lite", {"blend": f"{share} {one.name}, {1 - share:.2g} {other.name}"})


@torch.inference_mode()
def measure(folder: Path, weights: Path, out: Path) -> None:
    network, store = load_weights(weights, "lite"), Store(5200, torch.device("cpu"))
    assert isinstance(network, Lite)
    network.ranges = {}
    store.take_in(folder)

    def shown(n: int) -> dict[str, tuple[float, float]]:
        frame, guides, trust = (v[n : n + 1].float() / 255 for v in (store.frame, store.guides, store.trust))
        given = frame.movedim(-1, -3)[None], guides.movedim(-1, -3)[None], trust[:, :, None][None]
        return ranges_of(network, lambda: network(*given))

    each = [shown(n) for n in range(0, len(store.kinds), EACH)]
    # By the outermost values of all frames steps would be twice as coarse, for one place in a million.
    ends = np.quantile([[(-low, high) for low, high in ranges.values()] for ranges in each], WITHIN, axis=0)
    ranges = {place: (-float(low), float(high)) for place, (low, high) in zip(each[0], ends, strict=True)}
    texts = read_header(weights).texts
    save_weights(out, network, "lite", {**texts, RANGES: as_text(ranges)})
    print(f"{len(each)} frames: {ranges}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("film", "teach", "prove", "blend", "measure"))
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.9, help="of the first weights, for blend")
    parser.add_argument("--held-out", action="store_true", help="film the photos that are kept from training")
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--widths", type=int, nargs=3, default=(32, 64, 96))
    parser.add_argument("--least", type=int, default=24, help="clips that must be there before learning begins")
    options = parser.parse_args()
    if options.what == "film":
        workers = torch.multiprocessing.get_context("spawn")
        count = options.processes
        photos = (held_out if options.held_out else for_training)(options.paths[0])
        told = [(photos, options.paths[1], options.minutes, share, count) for share in range(count)]
        running = [workers.Process(target=film_for, args=args) for args in told]
        for process in running:
            process.start()
        for process in running:
            process.join()
    elif options.what == "teach":
        teach(*options.paths, options.minutes, options.rate, tuple(options.widths), options.least)
    elif options.what == "blend":
        blend(*options.paths, options.share)
    elif options.what == "measure":
        measure(*options.paths)
    else:
        prove(*options.paths)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
