"""Access: who may ask for what, and from which page. One layer before every route; nothing behind it asks again.

Owners are known by tokens: a program sends one as `Authorization: Bearer TOKEN`, a browser once to `/api/session`, for
which it gets a cookie that scripts cannot read. No token ever stands in an address.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfhvd.errors import OutputError, UsageError
from selfhvd.system.atomic import replacing

LOCAL = "local"
"""The owner of everything where there are no tokens."""
DAYS = 30
"""That a browser stays signed in."""
_SHORTEST = 16
"""Characters of a token."""
_WRONG, _WITHIN = 10, 60.0
"""So many wrong tokens within so many seconds, and nobody is let in for the rest of them."""
_NAME = re.compile(r"[\w.@-]{1,64}")
_KEY = 16
"""Characters of a token's digest that stand in a cookie."""
_UNTIL = re.compile(r"[0-9]{1,11}")
_MADE = re.compile(rf"[A-Za-z0-9_-]{{{_SHORTEST},}}")
"""A text that was made here; what a cut-off write leaves is none."""


@dataclass(frozen=True)
class Owners:
    """Who may come in, by the SHA-256 of their tokens; without tokens whoever reaches the server."""

    names: dict[str, str]
    """Digest of a token -> owner."""
    secret: bytes
    """Signs the cookies; who learns it can make them."""

    @property
    def are_asked(self) -> bool:
        """Whether one needs a token."""
        return bool(self.names)

    def of_token(self, token: str) -> str | None:
        """The owner that a token is of; None for a wrong one."""
        found = _digest(token)
        return next((name for digest, name in self.names.items() if hmac.compare_digest(digest, found)), None)

    def cookie(self, token: str) -> str:
        """What a browser keeps: until when, for which token, and a signature; the token cannot be made of it."""
        until, key = int(time.time()) + DAYS * 86400, _digest(token)[:_KEY]
        return f"{until}.{key}.{self._signed(until, key)}"

    def of_cookie(self, cookie: str) -> str | None:
        """The owner that a cookie is of; None where it is wrong, too old, or its token is no longer one."""
        until, key, signature = [*cookie.split("."), "", "", ""][:3]
        if len(key) != _KEY or not _UNTIL.fullmatch(until) or int(until) < time.time():
            return None
        if not hmac.compare_digest(signature.encode(), self._signed(int(until), key).encode()):
            return None
        return next((name for digest, name in self.names.items() if digest.startswith(key)), None)

    def _signed(self, until: int, key: str) -> str:
        return hmac.new(self.secret, f"{until}.{key}".encode(), hashlib.sha256).hexdigest()


def read_owners(path: Path | None, folder: Path, token: str | None = None) -> Owners:
    """Owners by a file with a line for each: a name and a token, or a token alone.

    Args:
        path: the file; None: there are none but `token`.
        folder: of the jobs; keeps what signs the cookies.
        token: one more, whose owner is `local`.

    Raises:
        UsageError: the file cannot be read, or holds no token, or one that is too short.
    """
    names = {_digest(token): LOCAL} if token is not None else {}
    if path is not None:
        names |= {_digest(found): name for name, found in _lines(path)}
    return Owners(names, kept_secret(folder / "secret").encode())


def _lines(path: Path) -> list[tuple[str, str]]:
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--tokens {path} cannot be read as text ({error}).") from error
    found = [(words[0] if len(words) > 1 else f"token-{_digest(words[0])[:8]}", words[-1])
             for words in lines if words and not words[0].startswith("#")]  # fmt: skip
    if not found:
        raise UsageError(f"--tokens {path} holds no token; write a line of a name and a token for each person.")
    for number, (name, token) in enumerate(found, 1):
        if len(token) < _SHORTEST:
            raise UsageError(f"Token {number} of {path} is shorter than {_SHORTEST} characters; make it longer.")
        if not _NAME.fullmatch(name):
            raise UsageError(f"The name {name!r} in {path} is not made of letters, digits and . _ - @; change it.")
    return found


def kept_secret(path: Path) -> str:
    """A random text that only its owner can read, made when it is first asked for, or when it is not there whole."""
    try:
        found = path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""
        if not _MADE.fullmatch(found):
            found = secrets.token_urlsafe(24)
            with replacing(path, fsync=True) as part:
                part.touch(mode=0o600)
                part.write_text(found, encoding="utf-8")
        return found
    except OSError as error:
        raise OutputError(f"{path} cannot be kept ({error.strerror}); choose another --folder.") from error


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def cookie_name(scope: MutableMapping[str, Any]) -> str:
    """What the cookie of the server that a request came to is called: browsers keep one jar for all ports of a host."""
    return f"selfhvd-{(scope.get('server') or ('', 0))[1]}"


class Patience:
    """Counts wrong tokens; after too many nobody is let in for a while, so that none can be guessed."""

    def __init__(self) -> None:
        self._wrong: list[float] = []

    def is_over(self) -> bool:
        """Whether too many were wrong."""
        now = time.monotonic()
        self._wrong = [then for then in self._wrong if now - then < _WITHIN]
        return len(self._wrong) >= _WRONG

    def count(self) -> None:
        """One more was wrong."""
        self._wrong.append(time.monotonic())
