"""The home of a successor: made under another name beside its place, and renamed when it is whole.

Carried over are the signature key, so that old signatures verify, the artifacts and the
configuration. New are the log's name and key, the key of access tokens, and the key store: of the
old one it takes the keys of releases, and no person's. So each body opens with the keys of one home
alone, and an erasure destroys the key of all that its log holds of a person (P13).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
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
from governance.storage.succession.carry import carried_digest, carry
from governance.storage.succession.pending import mark
from governance.storage.succession.state import State
from governance.storage.succession.taken import held_keys, release_keys, taken_over

_OWN: Final = re.compile(r"log.*\.(pem|retired)|token\.pem|keys\.sqlite.*|\.?kek-.*")


def build_successor(
    root: Path,
    old: Home,
    *,
    clock: Clock,
    state: State,
    connection: Connection,
    first_facts: Callable[[Home, str], dict[str, Json]],
    pending: bool,
) -> Home:
    """Make the home and return it; nothing appears at `root` before it verifies.

    `first_facts` makes the signed statement from the new home and the digest of what it carries,
    `connection` reads the predecessor.
    `pending` leaves a mark that refuses a start until the predecessor is closed. Raises Conflict
    where the folder is not empty.
    """

    def populate(home: Home) -> None:
        _copy_keys(old, home)
        shutil.rmtree(home.artifacts_dir)
        shutil.copytree(old.artifacts_dir, home.artifacts_dir)
        taken = taken_over(state, _inherit(old, home, state))
        _write(home, first_facts(home, carried_digest(taken)), clock)
        with open_storage(home, clock=clock, check_rows=False) as storage:
            storage.pen.commit(lambda unit: carry(unit, taken, connection, origin=old.origin))
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
    for path in sorted(old.keys_dir.iterdir()):
        if not path.is_file() or _OWN.fullmatch(path.name):
            continue
        target = home.keys_dir / path.name
        target.unlink(missing_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o600)


def _inherit(old: Home, home: Home, state: State) -> dict[str, str]:
    """Fill the new key store; return the new keys of the persons whom a legal hold names."""
    theirs, ours = FileKeyStore(old.keys_dir), FileKeyStore(home.keys_dir)
    try:
        return ours.inherit(theirs, keys=release_keys(state), subjects=held_keys(state))
    finally:
        ours.close()
        theirs.close()


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
