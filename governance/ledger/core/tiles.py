"""Tiles: the log's tree and entries as a finite set of static files (c2sp.org/tlog-tiles).

    tile/<L>/<N>[.p/<W>]         256 consecutive node hashes of height 8*L, 32 bytes each
    tile/entries/<N>[.p/<W>]     256 entries          tile/facts/…, tile/bodies/…   beside them

`<N>` is written in groups of three digits, all but the last after an `x`: 1234067 is x001/x234/067.
A full tile never changes. The rightmost tile of a level is partial (`.p/<W>`) until it is full.
From these files anybody computes the root of any earlier size and every proof, asking nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Final, Literal, TypeAlias

from governance.errors import GovernanceError
from governance.ledger.core.encoding import HASH_BYTES, MAX_UINT63
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.merkle import HashedTree, Tree

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
MAX_LEVEL: Final = 63

Kind: TypeAlias = Literal["hashes", "entries", "facts", "bodies"]
BUNDLES: Final[tuple[Kind, ...]] = ("entries", "facts", "bodies")

# Seven groups of digits number more tiles than 2**63 entries have.
_PATH: Final = re.compile(
    r"tile/(entries|facts|bodies|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?",
    re.ASCII,
)
_NEXT: Final = "Name a tile as c2sp.org/tlog-tiles does, for example tile/0/x001/067."


class TilePathRejected(GovernanceError):
    """A path does not name a tile of any log."""

    code: ClassVar[str] = "ledger.no_such_tile"
    http_status: ClassVar[int] = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePath:
    """Which tile: its kind, the level (0 for bundles), its index in it, and its width 1..256."""

    kind: Kind = "hashes"
    level: int = 0
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if (
            not 0 <= self.level <= MAX_LEVEL
            or (self.level and self.kind != "hashes")
            or not 0 <= self.index <= MAX_UINT63 // TILE_WIDTH
            or not 1 <= self.width <= TILE_WIDTH
        ):
            raise TilePathRejected("no tile has this level, index or width", next_step=_NEXT)

    @property
    def is_full(self) -> bool:
        """Return whether the tile can never grow."""
        return self.width == TILE_WIDTH

    @property
    def first(self) -> int:
        """Return the number of the first entry that the tile covers."""
        return self.index << TILE_HEIGHT * (self.level + 1)

    def text(self) -> str:
        """Return the path, relative to the log's prefix."""
        label = str(self.level) if self.kind == "hashes" else self.kind
        rest, last = divmod(self.index, 1000)
        number = f"{last:03d}"
        while rest:
            rest, group = divmod(rest, 1000)
            number = f"x{group:03d}/{number}"
        return f"tile/{label}/{number}" + ("" if self.is_full else f".p/{self.width}")

    @classmethod
    def parse(cls, text: str) -> TilePath:
        """Return the tile whose path is exactly `text`; raise TilePathRejected."""
        match = _PATH.fullmatch(text)
        if match is None:
            raise TilePathRejected("the path is not that of a tile", next_step=_NEXT)
        label, number, width = match.groups()
        path = cls(
            kind=_kind(label),
            level=int(label) if label.isdecimal() else 0,
            index=int(number.replace("x", "").replace("/", "")),
            width=TILE_WIDTH if width is None else int(width),
        )
        if path.text() != text:  # groups of zeros in front, a width of 256
            raise TilePathRejected("the path is not spelled as it must be", next_step=_NEXT)
        return path


def tile_at(size: int, *, index: int, level: int = 0, kind: Kind = "hashes") -> TilePath | None:
    """Return the tile with this index in a tree of `size`, None where it would be empty."""
    width = min((size >> TILE_HEIGHT * level) - index * TILE_WIDTH, TILE_WIDTH)
    return TilePath(kind=kind, level=level, index=index, width=width) if width > 0 else None


def tiles_of(
    size: int, *, level: int = 0, kind: Kind = "hashes", start: int = 0
) -> Iterator[TilePath]:
    """Yield the tiles of one level of a tree of `size`, from index `start` on."""
    index = start
    while (path := tile_at(size, index=index, level=level, kind=kind)) is not None:
        yield path
        index += 1


