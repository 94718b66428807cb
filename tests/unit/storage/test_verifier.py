"""When a running server verifies itself, and what it does with what it finds (P3, P12)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from governance.clock import FixedClock
from governance.home import VerificationConfig
from governance.ledger.core.errors import LedgerTampered
from governance.storage.errors import AuditUnavailable
from governance.storage.verifier import RETRY_US, CheckEnded, Verifier

HOUR_S = 3600
NIGHT_US = 20_000 * 24 * HOUR_S * 1_000_000  # midnight, UTC
SECOND_US = 1_000_000


def nothing() -> None:
    """Find nothing."""


class Checks:
    """Counts the checks, which do what the test says."""

    def __init__(self, *, hour: int = 2) -> None:
        self.clock = FixedClock(now_us=NIGHT_US)
        self.rows = self.everything = 0
        self.happens: Callable[[], object] = nothing
        schedule = VerificationConfig(everything_at_utc_hour=hour)
        self.verifier = Verifier(
            rows=self._rows, everything=self._everything, schedule=schedule, clock=self.clock
        )

    def _rows(self) -> None:
        self.rows += 1
        self.happens()

    def _everything(self) -> None:
        self.everything += 1
        self.happens()

    def after(self, seconds: float) -> tuple[int, int]:
        """Take a turn so much later; return how often rows and everything were verified so far."""
        self.clock.advance(seconds=seconds)
        self.verifier.turn()
        return self.rows, self.everything


def tampered() -> None:
    raise LedgerTampered("table hold row H-1 column state", sequence=7)


def test_rows_are_verified_every_hour_and_everything_in_its_hour_of_the_night() -> None:
    checks = Checks()
    assert checks.after(HOUR_S - 1) == (0, 0)
    assert checks.after(1) == (1, 0)
    assert checks.after(HOUR_S) == (1, 1)
    assert checks.after(HOUR_S) == (2, 1)
    assert checks.after(22 * HOUR_S) == (3, 1)
    assert checks.after(HOUR_S) == (3, 2)


@pytest.mark.parametrize("hour", range(24))
def test_whatever_hour_is_chosen_comes_once_a_day(hour: int) -> None:
    checks = Checks(hour=hour)
    for _ in range(96):
        checks.after(HOUR_S / 2)
    assert checks.everything == 2


@pytest.mark.requirement("P12")
def test_a_clock_that_is_set_back_puts_nothing_off() -> None:
    checks = Checks()
    checks.after(-365 * 24 * HOUR_S)
    assert checks.after(HOUR_S) == (1, 0)
    assert checks.after(23 * HOUR_S) == (1, 1)


@pytest.mark.requirement("P3")
def test_a_difference_closes_the_gate_and_stops_every_write_for_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    checks = Checks()
    checks.happens = tampered
    checks.after(HOUR_S)
    checks.happens = nothing
    for _ in range(3):
        caplog.clear()
        checks.after(HOUR_S)
        assert [(record.levelno, "H-1" in record.message) for record in caplog.records] == [
            (logging.CRITICAL, True)
        ]
        assert checks.verifier.code == "ledger.tampered"
        with pytest.raises(AuditUnavailable) as refused:
            checks.verifier.check_answers()
        assert "H-1" not in str(refused.value)
        with pytest.raises(LedgerTampered):
            checks.verifier.check_writable()


def test_a_difference_that_is_gone_at_the_second_look_closes_the_gate_only_meanwhile() -> None:
    checks = Checks()
    codes: list[str | None] = []

    def once() -> None:
        codes.append(checks.verifier.code)
        if checks.rows == 1:
            tampered()

    checks.happens = once
    assert checks.after(HOUR_S) == (2, 0)
    assert codes == [None, "gate.audit_unavailable"]
    assert checks.verifier.code is None
    checks.verifier.check_answers()
    checks.verifier.check_writable()


@pytest.mark.parametrize("error", [OSError(5, "input/output error"), KeyError("a fault of ours")])
def test_a_verification_that_cannot_be_run_refuses_answers_until_one_passes(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    checks = Checks()
    checks.happens = fail
    checks.after(HOUR_S)
    assert "could not be run" in caplog.text
    assert checks.verifier.code == "gate.audit_unavailable"
    checks.verifier.check_writable()
    with pytest.raises(AuditUnavailable):
        checks.verifier.check_answers()
    checks.happens = nothing
    assert checks.after(RETRY_US / SECOND_US - 1) == (1, 0)
    assert checks.after(1) == (2, 0)
    assert checks.verifier.code is None
    checks.verifier.check_answers()


def test_the_thread_verifies_what_is_due_and_ends_with_its_block() -> None:
    checks, verified = Checks(), threading.Event()
    checks.happens = verified.set
    checks.clock.advance(seconds=HOUR_S)
    with checks.verifier.running():
        assert verified.wait(10)
    assert "vigil-verifier" not in {thread.name for thread in threading.enumerate()}


def test_what_a_verification_meets_while_the_server_ends_is_not_taken_for_a_fault() -> None:
    """The connection and the keys are closed under it."""
    checks = Checks()
    with checks.verifier.running():
        pass
    checks.happens = tampered
    assert checks.after(HOUR_S) == (2, 0)
    checks.verifier.check_writable()


def unreadable() -> None:
    raise OSError(5, "input/output error")


@pytest.mark.parametrize("error", [OSError(5, "input/output error"), TypeError("a fault of ours")])
def test_a_check_on_demand_that_cannot_be_run_is_followed_by_one_of_everything(
    error: Exception,
) -> None:
    def fail() -> None:
        raise error

    checks = Checks()
    with pytest.raises(type(error)):
        checks.verifier.on_demand(fail)
    with pytest.raises(AuditUnavailable):
        checks.verifier.check_answers()
    assert checks.after(1) == (0, 1)
    checks.verifier.check_answers()


def test_a_check_on_demand_that_is_ended_puts_nothing_in_doubt() -> None:
    def end() -> None:
        raise CheckEnded

    checks = Checks()
    with pytest.raises(CheckEnded):
        checks.verifier.on_demand(end)
    checks.verifier.check_answers()
    assert checks.after(1) == (0, 0)


def test_rows_that_pass_say_nothing_of_a_difference_that_was_found_in_everything() -> None:
    looked: list[None] = []

    def found_and_then_unreadable() -> None:
        looked.append(None)
        tampered() if len(looked) == 1 else unreadable()

    checks = Checks()
    with pytest.raises(OSError, match="input/output"):
        checks.verifier.on_demand(found_and_then_unreadable)
    checks.verifier._verify(checks._rows, 1)
    assert checks.rows == 1
    assert checks.verifier.code == "gate.audit_unavailable"
    assert checks.after(1) == (1, 1)
    assert checks.verifier.code is None


def test_a_check_that_began_before_a_doubt_does_not_resolve_it() -> None:
    checks = Checks()
    looks: list[str | None] = []

    def everything() -> None:
        """The nightly check finds a difference while an older snapshot is being read."""
        looks.append(checks.verifier.code)
        if len(looks) == 1:
            tampered()

    def older_snapshot() -> None:
        checks.happens = everything
        checks.after(24 * HOUR_S)
        checks.verifier._doubt(2)  # the second look of another one, still going on

    checks.verifier.on_demand(older_snapshot)
    assert looks == [None, "gate.audit_unavailable"]
    assert checks.verifier.code == "gate.audit_unavailable"
    checks.verifier.on_demand(nothing)
    assert checks.verifier.code is None
