"""What everybody reads of the ledger: entries, receipts, and the verdict of a verification."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, RowMapping, select

from governance.errors import NotFound
from governance.ledger.core.body_cipher import SealedBody, unseal
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import Tree
from governance.ledger.core.policy import Policy
from governance.ledger.core.progress import UNWATCHED, Watch
from governance.ledger.core.proof import TlogProof
from governance.ledger.core.receipt import build_receipt
from governance.ledger.core.verify import VerifiedLog
from governance.ledger.store.anchors import Anchor, StoredAnchors, largest_cosigned
from governance.ledger.store.blocks import Bodies, ErasedMeanwhile
from governance.ledger.store.by_kind import numbers_of
from governance.ledger.store.cells import Columns
from governance.ledger.store.checkpoints import StoredCheckpoints
from governance.ledger.store.entries import (
    LedgerEntry,
    entry_rows,
    entry_rows_without_bodies,
    one,
    readable,
)
from governance.ledger.store.key_ring import KeyRing
from governance.ledger.store.keys import KeyDestroyed, KeyStore, KeyUnknown
from governance.ledger.store.live import LiveLog
from governance.ledger.store.note_file import largest_note
from governance.ledger.store.tables import LARGEST, BodyRow, EntryRow, Row
from governance.ledger.store.tiles import LedgerTiles
from governance.ledger.store.whole_log import WholeLog

__all__ = ["LedgerEntry", "LedgerView"]

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]


class LedgerView:
    """The stored log of one home, read-only."""

    def __init__(
        self,
        *,
        engine: Engine,
        live: LiveLog,
        keys: KeyStore,
        ring: KeyRing,
        policy_text: str,
        notes_path: Path,
        refresh: Callable[[], None],
    ) -> None:
        self.origin = live.origin
        self.policy_text = policy_text
        self._engine = engine
        self._live = live
        self._keys = keys
        self._ring = ring
        self._notes_path = notes_path
        self._refresh = refresh
        self.tiles = LedgerTiles(engine=engine, live=live, open_body=self._open)
        self.checkpoints = StoredCheckpoints(engine=engine)

    def head(self) -> tuple[int, bytes]:
        """Return size and root under the last signed checkpoint."""
        return self._live.head()

    def checkpoint(self) -> str:
        """Return the last signed checkpoint, a C2SP note."""
        return self._live.note.decode()

    def entry(self, seq: int) -> LedgerEntry:
        """Return entry `seq`; raise NotFound."""
        return readable(self._entry_row(seq))

    def find(self, event_id: str) -> LedgerEntry:
        """Return the entry with this event id; raise NotFound."""
        query = entry_rows().where(_ENTRY.c.event_id == event_id)
        with self._connect() as connection:
            row = one(connection, query)
        if row is None:
            raise NotFound(f"the ledger has no event {event_id}", next_step="Check the identifier.")
        return readable(row)

    def entries(
        self, from_seq: int = 0, limit: int = 100, *, bodies: bool = True
    ) -> list[LedgerEntry]:
        """Return up to `limit` entries from `from_seq` on, in order.

        Without `bodies` their ciphertexts stay in the database, for whoever reads many.
        """
        if from_seq > LARGEST:
            return []
        rows = entry_rows() if bodies else entry_rows_without_bodies()
        query = rows.where(_ENTRY.c.seq >= from_seq).order_by(_ENTRY.c.seq).limit(limit)
        with self._connect() as connection:
            return [readable(row) for row in connection.execute(query).mappings()]

    def numbers_of(self, kinds: Sequence[str], *, limit: int) -> list[int]:
        """Return the numbers of up to `limit` entries of these kinds, the latest first."""
        with self._connect() as connection:
            return numbers_of(connection, kinds, limit=limit)

    def body(self, seq: int) -> bytes | None:
        """Return the decrypted body of entry `seq`, None where it has none or it is erased.

        Raises NotFound, KeyDestroyed, KeyUnknown, or BodyUnreadable where it was changed.
        """
        return self._open_unless_erased(self._entry_row(seq))

    def _entry_row(self, seq: int) -> RowMapping:
        row = None
        if 0 <= seq <= LARGEST:
            with self._connect() as connection:
                row = one(connection, entry_rows().where(_ENTRY.c.seq == seq))
        if row is None:
            raise NotFound(
                f"the ledger has no entry {seq}", next_step="Ask for a number below its size."
            )
        return row

    def _open_unless_erased(self, row: RowMapping) -> bytes | None:
        """Return the body; None also where it is erased between reading the row and opening it."""
        if row["ciphertext"] is None:
            return None
        try:
            return self._open(row)
        except KeyDestroyed:
            if self._is_erased(row["seq"]):
                return None
            raise

    def _is_erased(self, seq: int) -> bool:
        """Whether the body is marked as erased by now, in another snapshot than the one in use."""
        query = select(_BODY.c.erased_by_seq).where(_BODY.c.seq == seq)
        with self._connect() as connection:
            return connection.execute(query).scalar() is not None

    def _is_destroyed(self, key_id: str) -> bool:
        try:
            self._keys.get(key_id)
        except KeyDestroyed:
            return True
        except KeyUnknown:
            return False
        return False

    def receipt(self, event_id: str) -> bytes:
        """Return the receipt of an event under the best checkpoint that covers it; raise NotFound.

        That is the last one which a quorum of witnesses cosigned (S1), else the last one (S0). The
        body is in it unless it was erased.
        """
        query = entry_rows().where(_ENTRY.c.event_id == event_id)
        with self._connect() as connection:
            row = one(connection, query)
        if row is None:
            raise NotFound(f"the ledger has no event {event_id}", next_step="Check the identifier.")
        if row["seq"] >= self._live.published_size:
            self._refresh()  # another process of this database wrote it
        body = self._open_unless_erased(row)
        return build_receipt(
            entry=row["env"],
            facts=row["facts"],
            facts_salt=row["facts_salt"],
            body=body,
            body_salt=None if body is None else row["salt"],
            proof=self._live.best_proof(row["seq"]),
        )

    def proof(self, seq: int) -> TlogProof:
        """Return the proof of entry `seq` as a receipt would hold it; raise NoSuchProof."""
        return self._live.best_proof(seq)

    def verify(
        self, *, watch: Watch = UNWATCHED, destroyed: list[int] | None = None
    ) -> VerifiedLog:
        """Check every entry, body and checkpoint; raise LedgerTampered naming the first fault.

        One snapshot is read once, in order. Bodies are decrypted and compared; a body without a
        key is accepted only where a later entry says that it was erased. Where somebody is erased
        meanwhile, the snapshot is no longer what is kept, and another one is read.
        `destroyed` is for a recovery: bodies of keys that are known as destroyed are listed there,
        and notes in checkpoints.log that are ahead of the storage are what it recovers from.
        """
        while True:
            try:
                return self._verify(watch, destroyed)
            except ErasedMeanwhile:
                continue

    def _verify(self, watch: Watch, destroyed: list[int] | None) -> VerifiedLog:
        newest = [self.log_keys.open(self._live.note)]
        at_most = None if destroyed is None else self._live.tree.size
        in_file = largest_note(self._notes_path, keys=self.log_keys, at_most=at_most)
        if in_file is not None:
            newest.append(in_file)
        elif destroyed is None:
            raise LedgerTampered(f"{self._notes_path.name} is gone, or holds no whole note")
        whole = WholeLog(
            origin=self.origin,
            keys=self.log_keys,
            tree=self._live.tree,
            anchors=self._anchors(),
            bodies=Bodies(
                opener=self._open,
                is_erased=self._is_erased,
                is_destroyed=self._is_destroyed,
                destroyed=destroyed,
            ),
        )
        with self._connect() as connection:
            return whole.verify(connection, newest=newest, watch=watch)

    @property
    def log_keys(self) -> LogKeys:
        """The keys of the log, each with the sizes that it may sign."""
        return self._ring.keys

    @property
    def vkey(self) -> str:
        """The newest key of the log, for verifiers."""
        return self.log_keys.newest.text()

    @property
    def policy(self) -> Policy:
        """The trust policy in force."""
        return Policy.parse(self.policy_text.encode())

    @property
    def tree(self) -> Tree:
        """The tree that this view was derived with; it only grows."""
        return self._live.tree

    def use_policy(self, text: str) -> Anchor | None:
        """Judge by another policy from now on; return the largest stored anchor under it."""
        self.policy_text = text
        return self.stored_anchor()

    def stored_anchor(self) -> Anchor | None:
        """Return the largest stored checkpoint with a quorum; raise LedgerTampered at a bad one."""
        with self._connect() as connection:
            return self._anchors().largest(connection)

    def anchor_under(self, policy: Policy, *, above: int, first: bool) -> Anchor | None:
        """Return the first or the last stored checkpoint above a size with the policy's quorum."""
        judged = StoredAnchors(keys=self.log_keys, policy=policy, tree=self._live.tree)
        with self._connect() as connection:
            return judged.above(connection, above, first=first)

    def cosigned_sizes(self) -> dict[str, int]:
        """Return the largest size that each witness cosigned, by `anchors.witness_id`."""
        with self._connect() as connection:
            return largest_cosigned(connection)

    def anchored_size(self) -> int:
        """Return how many entries are under a stored checkpoint that a quorum cosigned (P3).

        Every counted line is verified now. Raises LedgerTampered at one that is not as signed.
        """
        anchor = self.stored_anchor()
        return 0 if anchor is None else anchor.size

    def _anchors(self) -> StoredAnchors:
        return StoredAnchors(
            keys=self.log_keys,
            policy=self.policy,
            tree=self._live.tree,
        )

    def _open(self, row: Columns) -> bytes:
        return unseal(
            SealedBody(
                nonce=row["nonce"],
                ciphertext=row["ciphertext"],
                key_commitment=row["key_commitment"],
            ),
            dek=self._keys.get(row["key_id"]),
            origin=self.origin,
            event_id=row["event_id"],
        )

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin() as snapshot:
            yield connection
            snapshot.rollback()