def tile_count(size: int, *, level: int = 0) -> int:
    """Return how many tiles one level of a tree of `size` has."""
    return -(-(size >> TILE_HEIGHT * level) // TILE_WIDTH)


def levels_of(size: int) -> range:
    """Return the levels at which a tree of `size` has tiles."""
    return range(-(-size.bit_length() // TILE_HEIGHT))


def hash_tile(tree: Tree, path: TilePath) -> bytes:
    """Return the tile's hashes out of a tree in memory; raise NoSuchProof beyond its nodes."""
    return tree.complete_nodes(TILE_HEIGHT * path.level, path.index * TILE_WIDTH, path.width)


def subtree_root(hashes: bytes) -> bytes:
    """Return the root over 2**k concatenated hashes."""
    while len(hashes) > HASH_BYTES:
        hashes = b"".join(
            [
                sha256(b"\x01" + hashes[at : at + 2 * HASH_BYTES]).digest()
                for at in range(0, len(hashes), 2 * HASH_BYTES)
            ]
        )
    return hashes


class TileFold:
    """Folds hashes upwards, 256 to one, keeping the last tile of each level: 64 kB at most."""

    __slots__ = ("_counts", "_tiles")

    def __init__(self) -> None:
        self._tiles: list[bytearray] = []
        self._counts: list[int] = []

    def push(self, hashed: bytes, *, level: int = 0) -> list[tuple[int, int, bytes]]:
        """Take the next hash of `level`; return (level, position, hash) of it and those above it.

        A caller that begins at level 1 gives the roots of full level-0 tiles.
        """
        placed = []
        while True:
            while level >= len(self._tiles):
                self._tiles.append(bytearray())
                self._counts.append(0)
            if len(self._tiles[level]) == TILE_BYTES:  # full tiles stay until the next one begins
                self._tiles[level] = bytearray()
            self._tiles[level] += hashed
            placed.append((level, self._counts[level], hashed))
            self._counts[level] += 1
            if len(self._tiles[level]) < TILE_BYTES:
                return placed
            hashed = subtree_root(bytes(self._tiles[level]))
            level += 1

    def tile(self, level: int) -> bytes:
        """Return the last tile of `level`, partial or just filled."""
        return bytes(self._tiles[level])

    def root(self, size: int) -> bytes:
        """Return the root of the tree of `size`, all of whose hashes were taken."""
        return TiledTree(size=size, read=lambda path: self.tile(path.level)).root()


def tiles_from_leaves(leaves: Iterable[bytes]) -> Iterator[tuple[TilePath, bytes]]:
    """Yield every hash tile of the tree over `leaves`, each when it is whole, partial ones last."""
    fold, size = TileFold(), 0
    for leaf in leaves:
        size += 1
        for level, position, _ in fold.push(leaf):
            index, offset = divmod(position, TILE_WIDTH)
            if offset == TILE_WIDTH - 1:
                yield TilePath(level=level, index=index), fold.tile(level)
    for level in levels_of(size):
        index, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
        if width:
            yield TilePath(level=level, index=index, width=width), fold.tile(level)


class TiledTree(HashedTree):
    """The tree of `size` entries behind published tiles: roots and proofs without the log.

    `read` returns the bytes of a tile as it is at `size`. Nothing is believed: the caller compares
    `root()` with a signed one, and what proofs from here lead to as well.
    """

    __slots__ = ("_read", "_size")

    def __init__(self, *, size: int, read: Callable[[TilePath], bytes]) -> None:
        self._size = size
        self._read = read

    @property
    def size(self) -> int:
        """Return the number of leaves."""
        return self._size

    def node(self, level: int, index: int) -> bytes:
        """Return the root of the `index`-th complete subtree of 2**level leaves."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile, offset = divmod(index << height, TILE_WIDTH)
        path = tile_at(self._size, index=tile, level=tile_level)
        assert path is not None, "the trees above ask only for complete subtrees"
        hashes = checked_tile(path, self._read(path))
        return subtree_root(hashes[HASH_BYTES * offset : HASH_BYTES * (offset + (1 << height))])


def checked_tile(path: TilePath, raw: bytes) -> bytes:
    """Return the bytes of a hash tile; raise LedgerTampered where they are too few or too many."""
    if len(raw) != HASH_BYTES * path.width:
        raise LedgerTampered(
            f"{path.text()} does not hold {path.width} hashes", sequence=path.first
        )
    return raw


def _kind(label: str) -> Kind:
    match label:
        case "entries" | "facts" | "bodies":
            return label
        case _:
            return "hashes"
