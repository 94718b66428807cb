"""The ledger's own tables: the head, the entries, their bodies, the signed notes and the blobs.

Rows only: a SQLModel table class validates nothing when it is made, so nothing is parsed into it
and nothing returns it. Every bound that matters stands again as a CHECK, and `entry`, `checkpoint`
and `blob` carry triggers that refuse UPDATE and DELETE (migrations/versions). Those deter; what
detects is the chain (P3).

Byte strings are raw hashes (32 bytes), salts (32 bytes), nonces (12 bytes) or exact documents.
"""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Integer, LargeBinary, MetaData
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

LARGEST = 2**63 - 1
"""The largest number that a database keeps; a larger one is in no row."""

# SQLite makes a primary key the rowid itself only where its type is spelled INTEGER.
POSITION = BigInteger().with_variant(Integer(), "sqlite")


class Row(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """The base of every table, with a metadata of its own beside other users of SQLModel."""

    __tablename__: ClassVar[str]


class LogHeadRow(Row, table=True):
    """The one row that every writer locks first.

    `frontier` is `merkle.Frontier.encode()`. `epoch` fences: each pen on SQLite takes the next one
    and stops when it meets another. `standing_epoch` counts the entries that touched standing.
    """

    __tablename__ = "log_head"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("next_seq >= 0 AND epoch >= 0 AND standing_epoch >= 0", name="counts"),
        CheckConstraint("length(head_leaf) = 32", name="head_leaf"),
    )

    id: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    origin: str
    next_seq: int = Field(sa_type=BigInteger)
    head_leaf: bytes = Field(sa_type=LargeBinary)
    frontier: bytes = Field(sa_type=LargeBinary)
    epoch: int = Field(sa_type=BigInteger)
    standing_epoch: int = Field(sa_type=BigInteger)
    last_t_us: int = Field(sa_type=BigInteger)


class EntryRow(Row, table=True):
    """One entry: the exact envelope `env`, its leaf hash, and the facts with their salt."""

    __tablename__ = "entry"
    __table_args__ = (
        CheckConstraint("seq >= 0", name="seq"),
        CheckConstraint("length(event_id) = 36", name="event_id"),
        CheckConstraint("length(env) BETWEEN 1 AND 65535", name="env"),
        CheckConstraint("length(leaf) = 32", name="leaf"),
        CheckConstraint("length(facts_salt) = 32", name="facts_salt"),
    )

    seq: int = Field(sa_type=POSITION, primary_key=True, sa_column_kwargs={"autoincrement": False})
    event_id: str = Field(unique=True)
    env: bytes = Field(sa_type=LargeBinary)
    leaf: bytes = Field(sa_type=LargeBinary)
    facts: bytes = Field(sa_type=LargeBinary)
    facts_salt: bytes = Field(sa_type=LargeBinary)


class BodyRow(Row, table=True):
    """An entry's sealed body; erasing it empties everything but the key id and names the act."""

    __tablename__ = "body"
    __table_args__ = (
        CheckConstraint(
            "(erased_by_seq IS NULL AND length(nonce) = 12 AND length(key_commitment) = 32"
            " AND length(salt) = 32 AND ciphertext IS NOT NULL)"
            " OR (erased_by_seq > seq AND nonce IS NULL AND key_commitment IS NULL"
            " AND salt IS NULL AND ciphertext IS NULL)",
            name="sealed_or_erased",
        ),
        CheckConstraint("length(key_id) = 32", name="key_id"),
    )

    seq: int = Field(
        sa_type=POSITION,
        primary_key=True,
        foreign_key="entry.seq",
        sa_column_kwargs={"autoincrement": False},
    )
    key_id: str = Field(index=True)
    nonce: bytes | None = Field(default=None, sa_type=LargeBinary)
    ciphertext: bytes | None = Field(default=None, sa_type=LargeBinary)
    key_commitment: bytes | None = Field(default=None, sa_type=LargeBinary)
    salt: bytes | None = Field(default=None, sa_type=LargeBinary)
    erased_by_seq: int | None = Field(default=None, sa_type=BigInteger)


class CheckpointRow(Row, table=True):
    """A signed note as it left the process; stored with the commit after the one it signs."""

    __tablename__ = "checkpoint"
    __table_args__ = (CheckConstraint("size > 0", name="size"),)

    size: int = Field(sa_type=POSITION, primary_key=True, sa_column_kwargs={"autoincrement": False})
    note: str


class CosignatureRow(Row, table=True):
    """A witness's signature line under the checkpoint of `size`; it upgrades receipts to S1.

    `witness` is name+keyid of the verifier key. Not hashed: a line proves itself.
    """

    __tablename__ = "cosignature"
    __table_args__ = (CheckConstraint("length(line) BETWEEN 1 AND 4096", name="line"),)

    size: int = Field(
        sa_type=POSITION,
        primary_key=True,
        foreign_key="checkpoint.size",
        sa_column_kwargs={"autoincrement": False},
    )
    witness: str = Field(primary_key=True)
    line: str


class BlobRow(Row, table=True):
    """Evidence and documents by the SHA-256 of their bytes; facts name every digest."""

    __tablename__ = "blob"
    __table_args__ = (CheckConstraint("length(digest) = 64", name="digest"),)

    digest: str = Field(primary_key=True)
    media_type: str
    content: bytes = Field(sa_type=LargeBinary)
