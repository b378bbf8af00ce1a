"""Uploads: a clip comes in as the body of a request, into the folder of a job that does not exist yet."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool

from selfhvd.errors import InputError
from selfhvd.system.disk import free_in, in_bytes
from selfhvd.video import check_source
from selfhvd.web.refused import Refused

_PIECE = 1 << 20
"""Bytes that are written at once."""
_SILENCE = 60.0
"""Seconds without a byte after which whoever sends is given up."""
_SPARE = 1 << 30
"""Bytes that stay free on the disk."""


@dataclass(frozen=True)
class Limits:
    """What one owner may take up."""

    upload: int = 20_000_000_000
    """Bytes of a clip."""
    jobs: int = 200
    """Jobs that are not removed."""
    together: int = 4
    """Clips that are being sent at the same time."""


@dataclass
class Uploads:
    """Takes clips in, within limits."""

    limits: Limits
    _coming: Counter[str] = field(default_factory=Counter[str])

    @contextmanager
    def one_more(self, owner: str) -> Generator[None]:
        """Within, one more clip comes; `Refused` where there are enough already."""
        if self._coming[owner] >= self.limits.together:
            raise Refused(429, f"{self.limits.together} clips are coming in already; send this one when one is there.")
        self._coming[owner] += 1
        try:
            yield
        finally:
            self._coming[owner] -= 1

    def check(self, folder: Path, jobs: int, declared: int) -> None:
        """`Refused` before a byte is read; `declared` is the length that was said, 0 where none was."""
        if jobs >= self.limits.jobs:
            raise Refused(429, f"There are {jobs} clips already; remove some first.")
        self._check_size(declared)
        if declared and declared + _SPARE > free_in(folder):
            raise Refused(507, f"The disk has no room for {in_bytes(declared)} more; remove some clips first.", 4)

    async def receive(self, body: AsyncIterator[bytes], clip: Path) -> None:
        """Write a body to `clip`; `Refused` where it is too long, stops coming, or is no clip."""
        received = 0
        with clip.open("wb") as file:
            async for piece in _gathered(body):
                received += len(piece)
                self._check_size(received)
                await run_in_threadpool(_write, file, piece, clip.parent)
        try:
            await run_in_threadpool(check_source, clip)
        except InputError as error:
            raise Refused(422, str(error).replace(str(clip), "It"), error.exit_code) from error

    def _check_size(self, size: int) -> None:
        if size > self.limits.upload:
            raise Refused(413, f"A clip may have at most {in_bytes(self.limits.upload)} here.")


async def _gathered(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a write; `Refused` where it stops coming."""
    held, size = list[bytes](), 0
    pieces = aiter(body)
    while True:
        try:
            piece = await asyncio.wait_for(anext(pieces), _SILENCE)
        except StopAsyncIteration:
            break
        except TimeoutError:
            raise Refused(408, f"Nothing came for {_SILENCE:.0f} seconds; send the clip again.") from None
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(held)
            held.clear()
            size = 0
    yield b"".join(held)


def _write(file: BinaryIO, piece: bytes, folder: Path) -> None:
    if free_in(folder) < _SPARE:
        raise Refused(507, "The disk is full; remove some clips first.", 4)
    try:
        file.write(piece)
    except OSError as error:
        raise Refused(507, f"The clip cannot be kept ({error.strerror}); make room and send it again.", 4) from error
