"""The calling system of the demonstration: a token, a question, and what comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket
from typing import Any

import httpx
import uvicorn

from governance.api.server import application, server
from governance.deployment import Deployment
from governance.errors import GovernanceError

START_SECONDS = 30.0
ASK_SECONDS = 30.0


class ServerDidNotStart(GovernanceError):
    """The demonstration's server did not come up."""

    code = "server.did_not_start"
    http_status = 503


@contextmanager
def serving(deployment: Deployment, listening: socket) -> Iterator[uvicorn.Server]:
    """Serve the deployment on an open socket, in a thread, for the length of the block."""
    running = server(application(deployment))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        _wait(running, thread)
        yield running
    finally:
        running.should_exit = True
        thread.join(timeout=START_SECONDS)


def _wait(running: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not running.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise ServerDidNotStart(
                "the server did not start",
                next_step="run `vigil serve` for this home and read what it says",
            )
        time.sleep(0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """A client of the gate over HTTP."""

    address: str
    client: str
    secret: str

    def ask(self, model: str, rows: list[dict[str, Any]]) -> tuple[int, bytes]:
        """Ask the model; return the status and the exact bytes of the answer."""
        with httpx.Client(base_url=self.address, timeout=ASK_SECONDS) as http:
            issued = http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials", "scope": f"infer:{model}"},
                auth=(self.client, self.secret),
            )
            issued.raise_for_status()
            answer = http.post(
                f"/v1/models/{model}/predict",
                json={"rows": rows, "context": {"purpose": "stock-planning"}},
                headers={"Authorization": f"Bearer {issued.json()['access_token']}"},
            )
        return answer.status_code, answer.content
