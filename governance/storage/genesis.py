"""The first entry: who the log is, with which keys, rules and program it began.

The entry is signed when it is made, and the note is kept in both places, so that a home without
a signed note is never a new one, always one whose anchors were taken away (P3).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Engine

import governance
from governance.clock import Clock
from governance.errors import Conflict
from governance.home import Home
from governance.ledger.core.canonical import Json
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.errors import LedgerTampered, PolicyRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import Frontier
from governance.ledger.core.note import VerifierKey
from governance.ledger.core.policy import Policy
from governance.ledger.store.keys import KeyStore
from governance.ledger.store.note_file import NoteFile
from governance.ledger.store.tables import CheckpointRow, Row
from governance.storage.chain import Draft, Head, insert_head, read_head
from governance.storage.schema import migrations_folder
from governance.storage.sealing import Sealer
from governance.storage.succession.statement import Succession, succession_of

CANONICALISATION: Final = "oncovigil/canonical-json/v1"
GENESIS: Final = "ledger.genesis"
_CHECKPOINT = Row.metadata.tables[CheckpointRow.__tablename__]
_PACKAGES: Final = ("governance", "change_control", "models", "audits")


def write_genesis(
    engine: Engine,
    home: Home,
    *,
    keys: KeyStore,
    clock: Clock,
    more: Mapping[str, Json] | None = None,
) -> None:
    """Write head, entry 0 and its signed note; raise Conflict where the database has a log.

    `more` are the facts of a successor about the log before it.
    """
    now_us = clock.now_us()
    genesis = Sealer(origin=home.origin, keys=keys).prepare(
        kind=GENESIS,
        facts={
            **(more or {}),
            "actor": "system",
            "canonicalisation": CANONICALISATION,
            "changes": [],
            "origin": home.origin,
            "policy": home.policy_path.read_text(encoding="utf-8"),
            "signature_key": key_fingerprint(home.signature_key().public_key()),
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
        note = _signed(home, head.frontier.extend(draft.leaves))
        connection.execute(_CHECKPOINT.insert(), {"size": 1, "note": note.decode()})
    notes = NoteFile(home.checkpoints_log)
    try:
        notes.append(note)
    finally:
        notes.close()


def key_fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the key's 32 raw bytes: how facts name a public key."""
    return sha256(key.public_bytes_raw()).hexdigest()


def check_genesis(facts: dict[str, Json], home: Home) -> Succession | None:
    """Raise LedgerTampered where the home holds another signature key than entry 0 names.

    What it says of a log before this one is verified with that key, and returned.
    """
    if facts.get("signature_key") != key_fingerprint(home.signature_key().public_key()):
        raise LedgerTampered(
            "keys/signature.pem is not the key that the first entry names", sequence=0
        )
    return succession_of(facts, key=home.signature_key().public_key())


def check_policy(policy: Json, sequence: int, home: Home, keys: LogKeys) -> None:
    """Raise LedgerTampered where the file that verifiers pin is not what entry `sequence` says.

    The entry itself must name the keys in force, or verifiers would trust another log's.
    """
    if isinstance(policy, str) and _log_keys(policy, home.origin) != keys.in_force:
        raise LedgerTampered("it states other keys than the log has in force", sequence=sequence)
    try:
        found = home.policy_path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerTampered(f"{home.policy_path.name} cannot be read") from error
    if found != policy:
        raise LedgerTampered(
            f"{home.policy_path.name} is not the policy that this entry states", sequence=sequence
        )


def _log_keys(policy: str, origin: str) -> tuple[VerifierKey, ...]:
    try:
        return Policy.parse(policy.encode()).log_keys(origin)
    except PolicyRejected:
        return ()


def _signed(home: Home, frontier: Frontier) -> bytes:
    checkpoint = Checkpoint(origin=home.origin, size=frontier.size, root=frontier.root())
    return sign_checkpoint(checkpoint, private_key=home.log_key())


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
