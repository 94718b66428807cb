"""The state of governance at an entry of a log: folded from the facts, never read from the tables.

What a table holds may be of later entries than those that are kept, or of nobody; the facts up to
the kept size are covered by a checkpoint. Beside the records stand the hashes of passwords and
secrets as far as the facts state their digest, blobs by their digest, and outcomes by the
commitment of their entry's body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, Engine, select

from governance.home import Home
from governance.ledger.core import canonical
from governance.ledger.core.body_cipher import SealedBody, unseal
from governance.ledger.core.errors import BodyUnreadable, LedgerTampered, NotCanonical
from governance.ledger.core.record import body_commitment, decode_entry, facts_commitment
from governance.ledger.store.cells import check_cells, check_row
from governance.ledger.store.keys import KeyDestroyed, KeyStore, KeyUnknown
from governance.ledger.store.streaming import streamed
from governance.ledger.store.tables import BlobRow, BodyRow, EntryRow, Row
from governance.registry.records import OutcomeBatch, Record
from governance.storage.fold import Counted, Folded
from governance.storage.ports import OutcomeRow
from governance.storage.private import Credential
from governance.storage.private_tables import ClientSecretRow, CredentialRow
from governance.storage.projection import COLUMNS, RECORDS, Value
from governance.storage.rebuild_private import credential_digest
from governance.storage.unit import OUTCOMES_RECORDED, outcomes_body

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]
_BLOB = Row.metadata.tables[BlobRow.__tablename__]
_CREDENTIAL = Row.metadata.tables[CredentialRow.__tablename__]
_SECRET = Row.metadata.tables[ClientSecretRow.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEntry:
    """The outcomes of one entry of the predecessor."""

    seq: int
    rows: tuple[OutcomeRow, ...]
    source: str

    def body(self) -> bytes:
        """Return the body that records them."""
        return outcomes_body(self.rows, source=self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that governs, at the size that is kept; records in order of creation.

    Blobs are digest, media type and size.
    """

    records: tuple[Record, ...]
    credentials: Mapping[str, Credential]
    secrets: Mapping[str, tuple[str, int]]
    blobs: tuple[tuple[str, str, int], ...]
    outcomes: tuple[OutcomeEntry, ...]

    def find(self, table: str, **equals: Value) -> list[Record]:
        """Return the records of a table whose fields equal the given values."""
        return [
            one
            for one in self.records
            if table == one.TABLE and all(getattr(one, k) == v for k, v in equals.items())
        ]


def read_state(engine: Engine, home: Home, keys: KeyStore, *, size: int) -> State:
    """Return the state after the first `size` entries; raise LedgerTampered at what is not as said.

    The caller has verified the chain of the envelopes up to there.
    """
    folded, counted = Folded(), Counted()
    with engine.connect() as connection, connection.begin():
        check_cells(connection)
        query = select(_ENTRY).where(_ENTRY.c.seq < size).order_by(_ENTRY.c.seq)
        with streamed(connection, query) as rows:
            for row in rows:
                check_row(row)
                _check_facts(row["seq"], row["env"], row["facts"], row["facts_salt"])
                counted.add(row["seq"], row["env"], row["facts"], folded, home)
        counted.carried.finish()
        folded.verify_signatures(home.signature_key().public_key())
        return State(
            records=_records(folded),
            credentials=_credentials(connection, counted),
            secrets=_secrets(connection, counted, folded),
            blobs=tuple((digest, *told[:2]) for digest, told in counted.blobs.items()),
            outcomes=tuple(_outcomes(connection, home.origin, keys, size)),
        )


def read_blob(connection: Connection, digest: str) -> tuple[bytes, str]:
    """Return a blob and its media type; raise LedgerTampered where it is not what it was."""
    row = connection.execute(select(_BLOB).where(_BLOB.c.digest == digest)).first()
    content = None if row is None else row.content
    if row is None or not isinstance(content, bytes) or sha256(content).hexdigest() != digest:
        raise LedgerTampered(f"table blob row {digest}: not the bytes of that digest")
    return content, row.media_type


