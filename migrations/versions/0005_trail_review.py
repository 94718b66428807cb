"""Reviews of the trail: signed readings of ranges of entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trail_review",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("families", sa.String(), nullable=False),
        sa.Column("first_leaf", sa.String(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("exceptions", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("length(first_leaf) = 64", name=op.f("ck_trail_review_first_leaf")),
        sa.CheckConstraint("length(root) = 64", name=op.f("ck_trail_review_root")),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_trail_review_digest")),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'exceptions', 'withdrawn')",
            name=op.f("ck_trail_review_state"),
        ),
        sa.CheckConstraint(
            "first_seq >= 0 AND last_seq >= first_seq", name=op.f("ck_trail_review_range")
        ),
        sa.CheckConstraint("exceptions >= 0", name=op.f("ck_trail_review_exceptions")),
        sa.PrimaryKeyConstraint("id", name="pk_trail_review"),
    )


def downgrade() -> None:
    op.drop_table("trail_review")
