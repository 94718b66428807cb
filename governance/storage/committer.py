"""The pen: the only writer of a process. A queue, a thread, a connection.

One batch is whatever is in the queue when the thread comes back to it; there is no timer, because
waiting for company makes everybody later. The order of a batch:

 1 lock the head                 BEGIN IMMEDIATE, or SELECT … FOR UPDATE
 2 meet it                       catch up with another process; refuse a head that went backwards
 3 acts, each in a savepoint     a refused act leaves nothing and does not spoil its neighbours
 4 answers                       standing is compared once more, then one place each
 5 write entries, rows, head     a few statements for the whole batch
 6 read back                     the leaves are computed again from what the database returns
 7 COMMIT                        durable (P2)
 8 sign, append to the note file the note also goes into the next commit
 9 release                       futures end; each answer's receipt can be made, with a real proof

Whatever fails on the way, nothing leaves before 9. After an I/O error nothing is assumed: the
connection is dropped, and whether the batch stands is asked by event id on a new one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from governance.clock import Clock
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.keys import KeyStore
from governance.ledger.store.live import LiveLog
from governance.ledger.store.note_file import NoteFile
from governance.ledger.store.view import LedgerView
from governance.storage.acts import Done, run_act
from governance.storage.answers import (
    AnswerBatch,
    Placed,
    QueuedAnswer,
    Stored,
    place_answers,
    replayed,
)
from governance.storage.catching_up import FarBehind
from governance.storage.chain import Draft, read_head
from governance.storage.engine import flush_log, writer_engine, writing
from governance.storage.errors import (
    AuditUnavailable,
    Fenced,
    SettingRefused,
    StoredOtherwise,
    audit_unavailable,
    log_closed,
)
from governance.storage.instants import Instants
from governance.storage.log_signer import LogSigner
from governance.storage.place import Place
from governance.storage.ports import CommittedAnswer, PendingAnswer, Unit
from governance.storage.promise import Promise
from governance.storage.queued import PenQueue, QueuedAct, QueuedWork
from governance.storage.reader import SqlReader
from governance.storage.sealing import Sealer
from governance.storage.statement import run

T = TypeVar("T")

_STORAGE_FAULTS: Final = (SQLAlchemyError, OSError, SettingRefused, StoredOtherwise)
_FIND: Final = "SELECT seq FROM entry WHERE event_id = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A batch that is written but not yet released."""

    draft: Draft
    acts: list[Done]
    answers: AnswerBatch


class Guard(Protocol):
    """What may stop the pen."""

    def check_writable(self) -> None:
        """Raise LedgerTampered where nothing may be written any more."""
        ...

    def check_answers(self) -> None:
        """Raise AuditUnavailable where no answer may be given."""
        ...


