"""SQLite keeps any type in any column: a cell of another one is tampering, never a fault (P3)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.tables import Row
from governance.storage import private
from governance.storage.open import Inspected, inspect_storage, open_storage
from governance.storage.ports import Body, OutcomeRow, Unit
from governance.storage.unit import outcomes_body
from tests.integration.storage.samples import NOW_US, answer, records_of

if TYPE_CHECKING:
    from governance.clock import FixedClock
    from governance.home import Home

# What each storage class of SQLite becomes: of every other class, text that is none among them.
_OTHERS: Final = {
    "blob": ("CAST({0} AS TEXT)", "CAST(x'ff' AS TEXT)", "5"),
    "text": ("CAST({0} AS BLOB)", "CAST(x'ff' AS TEXT)"),
    "integer": ("CAST('zz' AS BLOB)", "'zz'", "CAST(x'ff' AS TEXT)", "0.5"),
}
_LEDGER: Final = frozenset({"entry", "body", "checkpoint", "log_head"})
_FILLED: Final = frozenset(
    {"entry", "body", "checkpoint", "blob", "log_head", "credential", "client_secret", "outcome"}
)


@pytest.fixture
def filled(sqlite_home: Home, clock: FixedClock) -> Home:
    """Return a home with a row in each table that a verification reads."""
    rows = [
        OutcomeRow(batch="O-1", model="m", series="s", month="2005-07", value="1", known_us=NOW_US)
    ]

    def write(unit: Unit) -> str:
        unit.record(kind="test.added", actor="ana", add=records_of(sqlite_home))
        unit.put_blob(b"evidence", media_type="text/plain")
        unit.record(kind="test.evidence", actor="ana")
        unit.put_outcomes(rows, source="register")
        body = Body(
            content=outcomes_body(rows, source="register"), key_id=(key_id := unit.new_key())
        )
        unit.record(kind="outcome.recorded", actor="ana", body=body)
        return key_id

    def credentials(unit: Unit) -> None:
        names = {one.TABLE: one for one in records_of(sqlite_home)}
        notes = private.put_credential(
            unit, names["person"].id, "$argon2id$invented", must_change=False
        )
        unit.record(kind="person.password_changed", actor="ana", notes=notes)
        client = names["service_client"]
        notes = private.put_client_secret(unit, client.id, "$argon2id$invented", 1)
        unit.record(kind="client.rotated", actor="ana", notes=notes)

    with open_storage(sqlite_home, clock=clock) as storage:
        key_id = storage.pen.commit(write)
        storage.pen.commit(credentials)
        storage.pen.answer(answer(key_id)).result(10)
        storage.rebuild()
        storage.ledger.verify()
    return sqlite_home


@contextmanager
def owned(home: Home) -> Iterator[sqlite3.Connection]:
    """Give the database as its owner has it, who puts back the triggers that were in the way."""
    with closing(sqlite3.connect(home.database_path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        yield connection


def found(check: Callable[[], object]) -> LedgerTampered | None:
    """Return what the check finds; anything but LedgerTampered comes through."""
    try:
        check()
    except LedgerTampered as fault:
        return fault
    return None


def inspected(home: Home, then: Callable[[Inspected], object]) -> None:
    with inspect_storage(home) as storage:
        then(storage)


@pytest.mark.requirement("P3")
def test_a_cell_of_another_type_is_found_by_every_verification(
    filled: Home, clock: FixedClock
) -> None:
    seen, missed = set(), []
    with open_storage(filled, clock=clock) as storage, owned(filled) as connection:
        for table, column, changed in _cells(connection):
            seen.add(table)
            where = f"{table}.{column} = {changed}"
            if not (found(storage.rebuild) or found(storage.ledger.verify)):
                missed.append(f"{where} while it runs")
            if table in _LEDGER and not found(lambda: inspected(filled, _everything)):
                missed.append(f"{where} at a start")
            found(lambda: storage.ledger.entries(0, 100))
            found(lambda: storage.ledger.checkpoints.before(10**6, limit=100))
    assert not missed
    assert seen >= _FILLED


def _everything(storage: Inspected) -> None:
    storage.ledger.verify()
    storage.rebuild()


def _cells(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    """Give one cell of each column another type, in turn, and its own value back afterwards."""
    triggers = connection.execute(
        "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'"
    ).fetchall()
    for table in Row.metadata.sorted_tables:
        place = connection.execute(f"SELECT max(rowid) FROM {table.name}").fetchone()[0]
        for column in table.columns if place is not None else ():
            where = f"FROM {table.name} WHERE rowid = {place}"
            value, kind = connection.execute(
                f"SELECT {column.name}, typeof({column.name}) {where}"
            ).fetchone()
            forms = _OTHERS.get(kind, ())
            for form in forms if table.name in _LEDGER else forms[:1]:
                changed = form.format(column.name)
                update = f"UPDATE {table.name} SET {column.name} = "
                for name, owner, _sql in triggers:
                    if owner == table.name:
                        connection.execute(f"DROP TRIGGER {name}")
                try:
                    connection.execute(f"{update}{changed} WHERE rowid = {place}")
                except sqlite3.IntegrityError:  # SQLite too keeps nothing but a number there
                    changed = ""
                _put_back(connection, triggers, table.name)
                now = connection.execute(f"SELECT typeof({column.name}) {where}").fetchone()[0]
                if changed and (now != kind or "ff" in changed):
                    yield table.name, column.name, changed
                for name, owner, _sql in triggers:
                    if owner == table.name:
                        connection.execute(f"DROP TRIGGER {name}")
                connection.execute(f"{update}? WHERE rowid = {place}", (value,))
                _put_back(connection, triggers, table.name)


def _put_back(
    connection: sqlite3.Connection, triggers: list[tuple[str, str, str]], table: str
) -> None:
    for _name, owner, sql in triggers:
        if owner == table:
            connection.execute(sql)
