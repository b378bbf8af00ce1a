"""One file from the web to the disk: in pieces, taken up again where it was cut off, its hash checked."""

import contextlib
import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from selfhvd.errors import OutputError, WeightsError
from selfhvd.system.versions import versions
from selfhvd.weights.header import shown

OnBytes = Callable[[int, int], None]
"""Told the bytes that are there, and how many there will be (0 = not known)."""

_PIECE = 2**18
_TRIES = 4
"""Connections in a row that may bring nothing."""
_REDIRECTS = 5
_MOST = 4 * 2**30
"""Bytes; no weights of a network here are nearly as large."""
_SPARE = 2**28
"""Bytes of disk to leave free."""


def download(
    url: str, target: Path, *, sha256: str | None, timeout: float = 30.0, pause: float = 1.0, on_bytes: OnBytes
) -> str:
    """Fetch `url` to `target`, which appears when it is whole and its hash is right.

    Until then what there is lies in `<target>.part`; a later call goes on there if the server still has the same file.

    Args:
        url: http or https; redirects are followed, but never from https to http.
        target: the file to write.
        sha256: the hash or its first digits; None = not known.
        timeout: seconds without a byte before a connection is given up.
        pause: seconds before the second try; each further one waits twice as long.
        on_bytes: told how far it is.

    Returns:
        The file's SHA-256.

    Raises:
        WeightsError: the server does not give the file, or its hash is wrong.
        OutputError: the disk does not take it.
    """
    part = _Part(target, url)
    try:
        went_on = part.size() > 0
        _fetch_all(part, trust=sha256 is not None, timeout=timeout, pause=pause, on_bytes=on_bytes)
        found = file_hash(part.path)
        if went_on and not _same(found, sha256):
            # The first piece was another file's: once more from the start.
            part.clear()
            _fetch_all(part, trust=True, timeout=timeout, pause=pause, on_bytes=on_bytes)
            found = file_hash(part.path)
        if not _same(found, sha256):
            part.clear()
            raise WeightsError(
                f"{url} gave a file with the SHA-256 {found}, but {sha256} was expected;"
                " it was changed or damaged and has been deleted, so try again later."
            )
        part.path.replace(target)
        part.clear()
    except OSError as error:
        raise OutputError(f"{target.parent} cannot be written ({error.strerror or error}).") from error
    return found


