"""The verification of everything that is stored of a log, in one reading of one snapshot (P3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.errors import LedgerTampered, NoteRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import Tree
from governance.ledger.core.progress import Watch
from governance.ledger.core.verify import BLOCK_ROWS, VerifiedLog, verify_blocks
from governance.ledger.store.anchors import StoredAnchors
from governance.ledger.store.blocks import ALL_BODIES, ALL_ENTRIES, Blocks, Bodies
from governance.ledger.store.cells import check_cells
from governance.ledger.store.streaming import streamed_blocks, streamed_tuples
from governance.ledger.store.tables import BodyRow, CheckpointRow, CosignatureRow, EntryRow, Row

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]
_CHECKPOINT = Row.metadata.tables[CheckpointRow.__tablename__]
_SIGNED = select(_CHECKPOINT.c.size, _CHECKPOINT.c.note).order_by(_CHECKPOINT.c.size)

# A body has up to two megabytes, so few are held at a time.
_BODIES_AT_A_TIME: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeLog:
    """A stored log as one reader judges it: by its keys, over his tree, with his way to bodies."""

    origin: str
    keys: LogKeys
    tree: Tree
    anchors: StoredAnchors
    bodies: Bodies

    def verify(
        self, connection: Connection, *, newest: Sequence[VerifiedCheckpoint], watch: Watch
    ) -> VerifiedLog:
        """Check entries, bodies, erasures, checkpoints and cosignatures; raise LedgerTampered.

        `newest` are checkpoints that the entries must lead to. Raises ErasedMeanwhile where the
        snapshot shows a body that is erased by now.
        """
        if self.bodies.destroyed is not None:
            self.bodies.destroyed.clear()
        with (
            streamed_blocks(connection, ALL_ENTRIES, rows=BLOCK_ROWS, name="entries") as entries,
            streamed_tuples(
                connection, ALL_BODIES, rows=_BODIES_AT_A_TIME, name="bodies"
            ) as stored,
        ):
            blocks = Blocks(watch.blocks("entries", entries), stored, bodies=self.bodies)
            verified = verify_blocks(
                blocks, origin=self.origin, checkpoints=newest, open_body=blocks.open_body
            )
        blocks.erasures.check(connection)
        _check_orphans(connection)
        self._check_checkpoints(connection, verified, watch)
        self.anchors.check(connection, watch=watch)
        return verified

    def _check_checkpoints(
        self, connection: Connection, verified: VerifiedLog, watch: Watch
    ) -> None:
        check_cells(connection, (CheckpointRow.__tablename__, CosignatureRow.__tablename__))
        first = connection.execute(select(func.min(_CHECKPOINT.c.size))).scalar()
        with streamed_tuples(connection, _SIGNED) as rows:
            for size, note in watch.rows("checkpoints", rows):
                opened = self._opened(size, note)
                # What another process signed after our tree was last grown is compared next time.
                known = size <= self.tree.size
                if size > verified.size or (known and opened.root != self.tree.root(size)):
                    raise LedgerTampered(
                        f"the stored checkpoint of size {size} is not of this log",
                        sequence=size - 1,
                    )
        if first != 1:  # the first entry is signed when it is made
            raise LedgerTampered("signed checkpoints are gone from the database")

    def _opened(self, size: int, note: str) -> VerifiedCheckpoint:
        try:
            opened = self.keys.open(note.encode())
        except NoteRejected as error:
            raise LedgerTampered(
                f"the stored checkpoint of size {size} is not what the log signed",
                sequence=size - 1,
            ) from error
        if opened.size != size:
            raise LedgerTampered(
                f"the checkpoint of size {opened.size} is stored as {size}", sequence=size - 1
            )
        return opened


def _check_orphans(connection: Connection) -> None:
    known = select(_ENTRY.c.seq)
    orphan = select(func.min(_BODY.c.seq)).where(_BODY.c.seq.not_in(known))
    seq = connection.execute(orphan).scalar()
    if seq is not None:
        raise LedgerTampered("a body is stored for an entry that is not there", sequence=seq)
