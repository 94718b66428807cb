"""Stored cosignatures: up to which size a quorum of witnesses has seen this log (P3).

Nothing here is believed because it is stored. Each line is verified again over the checkpoint that
it stands under, with the keys of the policy in force; lines of other keys are left alone, because
keys come and go. A line of a known key that does not verify was changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.errors import LedgerTampered, NoteRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import Tree
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey
from governance.ledger.core.policy import Policy
from governance.ledger.core.progress import UNWATCHED, Watch
from governance.ledger.store.cells import of_another_type
from governance.ledger.store.streaming import streamed
from governance.ledger.store.tables import CheckpointRow, CosignatureRow, Row

_CHECKPOINT = Row.metadata.tables[CheckpointRow.__tablename__]
_COSIGNATURE = Row.metadata.tables[CosignatureRow.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A checkpoint that a quorum cosigned; `note` holds the log's and the witnesses' lines."""

    size: int
    note: bytes


def witness_id(key: VerifierKey) -> str:
    """Return name+keyid, which names a key and not only its owner."""
    return f"{key.name}+{key.key_id.hex()}"


def anchor_of(note: bytes, *, keys: LogKeys, policy: Policy) -> Anchor | None:
    """Return the checkpoint as an anchor where its cosigners form the quorum, else None.

    A policy without a quorum anchors nothing: nobody outside has seen the log. Raises NoteRejected.
    """
    opened = keys.open(note, also=policy.witness_keys())
    if policy.quorum is None or not policy.satisfied(_cosigners(opened)):
        return None
    return Anchor(size=opened.size, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnchors:
    """The stored cosignatures as one reader judges them: by his policy, over his tree."""

    keys: LogKeys
    policy: Policy
    tree: Tree

    def largest(self, connection: Connection) -> Anchor | None:
        """Return the largest checkpoint with a quorum; raise LedgerTampered at a bad one.

        None without a quorum in the policy: then nobody outside has to have seen the log.
        """
        return self.above(connection, 0, first=False)

    def above(self, connection: Connection, floor: int, *, first: bool) -> Anchor | None:
        """Return the smallest or largest checkpoint above `floor` with a quorum; see `largest`."""
        if self.policy.quorum is None:
            return None
        place = _COSIGNATURE.c.size
        query = self._rows().where(place > floor).order_by(place if first else place.desc())
        with streamed(connection, query) as rows:
            for size, note in self._notes(rows):
                opened = self._checked(size, note)
                if self.policy.satisfied(_cosigners(opened)):
                    return Anchor(size=size, note=note)
        return None

    def check(self, connection: Connection, *, watch: Watch = UNWATCHED) -> None:
        """Verify every line of a known witness; raise LedgerTampered at one not as signed."""
        with streamed(connection, self._rows().order_by(_COSIGNATURE.c.size)) as rows:
            for size, note in watch.rows("witnesses", self._notes(rows)):
                self._checked(size, note)

    def _rows(self) -> Select[Any]:
        """Select what the tree covers; a server that runs beside us may have stored more since."""
        joined = _COSIGNATURE.join(_CHECKPOINT, _CHECKPOINT.c.size == _COSIGNATURE.c.size)
        rows = select(_COSIGNATURE, _CHECKPOINT.c.note).select_from(joined)
        return rows.where(_COSIGNATURE.c.size <= self.tree.size)

    def _notes(self, rows: Iterable[RowMapping]) -> Iterator[tuple[int, bytes]]:
        """Yield each size with its note and the lines of known witnesses joined to it."""
        known = {witness_id(key) for key in self.policy.witness_keys()}
        for size, group in groupby(rows, key=lambda row: row["size"]):
            together = list(group)
            cells = (cell for row in together for cell in (row["note"], row["line"]))
            if not isinstance(size, int) or not all(isinstance(cell, str) for cell in cells):
                raise of_another_type("a stored checkpoint or cosignature")
            lines = [row["line"] for row in together if row["witness"] in known]
            if lines:
                yield size, (together[0]["note"] + "".join(lines)).encode()

    def _checked(self, size: int, note: bytes) -> VerifiedCheckpoint:
        try:
            opened = self.keys.open(note, also=self.policy.witness_keys())
        except NoteRejected as error:
            raise LedgerTampered(
                f"the stored cosignatures of size {size} are not what was signed",
                sequence=size - 1,
            ) from error
        if opened.size != size or opened.root != self.tree.root(size):
            raise LedgerTampered(
                f"the cosigned checkpoint of size {size} is not of this log", sequence=size - 1
            )
        return opened


def largest_cosigned(connection: Connection) -> dict[str, int]:
    """Return the largest size that each witness cosigned, by `witness_id`."""
    query = select(_COSIGNATURE.c.witness, func.max(_COSIGNATURE.c.size).label("largest")).group_by(
        _COSIGNATURE.c.witness
    )
    return {row.witness: row.largest for row in connection.execute(query)}


def _cosigners(opened: VerifiedCheckpoint) -> Iterator[VerifierKey]:
    return (s.key for s in opened.signatures if s.key.algorithm == COSIGNATURE_V1)
