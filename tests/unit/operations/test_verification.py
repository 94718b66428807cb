"""One verification at a time beside the serving: joined, told, and heard by the gate."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from governance.ledger.core.errors import LedgerTampered
from governance.operations.inspect.verification import PHASES, Verifications
from governance.storage.errors import AuditUnavailable
from tests.support.small_deployment import Small, small


def test_a_run_passes_every_phase_and_keeps_who_and_when(home: Small) -> None:
    phases: list[str] = []
    verifications = Verifications(home.deployment, work=0, rest=lambda _: None)
    tell = verifications._tell

    def noted(phase: str, done: int) -> None:
        phases.append(phase)
        tell(phase, done)  # type: ignore[arg-type]

    verifications._tell = noted  # type: ignore[method-assign]
    assert verifications.latest() is None
    verifications.start(by="Rea Small (rea)")
    run = verifications.wait()
    assert run is not None
    assert (run.started_by, run.running, run.tampered) == ("Rea Small (rea)", False, False)
    assert run.report is not None
    assert run.report.size == run.size == home.size()
    assert run.report.counts is not None
    assert run.report.counts.agrees
    assert list(dict.fromkeys(phases)) == list(PHASES)
    assert run.ended_us is not None
    assert run.ended_us > run.started_us


def test_who_asks_while_one_runs_joins_it_and_acts_go_on(home: Small) -> None:
    going, may_go = threading.Event(), threading.Event()

    def rest(_: float) -> None:
        going.set()
        may_go.wait(20)

    verifications = Verifications(home.deployment, work=0, rest=rest)
    first = verifications.start(by="rea")
    assert going.wait(20)
    joined = verifications.start(by="sam")
    assert (joined.started_by, joined.started_us) == ("rea", first.started_us)
    assert joined.running
    # The reading holds neither the pen nor the readers up.
    home.perform("ada", "person.add", person="kim", printed_name="Kim", password="x" * 20)
    may_go.set()
    run = verifications.wait()
    assert run is not None
    assert run.report is not None
    assert run.report.size == first.size
    again = verifications.start(by="sam")
    assert again.started_by == "sam"
    verifications.wait()


@pytest.mark.requirement("P1")
@pytest.mark.requirement("P3")
def test_a_difference_is_told_with_its_entry_and_ends_the_service(home: Small) -> None:
    database_path = home.deployment.home.database_path
    with sqlite3.connect(database_path) as database:
        database.execute("DROP TRIGGER entry_refuses_update")
        database.execute("UPDATE entry SET facts = X'7b7d' WHERE seq = 7")
    database.close()
    verifications = Verifications(home.deployment, work=0, rest=lambda _: None)
    verifications.start(by="rea")
    run = verifications.wait()
    assert run is not None
    assert run.report is None
    assert (run.tampered, run.bad_entry) == (True, 7)
    assert run.problem is not None
    assert run.problem.code == "ledger.tampered"
    with pytest.raises(AuditUnavailable):
        home.deployment.verifier.check_answers()
    with pytest.raises(LedgerTampered):
        home.deployment.verifier.check_writable()


def test_a_run_that_breaks_says_that_nothing_is_known(
    home: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise OSError("what the system says")

    monkeypatch.setattr(home.deployment.ledger, "verify", fail)
    verifications = Verifications(home.deployment)
    verifications.start(by="rea")
    run = verifications.wait()
    assert run is not None
    assert run.problem is not None
    assert (run.problem.code, run.tampered, run.report) == (
        "ledger.verification_broken",
        False,
        None,
    )
    assert "what the system says" not in run.problem.detail
    with pytest.raises(AuditUnavailable):
        home.deployment.verifier.check_answers()
    monkeypatch.undo()
    home.deployment.verifier.turn()  # the next look, which verifies everything now
    home.deployment.verifier.check_answers()


def test_a_thread_that_cannot_start_leaves_nothing_that_seems_to_run(
    home: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    verifications = Verifications(home.deployment)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", full)
        with pytest.raises(RuntimeError):
            verifications.start(by="rea")
    assert verifications.latest() is None
    verifications.start(by="rea")
    run = verifications.wait()
    assert run is not None
    assert run.report is not None


def test_a_home_that_is_given_back_ends_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = threading.Event()

    def without_end(check: Callable[[], object]) -> None:
        while True:
            check()

    with small(tmp_path) as home:
        verifications = Verifications(home.deployment, work=0, rest=lambda _: going.set())
        monkeypatch.setattr(home.deployment.verifier, "on_demand", without_end)
        verifications.start(by="rea")
        assert going.wait(20)
    run = verifications.latest()
    assert run is not None
    assert run.problem is not None
    assert "the server is closing" in run.problem.detail
