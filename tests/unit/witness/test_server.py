"""The witness over HTTP: every status as the specification has it, and bounds on what is read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from governance.ledger.core.witness import (
    ADD_CHECKPOINT,
    MAX_REQUEST_BYTES,
    SIZE_TYPE,
    parse_cosignatures,
    seen_path,
)
from governance.witness import server
from governance.witness.server import witness_app
from tests.unit.ledger.sample import ORIGIN, SampleLog, witness_key
from tests.unit.witness.parties import LOG, forked, make_witness, request

KEY = witness_key("hospital")


class Client:
    """Sends requests to a witness without a socket."""

    def __init__(self, root: Path) -> None:
        self.app = witness_app(make_witness(root))

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://w") as client:
                return await client.request(method, path, **options)

        return asyncio.run(once())

    def add(self, body: bytes) -> httpx.Response:
        return self.send("POST", ADD_CHECKPOINT, content=body)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def test_a_checkpoint_is_cosigned(client: Client) -> None:
    response = client.add(request(5))
    assert response.status_code == 200
    assert parse_cosignatures(response.content, checkpoint=LOG.note(5), key=KEY)
    assert client.send("GET", seen_path(ORIGIN)).content.startswith(ORIGIN.encode())


def test_every_refusal_has_its_status(client: Client) -> None:
    client.add(request(5))
    refused = {
        400: [b"", b"old 0\n\n", request(4, old=5)],
        403: [request(4, log=SampleLog.of(4, key_name="evil"))],
        404: [request(4, log=SampleLog.of(4, origin="example.org/other"))],
        409: [request(9), request(9, old=4), request(5, old=5, log=forked(2, 5))],
        422: [request(9, old=5, log=forked(2, 9))],
        413: [bytes(MAX_REQUEST_BYTES + 1)],
    }
    for status, bodies in refused.items():
        for body in bodies:
            assert client.add(body).status_code == status


def test_a_conflict_states_the_size_in_the_type_of_the_specification(client: Client) -> None:
    client.add(request(5))
    conflict = client.add(request(9))
    assert conflict.headers["content-type"] == SIZE_TYPE
    assert conflict.content == b"5\n"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", ADD_CHECKPOINT, 405),
        ("PUT", ADD_CHECKPOINT, 405),
        ("POST", seen_path(ORIGIN), 405),
        ("GET", seen_path(ORIGIN), 204),
        ("GET", seen_path("example.org/other"), 404),
        ("GET", "/", 404),
        ("GET", "/checkpoint", 404),
        ("POST", "/add-checkpoint/", 404),
        ("GET", seen_path(ORIGIN).upper(), 404),
        ("GET", "/../witness.pem", 404),
    ],
)
def test_there_is_nothing_else(client: Client, method: str, path: str, status: int) -> None:
    assert client.send(method, path).status_code == status


def test_an_answer_never_repeats_what_was_sent(client: Client) -> None:
    for body in (b"old Kari\n\n", b"old 0\n\nKari\n1\n", b"Kari" * 10):
        response = client.add(body)
        assert response.status_code == 400
        assert b"Kari" not in response.content


def test_a_body_without_end_is_cut_off(tmp_path: Path) -> None:
    app = witness_app(make_witness(tmp_path))
    taken = 0

    async def endless() -> dict[str, Any]:
        nonlocal taken
        taken += 65536
        return {"type": "http.request", "body": bytes(65536), "more_body": True}

    assert asyncio.run(_status(app, endless)) == 413
    assert taken <= MAX_REQUEST_BYTES + 65536


def test_a_body_that_never_comes_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "BODY_SECONDS", 0.0)

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    assert asyncio.run(_status(witness_app(make_witness(tmp_path)), never)) == 408


def test_a_request_that_is_cut_is_not_read(tmp_path: Path) -> None:
    async def cut() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert asyncio.run(_status(witness_app(make_witness(tmp_path)), cut)) == 400


def test_a_witness_that_cannot_remember_answers_503(tmp_path: Path) -> None:
    client = Client(tmp_path)
    (tmp_path / "witness.sqlite").write_bytes(b"no database" * 100)
    assert client.add(request(5)).status_code == 503
    assert client.send("GET", seen_path(ORIGIN)).status_code == 503


async def _status(app: Any, receive: Any) -> int:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": ADD_CHECKPOINT}
    await app(scope, receive, send)
    return int(sent[0]["status"])
