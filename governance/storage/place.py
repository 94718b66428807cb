"""The pen's place in the log: what it committed last, compared with the head under its lock.

What the pen signs is the root of the tree in memory. It signs that only where the tree has the
peaks that were committed with the head, which were computed from the head before (attack 24): one
flipped bit in either gives no signature.

A head that reads as the pen left it was compared when the pen left it, and is not taken apart
again. Any other head is (P3): another process wrote it, or nobody may have.
"""

from __future__ import annotations

from sqlalchemy import Connection

from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.merkle import Frontier
from governance.ledger.core.record import genesis_prev
from governance.ledger.store.live import LiveLog
from governance.ledger.store.note_file import NoteFile
from governance.storage.catching_up import NEAR, FarBehind, add_committed, come_near
from governance.storage.chain import Draft, Head, HeadRow, head_row, take_epoch
from governance.storage.errors import audit_unavailable
from governance.storage.fencing import fenced
from governance.storage.log_signer import LogSigner
from governance.storage.notes import put_note


class Place:
    """Where one pen stands; only its thread calls what changes it."""

    def __init__(
        self,
        *,
        live: LiveLog,
        signer: LogSigner,
        notes: NoteFile,
        exclusive: bool,
        epoch: int | None,
    ) -> None:
        """Begin where `live` ends. `exclusive`: the home has one owner, who takes an epoch."""
        self._live = live
        self._signer = signer
        self._notes = notes
        self._exclusive = exclusive
        self._epoch = None if exclusive else epoch
        self._left: tuple[HeadRow, Head] | None = None
        self._behind = False
        # The last note of the file may be in the file alone: a process that was killed had no next
        # commit to store it with. Two such ends in a row must not look like unsigned history.
        self._unsaved: tuple[int, bytes] | None = live.published if live.note else None
        self.standing_epoch = 0

    @property
    def owes_note(self) -> bool:
        """Whether the last note is not in the database yet."""
        return self._unsaved is not None

    def holds(self, head: Head) -> bool:
        """Whether the fencing epoch is still this pen's."""
        return head.epoch == self._epoch

    def meet(self, connection: Connection) -> Head:
        """Return the locked head, with our tree brought up to it.

        Raises LedgerTampered, Fenced where another process was started after us, and FarBehind
        where it wrote too much to be read under the lock.
        """
        left, self._left = self._left, None
        row = head_row(connection, lock=True)
        if left is not None and row == left[0]:
            return left[1]
        head = None if row is None else Head.of(row)
        if head is None or head.origin != self._live.origin:
            raise LedgerTampered("the database holds no head of this log")
        head = self._own(connection, head)
        if left is not None and self._exclusive:
            raise LedgerTampered("log_head is not as this process left it")
        size = self._live.tree.size
        self._behind = head.next_seq - size > NEAR
        if self._behind:
            raise FarBehind
        if head.next_seq < size:
            raise LedgerTampered(
                f"the database holds {head.next_seq} entries, this process saw {size} committed",
                sequence=head.next_seq,
            )
        add_committed(connection, self._live, through=head.next_seq)
        if self._live.tree.frontier() != head.frontier or head.head_leaf != self._last_leaf():
            raise LedgerTampered("the stored head is not the head of the entries")
        return head

    def _last_leaf(self) -> bytes:
        tree = self._live.tree
        return tree.leaf(tree.size - 1) if tree.size else genesis_prev(self._live.origin)

    def _own(self, connection: Connection, head: Head) -> Head:
        """Return the head where its epoch is ours, with the next one where we have none yet."""
        if self._exclusive and self._epoch is None:
            return take_epoch(connection, head)
        if head.epoch == self._epoch:
            return head
        if self._exclusive:
            raise LedgerTampered(
                "another process wrote with this home's pen",
                next_step="Stop both processes, verify the ledger, and start one of them.",
            )
        raise fenced(found=head.epoch, held=self._epoch)

    def come_near(self, connection: Connection) -> None:
        """Read what is far behind, without a lock, after `meet` raised FarBehind."""
        if not self._behind:
            return
        with connection.begin():
            come_near(connection, self._live)
        self._behind = False

    def store_note(self, connection: Connection) -> None:
        """Store the note over everything that this transaction builds on."""
        known = self._live.published_size
        if self._unsaved is not None:
            known, note = self._unsaved
            put_note(connection, known, note)
        size = self._live.tree.size
        if size > known:  # another process wrote it, or we did and could not confirm
            put_note(connection, size, self._signed(self._live.tree.frontier()))

    def advance(self, draft: Draft) -> None:
        """Go to the head that was committed: grow the tree, sign it, and append the note.

        Raises LedgerTampered where the tree is not that of the head, and AuditUnavailable where
        the note cannot be kept.
        """
        self._unsaved = None
        self._epoch = draft.epoch
        self._live.extend(draft.leaves)
        self._signer.follow(draft.trust)
        self.standing_epoch = draft.standing_epoch
        head, frontier = draft.head(), self._live.tree.frontier()
        if frontier != head.frontier:
            raise LedgerTampered("the tree in memory is not that of the head that was committed")
        if frontier.size != self._live.published_size:
            self._publish(frontier)
        self._left = head.row(), head

    def _publish(self, frontier: Frontier) -> None:
        note = self._signed(frontier)
        self._unsaved = (frontier.size, note)
        try:
            self._notes.append(note)
        except OSError as error:
            raise audit_unavailable("the signed checkpoint could not be kept") from error
        self._live.publish(size=frontier.size, note=note)

    def _signed(self, frontier: Frontier) -> bytes:
        checkpoint = Checkpoint(origin=self._live.origin, size=frontier.size, root=frontier.root())
        return self._signer.sign(checkpoint)
