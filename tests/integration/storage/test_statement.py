"""Statements straight to the driver: the toolkit's errors, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from governance.storage.bulk import insert_rows
from governance.storage.engine import writer_engine
from governance.storage.private_tables import ClientSecretRow
from governance.storage.statement import run
from tests.support.postgresql import owned

if TYPE_CHECKING:
    from governance.home import Home

SECRETS = ClientSecretRow.__table__  # type: ignore[attr-defined]
HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2VjcmV0"


def test_a_rule_of_the_database_is_an_integrity_error_that_keeps_no_values(home: Home) -> None:
    engine = writer_engine(owned(home))
    with engine.connect() as connection, connection.begin():
        with pytest.raises(IntegrityError) as refused:
            insert_rows(connection, SECRETS, [("Kari", "not a hash", 1)])
        assert refused.value.params is None
        connection.rollback()
    engine.dispose()


def test_a_statement_that_does_not_parse_is_the_toolkits_error(home: Home) -> None:
    engine = writer_engine(owned(home))
    with engine.connect() as connection, connection.begin():
        with pytest.raises(DBAPIError):
            run(connection, "SELEC 1")
        connection.rollback()
    engine.dispose()


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 129])
def test_any_number_of_rows_is_inserted_once_each(home: Home, count: int) -> None:
    engine = writer_engine(owned(home))
    rows = [(f"client-{number:03}", HASH, number) for number in range(count)]
    with engine.connect() as connection, connection.begin():
        insert_rows(connection, SECRETS, rows)
        found = run(connection, "SELECT client, secret_hash, epoch FROM client_secret ORDER BY 1")
        assert [tuple(row) for row in found.fetchall()] == rows
        one = run(connection, "SELECT epoch FROM client_secret WHERE client = ?", ("client-000",))
        assert one.fetchone() == ((0,) if count else None)
    engine.dispose()
