"""A statement straight to the driver, for the few that every batch runs.

The toolkit's way to a statement costs ten times the statement itself where that is one row on a
warm page. Errors come out as the toolkit's own, so nobody needs to know which way was taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError

SqlValue: TypeAlias = str | bytes | int | bool | None


def run(connection: Connection, statement: str, values: Sequence[SqlValue] = ()) -> DBAPICursor:
    """Execute `statement`, its values marked `?`, in the open transaction; return the cursor."""
    dialect = connection.dialect
    cursor = connection.connection.cursor()
    try:
        cursor.execute(_marked(statement, dialect.name), values)
    except dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(
            statement,
            None,
            error,
            dialect.loaded_dbapi.Error,
            hide_parameters=True,
            dialect=dialect,
        ) from error
    return cursor


@cache
def _marked(statement: str, dialect: str) -> str:
    return statement.replace("?", "%s") if dialect == "postgresql" else statement
