"""Rows beside the ledger: outcomes, observations, idempotency, credentials and sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# SQLite makes a primary key the rowid itself only where its type is spelled INTEGER.
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_outcome()
    _create_observation()
    _create_idempotency()
    _create_credential()
    _create_session()
    _create_client_secret()
    _create_sign_in_failure()


def downgrade() -> None:
    op.drop_table("sign_in_failure")
    op.drop_table("client_secret")
    op.drop_table("session")
    op.drop_table("credential")
    op.drop_table("idempotency")
    op.drop_table("observation")
    op.drop_table("outcome")


def _create_outcome() -> None:
    op.create_table(
        "outcome",
        sa.Column("seq", POSITION, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("known_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("month LIKE '____-__'", name=op.f("ck_outcome_month")),
        # Rows are written inside their act's savepoint, entries at the end of the batch.
        sa.ForeignKeyConstraint(
            ["seq"],
            ["entry.seq"],
            name="fk_outcome_seq_entry",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("seq", "position", name="pk_outcome"),
    )
    op.create_index("ix_outcome_model_month", "outcome", ["model", "month"])


def _create_observation() -> None:
    op.create_table(
        "observation",
        sa.Column("seq", POSITION, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("codes", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["seq"], ["entry.seq"], name="fk_observation_seq_entry"),
        sa.PrimaryKeyConstraint("seq", "position", name="pk_observation"),
    )
    op.create_index("ix_observation_key_id", "observation", ["key_id"])


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_digest", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "length(request_digest) = 64", name=op.f("ck_idempotency_request_digest")
        ),
        sa.ForeignKeyConstraint(["seq"], ["entry.seq"], name="fk_idempotency_seq_entry"),
        sa.PrimaryKeyConstraint("caller", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_created_us", "idempotency", ["created_us"])


def _create_credential() -> None:
    op.create_table(
        "credential",
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("password_hash LIKE '$argon2id$%'", name=op.f("ck_credential_argon2id")),
        sa.PrimaryKeyConstraint("person", name="pk_credential"),
    )


def _create_session() -> None:
    op.create_table(
        "session",
        sa.Column("token_digest", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.CheckConstraint("length(token_digest) = 64", name=op.f("ck_session_token_digest")),
        sa.PrimaryKeyConstraint("token_digest", name="pk_session"),
    )
    op.create_index("ix_session_person", "session", ["person"])


def _create_client_secret() -> None:
    op.create_table(
        "client_secret",
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "secret_hash LIKE '$argon2id$%'", name=op.f("ck_client_secret_argon2id")
        ),
        sa.PrimaryKeyConstraint("client", name="pk_client_secret"),
    )


def _create_sign_in_failure() -> None:
    op.create_table(
        "sign_in_failure",
        sa.Column("id", POSITION, nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_failure"),
    )
    op.create_index("ix_sign_in_failure_person_at_us", "sign_in_failure", ["person", "at_us"])
    op.create_index("ix_sign_in_failure_peer_at_us", "sign_in_failure", ["peer", "at_us"])
