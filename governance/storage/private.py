"""Credentials, sessions and failed tries: rows that authenticate, and are no records.

They are written in the same units as the acts that change them, and those acts are entries
without the secret: what an entry states of a credential is the SHA-256 of its stored hash, so that
a row which nobody recorded is found when the facts are folded again (P3, P6). No secret is stored
that could be used: passwords and client secrets only as argon2id hashes, session tokens only as
digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import ColumnElement, Connection, Table, func, select

from audits.estimate import Json
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
class Credential:
    """A person's argon2id hash; `must_change` where somebody else chose the password."""

    password_hash: str
    must_change: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """An open session; `token_digest` is the SHA-256 of the token that the client holds."""

    token_digest: str
    person: str
    peer: str
    csrf: str
    opened_us: int
    seen_us: int
    expires_us: int


def put_credential(
    unit: Unit, person: str, password_hash: str, *, must_change: bool
) -> dict[str, Json]:
    """Store the person's argon2id hash in place of an earlier one; failed tries are over.

    Return what the facts of the act say of it.
    """
    connection = _connection(unit)
    _replace(
        connection,
        _CREDENTIAL,
        {"person": person},
        {"password_hash": password_hash, "must_change": must_change, "changed_us": unit.now_us},
    )
    connection.execute(_FAILURE.delete().where(_FAILURE.c.person == person))
    return said_of_credential(person, password_hash, must_change=must_change)


def said_of_credential(person: str, password_hash: str, *, must_change: bool) -> dict[str, Json]:
    """Return what facts say of a person's hash."""
    return {
        "person": person,
        "credential_sha256": _digest(password_hash),
        "must_change": must_change,
    }


def credential(reader: Reader, person: str) -> Credential | None:
    """Return the person's credential, or None."""
    query = select(_CREDENTIAL.c.password_hash, _CREDENTIAL.c.must_change).where(
        _CREDENTIAL.c.person == person
    )
    row = _connection(reader).execute(query).mappings().first()
    return None if row is None else Credential(**row)


def put_client_secret(unit: Unit, client: str, secret_hash: str, epoch: int) -> dict[str, Json]:
    """Store the client's argon2id hash and epoch in place of earlier ones.

    Return what the facts of the act say of it.
    """
    _replace(
        _connection(unit),
        _CLIENT_SECRET,
        {"client": client},
        {"secret_hash": secret_hash, "epoch": epoch},
    )
    return said_of_secret(client, secret_hash)


def said_of_secret(client: str, secret_hash: str) -> dict[str, Json]:
    """Return what facts say of a client's hash."""
    return {"client": client, "credential_sha256": _digest(secret_hash)}


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
            "peer": row.peer,
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
        _SESSION.c.peer,
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


def end_sessions(
    unit: Unit, person: str, *, only: str | None = None, spare: str | None = None
) -> list[str]:
    """End the person's open sessions, or `only` one of them, or all but `spare`.

    Return the digests of those that were open, in order.
    """
    connection = _connection(unit)
    open_now = [
        _SESSION.c.person == person,
        _SESSION.c.revoked.is_(False),
        _SESSION.c.expires_us > unit.now_us,
    ]
    if only is not None:
        open_now.append(_SESSION.c.token_digest == only)
    if spare is not None:
        open_now.append(_SESSION.c.token_digest != spare)
    query = select(_SESSION.c.token_digest).where(*open_now).order_by(_SESSION.c.token_digest)
    ended = [row.token_digest for row in connection.execute(query)]
    connection.execute(_SESSION.update().where(*open_now), {"revoked": True})
    return ended


def signed_in_from(reader: Reader, person: str, peer: str) -> bool:
    """Return whether the person has opened a session from the peer that is still remembered."""
    query = select(_SESSION.c.token_digest).where(
        _SESSION.c.person == person, _SESSION.c.peer == peer
    )
    return _connection(reader).execute(query.limit(1)).first() is not None


def forget_sessions(unit: Unit, before_us: int) -> None:
    """Delete the sessions that expired before the instant: rows only, their entries stay."""
    _connection(unit).execute(_SESSION.delete().where(_SESSION.c.expires_us < before_us))


def note_try(unit: Unit, person: str, peer: str) -> None:
    """Count a try before it is known how it ends; `forgive` takes a good one back."""
    row = {"person": person, "peer": peer, "at_us": unit.now_us}
    _connection(unit).execute(_FAILURE.insert(), row)


def forgive(unit: Unit, person: str, peer: str) -> None:
    """Forget the person's tries from the peer."""
    _connection(unit).execute(
        _FAILURE.delete().where(_FAILURE.c.person == person, _FAILURE.c.peer == peer)
    )


def forget_tries(unit: Unit, before_us: int) -> None:
    """Delete the tries before the instant."""
    _connection(unit).execute(_FAILURE.delete().where(_FAILURE.c.at_us < before_us))


def tries_since(
    reader: Reader, since_us: int, *, person: str | None = None, peer: str | None = None
) -> int:
    """Return how many tries failed, or are not yet decided, since the instant."""
    wanted: list[ColumnElement[bool]] = [_FAILURE.c.at_us >= since_us]
    if person is not None:
        wanted.append(_FAILURE.c.person == person)
    if peer is not None:
        wanted.append(_FAILURE.c.peer == peer)
    query = select(func.count()).select_from(_FAILURE).where(*wanted)
    found: int = _connection(reader).execute(query).scalar_one()
    return found


def _digest(secret_hash: str) -> str:
    return sha256(secret_hash.encode()).hexdigest()


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