def _check_facts(seq: int, env: bytes, facts: bytes, salt: bytes) -> None:
    try:
        same = facts_commitment(salt=salt, facts=facts) == decode_entry(env).facts_c
    except NotCanonical as error:
        raise LedgerTampered("its facts have another form", sequence=seq) from error
    if not same:
        raise LedgerTampered("its facts are not those that it commits to", sequence=seq)


def _records(folded: Folded) -> tuple[Record, ...]:
    placed = [
        ((row["created_seq"], row["created_pos"]), table, row)
        for table, rows in folded.rows.items()
        for row in rows.values()
    ]
    placed.sort(key=lambda one: one[0])
    return tuple(
        RECORDS[table](**{name: row[name] for name in COLUMNS[table]})  # type: ignore[arg-type]
        for _place, table, row in placed
    )


def _credentials(connection: Connection, counted: Counted) -> dict[str, Credential]:
    said, found = counted.credentials.people, {}
    for row in connection.execute(select(_CREDENTIAL)):
        one = said.get(row.person)
        if one is not None and credential_digest(row.password_hash) == one.digest:
            found[row.person] = Credential(
                password_hash=row.password_hash, must_change=bool(one.must_change)
            )
    return found


def _secrets(
    connection: Connection, counted: Counted, folded: Folded
) -> dict[str, tuple[str, int]]:
    said, found = counted.credentials.clients, {}
    for row in connection.execute(select(_SECRET)):
        one, record = said.get(row.client), folded.rows["service_client"].get(row.client)
        if one is None or record is None or record["secret_epoch"] != row.epoch:
            continue
        if credential_digest(row.secret_hash) == one.digest:
            found[row.client] = (row.secret_hash, row.epoch)
    return found


def _outcomes(
    connection: Connection, origin: str, keys: KeyStore, size: int
) -> Iterator[OutcomeEntry]:
    query = (
        select(_ENTRY.c.env, _ENTRY.c.event_id, _BODY)
        .select_from(_ENTRY.join(_BODY, _BODY.c.seq == _ENTRY.c.seq))
        .where(_ENTRY.c.seq < size)
        .order_by(_ENTRY.c.seq)
    )
    needle = f'"kind":"{OUTCOMES_RECORDED}"'.encode()
    with streamed(connection, query) as rows:
        for row in rows:
            if needle not in row["env"] or row["erased_by_seq"] is not None:
                continue
            sealed = SealedBody(
                nonce=row["nonce"],
                ciphertext=row["ciphertext"],
                key_commitment=row["key_commitment"],
            )
            try:
                body = unseal(
                    sealed, dek=keys.get(row["key_id"]), origin=origin, event_id=row["event_id"]
                )
                committed = body_commitment(salt=row["salt"], body=body)
                told = canonical.loads(body)
            except (BodyUnreadable, KeyDestroyed, KeyUnknown, NotCanonical) as error:
                raise _unreadable(row["seq"]) from error
            entry = _told(row["seq"], told)
            if committed != decode_entry(row["env"]).body_c or body != entry.body():
                raise _unreadable(row["seq"])
            yield entry


def _told(seq: int, told: canonical.Json) -> OutcomeEntry:
    match told:
        case {"outcomes": list(listed), "source": str(source)}:
            rows = []
            for item in listed:
                match item:
                    case [str(batch), str(model), str(series), str(month), str(value), int(known)]:
                        rows.append(
                            OutcomeRow(
                                batch=batch, model=model, series=series, month=month, value=value,
                                known_us=known,
                            )
                        )  # fmt: skip
                    case _:
                        raise _unreadable(seq)
            return OutcomeEntry(seq=seq, rows=tuple(rows), source=source)
    raise _unreadable(seq)


def _unreadable(seq: int) -> LedgerTampered:
    return LedgerTampered("the body of its outcomes is not what it was", sequence=seq)


def batches_of(state: State) -> list[list[OutcomeBatch]]:
    """Return the batch records that each entry of outcomes made, in the order of the entries."""
    batches = {one.id: one for one in state.records if isinstance(one, OutcomeBatch)}
    named = [dict.fromkeys(row.batch for row in entry.rows) for entry in state.outcomes]
    return [[batches[batch] for batch in each if batch in batches] for each in named]
