"""The verifier: what is verified at a start is verified again while the server runs (P3).

By default the governed rows are folded from the facts every hour, and once a night everything is
verified: entries, bodies, checkpoints, rows. It runs in a thread of its own over one snapshot of
the database, so that neither the pen nor the event loop waits for it.

A difference ends the service of this process: no answer is given, and nothing is written on top of
what is not as it was recorded. A verification that could not be run stops answers until one passes.
Both are said in the log for as long as they last.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from governance.clock import MICROSECONDS, Clock
from governance.home import VerificationConfig
from governance.ledger.core.errors import LedgerTampered
from governance.storage.errors import AuditUnavailable

RETRY_US: Final = 60 * MICROSECONDS
_HOUR_US: Final = 3600 * MICROSECONDS
_DAY_US: Final = 24 * _HOUR_US
_LOOK_SECONDS: Final = 15
_STOP_SECONDS: Final = 10

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Verifier:
    """See the module. `turn` may be called by hand; `running` calls it in a thread."""

    def __init__(
        self,
        *,
        rows: Callable[[], object],
        everything: Callable[[], object],
        schedule: VerificationConfig,
        clock: Clock,
    ) -> None:
        """Take the two checks, which raise LedgerTampered; the rows were compared just now."""
        self._rows = rows
        self._everything = everything
        self._rows_every_us = schedule.rows_every_minutes * 60 * MICROSECONDS
        self._hour_us = schedule.everything_at_utc_hour * _HOUR_US
        self._clock = clock
        self._fault: LedgerTampered | None = None
        self._in_doubt = False
        self._stop = threading.Event()
        now_us = clock.now_us()
        self._rows_due_us = now_us + self._rows_every_us
        self._everything_due_us = self._next_night(now_us)

    # --- what the pen and the health page ask -------------------------------------------------

    def check_writable(self) -> None:
        """Raise LedgerTampered once something was found that is not as it was recorded."""
        if self._fault is not None:
            raise self._fault

    def check_answers(self) -> None:
        """Raise AuditUnavailable where something was found, or where nothing could be verified."""
        if self._fault is not None or self._in_doubt:
            raise AuditUnavailable(
                "the governed records and the ledger do not verify",
                next_step="The operator reads the server's log and runs `vigil ledger verify`.",
            )

    @property
    def code(self) -> str | None:
        """The code of what is wrong, None where nothing is."""
        if self._fault is not None:
            return self._fault.code
        return AuditUnavailable.code if self._in_doubt else None

    # --- what people ask ----------------------------------------------------------------------

    def on_demand(self, check: Callable[[], T]) -> T:
        """Run a check that somebody wants now, in the caller's thread; raise what it raises.

        What it finds ends the service as a turn's finding does: a difference that a person has seen
        must not go on being answered on (P1).
        """
        try:
            passed = self._look_twice(check)
        except LedgerTampered as fault:
            self._fault = fault
            _log.critical("verification failed; nothing is answered or written: %s", fault)
            raise
        self._in_doubt = False
        return passed

    # --- the thread ---------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take turns in a thread for the length of the block."""
        self._stop.clear()
        thread = threading.Thread(target=self._run, name="vigil-verifier", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(_STOP_SECONDS)  # a verification takes minutes; what it finds is not heard

    def _run(self) -> None:
        self.turn()
        while not self._stop.wait(_LOOK_SECONDS):
            self.turn()

    def turn(self) -> None:
        """Verify what is due, if anything is."""
        now_us = self._clock.now_us()
        # A clock that was set back must not put off what is due by more than its period (P12).
        self._rows_due_us = min(self._rows_due_us, now_us + self._rows_every_us)
        self._everything_due_us = min(self._everything_due_us, now_us + _DAY_US)
        if now_us >= self._everything_due_us:
            passed = self._verify(self._everything)
            self._everything_due_us = self._next_night(now_us) if passed else now_us + RETRY_US
            self._rows_due_us = now_us + self._rows_every_us
        elif now_us >= self._rows_due_us:
            passed = self._verify(self._rows)
            self._rows_due_us = now_us + (self._rows_every_us if passed else RETRY_US)

    def _verify(self, check: Callable[[], object]) -> bool:
        """Run the check and keep what it says; False where it has to be tried again."""
        if self._fault is not None:
            _log.critical("nothing is answered or written, because of %s", self._fault)
            return True
        try:
            self._look_twice(check)
        except LedgerTampered as fault:
            if self._stop.is_set():
                return True
            self._fault = fault
            _log.critical("verification failed; nothing is answered or written: %s", fault)
        except Exception:  # noqa: BLE001
            # Whatever it is, a thread that ended would be noticed by nobody (P12).
            if self._stop.is_set():
                return True
            self._in_doubt = True
            _log.exception("verification could not be run; nothing is answered until one passes")
            return False
        else:
            if self._in_doubt:
                _log.warning("verification passed; answers go on")
            self._in_doubt = False
        return True

    def _look_twice(self, check: Callable[[], T]) -> T:
        """Run the check again where it found something, with the gate closed meanwhile.

        Keys and the policy are files beside the database; one that is being changed with it differs
        for an instant. What is really there is there at the second look.
        """
        try:
            return check()
        except LedgerTampered as fault:
            self._in_doubt = True
            _log.critical("verification found a difference and looks again: %s", fault)
            return check()

    def _next_night(self, now_us: int) -> int:
        due_us = now_us - now_us % _DAY_US + self._hour_us
        return due_us if due_us > now_us else due_us + _DAY_US
