"""Names of clips: as they are shown, and as they are safe to be files. Neither is ever taken for a path."""

import os
import re
import unicodedata

_SHOWN = 200
"""Characters; of longer names the start and the end are kept."""
_END = 12
_BYTES = 100
"""Bytes of a name on the disk; the result adds some, its report more."""
_UNSAFE = re.compile(r"[^\w .()+@~-]")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""What Windows takes for devices."""


def shown_name(name: str) -> str:
    """The last part of a name, in one line, without characters that cannot be seen or turn the text around."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
    plain = " ".join(plain.split())
    return (plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - _END - 1]}…{plain[-_END:]}") or "clip"


def file_name(name: str) -> str:
    """A name that any file system takes: letters, digits and a few signs, no leading dot or dash, not too long."""
    plain = _UNSAFE.sub("_", shown_name(name)).strip(" .-") or "clip"
    stem, suffix = os.path.splitext(plain)
    if len(suffix.encode()) > 12:
        stem, suffix = plain, ""
    if stem.lower() in _RESERVED:
        stem = f"_{stem}"
    room = _BYTES - len(suffix.encode())
    return (stem.encode()[:room].decode(errors="ignore").strip(" .") or "clip") + suffix
