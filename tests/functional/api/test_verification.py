"""A home that is changed behind the server's back, while it serves (P3)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from governance.ledger.core.errors import LedgerTampered
from tests.functional.api.support import ShiftedClock, running
from tests.functional.api.test_predict import problem
from tests.unit.serving.fakes import HOUR_US, hold_record


@pytest.mark.requirement("P3")
@pytest.mark.requirement("P11")
def test_a_hold_that_is_lifted_in_the_database_ends_service_within_the_hour(home: Path) -> None:
    clock = ShiftedClock()
    with running(home, clock=clock) as api:
        api.act(hold_record())
        problem(api.ask(), 409, "gate.suspended")
        with sqlite3.connect(home / "vigil.sqlite") as database:
            database.execute("UPDATE hold SET state = 'lifted', lifted_us = placed_us")
        database.close()
        clock.shift_us = HOUR_US
        api.deployment.verifier.turn()
        problem(api.ask(), 503, "gate.audit_unavailable")
        with pytest.raises(LedgerTampered):
            api.act(hold_record("H-2"))
        ready = api.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["verification"] == "ledger.tampered"


@pytest.mark.requirement("P2")
def test_an_answer_that_waits_when_tampering_is_found_is_refused_as_unavailable(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(home, clock=ShiftedClock()) as api:
        verifier = api.deployment.verifier
        before = api.size()
        # Found after the answer was taken into the queue, and before the pen came to it.
        monkeypatch.setattr(verifier, "check_answers", lambda: None)
        monkeypatch.setattr(verifier, "_fault", LedgerTampered("as planted", sequence=3))
        problem(api.ask(), 503, "gate.audit_unavailable")
        problem(api.ask(), 503, "gate.audit_unavailable")
        with pytest.raises(LedgerTampered):
            api.act(hold_record())
        assert api.size() == before


def test_a_server_that_verifies_is_ready_and_answers(home: Path) -> None:
    clock = ShiftedClock()
    with running(home, clock=clock) as api:
        for _ in range(25):
            clock.shift_us += HOUR_US
            api.deployment.verifier.turn()
        assert api.ask().status_code == 200
        ready = api.http.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["verification"]) == (200, "ok")
