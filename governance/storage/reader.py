"""Reads of one consistent state: a connection inside one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, RowMapping, Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from governance.errors import NotFound
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.tables import BlobRow, EntryRow, Row
from governance.registry.records import Record
from governance.storage.errors import audit_unavailable
from governance.storage.ports import OutcomeRow, Reader
from governance.storage.private_tables import OutcomeTableRow
from governance.storage.projection import COLUMNS, plain
from governance.storage.tables import table_of

R = TypeVar("R", bound=Record)

_BLOB = Row.metadata.tables[BlobRow.__tablename__]
_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_OUTCOME = Row.metadata.tables[OutcomeTableRow.__tablename__]


class SqlReader:
    """See `ports.Reader`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def get(self, kind: type[R], key: str) -> R | None:
        """Return the record with this id, or None."""
        query = _columns(kind).where(table_of(kind).c.id == key)
        row = self.connection.execute(query).mappings().first()
        return None if row is None else _record(kind, row)

    def require(self, kind: type[R], key: str) -> R:
        """Return the record with this id, or raise NotFound."""
        record = self.get(kind, key)
        if record is None:
            raise NotFound(
                f"there is no {kind.TABLE.replace('_', ' ')} of this name",
                next_step="List what there is, and check the spelling.",
            )
        return record

    def find(self, kind: type[R], /, **equals: str | int | bool | None) -> list[R]:
        """Return the records whose columns equal the given values, in order of creation."""
        table = table_of(kind)
        query = _columns(kind)
        for name, value in equals.items():
            column = table.c[name]
            query = query.where(column.is_(None) if value is None else column == plain(value))
        query = query.order_by(table.c.created_seq, table.c.created_pos)
        return [_record(kind, row) for row in self.connection.execute(query).mappings()]

    def blob(self, digest: str) -> bytes:
        """Return content by its SHA-256, verified; raise NotFound or LedgerTampered."""
        query = select(_BLOB.c.content).where(_BLOB.c.digest == digest)
        content = self.connection.execute(query).scalar()
        if content is None:
            raise NotFound(
                f"there is no stored content with the digest {digest}",
                next_step="Check the digest in the record that names it.",
            )
        if not isinstance(content, bytes) or sha256(content).hexdigest() != digest:
            raise LedgerTampered(f"the stored content of {digest} is not what was stored")
        return content

    def last_seq(self) -> int:
        """Return the ledger position of the last entry in this state."""
        return int(self.connection.execute(select(func.max(_ENTRY.c.seq))).scalar_one())

    def outcomes(self, *, model: str, through_month: str | None = None) -> list[OutcomeRow]:
        """Return the model's outcome rows in the order in which they were recorded."""
        table = _OUTCOME.c
        query = select(
            table.batch, table.model, table.series, table.month, table.value, table.known_us
        ).where(table.model == model)
        if through_month is not None:
            query = query.where(table.month <= through_month)
        rows = self.connection.execute(query.order_by(table.seq, table.position)).mappings()
        return [OutcomeRow(**row) for row in rows]


def reader_factory(engine: Engine) -> Callable[[], AbstractContextManager[Reader]]:
    """Return what opens a reader on one snapshot; a database that is away is AuditUnavailable."""

    @contextmanager
    def open_reader() -> Iterator[Reader]:
        try:
            with engine.connect() as connection, connection.begin() as snapshot:
                yield SqlReader(connection)
                snapshot.rollback()
        except SQLAlchemyError as error:
            raise audit_unavailable("the database cannot be read") from error

    return open_reader


def _columns(kind: type[Record]) -> Select[Any]:
    table = table_of(kind)
    return select(*(table.c[name] for name in COLUMNS[kind.TABLE]))


def _record(kind: type[R], row: RowMapping) -> R:
    return kind(**dict(row))
