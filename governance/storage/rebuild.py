"""The rebuild check: fold every governed row again from the facts, and compare.

An administrator who writes `UPDATE version SET state = 'released'` leaves the ledger's facts as
they were; here the difference is found, in both directions and in every column (P3). The fold is
the code that wrote the rows (`projection.apply_changes`). Outcome rows are compared with the
decrypted bodies of their entries, blobs with the digests in the facts, and the head's standing
epoch with the number of entries that touch standing; rows that authenticate, repeat and sign are
`rebuild_private`'s, and keys and policy of the home are held against the first entry. That the
facts themselves are those that were logged is the chain's question: `LedgerView.verify`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, select

from governance.home import Home
from governance.ledger.core import canonical
from governance.ledger.core.body_cipher import SealedBody, unseal
from governance.ledger.core.canonical import Json
from governance.ledger.core.errors import BodyUnreadable, LedgerTampered, NotCanonical
from governance.ledger.core.progress import UNWATCHED, Watch
from governance.ledger.core.verify import BLOCK_ROWS
from governance.ledger.store.cells import check_cells, check_row
from governance.ledger.store.keys import KeyDestroyed, KeyStore, KeyUnknown
from governance.ledger.store.streaming import streamed, streamed_blocks
from governance.ledger.store.tables import BlobRow, BodyRow, EntryRow, Row
from governance.registry.records import ServiceClient
from governance.storage import schema
from governance.storage.bulk import SqlRow
from governance.storage.chain import read_head
from governance.storage.fold import Counted, Folded, same
from governance.storage.genesis import check_policy
from governance.storage.log_signer import check_log_keys
from governance.storage.ports import OutcomeRow
from governance.storage.private_tables import OutcomeTableRow
from governance.storage.projection import COLUMNS, Value
from governance.storage.rebuild_private import (
    compare_credentials,
    compare_erased,
    compare_idempotency,
)
from governance.storage.succession.statement import check_signatories
from governance.storage.unit import OUTCOMES_RECORDED, outcome_values

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]
_BLOB = Row.metadata.tables[BlobRow.__tablename__]
_OUTCOME = Row.metadata.tables[OutcomeTableRow.__tablename__]
_WITH_BODIES: Final = (
    select(_ENTRY.c.event_id, _ENTRY.c.env, _BODY)
    .select_from(_ENTRY.join(_BODY, _BODY.c.seq == _ENTRY.c.seq))
    .order_by(_ENTRY.c.seq)
)
# The envelope is canonical, so a kind has one spelling in it; no other field can hold quotes.
_RECORDS_OUTCOMES: Final = f'"kind":"{OUTCOMES_RECORDED}"'.encode()
_OUTCOME_FIELDS: Final = ("batch", "model", "series", "month", "value", "known_us")


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReport:
    """What was compared. `outcomes_erased` batches could not be: their bodies are gone."""

    entries: int
    rows_compared: int
    tables: Mapping[str, int]
    outcomes_erased: int


def rebuild_check(
    engine: Engine,
    *,
    home: Home,
    keys: KeyStore,
    watch: Watch = UNWATCHED,
    signs: bool = True,
) -> RebuildReport:
    """Compare every governed row with the facts; raise LedgerTampered naming the difference.

    The message names table, row, column and both values, `sequence` the entry that set it last.
    `signs` False is for whoever only reads: the log's private key is not needed.
    """
    folded, counted = Folded(), Counted()
    with engine.connect() as connection, connection.begin():
        check_cells(connection)
        entries = select(_ENTRY.c.seq, _ENTRY.c.facts, _ENTRY.c.env).order_by(_ENTRY.c.seq)
        with streamed_blocks(connection, entries, rows=BLOCK_ROWS) as blocks:
            for block in watch.blocks("rows", blocks):
                for seq, facts, env in block:
                    counted.add(seq, env, facts, folded, home)
        counted.carried.finish()
        for table in COLUMNS:
            _compare_table(connection, table, folded)
        blobs = _compare_blobs(connection, counted.blobs)
        outcomes, erased = _compare_outcomes(
            connection, home.origin, keys, counted.carried.outcomes
        )
        beside = compare_credentials(
            connection, counted.credentials, folded.rows[ServiceClient.TABLE]
        )
        repeats = compare_idempotency(connection)
        counted.erasures.check(connection)
        compare_erased(connection)
        _compare_head(connection, counted)
        folded.verify_signatures(home.signature_key().public_key())
        check_signatories(counted.succession, folded.rows)
        check_log_keys(counted.log_keys(), home, needed=signs)
        check_policy(*counted.policy, home, counted.log_keys())
        schema.check_triggers(connection)
    tables = {table: len(rows) for table, rows in folded.rows.items()}
    tables |= {"blob": blobs, "outcome": outcomes, "idempotency": repeats, **beside}
    return RebuildReport(
        entries=counted.entries,
        rows_compared=sum(tables.values()),
        tables=tables,
        outcomes_erased=erased,
    )


def _compare_table(connection: Connection, name: str, folded: Folded) -> None:
    expected = dict(folded.rows[name])
    with streamed(connection, select(Row.metadata.tables[name])) as rows:
        for row in rows:
            says = expected.pop(row["id"], None)
            if says is None:
                raise LedgerTampered(
                    f"table {name} row {row['id']}: facts know no such row, the database has one",
                    sequence=_place(row["created_seq"]),
                )
            _compare_row(name, row, says, folded.set_by[name, row["id"]])
    for key in expected:
        raise LedgerTampered(
            f"table {name} row {key}: facts have it, the database does not",
            sequence=folded.set_by[name, key]["id"],
        )


def _compare_row(
    table: str, row: RowMapping, says: Mapping[str, Value], set_by: Mapping[str, int]
) -> None:
    for column, value in says.items():
        if not same(row[column], value):
            raise LedgerTampered(
                f"table {table} row {row['id']} column {column}: "
                f"facts say {value!r}, database says {row[column]!r}",
                sequence=set_by[column],
            )


def _compare_blobs(connection: Connection, named: Mapping[str, tuple[str, int, int]]) -> int:
    waiting = dict(named)
    with streamed(connection, select(_BLOB), rows=16) as rows:
        for row in rows:
            digest = row["digest"]
            if digest not in waiting:
                raise LedgerTampered(f"table blob row {digest}: no facts name it")
            _compare_blob(row, *waiting.pop(digest))
    for digest, (_, _, seq) in waiting.items():
        raise LedgerTampered(
            f"table blob row {digest}: facts name it, the database does not have it", sequence=seq
        )
    return len(named)


def _compare_blob(row: RowMapping, media_type: str, size: int, seq: int) -> None:
    digest, content = row["digest"], row["content"]
    if sha256(content).hexdigest() != digest or len(content) != size:
        raise LedgerTampered(
            f"table blob row {digest} column content: not the bytes of that digest", sequence=seq
        )
    if row["media_type"] != media_type:
        raise LedgerTampered(
            f"table blob row {digest} column media_type: "
            f"facts say {media_type!r}, database says {row['media_type']!r}",
            sequence=seq,
        )


def _compare_outcomes(
    connection: Connection, origin: str, keys: KeyStore, carried: Mapping[int, str]
) -> tuple[int, int]:
    """Compare outcome rows with the bodies that recorded them; return rows and erased batches.

    `carried` are digests of bodies that were signed as state of the log before.
    """
    stored = _outcomes_by_entry(connection)
    compared = erased = 0
    with streamed(connection, _WITH_BODIES) as rows:
        for row in rows:
            check_row(row)
            if _RECORDS_OUTCOMES not in row["env"]:
                continue
            found = stored.pop(row["seq"], [])
            if row["erased_by_seq"] is not None:
                erased += 1
            else:
                told = _told(row, origin, keys, carried.get(row["seq"]))
                _compare_batch(row["seq"], told, found)
                compared += len(found)
    for seq in stored:
        raise LedgerTampered(f"table outcome rows of {seq}: no entry records them", sequence=seq)
    return compared, erased


def _compare_batch(seq: int, told: list[OutcomeRow], stored: list[SqlRow]) -> None:
    for position in range(max(len(told), len(stored))):
        says = outcome_values(told[position], seq, position) if position < len(told) else None
        has = stored[position] if position < len(stored) else None
        if says != has:
            raise LedgerTampered(
                f"table outcome row {seq}/{position} column {_differing(says, has)}: "
                "the entry's body and the database differ",
                sequence=seq,
            )


def _outcomes_by_entry(connection: Connection) -> dict[int, list[SqlRow]]:
    found: dict[int, list[SqlRow]] = {}
    query = select(_OUTCOME).order_by(_OUTCOME.c.seq, _OUTCOME.c.position)
    for row in connection.execute(query):
        found.setdefault(row.seq, []).append(tuple(row))
    return found


def _told(row: RowMapping, origin: str, keys: KeyStore, digest: str | None) -> list[OutcomeRow]:
    sealed = SealedBody(
        nonce=row["nonce"], ciphertext=row["ciphertext"], key_commitment=row["key_commitment"]
    )
    try:
        raw = unseal(sealed, dek=keys.get(row["key_id"]), origin=origin, event_id=row["event_id"])
        body = canonical.loads(raw)
    except (BodyUnreadable, KeyDestroyed, KeyUnknown, NotCanonical) as error:
        raise LedgerTampered(
            "the body of its outcomes does not open", sequence=row["seq"]
        ) from error
    if digest is not None and sha256(raw).hexdigest() != digest:
        raise LedgerTampered("its outcomes are not those that were carried", sequence=row["seq"])
    told = []
    for item in _listed(body.get("outcomes") if isinstance(body, dict) else None):
        match item:
            case [str(), str(), str(), str(), str(), int()]:
                told.append(OutcomeRow(**_named(item)))
            case _:
                raise LedgerTampered("its outcomes have no known form", sequence=row["seq"])
    return told


def _named(item: list[Json]) -> dict[str, Any]:
    return dict(zip(_OUTCOME_FIELDS, item, strict=True))


def _compare_head(connection: Connection, counted: Counted) -> None:
    head = read_head(connection, lock=False)
    if head is None:
        raise LedgerTampered("table log_head has no row")
    for column, says, has in (
        ("next_seq", counted.entries, head.next_seq),
        ("standing_epoch", counted.standing_epoch, head.standing_epoch),
    ):
        if says != has:
            raise LedgerTampered(
                f"table log_head row 1 column {column}: facts say {says}, database says {has}"
            )


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _place(seq: object) -> int | None:
    return seq if isinstance(seq, int) else None


def _differing(says: SqlRow | None, has: SqlRow | None) -> str:
    if says is None or has is None:
        return "(all)"
    pairs = zip(_OUTCOME.c.keys(), says, has, strict=True)
    return next((name for name, one, other in pairs if not same(one, other)), "(none)")
