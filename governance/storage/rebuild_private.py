"""The rebuild check of rows that authenticate, repeat and sign: they are no records, but believed.

A password hash, a client's secret and the answer that an idempotency key stands for are not folded
from facts, because no secret is a fact. So the facts hold what the row must hash to, or the entry
that the row names holds what the row repeats; a row that nobody recorded is found here (P2, P3).
Every signature is verified again over its own columns with the key that the first entry names (P7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, RowMapping, select

from governance.ledger.core import canonical
from governance.ledger.core.canonical import Json
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.record import decode_entry
from governance.ledger.store.streaming import streamed
from governance.ledger.store.tables import BodyRow, EntryRow, Row
from governance.registry.esignature import SignatureRejected, verify
from governance.registry.records import Person, ServiceClient
from governance.storage.private_tables import (
    ClientSecretRow,
    CredentialRow,
    IdempotencyRow,
    ObservationRow,
)
from governance.storage.projection import Value

CREDENTIAL_FACT: Final = "credential_sha256"
_PERSON_KINDS: Final = frozenset(
    {"person.added", "person.password_changed", "person.password_reset"}
)
_CLIENT_KINDS: Final = frozenset({"client.added", "client.rotated"})
_ANSWERS: Final = "inference."
CARRIED: Final = "ledger.state_carried"
CARRIED_PEOPLE: Final = "carried_people"
CARRIED_CLIENTS: Final = "carried_clients"

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]
_OBSERVATION = Row.metadata.tables[ObservationRow.__tablename__]
_CREDENTIAL = Row.metadata.tables[CredentialRow.__tablename__]
_CLIENT_SECRET = Row.metadata.tables[ClientSecretRow.__tablename__]
_IDEMPOTENCY = Row.metadata.tables[IdempotencyRow.__tablename__]


def credential_digest(secret_hash: str) -> str:
    """Return what facts say of a stored argon2id hash: its SHA-256."""
    return sha256(secret_hash.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Credential:
    digest: str
    must_change: Json
    seq: int


@dataclass(slots=True)
class Credentials:
    """What the facts last said of each person's password and each client's secret."""

    people: dict[str, _Credential] = field(default_factory=dict)
    clients: dict[str, _Credential] = field(default_factory=dict)

    def add(self, kind: str, facts: Mapping[str, Json], seq: int) -> None:
        """Take in the entry's facts; whom they are about is the record that the act touches."""
        self._add_carried(kind, facts, seq)
        digest = facts.get(CREDENTIAL_FACT)
        if digest is None:
            return
        if kind in _PERSON_KINDS:
            known, whom = self.people, _whom(facts, "person", Person.TABLE)
        elif kind in _CLIENT_KINDS:
            known, whom = self.clients, _whom(facts, "client", ServiceClient.TABLE)
        else:
            raise LedgerTampered("it states a credential, which its kind never does", sequence=seq)
        if not isinstance(digest, str) or whom is None:
            raise LedgerTampered("its credential has no known form", sequence=seq)
        known[whom] = _Credential(digest=digest, must_change=facts.get("must_change"), seq=seq)

    def _add_carried(self, kind: str, facts: Mapping[str, Json], seq: int) -> None:
        """Take in what a successor carried over of the log before it."""
        for name, owner, known in (
            (CARRIED_PEOPLE, "person", self.people),
            (CARRIED_CLIENTS, "client", self.clients),
        ):
            listed = facts.get(name)
            if listed is None:
                continue
            if kind != CARRIED or not isinstance(listed, list):
                raise LedgerTampered("its credentials have no known form", sequence=seq)
            for one in listed:
                whom = one.get(owner) if isinstance(one, dict) else None
                digest = one.get(CREDENTIAL_FACT) if isinstance(one, dict) else None
                if not isinstance(one, dict) or not (
                    isinstance(whom, str) and isinstance(digest, str)
                ):
                    raise LedgerTampered("its credentials have no known form", sequence=seq)
                known[whom] = _Credential(
                    digest=digest, must_change=one.get("must_change"), seq=seq
                )


def compare_credentials(
    connection: Connection,
    said: Credentials,
    clients: Mapping[str, Mapping[str, Value]],
) -> dict[str, int]:
    """Compare stored hashes with the facts, and a secret's epoch with its client's record."""
    stored = connection.execute(select(_CREDENTIAL)).mappings()
    passwords = _compare(stored, said.people, "person")
    secrets = list(connection.execute(select(_CLIENT_SECRET)).mappings())
    for row in secrets:
        record = clients.get(row["client"])
        if record is None or row["epoch"] != record["secret_epoch"]:
            raise LedgerTampered(
                f"table client_secret row {row['client']} column epoch: "
                "not that of the client's record"
            )
    _compare(secrets, said.clients, "client")
    return {"credential": passwords, "client_secret": len(secrets)}


