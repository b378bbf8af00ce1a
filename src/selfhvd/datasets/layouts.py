"""The table of layouts: where each published dataset keeps its blurry frames and its truth.

`docs/datasets.md` draws each of them as a tree.
"""

from dataclasses import dataclass
from typing import Literal

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class Layout:
    """Where a dataset keeps its clips.

    A pattern is a path in which `{part}` stands for train, valid or test, `{clip}` for the name of a clip, and `{set}`
    for a folder of any name. Folders that stand for themselves, at its head, may be missing: the user may open a whole
    dataset, one part of it, or one clip.
    """

    name: str
    about: str
    blur: str
    """The folder of a clip's blurry frames (or its video file)."""
    truth: str = ""
    """The folder of its sharp frames, which have the same names; "" where there is no truth."""
    labels: str = ""
    """The file that says which frames are sharp, where the layout has such a place; it may be missing."""
    kind: Literal["frames", "videos", "lists"] = "frames"
    """Whether a clip is a folder of image files or a video file, or is put together from lists of pairs."""
    lists: str = ""
    """Of kind lists: the files of pairs, one "truth blurry" per line, paths seen from the folder they are in."""
    clip: str = r".+"
    """A regular expression for names of clips."""
    sign: Literal["blur", "truth"] = "blur"
    """By which of the two a tree is recognised."""
    rank: int = 0
    """A tree that fits several layouts is taken for the one of lowest rank; two of one rank are a mixture."""


_ALL = (
    Layout("gopro", "GoPro (GOPRO_Large), linear blur", "{part}/{clip}/blur", "{part}/{clip}/sharp"),
    Layout(
        "gopro-gamma",
        "GoPro (GOPRO_Large), blur averaged in linear light (gamma 2.2)",
        "{part}/{clip}/blur_gamma",
        "{part}/{clip}/sharp",
        rank=1,
    ),
    Layout(
        "gopro-repacked",
        "GoPro as packed for BasicVSR++",
        "{part}/blur/{clip}",
        "{part}/GT/{clip}",
        sign="truth",
    ),
    Layout("gopro-kair", "GoPro as packed for VRT and RVRT", "{part}_GT_blurred/{clip}", "{part}_GT/{clip}"),
    Layout("gopro-240", "GoPro's 240 fps frames (GOPRO_Large_all)", "{part}/{clip}", clip=r"GOPR\d+(_\d+)+"),
    Layout("bsd", "BSD, and RBVD in its layout", "{set}/{part}/{clip}/Blur/RGB", "{set}/{part}/{clip}/Sharp/RGB"),
    Layout(
        "realblur-j",
        "RealBlur, camera JPEGs; each scene is a burst",
        "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/{clip}/blur",
        "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/{clip}/gt",
        kind="lists",
        lists="RealBlur_J_{part}_list.txt",
    ),
    Layout(
        "realblur-r",
        "RealBlur, developed from raw; each scene is a burst",
        "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref/{clip}/blur",
        "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref/{clip}/gt",
        kind="lists",
        lists="RealBlur_R_{part}_list.txt",
    ),
    Layout("goproshake", "GoProShake", "{part}_blur/{clip}", "{part}_gt/{clip}", sign="truth"),
    Layout("hvd", "HVD: real handheld clips without truth", "{part}_blur/{clip}", rank=1),
    Layout(
        "pairs",
        "folders of frames, with truth",
        "{part}/blur/{clip}",
        "{part}/sharp/{clip}",
        labels="{part}/labels/{clip}.json",
        rank=1,
    ),
    Layout("frames", "folders of frames, without truth", "{part}/{clip}", rank=2),
    Layout("video-pairs", "videos, with truth", "{part}/blur/{clip}", "{part}/sharp/{clip}", kind="videos", rank=1),
    Layout("videos", "videos, without truth", "{part}/{clip}", kind="videos", rank=2),
)

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in _ALL}
"""| layout | blurry frames | truth |
|---|---|---|
| `gopro` | `train|test/CLIP/blur` | `.../sharp` |
| `gopro-gamma` | `train|test/CLIP/blur_gamma` | `.../sharp` |
| `gopro-repacked` | `train|test/blur/CLIP` | `train|test/GT/CLIP` |
| `gopro-kair` | `train_GT_blurred/CLIP` | `train_GT/CLIP` |
| `gopro-240` | `train|test/GOPRxxxx_NN_zz` | none |
| `bsd` | `BSD_3ms24ms/train|valid|test/000/Blur/RGB` | `.../Sharp/RGB` |
| `realblur-j`, `realblur-r` | as `RealBlur_J_{train,test}_list.txt` say | the same |
| `goproshake` | `train_blur/CLIP` | `train_gt/CLIP` |
| `hvd` | `train_blur/CLIP` | none |
| `pairs`, `video-pairs` | `blur/CLIP` | `sharp/CLIP` |
| `frames`, `videos` | `CLIP` | none |
"""
