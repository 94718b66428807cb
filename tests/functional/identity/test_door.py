"""The operations' door over a real home: who calls is known first, and nothing sent comes back."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from governance.api.asgi import App, Message
from governance.api.operations_door import SMALL_BYTES_MAX
from governance.api.server import application
from governance.operations import catalogue
from governance.operations.admin import password_tries
from tests.functional.api.support import InProcess
from tests.unit.identity.conftest import House, house

__all__ = ["house"]
MARK = "zq-marker-of-the-caller"


@pytest.fixture
def app(house: House) -> App:
    return application(house.deployment)


@pytest.fixture
def door(app: App) -> Iterator[InProcess]:
    with InProcess(app) as http:
        yield http


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed_in(house: House, person: str = "ada") -> dict[str, str]:
    return bearer(house.sign_in(person).token)


def test_every_answer_is_kept_by_nobody(house: House, door: InProcess) -> None:
    password = {"person": "ada", "password": house.own_password("ada")}
    for answer in (
        door.post("/session", json=password),
        door.post("/session", json={}),
        door.post("/operations/person.list", json={}),
        door.post("/operations/person.list", json={}, headers=signed_in(house)),
        door.request("DELETE", "/session", headers=signed_in(house)),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("headers", [{}, bearer("unknown"), {"Authorization": "Basic eDp5"}])
def test_nothing_is_read_from_somebody_unknown(app: App, headers: dict[str, str]) -> None:
    asked = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"{}", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/operations/person.list",
        "raw_path": b"/operations/person.list", "query_string": b"", "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "client": ("10.0.0.1", 1), "server": ("vigil.test", 80), "scheme": "http",
    }  # fmt: skip
    asyncio.run(_run(app, scope, receive, send))
    assert sent[0]["status"] == 401
    assert asked == 0


async def _run(app: App, scope: Any, receive: Any, send: Any) -> None:
    await app(scope, receive, send)


def test_a_session_is_not_asked_for_in_more_than_four_kilobytes(door: InProcess) -> None:
    body = {"person": "ada", "password": "x" * SMALL_BYTES_MAX}
    answer = door.post("/session", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "input.invalid")


def test_somebody_without_a_role_sends_little(house: House, door: InProcess) -> None:
    house.add("una")
    house.settle("una")
    body = {"text": "x" * SMALL_BYTES_MAX}
    answer = door.post("/operations/data.add", json=body, headers=signed_in(house, "una"))
    assert "4096 bytes" in answer.json()["detail"]


def test_an_administrator_sends_a_large_table(house: House, door: InProcess) -> None:
    body = {"text": "x" * (2 * 1024 * 1024)}
    answer = door.post("/operations/data.add", json=body, headers=signed_in(house))
    assert "bytes" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"person": ' * 100_000,
        b'{"person": "\\ud800", "printed_name": "Half a character"}',
        b'{"person": "\xed\xa0\x80"}',
        b'{"person": ' + b"1" * 5_000 + b"}",
        b"\xff\xfe{\x00}\x00",
        b"",
        b"[]",
        b'"person"',
    ],
)
def test_what_is_no_object_of_whole_characters_is_refused(
    house: House, door: InProcess, body: bytes
) -> None:
    answer = door.post("/operations/person.disable", content=body, headers=signed_in(house))
    assert answer.status_code == 422
    assert answer.json()["code"] == "input.invalid"


@pytest.mark.parametrize("body", [b'{"person": "ada", "password": "\\udfff"}', b"[" * 4_000])
def test_a_strange_sign_in_is_refused(door: InProcess, body: bytes) -> None:
    answer = door.post("/session", content=body)
    assert answer.status_code == 422


def test_a_fault_goes_no_further_than_its_place(
    house: House, door: InProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"the inside of {MARK}")

    monkeypatch.setattr(catalogue, "perform", broken)
    with caplog.at_level(logging.DEBUG):
        answer = door.post("/operations/person.list", json={}, headers=signed_in(house))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal.fault")
    assert MARK not in answer.text
    assert MARK not in caplog.text
    assert "RuntimeError at " in caplog.text


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("person.disable", {"person": MARK}),
        ("person.disable", {MARK: MARK}),
        ("role.grant", {"person": MARK, "role": MARK, "scope": MARK}),
        ("role.grant", {"person": "ada", "role": "auditor", "scope": f"{MARK}/*"}),
        ("client.add", {"client": MARK, "title": "T" * 3, "scope": MARK, "permissions": [MARK]}),
        (MARK, {}),
    ],
)
def test_no_refusal_shows_what_was_sent(
    house: House, door: InProcess, name: str, params: dict[str, Any]
) -> None:
    answer = door.post(f"/operations/{name}", json=params, headers=signed_in(house))
    assert 400 <= answer.status_code < 500
    values = json.dumps(answer.json())
    assert MARK not in values


def test_a_first_password_signs_in_through_the_door_only_to_be_changed(
    house: House, door: InProcess
) -> None:
    house.add("rea", "reviewer")
    first, own = house.first_password("rea"), house.own_password("rea")
    opened = door.post("/session", json={"person": "rea", "password": first}).json()
    assert opened["must_change_password"] is True
    headers = bearer(opened["token"])
    refused = door.post("/operations/review.list", json={}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.password_must_change")
    changed = door.post(
        "/operations/person.change_password", json={"old": first, "new": own}, headers=headers
    )
    assert changed.json() == {"person": "rea", "must_change": False}
    assert door.post("/operations/review.list", json={}, headers=headers).status_code == 200


def test_the_door_counts_failures_where_they_come_from(house: House, door: InProcess) -> None:
    guess = {"person": "ada", "password": "guess"}
    found = [door.post("/session", json=guess).status_code for _ in range(6)]
    assert found == [401] * password_tries.TRIES_AT_ACCOUNT_FROM_PEER + [429]
    assert house.sign_in("ada", peer="10.0.0.9").actor.person == "ada"


def test_guesses_that_come_together_count_together(house: House, door: InProcess) -> None:
    del house
    guess = {"person": "ada", "password": "guess"}
    found = [one.status_code for one in door.together(12, "/session", json=guess)]
    assert found.count(401) == password_tries.TRIES_AT_ACCOUNT_FROM_PEER
    assert found.count(429) == 12 - password_tries.TRIES_AT_ACCOUNT_FROM_PEER


def test_signing_out_through_the_door_ends_the_session(house: House, door: InProcess) -> None:
    headers = signed_in(house)
    assert door.request("DELETE", "/session", headers=headers).status_code == 200
    assert door.post("/operations/person.list", json={}, headers=headers).status_code == 401
    assert house.facts("session.ended")["reason"] == "signed_out"
