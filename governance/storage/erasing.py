"""Erasing a person's bodies: in the act itself, and what has to follow it (P13).

In one transaction with its entry an erasure empties the bodies, and deletes what stands beside
them: observations and idempotency rows. What follows cannot be part of that transaction: the key is
destroyed in the key store, and the files are swept, because the database's log and freed pages
still hold the old bytes. A row of `erasure_residue` says that this is not done yet; a start does it
before the pen writes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from governance.clock import Clock
from governance.errors import Conflict, GovernanceError
from governance.ledger.core import canonical
from governance.ledger.core.canonical import Json
from governance.ledger.core.erased import ERASED_KIND, read_statement
from governance.ledger.core.errors import LedgerTampered, NotCanonical
from governance.ledger.core.record import decode_entry, facts_commitment
from governance.ledger.store.erased import NEEDLE
from governance.ledger.store.keys import KeyDestroyed, KeyStore, KeyUnknown
from governance.ledger.store.tables import BodyRow, EntryRow, Row
from governance.registry.records import Erasure
from governance.storage.engine import writer_engine
from governance.storage.errors import AnswerErased, SubjectErased, audit_unavailable
from governance.storage.ports import PendingAnswer, Reader, Unit
from governance.storage.private_tables import (
    ErasedAnswerRow,
    ErasureResidueRow,
    IdempotencyRow,
    ObservationRow,
)
from governance.storage.reader import SqlReader
from governance.storage.statement import run
from governance.storage.tables import table_of
from governance.storage.unit import SqlUnit

_log = logging.getLogger(__name__)

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]
_OBSERVATION = Row.metadata.tables[ObservationRow.__tablename__]
_IDEMPOTENCY = Row.metadata.tables[IdempotencyRow.__tablename__]
_ERASED_ANSWER = Row.metadata.tables[ErasedAnswerRow.__tablename__]
_RESIDUE = Row.metadata.tables[ErasureResidueRow.__tablename__]
_ERASURE = table_of(Erasure)

_SAYING: Final = {
    "sqlite": text("SELECT seq FROM entry WHERE instr(env, :needle) > 0"),
    "postgresql": text("SELECT seq FROM entry WHERE position(:needle IN env) > 0"),
}
_SWEPT: Final = "VACUUM body, observation, idempotency"
_TABLES: Final = 3
_LAST_SWEPT: Final = (
    "SELECT (extract(epoch FROM last_vacuum) * 1000000)::bigint FROM pg_stat_user_tables "
    "WHERE schemaname = current_schema() AND relname IN ('body', 'observation', 'idempotency')"
)
_EMPTIED: Final = {
    "nonce": None,
    "ciphertext": None,
    "key_commitment": None,
    "salt": None,
}


class ResidueLeft(GovernanceError):
    """The erasure stands, and old pages are left: a long read, or a right, is in the way."""

    code = "erasure.residue"
    http_status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyOf:
    """An entry whose body is a person's, by what is permanent about it."""

    seq: int
    kind: str
    t_us: int
    model: str | None


def bodies_under(reader: Reader, key_id: str) -> list[BodyOf]:
    """Return the entries whose body is stored under the key, in order; erased ones are left out."""
    query = (
        select(_BODY.c.seq, _ENTRY.c.env, _ENTRY.c.facts)
        .select_from(_BODY.join(_ENTRY, _ENTRY.c.seq == _BODY.c.seq))
        .where(_BODY.c.key_id == key_id, _BODY.c.erased_by_seq.is_(None))
        .order_by(_BODY.c.seq)
    )
    found = []
    for row in _connection(reader).execute(query):
        entry, facts = decode_entry(row.env), canonical.loads(row.facts)
        model = facts.get("model") if isinstance(facts, dict) else None
        found.append(
            BodyOf(
                seq=row.seq,
                kind=entry.kind,
                t_us=entry.t_us,
                model=model if isinstance(model, str) else None,
            )
        )
    return found


def erase_bodies(
    unit: Unit, key_id: str, seqs: Sequence[int], *, by_seq: int, mark: Callable[[str], str]
) -> None:
    """Empty the bodies of `seqs`, delete what stands beside them, and note that more is owed.

    `by_seq` is the erasing entry of this unit. Raises Conflict where a body under the key is in the
    same batch, not yet written.
    """
    if not isinstance(unit, SqlUnit):
        raise TypeError("bodies are erased in a unit of this package")
    if unit.writes_under(key_id):
        raise Conflict(
            "something about this person is being recorded at this instant",
            next_step="Confirm the erasure again.",
        )
    connection = unit.connection
    found = connection.execute(
        _BODY.update().where(_BODY.c.key_id == key_id, _BODY.c.erased_by_seq.is_(None)),
        {**_EMPTIED, "erased_by_seq": by_seq},
    ).rowcount
    if found != len(seqs):
        raise RuntimeError("other bodies were emptied than the entry says")
    connection.execute(_OBSERVATION.delete().where(_OBSERVATION.c.key_id == key_id))
    _forget_repeats(connection, key_id, mark)
    connection.execute(_RESIDUE.insert(), {"seq": by_seq})


