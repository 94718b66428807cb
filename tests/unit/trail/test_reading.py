"""What is read of the trail is what was logged: also the event id, and what became of a body."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from unittest.mock import patch

import pytest
from sqlalchemy.exc import OperationalError

from governance.errors import NotFound
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.view import LedgerView
from governance.operations.trail.coverage import trail_gauges
from governance.storage.errors import AuditUnavailable
from tests.support.small_deployment import Small
from tests.unit.trail.traffic import answer


def change(home: Small, statement: str, seq: int) -> None:
    with closing(sqlite3.connect(home.deployment.home.database_path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        connection.execute("DROP TRIGGER IF EXISTS entry_refuses_update")
        assert connection.execute(statement, (seq,)).rowcount == 1


def with_body(home: Small) -> int:
    answer(home)
    hits = home.perform("aud", "trail.search", answers=True, limit=500)["hits"]
    return next(int(hit["seq"]) for hit in hits if hit["body"] == "held")


def refused(home: Small) -> int | None:
    with pytest.raises(LedgerTampered) as found:
        home.perform("aud", "trail.search", answers=True, limit=500)
    return found.value.sequence


def test_an_event_id_that_was_changed_is_not_shown(home: Small) -> None:
    event = "01900000-0000-7000-8000-00000000dead"
    change(home, f"UPDATE entry SET event_id = '{event}' WHERE seq = ?", 20)
    assert refused(home) == 20
    with pytest.raises(LedgerTampered):
        home.perform("aud", "trail.export", form="csv")


@pytest.mark.parametrize("by", [3, 91, 10**9])
def test_a_body_is_not_shown_as_erased_because_its_row_says_so(home: Small, by: int) -> None:
    seq = with_body(home)
    change(home, f"UPDATE body SET erased_by_seq = {by} WHERE seq = ?", seq)
    assert refused(home) == seq


def test_a_body_that_is_gone_is_not_shown_as_held(home: Small) -> None:
    seq = with_body(home)
    change(home, "DELETE FROM body WHERE seq = ?", seq)
    assert refused(home) == seq


def test_a_cell_of_another_type_is_tampering_wherever_it_is_met(home: Small) -> None:
    change(home, "UPDATE entry SET facts = CAST(facts AS TEXT) WHERE seq = ?", 60)
    assert trail_gauges(home.deployment) == {"vigil_trail_readable": 0}
    assert refused(home) == 60


def test_a_database_that_is_away_is_told_as_that(home: Small) -> None:
    away = OperationalError("SELECT", {}, Exception("server closed the connection"))
    with patch.object(LedgerView, "entries", side_effect=away), pytest.raises(AuditUnavailable):
        home.perform("aud", "trail.export", form="csv")


@pytest.mark.parametrize("number", [-1, 10**9, 2**63, int("9" * 30)])
def test_a_number_that_no_row_can_have_is_not_found(home: Small, number: int) -> None:
    ledger = home.deployment.ledger
    for read in (ledger.entry, ledger.body, ledger.checkpoints.at):
        with pytest.raises(NotFound):
            read(number)
    assert ledger.entries(max(number, 10**9)) == []
