"""A home with a long log, written fast: real entries, commitments, links and checkpoints.

What a year of a busy gate leaves behind is made in a minute. The entries come from the same code
as everybody's (`Sealer`, `Draft`), only in commits of thousands; a signed checkpoint stands under
every `COMMIT` entries, or as many as are asked for, as under a gate whose commits hold so many.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from audits.estimate import Json
from governance.adapters.key_store import FileKeyStore
from governance.clock import SystemClock
from governance.home import Home
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.merkle import Frontier
from governance.ledger.store.note_file import NoteFile
from governance.storage.bulk import insert_rows
from governance.storage.chain import Draft, Head, read_head
from governance.storage.engine import writer_engine
from governance.storage.open import create_home
from governance.storage.ports import Body
from governance.storage.sealing import Sealer
from governance.storage.statement import run
from governance.storage.tables import Row
from tests.support.project import ROOT

COMMIT: Final = 64
"""Entries under one checkpoint: what 64 waiting clients share."""

BODY_EVERY: Final = 1000
"""One entry in so many has a body."""

BODY: Final = b'{"reply":"' + b"r" * 300 + b'","request":"' + b"q" * 150 + b'","v":1}'
_BATCH: Final = COMMIT * 256
_CHECKPOINT = Row.metadata.tables["checkpoint"]


def answer_facts(number: int, *, body_key: str | None) -> Mapping[str, Json]:
    """Return facts like those of an answer of the gate (`serving.answer`)."""
    return {
        "caller": "planner",
        "scope": "st-olav/pharmacy",
        "model": "forecasting",
        "version": "forecasting/1",
        "digest": f"{number:064x}",
        "release": "L-1",
        "entry": "5f" * 32,
        "market": "NO",
        "purpose": "stock-planning",
        "dispositions": {"answered": 1, "abstained": 0},
        "reasons": [],
        "body_key": body_key,
        "epoch": 7,
    }


def long_home(entries: int, *, cache: Path | None = None, commit: int = COMMIT) -> Path:
    """Return a home with a log of so many entries, made once and kept in the temporary folder.

    One of another schema, or written by another form of this file, is left where it is.
    """
    folder = cache or Path(tempfile.gettempdir()) / f"oncovigil-benchmark-{os.getuid()}"
    root = folder / f"log-{entries}-by-{commit}-{_form()}"
    if not root.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=folder))
        try:
            fill(making / "home", entries, commit=commit)
            (making / "home").replace(root)
        finally:
            shutil.rmtree(making)
    return root


def _form() -> str:
    """Return a digest of what decides how the home looks; a revision says less, until released."""
    revisions = sorted((ROOT / "migrations/versions").glob("*.py"))
    content = b"".join(path.read_bytes() for path in [Path(__file__), *revisions])
    return sha256(content).hexdigest()[:12]


def fill(root: Path, entries: int, *, commit: int = COMMIT) -> Home:
    """Create a home at `root` and grow its log to `entries`, a checkpoint for each `commit`."""
    home = create_home(
        root, organisation="example.org", deployment="benchmark", clock=SystemClock()
    )
    keys = FileKeyStore(home.keys_dir)
    engine = writer_engine(home.database)
    notes = NoteFile(home.checkpoints_log)
    try:
        body_key = keys.new_key()
        sealer = Sealer(origin=home.origin, keys=keys)
        with engine.connect() as connection:
            _hurry(connection)
            for count in _batches(entries - 1, commit * max(1, _BATCH // commit)):
                with connection.begin():
                    head = read_head(connection, lock=True)
                    assert head is not None
                    draft = Draft(head)
                    _append(draft, sealer, count, body_key)
                    draft.write(connection)
                    signed = _signed(home, head, draft, commit)
                    insert_rows(connection, _CHECKPOINT, signed)
            run(connection, "PRAGMA journal_mode = WAL")
            notes.append(str(signed[-1][1]).encode())
    finally:
        notes.close()
        engine.dispose()
        keys.close()
    return home


def _hurry(connection: Connection) -> None:
    """Write each page once and flush nothing: whoever dies here throws the whole home away."""
    for pragma in ("journal_mode = OFF", "synchronous = OFF"):
        run(connection, f"PRAGMA {pragma}")


def _batches(entries: int, batch: int) -> Iterator[int]:
    for done in range(0, entries, batch):
        yield min(batch, entries - done)


def _append(draft: Draft, sealer: Sealer, count: int, body_key: str) -> None:
    for number in range(draft.next_seq, draft.next_seq + count):
        now_us = draft.last_t_us + 100
        body = Body(content=BODY, key_id=body_key) if number % BODY_EVERY == 0 else None
        facts = answer_facts(number, body_key=None if body is None else body_key)
        prepared = sealer.prepare(kind="inference.answered", facts=facts, body=body, now_us=now_us)
        draft.append(prepared, t_us=now_us)


def _signed(home: Home, head: Head, draft: Draft, commit: int) -> list[tuple[int, str]]:
    """Return a signed note for every `commit` entries of the draft."""
    key, signed = home.log_key(), []
    frontier: Frontier = head.frontier
    for at in range(0, len(draft.leaves), commit):
        frontier = frontier.extend(draft.leaves[at : at + commit])
        checkpoint = Checkpoint(origin=home.origin, size=frontier.size, root=frontier.root())
        signed.append((frontier.size, sign_checkpoint(checkpoint, private_key=key).decode()))
    return signed