def _forget_repeats(connection: Connection, key_id: str, mark: Callable[[str], str]) -> None:
    """Put a mark in the place of each idempotency row: the key is text, the digest can be guessed.

    A repetition within the day is refused by the mark, which only the key store can compute.
    """
    of_subject = select(_BODY.c.seq).where(_BODY.c.key_id == key_id)
    table = _IDEMPOTENCY.c
    query = select(table.caller, table.key, table.created_us).where(table.seq.in_(of_subject))
    marks = [
        {"mark": mark(repeat_text(row.caller, row.key)), "created_us": row.created_us}
        for row in connection.execute(query)
    ]
    if marks:
        connection.execute(_ERASED_ANSWER.insert(), marks)
        connection.execute(_IDEMPOTENCY.delete().where(table.seq.in_(of_subject)))


def repeat_text(caller: str, key: str) -> str:
    """Return what is marked of a caller's idempotency key."""
    return f"idempotency\x00{caller}\x00{key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What a batch of answers must not bring back: erased keys, and erased answers' repetitions."""

    keys: frozenset[str] = frozenset()
    repeats: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def among(
        cls,
        answers: Collection[PendingAnswer],
        connection: Connection,
        *,
        mark: Callable[[str], str],
        forgotten_us: int,
    ) -> Gone:
        """Look, under the head lock, for what was erased since the answers were prepared."""
        about = [one for one in answers if one.body is not None and one.body.of_subject]
        if not about:
            return cls()
        wanted = {one.body.key_id for one in about if one.body is not None}
        erased = select(_ERASURE.c.key_id).where(
            _ERASURE.c.state == "erased", _ERASURE.c.key_id.in_(wanted)
        )
        keys = frozenset(connection.execute(erased).scalars())
        asked = {mark(repeat_text(*one.idempotency[:2])): one for one in about if one.idempotency}
        if not asked:
            return cls(keys=keys)
        table = _ERASED_ANSWER.c
        connection.execute(_ERASED_ANSWER.delete().where(table.created_us <= forgotten_us))
        marks = connection.execute(select(table.mark).where(table.mark.in_(asked))).scalars()
        found = (asked[one].idempotency for one in marks)
        return cls(keys=keys, repeats=frozenset(one[:2] for one in found if one is not None))

    def refuse(self, pending: PendingAnswer) -> None:
        """Raise AnswerErased or SubjectErased where the answer may not be recorded."""
        if pending.idempotency is not None and pending.idempotency[:2] in self.repeats:
            raise AnswerErased(
                "the answer under this idempotency key was erased with its subject",
                next_step="Do not repeat it; ask anew, under a new key, only where there is a new "
                "ground to ask about this person.",
            )
        if pending.body is not None and pending.body.key_id in self.keys:
            raise SubjectErased(
                "the subject was erased while the answer was being written",
                next_step="Ask again only where there is a new ground to ask about this person.",
            )


# --- what follows an erasure ------------------------------------------------------------------


def finish_erasures(connection: Connection, *, keys: KeyStore, clock: Clock) -> bool:
    """Destroy the key of everybody who was erased, and sweep what the files still hold of them.

    Return whether anything was left to do. A key that came back with a copy of the key store is
    destroyed again. `connection` writes, and is in no transaction. Raises ResidueLeft where a long
    read is in the way of the sweep; the keys are destroyed then.
    """
    with connection.begin():
        erased = _erased_keys(connection)
        owed = list(connection.execute(select(_RESIDUE.c.seq)).scalars())
        alive = {key_id for key_id in erased if _opens(keys, key_id)}
        # The row of a record is not enough to destroy a key for: the entry has to say it (P3).
        said = _said_erased(connection) if alive else frozenset()
    for key_id in alive & said:
        keys.destroy(key_id, now_us=clock.now_us())
    if owed:
        _sweep(connection)
        with connection.begin():
            connection.execute(_RESIDUE.delete().where(_RESIDUE.c.seq.in_(owed)))
    return bool(alive or owed)


