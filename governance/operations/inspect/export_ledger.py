"""Export the ledger as static files that anybody can verify without us.

An export goes on where the last one into the folder ended: full tiles under its checkpoint are kept
as they are. Before anything is written, that checkpoint is held against the log, so every exported
folder is also a witness of what the log was. Bodies that were erased since are replaced (P13).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from governance.errors import Conflict
from governance.home import Home
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.manifest import Manifest
from governance.ledger.core.note import MAX_NOTE_BYTES
from governance.ledger.core.policy import MAX_POLICY_BYTES, Policy
from governance.ledger.core.tiles import (
    BUNDLES,
    TILE_WIDTH,
    Kind,
    TilePath,
    levels_of,
    tile_at,
    tile_count,
    tiles_of,
)
from governance.ledger.store.export_folder import (
    CHECKPOINT,
    MANIFEST,
    POLICY,
    ExportWriter,
    writing,
)
from governance.ledger.store.tiles import LedgerTiles
from governance.ledger.store.view import LedgerView
from governance.operations.operation import Result
from governance.storage.open import inspect_storage

_CHOOSE: Final = "Choose an empty folder, or the one of an earlier export of this log."


class ForeignExport(Conflict):
    """The folder holds something else than an export of this log."""

    code = "ledger.foreign_export"


class ExportReport(Result):
    """What lies in the folder now; `files_kept` were there and cannot have changed."""

    folder: str
    origin: str
    size: int
    root: str
    bodies: bool
    files_written: int
    files_kept: int


def export_home(home: Path, folder: Path, *, bodies: bool = False) -> ExportReport:
    """Export the home's log, beside a server or without one; see `export_ledger`."""
    with inspect_storage(Home.open(home)) as inspected:
        return export_ledger(inspected.ledger, folder, bodies=bodies)


def export_ledger(ledger: LedgerView, folder: Path, *, bodies: bool = False) -> ExportReport:
    """Write everything under a checkpoint into `folder`.

    The checkpoint is the last one that a quorum of witnesses cosigned, the log's own last one where
    there is none or the folder is further. A folder that was begun with bodies goes on with them.
    Raises ForeignExport for a folder of something else, LedgerTampered where the log no longer
    leads to the folder's checkpoint.
    """
    with writing(folder) as writer:
        before = _before(writer, ledger)
        note = _note(ledger, before)
        opened = ledger.log_keys.open(note)
        bodies = bodies or (folder / "tile" / "bodies").is_dir()
        export = _Export(writer, ledger.tiles, before=before, size=opened.size)
        export.small(POLICY, ledger.policy_text.encode())
        export.tiles(bodies=bodies)
        manifest = Manifest(
            checkpoint=opened.checkpoint, policy=ledger.policy_text.encode(), bodies=bodies
        )
        export.small(MANIFEST, manifest.encode())
        export.small(CHECKPOINT, note)
        export.clean(bodies=bodies)
    return ExportReport(
        folder=str(folder),
        origin=ledger.origin,
        size=opened.size,
        root=opened.root.hex(),
        bodies=bodies,
        files_written=export.written,
        files_kept=export.kept,
    )


def _before(writer: ExportWriter, ledger: LedgerView) -> int:
    """Return the size of the folder's checkpoint, 0 without one; refuse what is not ours."""
    policy = writer.read(POLICY, limit=MAX_POLICY_BYTES)
    if policy is None:
        if any(path.name != ".drafts" for path in writer.root.iterdir()):
            raise ForeignExport("the folder is not empty and not an export", next_step=_CHOOSE)
        return 0
    known = Policy.parse(policy).log_keys(ledger.origin)
    if not any(span.key in known for span in ledger.log_keys.spans):
        raise ForeignExport("the folder is the export of another log", next_step=_CHOOSE)
    note = writer.read(CHECKPOINT, limit=MAX_NOTE_BYTES)
    if note is None:
        return 0
    opened = ledger.log_keys.open(note)
    _same(ledger, opened.checkpoint)
    return opened.size


def _note(ledger: LedgerView, before: int) -> bytes:
    """Return the checkpoint to export under; it never goes back behind the folder's."""
    anchor, last = ledger.stored_anchor(), ledger.checkpoint().encode()
    if anchor is not None and anchor.size >= before and _accepted(ledger, anchor.note):
        return anchor.note
    if not last:
        raise Conflict(
            "the log has no checkpoint yet", next_step="Start the server once: it signs the first."
        )
    return last


def _accepted(ledger: LedgerView, note: bytes) -> bool:
    """Return whether a reader of today's policy accepts the note: its key may be retired since."""
    in_force = ledger.policy.log_keys(ledger.origin)
    return any(one.key in in_force for one in ledger.log_keys.open(note).signatures)


def _same(ledger: LedgerView, exported: Checkpoint) -> None:
    size, root = exported.size, exported.root
    if size > ledger.tiles.size:
        raise LedgerTampered(
            f"the tail is cut: {ledger.tiles.size} entries are signed here, an export holds {size}",
            sequence=ledger.tiles.size,
        )
    if ledger.tiles.root(size) != root:
        raise LedgerTampered(
            f"an entry from here up to {size - 1} was rewritten since it was exported", sequence=0
        )


class _Export:
    """One run: what was there before, and the counts."""

    def __init__(self, writer: ExportWriter, log: LedgerTiles, *, before: int, size: int) -> None:
        self._writer = writer
        self._log = log
        self._before = before
        self._size = size
        self.written = self.kept = 0

    def small(self, name: str, content: bytes) -> None:
        """Write a file beside the tiles."""
        self._writer.write(name, [content])
        self.written += 1

    def tiles(self, *, bodies: bool) -> None:
        """Write every tile that is new, missing, or no longer what it may be."""
        for level in levels_of(self._size):
            for path in tiles_of(self._size, level=level):
                self._tile(path)
        for kind in _kinds(bodies=bodies):
            anew = self._erased_blocks() if kind == "bodies" else frozenset()
            for path in tiles_of(self._size, kind=kind):
                self._tile(path, anew=path.index in anew)

    def clean(self, *, bodies: bool) -> None:
        """Remove partial tiles that a wider one has replaced."""
        for level in levels_of(self._size):
            self._clean(tiles_of(self._size, level=level, start=self._first_open(level)))
        for kind in _kinds(bodies=bodies):
            self._clean(tiles_of(self._size, kind=kind, start=self._first_open(0)))

    def _tile(self, path: TilePath, *, anew: bool = False) -> None:
        known = tile_at(self._before, index=path.index, level=path.level)
        settled = known is not None and known.is_full
        if settled and not anew and self._writer.holds(path):
            self.kept += 1
            return
        content = [self._log.hashes(path)] if path.kind == "hashes" else self._log.records(path)
        self._writer.write(path.text(), content, private=path.kind == "bodies")
        self.written += 1

    def _erased_blocks(self) -> frozenset[int]:
        return frozenset(seq // TILE_WIDTH for seq in self._log.erased_since(self._before))

    def _first_open(self, level: int) -> int:
        return max(tile_count(self._before, level=level) - 1, 0)

    def _clean(self, paths: Iterable[TilePath]) -> None:
        for path in paths:
            self._writer.remove_narrower(path)


def _kinds(*, bodies: bool) -> tuple[Kind, ...]:
    return tuple(kind for kind in BUNDLES if bodies or kind != "bodies")
