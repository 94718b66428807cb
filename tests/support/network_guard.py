"""Sees every attempt of this process to reach outside the machine, and refuses it (P15).

An audit hook is used rather than a patched `socket`: it also sees sockets that C code of the
standard library opens, and nothing can take it off again. What extension modules do through their
own sockets it cannot see; `test_zero_egress.py` watches those from outside with strace.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_ADDRESSED = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_NAMED = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_LOCAL_NAMES = frozenset({"", "localhost"})


class OutsideNetworkRefused(RuntimeError):
    """Somebody tried to reach another machine; no OSError, so that no retry swallows it."""


def is_loopback(host: str) -> bool:
    """Say whether `host` is this machine: `localhost` or an address of the loopback range."""
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def outside_target(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Return whom an audit event would reach outside this machine, or None."""
    if event in _ADDRESSED:
        address = arguments[1]
        if not isinstance(address, tuple):  # a path of a Unix socket, or a connected socket
            return None
        return None if is_loopback(str(address[0])) else f"{address[0]}:{address[1]}"
    if event in _NAMED:
        raw = arguments[0]
        host = raw.decode() if isinstance(raw, bytes) else str(raw or "")
        # A literal address asks nobody; the connect that may follow is judged by itself.
        return None if is_loopback(host) or _is_address(host) else f"name {host}"
    return None


def refuse_outside(on_attempt: Callable[[str], None]) -> None:
    """From now on tell `on_attempt` about each attempt, and let none of them happen."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _ADDRESSED or event in _NAMED:
            target = outside_target(event, arguments)
            if target is not None:
                on_attempt(f"{event} {target}")
                message = f"{event} to {target}: only loopback and Unix sockets are allowed here"
                raise OutsideNetworkRefused(message)

    sys.addaudithook(hook)
