"""The Merkle tree of RFC 6962 section 2.1 and RFC 9162 section 2.1, and its proofs.

    leaf = SHA-256(0x00 || entry)        node = SHA-256(0x01 || left || right)

The prefixes keep an inner node from being presented as an entry. A verifier derives the path
from (index, size) alone: a proof is only a list of hashes and never says which side one is on.
Verification returns a root or raises; there is no boolean to forget.

`HashedTree` proves from complete subtrees, wherever they are kept. `Tree` keeps them in memory (64
bytes an entry, inclusion proofs in O(log n)); `tiles.TiledTree` reads them from published tiles.
`Frontier` keeps only the peaks (32 bytes a set bit of the size): what a writer must store to go on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from governance.ledger.core.encoding import HASH_BYTES, MAX_UINT63
from governance.ledger.core.errors import LedgerTampered, NoSuchProof, ProofRejected

EMPTY_ROOT: Final = sha256(b"").digest()

# A tree of 2**63 entries has a path of 63 hashes; a longer proof is noise (RFC 9162 2.1.3).
MAX_PROOF_HASHES: Final = 63

_NEXT_PROOF: Final = "Fetch the proof again from the log; if it fails again, report a split view."


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right) of two 32-byte hashes."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The peaks of a tree, largest first: all that is needed to append and to state the root.

    A value, so a transaction that rolls back keeps the frontier it began with.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def push(self, leaf: bytes) -> Frontier:
        """Return the frontier with one more leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """Return the frontier with more leaf hashes, in order."""
        growing = GrowingFrontier(self)
        growing.extend(leaves)
        return growing.frontier()

    def root(self) -> bytes:
        """Return the root hash; SHA-256 of nothing for the empty tree."""
        return _fold(self.peaks)

    def encode(self) -> bytes:
        """Return size (8 bytes, big-endian) || peaks (32 bytes each, largest first)."""
        return self.size.to_bytes(8, "big") + b"".join(self.peaks)

    @classmethod
    def decode(cls, raw: bytes) -> Frontier:
        """Return the frontier of `encode`; raise LedgerTampered for other bytes."""
        size = int.from_bytes(raw[:8], "big")
        if size > MAX_UINT63 or len(raw) != 8 + HASH_BYTES * size.bit_count():
            raise LedgerTampered("the stored frontier does not have the form of its size")
        return cls(size, tuple(raw[at : at + HASH_BYTES] for at in range(8, len(raw), HASH_BYTES)))


class GrowingFrontier:
    """A frontier that is changed in place, for whoever streams a log through it."""

    __slots__ = ("_peaks", "size")

    def __init__(self, start: Frontier) -> None:
        self.size = start.size
        self._peaks = list(start.peaks)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order, each level of the tree in one go."""
        nodes, rising = list(leaves), []
        size, self.size = self.size, self.size + len(nodes)
        while nodes:
            if size & 1:  # a set bit of the size is a peak of that height
                nodes.insert(0, self._peaks.pop())
            if len(nodes) & 1:
                rising.append(nodes.pop())
            nodes = _parents(nodes)
            size >>= 1
        self._peaks += reversed(rising)

    def frontier(self) -> Frontier:
        """Return what it is now."""
        return Frontier(self.size, tuple(self._peaks))


class HashedTree(ABC):
    """What every tree answers from the roots of its complete subtrees, for any size it ever had."""

    __slots__ = ()

    @property
    @abstractmethod
    def size(self) -> int:
        """Return the number of leaves."""

    @abstractmethod
    def node(self, level: int, index: int) -> bytes:
        """Return the root of the `index`-th complete subtree of 2**level leaves."""

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash at `index`."""
        if not 0 <= index < self.size:
            raise _no_such(f"there is no entry {index}")
        return self.node(0, index)

    def frontier(self, size: int | None = None) -> Frontier:
        """Return the peaks of the tree as it was at `size` (now, when None)."""
        size = self._known(size)
        return Frontier(size, tuple(self._peaks(0, size)))

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the tree as it was at `size` (now, when None)."""
        return self.frontier(size).root()

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the sibling hashes from the leaf up (RFC 9162 2.1.3.1)."""
        size = self._known(size)
        if not 0 <= index < size:
            raise _no_such(f"there is no entry {index} in a tree of {size}")
        path: list[bytes] = []
        level = 0
        while (1 << level) < size:
            sibling = (index >> level) ^ 1
            start, end = sibling << level, (sibling + 1) << level
            if end <= size:
                path.append(self.node(level, sibling))
            elif start < size:  # the ragged right edge; met at most once on a path
                path.append(_fold(self._peaks(start, size)))
            level += 1
        return path

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the proof that the tree of `old` is a prefix of that of `new` (RFC 9162 2.1.4.1).

        Empty for `old` = 0, because everything extends the empty tree, and for `old` = `new`.
        """
        new = self._known(new)
        if not 0 <= old <= new:
            raise _no_such(f"a tree of {new} has no earlier size {old}")
        if old == 0:
            return []
        path: list[bytes] = []
        low, high, whole = 0, new, True
        while old != high:  # [low, high) is the subtree whose prefix [low, old) is being proved
            split = low + (1 << ((high - low - 1).bit_length() - 1))
            if old <= split:
                path.append(_fold(self._peaks(split, high)))
                high = split
            else:
                path.append(_fold(self._peaks(low, split)))
                low, whole = split, False
        if not whole:
            path.append(_fold(self._peaks(low, high)))
        return path[::-1]

    def _peaks(self, start: int, end: int) -> Iterable[bytes]:
        """Yield the complete subtrees that cover [start, end); `start` is aligned to the first."""
        while start < end:
            level = (end - start).bit_length() - 1
            yield self.node(level, start >> level)
            start += 1 << level

    def _known(self, size: int | None) -> int:
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise _no_such(f"the tree has {self.size} entries, not {size}")
        return size


class Tree(HashedTree):
    """An append-only tree in memory that answers for every size that it ever had.

    Level k is one bytearray of the roots of all complete subtrees of 2**k leaves, so the memory
    is two hashes an entry without an object per node.
    """

    __slots__ = ("_levels",)

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        self.extend(leaves)

    @property
    def size(self) -> int:
        """Return the number of leaves."""
        return len(self._levels[0]) // HASH_BYTES

    def node(self, level: int, index: int) -> bytes:
        """Return the root of the `index`-th complete subtree of 2**level leaves."""
        at = index * HASH_BYTES
        return bytes(self._levels[level][at : at + HASH_BYTES])

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash (32 bytes)."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order, each level of the tree in one go.

        The leaves come last, so that in another thread the size never runs ahead of the nodes.
        """
        added = list(leaves)
        if any(len(leaf) != HASH_BYTES for leaf in added):
            raise ProofRejected("a leaf hash has 32 bytes", next_step=_NEXT_PROOF)
        size, rows = self.size, []
        while added:
            rows.append(added)
            if size & 1:  # the last node of this level has waited for its sibling
                added = [self.node(len(rows) - 1, size - 1), *added]
            added = _parents(added)
            size >>= 1
        for depth in reversed(range(len(rows))):
            self._level(depth).extend(b"".join(rows[depth]))

    def _level(self, depth: int) -> bytearray:
        while len(self._levels) <= depth:
            self._levels.append(bytearray())
        return self._levels[depth]

    def complete_nodes(self, level: int, start: int, count: int) -> bytes:
        """Return `count` concatenated complete-subtree roots of `level`, as tiles publish them."""
        known = len(self._levels[level]) // HASH_BYTES if 0 <= level < len(self._levels) else 0
        if not 0 <= start <= start + count <= known:
            raise _no_such(f"level {level} has {known} complete nodes")
        return bytes(self._levels[level][start * HASH_BYTES : (start + count) * HASH_BYTES])


