"""Storage: files fetched from, and put to, whatever fsspec speaks to; whole or not at all."""

import hashlib
import os
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from selfhvd.errors import InputError, OutputError, SelfHVDError, UsageError
from selfhvd.system.atomic import remove, replacing
from selfhvd.system.disk import filled

_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"}
"""Protocols whose objects are there when they are written to the end, and not before."""

_PART = 5 << 20
"""Bytes that the parts of an upload have at least; smaller files are not sent in parts."""


def is_address(text: str) -> bool:
    """Whether a source or an output is an fsspec address, not a path."""
    return "://" in text and not text.startswith("file://")


def as_path(text: str) -> Path:
    """The path that a text, or a `file://` address, means."""
    return Path(text.removeprefix("file://"))


def shown(address: str) -> str:
    """An address without what gives access: user, password, and what comes after `?` and signs it."""
    if not is_address(address):
        return address
    protocol, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    signed = protocol in ("http", "https")  # elsewhere `?` is a letter of a name, or of a pattern
    return f"{protocol}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0] if signed else path}"


def join(folder: str, name: str) -> str:
    """The address, or the path, of `name` in a folder."""
    return f"{folder.rstrip('/')}/{name}" if is_address(folder) else str(as_path(folder) / name)


def tidy(folder: str) -> str:
    """The one name of a folder or of its address, however it is spelled."""
    if not is_address(folder):
        return os.path.abspath(as_path(folder))  # `Path` keeps `..`
    return folder.rstrip("/") if not folder.endswith("://") else folder


def digits_of(folder: str) -> str:
    """Eight digits that tell a tidy folder or address from others, with whatever password."""
    return hashlib.sha256(shown(folder).encode(errors="surrogateescape")).hexdigest()[:8]


def file_system(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path in it.

    Raises:
        UsageError: fsspec, or what it needs for this protocol, is missing.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise UsageError("Addresses need fsspec; install it with: pip install '.[cluster]'") from None
    try:
        return url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{shown(address)} cannot be spoken to: {_first_line(error)}.") from None


def size_of(address: str) -> int:
    """Bytes of a file; 0 where that is not known.

    Raises:
        InputError: there is none.
    """
    with _told(address, InputError, "read"):
        if not is_address(address):
            path = as_path(address)
            return path.stat().st_size if path.is_file() else 0
        system, inner = file_system(address)
        return int(system.info(inner).get("size") or 0)


def fetch(address: str, folder: Path) -> Path:
    """A file as one of this machine: itself where it is, else a copy in `folder`, with its name and its time.

    One that was fetched before is taken again.

    Raises:
        InputError: it cannot be read, or came short.
    """
    if not is_address(address):
        return as_path(address)
    system, inner = file_system(address)
    target = folder / inner.rpartition("/")[2]
    with _told(address, InputError, "read"):
        facts = system.info(inner)
        size = int(facts["size"])
        if not (target.is_file() and target.stat().st_size == size):
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(target, owned=True) as part:
                system.get_file(inner, str(part))
                if part.stat().st_size != size:
                    raise InputError(f"{shown(address)} came short: {part.stat().st_size} of {size} bytes; run again.")
                _date(part, facts)
    return target


def _date(path: Path, facts: dict[str, Any]) -> None:
    """Give a copy the time of its original: runs know their clip by it."""
    changed: object = facts.get("LastModified") or facts.get("mtime") or facts.get("created")
    if isinstance(changed, datetime):
        changed = changed.timestamp()
    if isinstance(changed, int | float):
        os.utime(path, (changed, changed))


def put(files: Sequence[Path], folder: str) -> None:
    """Move files into a folder or to an address, one after the other, each whole or not at all.

    They go from where they were when all are there, so that whatever fails can be done again.

    Raises:
        OutputError: one cannot be written, or came short.
    """
    for file in files:
        target = join(folder, file.name)
        with _told(target, OutputError, "written"):
            if is_address(target):
                _upload(file, target)
            else:
                _copy(file, as_path(target))
    for file in files:
        remove(file)


def _copy(file: Path, target: Path) -> None:
    with replacing(target) as part:
        if file.is_dir():
            shutil.copytree(file, part)
        else:
            shutil.copy2(file, part)


def _upload(file: Path, target: str) -> None:
    system, inner = file_system(target)
    if file.is_dir():
        for inside in sorted(file.iterdir()):
            _upload(inside, f"{target}/{inside.name}")
    else:
        _upload_file(system, file, inner)


def _upload_file(system: Any, file: Path, inner: str) -> None:  # noqa: ANN401 - fsspec has no types
    whole = bool(_protocols(system) & _WHOLE)
    if not whole:
        system.makedirs(inner.rpartition("/")[0], exist_ok=True)
    if file.stat().st_size > _PART:
        clear_uploads(system, inner)
    aside = inner if whole else f"{inner}.part"
    system.put_file(str(file), aside)
    size = int(system.info(aside)["size"])
    if size != file.stat().st_size:
        system.rm_file(aside)
        raise OutputError(f"{inner} came short: {size} of {file.stat().st_size} bytes; run again.")
    if not whole:
        system.mv(aside, inner)


def _protocols(system: Any) -> set[str]:  # noqa: ANN401 - fsspec has no types
    return {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)


def clear_uploads(system: Any, inner: str) -> None:  # noqa: ANN401 - fsspec has no types
    """End what killed uploads to this very key of an S3 store left: parts that nobody sees, and somebody pays for."""
    if not _protocols(system) & {"s3", "s3a"}:
        return
    bucket, _, key = inner.partition("/")
    answer = system.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key)
    for upload in answer.get("Uploads") or []:
        if upload["Key"] == key:
            system.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload["UploadId"])


def read(address: str) -> bytes | None:
    """A small file; None where there is none.

    Raises:
        OutputError: it cannot be read.
    """
    with _told(address, OutputError, "read"):
        try:
            if not is_address(address):
                return as_path(address).read_bytes()
            system, inner = file_system(address)
            return system.cat_file(inner)
        except FileNotFoundError:
            return None


def exists(address: str) -> bool:
    """Whether there is a file.

    Raises:
        OutputError: the store does not answer.
    """
    with _told(address, OutputError, "read"):
        if not is_address(address):
            return as_path(address).exists()
        system, inner = file_system(address)
        return bool(system.exists(inner))


def bytes_of(address: str) -> int:
    """Bytes of a file, or of those in a folder.

    Raises:
        OutputError: it cannot be read.
    """
    with _told(address, OutputError, "read"):
        if not is_address(address):
            path = as_path(address)
            return path.stat().st_size if path.is_file() else filled(path)
        system, inner = file_system(address)
        return int(system.du(inner))


@contextmanager
def _told(address: str, kind: type[SelfHVDError], what: str) -> Generator[None]:
    """Whatever a store raises is one sentence: its libraries have many errors, and no common one."""
    try:
        yield
    except SelfHVDError:
        raise
    except Exception as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else _first_line(error)
        raise kind(f"{shown(address)} cannot be {what} ({told.replace(address, shown(address))}).") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
