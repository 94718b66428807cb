"""The first entry: who the log is, with which keys, rules and program it began."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

import governance
from governance.clock import Clock
from governance.errors import Conflict
from governance.home import Home
from governance.ledger.core.note import VerifierKey
from governance.ledger.store.keys import KeyStore
from governance.storage.chain import Draft, Head, insert_head, read_head
from governance.storage.schema import migrations_folder
from governance.storage.sealing import Sealer

CANONICALISATION: Final = "oncovigil/canonical-json/v1"
_PACKAGES: Final = ("governance", "change_control", "models", "audits")


def write_genesis(engine: Engine, home: Home, *, keys: KeyStore, clock: Clock) -> None:
    """Write head and entry 0 in one transaction; raise Conflict where the database has a log."""
    now_us = clock.now_us()
    genesis = Sealer(origin=home.origin, keys=keys).prepare(
        kind="ledger.genesis",
        facts={
            "actor": "system",
            "canonicalisation": CANONICALISATION,
            "changes": [],
            "origin": home.origin,
            "policy": home.policy_path.read_text(encoding="utf-8"),
            "software": {"build": build_digest(), "version": governance.__version__},
            "vkeys": [VerifierKey.of(home.log_key(), name=home.origin).text()],
        },
        body=None,
        now_us=now_us,
    )
    with engine.begin() as connection:
        if read_head(connection, lock=False) is not None:
            raise Conflict(
                "the database holds a log already",
                next_step="Give the new deployment a database of its own.",
            )
        head = Head.empty(home.origin)
        insert_head(connection, head)
        draft = Draft(head)
        draft.append(genesis, t_us=now_us)
        draft.write(connection)


def build_digest() -> str:
    """Return the SHA-256 over names and digests of our source files: which program ran."""
    root = Path(governance.__file__).resolve().parent.parent
    migrations = migrations_folder()
    files = [
        (path.relative_to(root).as_posix(), path)
        for name in _PACKAGES
        for path in (root / name).rglob("*.py")
        if migrations not in path.parents
    ]
    files += [
        (f"migrations/{path.relative_to(migrations).as_posix()}", path)
        for path in migrations.rglob("*.py")
    ]
    lines = [f"{sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in sorted(files)]
    return sha256("".join(lines).encode()).hexdigest()
