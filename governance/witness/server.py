"""The witness over HTTP: two addresses, plain ASGI, bounded in bytes, time and connections."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import uvicorn

from governance.clock import Clock, SystemClock
from governance.errors import GovernanceError
from governance.ledger.core.witness import ADD_CHECKPOINT, MAX_REQUEST_BYTES
from governance.witness.home import open_witness
from governance.witness.known_logs import KnownLogs
from governance.witness.store import SeenStore, WitnessStoreFailed
from governance.witness.witness import Reply, Witness

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_SECONDS: Final = 15.0
CONNECTIONS: Final = 128
_SEEN: Final = re.compile(r"/([0-9a-f]{64})/checkpoint")


class WitnessAddressInUse(GovernanceError):
    """The witness's port is taken, or may not be used."""

    code = "witness.address_in_use"
    http_status = 503


def witness_app(witness: Witness, logs: KnownLogs | None = None) -> App:
    """Return the ASGI application of a witness; `logs` is the file that says whose, if it may move.

    The file is read again where it changed, so a log's new key needs no restart.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        changed = None if logs is None else logs.changed()
        if changed is not None:
            witness.know(changed)
        reply = await _reply(witness, scope["method"], scope["path"], receive)
        headers = [(b"content-length", str(len(reply.body)).encode())]
        if reply.status != 204:
            headers.append((b"content-type", reply.content_type.encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    return app


async def _reply(witness: Witness, method: str, path: str, receive: Receive) -> Reply:
    seen = _SEEN.fullmatch(path)
    wanted = "POST" if path == ADD_CHECKPOINT else "GET" if seen else None
    if wanted is None:
        return Reply(status=404, body=b"there is nothing at this address\n")
    if method != wanted:
        return Reply(status=405, body=f"this address takes {wanted} only\n".encode())
    try:
        if seen:
            return await asyncio.to_thread(witness.seen, seen[1])
        body = await _body(receive)
        if isinstance(body, Reply):
            return body
        return await asyncio.to_thread(witness.add_checkpoint, body)
    except WitnessStoreFailed as error:
        return Reply(status=503, body=f"{error}\n".encode())


async def _body(receive: Receive) -> bytes | Reply:
    """Return the whole body, or the refusal of one that is too large, too slow or cut."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return Reply(status=400, body=b"the request was cut\n")
                body += message.get("body", b"")
                if len(body) > MAX_REQUEST_BYTES:
                    return Reply(status=413, body=b"the request is too large\n")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        return Reply(status=408, body=b"the request came too slowly\n")


def serve_witness(
    root: Path,
    *,
    policy: Path,
    host: str,
    port: int,
    ready: Callable[[str, str], None],
    clock: Clock | None = None,
) -> None:
    """Serve the witness in `root` over the logs of the policy file, until told to end.

    `ready` is called with the witness's verifier key and its address. Raises WitnessHomeInvalid,
    PolicyRejected, WitnessStoreFailed or WitnessAddressInUse before anything is served.
    """
    home = open_witness(root)
    logs = KnownLogs(policy)
    witness = Witness(
        home=home,
        store=SeenStore(home.database_path),
        policy=logs.policy,
        clock=clock or SystemClock(),
    )
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise WitnessAddressInUse(
            f"nothing can listen on {host}:{port}: {error.strerror}",
            next_step="Stop what listens there, or choose another port with --port.",
        ) from error
    with contextlib.closing(listening):
        ready(home.vkey.text(), f"http://{host}:{listening.getsockname()[1]}")
        _uvicorn(witness_app(witness, logs)).run(sockets=[listening])


def _uvicorn(app: App) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
    )
