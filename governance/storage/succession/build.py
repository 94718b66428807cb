"""The home of a successor: made under another name beside its place, and renamed when it is whole.

Carried over are the signature key, so that old signatures verify, the key store with its KEKs, the
artifacts and the configuration. New are the log's name and key, and the key of access tokens.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from audits.estimate import Json
from governance.adapters.key_store import FileKeyStore
from governance.clock import Clock
from governance.errors import Conflict
from governance.home import CONFIG_NAME, SQLITE, Home
from governance.ledger.core.note import VerifierKey
from governance.storage import schema
from governance.storage.engine import writer_engine
from governance.storage.genesis import write_genesis
from governance.storage.open import open_storage
from governance.storage.succession.carry import carry
from governance.storage.succession.pending import mark
from governance.storage.succession.state import State

_OWN: Final = re.compile(r"log.*\.(pem|retired)|token\.pem|keys\.sqlite.*")
_KEYS: Final = "keys.sqlite"


def build_successor(
    root: Path,
    old: Home,
    *,
    clock: Clock,
    state: State,
    connection: Connection,
    first_facts: Callable[[Home], dict[str, Json]],
    pending: bool,
) -> Home:
    """Make the home and return it; nothing appears at `root` before it verifies.

    `first_facts` makes the signed statement from the new home, `connection` reads the predecessor.
    `pending` leaves a mark that refuses a start until the predecessor is closed. Raises Conflict
    where the folder is not empty.
    """

    def populate(home: Home) -> None:
        _copy_keys(old, home)
        shutil.rmtree(home.artifacts_dir)
        shutil.copytree(old.artifacts_dir, home.artifacts_dir)
        _write(home, first_facts(home), clock)
        with open_storage(home, clock=clock, check_rows=False) as storage:
            storage.pen.commit(lambda unit: carry(unit, state, connection, origin=old.origin))
            storage.rebuild()
            storage.ledger.verify()
        (home.root / CONFIG_NAME).write_text(_config(old, home), encoding="utf-8")
        if pending:
            mark(home)

    return Home.create(
        root,
        organisation=old.config.organisation,
        deployment=old.config.deployment,
        clock=clock,
        database=SQLITE,
        populate=populate,
    )


def new_key(home: Home) -> str:
    """Return the verifier key of a home that was just begun."""
    return VerifierKey.of(home.log_key(), name=home.origin).text()


def _write(home: Home, facts: dict[str, Json], clock: Clock) -> None:
    engine = writer_engine(home.database)
    keys = FileKeyStore(home.keys_dir)
    try:
        schema.upgrade(engine)
        write_genesis(engine, home, keys=keys, clock=clock, more=facts)
    finally:
        keys.close()
        engine.dispose()


def _copy_keys(old: Home, home: Home) -> None:
    for made in home.keys_dir.glob("kek-*.bin"):
        made.unlink()  # of this home's own making; a second one would look like an unfinished move
    for path in sorted(old.keys_dir.iterdir()):
        if not path.is_file() or _OWN.fullmatch(path.name):
            continue
        target = home.keys_dir / path.name
        target.unlink(missing_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o600)
    address = f"file:{old.keys_dir / _KEYS}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True)) as source,
        closing(sqlite3.connect(home.keys_dir / _KEYS)) as target_keys,
    ):
        source.backup(target_keys)


def _config(old: Home, home: Home) -> str:
    """Return the predecessor's configuration, with the witnesses, under the new log's name."""
    text = (old.root / CONFIG_NAME).read_text(encoding="utf-8")
    for name, value in (("log_uuid", home.config.log_uuid), ("database", SQLITE)):
        text, count = re.subn(
            rf'^{name} = "[^"\n]*"$', f'{name} = "{value}"', text, count=1, flags=re.MULTILINE
        )
        if count != 1:
            raise Conflict(
                f"vigil.toml of the old home does not state {name} on a line of its own",
                next_step=f'Write it as `{name} = "…"` and try again.',
            )
    return text
