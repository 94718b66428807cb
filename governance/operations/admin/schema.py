"""The schema by explicit command: nothing migrates by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from governance.errors import Conflict
from governance.home import Home, OwnerLock
from governance.storage import schema
from governance.storage.engine import reader_engine, writer_engine
from governance.storage.fencing import fence


class FenceRefused(Conflict):
    """There is nobody beside the owner who could be fenced."""

    code = "db.fence_refused"


def upgrade_schema(root: Path) -> dict[str, Any]:
    """Bring the home's database to this release's revision, as its owner."""
    home = Home.open(root)
    with OwnerLock(home.lock_path):
        engine = writer_engine(home.database)
        try:
            schema.upgrade(engine)
        finally:
            engine.dispose()
    return {"home": str(root), "revision": "head"}


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