def compare_idempotency(connection: Connection) -> int:
    """Compare each remembered answer with the entry that it names: whose it is, and since when."""
    compared = 0
    query = select(
        _IDEMPOTENCY.c.caller,
        _IDEMPOTENCY.c.key,
        _IDEMPOTENCY.c.seq,
        _IDEMPOTENCY.c.created_us,
        _ENTRY.c.env,
        _ENTRY.c.facts,
    ).select_from(_IDEMPOTENCY.outerjoin(_ENTRY, _ENTRY.c.seq == _IDEMPOTENCY.c.seq))
    with streamed(connection, query) as rows:
        for row in rows:
            fault = _fault_of_repeat(row)
            if fault is not None:
                raise LedgerTampered(
                    f"table idempotency: a row {fault} than entry {row['seq']} says",
                    sequence=row["seq"],
                )
            compared += 1
    return compared


def compare_erased(connection: Connection) -> None:
    """Find what is stored beside a body that was erased: it was to go with the body (P13)."""
    for table in (_OBSERVATION, _IDEMPOTENCY):
        query = (
            select(table.c.seq)
            .select_from(table.join(_BODY, _BODY.c.seq == table.c.seq))
            .where(_BODY.c.erased_by_seq.is_not(None))
        )
        seq = connection.execute(query.limit(1)).scalar()
        if seq is not None:
            raise LedgerTampered(
                f"table {table.name}: a row is left of a body that was erased", sequence=seq
            )


def verify_signature(row: Mapping[str, Value], *, key: Ed25519PublicKey, sequence: int) -> None:
    """Verify the envelope of a signature row over its columns; `sequence` is the entry of it."""
    expected: dict[str, Json] = {
        "record_type": row["record_type"],
        "record": row["record"],
        "record_sha256": row["record_digest"],
        "meaning": row["meaning"],
        "signer": row["signer"],
        "printed_name": row["printed_name"],
        "t_us": row["signed_us"],
    }
    try:
        verify(str(row["envelope"]), key=key, expected=expected)
    except SignatureRejected as error:
        raise LedgerTampered(
            f"table signature row {row['id']} column envelope: {error}", sequence=sequence
        ) from error


def _fault_of_repeat(row: RowMapping) -> str | None:
    if row["env"] is None:
        return "names another entry"
    entry, facts = decode_entry(row["env"]), canonical.loads(row["facts"])
    if not entry.kind.startswith(_ANSWERS) or not isinstance(facts, dict):
        return "stands for another kind of act"
    if facts.get("caller") != row["caller"]:
        return "is another caller's"
    return None if entry.t_us == row["created_us"] else "is of another instant"


def _whom(facts: Mapping[str, Json], name: str, table: str) -> str | None:
    """Return the person or client: named by the facts, or the record that the act changes."""
    named = facts.get(name)
    if isinstance(named, str):
        return named
    changes = facts.get("changes")
    for change in changes if isinstance(changes, list) else []:
        if isinstance(change, dict) and change.get("table") == table:
            key = change.get("key")
            return key if isinstance(key, str) else None
    return None


def _compare(
    rows: Iterable[RowMapping],
    said: Mapping[str, _Credential],
    owner: str,
) -> int:
    table, column = _SECRETS[owner]
    waiting, compared = dict(said), 0
    for row in rows:
        whom, says = row[owner], waiting.pop(row[owner], None)
        if says is None:
            raise LedgerTampered(f"table {table} row {whom}: facts know no such row")
        fault = column if credential_digest(row[column]) != says.digest else None
        if row.get("must_change") is not says.must_change:
            fault = fault or "must_change"
        if fault is not None:
            raise LedgerTampered(
                f"table {table} row {whom} column {fault}: not what the facts say was set",
                sequence=says.seq,
            )
        compared += 1
    for whom, says in waiting.items():
        raise LedgerTampered(
            f"table {table} row {whom}: facts have it, the database does not", sequence=says.seq
        )
    return compared


_SECRETS: Final = {
    "person": ("credential", "password_hash"),
    "client": ("client_secret", "secret_hash"),
}