def finish_at_start(database: str | Path, *, keys: KeyStore, clock: Clock) -> None:
    """Finish what a crash left, on a connection of its own, before the pen writes.

    A read that another program has not ended (an export) does not stop the start: the keys are
    destroyed then, and the row stays for the next sweep. Raises AuditUnavailable.
    """
    engine = writer_engine(database)
    try:
        with engine.connect() as connection:
            finish_erasures(connection, keys=keys, clock=clock)
    except ResidueLeft as left:
        _log.warning("%s Next: %s", left, left.next_step)
    except SQLAlchemyError as error:
        raise audit_unavailable("an erasure cannot be finished") from error
    finally:
        engine.dispose()


def owes_erasure(engine: Engine, keys: KeyStore) -> bool:
    """Return whether an erasure of the stored log is not finished; reads only."""
    with engine.connect() as connection, connection.begin():
        if connection.execute(select(_RESIDUE.c.seq).limit(1)).first() is not None:
            return True
        return any(_opens(keys, key_id) for key_id in _erased_keys(connection))


def _erased_keys(connection: Connection) -> list[str]:
    query = select(_ERASURE.c.key_id).where(_ERASURE.c.state == "erased")
    return [str(key_id) for key_id in connection.execute(query).scalars()]


def _opens(keys: KeyStore, key_id: str) -> bool:
    try:
        keys.get(key_id)
    except (KeyDestroyed, KeyUnknown):
        return False
    return True


def _said_erased(connection: Connection) -> frozenset[str]:
    """Return the keys that entries say were erased, each entry verified."""
    found = set()
    numbers = connection.execute(_SAYING[connection.dialect.name], {"needle": NEEDLE}).scalars()
    for seq in list(numbers):
        row = connection.execute(select(_ENTRY).where(_ENTRY.c.seq == seq)).one()
        entry = decode_entry(row.env)
        if entry.kind == ERASED_KIND:
            facts = _facts(row.facts, seq)
            if facts_commitment(salt=row.facts_salt, facts=row.facts) != entry.facts_c:
                raise LedgerTampered("its facts are not those that it commits to", sequence=seq)
            found.add(read_statement(facts, sequence=seq).key_id)
    return frozenset(found)


def _facts(raw: bytes, seq: int) -> Json:
    try:
        return canonical.loads(raw)
    except NotCanonical as error:
        raise LedgerTampered("its facts are not canonical JSON", sequence=seq) from error


def _sweep(connection: Connection) -> None:
    """Rewrite what holds freed bytes; statements that take no transaction go to the driver."""
    if connection.dialect.name == "postgresql":
        driver = connection.connection.driver_connection
        assert driver is not None
        skipped: list[object] = []
        driver.autocommit = True
        driver.add_notice_handler(skipped.append)
        try:
            run(connection, _SWEPT)
        finally:
            driver.remove_notice_handler(skipped.append)
            driver.autocommit = False
        if skipped and not _swept_by_owner(connection):
            raise ResidueLeft(
                "the person is erased, and this database's role may not sweep the tables",
                next_step=f"The owner of the database runs `{_SWEPT};`, then "
                "`vigil erasure finish`. From PostgreSQL 17 on `vigil db roles --apply` lets the "
                "server do it.",
            )
        return
    _empty_log(connection)
    run(connection, "VACUUM")
    _empty_log(connection)


def _swept_by_owner(connection: Connection) -> bool:
    """Return whether each table was swept since the last erasure that owes it.

    PostgreSQL passes over a table that a role may not sweep, with a notice and no error.
    """
    with connection.begin():
        found = run(connection, _LAST_SWEPT).fetchall()
        since_us = _owed_since(connection)
    return len(found) == _TABLES and all(
        last_us is not None and last_us > since_us for (last_us,) in found
    )


def _owed_since(connection: Connection) -> int:
    query = (
        select(_ENTRY.c.env)
        .select_from(_RESIDUE.join(_ENTRY, _ENTRY.c.seq == _RESIDUE.c.seq))
        .order_by(_RESIDUE.c.seq.desc())
    )
    return decode_entry(connection.execute(query.limit(1)).scalar_one()).t_us


def _empty_log(connection: Connection) -> None:
    # One row: whether a reader was in the way, pages in the log, pages moved.
    found = run(connection, "PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if found is None or found[0] != 0:
        raise ResidueLeft(
            "the person is erased, and a long read keeps old pages in the write-ahead log",
            next_step="When verifications, exports and backups have ended: `vigil erasure finish`. "
            "The next start does it too.",
        )


def _connection(reader: Reader) -> Connection:
    if not isinstance(reader, SqlReader):
        raise TypeError("bodies are read and erased through this package's readers")
    return reader.connection
