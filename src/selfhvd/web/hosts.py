"""Hosts: the names by which the server may be called, and the pages from which it may be.

A foreign page can make a browser ask this machine for something, by its number or by a name that was made to point
here (DNS rebinding). Both show in what the browser sends: the `Host` that was called, the `Origin` that calls.
"""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Hosts:
    """The names that the server goes by, without ports."""

    names: frozenset[str]

    def knows(self, host: str) -> bool:
        """Whether a `Host` header names the server."""
        return without_port(host) in self.names

    def is_own(self, origin: str, host: str) -> bool:
        """Whether an `Origin` header is that of the server's own page."""
        scheme, _, rest = origin.partition("://")
        return scheme in ("http", "https") and rest.lower() == host.lower() and self.knows(rest)


def hosts_of(host: str, others: Iterable[str] = ()) -> Hosts:
    """The names of a server that listens on `host`; `others` are those it has elsewhere, as behind a proxy."""
    names = {*_LOOPBACK, host.lower(), *(other.lower() for other in others)}
    if _is_any(host):
        names |= _own_names()
    return Hosts(frozenset(names))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def without_port(host: str) -> str:
    """`[::1]:8000` -> `::1`, `localhost:8000` -> `localhost`."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _own_names() -> set[str]:
    """The machine's name and its addresses."""
    addresses = {
        address.address.partition("%")[0].lower() for card in psutil.net_if_addrs().values() for address in card
    }
    return {*addresses, socket.gethostname().lower()}
