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
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, RowMapping, select

from governance.home import Home
from governance.ledger.core import canonical
from governance.ledger.core.body_cipher import SealedBody, unseal
from governance.ledger.core.canonical import Json
from governance.ledger.core.errors import BodyUnreadable, LedgerTampered, NotCanonical
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.progress import UNWATCHED, Watch
from governance.ledger.core.record import decode_entry
from governance.ledger.store.cells import check_cells, check_row, of_another_type
from governance.ledger.store.erased import Erasures
from governance.ledger.store.keys import KeyDestroyed, KeyStore, KeyUnknown
from governance.ledger.store.streaming import streamed
from governance.ledger.store.tables import BlobRow, BodyRow, EntryRow, Row
from governance.registry.records import ServiceClient, Signature
from governance.storage import schema
from governance.storage.bulk import SqlRow
from governance.storage.carried import CarriedFold
from governance.storage.chain import read_head
from governance.storage.genesis import check_genesis, check_policy
from governance.storage.key_history import NEEDLES, VKEYS
from governance.storage.log_signer import check_log_keys
from governance.storage.ports import OutcomeRow
from governance.storage.private_tables import OutcomeTableRow
from governance.storage.projection import (
    COLUMNS,
    Insert,
    Update,
    Value,
    apply_changes,
    touches_standing,
)
from governance.storage.rebuild_private import (
    Credentials,
    compare_credentials,
    compare_erased,
    compare_idempotency,
    verify_signature,
)
from governance.storage.succession.statement import Succession, check_signatories
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
_CHANGES_POLICY: Final = b'"kind":"ledger.policy_changed"'
_OUTCOME_FIELDS: Final = ("batch", "model", "series", "month", "value", "known_us")


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReport:
    """What was compared. `outcomes_erased` batches could not be: their bodies are gone."""

    entries: int
    rows_compared: int
    tables: Mapping[str, int]
    outcomes_erased: int


@dataclass(slots=True)
class Folded:
    """Governed rows as dictionaries (`projection.Target`), and who set each column last."""

    rows: dict[str, dict[str, dict[str, Value]]] = field(
        default_factory=lambda: {table: {} for table in COLUMNS}
    )
    set_by: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    def insert(self, change: Insert) -> None:
        """Add the row."""
        table = self.rows[change.table]
        if change.key in table:
            raise LedgerTampered(
                f"it adds {change.table} {change.key}, which exists", sequence=change.seq
            )
        place = {"created_seq": change.seq, "created_pos": change.pos}
        table[change.key] = {**change.row, **place}
        self.set_by[change.table, change.key] = dict.fromkeys(table[change.key], change.seq)

    def update(self, change: Update) -> None:
        """Replace the values."""
        row = self.rows[change.table].get(change.key)
        if row is None or any(not _same(row[name], old) for name, old in change.old.items()):
            raise LedgerTampered(
                f"it changes {change.table} {change.key} from what it was not",
                sequence=change.seq,
            )
        row.update(change.new)
        self.set_by[change.table, change.key].update(dict.fromkeys(change.new, change.seq))

    def verify_signatures(self, key: Ed25519PublicKey) -> None:
        """Verify every signature over the columns that it stands beside."""
        for row_id, row in self.rows[Signature.TABLE].items():
            verify_signature(row, key=key, sequence=self.set_by[Signature.TABLE, row_id]["id"])


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
        with streamed(connection, entries) as rows:
            for row in watch.rows("rows", rows):
                counted.add(row, folded, home)
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


@dataclass(slots=True)
class Counted:
    """What the stream of entries leaves behind beside the rows."""

    entries: int = 0
    standing_epoch: int = 0
    blobs: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)
    policy: tuple[Json, int] = (None, 0)
    erasures: Erasures = field(default_factory=Erasures)
    keys: LogKeys | None = None
    succession: Succession | None = None
    carried: CarriedFold = field(default_factory=lambda: CarriedFold(None))

    def log_keys(self) -> LogKeys:
        """Return the log's keys as the entries so far state them."""
        if self.keys is None:
            raise LedgerTampered("the first entry is missing", sequence=0)
        return self.keys

    def add(self, row: RowMapping, folded: Folded, home: Home) -> None:
        """Take in an entry, in order, and fold its changes."""
        seq, facts = row["seq"], _facts(row["facts"], row["seq"])
        if not isinstance(row["env"], bytes):
            raise of_another_type("its env", sequence=seq)
        if self.entries == 0:
            self.succession = check_genesis(facts, home)
            self.policy = facts.get("policy"), seq
            self.keys = LogKeys.begin(home.origin, facts.get(VKEYS))
            succession = self.succession
            self.carried = CarriedFold(None if succession is None else succession.carried)
        elif _CHANGES_POLICY in row["env"]:
            self.log_keys().allow(seq, decode_entry(row["env"]).kind)
            self.policy = facts.get("new"), seq
        elif any(needle in row["env"] for needle in NEEDLES):
            self.keys = self.log_keys().after(seq, decode_entry(row["env"]).kind, facts)
        elif self.log_keys().closed_seq is not None:
            self.log_keys().allow(seq, decode_entry(row["env"]).kind)
        if self.entries:
            self.carried.add(row["env"], facts, seq)
        self.entries += 1
        self.credentials.add(row["env"], facts, seq)
        self.erasures.add(row["env"], facts, seq)
        changes = facts.get("changes")
        if changes:
            apply_changes(changes, folded, seq=seq)
            self.standing_epoch += isinstance(changes, list) and touches_standing(changes)
        for blob in _listed(facts.get("blobs")):
            match blob:
                case [str(digest), str(media_type), int(size)]:
                    self.blobs[digest] = (media_type, size, seq)
                case _:
                    raise LedgerTampered("it names a blob in no known form", sequence=seq)


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
        if not _same(row[column], value):
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


def _facts(raw: bytes, seq: int) -> dict[str, Json]:
    try:
        facts = canonical.loads(raw)
    except NotCanonical as error:
        raise LedgerTampered("its facts are not canonical JSON", sequence=seq) from error
    if not isinstance(facts, dict):
        raise LedgerTampered("its facts are not an object", sequence=seq)
    return facts


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _same(one: object, other: object) -> bool:
    """Compare values of one type: to Python 1 == True, to a record it is another value."""
    return type(one) is type(other) and one == other


def _place(seq: object) -> int | None:
    return seq if isinstance(seq, int) else None


def _differing(says: SqlRow | None, has: SqlRow | None) -> str:
    if says is None or has is None:
        return "(all)"
    pairs = zip(_OUTCOME.c.keys(), says, has, strict=True)
    return next((name for name, one, other in pairs if not _same(one, other)), "(none)")
