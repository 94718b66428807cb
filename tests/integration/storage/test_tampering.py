"""What an administrator of the database changes quietly is found, and where (P3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import LargeBinary, NullPool, create_engine, text

from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.tables import Row
from governance.storage.engine import writer_engine
from governance.storage.open import open_storage
from governance.storage.ports import Body, OutcomeRow, Unit
from governance.storage.tables import ROW_OF, table_of
from governance.storage.unit import outcomes_body
from tests.integration.storage.samples import NOW_US, RECORDS, answer, records_of, signed
from tests.support.postgresql import owned

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy import Column, Connection, Table

    from governance.clock import FixedClock
    from governance.home import Home
    from governance.registry.records import Record
    from governance.storage.open import Storage

GOVERNED = [
    (kind, column.name)
    for kind in ROW_OF
    for column in table_of(kind).columns
    if column.name != "id"
]
LEDGER_COLUMNS = (
    [("entry", column) for column in ("seq", "event_id", "env", "leaf", "facts", "facts_salt")]
    + [
        ("body", column)
        for column in ("seq", "key_id", "nonce", "ciphertext", "key_commitment", "salt")
    ]
    + [("checkpoint", "size"), ("checkpoint", "note")]
)


@contextmanager
def tampering(home: Home) -> Iterator[Connection]:
    """Give the database as its owner has it: no triggers, no checks, no foreign keys, no entry."""
    if home.is_sqlite:
        engine = create_engine(f"sqlite:///{home.database_path}", poolclass=NullPool)
    else:
        engine = writer_engine(owned(home))
    with engine.begin() as connection:
        if home.is_sqlite:
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = 1")
            query = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
            for (trigger,) in connection.exec_driver_sql(query).all():
                connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            _drop_checks(connection)
        yield connection
    engine.dispose()


def change(home: Home, *statements: str, **values: object) -> None:
    """Run statements on the database as its owner could."""
    with tampering(home) as connection:
        for statement in statements:
            connection.execute(text(statement), values)


def _drop_checks(connection: Connection) -> None:
    query = (
        "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype IN ('c', 'f')"
        " AND connamespace = 'public'::regnamespace"
    )
    for table, name in connection.exec_driver_sql(query).all():
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


@pytest.fixture
def written(storage: Storage, home: Home) -> Storage:
    """Return a storage with one record of every kind, a blob, outcomes and an answer."""
    rows = [
        OutcomeRow(batch="O-1", model="m", series="s", month="2005-07", value="1", known_us=NOW_US)
    ]

    def write(unit: Unit) -> str:
        unit.record(kind="test.added", actor="ana", add=records_of(home))
        unit.put_blob(b"evidence", media_type="text/plain")
        unit.record(kind="test.evidence", actor="ana")
        unit.put_outcomes(rows, source="register")
        key_id = unit.new_key()
        body = Body(content=outcomes_body(rows, source="register"), key_id=key_id)
        unit.record(kind="outcome.recorded", actor="ana", body=body)
        return key_id

    key_id = storage.pen.commit(write)
    storage.pen.answer(answer(key_id)).result(10)
    storage.rebuild()
    storage.ledger.verify()
    return storage


def _other(column: Column[object]) -> str:
    """Return SQL for a value of the column's type that it does not have."""
    if column.type.python_type is bool:
        return f"NOT {column.name}"
    if column.type.python_type is int:
        return f"coalesce({column.name}, 0) + 1"
    return f"coalesce({column.name}, '') || 'x'"


@pytest.mark.parametrize(
    ("kind", "column"), GOVERNED, ids=[f"{kind.TABLE}.{column}" for kind, column in GOVERNED]
)
def test_a_changed_column_of_a_governed_row_is_found(
    sqlite_home: Home, clock: FixedClock, kind: type[Record], column: str
) -> None:
    record = signed(next(one for one in RECORDS if type(one) is kind), sqlite_home)
    with open_storage(sqlite_home, clock=clock) as storage:
        storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana", add=[record]))
        table = table_of(kind)
        change(sqlite_home, f"UPDATE {table.name} SET {column} = {_other(table.c[column])}")
        with pytest.raises(LedgerTampered) as found:
            storage.rebuild()
    assert found.value.sequence == 1
    named = f"table {kind.TABLE} row {record.id} column {column}: facts say "
    assert found.value.what.startswith(named)
    assert "database says" in found.value.what


