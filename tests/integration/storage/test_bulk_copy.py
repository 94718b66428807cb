"""Rows that are copied into PostgreSQL: the same rows, and the toolkit's errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from governance.ledger.core import record
from governance.ledger.store.tables import Row
from governance.storage import bulk
from governance.storage.engine import writer_engine
from governance.storage.open import open_storage
from governance.storage.statement import run
from tests.integration.storage.samples import answer

if TYPE_CHECKING:
    from governance.clock import FixedClock
    from governance.home import Home

ENTRY, BODY = Row.metadata.tables["entry"], Row.metadata.tables["body"]

pytestmark = pytest.mark.postgres


def entries(count: int) -> list[tuple[int, str, bytes, bytes, bytes, bytes]]:
    salt = bytes(32)
    return [
        (seq, f"{seq:036}", os.urandom(200), record.leaf_hash(b"x"), b"\x00{}\xff", salt)
        for seq in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [bulk.COPIED_MIN - 1, bulk.COPIED_MIN, 200])
def test_copied_rows_come_back_as_they_were(postgresql_home: Home, count: int) -> None:
    engine = writer_engine(postgresql_home.database)
    rows = entries(count)
    bodies = [(seq, "a" * 32, None, None, None, None, seq + 1) for seq, *_ in rows]
    with engine.connect() as connection, connection.begin() as transaction:
        bulk.insert_rows(connection, ENTRY, rows)
        bulk.insert_rows(connection, BODY, bodies)
        for table, wanted in ((ENTRY, rows), (BODY, bodies)):
            query = f"SELECT * FROM {table.name} WHERE seq > 0 ORDER BY seq"
            assert [tuple(row) for row in run(connection, query).fetchall()] == wanted
        transaction.rollback()
    engine.dispose()


def test_a_rule_that_a_copied_row_breaks_is_an_integrity_error(postgresql_home: Home) -> None:
    engine = writer_engine(postgresql_home.database)
    rows = entries(bulk.COPIED_MIN)
    rows[-1] = (*rows[-1][:3], b"short", *rows[-1][4:])
    with engine.connect() as connection, connection.begin():
        with pytest.raises(IntegrityError) as refused:
            bulk.insert_rows(connection, ENTRY, rows)
        assert refused.value.params is None
        connection.rollback()
    engine.dispose()


def test_every_table_that_a_batch_fills_can_be_copied_into() -> None:
    for name in ("entry", "body", "observation", "idempotency", "outcome"):
        statement, types = bulk._copy(Row.metadata.tables[name])
        assert statement.startswith(f"COPY {name} (")
        assert len(types) == len(Row.metadata.tables[name].columns)


def test_a_batch_that_is_copied_verifies(postgresql_home: Home, clock: FixedClock) -> None:
    with open_storage(postgresql_home, clock=clock) as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        many = 4 * bulk.COPIED_MIN

        def wait(_unit: object) -> list[object]:
            return [storage.pen.answer(answer(key_id, number=n)) for n in range(many)]

        futures = storage.pen.commit(wait)
        places = [future.result(30).recorded.seq for future in futures]  # type: ignore[attr-defined]
        assert places == list(range(1, many + 1))
        assert storage.ledger.verify().bodies_checked == many
        storage.rebuild()
