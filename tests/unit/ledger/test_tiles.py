"""Tile paths, tile contents and trees read back from tiles.

Provenance: the path of 1234067 and the tiles of logs of 70,000 and 256 entries are the examples of
c2sp.org/tlog-tiles; every other tile is compared with the recursion of RFC 6962 section 2.1.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import cache
from hashlib import sha256

import pytest

from governance.ledger.core.errors import LedgerTampered, NoSuchProof
from governance.ledger.core.merkle import EMPTY_ROOT, Tree, leaf_hash
from governance.ledger.core.tiles import (
    TiledTree,
    TileFold,
    TilePath,
    TilePathRejected,
    checked_tile,
    hash_tile,
    levels_of,
    subtree_root,
    tile_at,
    tile_count,
    tiles_from_leaves,
    tiles_of,
)

SIZES = 600
LEAVES = [leaf_hash(b"%d" % i) for i in range(SIZES)]
TREE = Tree(LEAVES)


@cache
def mth(low: int, high: int) -> bytes:
    if high - low == 1:
        return LEAVES[low]
    split = 1 << ((high - low - 1).bit_length() - 1)
    return sha256(b"\x01" + mth(low, low + split) + mth(low + split, high)).digest()


def naive_tiles(size: int) -> dict[str, bytes]:
    """MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l]) for every i that is complete."""
    tiles: dict[str, bytes] = {}
    for level in range(4):
        span = 256**level
        for index in range(size // span // 256 + 1):
            hashes = [
                mth(at * span, (at + 1) * span)
                for at in range(256 * index, 256 * index + 256)
                if (at + 1) * span <= size
            ]
            if hashes:
                partial = "" if len(hashes) == 256 else f".p/{len(hashes)}"
                tiles[f"tile/{level}/{index:03d}{partial}"] = b"".join(hashes)
    return tiles


def reader(tree: Tree) -> Callable[[TilePath], bytes]:
    return lambda path: hash_tile(tree, path)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (TilePath(index=1234067), "tile/0/x001/x234/067"),
        (TilePath(index=0), "tile/0/000"),
        (TilePath(index=999), "tile/0/999"),
        (TilePath(index=1000), "tile/0/x001/000"),
        (TilePath(index=67, level=7, width=5), "tile/7/067.p/5"),
        (TilePath(index=1067, kind="entries"), "tile/entries/x001/067"),
        (TilePath(index=1, kind="facts", width=255), "tile/facts/001.p/255"),
        (TilePath(index=0, kind="bodies"), "tile/bodies/000"),
        (TilePath(index=0, level=63), "tile/63/000"),
    ],
)
def test_a_path_is_written_and_read_back_as_the_specification_shows(
    path: TilePath, text: str
) -> None:
    assert path.text() == text
    assert TilePath.parse(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/67",
        "tile/0/0067",
        "tile/0/x000/067",  # a second spelling of 067
        "tile/0/x001/x067",
        "tile/0/001/067",
        "tile/00/067",
        "tile/64/067",
        "tile/-1/067",
        "tile/01/067",
        "tile/0/067.p/0",
        "tile/0/067.p/256",
        "tile/0/067.p/05",
        "tile/0/067.p/+5",
        "tile/0/067.p",
        "tile/0/067.p/",
        "tile/0/067/",
        "tile/0/067\n",
        "/tile/0/067",
        "tile/names/067",
        "tile/entries/../067",
        "tile/0/٠٦٧",
        "tile/0/" + "x999/" * 6 + "999",  # more entries than 2**63
        "tile/0/" + "x001/" * 400 + "000",
    ],
)
def test_another_spelling_is_no_path(text: str) -> None:
    with pytest.raises(TilePathRejected):
        TilePath.parse(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"index": -1},
        {"index": 0, "level": 64},
        {"index": 0, "level": -1},
        {"index": 0, "width": 0},
        {"index": 0, "width": 257},
        {"index": 0, "level": 1, "kind": "entries"},
    ],
)
def test_there_is_no_such_tile(fields: dict[str, int]) -> None:
    with pytest.raises(TilePathRejected):
        TilePath(**fields)


def test_the_tiles_of_a_log_are_those_of_the_specifications_examples() -> None:
    named = {
        level: [path.text() for path in tiles_of(70_000, level=level)]
        for level in levels_of(70_000)
    }
    assert list(named) == [0, 1, 2]
    assert len(named[0]) == 274
    assert named[0][-1] == "tile/0/273.p/112"
    assert named[1] == ["tile/1/000", "tile/1/001.p/17"]
    assert named[2] == ["tile/2/000.p/1"]
    assert [path.text() for level in levels_of(256) for path in tiles_of(256, level=level)] == [
        "tile/0/000",
        "tile/1/000.p/1",
    ]


def test_an_empty_log_has_no_tiles() -> None:
    assert list(levels_of(0)) == []
    assert list(tiles_of(0)) == []
    assert tile_at(0, index=0) is None
    assert list(tiles_from_leaves([])) == []
    assert TileFold().root(0) == EMPTY_ROOT


def test_tiles_of_every_small_log_are_those_of_the_naive_tree() -> None:
    for size in range(SIZES + 1):
        tiles = naive_tiles(size)
        listed = [path for level in levels_of(size) for path in tiles_of(size, level=level)]
        assert {path.text(): hash_tile(TREE, path) for path in listed} == tiles
        assert len(listed) == sum(tile_count(size, level=level) for level in levels_of(size))


@pytest.mark.parametrize("size", [*range(8), *range(250, 262), *range(508, 520), SIZES])
def test_tiles_from_leaves_are_those_of_the_naive_tree(size: int) -> None:
    made = {path.text(): raw for path, raw in tiles_from_leaves(LEAVES[:size])}
    assert made == naive_tiles(size)


def test_tiles_of_seventy_thousand_entries_are_those_of_a_level_by_level_tree() -> None:
    level = [sha256(b"\x00%d" % i).digest() for i in range(70_000)]
    tree = Tree(level)
    tiles = {path.text(): raw for path, raw in tiles_from_leaves(level)}
    assert tiles.keys() == {
        path.text() for height in levels_of(70_000) for path in tiles_of(70_000, level=height)
    }
    for height in range(3):
        joined = b"".join(tiles[path.text()] for path in tiles_of(70_000, level=height))
        assert joined == b"".join(level)
        for _ in range(8):  # eight levels of pairs, the odd one left out
            pairs = zip(level[::2], level[1::2], strict=False)
            level = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    read = TiledTree(size=70_000, read=lambda path: tiles[path.text()])
    assert read.root() == tree.root()
    for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999):
        assert read.inclusion_proof(index) == tree.inclusion_proof(index)
    for old in (1, 255, 256, 257, 65_535, 65_536, 65_537, 69_999, 70_000):
        assert read.root(old) == tree.root(old)
        assert read.consistency_proof(old) == tree.consistency_proof(old)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 255, 256, 257, 511, 512, 513, SIZES])
def test_roots_and_proofs_are_read_back_from_tiles(size: int) -> None:
    tiles = naive_tiles(size)
    read = TiledTree(size=size, read=lambda path: tiles[path.text()])
    assert read.size == size
    assert read.root() == mth(0, size)
    for index in {0, size // 3, size - 1}:
        assert read.leaf(index) == LEAVES[index]
        assert read.inclusion_proof(index) == TREE.inclusion_proof(index, size)
    for old in {1, size // 2, size - 1, size} - {0}:
        assert read.consistency_proof(old) == TREE.consistency_proof(old, size)


def test_tiles_of_a_tree_answer_for_no_size_beyond_it() -> None:
    read = TiledTree(size=300, read=reader(TREE))
    for ask in (lambda: read.root(301), lambda: read.inclusion_proof(300), lambda: read.leaf(300)):
        with pytest.raises(NoSuchProof):
            ask()


@pytest.mark.parametrize("change", [-32, -1, 1, 32])
def test_a_tile_of_another_length_is_refused(change: int) -> None:
    path = TilePath(index=1, width=44)
    raw = hash_tile(TREE, path)
    with pytest.raises(LedgerTampered, match="44 hashes") as caught:
        checked_tile(path, raw[:change] if change < 0 else raw + bytes(change))
    assert caught.value.sequence == 256
    read = TiledTree(size=300, read=lambda path: hash_tile(TREE, path)[:-1])
    with pytest.raises(LedgerTampered):
        read.root()


def test_a_changed_tile_gives_another_root() -> None:
    for level in (0, 1):

        def read(path: TilePath, level: int = level) -> bytes:
            raw = hash_tile(TREE, path)
            return bytes([raw[0] ^ 1]) + raw[1:] if path.level == level else raw

        assert TiledTree(size=SIZES, read=read).root() != TREE.root()


def test_a_fold_over_roots_of_full_tiles_is_the_fold_over_leaves() -> None:
    fold = TileFold()
    for index in range(2):
        block = b"".join(LEAVES[256 * index : 256 * index + 256])
        assert fold.push(subtree_root(block), level=1)[0][:2] == (1, index)
    for leaf in LEAVES[512:]:
        fold.push(leaf)
    assert fold.root(SIZES) == TREE.root()


def test_memory_of_a_fold_does_not_grow_with_the_log() -> None:
    def peak(leaves: int) -> int:
        tracemalloc.start()
        for _path, _raw in tiles_from_leaves(LEAVES[at % SIZES] for at in range(leaves)):
            pass
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(100_000) < peak(2_000) + 64 * 1024