def test_a_quiet_release_names_both_values_and_the_entry_that_set_the_last(
    home: Home, clock: FixedClock
) -> None:
    from dataclasses import replace

    from tests.integration.storage.samples import VERSION

    with open_storage(home, clock=clock) as storage:
        storage.pen.commit(lambda u: u.record(kind="version.x", actor="ana", add=[VERSION]))
        after = replace(VERSION, artifact_uri="models:/x")
        storage.pen.commit(
            lambda u: u.record(kind="version.y", actor="ana", replace=[(VERSION, after)])
        )
        change(home, "UPDATE version SET state = 'qualified'")
        with pytest.raises(
            LedgerTampered,
            match="entry 1: table version row forecasting/1 column state: "
            "facts say 'candidate', database says 'qualified'",
        ):
            storage.rebuild()
        change(home, "UPDATE version SET state = 'candidate', artifact_uri = 'evil'")
        with pytest.raises(LedgerTampered, match=r"entry 2: .*artifact_uri") as found:
            storage.rebuild()
    assert found.value.exit_code == 3


@pytest.mark.parametrize("table", sorted(kind.TABLE for kind in ROW_OF))
def test_a_deleted_governed_row_is_found(sqlite_home: Home, clock: FixedClock, table: str) -> None:
    records = records_of(sqlite_home)
    with open_storage(sqlite_home, clock=clock) as storage:
        storage.pen.commit(lambda u: u.record(kind="test.added", actor="ana", add=records))
        change(sqlite_home, f"DELETE FROM {table}")
        with pytest.raises(LedgerTampered, match=f"table {table} row .*the database does not"):
            storage.rebuild()


def test_a_row_that_no_entry_made_is_found(written: Storage, home: Home) -> None:
    change(
        home,
        "INSERT INTO person SELECT 'eve', created_seq, created_pos, printed_name, organisation, "
        "created_us, disabled, demonstration FROM person",
    )
    with pytest.raises(LedgerTampered, match="table person row eve: facts know no such row"):
        written.rebuild()


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE blob SET content = :flipped", "column content"),
        ("UPDATE blob SET media_type = 'text/html'", "column media_type"),
        ("DELETE FROM blob", "does not have it"),
        ("INSERT INTO blob VALUES ('00', 'text/plain', :flipped)", "no facts name it"),
        ("UPDATE outcome SET value = '2'", "column value"),
        ("UPDATE outcome SET known_us = known_us - 1", "column known_us"),
        ("DELETE FROM outcome", r"column \(all\)"),
        ("UPDATE log_head SET standing_epoch = 0", "standing_epoch"),
    ],
)
def test_what_lies_beside_the_governed_rows_is_compared_too(
    written: Storage, home: Home, statement: str, what: str
) -> None:
    change(home, statement, flipped=b"Evidence")
    with pytest.raises(LedgerTampered, match=what):
        written.rebuild()


def _flip(connection: Connection, table: str, column: str, seq: int) -> None:
    """Change one byte (or the last digit or character) of one column of one row."""
    spec = Row.metadata.tables[table].c[column]
    key = "size" if table == "checkpoint" else "seq"
    where = f"WHERE {key} = :seq"
    value = connection.execute(text(f"SELECT {column} FROM {table} {where}"), {"seq": seq}).scalar()
    changed: object
    if isinstance(spec.type, LargeBinary):
        changed = bytes([*value[:-1], value[-1] ^ 1])
    elif isinstance(value, str):
        middle = len(value) // 2
        changed = value[:middle] + ("0" if value[middle] != "0" else "1") + value[middle + 1 :]
    else:
        changed = value + 1000
    connection.execute(
        text(f"UPDATE {table} SET {column} = :changed {where}"), {"changed": changed, "seq": seq}
    )


