"""Tiny trees of every layout of frames: three frames a clip, of which each has its number for a grey."""

from pathlib import Path

import cv2
import numpy as np

GOPRO = ("GOPR0_11_2", "GOPR0_11_10")
WALKS = ("walk2", "walk10")
J, R = ("RealBlur-J_ECC_IMCORR_centroid_itensity_ref", "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref")
NUMBERS = (2, 9, 10)

TREES = {
    "gopro": (("test", "train"), GOPRO, "{part}/{clip}/blur", "{part}/{clip}/sharp"),
    "gopro-repacked": (("test", "train"), GOPRO, "{part}/blur/{clip}", "{part}/GT/{clip}"),
    "gopro-kair": (("test", "train"), GOPRO, "{part}_GT_blurred/{clip}", "{part}_GT/{clip}"),
    "gopro-240": (("test", "train"), GOPRO, "{part}/{clip}", ""),
    "bsd": (("test", "train"), ("000", "003"), "{part}/{clip}/Blur/RGB", "{part}/{clip}/Sharp/RGB"),
    "realblur-j": (("test", "train"), ("scene002", "scene010"), J, "RealBlur_J_{part}_list.txt"),
    "realblur-r": (("test", "train"), ("scene002", "scene010"), R, "RealBlur_R_{part}_list.txt"),
    "goproshake": (("test", "train"), WALKS, "{part}_blur/{clip}", "{part}_gt/{clip}"),
    "hvd": (("test", "train"), WALKS, "{part}_blur/{clip}", ""),
    "pairs": (("",), WALKS, "blur/{clip}", "sharp/{clip}"),
    "frames": (("",), WALKS, "{clip}", ""),
}


def tree(root: Path, layout: str) -> list[str]:
    """Lay out a dataset; the names of its clips in order."""
    parts, clips, blur, truth = TREES[layout]
    if layout.startswith("realblur"):
        return [_scene(root, blur, truth.format(part=part), part, clip) for part in parts for clip in clips]
    sets = ("BSD_1ms8ms", "BSD_3ms24ms") if layout == "bsd" else ("",)
    names = []
    for of in sets:
        for part in parts:
            for clip in clips:
                draw(root / of / blur.format(part=part, clip=clip), NUMBERS)
                if truth:
                    draw(root / of / truth.format(part=part, clip=clip), NUMBERS, shift=100)
                names.append("/".join(filter(None, (of, part, clip))))
    return names


def _scene(root: Path, folder: str, listing: str, part: str, clip: str) -> str:
    """Add a scene of a RealBlur-like burst to a list, last pair first."""
    scene = f"{folder}/{clip}" if part == "test" else f"{folder}/{clip.replace('scene0', 'scene1')}"
    draw(root / scene / "blur", NUMBERS, name="blur_{}.png")
    draw(root / scene / "gt", NUMBERS, shift=100, name="gt_{}.png")
    lines = [f"{scene}/gt/gt_{n}.png {scene}/blur/blur_{n}.png\n" for n in reversed(NUMBERS)]
    with (root / listing).open("a") as file:
        file.writelines(lines)
    return f"{part}/{Path(scene).name}"


def lists(root: Path) -> list[Path]:
    return sorted(root.glob("RealBlur_?_*_list.txt"))


def draw(folder: Path, numbers, *, shift: int = 0, name: str = "{}.png") -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        cv2.imwrite(str(folder / name.format(number)), image(number + shift))


def image(grey: int, width: int = 6) -> np.ndarray:
    return np.full((4, width, 3), grey, np.uint8)
