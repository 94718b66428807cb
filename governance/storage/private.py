"""Credentials, sessions and refused sign-ins: rows that authenticate, and are no records.

They are written in the same units as the acts that change them, and those acts are entries
without the secret. Nothing here is folded from facts, and no secret is stored that could be used:
passwords and client secrets only as argon2id hashes, session tokens only as digests.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select

from governance.ledger.store.tables import Row
from governance.storage.ports import Reader, Unit
from governance.storage.private_tables import (
    ClientSecretRow,
    CredentialRow,
    SessionTableRow,
    SignInFailureRow,
)
from governance.storage.reader import SqlReader

_CREDENTIAL = Row.metadata.tables[CredentialRow.__tablename__]
_SESSION = Row.metadata.tables[SessionTableRow.__tablename__]
_CLIENT_SECRET = Row.metadata.tables[ClientSecretRow.__tablename__]
_FAILURE = Row.metadata.tables[SignInFailureRow.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """An open session; `token_digest` is the SHA-256 of the token that the client holds."""

    token_digest: str
    person: str
    csrf: str
    opened_us: int
    seen_us: int
    expires_us: int


def put_credential(unit: Unit, person: str, password_hash: str, now_us: int) -> None:
    """Store the person's argon2id hash in place of an earlier one; refused sign-ins are over."""
    connection = _connection(unit)
    _replace(
        connection,
        _CREDENTIAL,
        {"person": person},
        {"password_hash": password_hash, "changed_us": now_us},
    )
    connection.execute(_FAILURE.delete().where(_FAILURE.c.person == person))


def credential(reader: Reader, person: str) -> str | None:
    """Return the person's argon2id hash, or None."""
    query = select(_CREDENTIAL.c.password_hash).where(_CREDENTIAL.c.person == person)
    found: str | None = _connection(reader).execute(query).scalar()
    return found


def put_client_secret(unit: Unit, client: str, secret_hash: str, epoch: int) -> None:
    """Store the client's argon2id hash and epoch in place of earlier ones."""
    _replace(
        _connection(unit),
        _CLIENT_SECRET,
        {"client": client},
        {"secret_hash": secret_hash, "epoch": epoch},
    )


def client_secret(reader: Reader, client: str) -> tuple[str, int] | None:
    """Return the client's argon2id hash and its epoch, or None."""
    query = select(_CLIENT_SECRET.c.secret_hash, _CLIENT_SECRET.c.epoch).where(
        _CLIENT_SECRET.c.client == client
    )
    row = _connection(reader).execute(query).first()
    return None if row is None else (row.secret_hash, row.epoch)


def put_session(unit: Unit, row: SessionRow) -> None:
    """Store a session that was just opened."""
    _replace(
        _connection(unit),
        _SESSION,
        {"token_digest": row.token_digest},
        {
            "person": row.person,
            "csrf": row.csrf,
            "opened_us": row.opened_us,
            "seen_us": row.seen_us,
            "expires_us": row.expires_us,
            "revoked": False,
        },
    )


def session(reader: Reader, token_digest: str) -> SessionRow | None:
    """Return the session unless it was ended; whether it expired is the caller's question."""
    query = select(
        _SESSION.c.token_digest,
        _SESSION.c.person,
        _SESSION.c.csrf,
        _SESSION.c.opened_us,
        _SESSION.c.seen_us,
        _SESSION.c.expires_us,
    ).where(_SESSION.c.token_digest == token_digest, _SESSION.c.revoked.is_(False))
    row = _connection(reader).execute(query).mappings().first()
    return None if row is None else SessionRow(**row)


def touch_session(unit: Unit, token_digest: str, now_us: int) -> None:
    """Note that the session was used."""
    query = _SESSION.update().where(_SESSION.c.token_digest == token_digest)
    _connection(unit).execute(query, {"seen_us": now_us})


def end_session(unit: Unit, token_digest: str) -> None:
    """End a session; ending it again changes nothing."""
    query = _SESSION.update().where(_SESSION.c.token_digest == token_digest)
    _connection(unit).execute(query, {"revoked": True})


def end_sessions_of(unit: Unit, person: str) -> None:
    """End every session of the person."""
    query = _SESSION.update().where(_SESSION.c.person == person)
    _connection(unit).execute(query, {"revoked": True})


def note_failure(unit: Unit, person: str, now_us: int) -> None:
    """Count a refused sign-in."""
    _connection(unit).execute(_FAILURE.insert(), {"person": person, "at_us": now_us})


def failures_since(reader: Reader, person: str, since_us: int) -> int:
    """Return how many sign-ins of the person were refused since the instant."""
    query = (
        select(func.count())
        .select_from(_FAILURE)
        .where(_FAILURE.c.person == person, _FAILURE.c.at_us >= since_us)
    )
    found: int = _connection(reader).execute(query).scalar_one()
    return found


def _replace(
    connection: Connection, table: Table, key: dict[str, str], values: dict[str, object]
) -> None:
    """Update the row with this key, or insert it; running it again changes nothing."""
    here = [table.c[name] == value for name, value in key.items()]
    if connection.execute(table.update().where(*here), values).rowcount == 0:
        connection.execute(table.insert(), {**key, **values})


def _connection(reader: Reader) -> Connection:
    if not isinstance(reader, SqlReader):
        raise TypeError("private rows are read and written through this package's readers")
    return reader.connection
