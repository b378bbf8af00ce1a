"""What a file given as a checkpoint is instead, told by how it begins, before it is opened."""

import re
import zipfile
from pathlib import Path

_STARTS = (
    (rb"version https://git-lfs", "only the pointer of a Git LFS file; fetch the file itself, as with `git lfs pull`"),
    (rb"(?i)\s*<(!doctype|html|\?xml)", "a web page and not the file behind it; download it again"),
    (rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ", "a packed file; unpack it and give the checkpoint in it"),
    (rb"\x89HDF", "an HDF5 file, as Keras writes; save its tensors with PyTorch"),
    (rb"\x93NUMPY", "an array of NumPy; save its tensors with PyTorch, by their names"),
)
_INDEX = rb'\s*{\s*"(metadata|weight_map)"'
_ZIPPED = (
    (r"[^/]+/(archive_format|models/.*)", "a program made by torch.export; give the checkpoint that it was made of"),
    (r"[^/]+/(constants\.pkl|code/.*)", "a TorchScript program; give the checkpoint that it was made of"),
    (r".*\.npy", "arrays of NumPy; save them as tensors with PyTorch, by their names"),
)
_PART = re.compile(r"-(\d{5})-of-(?!0*1\b)(\d{5})\.")
_JOIN = "put the tensors of all its files into one, with torch.save or safetensors, and convert that"


def other_kind(source: Path) -> str | None:
    """What a file is, and what to do about it, in words that go on after its name; None = it may be a checkpoint."""
    with source.open("rb") as file:
        start = file.read(64)
    if part := _PART.search(source.name):
        return f"part {int(part[1])} of {int(part[2])} of a checkpoint; {_JOIN}"
    if re.match(_INDEX, start):
        return f"the index of a checkpoint in several files; {_JOIN}"
    if start.startswith(b"PK"):
        return _zipped(source)
    return next((told for pattern, told in _STARTS if re.match(pattern, start)), None)


def folder_kind(source: Path) -> str:
    """As `other_kind`, for a folder."""
    if (source / ".metadata").is_file():
        return (
            "a checkpoint of torch.distributed in several files; make it one file with"
            f" `python -m torch.distributed.checkpoint.format_utils dcp_to_torch {source} FILE.pth` and convert that"
        )
    return "a folder; give the file in it"


def _zipped(source: Path) -> str | None:
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return None
    return next((told for pattern, told in _ZIPPED if any(re.fullmatch(pattern, name) for name in names)), None)
