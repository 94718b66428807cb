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
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
    SQLAlchemyError,
)

from governance.clock import Clock
from governance.errors import Conflict
from governance.ledger.core.canonical import Json
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.keys import KeyStore
from governance.ledger.store.live import LiveLog
from governance.ledger.store.note_file import NoteFile
from governance.ledger.store.view import LedgerView
from governance.storage.answers import (
    AnswerBatch,
    Placed,
    QueuedAnswer,
    Stored,
    place_answers,
    replayed,
)
from governance.storage.catching_up import NEAR, FarBehind, add_committed, come_near
from governance.storage.chain import Draft, Head, read_head, take_epoch
from governance.storage.engine import flush_log, writer_engine
from governance.storage.errors import (
    AuditUnavailable,
    Fenced,
    SettingRefused,
    StoredOtherwise,
    audit_unavailable,
    log_closed,
)
from governance.storage.fencing import fenced
from governance.storage.log_signer import LogSigner
from governance.storage.notes import put_note
from governance.storage.ports import CommittedAnswer, PendingAnswer, Unit
from governance.storage.reader import SqlReader
from governance.storage.sealing import Sealer
from governance.storage.statement import run
from governance.storage.unit import SqlUnit

T = TypeVar("T")

MAX_BATCH: Final = 1024
SKEW_US: Final = 1_000_000
_CLOSE: Final = object()
_STORAGE_FAULTS: Final = (SQLAlchemyError, OSError, SettingRefused, StoredOtherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedAct:
    """An act in the queue."""

    write: Callable[[Unit], Any]
    future: Future[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedWork:
    """Work on the writing connection between batches, for what takes no transaction."""

    work: Callable[[Connection], Any]
    future: Future[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A batch that is written but not yet released."""

    draft: Draft
    acts: list[tuple[QueuedAct, Any, Exception | None]]
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
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._connection: Connection | None = None
        self._epoch = None if self._exclusive else epoch
        self._wall_us: int | None = None
        self._unsaved: tuple[int, bytes] | None = None
        self._fault: LedgerTampered | Fenced | None = None
        self._when_fenced: Callable[[], object] | None = None
        self._behind = False
        self._closed = False
        self._door = threading.Lock()
        self._standing_epoch = 0
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
        return self._standing_epoch

    def commit(self, write: Callable[[Unit], T]) -> T:
        """Run `write` in a transaction of its own fate and return when it is durable.

        `write` may run twice, when the first transaction was lost; it has no effect but on the
        unit. Raises what `write` raises, and AuditUnavailable.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("an act cannot wait for another act")
        future: Future[T] = Future()
        self._put(QueuedAct(write=write, future=future))
        return future.result()

    def answer(self, pending: PendingAnswer) -> Future[CommittedAnswer]:
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
        future: Future[CommittedAnswer] = Future()
        self._put(QueuedAnswer(pending=pending, prepared=prepared, future=future))
        return future

    def maintain(self, work: Callable[[Connection], T]) -> T:
        """Run `work` between batches on the writing connection, which is in no transaction.

        Everybody else waits meanwhile. Raises what `work` raises, and AuditUnavailable.
        """
        future: Future[T] = Future()
        self._put(QueuedWork(work=work, future=future))
        return future.result()

    def close(self) -> None:
        """Finish what is queued, store the last note, and give the connection back."""
        with self._door:
            if self._closed:
                return
            self._closed = True
            self._queue.put(_CLOSE)
        if self._thread.is_alive():
            self._thread.join()
        try:
            if self._unsaved is not None and self._fault is None:
                with self._connected() as connection, connection.begin():
                    head = read_head(connection, lock=True)
                    if head is not None and head.epoch == self._epoch:
                        self._store_note(connection)
        except _STORAGE_FAULTS as error:
            raise audit_unavailable("the last checkpoint is only in checkpoints.log") from error
        finally:
            self._drop()
            self._engine.dispose()
            self._notes.close()

    # --- the thread ---------------------------------------------------------------------------

    def _put(self, item: QueuedAct | QueuedAnswer | QueuedWork) -> None:
        with self._door:  # nothing may be queued behind the closing mark, and wait for ever
            if self._closed:
                raise audit_unavailable("the pen is closed")
            self._queue.put(item)

    def _run(self) -> None:
        open_ = True
        while open_:
            items, open_ = self._drain()
            if items:
                self._serve(
                    [item for item in items if isinstance(item, QueuedAct)],
                    [item for item in items if isinstance(item, QueuedAnswer)],
                )
            for item in items:
                if isinstance(item, QueuedWork):
                    self._maintain(item)

    def _drain(self) -> tuple[list[object], bool]:
        items = [self._queue.get()]
        with contextlib.suppress(queue.Empty):
            while items[-1] is not _CLOSE and len(items) < MAX_BATCH:
                items.append(self._queue.get_nowait())
        if items[-1] is _CLOSE:
            return items[:-1], False
        return items, True

    def _serve(self, acts: Sequence[QueuedAct], answers: Sequence[QueuedAnswer]) -> None:
        """Make a batch durable and release it, or fail all of it: nothing leaves (P2)."""
        if self._fault is not None:
            _fail_closed(acts, answers, self._fault)
            return
        try:
            for guard in self._guards:
                guard.check_writable()
            staged = self._write_durably(acts, answers)
            self._publish(staged)
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
                    with connection.begin():
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
        head = self._meet(connection)
        draft = Draft(head, trust=self._signer.trust)
        now_us = self._instant(draft)
        self._store_note(connection)
        done = [(act, *self._act(connection, draft, act, now_us)) for act in acts]
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

    def _act(
        self, connection: Connection, draft: Draft, act: QueuedAct, now_us: int
    ) -> tuple[Any, Exception | None]:
        """Run one act in a savepoint; what it raises is its own result."""
        unit = SqlUnit(connection, draft=draft, sealer=self._sealer, keys=self._keys, now_us=now_us)
        mark, savepoint = draft.mark(), connection.begin_nested()
        try:
            result = act.write(unit)
            unit.finish()
            savepoint.commit()
        except Exception as error:
            if _is_lost(error):
                raise  # the transaction, and with it the batch
            savepoint.rollback()
            draft.rewind(mark)
            return None, _own_error(error)
        return result, None

    # --- the head -----------------------------------------------------------------------------

    def _meet(self, connection: Connection) -> Head:
        """Return the locked head, with our tree brought up to it."""
        head = read_head(connection, lock=True)
        if head is None or head.origin != self._live.origin:
            raise LedgerTampered("the database holds no head of this log")
        if self._exclusive and self._epoch is None:
            head = take_epoch(connection, head)
        elif self._exclusive and head.epoch != self._epoch:
            raise LedgerTampered(
                "another process wrote with this home's pen",
                next_step="Stop both processes, verify the ledger, and start one of them.",
            )
        elif head.epoch != self._epoch:
            raise fenced(found=head.epoch, held=self._epoch)
        size = self._live.tree.size
        self._behind = head.next_seq - size > NEAR
        if self._behind:
            raise FarBehind
        if head.next_seq < size:
            raise LedgerTampered(
                f"the database holds {head.next_seq} entries, this process saw {size} committed",
                sequence=head.next_seq,
            )
        add_committed(connection, self._live, through=head.next_seq)
        if self._live.tree.frontier() != head.frontier:
            raise LedgerTampered("the stored head is not the head of the entries")
        return head

    def _instant(self, draft: Draft) -> int:
        """Return the batch's instant; a wall clock that jumped backwards is itself an entry."""
        wall_us, last_us = self._clock.now_us(), draft.last_t_us
        before_us = last_us if self._wall_us is None else self._wall_us
        now_us = max(wall_us, last_us)
        if wall_us < before_us - SKEW_US and not draft.closed:
            facts: dict[str, Json] = {
                "actor": "system",
                "before_us": before_us,
                "changes": [],
                "wall_us": wall_us,
            }
            skew = self._sealer.prepare(kind="clock.skew", facts=facts, body=None, now_us=now_us)
            draft.append(skew, t_us=now_us)
        return now_us

    def _store_note(self, connection: Connection) -> None:
        """Store the note over everything that this transaction builds on."""
        known = self._live.published_size
        if self._unsaved is not None:
            known, note = self._unsaved
            put_note(connection, known, note)
        size = self._live.tree.size
        if size > known:  # another process wrote it, or we did and could not confirm
            put_note(connection, size, self._signed())

    def _signed(self) -> bytes:
        tree = self._live.tree
        checkpoint = Checkpoint(origin=self._live.origin, size=tree.size, root=tree.root())
        return self._signer.sign(checkpoint)

    # --- after the commit ---------------------------------------------------------------------

    def _publish(self, staged: Staged) -> None:
        """Grow the tree by what the database returns, sign it, and append the note."""
        self._wall_us = self._clock.now_us()
        self._unsaved = None
        draft = staged.draft
        self._epoch = draft.epoch
        self._live.extend(draft.leaves)
        self._signer.follow(draft.trust)
        self._standing_epoch = draft.standing_epoch
        size = self._live.tree.size
        if size == self._live.published_size:
            return
        note = self._signed()
        self._unsaved = (size, note)
        try:
            self._notes.append(note)
        except OSError as error:
            raise audit_unavailable("the signed checkpoint could not be kept") from error
        self._live.publish(size=size, note=note)

    def _release(self, staged: Staged) -> None:
        for act, result, error in staged.acts:
            if error is None:
                act.future.set_result(result)
            else:
                act.future.set_exception(error)
        for queued, fate in staged.answers.fates:
            try:
                if isinstance(fate, Placed):
                    queued.future.set_result(fate.committed(self._live))
                elif isinstance(fate, Stored):
                    queued.future.set_result(self._replay(queued.pending, fate))
                else:
                    queued.future.set_exception(fate)
            except Exception as error:  # noqa: BLE001 - goes to the caller who waits for it
                queued.future.set_exception(error)

    def _replay(self, pending: PendingAnswer, stored: Stored) -> CommittedAnswer:
        if self._ledger is None:
            raise RuntimeError("the pen has no view of the ledger yet")
        return replayed(pending, stored, self._ledger)

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
            if self._behind:
                with connection.begin():
                    come_near(connection, self._live)
                self._behind = False
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


_FIND: Final = "SELECT seq FROM entry WHERE event_id = ?"
# An error of one statement; every other error of the database may have cost the transaction.
_OF_THE_STATEMENT: Final = (DataError, IntegrityError, ProgrammingError)


def _is_lost(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and not isinstance(error, _OF_THE_STATEMENT)


def _own_error(error: Exception) -> Exception:
    """Return what the act's caller gets; a rule of the database is a conflict."""
    if not isinstance(error, IntegrityError):
        return error
    conflict = Conflict(
        "a row exists already, or breaks a rule of its table",
        next_step="Read the records again and decide on what they say now.",
    )
    conflict.__cause__ = error
    return conflict


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
