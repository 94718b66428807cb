"""A witness over HTTP: the one address that was configured, bounded in bytes and time (P15).

No redirect is followed and no proxy of the environment is used: either would lead to somebody whom
the operator did not name. Certificates are judged by the operating system's store. The time is
bounded as a whole and not only between two bytes, because a witness may be hostile.
"""

from __future__ import annotations

import ssl
import time
from typing import Final

import httpx

from governance.ledger.core.witness import (
    ADD_CHECKPOINT,
    MAX_ANSWER_BYTES,
    seen_path,
)
from governance.ledger.store.witnesses import WitnessAnswer, WitnessUnreachable

CONNECT_SECONDS: Final = 3.0
WHOLE_SECONDS: Final = 10.0


class HttpWitness:
    """Keeps `ledger.store.witnesses.WitnessDoor`. A connection is made for each request."""

    def __init__(
        self,
        address: str,
        *,
        whole_seconds: float = WHOLE_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._address = address.rstrip("/")
        self._whole_seconds = whole_seconds
        self._transport = transport

    def add_checkpoint(self, body: bytes) -> WitnessAnswer:
        """Send POST add-checkpoint; raise WitnessUnreachable."""
        return self._send("POST", ADD_CHECKPOINT, body)

    def seen(self, origin: str) -> WitnessAnswer:
        """Ask for the checkpoint of the log that it cosigned last; raise WitnessUnreachable."""
        return self._send("GET", seen_path(origin), None)

    def _send(self, method: str, path: str, body: bytes | None) -> WitnessAnswer:
        deadline = time.monotonic() + self._whole_seconds
        timeout = httpx.Timeout(min(CONNECT_SECONDS, self._whole_seconds))
        try:
            with (
                httpx.Client(
                    transport=self._transport,
                    verify=ssl.create_default_context(),
                    timeout=timeout,
                    trust_env=False,
                    follow_redirects=False,
                ) as client,
                client.stream(method, self._address + path, content=body) as response,
            ):
                return WitnessAnswer(
                    status=response.status_code,
                    content_type=response.headers.get("content-type", ""),
                    body=self._read(response, deadline),
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(type(error).__name__) from error

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise self._unreachable(f"it sends more than {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > deadline:
                raise self._unreachable(f"it takes longer than {self._whole_seconds:g} s")
        return bytes(body)

    def _unreachable(self, why: str) -> WitnessUnreachable:
        return WitnessUnreachable(
            f"the witness at {self._address} does not answer: {why}",
            next_step="Check the address in vigil.toml, the network, and with its operator.",
        )
