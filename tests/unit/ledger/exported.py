"""The sample log as exported files in memory, to be verified and tampered with."""

from __future__ import annotations

from io import BytesIO

from governance.ledger.core.bundles import (
    ExportedBody,
    ExportedFacts,
    body_record,
    entry_record,
    facts_record,
)
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.tiles import TilePath, hash_tile, levels_of, tiles_of
from governance.ledger.core.verify_tiles import VerifiedExport, verify_tiles
from tests.unit.ledger.sample import SampleLog


class Files(dict[str, bytes]):
    """A source that remembers nothing and is changed by hand."""

    def open(self, path: TilePath) -> BytesIO | None:
        raw = self.get(path.text())
        return None if raw is None else BytesIO(raw)


def body_of(log: SampleLog, seq: int) -> ExportedBody:
    row = log.rows[seq]
    body = log.open_body(row)
    if body is None or row.body_salt is None:
        return ExportedBody(state="none")
    return ExportedBody(state="present", salt=row.body_salt, body=body)


def files_of(log: SampleLog, size: int | None = None) -> Files:
    """Return every file of the log, bodies too."""
    size = log.tree.size if size is None else size
    files = Files()
    for level in levels_of(size):
        for path in tiles_of(size, level=level):
            files[path.text()] = hash_tile(log.tree, path)
    for path in tiles_of(size):
        seqs = range(path.first, path.first + path.width)
        rows = [log.rows[seq] for seq in seqs]
        name = path.text().removeprefix("tile/0/")
        files[f"tile/entries/{name}"] = b"".join(entry_record(row.env) for row in rows)
        files[f"tile/facts/{name}"] = b"".join(
            facts_record(ExportedFacts(salt=row.facts_salt, facts=row.facts)) for row in rows
        )
        files[f"tile/bodies/{name}"] = b"".join(body_record(body_of(log, seq)) for seq in seqs)
    return files


def head_of(log: SampleLog, size: int | None = None) -> Checkpoint:
    size = log.tree.size if size is None else size
    return Checkpoint(origin=log.origin, size=size, root=log.tree.root(size))


def verify(files: Files, log: SampleLog, *, bodies: bool = True) -> VerifiedExport:
    return verify_tiles(files, checkpoint=head_of(log), bodies=bodies)
