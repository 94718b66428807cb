"""One verification at a time, in a thread beside the serving: who started it, how far it is.

Whoever asks while one runs joins it. It reads one snapshot as the nightly one does, and rests after
every few milliseconds of work, because a thread that computes without end makes every request of
the same process wait for the interpreter's lock. What it finds in disorder ends the service of this
process, as the nightly one's finding does (`Verifier.on_demand`).

The result is kept until the next one, in this process only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from governance.deployment import Deployment
from governance.errors import GovernanceError, Problem
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.progress import Phase
from governance.operations.inspect.reconcile import in_short, reconciled
from governance.operations.inspect.verify_ledger import VerifyReport, verify_everything
from governance.storage.verifier import CheckEnded

WORK_SECONDS: Final = 0.002
REST_SECONDS: Final = 0.001
_LOOK_EVERY: Final = 16
_END_SECONDS: Final = 10

PHASES: Final[tuple[Phase, ...]] = ("entries", "checkpoints", "witnesses", "rows", "counts")
T = TypeVar("T")
B = TypeVar("B", bound=Sized)


class VerificationBroken(GovernanceError):
    """The verification did not come to an end: nothing is known by it, in either direction."""

    code = "ledger.verification_broken"
    http_status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One run. `done` counts what the phase has read; the size of the log was `size` at the start.

    While it runs, `ended_us` is None. Then it has either a `report` or a `problem`; `tampered` says
    that the problem is a difference, first found at entry `bad_entry` where it is in one.
    """

    started_us: int
    started_by: str
    size: int
    phase: Phase = "entries"
    done: int = 0
    ended_us: int | None = None
    report: VerifyReport | None = None
    problem: Problem | None = None
    tampered: bool = False
    bad_entry: int | None = None

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.ended_us is None


class Verifications:
    """Starts verifications of a deployment and knows the last one. Any thread may ask."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        work: float = WORK_SECONDS,
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        self._deployment = deployment
        self._work = work
        self._rest = rest
        self._door = threading.Lock()
        self._latest: Verification | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        deployment.at_end(self.close)

    def latest(self) -> Verification | None:
        """Return the run that goes on, or the last one that ended; None before the first."""
        return self._latest

    def start(self, *, by: str) -> Verification:
        """Start a run for this person, or return the one that goes on."""
        with self._door:
            before = self._latest
            if before is not None and before.running:
                return before
            size, _root = self._deployment.ledger.head()
            begun = Verification(
                started_us=self._deployment.clock.now_us(), started_by=by, size=size
            )
            thread = threading.Thread(
                target=self._run, args=(begun,), name="vigil-verification", daemon=True
            )
            self._latest = begun
            try:
                thread.start()
            except BaseException:  # there is no thread: nothing runs that one could wait for
                self._latest = before
                raise
            self._thread = thread
        return begun

    def wait(self) -> Verification | None:
        """Return the last run once it has ended."""
        if self._thread is not None:
            self._thread.join()
        return self._latest

    def close(self) -> None:
        """End a run that goes on, before the home is given back."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)

    # --- the thread ---------------------------------------------------------------------------

    def rows(self, phase: Phase, rows: Iterable[T]) -> Iterator[T]:
        """Give the rows on, count them, and rest between (`core.progress.Watch`)."""
        resume = self._begin(phase)
        done = 0
        for done, row in enumerate(rows, start=1):
            yield row
            if done % _LOOK_EVERY == 0:
                resume = self._rested(phase, done, resume)
        self._tell(phase, done)

    def blocks(self, phase: Phase, blocks: Iterable[B]) -> Iterator[B]:
        """Give lists of rows on, count the rows, and rest between (`core.progress.Watch`)."""
        resume = self._begin(phase)
        done = 0
        for block in blocks:
            yield block
            done += len(block)
            resume = self._rested(phase, done, resume)
        self._tell(phase, done)

    def _begin(self, phase: Phase) -> float:
        """Tell of a phase; return when to rest next."""
        self._tell(phase, 0)
        return time.perf_counter() + self._work

    def _rested(self, phase: Phase, done: int, resume: float) -> float:
        """Rest and tell how far it is, where it is time; return when to rest next."""
        if time.perf_counter() < resume:
            return resume
        self._tell(phase, done)
        self._rest(REST_SECONDS)
        return time.perf_counter() + self._work

    def _tell(self, phase: Phase, done: int) -> None:
        if self._closing.is_set():
            raise CheckEnded
        latest = self._latest
        assert latest is not None
        self._latest = replace(latest, phase=phase, done=done)

    def _run(self, begun: Verification) -> None:
        try:
            report = self._deployment.verifier.on_demand(self._everything)
            ended = replace(begun, report=report)
        except LedgerTampered as fault:
            ended = replace(
                begun, problem=Problem.of(fault), tampered=True, bad_entry=fault.sequence
            )
        except Exception as error:  # noqa: BLE001 - a run that ended untold would seem to go on
            problem = Problem.of(error) or Problem.of(_broken(error))
            ended = replace(begun, problem=problem)
        latest = self._latest
        assert latest is not None
        self._latest = replace(
            ended,
            phase=latest.phase,
            done=latest.done,
            ended_us=self._deployment.clock.now_us(),
        )

    def _everything(self) -> VerifyReport:
        report = verify_everything(self._deployment, watch=self)
        counts = in_short(reconciled(self._deployment.count(watch=self)))
        return report.model_copy(update={"counts": counts})


def _broken(error: Exception) -> VerificationBroken:
    why = "the server is closing" if isinstance(error, CheckEnded) else type(error).__name__
    return VerificationBroken(
        f"the verification did not come to its end: {why}",
        next_step="Start it again; where that fails too, read the server's log and run "
        "`vigil ledger verify`.",
    )
