"""What witnesses signed: lines under stored checkpoints, never changed and never removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# SQLite makes a primary key the rowid itself only where its type is spelled INTEGER.
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cosignature",
        sa.Column("size", POSITION, autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.CheckConstraint("length(line) BETWEEN 1 AND 4096", name=op.f("ck_cosignature_line")),
        sa.ForeignKeyConstraint(
            ["size"], ["checkpoint.size"], name="fk_cosignature_size_checkpoint"
        ),
        sa.PrimaryKeyConstraint("size", "witness", name="pk_cosignature"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_postgresql()
    else:
        _refuse_on_sqlite()


def downgrade() -> None:
    op.drop_table("cosignature")


def _refuse_on_sqlite() -> None:
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER cosignature_refuses_{act.lower()} BEFORE {act} ON cosignature "
            "BEGIN SELECT RAISE(ABORT, 'cosignature is append-only'); END"
        )


def _refuse_on_postgresql() -> None:
    """The function is that of revision 0001."""
    op.execute(
        "CREATE TRIGGER cosignature_refuses_change BEFORE UPDATE OR DELETE ON cosignature "
        "FOR EACH ROW EXECUTE FUNCTION vigil_append_only()"
    )
    op.execute(
        "CREATE TRIGGER cosignature_refuses_truncate BEFORE TRUNCATE ON cosignature "
        "FOR EACH STATEMENT EXECUTE FUNCTION vigil_append_only()"
    )
