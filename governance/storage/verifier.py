"""The verifier: what is verified at a start is verified again while the server runs (P3).

By default the governed rows are folded from the facts every hour, and once a night everything is
verified: entries, bodies, checkpoints, rows. It runs in a thread of its own over one snapshot of
the database, so that neither the pen nor the event loop waits for it.

A difference ends the service of this process: no answer is given, and nothing is written on top of
what is not as it was recorded. A verification that could not be run stops answers until one passes
that began afterwards and looks at as much. Both are said in the log for as long as they last.
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

# How much a check looks at: a wider one sees everything that a narrower one sees.
_ROWS: Final = 1
_EVERYTHING: Final = 2

_log = logging.getLogger(__name__)
T = TypeVar("T")


class CheckEnded(Exception):
    """Whoever wanted the check ended it: nothing is known by it, and nothing is in doubt."""


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
        self._door = threading.Lock()
        self._tick = 0
        self._doubts: dict[int, int] = {}
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
        if self._fault is not None or self._doubts:
            raise AuditUnavailable(
                "the governed records and the ledger do not verify",
                next_step="The operator reads the server's log and runs `vigil ledger verify`.",
            )

    @property
    def code(self) -> str | None:
        """The code of what is wrong, None where nothing is."""
        if self._fault is not None:
            return self._fault.code
        return AuditUnavailable.code if self._doubts else None

    # --- what people ask ----------------------------------------------------------------------

    def on_demand(self, check: Callable[[], T]) -> T:
        """Run a check of everything that somebody wants now, in their thread; raise what it raises.

        What it finds ends the service as a turn's finding does: a difference that a person has seen
        must not go on being answered on (P1). Where it could not be run, nothing is known: answers
        stop, and the thread verifies everything at its next look. CheckEnded says nothing.
        """
        try:
            return self._look_twice(check, _EVERYTHING)
        except LedgerTampered as fault:
            self._fault = fault
            _log.critical("verification failed; nothing is answered or written: %s", fault)
            raise
        except CheckEnded:
            raise
        except Exception:
            self._doubt(_EVERYTHING)
            _log.exception("verification could not be run; nothing is answered until one passes")
            raise
        finally:
            if _EVERYTHING in self._doubts:  # which nobody else would look at before the night
                self._everything_due_us = self._clock.now_us()

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
            self._everything_due_us = self._next_night(now_us)
            self._rows_due_us = now_us + self._rows_every_us
            if not self._verify(self._everything, _EVERYTHING):
                self._everything_due_us = now_us + RETRY_US
        elif now_us >= self._rows_due_us:
            self._rows_due_us = now_us + self._rows_every_us
            if not self._verify(self._rows, _ROWS):
                self._rows_due_us = now_us + RETRY_US

    def _verify(self, check: Callable[[], object], width: int) -> bool:
        """Run the check and keep what it says; False where it has to be tried again."""
        if self._fault is not None:
            _log.critical("nothing is answered or written, because of %s", self._fault)
            return True
        try:
            self._look_twice(check, width)
        except LedgerTampered as fault:
            if self._stop.is_set():
                return True
            self._fault = fault
            _log.critical("verification failed; nothing is answered or written: %s", fault)
        except Exception:  # noqa: BLE001
            # Whatever it is, a thread that ended would be noticed by nobody (P12).
            if self._stop.is_set():
                return True
            self._doubt(width)
            _log.exception("verification could not be run; nothing is answered until one passes")
            return False
        return True

    def _look_twice(self, check: Callable[[], T], width: int) -> T:
        """Run the check again where it found something, with the gate closed meanwhile.

        Keys and the policy are files beside the database; one that is being changed with it differs
        for an instant. What is really there is there at the second look.
        """
        begun = self._ticks()
        try:
            passed = check()
        except LedgerTampered as fault:
            self._doubt(width)
            _log.critical("verification found a difference and looks again: %s", fault)
            begun = self._ticks()
            passed = check()
        self._passed(width, begun)
        return passed

    # --- what is in doubt ---------------------------------------------------------------------

    def _ticks(self) -> int:
        """Return the next number of an order in which checks begin and doubts are raised."""
        with self._door:
            self._tick += 1
            return self._tick

    def _doubt(self, width: int) -> None:
        """Stop answers until a check of this width or a wider one, begun from now on, passes."""
        with self._door:
            self._tick += 1
            self._doubts[width] = self._tick

    def _passed(self, width: int, begun: int) -> None:
        """Let go of the doubts that a check resolves which began after them and saw as much."""
        with self._door:
            left = {
                wide: tick for wide, tick in self._doubts.items() if wide > width or tick > begun
            }
            resolved, self._doubts = len(self._doubts) > len(left), left
        if resolved and not left:
            _log.warning("verification passed; answers go on")

    def _next_night(self, now_us: int) -> int:
        due_us = now_us - now_us % _DAY_US + self._hour_us
        return due_us if due_us > now_us else due_us + _DAY_US
