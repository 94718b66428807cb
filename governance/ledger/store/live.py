"""The tree of this process and the last checkpoint that it signed.

One thread, the pen's, extends the tree and publishes; any thread may ask for proofs. That is safe
without a lock: the tree only grows, proofs are asked for the published size, and the published
size and its note change together as one tuple.
"""

from __future__ import annotations

from collections.abc import Iterable

from governance.ledger.core.merkle import Tree
from governance.ledger.core.proof import TlogProof
from governance.ledger.store.anchors import Anchor


class LiveLog:
    """The entries' tree in memory, two hashes an entry."""

    def __init__(self, *, origin: str, tree: Tree) -> None:
        self.origin = origin
        self.tree = tree
        self._published: tuple[int, bytes] = (0, b"")
        self._anchored: tuple[int, bytes] = (0, b"")

    @property
    def published_size(self) -> int:
        """The number of entries that the last note covers."""
        return self._published[0]

    @property
    def note(self) -> bytes:
        """The last signed checkpoint; empty before the first one."""
        return self._published[1]

    @property
    def published(self) -> tuple[int, bytes]:
        """Size and note of the last checkpoint, which belong together."""
        return self._published

    @property
    def anchored_size(self) -> int:
        """The number of entries that a quorum of witnesses has seen."""
        return self._anchored[0]

    def anchor(self, anchor: Anchor | None) -> None:
        """Make what a quorum cosigned the checkpoint of receipts that are fetched later."""
        self._anchored = (0, b"") if anchor is None else (anchor.size, anchor.note)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add the leaves of committed entries (the pen only)."""
        self.tree.extend(leaves)

    def publish(self, *, size: int, note: bytes) -> None:
        """Make `note` the checkpoint that proofs lead to (the pen only)."""
        self._published = (size, note)

    def head(self) -> tuple[int, bytes]:
        """Return size and root of the published tree."""
        size = self.published_size
        return size, self.tree.root(size)

    def proof(self, seq: int, *, under: tuple[int, bytes] | None = None) -> TlogProof:
        """Return the proof of entry `seq` under the published note; raise NoSuchProof.

        `under` is an earlier value of `published`.
        """
        return self._proof(seq, *(under or self._published))

    def best_proof(self, seq: int) -> TlogProof:
        """Return the proof under the cosigned note where that covers the entry (stage S1)."""
        size, note = self._anchored
        return self._proof(seq, size, note) if seq < size else self.proof(seq)

    def _proof(self, seq: int, size: int, note: bytes) -> TlogProof:
        return TlogProof(
            index=seq, hashes=tuple(self.tree.inclusion_proof(seq, size)), checkpoint=note
        )
