"""Three roles of a PostgreSQL database: who owns it, who writes to it, who only reads.

The server writes under a role that can add to the ledger and cannot take away: no UPDATE or DELETE
of entries, notes, cosignatures or blobs, no TRUNCATE, no trigger, no table of its own. What it may
change is named here column by column: the head, the governed records, and what erasure empties.
Roles deter and catch mistakes; who owns the server can do everything, and what detects that is the
chain and the witnesses (P3).

The statements may be run again and again. They are, after each migration: a table that nobody has
named here has no grants, and a test fails that compares this list with the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, Table

from governance.errors import InvalidInput
from governance.ledger.store.tables import Row
from governance.storage.schema import VERSION_TABLE
from governance.storage.statement import run
from governance.storage.tables import ROW_OF

ADD: Final = ("SELECT", "INSERT")
ERASED_COLUMNS: Final = ("nonce", "ciphertext", "key_commitment", "salt", "erased_by_seq")
_EMPTIED: Final = f"UPDATE ({', '.join(ERASED_COLUMNS)})"
_PLACE: Final = frozenset({"id", "created_seq", "created_pos"})

# What the writer may do with each table that is no governed record.
WRITER: Final[Mapping[str, tuple[str, ...]]] = {
    "log_head": ("SELECT", "UPDATE"),
    "entry": ADD,
    "checkpoint": ADD,
    "cosignature": ADD,
    "blob": ADD,
    "outcome": ADD,
    "body": (*ADD, _EMPTIED),
    "observation": (*ADD, "DELETE"),
    "idempotency": (*ADD, "DELETE"),
    "erased_answer": (*ADD, "DELETE"),
    "erasure_residue": (*ADD, "DELETE"),
    "credential": (*ADD, "UPDATE"),
    "client_secret": (*ADD, "UPDATE"),
    "session": (*ADD, "UPDATE", "DELETE"),
    "sign_in_failure": (*ADD, "DELETE"),
    VERSION_TABLE: ("SELECT",),
}
# Hashes of secrets, and who tried which: nothing that somebody who only reads has to see.
SECRET: Final = frozenset({"credential", "client_secret", "session", "sign_in_failure"})
# VACUUM after an erasure rewrites what still holds its bytes; PostgreSQL 17 lets it be granted.
SWEPT: Final = ("body", "observation", "idempotency", "erased_answer", "erasure_residue")
TOO_STRONG: Final = "a role of this name exists, and can sign in or has rights over the server"
_SEQUENCES: Final = ("sign_in_failure_id_seq",)
_FUNCTIONS: Final = ("vigil_append_only()",)
# An existing role is taken as it is, so it must be no more than a name for rights.
_REFUSE_STRONG: Final = (
    "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname IN ({roles}) AND (rolcanlogin "
    "OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)) THEN "
    "RAISE insufficient_privilege USING MESSAGE = '" + TOO_STRONG + "'; END IF; END $$"
)
# To give tables to the owner one has to be able to become it. A superuser is; somebody with
# CREATEROLE lends it to themselves for this transaction, and keeps it where they had it before.
_LEND: Final = (
    "DO $$ DECLARE newer boolean := current_setting('server_version_num')::int >= 160000; "
    "able boolean := pg_has_role(CURRENT_USER, '{owner}', 'USAGE'); "
    "BEGIN IF able AND newer THEN able := pg_has_role(CURRENT_USER, '{owner}', 'SET'); END IF; "
    "IF NOT able AND newer THEN "
    "EXECUTE 'GRANT {owner} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE'; "
    "ELSIF NOT able THEN EXECUTE 'GRANT {owner} TO CURRENT_USER'; END IF; "
    "PERFORM set_config('vigil.lent', (NOT able)::text, true); END $$"
)
_RETURN: Final = (
    "DO $$ BEGIN IF current_setting('vigil.lent')::boolean THEN "
    "EXECUTE 'REVOKE {owner} FROM CURRENT_USER'; END IF; END $$"
)
_PREFIX: Final = re.compile(r"[a-z_][a-z0-9_]{0,40}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The names of the three roles; none of them can sign in itself."""

    prefix: str = "vigil"

    def __post_init__(self) -> None:
        """Refuse what would have to be quoted."""
        if not _PREFIX.fullmatch(self.prefix):
            raise InvalidInput(
                "the prefix of the roles is not a plain name",
                next_step="Use lower-case letters, digits and underscores, e.g. vigil.",
            )

    @property
    def owner(self) -> str:
        """Owns the tables and runs migrations."""
        return f"{self.prefix}_owner"

    @property
    def writer(self) -> str:
        """The server's."""
        return f"{self.prefix}_writer"

    @property
    def reader(self) -> str:
        """For people and programs that look."""
        return f"{self.prefix}_reader"


