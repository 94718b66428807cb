"""The signed checkpoints as they are stored, with the cosignature lines that came later.

For people who look: nothing is verified here. `core.signers` says of each line whose it is, and
`LedgerView.verify` refuses what is not as it was signed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from governance.errors import NotFound
from governance.ledger.store.cells import of_another_type
from governance.ledger.store.tables import LARGEST, CheckpointRow, CosignatureRow, Row

_CHECKPOINT = Row.metadata.tables[CheckpointRow.__tablename__]
_COSIGNATURE = Row.metadata.tables[CosignatureRow.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNote:
    """A checkpoint's size, and its note with every stored cosignature line joined to it."""

    size: int
    note: bytes


class StoredCheckpoints:
    """The rows of `checkpoint` and `cosignature`, read-only."""

    def __init__(self, *, engine: Engine) -> None:
        self._engine = engine

    def largest(self) -> int:
        """Return the size of the largest stored checkpoint, 0 without one.

        The newest one waits in `checkpoints.log` for the next commit to store it.
        """
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(_CHECKPOINT.c.size))).scalar() or 0

    def at(self, size: int) -> StoredNote:
        """Return the checkpoint of this size; raise NotFound."""
        found = []
        if size <= LARGEST:
            with self._engine.connect() as connection:
                found = self._read(connection, [size])
        if not found:
            raise NotFound(
                f"no checkpoint of size {size} is stored",
                next_step="Choose one from the list: not every size was signed.",
            )
        return found[0]

    def before(self, size: int, *, limit: int) -> list[StoredNote]:
        """Return up to `limit` checkpoints smaller than `size`, the largest first."""
        query = (
            select(_CHECKPOINT.c.size)
            .where(_CHECKPOINT.c.size < size)
            .order_by(_CHECKPOINT.c.size.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection, connection.begin():
            return self._read(connection, connection.execute(query).scalars().all())

    def cosigned(self, sizes: Iterable[int]) -> list[StoredNote]:
        """Return the checkpoints of these sizes, as far as they are stored, the largest first."""
        with self._engine.connect() as connection, connection.begin():
            return self._read(connection, sorted(set(sizes), reverse=True))

    @staticmethod
    def _read(connection: Connection, sizes: Sequence[int]) -> list[StoredNote]:
        lines: dict[int, list[str]] = defaultdict(list)
        cosignatures = (
            select(_COSIGNATURE)
            .where(_COSIGNATURE.c.size.in_(sizes))
            .order_by(_COSIGNATURE.c.size, _COSIGNATURE.c.witness)
        )
        for row in connection.execute(cosignatures):
            if not isinstance(row.line, str):
                raise of_another_type("a stored cosignature", sequence=_place(row.size))
            lines[row.size].append(row.line)
        notes = select(_CHECKPOINT).where(_CHECKPOINT.c.size.in_(sizes))
        found = []
        for row in connection.execute(notes.order_by(_CHECKPOINT.c.size.desc())):
            if not isinstance(row.note, str):
                raise of_another_type("a stored checkpoint", sequence=_place(row.size))
            note = (row.note + "".join(lines[row.size])).encode()
            found.append(StoredNote(size=row.size, note=note))
        return found


def _place(size: object) -> int | None:
    return size - 1 if isinstance(size, int) else None
