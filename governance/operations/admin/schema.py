"""The schema by explicit command: nothing migrates by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy.exc import ProgrammingError

from governance.errors import Conflict, Forbidden
from governance.home import Home, OwnerLock
from governance.storage import roles, schema
from governance.storage.engine import reader_engine, writer_engine
from governance.storage.fencing import fence


class FenceRefused(Conflict):
    """There is nobody beside the owner who could be fenced."""

    code = "db.fence_refused"


class NoRoles(Conflict):
    """The database has no roles."""

    code = "db.no_roles"


class RolesRefused(Forbidden):
    """The database refused to make or change roles."""

    code = "db.roles_refused"


def upgrade_schema(root: Path, *, address: str | None = None) -> dict[str, Any]:
    """Bring the home's database to this release's revision, as its owner.

    `address` reaches the PostgreSQL database as the role that owns it.
    """
    home = Home.open(root)
    with OwnerLock(home.lock_path):
        engine = writer_engine(address or home.database)
        try:
            schema.upgrade(engine)
        finally:
            engine.dispose()
    return {"home": str(root), "revision": "head"}


def database_roles(
    root: Path, *, prefix: str, address: str | None = None, applied: bool = False
) -> dict[str, Any]:
    """Return the SQL of owner, writer and reader; run it as well where `applied`.

    Raises NoRoles on SQLite, and RolesRefused where the address may not make roles or one of them
    exists and can sign in.
    """
    home = Home.open(root)
    if home.is_sqlite:
        raise NoRoles(
            "a SQLite file has no roles",
            next_step="The folder's permissions say who may write; see the guide to PostgreSQL.",
        )
    known = roles.Roles(prefix=prefix)
    engine = writer_engine(address or home.database)
    try:
        if applied:
            made = roles.apply(engine, known)
        else:
            made = list(roles.statements(known, database=str(engine.url.database)))
    except ProgrammingError as error:
        if roles.TOO_STRONG in str(error.orig):
            raise RolesRefused(
                roles.TOO_STRONG,
                next_step="Choose another --prefix, or take LOGIN and the other rights from the "
                "roles: nobody signs in as one of them.",
            ) from error
        raise RolesRefused(
            "the database did not let this role make the roles",
            next_step="Give the address of a role that owns the tables and may create roles.",
        ) from error
    finally:
        engine.dispose()
    return {"home": str(root), "applied": applied, "sql": [f"{one};" for one in made]}


def fence_writers(root: Path) -> dict[str, Any]:
    """Move the fencing epoch: every process that runs now writes nothing more until it restarts.

    Raises NotFound where the database holds no log, and FenceRefused on SQLite.
    """
    home = Home.open(root)
    if home.is_sqlite:
        raise FenceRefused(
            "a SQLite home has one owner, and its pen fences itself",
            next_step="Stop the process that owns the home.",
        )
    engine = writer_engine(home.database)
    try:
        epoch = fence(engine)
    finally:
        engine.dispose()
    return {"home": str(root), "epoch": epoch}


def check_schema(root: Path) -> dict[str, Any]:
    """Raise WrongRevision unless the home's database has this release's revision."""
    home = Home.open(root)
    engine = reader_engine(home.database)
    try:
        schema.check(engine)
    finally:
        engine.dispose()
    return {"home": str(root), "revision": "head"}
