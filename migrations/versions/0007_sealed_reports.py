"""Reports as they were signed and sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sealed_report",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("evidence_digest", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("sealed_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "length(evidence_digest) = 64", name=op.f("ck_sealed_report_evidence_digest")
        ),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_sealed_report_digest")),
        sa.CheckConstraint("length(certificate) = 64", name=op.f("ck_sealed_report_certificate")),
        sa.PrimaryKeyConstraint("id", name="pk_sealed_report"),
    )
    op.create_index("ix_sealed_report_evidence", "sealed_report", ["evidence"])


def downgrade() -> None:
    op.drop_index("ix_sealed_report_evidence", table_name="sealed_report")
    op.drop_table("sealed_report")
