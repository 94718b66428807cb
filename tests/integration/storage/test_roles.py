"""The roles of a PostgreSQL database: the writer can add to the ledger and take nothing away (P3).

The contract suite of this folder runs under the writer's role. Here it is shown what that role may
not do, and that whoever owns the tables meets the triggers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError, ProgrammingError

from governance.errors import InvalidInput
from governance.ledger.store.keys import KeyDestroyed
from governance.ledger.store.tables import Row
from governance.operations.admin.schema import NoRoles, RolesRefused, database_roles
from governance.storage import erasing, roles
from governance.storage.cosignatures import put_cosignatures
from governance.storage.engine import writer_engine
from governance.storage.erasing import ResidueLeft
from governance.storage.open import create_home, open_storage
from governance.storage.schema import APPEND_ONLY
from tests.integration.storage.samples import PERSON, answer
from tests.integration.storage.test_erasing import erase
from tests.support.postgresql import administer, database_in, new_name, owned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from governance.clock import FixedClock
    from governance.home import Home

COLUMN = {"entry": "facts", "checkpoint": "note", "cosignature": "line", "blob": "content"}


@pytest.fixture
def filled(postgresql_home: Home, clock: FixedClock) -> Home:
    """Return a home whose append-only tables all hold a row."""
    with open_storage(postgresql_home, clock=clock) as storage:

        def write(unit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            unit.put_blob(b"x", media_type="text/plain")
            unit.record(kind="person.added", actor="ana", add=[PERSON])
            return unit.new_key()

        key_id = storage.pen.commit(write)
        storage.pen.answer(answer(key_id, idempotency=("clinic", "k", "a" * 64))).result(10)
        size, note = storage.ledger.head()[0], storage.ledger.checkpoint().encode()
        storage.pen.commit(
            lambda unit: put_cosignatures(unit, size=size, note=note, lines={"w+00000000": "x"})
        )
    return postgresql_home


@pytest.fixture
def writer(filled: Home) -> Iterator[Engine]:
    engine = writer_engine(filled.database)
    yield engine
    engine.dispose()


@pytest.fixture
def owner(filled: Home) -> Iterator[Engine]:
    """The role that owns the tables, without being a superuser."""
    engine = writer_engine(owned(filled))
    yield engine
    engine.dispose()


def changes(table: str) -> list[str]:
    return [
        f"UPDATE {table} SET {COLUMN[table]} = {COLUMN[table]}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
    ]


@pytest.mark.postgres
@pytest.mark.requirement("P3")
def test_the_writer_has_no_right_to_change_what_is_appended(writer: Engine) -> None:
    for table in APPEND_ONLY:
        for statement in changes(table):
            with pytest.raises(ProgrammingError, match="permission denied"), writer.begin() as c:
                c.exec_driver_sql(statement)


@pytest.mark.postgres
@pytest.mark.requirement("P3")
def test_the_owner_meets_the_triggers(owner: Engine) -> None:
    for table in APPEND_ONLY:
        for statement in changes(table):
            with owner.connect() as connection, connection.begin():
                connection.exec_driver_sql("SET ROLE vigil_owner")
                with pytest.raises(DBAPIError, match="append-only"):
                    connection.exec_driver_sql(statement)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE entry DISABLE TRIGGER USER",
        "DROP TRIGGER entry_refuses_change ON entry",
        "CREATE TRIGGER mine BEFORE INSERT ON entry EXECUTE FUNCTION vigil_append_only()",
        "DROP FUNCTION vigil_append_only() CASCADE",
        "CREATE TABLE mine (x int)",
        "CREATE TEMP TABLE entry (x int)",
        "DROP TABLE entry",
        "ALTER TABLE entry ADD COLUMN x int",
        "DELETE FROM person",
        "DELETE FROM outcome",
        "DELETE FROM log_head",
        "DELETE FROM body",
        "UPDATE person SET id = 'eva'",
        "UPDATE person SET created_seq = 1",
        "UPDATE body SET key_id = key_id",
        "UPDATE body SET seq = seq",
        "UPDATE vigil_schema SET version_num = '0001'",
        "SET session_replication_role = replica",
        "SET ROLE vigil_owner",
    ],
)
def test_the_writer_may_not(writer: Engine, statement: str) -> None:
    with (
        pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
        writer.begin() as connection,
    ):
        connection.exec_driver_sql(statement)


@pytest.mark.postgres
@pytest.mark.requirement("P13")
def test_the_writer_may_do_exactly_what_erasure_needs(writer: Engine) -> None:
    with writer.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE body SET nonce = NULL, ciphertext = NULL, key_commitment = NULL, salt = NULL, "
            "erased_by_seq = seq + 1"
        )
        for table in ("observation", "idempotency"):
            assert connection.exec_driver_sql(f"DELETE FROM {table}").rowcount == 1


@pytest.mark.postgres
@pytest.mark.requirement("P13")
def test_the_writer_may_sweep_after_an_erasure(writer: Engine) -> None:
    """PostgreSQL skips a table that a role may not sweep, with no more than a notice."""
    told: list[object] = []
    with writer.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.add_notice_handler(told.append)
        for table in roles.SWEPT:
            connection.exec_driver_sql(f"VACUUM {table}")
        assert not told
        connection.exec_driver_sql("VACUUM entry")
        assert told


@pytest.mark.postgres
@pytest.mark.requirement("P13")
def test_a_sweep_that_was_passed_over_is_owed_until_the_owner_has_done_it(
    filled: Home, clock: FixedClock, owner: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on every PostgreSQL before 17, where the right cannot be granted."""
    with owner.begin() as connection:
        for table in roles.SWEPT:
            connection.exec_driver_sql(f"REVOKE MAINTAIN ON {table} FROM vigil_writer")
    with open_storage(filled, clock=clock) as storage:
        key_id = storage.keys.subject_key(organisation="acme", subject="1")
        erase(storage, key_id)
        for _attempt in range(2):
            with pytest.raises(ResidueLeft, match="may not sweep") as left:
                storage.finish_erasures()
        assert "VACUUM body, observation, idempotency" in left.value.next_step
        with pytest.raises(KeyDestroyed):
            storage.keys.get(key_id)
        with owner.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("VACUUM body, observation, idempotency")
        monkeypatch.setattr(erasing, "_owed_since", lambda _connection: 0)  # not the test's clock
        assert storage.finish_erasures()
        assert not storage.finish_erasures()


