"""Metadata: what stays true of the new file, what tells the place, and the stamp of the tool."""

import re
from collections.abc import Mapping

# Written anew by the muxer, or true only of the old file.
_STALE = {
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "duration",
    "handler_name",
    "vendor_id",
    "alpha_mode",  # no transparency is written
}
# What Matroska's tools count of a track: true of it as long as it is the same.
_COUNTED = re.compile(r"(BPS|NUMBER_OF_FRAMES|NUMBER_OF_BYTES|_STATISTICS_\w+?)(-\w+)?", re.IGNORECASE)
_PLACE = re.compile(r"location|gps|geo|xyz|latitude|longitude|altitude|coordinates|place", re.IGNORECASE)
# ISO 6709, as cameras write it into any tag: +52.5186+013.4081/
_COORDINATES = re.compile(r"[+-]\d{1,3}\.\d+[+-]\d{1,3}\.\d+")


def fresh(metadata: Mapping[str, str], *, strip_location: bool = False, coded_anew: bool = False) -> dict[str, str]:
    """Metadata that stays true of the new file; without every tag that names the place, if asked.

    `coded_anew` says that the bytes are other ones, so that what was counted of the old ones goes.
    """
    kept = {key: value for key, value in metadata.items() if key.lower().split("-")[0] not in _STALE}
    if coded_anew:
        kept = {key: value for key, value in kept.items() if not _COUNTED.fullmatch(key)}
    return {key: value for key, value in kept.items() if not (strip_location and _tells_place(key, value))}


def _tells_place(key: str, value: str) -> bool:
    """Whether a tag says where the camera was."""
    return _PLACE.search(key) is not None or _COORDINATES.search(value) is not None


def commented(metadata: Mapping[str, str], comment: str | None) -> dict[str, str]:
    """`metadata` with `comment` put behind its own; the tag is found in any spelling (Matroska shouts)."""
    if not comment:
        return dict(metadata)
    old = next((value for key, value in metadata.items() if key.lower() == "comment" and value), None)
    others = {key: value for key, value in metadata.items() if key.lower() != "comment"}
    return {**others, "comment": f"{old}; {comment}" if old else comment}
