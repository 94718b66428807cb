"""Opening a home: own it, believe nothing, derive everything again, and only then take the pen.

At every start the tree is built from the stored envelopes and compared with the head, with the
last checkpoint in the database and with the last one in `checkpoints.log`; the governed rows are
folded from the facts and compared too. A restored backup is shorter than what was signed, and is
refused. A home whose checkpoints are gone is refused as well: the first entry was signed when it
was made, so there is no home without them. Nothing is repaired by signing again (P3).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, func, select

from governance.adapters.key_store import FileKeyStore
from governance.adapters.witness_client import HttpWitness
from governance.clock import Clock
from governance.home import SQLITE, Home, OwnerLock
from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.errors import LedgerTampered, NoteRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.record import decode_entry, genesis_prev
from governance.ledger.core.verify import verify_chain
from governance.ledger.store.cells import of_another_type
from governance.ledger.store.key_ring import KeyRing
from governance.ledger.store.keys import KeyStore
from governance.ledger.store.live import LiveLog
from governance.ledger.store.note_file import NoteFile, largest_note
from governance.ledger.store.streaming import streamed_tuples
from governance.ledger.store.tables import CheckpointRow, EntryRow, Row
from governance.ledger.store.view import LedgerView
from governance.storage import schema
from governance.storage.chain import Head, read_head
from governance.storage.committer import Committer
from governance.storage.cosigner import Cosigner
from governance.storage.counts import RecordCounts, Window, count_records
from governance.storage.engine import reader_engine, writer_engine
from governance.storage.epochs import finish_rotation
from governance.storage.erasing import finish_at_start, finish_erasures, owes_erasure
from governance.storage.errors import storage_faults_told
from governance.storage.fencing import epoch_at_start
from governance.storage.genesis import write_genesis
from governance.storage.key_history import read_log_keys
from governance.storage.log_signer import LogSigner, settle_key_files
from governance.storage.ports import Reader, Unit
from governance.storage.reader import reader_factory
from governance.storage.rebuild import RebuildReport, rebuild_check
from governance.storage.roles import may_take_away
from governance.storage.seats import Seat
from governance.storage.succession.pending import require_begun
from governance.storage.trust import PolicyInForce, finish_policy_change, policy_in_force
from governance.storage.verifier import Verifier
from governance.storage.witnessing import (
    Reach,
    Witnesses,
    ask_all,
    compare_at_start,
    configured_witnesses,
    witnesses_in_force,
)

T = TypeVar("T")

_log = logging.getLogger(__name__)

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_CHECKPOINT = Row.metadata.tables[CheckpointRow.__tablename__]
_SIZE = select(func.count()).select_from(_ENTRY)
_FIRST = select(_CHECKPOINT.c.size).where(_CHECKPOINT.c.size == 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The opened storage of a home.

    `rebuild` folds all rows again and compares them, `count` counts what is recorded; both take a
    `watch`.
    """

    pen: Committer
    reader: Callable[[], AbstractContextManager[Reader]]
    ledger: LedgerView
    keys: KeyStore
    cosigner: Cosigner
    verifier: Verifier
    rebuild: Callable[..., RebuildReport]
    count: Callable[..., RecordCounts]
    finish_erasures: Callable[[], bool]


def create_home(
    root: Path,
    *,
    organisation: str,
    deployment: str,
    clock: Clock,
    database: str = SQLITE,
    first: Callable[[Unit], object] | None = None,
) -> Home:
    """Make a home with its schema and entry 0; nothing appears at `root` before it is whole.

    `first` is an act without which the home would be of no use, committed before it appears.
    Raises Conflict where the folder is not empty or the database holds a log already.
    """
    return Home.create(
        root,
        organisation=organisation,
        deployment=deployment,
        clock=clock,
        database=database,
        populate=lambda home: _populate(home, clock, first),
    )


@contextmanager
def open_storage(
    home: Home, *, clock: Clock, check_rows: bool = True, reach: Reach = HttpWitness
) -> Iterator[Storage]:
    """Open the home for the length of the block, as its owner where the database is SQLite.

    On PostgreSQL several processes of one machine may have it open. Raises HomeOwned,
    HomeSucceeded, SuccessionPending, KeysNotShared, WrongRevision, SettingRefused, LedgerTampered,
    LedgerBehind where a witness saw more of the log, WitnessUnreachable or StorageUnavailable;
    nothing is written then. `reach` makes the way to a configured witness from its address.
    `check_rows` False leaves out the comparison of governed rows, for a start in a hurry.
    """
    require_begun(home)
    with ExitStack() as stack:
        with storage_faults_told():
            storage = stack.enter_context(
                _opened(home, clock=clock, check_rows=check_rows, reach=reach)
            )
        yield storage