@pytest.mark.postgres
def test_an_owner_who_may_create_roles_makes_them_and_keeps_none(
    postgresql: str, tmp_path: Path, clock: FixedClock
) -> None:
    """Nobody of the server is asked, also not on PostgreSQL 16 and newer."""
    name = new_name()
    administer(
        postgresql,
        f"CREATE ROLE {name} LOGIN CREATEROLE",
        f"CREATE DATABASE {name} OWNER {name}",
    )
    administer(database_in(postgresql, name), f"GRANT ALL ON SCHEMA public TO {name}")
    home = create_home(
        tmp_path / "home",
        organisation="acme",
        deployment="x",
        clock=clock,
        database=database_in(postgresql, name, user=name),
    )
    prefix = f"r{name[-8:]}"
    for _again in range(2):
        database_roles(home.root, prefix=prefix, applied=True)
    rows = administer(
        database_in(postgresql, name),
        f"SELECT tableowner, pg_has_role('{name}', tableowner, 'USAGE') FROM pg_tables "
        "WHERE tablename = 'entry'",
    )
    assert [tuple(row) for row in rows] == [(f"{prefix}_owner", False)]


@pytest.mark.postgres
@pytest.mark.parametrize("right", ["LOGIN", "SUPERUSER", "CREATEROLE", "BYPASSRLS"])
def test_a_role_that_is_more_than_a_name_for_rights_is_refused(
    filled: Home, postgresql: str, right: str
) -> None:
    administer(postgresql, f"CREATE ROLE strong_{right.lower()}_writer {right}")
    with pytest.raises(RolesRefused, match="can sign in") as refused:
        database_roles(
            filled.root, prefix=f"strong_{right.lower()}", address=str(owned(filled)), applied=True
        )
    assert "--prefix" in refused.value.next_step


@pytest.mark.postgres
def test_the_reader_reads_everything_but_secrets(owner: Engine) -> None:
    for table in sorted(Row.metadata.tables):
        with owner.connect() as connection, connection.begin():
            connection.exec_driver_sql("SET ROLE vigil_reader")
            query = f"SELECT count(*) FROM {table}"
            if table in roles.SECRET:
                with pytest.raises(ProgrammingError, match="permission denied"):
                    connection.exec_driver_sql(query)
            else:
                assert connection.exec_driver_sql(query).scalar() is not None
    with owner.connect() as connection, connection.begin():
        connection.exec_driver_sql("SET ROLE vigil_reader")
        with pytest.raises(ProgrammingError, match="permission denied"):
            connection.exec_driver_sql("INSERT INTO checkpoint VALUES (9, 'x')")


@pytest.mark.postgres
def test_the_statements_may_be_run_again_and_only_the_owner_is_told_apart(
    filled: Home, writer: Engine, owner: Engine
) -> None:
    made = database_roles(filled.root, prefix="vigil", address=str(owned(filled)), applied=True)
    assert made["sql"] == database_roles(filled.root, prefix="vigil")["sql"]
    with writer.connect() as connection:
        assert not roles.may_take_away(connection)
    with owner.connect() as connection:
        assert roles.may_take_away(connection)
    with pytest.raises(RolesRefused) as refused:
        database_roles(filled.root, prefix="vigil", applied=True)
    assert refused.value.code == "db.roles_refused"


def test_every_table_has_been_given_its_rights() -> None:
    named = set(roles.WRITER) | {table.name for table in roles.governed_tables()}
    assert named == {*Row.metadata.tables, "vigil_schema"}
    assert not set(roles.WRITER) & {table.name for table in roles.governed_tables()}
    assert set(roles.SECRET) <= set(roles.WRITER)


def test_nothing_that_is_append_only_may_be_changed_or_deleted() -> None:
    assert {table: roles.WRITER[table] for table in APPEND_ONLY} == dict.fromkeys(
        APPEND_ONLY, ("SELECT", "INSERT")
    )


@pytest.mark.parametrize("prefix", ["", "Vigil", "a-b", 'x"; DROP TABLE entry; --', "1a"])
def test_a_prefix_that_would_have_to_be_quoted_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidInput):
        roles.Roles(prefix=prefix)


def test_a_sqlite_home_has_no_roles(sqlite_home: Home) -> None:
    with pytest.raises(NoRoles) as refused:
        database_roles(sqlite_home.root, prefix="vigil")
    assert refused.value.code == "db.no_roles"
