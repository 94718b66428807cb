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


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the header's value, None without it or where it is sent more than once."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0] if len(found) == 1 else None


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole response."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_refusal(send: Send, refusal: Refusal, *, headers: Headers | None = None) -> None:
    """Send a refusal that is counted and not recorded."""
    body = json_v1.encode_refusal((refusal,))
    await respond(send, refusal.status, [PROBLEM, *(headers or [])], body)
