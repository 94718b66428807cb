"""What witnesses signed, as rows: written by the pen like everything else, told by no entry."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from governance.ledger.store.tables import CheckpointRow, CosignatureRow, Row
from governance.storage.ports import Unit
from governance.storage.reader import SqlReader

_CHECKPOINT = Row.metadata.tables[CheckpointRow.__tablename__]
_COSIGNATURE = Row.metadata.tables[CosignatureRow.__tablename__]


def put_cosignatures(unit: Unit, *, size: int, note: bytes, lines: Mapping[str, str]) -> None:
    """Store signature lines under the checkpoint `note` of `size`, by `anchors.witness_id`.

    What is stored already stays as it is, so running it again changes nothing. The note goes in
    with its lines: after a crash the last one may be in `checkpoints.log` only.
    """
    if not isinstance(unit, SqlReader):
        raise TypeError("cosignatures are written through this package's units")
    _insert_missing(unit, _CHECKPOINT, [{"size": size, "note": note.decode()}])
    rows = [{"size": size, "witness": by, "line": line} for by, line in lines.items()]
    _insert_missing(unit, _COSIGNATURE, rows)


def _insert_missing(unit: SqlReader, table: Table, rows: list[dict[str, object]]) -> None:
    on_postgresql = unit.connection.dialect.name == "postgresql"
    insert = postgresql.insert(table) if on_postgresql else sqlite.insert(table)
    if rows:
        unit.connection.execute(insert.on_conflict_do_nothing(), rows)
