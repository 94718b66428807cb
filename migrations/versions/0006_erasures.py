"""Erasures and legal holds, and what an erasure leaves until it is finished."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# SQLite makes a primary key the rowid itself only where its type is spelled INTEGER.
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_erasure()
    _create_legal_hold()
    op.create_table(
        "erased_answer",
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(mark) = 64", name=op.f("ck_erased_answer_mark")),
        sa.PrimaryKeyConstraint("mark", name="pk_erased_answer"),
    )
    op.create_index("ix_erased_answer_created_us", "erased_answer", ["created_us"])
    op.create_table(
        "erasure_residue",
        sa.Column("seq", POSITION, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_erasure_residue"),
    )


def downgrade() -> None:
    op.drop_table("erasure_residue")
    op.drop_table("erased_answer")
    op.drop_table("legal_hold")
    op.drop_table("erasure")


def _create_erasure() -> None:
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("requested_us", sa.BigInteger(), nullable=False),
        sa.Column("requested_seq", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_us", sa.BigInteger(), nullable=True),
        sa.Column("bodies", sa.Integer(), nullable=True),
        sa.Column("erased_seq", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'erased') = (bodies IS NOT NULL) AND (bodies IS NULL) = (erased_seq IS NULL)",
            name=op.f("ck_erasure_bodies"),
        ),
        sa.CheckConstraint("length(key_id) = 32", name=op.f("ck_erasure_key_id")),
        sa.CheckConstraint(
            "state IN ('requested', 'refused', 'erased')", name=op.f("ck_erasure_state")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
    )
    op.create_index("ix_erasure_key_id", "erasure", ["key_id"])


def _create_legal_hold() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("first_signer", sa.String(), nullable=True),
        sa.Column("lifted_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'lifted') = (lifted_us IS NOT NULL)", name=op.f("ck_legal_hold_lifted_us")
        ),
        sa.CheckConstraint("key_id IS NULL OR model IS NULL", name=op.f("ck_legal_hold_covers")),
        sa.CheckConstraint(
            "key_id IS NULL OR length(key_id) = 32", name=op.f("ck_legal_hold_key_id")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'lift_signed', 'lifted')", name=op.f("ck_legal_hold_state")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_legal_hold"),
    )
