"""The page of the log's keys: ranges, what is under way, and links to the entries (P3)."""

from __future__ import annotations

import pytest
from console_samples.desk import PASSWORD, SampleDesk
from starlette.testclient import TestClient

from governance.console.app import console_of
from governance.operations.inspect.key_events import keys_seen, what_it_says
from tests.support.small_deployment import Small, small

pytestmark = pytest.mark.requirement("P3")


def test_the_page_shows_ranges_and_links_every_event_to_its_entry() -> None:
    with TestClient(console_of(SampleDesk()), base_url="http://console.test") as client:
        client.post("/sign-in", data={"person": "ingrid.dahl", "password": PASSWORD})
        page = client.get("/ledger/keys").text
        assert '<a href="/ledger/keys">' in client.get("/ledger").text
    assert "A rotation is under way" in page
    assert "1 to 9" in page
    assert page.count("In force") == 2
    for seq in (0, 5, 9, 14, 21, 22):
        assert f'href="/ledger/entries/{seq}"' in page


def test_the_events_are_those_of_the_log(tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    with small(tmp_path) as home:
        rotate(home)
        seen = keys_seen(home.deployment.ledger)
    assert [one.kind for one in seen.events] == [
        "ledger.policy_changed",
        "key.retired",
        "ledger.policy_changed",
        "key.rotated",
        "key.rotation_started",
        "ledger.genesis",
    ]
    assert "begun by ada" in seen.events[3].says
    assert len(seen.keys.spans) == 2


def rotate(home: Small) -> None:
    home.signed("ada", "ledger.rotate_key")
    home.signed("rea", "ledger.rotate_key")
    home.signed("ada", "ledger.retire_key")


def test_a_successor_says_what_is_lost() -> None:
    said = what_it_says("ledger.genesis", {"predecessor": {"origin": "o", "lost": [7, 9]}})
    assert said == "The log begins as the successor of o, entries 7 and on are lost."
    assert what_it_says("log.closed", {"successor": "n"}).endswith("n succeeds it.")
    said = what_it_says("key.rotated", {"old": "log+01+AB+c", "new": None})
    assert said == "From here an unreadable key signs beside key 01."