def statements(roles: Roles, *, database: str) -> Iterator[str]:
    """Yield the SQL that makes the roles and gives them what they need, and no more."""
    owner, writer, reader = roles.owner, roles.writer, roles.reader
    for role in (owner, writer, reader):
        yield (
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    yield _REFUSE_STRONG.format(roles=", ".join(f"'{role}'" for role in (owner, writer, reader)))
    yield _LEND.format(owner=owner)
    name = database.replace('"', '""')
    yield f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC'
    yield f'GRANT CONNECT ON DATABASE "{name}" TO {owner}, {writer}, {reader}'
    yield "REVOKE ALL ON SCHEMA public FROM PUBLIC"
    yield f"GRANT USAGE, CREATE ON SCHEMA public TO {owner}"
    yield f"GRANT USAGE ON SCHEMA public TO {writer}, {reader}"
    for table, privileges in sorted(_writer_privileges().items()):
        yield f"ALTER TABLE {table} OWNER TO {owner}"
        yield f"REVOKE ALL ON {table} FROM PUBLIC, {writer}, {reader}"
        yield f"GRANT {', '.join(privileges)} ON {table} TO {writer}"
        if table not in SECRET:
            yield f"GRANT SELECT ON {table} TO {reader}"
    yield (
        "DO $$ BEGIN IF current_setting('server_version_num')::int >= 170000 THEN "
        f"EXECUTE 'GRANT MAINTAIN ON {', '.join(SWEPT)} TO {writer}'; END IF; END $$"
    )
    for sequence in _SEQUENCES:
        yield f"GRANT USAGE ON SEQUENCE {sequence} TO {writer}"
    for function in _FUNCTIONS:
        yield f"ALTER FUNCTION {function} OWNER TO {owner}"
    yield _RETURN.format(owner=owner)


def apply(engine: Engine, roles: Roles) -> list[str]:
    """Run the statements in one transaction, the head lock before any table's; return them."""
    with engine.begin() as connection:
        row = run(connection, "SELECT current_database()").fetchone()
        made = list(statements(roles, database="" if row is None else str(row[0])))
        lent = _LEND.format(owner=roles.owner)
        for statement in made:
            connection.exec_driver_sql(statement)
            if statement == lent:  # who does not own the tables may lock the head from here on
                run(connection, "SELECT id FROM log_head WHERE id = 1 FOR UPDATE").fetchone()
    return made


def may_take_away(connection: Connection) -> bool:
    """Say whether this connection's role could delete entries, were there no triggers."""
    if connection.dialect.name != "postgresql":
        return False
    row = run(connection, "SELECT has_table_privilege('entry', 'DELETE')").fetchone()
    return row is None or bool(row[0])


def _writer_privileges() -> dict[str, tuple[str, ...]]:
    return {**{table.name: _governed(table) for table in governed_tables()}, **WRITER}


def governed_tables() -> list[Table]:
    """Return the tables of governed records."""
    return [Row.metadata.tables[kind.TABLE] for kind in ROW_OF]


def _governed(table: Table) -> tuple[str, ...]:
    """Everything but the row's identity and its place in the ledger may be changed by an act."""
    columns = [column.name for column in table.columns if column.name not in _PLACE]
    return (*ADD, f"UPDATE ({', '.join(columns)})")