@contextmanager
def _opened(home: Home, *, clock: Clock, check_rows: bool, reach: Reach) -> Iterator[Storage]:
    with ExitStack() as stack:
        seat = _seated(home, stack)
        engine, epoch = _checked_engine(home, stack)
        require_begun(home)  # once more: who recovers marks the home, and only then moves the epoch
        keys = FileKeyStore(home.keys_dir)
        stack.callback(keys.close)
        ring = KeyRing(read_log_keys(engine, home.origin))
        live, in_force, witnesses = _compared(engine, home, ring.keys, reach)
        cosigner = Cosigner(live=live, ring=ring, witnesses=witnesses, clock=clock, seat=seat)
        rebuild = partial(rebuild_check, engine, home=home, keys=keys)

        def everything() -> None:
            ledger.verify()
            rebuild()

        verifier = Verifier(
            rows=rebuild, everything=everything, schedule=home.config.verification, clock=clock
        )
        settle_key_files(home, ring.keys)
        if check_rows:
            rebuild()
        with engine.connect() as connection:
            schema.check_triggers(connection)
        _finish_keys(engine, home, keys, clock)
        pen = Committer(
            database=home.database,
            live=live,
            notes=NoteFile(home.checkpoints_log),
            signer=LogSigner(home, ring, policy=in_force.text),
            keys=keys,
            clock=clock,
            epoch=epoch,
            guards=(cosigner, verifier),
        )
        stack.callback(pen.close)
        ledger = LedgerView(
            engine=engine,
            live=live,
            keys=keys,
            ring=ring,
            policy_text=in_force.text,
            notes_path=home.checkpoints_log,
            refresh=lambda: pen.commit(lambda _unit: None),
        )
        cosigner.attach(ledger, pen)
        pen.start(ledger)
        yield Storage(
            pen=pen,
            reader=reader_factory(engine),
            ledger=ledger,
            keys=keys,
            cosigner=cosigner,
            verifier=verifier,
            rebuild=rebuild,
            count=partial(count_records, engine),
            finish_erasures=lambda: pen.maintain(partial(finish_erasures, keys=keys, clock=clock)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The stored log of a home, read without owning it. `rebuild` as in `Storage`.

    `count` counts what is recorded, and the answers and refusals of a window of entries.
    """

    ledger: LedgerView
    rebuild: Callable[[], RebuildReport]
    count: Callable[[Window | None], RecordCounts]


@contextmanager
def inspect_storage(home: Home, *, lost: bool = False) -> Iterator[Inspected]:
    """Read the home for the length of the block, beside a server that owns it or without one.

    Needs no lock and no private key of the log, and writes nothing. Raises WrongRevision,
    SettingRefused or LedgerTampered. `lost`: notes in checkpoints.log that are ahead of the stored
    entries are no fault here, but what the log is to be recovered from.
    """
    with ExitStack() as stack:
        if home.is_sqlite and not home.database_path.exists():
            raise LedgerTampered(f"{home.database_path.name} is missing from the home")
        engine = reader_engine(home.database)
        stack.callback(engine.dispose)
        schema.check(engine)
        keys = FileKeyStore(home.keys_dir)
        stack.callback(keys.close)
        ring = KeyRing(read_log_keys(engine, home.origin))
        live = _derive(engine, home, ring.keys, lost=lost)
        ledger = LedgerView(
            engine=engine,
            live=live,
            keys=keys,
            ring=ring,
            policy_text=policy_in_force(engine).text,
            notes_path=home.checkpoints_log,
            refresh=lambda: None,
        )
        live.anchor(ledger.stored_anchor())
        yield Inspected(
            ledger=ledger,
            rebuild=lambda: rebuild_check(engine, home=home, keys=keys, signs=False),
            count=lambda window: count_records(engine, window=window),
        )


def stored_log_keys(home: Home) -> LogKeys:
    """Return the log's keys as the stored entries state them; raise LedgerTampered."""
    if home.is_sqlite and not home.database_path.exists():
        raise LedgerTampered(f"{home.database_path.name} is missing from the home")
    engine = reader_engine(home.database)
    try:
        return read_log_keys(engine, home.origin)
    finally:
        engine.dispose()


def _populate(home: Home, clock: Clock, first: Callable[[Unit], object] | None) -> None:
    engine = writer_engine(home.database)
    keys = FileKeyStore(home.keys_dir)
    try:
        with storage_faults_told():
            schema.upgrade(engine)
            write_genesis(engine, home, keys=keys, clock=clock)
    finally:
        keys.close()
        engine.dispose()
    if first is not None:
        with open_storage(home, clock=clock) as storage:
            storage.pen.commit(first)


def _seated(home: Home, stack: ExitStack) -> Seat:
    """Own the home on SQLite; on PostgreSQL sit down among the processes that write to it."""
    if home.is_sqlite:
        stack.enter_context(OwnerLock(home.lock_path))
        _settle(home)
    return stack.enter_context(Seat(home))


def _checked_engine(home: Home, stack: ExitStack) -> tuple[Engine, int | None]:
    """Return the readers' engine, and the fencing epoch as it was before everything it guards."""
    engine = reader_engine(home.database)
    stack.callback(engine.dispose)
    epoch = epoch_at_start(engine)
    schema.check(engine)
    with engine.connect() as connection:
        if may_take_away(connection):
            _log.warning("this role may delete entries; serve as the writer of `vigil db roles`")
    return engine, epoch


def _settle(home: Home) -> None:
    """Open the file once as a writer: a WAL that a crash left is recovered before readers come."""
    if not home.database_path.exists():
        raise LedgerTampered(f"{home.database_path.name} is missing from the home")
    engine = writer_engine(home.database)
    with engine.connect():
        engine.dispose()


def _finish_keys(engine: Engine, home: Home, keys: KeyStore, clock: Clock) -> None:
    """Finish what a crash left between an entry and the keys that it speaks of (P13)."""
    finish_rotation(engine, keys)
    if owes_erasure(engine, keys):
        finish_at_start(home.database, keys=keys, clock=clock)


def _compared(
    engine: Engine, home: Home, keys: LogKeys, reach: Reach
) -> tuple[LiveLog, PolicyInForce, Witnesses]:
    """Build the tree, hold it against what the witnesses saw, and find the policy in force.

    They are asked before the tree is read: where another process writes meanwhile, the tree is
    longer than what they saw, and never shorter.
    """
    known = configured_witnesses(home, reach)
    seen, silent = ask_all(known, keys=keys)
    live = _derive(engine, home, keys)
    in_force = policy_in_force(engine)
    compare_at_start(home, seen, silent, live.tree, in_force.policy)
    finish_policy_change(home, in_force)
    return live, in_force, witnesses_in_force(home, in_force.policy, known)


def _derive(engine: Engine, home: Home, keys: LogKeys, *, lost: bool = False) -> LiveLog:
    """Build the tree from one snapshot, against every checkpoint that this home still has."""
    # The file first: a server that runs beside us may append to it while the snapshot is read.
    in_file = largest_note(home.checkpoints_log, keys=keys)
    if in_file is None:
        raise LedgerTampered(f"{home.checkpoints_log.name} is gone, or holds no whole note")
    with engine.connect() as connection, connection.begin():
        stored = _last_stored(connection, keys)
        if lost:
            size = connection.execute(_SIZE).scalar_one()
            in_file = largest_note(home.checkpoints_log, keys=keys, at_most=size) or stored
        anchors = [in_file, stored]
        envelopes = select(_ENTRY.c.env, _ENTRY.c.leaf).order_by(_ENTRY.c.seq)
        with streamed_tuples(connection, envelopes) as rows:
            tree = verify_chain(rows, origin=home.origin, checkpoints=anchors)
        _check_unsigned(connection, stored)
        head = read_head(connection, lock=False)
        last = _last_t_us(connection)
    expected = Head.empty(home.origin)
    if head is None or (head.origin, head.next_seq, head.frontier, head.last_t_us) != (
        expected.origin,
        tree.size,
        tree.frontier(),
        last,
    ):
        raise LedgerTampered("log_head is not the head of the stored entries")
    if head.head_leaf != (tree.leaf(tree.size - 1) if tree.size else genesis_prev(home.origin)):
        raise LedgerTampered("log_head names another last leaf than the stored entries")
    live = LiveLog(origin=home.origin, tree=tree)
    newest = max(anchors, key=lambda anchor: anchor.size)
    live.publish(size=newest.size, note=newest.note)
    return live


def _last_stored(connection: Connection, keys: LogKeys) -> VerifiedCheckpoint:
    query = select(_CHECKPOINT).order_by(_CHECKPOINT.c.size.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None or connection.execute(_FIRST).first() is None:
        raise LedgerTampered("signed checkpoints are gone from the database")
    if not isinstance(row.note, str):
        raise of_another_type("the last checkpoint's note", sequence=row.size - 1)
    try:
        opened = keys.open(row.note.encode())
    except NoteRejected as error:
        raise LedgerTampered(
            f"the stored checkpoint of size {row.size} is not what the log signed",
            sequence=row.size - 1,
        ) from error
    if opened.size != row.size:
        raise LedgerTampered(f"the checkpoint of size {opened.size} is stored as {row.size}")
    return opened


def _check_unsigned(connection: Connection, stored: VerifiedCheckpoint) -> None:
    """Refuse more unsigned entries than a crash can leave.

    Each commit stores the note over everything before it, so what lies beyond the last stored note
    is one commit, whose entries share their instant. A history that was written anew does not.
    """
    query = select(_ENTRY.c.env).where(_ENTRY.c.seq >= stored.size).order_by(_ENTRY.c.seq)
    first = connection.execute(query.limit(1)).scalar()
    if first is not None and decode_entry(first).t_us != _last_t_us(connection):
        raise LedgerTampered(
            "more entries than one commit's follow the last signed checkpoint",
            sequence=stored.size,
        )


def _last_t_us(connection: Connection) -> int:
    query = select(_ENTRY.c.env).order_by(_ENTRY.c.seq.desc()).limit(1)
    env = connection.execute(query).scalar()
    return 0 if env is None else decode_entry(env).t_us
