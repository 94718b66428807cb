"""Rows beside the ledger: what authenticates, what is personal, and what only saves work.

None of these is a governed record, and none is folded from facts. Secrets are stored only as
argon2id hashes or digests; the acts that change them are entries without the secret. `outcome` is
checked against the decrypted bodies of its entries; `observation` is personal data and is erased
with its subject.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from governance.ledger.store.tables import POSITION, Row

_KEY = {"autoincrement": False}


class OutcomeTableRow(Row, table=True):
    """One outcome, at its place in the batch that entry `seq` recorded."""

    __tablename__ = "outcome"
    __table_args__ = (
        CheckConstraint("month LIKE '____-__'", name="month"),
        # Written inside the act's savepoint, so that a row which breaks a rule costs only its act;
        # the entry follows at the end of the batch.
        ForeignKeyConstraint(["seq"], ["entry.seq"], deferrable=True, initially="DEFERRED"),
        Index(None, "model", "month"),
    )

    seq: int = Field(sa_type=POSITION, primary_key=True, sa_column_kwargs=_KEY)
    position: int = Field(primary_key=True, sa_column_kwargs=_KEY)
    batch: str
    model: str
    series: str
    month: str
    value: str
    known_us: int = Field(sa_type=BigInteger)


class ObservationRow(Row, table=True):
    """The coded bins of one answered row, for monitors, which never decrypt bodies."""

    __tablename__ = "observation"

    seq: int = Field(
        sa_type=POSITION, primary_key=True, foreign_key="entry.seq", sa_column_kwargs=_KEY
    )
    position: int = Field(primary_key=True, sa_column_kwargs=_KEY)
    codes: str
    key_id: str | None = Field(default=None, index=True)


class IdempotencyRow(Row, table=True):
    """The entry of the answer that a caller's key stands for, for a day."""

    __tablename__ = "idempotency"
    __table_args__ = (CheckConstraint("length(request_digest) = 64", name="request_digest"),)

    caller: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_digest: str
    seq: int = Field(sa_type=BigInteger, foreign_key="entry.seq")
    created_us: int = Field(sa_type=BigInteger, index=True)


class ErasedAnswerRow(Row, table=True):
    """What an idempotency key leaves for the rest of its day when its answer is erased.

    `mark` is `KeyStore.mark` of caller and key: it tells a repetition, and nothing to anybody else.
    """

    __tablename__ = "erased_answer"
    __table_args__ = (CheckConstraint("length(mark) = 64", name="mark"),)

    mark: str = Field(primary_key=True)
    created_us: int = Field(sa_type=BigInteger, index=True)


class ErasureResidueRow(Row, table=True):
    """An erasing entry after which the files were not swept yet; a start finishes it."""

    __tablename__ = "erasure_residue"

    seq: int = Field(sa_type=POSITION, primary_key=True, sa_column_kwargs=_KEY)


class CredentialRow(Row, table=True):
    """A person's password as an argon2id hash; `must_change` where somebody else chose it."""

    __tablename__ = "credential"
    __table_args__ = (CheckConstraint("password_hash LIKE '$argon2id$%'", name="argon2id"),)

    person: str = Field(primary_key=True)
    password_hash: str
    must_change: bool
    changed_us: int = Field(sa_type=BigInteger)


class SessionTableRow(Row, table=True):
    """A session by the SHA-256 of its token, with the peer that it was opened from."""

    __tablename__ = "session"
    __table_args__ = (CheckConstraint("length(token_digest) = 64", name="token_digest"),)

    token_digest: str = Field(primary_key=True)
    person: str = Field(index=True)
    peer: str
    csrf: str
    opened_us: int = Field(sa_type=BigInteger)
    seen_us: int = Field(sa_type=BigInteger)
    expires_us: int = Field(sa_type=BigInteger)
    revoked: bool


class ClientSecretRow(Row, table=True):
    """A calling system's secret as an argon2id hash, and its epoch (rotation moves it)."""

    __tablename__ = "client_secret"
    __table_args__ = (CheckConstraint("secret_hash LIKE '$argon2id$%'", name="argon2id"),)

    client: str = Field(primary_key=True)
    secret_hash: str
    epoch: int


class SignInFailureRow(Row, table=True):
    """A try at a password that has not succeeded: whose, and from where; kept for a day.

    `person` is the id of a person on record, or a digest in place of any other text.
    """

    __tablename__ = "sign_in_failure"
    __table_args__ = (Index(None, "person", "at_us"), Index(None, "peer", "at_us"))

    id: int | None = Field(default=None, sa_type=POSITION, primary_key=True)
    person: str
    peer: str
    at_us: int = Field(sa_type=BigInteger)
