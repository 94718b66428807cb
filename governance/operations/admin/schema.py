"""The schema by explicit command: nothing migrates by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from governance.home import Home, OwnerLock
from governance.storage import schema
from governance.storage.engine import reader_engine, writer_engine


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


def check_schema(root: Path) -> dict[str, Any]:
    """Raise WrongRevision unless the home's database has this release's revision."""
    home = Home.open(root)
    engine = reader_engine(home.database)
    try:
        schema.check(engine)
    finally:
        engine.dispose()
    return {"home": str(root), "revision": "head"}
