"""A receipt holds question and answer: it is read where it was given, and nowhere else (P15)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from governance.registry.records import ServiceClient
from governance.storage import private
from governance.storage.ports import Unit
from tests.functional.api.support import SECRET, Api, make_home, running
from tests.unit.identity.conftest import cheap_hashes

READERS = {"site-reader": "st-olav/pharmacy", "ward-reader": "st-olav/ward-3", "house": "st-olav/*"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("receipts") / "home"
    with cheap_hashes() as hash_of:
        make_home(home)

        def add_readers(unit: Unit) -> None:
            for name, scope in READERS.items():
                notes = private.put_client_secret(unit, name, hash_of(SECRET), 1)
                client = ServiceClient(
                    id=name, title=name, scope=scope, permissions="read infer:forecasting",
                    secret_epoch=1, disabled=False,
                )  # fmt: skip
                unit.record(kind="client.added", actor="quinn", add=[client], notes=notes)

        with running(home) as served:
            served.deployment.pen.commit(add_readers)
            yield served


def receipt(api: Api, event: str, client: str, scopes: str = "read") -> int:
    headers = api.bearer(client, scopes=scopes)
    return int(api.http.get(f"/v1/receipts/{event}", headers=headers).status_code)


def events(api: Api, kind: str) -> list[str]:
    return [one.event_id for one in api.deployment.ledger.entries(0, 1000) if one.kind == kind]


@pytest.mark.parametrize(
    ("client", "status"), [("site-reader", 200), ("house", 200), ("ward-reader", 404)]
)
def test_a_reader_gets_the_receipts_of_its_own_place(api: Api, client: str, status: int) -> None:
    event = api.ask().json()["event_id"]
    assert receipt(api, event, client) == status


def test_a_client_gets_its_own_receipt_without_the_scope_read(api: Api) -> None:
    event = api.ask().json()["event_id"]
    assert receipt(api, event, "planner", scopes="infer:forecasting") == 200
    assert receipt(api, event, "site-reader", scopes="infer:forecasting") == 404


@pytest.mark.parametrize("kind", ["ledger.genesis", "release.opened", "client.added"])
def test_no_client_gets_the_receipt_of_what_people_did(api: Api, kind: str) -> None:
    for event in events(api, kind):
        assert receipt(api, event, "house") == 404


def test_an_event_that_is_not_shown_looks_like_none(api: Api) -> None:
    absent = "01890000-0000-7000-8000-000000000000"
    told = [
        api.http.get(f"/v1/receipts/{event}", headers=api.bearer("house", scopes="read")).json()
        for event in (absent, events(api, "release.opened")[0])
    ]
    assert told[0] == told[1]