def _parents(nodes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes over the pairs of `nodes`; without a sibling the last one is left out."""
    pairs = iter(nodes)
    return [
        sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)
    ]


def root_from_inclusion_proof(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes]
) -> bytes:
    """Return the root that `proof` leads to from `leaf` (RFC 9162 2.1.3.2).

    The caller compares it with a root that somebody signed. Raises ProofRejected when the number
    of hashes is not that of (index, size).
    """
    if not 0 <= index < size <= MAX_UINT63:
        raise _rejected(f"there is no entry {index} in a tree of {size}")
    _check_hashes(leaf, *proof)
    first, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise _rejected("the proof has more hashes than the tree has levels")
        if first & 1 or first == last:
            root = node_hash(sibling, root)
            while not first & 1 and first:  # skip the levels at which the right edge is alone
                first >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        first >>= 1
        last >>= 1
    if last != 0:
        raise _rejected("the proof has fewer hashes than the tree has levels")
    return root


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise ProofRejected unless the new tree extends the old one (RFC 9162 2.1.4.2)."""
    if not 0 <= old_size <= new_size <= MAX_UINT63:
        raise _rejected(f"a tree of {new_size} cannot extend one of {old_size}")
    _check_hashes(old_root, new_root, *proof)
    if old_size in (0, new_size):
        expected = EMPTY_ROOT if old_size == 0 else new_root
        if proof or old_root != expected:
            raise _rejected("equal or empty trees need equal roots and an empty proof")
        return
    nodes = list(proof)
    if old_size & (old_size - 1) == 0:  # a full old tree is itself the first node
        nodes.insert(0, old_root)
    if not nodes:
        raise _rejected("the proof is empty")
    old, new = _consistency_roots(old_size, new_size, nodes)
    if old != old_root:
        raise _rejected("the proof does not lead to the old root")
    if new != new_root:
        raise _rejected("the proof does not lead to the new root")


def _consistency_roots(old_size: int, new_size: int, nodes: list[bytes]) -> tuple[bytes, bytes]:
    first, last = old_size - 1, new_size - 1
    while first & 1:
        first >>= 1
        last >>= 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise _rejected("the proof has more hashes than the tree has levels")
        if first & 1 or first == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            new = node_hash(new, node)
        first >>= 1
        last >>= 1
    if last != 0:
        raise _rejected("the proof has fewer hashes than the tree has levels")
    return old, new


def _fold(peaks: Iterable[bytes]) -> bytes:
    """Return the root over peaks, largest first: the right edge is hashed from the right."""
    root = b""
    for peak in reversed(tuple(peaks)):
        root = node_hash(peak, root) if root else peak
    return root or EMPTY_ROOT


def _check_hashes(*hashes: bytes) -> None:
    if len(hashes) > MAX_PROOF_HASHES + 2:
        raise _rejected(f"a proof has at most {MAX_PROOF_HASHES} hashes")
    if any(len(hashed) != HASH_BYTES for hashed in hashes):
        raise _rejected("a hash does not have 32 bytes")


def _no_such(message: str) -> NoSuchProof:
    return NoSuchProof(message, next_step="Ask for an entry and a size that the log has.")


def _rejected(message: str) -> ProofRejected:
    return ProofRejected(message, next_step=_NEXT_PROOF)