@pytest.mark.parametrize(
    ("table", "column"), LEDGER_COLUMNS, ids=[f"{t}.{c}" for t, c in LEDGER_COLUMNS]
)
def test_one_flipped_byte_of_the_ledger_is_found_with_its_entry(
    written: Storage, home: Home, table: str, column: str
) -> None:
    seq = 4 if table != "checkpoint" else 1
    with tampering(home) as connection:
        _flip(connection, table, column, seq)
    with pytest.raises(LedgerTampered) as found:
        written.ledger.verify()
    expected = {("checkpoint", "note"): 0, ("checkpoint", "size"): 1000}.get((table, column), seq)
    assert found.value.sequence == expected


@pytest.mark.parametrize("column", ["env", "leaf", "facts", "facts_salt"])
def test_bytes_that_were_made_text_are_found(
    sqlite_home: Home, clock: FixedClock, column: str
) -> None:
    with open_storage(sqlite_home, clock=clock) as storage:
        storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
        change(sqlite_home, f"UPDATE entry SET {column} = CAST({column} AS TEXT) WHERE seq = 1")
        with pytest.raises(LedgerTampered) as found:
            storage.ledger.verify()
        # What is no text is refused by the driver, before anybody knows the entry.
        assert found.value.sequence in (1, None)
        if column == "facts":
            with pytest.raises(LedgerTampered):
                storage.rebuild()
    if column in ("env", "leaf"):
        assert refused(sqlite_home, clock).sequence in (1, None)


def test_a_body_that_was_deleted_without_an_erasing_entry_is_found(
    written: Storage, home: Home
) -> None:
    change(home, "DELETE FROM body WHERE seq = 4")
    with pytest.raises(LedgerTampered, match="entry 4: its body is missing"):
        written.ledger.verify()


def test_an_erasure_that_no_entry_states_is_found(written: Storage, home: Home) -> None:
    change(
        home,
        "UPDATE body SET nonce = NULL, ciphertext = NULL, key_commitment = NULL, salt = NULL, "
        "erased_by_seq = 4 WHERE seq = 3",
    )
    with pytest.raises(LedgerTampered, match="entry 3: no entry says"):
        written.ledger.verify()


def test_a_destroyed_key_without_an_erasing_entry_is_found(written: Storage) -> None:
    key_id = written.ledger.entry(4).body_key
    assert key_id is not None
    written.keys.destroy(key_id, now_us=NOW_US)
    with pytest.raises(LedgerTampered, match="entry 3: its body cannot be opened"):
        written.ledger.verify()


@pytest.fixture
def closed(home: Home, clock: FixedClock, written_once: None) -> Home:
    """Return a home with five entries that no process has open."""
    return home


@pytest.fixture
def written_once(home: Home, clock: FixedClock) -> None:
    with open_storage(home, clock=clock) as storage:
        for number in range(4):
            storage.pen.commit(
                lambda unit, number=number: unit.record(
                    kind="test.added", actor="ana", notes={"number": number}
                )
            )


def reopen(home: Home, clock: FixedClock) -> AbstractContextManager[Storage]:
    return open_storage(home, clock=clock)


def refused(home: Home, clock: FixedClock) -> LedgerTampered:
    with pytest.raises(LedgerTampered) as found, reopen(home, clock):
        pytest.fail("the home opened")
    return found.value


def test_an_untouched_home_opens_again(closed: Home, clock: FixedClock) -> None:
    with reopen(closed, clock) as storage:
        assert storage.ledger.head()[0] == 5
        assert storage.ledger.verify().anchored_size == 5


@pytest.mark.parametrize(
    "statements",
    [
        ("DELETE FROM entry WHERE seq = 4",),
        ("DELETE FROM entry WHERE seq = 4", "DELETE FROM checkpoint WHERE size = 5"),
    ],
    ids=["entries", "entries and their checkpoint"],
)
def test_a_cut_tail_is_found_at_the_next_start(
    closed: Home, clock: FixedClock, statements: tuple[str, ...]
) -> None:
    """The note file still knows the size, where somebody thought of the checkpoint table."""
    change(closed, *statements)
    assert "tail is cut" in refused(closed, clock).what