def file_hash(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same(found: str, wanted: str | None) -> bool:
    return wanted is None or found.startswith(wanted.lower())


class _Part:
    """The beginning of a file, and beside it what the server said about the whole, to know it again."""

    def __init__(self, target: Path, url: str) -> None:
        self.url = url
        self.path = target.with_name(target.name + ".part")
        self.facts = target.with_name(target.name + ".part.json")
        if self._read().get("url") != url:
            self.clear()

    def _read(self) -> dict[str, str]:
        with contextlib.suppress(OSError, ValueError):
            facts = json.loads(self.facts.read_text())
            return cast(dict[str, str], facts) if isinstance(facts, dict) else {}
        return {}

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def mark(self) -> str | None:
        """The server's mark of this version of the file: ETag or date; None if it gave none."""
        return self._read().get("mark")

    def remember(self, headers: Message) -> None:
        etag = headers.get("ETag", "")
        mark = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")
        self.facts.write_text(json.dumps({"url": self.url, **({"mark": mark} if mark else {})}))

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
        self.facts.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Answer:
    """Where the server's answer starts in the file, and how long the file is (0 = not said)."""

    start: int
    total: int


def _fetch_all(part: _Part, *, trust: bool, timeout: float, pause: float, on_bytes: OnBytes) -> None:
    """Connect until the whole file is there."""
    vain = 0
    while True:
        before = part.size()
        try:
            if _fetch_some(part, trust, timeout, on_bytes):
                return
            told = "the connection was cut"
        except urllib.error.HTTPError as error:
            error.close()
            told = f"it answered {error.code} {error.reason}"
            if error.code < 500 and error.code not in (408, 429):
                raise WeightsError(_unreachable(part.url, told)) from error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            told = str(getattr(error, "reason", None) or error or type(error).__name__)
        vain = vain + 1 if part.size() <= before else 0
        if vain >= _TRIES:
            raise WeightsError(_unreachable(part.url, told))
        time.sleep(pause * 2 ** max(vain - 1, 0))


def _unreachable(url: str, told: str) -> str:
    return f"{url} cannot be fetched ({shown(told)}); try again, or fetch it by hand and use `selfhvd weights convert`."


def _fetch_some(part: _Part, trust: bool, timeout: float, on_bytes: OnBytes) -> bool:
    """One connection; whether the file is whole after it."""
    have, mark = part.size(), part.mark()
    headers = {"User-Agent": f"selfhvd/{versions()['selfhvd']}", "Accept-Encoding": "identity"}
    if have and (mark or trust):
        headers["Range"] = f"bytes={have}-"
        headers |= {"If-Range": mark} if mark else {}
    try:
        response = _open(part.url, headers, timeout)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        if error.headers.get("Content-Range", "").endswith(f"/{have}"):
            return True
        part.clear()
        return False
    with response:
        return _store(part, response, have, on_bytes)


def _store(part: _Part, response: Any, have: int, on_bytes: OnBytes) -> bool:  # noqa: ANN401 - urllib's own
    if response.headers.get_content_type() == "text/html":
        raise WeightsError(_unreachable(part.url, "it gives a web page instead of a file"))
    answer = _answer(response)
    if answer.start not in (0, have):
        raise http.client.HTTPException(f"the server starts at byte {answer.start} instead of {have}")
    _check_room(part, answer)
    part.remember(response.headers)
    with part.path.open("r+b" if answer.start else "wb") as file:
        file.seek(answer.start)
        size = _copy(part.url, response, file, answer, on_bytes)
    return size == answer.total or not answer.total


def _copy(url: str, response: Any, file: IO[bytes], answer: _Answer, on_bytes: OnBytes) -> int:  # noqa: ANN401
    size = answer.start
    while piece := _read(response):
        file.write(piece)
        size += len(piece)
        if size > (answer.total or _MOST):
            raise WeightsError(_unreachable(url, "it sends more than it announced, or than any weights have"))
        on_bytes(size, answer.total)
    return size


def _read(response: Any) -> bytes:  # noqa: ANN401
    """The next piece; a fault of the connection must not be taken for one of the disk."""
    try:
        return cast(bytes, response.read(_PIECE))
    except OSError as error:
        raise http.client.HTTPException(str(error) or "the connection was cut") from error


def _answer(response: Any) -> _Answer:  # noqa: ANN401
    try:
        if response.status != http.client.PARTIAL_CONTENT:
            return _Answer(0, int(response.headers.get("Content-Length") or 0))
        span, total = response.headers["Content-Range"].removeprefix("bytes ").split("/")
        return _Answer(int(span.split("-")[0]), int(total))
    except (AttributeError, ValueError):
        raise http.client.HTTPException("it does not say how much it sends, or which part") from None


def _check_room(part: _Part, answer: _Answer) -> None:
    if answer.total > _MOST:
        raise WeightsError(f"{part.url} is {answer.total} bytes long, more than any weights; it was not fetched.")
    # Twice: the file as it comes, and what it is made into.
    free, wanted = shutil.disk_usage(part.path.parent).free, 2 * answer.total - answer.start + _SPARE
    if free < wanted:
        raise OutputError(
            f"{part.path.parent} has {free // 2**20} MB free, {wanted // 2**20} MB are needed; make room, or set"
            " SELFHVD_CACHE to another folder."
        )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Few redirects, to http and https only, and never out of https."""

    max_redirections = _REDIRECTS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,  # noqa: ANN401 - the answer, as urllib has it
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            _check_scheme(newurl, {"http", "https"} if req.type == "http" else {"https"})
        except WeightsError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, cast(http.client.HTTPMessage, headers), newurl)


def _check_scheme(url: str, allowed: Collection[str] = ("http", "https")) -> None:
    if urlsplit(url).scheme not in allowed:
        raise WeightsError(
            f"{shown(url)} is not fetched: only {' and '.join(sorted(allowed))} addresses are trusted here."
        )


def _open(url: str, headers: dict[str, str], timeout: float) -> Any:  # noqa: ANN401
    _check_scheme(url)
    opener = urllib.request.build_opener(_Redirects)
    return opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
