"""What one request and one client may cost: bytes, time, and requests a minute."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from governance.api.asgi import Message, Receive, Scope, headers_of
from governance.clock import MICROSECONDS
from governance.gate.reasons import Refusal

MINUTE_US: Final = 60 * MICROSECONDS
BODY_SECONDS_MAX: Final = 10.0
"""From the headers to the body's last byte: a client that sends slowly holds a connection."""


class RateLimit:
    """At most `per_minute` requests in any minute for each key, in this process's memory.

    The generic cell rate algorithm: one number a key, the instant at which the key's budget is
    whole again. A whole budget may be spent at once; it comes back evenly over a minute.
    """

    def __init__(self, *, per_minute: int, keys_max: int = 10_000) -> None:
        self._interval_us = MINUTE_US // per_minute
        self._keys_max = keys_max
        self._whole_us: OrderedDict[str, int] = OrderedDict()

    def wait_us(self, key: str, *, now_us: int) -> int:
        """Take one request from the key's budget and return 0, or how long until there is one."""
        whole_us = max(self._whole_us.get(key, 0), now_us) + self._interval_us
        wait_us = whole_us - now_us - MINUTE_US
        if wait_us > 0:
            return wait_us
        self._whole_us[key] = whole_us
        # The key that asked longest ago goes first; its budget is the most whole one.
        self._whole_us.move_to_end(key)
        if len(self._whole_us) > self._keys_max:
            self._whole_us.popitem(last=False)
        return 0


def too_many(wait_us: int) -> tuple[Refusal, list[tuple[bytes, bytes]]]:
    """Return the refusal of a key over its limit, and the header that says when to come again."""
    seconds = -(-wait_us // MICROSECONDS)
    return Refusal(code="gate.rate_limited"), [(b"retry-after", b"%d" % seconds)]


class ClientGone(Exception):
    """The client closed the connection before its body was whole; nobody reads an answer."""


async def read_body(scope: Scope, receive: Receive, *, bytes_max: int) -> bytes | Refusal:
    """Return the whole body of a request, or the refusal of one that is too large or too slow."""
    return await receive_body(headers_of(scope), receive, bytes_max=bytes_max)


async def receive_body(
    headers: Mapping[bytes, bytes],
    receive: Receive,
    *,
    bytes_max: int,
    seconds_max: float = BODY_SECONDS_MAX,
) -> bytes | Refusal:
    """See `read_body`; for a caller that has the headers already.

    The stated length is looked at first, so that a large body is refused before it is read; what
    arrives is counted as well, because a chunked body states none.
    """
    stated = headers.get(b"content-length")
    if stated is not None and (not stated.isdigit() or int(stated) > bytes_max):
        return _too_large(bytes_max)
    message = await receive()  # the whole of a small body is there with its headers
    if message["type"] == "http.request" and not message.get("more_body", False):
        first: bytes = message.get("body", b"")
        return first if len(first) <= bytes_max else _too_large(bytes_max)
    try:
        async with asyncio.timeout(seconds_max):
            return await _read_parts(message, receive, bytes_max)
    except TimeoutError:
        return Refusal(code="gate.body_timeout", detail=f"the limit is {seconds_max:g} seconds")


async def _read_parts(message: Message, receive: Receive, bytes_max: int) -> bytes | Refusal:
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            return _too_large(bytes_max)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


def _too_large(bytes_max: int) -> Refusal:
    return Refusal(code="gate.too_large", detail=f"the limit is {bytes_max} bytes")