class Committer:
    """See `ports.Pen`."""

    def __init__(
        self,
        *,
        database: Path | str,
        live: LiveLog,
        notes: NoteFile,
        signer: LogSigner,
        keys: KeyStore,
        clock: Clock,
        epoch: int | None = None,
        guards: Sequence[Guard] = (),
    ) -> None:
        """Make a pen that `start` puts to work; `live` was just derived from the database.

        `epoch` is the fencing epoch under which the process read its home, on PostgreSQL. The
        guards are asked before each batch and each answer (`cosigner`, `verifier`).
        """
        self._engine = writer_engine(database)
        self._exclusive = isinstance(database, Path)
        self._live = live
        self._notes = notes
        self._signer = signer
        self._keys = keys
        self._clock = clock
        self._guards = guards
        self._sealer = Sealer(origin=live.origin, keys=keys)
        self._instants = Instants(clock, self._sealer)
        self._place = Place(
            live=live, signer=signer, notes=notes, exclusive=self._exclusive, epoch=epoch
        )
        self._queue = PenQueue()
        self._connection: Connection | None = None
        self._fault: LedgerTampered | Fenced | None = None
        self._when_fenced: Callable[[], object] | None = None
        self._ledger: LedgerView | None = None
        self._thread = threading.Thread(target=self._run, name="vigil-pen", daemon=True)

    def start(self, ledger: LedgerView) -> None:
        """Take the fencing epoch and sign a head that nobody signed; repeats come from `ledger`.

        Raises LedgerTampered, or AuditUnavailable where the database cannot be written.
        """
        self._ledger = ledger
        self._thread.start()
        self.commit(lambda _unit: None)

    @property
    def fault(self) -> LedgerTampered | Fenced | None:
        """What stopped this pen for good, None while it writes."""
        return self._fault

    def when_fenced(self, happens: Callable[[], object]) -> None:
        """Call `happens` once, from the pen's thread, when the fencing epoch has moved on."""
        self._when_fenced = happens

    @property
    def standing_epoch(self) -> int:
        """The standing epoch after the last commit of this process; a hint outside the lock."""
        return self._place.standing_epoch

    def commit(self, write: Callable[[Unit], T]) -> T:
        """Run `write` in a transaction of its own fate and return when it is durable.

        `write` may run twice, when the first transaction was lost; it has no effect but on the
        unit. Raises what `write` raises, and AuditUnavailable.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("an act cannot wait for another act")
        future: Promise[T] = Promise()
        self._queue.put(QueuedAct(write=write, future=future))
        return future.result()

    def answer(self, pending: PendingAnswer) -> Promise[CommittedAnswer]:
        """Queue an answer; the future ends when its entry is durable and signed.

        Sealing happens here, in the caller's thread; its refusals are raised here.
        """
        if self._signer.is_closed:
            raise log_closed()
        for guard in self._guards:
            guard.check_answers()
        prepared = self._sealer.prepare(
            kind=pending.kind,
            facts=pending.facts,
            body=pending.body,
            now_us=self._clock.now_us(),
        )
        future: Promise[CommittedAnswer] = Promise()
        self._queue.put(QueuedAnswer(pending=pending, prepared=prepared, future=future))
        return future

    def maintain(self, work: Callable[[Connection], T]) -> T:
        """Run `work` between batches on the writing connection, which is in no transaction.

        Everybody else waits meanwhile. Raises what `work` raises, and AuditUnavailable.
        """
        future: Promise[T] = Promise()
        self._queue.put(QueuedWork(work=work, future=future))
        return future.result()

    def close(self) -> None:
        """Finish what is queued, store the last note, and give the connection back."""
        if not self._queue.close():
            return
        if self._thread.is_alive():
            self._thread.join()
        try:
            if self._place.owes_note and self._fault is None:
                with self._connected() as connection, connection.begin():
                    head = read_head(connection, lock=True)
                    if head is not None and self._place.holds(head):
                        self._place.store_note(connection)
        except _STORAGE_FAULTS as error:
            raise audit_unavailable("the last checkpoint is only in checkpoints.log") from error
        finally:
            self._drop()
            self._engine.dispose()
            self._notes.close()

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        last = False
        while not last:
            drained = self._queue.drain()
            last = drained.last
            if drained.acts or drained.answers:
                self._serve(drained.acts, drained.answers)
            for work in drained.works:
                self._maintain(work)

    def _serve(self, acts: Sequence[QueuedAct], answers: Sequence[QueuedAnswer]) -> None:
        """Make a batch durable and release it, or fail all of it: nothing leaves (P2)."""
        if self._fault is not None:
            _fail_closed(acts, answers, self._fault)
            return
        try:
            for guard in self._guards:
                guard.check_writable()
            staged = self._write_durably(acts, answers)
            self._instants.committed()
            self._place.advance(staged.draft)
        except (LedgerTampered, Fenced) as fault:
            self._fault = fault  # from here on this process writes nothing
            self._drop()  # the head lock goes with the connection
            _fail_closed(acts, answers, fault)
            if isinstance(fault, Fenced) and self._when_fenced is not None:
                self._when_fenced()
        except AuditUnavailable as error:
            _fail((*acts, *answers), error)
        except Exception as error:  # noqa: BLE001 - callers must not wait for ever
            self._drop()
            _fail((*acts, *answers), error)
        else:
            self._release(staged)

    def _maintain(self, item: QueuedWork) -> None:
        if self._fault is not None:
            item.future.set_exception(self._fault)
            return
        try:
            with self._connected() as connection:
                item.future.set_result(item.work(connection))
        except _STORAGE_FAULTS as error:
            self._drop()
            item.future.set_exception(_unavailable(error))
        except Exception as error:  # noqa: BLE001 - goes to the caller who waits for it
            item.future.set_exception(error)

    def _write_durably(self, acts: Sequence[QueuedAct], answers: Sequence[QueuedAnswer]) -> Staged:
        """Commit the batch; after an error look whether it stands, else try once more.

        Where it cannot be known whether it stands, it is not tried again: an act would be recorded
        twice. The look is taken under the head lock, which a commit that is still on its way holds.
        """
        fault: Exception | None = None
        staged: Staged | None = None
        for _attempt in range(2):
            try:
                with self._near() as connection:
                    with writing(connection):
                        before, staged = self._standing(connection, staged), None
                        staged = before or self._stage(connection, acts, answers)
                    if before is not None and self._exclusive:
                        flush_log(connection)
            except FarBehind as error:
                fault = error
            except _STORAGE_FAULTS as error:
                self._drop()
                fault = error
            else:
                return staged
        raise audit_unavailable("the database refused the write twice") from fault

    def _stage(
        self, connection: Connection, acts: Sequence[QueuedAct], answers: Sequence[QueuedAnswer]
    ) -> Staged:
        draft = Draft(self._place.meet(connection), trust=self._signer.trust)
        now_us = self._instants.of(draft)
        self._place.store_note(connection)
        done = [
            run_act(
                connection, act, draft=draft, sealer=self._sealer, keys=self._keys, now_us=now_us
            )
            for act in acts
        ]
        placed = place_answers(
            answers,
            connection=connection,
            reader=SqlReader(connection),
            draft=draft,
            sealer=self._sealer,
            now_us=now_us,
        )
        draft.write(connection)
        placed.write(connection)
        draft.read_back(connection)
        return Staged(draft=draft, acts=done, answers=placed)

    def _release(self, staged: Staged) -> None:
        for done in staged.acts:
            done.release()
        for queued, fate in staged.answers.fates:
            if isinstance(fate, Placed):
                queued.future.set_result(fate.committed(self._live))
            elif isinstance(fate, Stored):
                self._replay(queued, fate)
            else:
                queued.future.set_exception(fate)

    def _replay(self, queued: QueuedAnswer, stored: Stored) -> None:
        try:
            answer = replayed(queued.pending, stored, self._view())
        except Exception as error:  # noqa: BLE001 - goes to the caller who waits for it
            queued.future.set_exception(error)
        else:
            queued.future.set_result(answer)

    def _view(self) -> LedgerView:
        if self._ledger is None:
            raise RuntimeError("the pen has no view of the ledger yet")
        return self._ledger

    # --- the connection -----------------------------------------------------------------------

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._connection is None:
            self._connection = self._engine.connect()
        yield self._connection

    @contextlib.contextmanager
    def _near(self) -> Iterator[Connection]:
        """Give the connection once our tree is near the head: nobody waits while we read."""
        with self._connected() as connection:
            self._place.come_near(connection)
            yield connection

    def _drop(self) -> None:
        """Forget the connection; whatever it had open is rolled back by closing it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()

    def _standing(self, connection: Connection, staged: Staged | None) -> Staged | None:
        """Return the batch whose commit ended unseen where it stands after all, else None."""
        event_id = None if staged is None else staged.draft.first_event_id
        if event_id is None:
            return None
        read_head(connection, lock=True)
        return staged if run(connection, _FIND, (event_id,)).fetchone() else None


def _unavailable(error: Exception) -> AuditUnavailable:
    refusal = audit_unavailable("the database cannot be maintained now")
    refusal.__cause__ = error
    return refusal


def _fail_closed(
    acts: Iterable[QueuedAct], answers: Iterable[QueuedAnswer], fault: LedgerTampered | Fenced
) -> None:
    """Tell people what was found; a caller learns that the record cannot be kept (P2)."""
    _fail(acts, fault)
    _fail(answers, audit_unavailable("the ledger of this server is not as it must be"))


def _fail(items: Iterable[QueuedAct | QueuedAnswer], error: Exception) -> None:
    for item in items:
        if not item.future.done():
            item.future.set_exception(error)
