"""The ledger: head, entries, bodies, signed notes, blobs, and triggers that refuse changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite makes a primary key the rowid itself only where its type is spelled INTEGER.
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# These deter and catch mistakes; whoever owns the database can drop them. The chain detects (P3).
APPEND_ONLY = ("entry", "checkpoint", "blob")


def upgrade() -> None:
    _create_log_head()
    _create_entry()
    _create_body()
    _create_checkpoint()
    _create_blob()
    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_postgresql()
    else:
        _refuse_on_sqlite()


def downgrade() -> None:
    op.drop_table("blob")
    op.drop_table("checkpoint")
    op.drop_table("body")
    op.drop_table("entry")
    op.drop_table("log_head")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION vigil_append_only()")


def _refuse_on_sqlite() -> None:
    for table in APPEND_ONLY:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _refuse_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION vigil_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION vigil_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION vigil_append_only()"
        )


def _create_log_head() -> None:
    op.create_table(
        "log_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("next_seq", sa.BigInteger(), nullable=False),
        sa.Column("head_leaf", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("standing_epoch", sa.BigInteger(), nullable=False),
        sa.Column("last_t_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "next_seq >= 0 AND epoch >= 0 AND standing_epoch >= 0", name=op.f("ck_log_head_counts")
        ),
        sa.CheckConstraint("length(head_leaf) = 32", name=op.f("ck_log_head_head_leaf")),
        sa.CheckConstraint("id = 1", name=op.f("ck_log_head_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_log_head"),
    )


def _create_entry() -> None:
    op.create_table(
        "entry",
        sa.Column("seq", POSITION, autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("env", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("facts_salt", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(env) BETWEEN 1 AND 65535", name=op.f("ck_entry_env")),
        sa.CheckConstraint("length(event_id) = 36", name=op.f("ck_entry_event_id")),
        sa.CheckConstraint("length(facts_salt) = 32", name=op.f("ck_entry_facts_salt")),
        sa.CheckConstraint("length(leaf) = 32", name=op.f("ck_entry_leaf")),
        sa.CheckConstraint("seq >= 0", name=op.f("ck_entry_seq")),
        sa.PrimaryKeyConstraint("seq", name="pk_entry"),
        sa.UniqueConstraint("event_id", name="uq_entry_event_id"),
    )


def _create_body() -> None:
    op.create_table(
        "body",
        sa.Column("seq", POSITION, autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=True),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("key_commitment", sa.LargeBinary(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("erased_by_seq", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("length(key_id) = 32", name=op.f("ck_body_key_id")),
        sa.CheckConstraint(
            "(erased_by_seq IS NULL AND length(nonce) = 12 AND length(key_commitment) = 32"
            " AND length(salt) = 32 AND ciphertext IS NOT NULL)"
            " OR (erased_by_seq > seq AND nonce IS NULL AND key_commitment IS NULL"
            " AND salt IS NULL AND ciphertext IS NULL)",
            name=op.f("ck_body_sealed_or_erased"),
        ),
        sa.ForeignKeyConstraint(["seq"], ["entry.seq"], name="fk_body_seq_entry"),
        sa.PrimaryKeyConstraint("seq", name="pk_body"),
    )
    op.create_index("ix_body_key_id", "body", ["key_id"])


def _create_checkpoint() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("size", POSITION, autoincrement=False, nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_checkpoint_size")),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoint"),
    )


def _create_blob() -> None:
    op.create_table(
        "blob",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_blob_digest")),
        sa.PrimaryKeyConstraint("digest", name="pk_blob"),
    )
