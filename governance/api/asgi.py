"""The few ASGI shapes that the plain functions of this package speak in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from governance.codecs import json_v1
from governance.gate.reasons import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON: Final = (b"content-type", json_v1.MEDIA_TYPE.encode())
PROBLEM: Final = (b"content-type", json_v1.PROBLEM_TYPE.encode())
CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="oncovigil"')


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by name; one that is sent more than once is left out, like none.

    Two credentials or two content types are no credential and no content type: which of them
    counts must not depend on who reads them.
    """
    listed: Headers = scope["headers"]
    found = dict(listed)
    if len(found) != len(listed):
        names = [name for name, _ in listed]
        return {name: value for name, value in found.items() if names.count(name) == 1}
    return found


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole response."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_refusal(send: Send, refusal: Refusal, *, headers: Headers | None = None) -> None:
    """Send a refusal that is counted and not recorded."""
    body = json_v1.encode_refusal((refusal,))
    await respond(send, refusal.status, [PROBLEM, *(headers or [])], body)