def test_a_restored_backup_is_refused(sqlite_home: Home, clock: FixedClock) -> None:
    def add() -> None:
        with open_storage(sqlite_home, clock=clock) as storage:
            storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))

    add()
    backup = sqlite_home.database_path.read_bytes()
    add()
    sqlite_home.database_path.write_bytes(backup)
    assert refused(sqlite_home, clock).sequence == 2


def test_a_note_that_the_log_did_not_sign_is_found_at_the_next_start(
    closed: Home, clock: FixedClock
) -> None:
    notes = closed.checkpoints_log.read_text()
    closed.checkpoints_log.write_text(notes.replace("\n5\n", "\n4\n"))
    assert "did not sign" in refused(closed, clock).what


def test_a_torn_last_note_is_not_mistaken_for_tampering(closed: Home, clock: FixedClock) -> None:
    with closed.checkpoints_log.open("ab") as file:
        file.write(closed.origin.encode() + b"\n6\nAAAA")
    with reopen(closed, clock) as storage:
        storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
    with reopen(closed, clock) as storage:
        assert storage.ledger.head()[0] == 6


@pytest.mark.parametrize(
    "column", ["origin = 'x'", "next_seq = 4", "last_t_us = 0", "head_leaf = :zero"]
)
def test_a_changed_head_is_found_at_the_next_start(
    closed: Home, clock: FixedClock, column: str
) -> None:
    change(closed, f"UPDATE log_head SET {column}", zero=bytes(32))
    assert "log_head" in refused(closed, clock).what


def test_a_changed_governed_row_is_found_at_the_next_start(home: Home, clock: FixedClock) -> None:
    with reopen(home, clock) as storage:
        storage.pen.commit(lambda u: u.record(kind="test.added", actor="ana", add=records_of(home)))
    change(home, "UPDATE hold SET state = 'lifted'")
    assert "table hold row H-1 column state" in refused(home, clock).what


def test_a_lost_database_is_found_at_the_next_start(sqlite_home: Home, clock: FixedClock) -> None:
    sqlite_home.database_path.unlink()
    assert "missing" in refused(sqlite_home, clock).what


def test_a_head_that_went_backwards_under_a_running_pen_stops_it(
    written: Storage, home: Home
) -> None:
    change(
        home,
        "DELETE FROM observation WHERE seq = 4",
        "DELETE FROM body WHERE seq = 4",
        "DELETE FROM entry WHERE seq = 4",
        "UPDATE log_head SET next_seq = 4",
    )
    for _ in range(2):
        with pytest.raises(LedgerTampered):
            written.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))


def test_a_second_pen_on_one_sqlite_file_fences_the_first(
    sqlite_home: Home, clock: FixedClock
) -> None:
    """Were the lock file deleted, two owners could run; the epoch stops the older one."""
    with open_storage(sqlite_home, clock=clock) as first:
        sqlite_home.lock_path.unlink()
        with open_storage(sqlite_home, clock=clock) as second:
            second.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
            with pytest.raises(LedgerTampered, match="another process"):
                first.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
            assert second.ledger.verify().size == 2


def test_two_processes_on_one_postgresql_database_share_one_chain(
    postgresql_home: Home, clock: FixedClock
) -> None:
    with (
        open_storage(postgresql_home, clock=clock) as first,
        open_storage(postgresql_home, clock=clock) as second,
    ):
        for pen in (first.pen, second.pen, second.pen, first.pen):
            recorded = pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
        assert recorded.seq == 4
        assert second.ledger.receipt(recorded.event_id)
        assert first.ledger.verify() == second.ledger.verify()


def test_a_bit_that_flips_between_hashing_and_storing_is_not_committed(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One such bit ended a public log: the root was signed over bytes that nobody had."""
    from governance.storage import chain
    from governance.storage.errors import AuditUnavailable

    insert = chain.insert_rows

    def flipping(connection: Connection, table: Table, rows: list[Any]) -> None:
        if table.name == "entry":
            rows = [(*row[:3], bytes([row[3][0] ^ 1]) + row[3][1:], *row[4:]) for row in rows]
        insert(connection, table, rows)

    monkeypatch.setattr(chain, "insert_rows", flipping)
    with pytest.raises(AuditUnavailable):
        storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
    monkeypatch.undo()
    storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
    assert storage.ledger.verify().size == 2
