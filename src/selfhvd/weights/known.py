"""The checkpoints of the world that fit a network here: where they are, whose they are, what they learned from.

Nothing is copied from anywhere: `fetch` downloads on a person's own account, under the licence named. Addresses and
hashes are those that the publishers state; `tried` says which of them we have fetched and run ourselves.
"""

from dataclasses import dataclass

from selfhvd.errors import UsageError


@dataclass(frozen=True)
class Checkpoint:
    """One published weights file."""

    name: str
    """What it is called here, and in the cache."""
    network: str
    """Name in `BACKBONES` or `FLOW_NETWORKS`; vgg19 is the perceptual loss."""
    licence: str
    """Of the weights, as their publisher states it; the data they were trained on may have terms of its own."""
    trained_on: str
    url: str | None = None
    """Where a program can fetch it; None = see `by_hand`."""
    by_hand: str = ""
    """How a person gets it, where a program cannot."""
    sha256: str | None = None
    """Of the published file; eight digits are the start of it, which torch's habit puts into the file's name."""
    megabytes: float | None = None
    """Size of the published file, in units of 2^20 bytes."""
    non_commercial: bool = False
    options: tuple[tuple[str, str], ...] = ()
    """Settings of the configuration that the file itself does not tell."""
    tried: bool = False
    """Whether the address, the hash and the conversion were tried on the real file; else only on files made alike."""

    @property
    def filename(self) -> str:
        """Of the converted file in the cache."""
        return f"{self.name}.safetensors"


_BASICVSRPP = "https://github.com/HolyWu/vs-basicvsrpp/releases/download/model/basicvsr_plusplus_deblur_"
_RVRT = "https://github.com/JingyunLiang/RVRT/releases/download/v0.0/"
_SEARAFT = "https://huggingface.co/MemorySlices/Tartan-C-T-TSKH-spring540x960-"
_TORCHVISION = "https://download.pytorch.org/models/"
_SEARAFT_DATA = "TartanAir, FlyingChairs, FlyingThings3D, Sintel, KITTI, HD1K, Spring"

CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(
        "basicvsrpp-gopro",
        "basicvsrpp",
        "Apache-2.0",
        "GoPro",
        url=f"{_BASICVSRPP}gopro-3c5bb9b5.pth",
        sha256="3c5bb9b5",
    ),
    Checkpoint(
        "basicvsrpp-dvd",
        "basicvsrpp",
        "Apache-2.0",
        "DVD",
        url=f"{_BASICVSRPP}dvd-ecd08b7f.pth",
        sha256="ecd08b7f",
    ),
    Checkpoint(
        "rvrt-gopro",
        "rvrt",
        "CC-BY-NC-4.0",
        "GoPro",
        url=f"{_RVRT}005_RVRT_videodeblurring_GoPro_16frames.pth",
        non_commercial=True,
    ),
    Checkpoint(
        "rvrt-dvd",
        "rvrt",
        "CC-BY-NC-4.0",
        "DVD",
        url=f"{_RVRT}004_RVRT_videodeblurring_DVD_16frames.pth",
        non_commercial=True,
    ),
    Checkpoint(
        "estrnn",
        "estrnn",
        "MIT",
        "GoPro or BSD, one file each",
        by_hand="open https://drive.google.com/drive/folders/1w68kAw56tGCjG4M96_zYmls8fQaTH1RM in a browser, save a"
        " checkpoint, convert it with `selfhvd weights convert FILE.tar OUT.safetensors`, and give it with --weights",
    ),
    Checkpoint(
        "ifirnn",
        "ifirnn",
        "-",
        "-",
        by_hand="nobody has published weights of IFIRNN; train it, for example with `--backbone ifirnn --from-scratch`",
    ),
    Checkpoint(
        "sea-raft-m", "sea-raft", "BSD-3-Clause", _SEARAFT_DATA, url=f"{_SEARAFT}M/resolve/main/model.safetensors"
    ),
    Checkpoint(
        "sea-raft-s", "sea-raft", "BSD-3-Clause", _SEARAFT_DATA, url=f"{_SEARAFT}S/resolve/main/model.safetensors"
    ),
    Checkpoint(
        "raft",
        "raft",
        "BSD-3-Clause",
        "FlyingChairs, FlyingThings3D, Sintel, KITTI, HD1K",
        url=f"{_TORCHVISION}raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        sha256="ff5fadd5",
        megabytes=20.129,
    ),
    Checkpoint(
        "vgg19",
        "vgg19",
        "BSD-3-Clause",
        "ImageNet-1K",
        url=f"{_TORCHVISION}vgg19-dcbb9e9d.pth",
        sha256="dcbb9e9d",
        megabytes=548.051,
    ),
)


def known(name: str) -> Checkpoint:
    """The checkpoint of that name.

    Raises:
        UsageError: there is none.
    """
    for checkpoint in CHECKPOINTS:
        if checkpoint.name == name:
            return checkpoint
    raise UsageError(f"There are no known weights called {name}; known are {', '.join(c.name for c in CHECKPOINTS)}.")
