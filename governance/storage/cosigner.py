"""The cosigner: takes what the pen signed to the witnesses, beside it and never in its way.

A round: the newest checkpoint goes to every witness that has not cosigned it, all at once; their
lines are stored by the pen; and where they form the quorum, receipts that are fetched from now on
prove stage S1. Rounds are a fixed interval apart, so that outsiders learn no more of our activity
than that. Witnesses that are down cost nothing but their cosignatures: answers go on at S0, and the
report, the log and the metrics say so, until `stop_after_minutes` refuses answers (fail closed).

A witness that refuses the step is asked what it saw. If the log's own key signed something that
our storage does not lead to, the storage was rolled back or rewritten: the pen writes nothing more
(P3). The same comparison is made at the start, before the pen writes at all.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import SQLAlchemyError

from governance.clock import Clock
from governance.errors import GovernanceError
from governance.ledger.core.errors import LedgerBehind
from governance.ledger.core.policy import Policy
from governance.ledger.store.anchors import Anchor, anchor_of
from governance.ledger.store.key_ring import KeyRing
from governance.ledger.store.live import LiveLog
from governance.ledger.store.view import LedgerView
from governance.ledger.store.witnesses import (
    KnownWitness,
    WitnessUnreachable,
    compare,
    cosigned,
    last_seen,
)
from governance.storage.cosignatures import put_cosignatures
from governance.storage.errors import AuditUnavailable, audit_unavailable
from governance.storage.ports import Pen, Unit
from governance.storage.seats import Seat
from governance.storage.witnessing import Asked, Silent, Witnesses, ask_all, at_once

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessReport:
    """How far one witness has come. `fault` says why it did not cosign last; None where it did."""

    name: str
    organisation: str
    size: int
    lag: int
    fault: str | None
    failing_since_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorReport:
    """How far the outside has seen the log. `stopped` says that answers are refused for it."""

    size: int
    anchored_size: int
    quorum: bool
    stopped: bool
    witnesses: tuple[WitnessReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """What is known of one witness in this process."""

    size: int = 0
    fault: str | None = None
    failing_since_us: int | None = None


@dataclass(slots=True)
class _Lines:
    """The lines under one checkpoint, while they come in."""

    size: int = 0
    note: bytes = b""
    by_witness: dict[str, str] = field(default_factory=dict)


class Cosigner:
    """See the module. `round` may be called by hand; `running` calls it in a thread."""

    def __init__(
        self,
        *,
        live: LiveLog,
        ring: KeyRing,
        witnesses: Witnesses,
        clock: Clock,
        seat: Seat,
    ) -> None:
        """Make a cosigner that `attach` joins to the storage; until then it does no round."""
        self._seat = seat
        self._live = live
        self._ring = ring
        self._witnesses = witnesses
        self._clock = clock
        self._ledger: LedgerView | None = None
        self._pen: Pen | None = None
        self._progress: dict[str, _Progress] = {}
        self._lines = _Lines()
        self._behind: LedgerBehind | None = None
        self._since: tuple[int, int] = (-1, 0)
        self._turn = threading.Lock()
        self._stop = threading.Event()

    def attach(self, ledger: LedgerView, pen: Pen) -> None:
        """Learn from the storage what was cosigned; raise LedgerTampered where that was changed."""
        self._ledger, self._pen = ledger, pen
        self._live.anchor(ledger.stored_anchor())
        self._progress = {by: _Progress(size=n) for by, n in ledger.cosigned_sizes().items()}

    # --- what the pen asks --------------------------------------------------------------------

    def check_writable(self) -> None:
        """Raise LedgerBehind once a witness has shown that the storage is not the whole log."""
        if self._behind is not None:
            raise self._behind

    def check_answers(self) -> None:
        """Raise AuditUnavailable where no quorum has seen the log for longer than is allowed."""
        if self._is_stopped():
            raise AuditUnavailable(
                "the witnesses have not cosigned the ledger for longer than stop_after_minutes",
                next_step="See `vigil ledger witness status`; answers go on by themselves as soon "
                "as a quorum cosigns.",
            )

    # --- what people ask ----------------------------------------------------------------------

    def report(self) -> AnchorReport:
        """Return how far each witness and the quorum have come."""
        size = self._live.published_size
        return AnchorReport(
            size=size,
            anchored_size=self._live.anchored_size,
            quorum=self._witnesses.policy.quorum is not None,
            stopped=self._is_stopped(),
            witnesses=tuple(self._reported(one, size) for one in self._all()),
        )

    # --- rounds -------------------------------------------------------------------------------

    def configure(self, witnesses: Witnesses, anchor: Anchor | None) -> None:
        """Go on under another policy; `anchor` is what is stored of a quorum of that one."""
        with self._turn:
            self._witnesses = witnesses
            self._lines = _Lines()
            self._live.anchor(anchor)
        self._take_round()

    def judge_by(self, policy: Policy, anchor: Anchor | None) -> None:
        """Go on with the same witnesses under a policy that names other keys of the log."""
        self.configure(replace(self._witnesses, policy=policy), anchor)

    def ask(self) -> tuple[list[Asked], list[Silent]]:
        """Ask every witness in force what it saw last; return that, and who did not say."""
        return ask_all(self._witnesses.reachable, keys=self._ring.keys)

    def round(self) -> None:
        """Take the newest checkpoint to every witness that has not cosigned it.

        Where several processes share the database, one of them does; the others read what it got.
        """
        if self._seat.shared:
            self._store(lambda _unit: None)  # the newest checkpoint may be another process's
            if not self._seat.leads():
                self._follow()
                return
        self._take_round()

    def _follow(self) -> None:
        """Learn from the database what another process's rounds brought."""
        if self._ledger is None:
            raise RuntimeError("the cosigner is not attached to a ledger yet")
        with self._turn:
            self._live.anchor(self._ledger.stored_anchor())
            cosigned_sizes = self._ledger.cosigned_sizes()
            self._progress = {by: _Progress(size=size) for by, size in cosigned_sizes.items()}

    def _take_round(self) -> None:
        with self._turn:
            size, note = self._live.published
            if self._lines.size != size:
                self._lines = _Lines(size=size, note=note)
            had = self._lines.by_witness
            due = [one for one in self._witnesses.reachable if one.id not in had]
            if not due or self._behind is not None:
                return
            answered = at_once(due, lambda one: self._ask(one, size, note))
            if self._behind is None:  # else the pen, which would store them, has stopped
                self._keep({one.id: line for one, line in answered if line is not None})

    @contextmanager
    def running(self) -> Iterator[None]:
        """Do rounds in a thread for the length of the block."""
        self._stop.clear()
        thread = threading.Thread(target=self._run, name="vigil-cosigner", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while True:
            try:
                self.round()
            except Exception:  # noqa: BLE001
                # The next round may do better, and a thread that ended would be noticed by nobody.
                _log.exception("a round of cosigning failed")
                self._seat.leave()
            if self._stop.wait(self._witnesses.interval_s):
                return

    def _ask(self, witness: KnownWitness, size: int, note: bytes) -> str | None:
        """Return the witness's line; keep why there is none."""
        try:
            line = cosigned(
                witness,
                tree=self._live.tree,
                size=size,
                note=note,
                old_size=self._size(witness),
            )
            if line is None:
                self._compare(witness)
                raise _unexplained(witness)
        except GovernanceError as error:
            self._failed(witness, error)
            return None
        if self._progress.get(witness.id, _Progress()).fault is not None:
            _log.warning("witness %s cosigns again", witness.name)
        self._progress[witness.id] = _Progress(size=size)
        return line

    def _compare(self, witness: KnownWitness) -> None:
        """Ask what the witness saw; raise LedgerBehind, and stop the pen, where it saw more."""
        seen = last_seen(witness, keys=self._ring.keys)
        if seen is not None and seen.size > self._live.tree.size:
            self._store(lambda _unit: None)  # another process of this database may have written
        try:
            compare(witness, seen, self._live.tree)
        except LedgerBehind as behind:
            self._behind = behind
            _log.critical("%s; nothing more is written", behind)
            raise

    def _keep(self, lines: Mapping[str, str]) -> None:
        if not lines:
            return
        kept = self._lines
        kept.by_witness.update(lines)
        self._store(
            lambda unit: put_cosignatures(unit, size=kept.size, note=kept.note, lines=lines)
        )
        cosigned_note = kept.note + "".join(kept.by_witness.values()).encode()
        anchor = anchor_of(cosigned_note, keys=self._ring.keys, policy=self._witnesses.policy)
        if anchor is not None:
            self._live.anchor(anchor)

    def _store(self, write: Callable[[Unit], None]) -> None:
        if self._pen is None:
            raise RuntimeError("the cosigner is not attached to a pen yet")
        self._pen.commit(write)

    def _failed(self, witness: KnownWitness, error: GovernanceError) -> None:
        before = self._progress.get(witness.id, _Progress())
        since_us = before.failing_since_us
        if since_us is None:
            since_us = self._clock.now_us()
            _log.warning("witness %s does not cosign: %s", witness.name, error)
        self._progress[witness.id] = replace(before, fault=str(error), failing_since_us=since_us)

    # --- how far ------------------------------------------------------------------------------

    def _size(self, witness: KnownWitness) -> int:
        return self._progress.get(witness.id, _Progress()).size

    def _all(self) -> Iterable[tuple[str, str, _Progress]]:
        """Yield name, organisation and progress of every witness of the policy."""
        known = {one.key: one for one in self._witnesses.reachable}
        for one in self._witnesses.policy.witnesses:
            witness = known.get(one.key)
            if witness is None:
                yield one.name, "", _Progress(fault="vigil.toml gives no address for it")
            else:
                yield one.name, witness.organisation, self._progress.get(witness.id, _Progress())

    def _reported(self, one: tuple[str, str, _Progress], size: int) -> WitnessReport:
        name, organisation, progress = one
        return WitnessReport(
            name=name,
            organisation=organisation,
            size=progress.size,
            lag=max(size - progress.size, 0),
            fault=progress.fault,
            failing_since_us=progress.failing_since_us,
        )

    def _is_stopped(self) -> bool:
        limit_us = self._witnesses.stop_after_us
        anchored = self._live.anchored_size
        if (
            limit_us is None
            or self._witnesses.policy.quorum is None
            or anchored >= self._live.published_size
        ):
            return False
        if self._since[0] != anchored:
            self._since = (anchored, self._instant_of(anchored))
        return self._clock.now_us() - self._since[1] >= limit_us

    def _instant_of(self, seq: int) -> int:
        """Return when the first entry that nobody outside has seen was written."""
        if self._ledger is None:
            return self._clock.now_us()
        try:
            return self._ledger.entry(seq).t_us
        except SQLAlchemyError as error:
            raise audit_unavailable("the database cannot be read") from error


def _unexplained(witness: KnownWitness) -> WitnessUnreachable:
    return WitnessUnreachable(
        f"witness {witness.name} refuses this log's step, though what it shows agrees with it",
        next_step="Ask its operator; a witness that lost its memory must take a new key.",
    )
