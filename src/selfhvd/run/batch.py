"""Batch: many clips, one after the other; a bad one does not stop the rest."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfhvd.errors import OutputError, SelfHVDError, UsageError
from selfhvd.video.destination import PREVIEW, RESULT, check_length, default_destination
from selfhvd.video.read.content import holds_video
from selfhvd.video.read.images import natural
from selfhvd.video.write.encoder_choice import CONTAINERS

log = logging.getLogger(__name__)

VIDEOS = {*CONTAINERS, ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".mxf", ".vob"}
"""Suffixes by which a video is known in a folder; any other file there is looked into."""
_NEVER = {
    ".m4a", ".m4b", ".m4p", ".m4r", ".aax", ".mka", ".mks", ".weba",
    ".part", ".partial", ".crdownload", ".download", ".tmp", ".temp", ".bak",
}  # fmt: skip
"""Suffixes of what may hold a video track in a folder, and is none: sound with pictures, and what is not finished."""
_PROXIES = {".lrv", ".lrf"}
"""Suffixes of the small twins that cameras write beside a video."""


@dataclass(frozen=True)
class Clip:
    """A clip to restore, and where to."""

    source: Path
    destination: Path


@dataclass(frozen=True)
class Failure:
    """A clip that did not work out."""

    source: Path
    sentence: str


@dataclass(frozen=True)
class Outcome:
    """What became of a batch."""

    done: tuple[Clip, ...]
    failures: tuple[Failure, ...]


def is_batch(sources: Sequence[Path], clips: Sequence[Path]) -> bool:
    """Whether sources, and the clips that `gather` found in them, are a batch: several, or a folder of videos."""
    return len(sources) > 1 or list(sources) != list(clips)


def gather(sources: Sequence[Path]) -> list[Path]:
    """The clips that files and folders stand for, each once, in the order given and naturally within a folder.

    A folder with videos stands for these, not for what lies deeper; any other is a clip of images. A motion photo and
    an animation are videos. Results of earlier runs (`*_deblurred.*`), previews beside their clip (`*_preview.*`),
    hidden files, and the small twin that a camera
    writes beside a video (`GL010001.LRV` of `GX010001.MP4`) are passed over in a folder.
    """
    found: dict[Path, Path] = {}
    for source in sources:
        for clip in _videos(source) or [source]:
            found.setdefault(clip.resolve(), clip)
    return list(found.values())


def _videos(folder: Path) -> list[Path]:
    """The videos in a folder, none where it is no folder; one that cannot be read is told of when its turn comes."""
    try:
        inside = [path for path in folder.iterdir() if _is_one(path)] if folder.is_dir() else []
    except OSError:
        return []
    of = {_digits(path) for path in inside if path.suffix.lower() not in _PROXIES}
    stems = {path.stem for path in inside}
    inside = [path for path in inside if _shown(path) == path.stem or _shown(path) not in stems]
    kept = [path for path in inside if path.suffix.lower() not in _PROXIES or _digits(path) not in of]
    return sorted(kept, key=lambda path: natural(path.name))


def _shown(path: Path) -> str:
    """The stem of the clip that a file is a preview of, if it is one."""
    return path.stem.removesuffix(PREVIEW)


def _is_one(path: Path) -> bool:
    """Whether a file of a folder is a video to restore."""
    if path.name[0] == "." or path.stem.endswith(RESULT) or not path.is_file():
        return False
    suffix = path.suffix.lower()
    return suffix in VIDEOS or (suffix not in _NEVER and holds_video(path))


def _digits(path: Path) -> str:
    """The number that a camera gave a clip; without one its name."""
    return "".join(filter(str.isdecimal, path.stem)) or path.stem.casefold()


def lay_out(
    sources: Sequence[Path], output: Path | None = None, ending: str = RESULT, others: Iterable[Path] = ()
) -> list[Clip]:
    """A destination for each clip, beside it or in the folder `output`, no two of which share a stem.

    `ending`: of their names, before the suffix. `others`: destinations of other clips, which share none either.

    Reports are named by the stem too, so `a.mp4` and `a.mov` in one folder become `a_mp4_deblurred.mp4` and
    `a_mov_deblurred.mov`; the same name from two folders gets the folder's name before it.

    Raises:
        UsageError: `output` is named like a file.
        OutputError: its name is too long.
    """
    if output is not None:
        check_length(output)
    if output is not None and (output.suffix.lower() in CONTAINERS or output.is_file()):
        raise UsageError(f"--output {output} is no folder; several clips need one.")
    plain = [default_destination(source, ending) for source in sources]
    wanted = plain if output is None else [output / path.name for path in plain]
    sharing: dict[tuple[str, str], list[Path]] = {}
    for source, path in zip(sources, wanted, strict=True):
        sharing.setdefault(place_key(path), []).append(source)
    kept = {place_key(path) for path in others}
    taken = kept | {key for key, same in sharing.items() if len(same) == 1}
    clips: list[Clip] = []
    for source, path in zip(sources, wanted, strict=True):
        chosen = path
        if len(same := sharing[place_key(path)]) > 1 or place_key(path) in kept:
            chosen = next(name for name in _names(source, same, path, ending) if place_key(name) not in taken)
            taken.add(place_key(chosen))
        clips.append(Clip(source, chosen))
    _refuse_overlap(clips)
    return clips


def _refuse_overlap(clips: Sequence[Clip]) -> None:
    """No result may replace a clip of the same batch."""
    inputs = {clip.source.resolve() for clip in clips}
    for clip in clips:
        if clip.destination.resolve() in inputs:
            raise UsageError(f"{clip.destination} is both an input and the result of {clip.source}; leave one out.")


def _names(source: Path, same: Sequence[Path], path: Path, end: str) -> Iterator[Path]:
    """Names for one of several clips that would get the same: by suffix, by folder, by both, by number."""
    stem, ending = path.stem.removesuffix(end), f"{end}{path.suffix}"
    suffix, folder = source.suffix.lstrip("."), source.resolve().parent.name
    alike = [other for other in same if other is not source]
    if suffix and all(other.suffix.lower() != source.suffix.lower() for other in alike):
        yield path.with_name(f"{stem}_{suffix}{ending}")
    if all(other.resolve().parent.name.casefold() != folder.casefold() for other in alike):
        yield path.with_name(f"{folder}_{stem}{ending}")
    number = 1
    while True:
        yield path.with_name(f"{folder}_{stem}_{suffix or 'images'}_{number}{ending}")
        number += 1


def place_key(path: Path) -> tuple[str, str]:
    """Folder and stem, folded.

    Destinations that share them would overwrite one another, or one another's reports, on some file system.
    """
    return str(path.absolute().parent).casefold(), path.stem.casefold()


def run_batch(
    clips: Sequence[Clip],
    work: Callable[[Clip], None],
    *,
    fail_fast: bool = False,
    on_clip: Callable[[int, Clip], None] = lambda number, clip: None,
    on_failure: Callable[[Failure], None] = lambda failure: None,
) -> Outcome:
    """Do `work` for each clip; what is raised for one is noted, and the others go on.

    Args:
        clips: in this order.
        work: restores one.
        fail_fast: raise the first error instead.
        on_clip: told number (from 1) and clip before each.
        on_failure: told of each failure as it happens.
    """
    done: list[Clip] = []
    failures: list[Failure] = []
    for number, clip in enumerate(clips, 1):
        on_clip(number, clip)
        try:
            work(clip)
            done.append(clip)
        except Exception as error:
            if fail_fast:
                raise
            log.debug("%s failed", clip.source, exc_info=error)
            failures.append(Failure(clip.source, in_one_sentence(error)))
            on_failure(failures[-1])
    return Outcome(tuple(done), tuple(failures))


def in_one_sentence(error: Exception) -> str:
    """What went wrong with a clip, for a person."""
    if isinstance(error, SelfHVDError):
        return str(error)
    told = (str(error).splitlines() or [""])[0]
    return f"unexpected fault in selfhvd: {type(error).__name__}: {told}"


def make_folder(folder: Path) -> None:
    """`OutputError` if there is no such folder and none can be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made ({error.strerror}); choose another folder.") from error
