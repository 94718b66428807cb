"""Trees, proofs and frontiers, against published vectors and a naive reading of the RFC."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from governance.ledger.core.errors import LedgerTampered, NoSuchProof, ProofRejected
from governance.ledger.core.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    leaf_hash,
    root_from_inclusion_proof,
    verify_consistency,
)

VECTORS = json.loads(
    (Path(__file__).parents[2] / "golden" / "ledger" / "rfc6962.json").read_text(encoding="utf-8")
)
LEAVES = [leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS["leaves"]]
ROOTS = [bytes.fromhex(root) for root in VECTORS["roots"]]

SIZES = 130
MANY = [sha256(bytes((i,))).digest() for i in range(SIZES)]
TREE = Tree(MANY)


# The recursive definitions of RFC 6962 section 2.1, word for word and without any cleverness.
@cache
def mth(low: int, high: int) -> bytes:
    if high - low == 1:
        return MANY[low]
    split = _split(high - low)
    left, right = mth(low, low + split), mth(low + split, high)
    return sha256(b"\x01" + left + right).digest()


def path(index: int, low: int, high: int) -> list[bytes]:
    if high - low == 1:
        return []
    split = _split(high - low)
    if index < split:
        return [*path(index, low, low + split), mth(low + split, high)]
    return [*path(index - split, low + split, high), mth(low, low + split)]


def subproof(old: int, low: int, high: int, *, whole: bool) -> list[bytes]:
    if old == high - low:
        return [] if whole else [mth(low, high)]
    split = _split(high - low)
    if old <= split:
        return [*subproof(old, low, low + split, whole=whole), mth(low + split, high)]
    return [*subproof(old - split, low + split, high, whole=False), mth(low, low + split)]


def _split(size: int) -> int:
    split = 1
    while split * 2 < size:
        split *= 2
    return split


def test_published_roots() -> None:
    tree = Tree(LEAVES)
    assert [tree.root(size) for size in range(9)] == ROOTS
    assert Frontier().root() == EMPTY_ROOT == ROOTS[0]


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda v: f"{v['index']}-{v['size']}")
def test_published_inclusion_proofs(vector: dict[str, object]) -> None:
    index, size = int(str(vector["index"])), int(str(vector["size"]))
    proof = [bytes.fromhex(h) for h in vector["proof"]]
    assert Tree(LEAVES).inclusion_proof(index, size) == proof
    root = root_from_inclusion_proof(LEAVES[index], index=index, size=size, proof=proof)
    assert root == ROOTS[size]


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda v: f"{v['old']}-{v['new']}")
def test_published_consistency_proofs(vector: dict[str, object]) -> None:
    old, new = int(str(vector["old"])), int(str(vector["new"]))
    proof = [bytes.fromhex(h) for h in vector["proof"]]
    assert Tree(LEAVES).consistency_proof(old, new) == proof
    verify_consistency(
        old_size=old, old_root=ROOTS[old], new_size=new, new_root=ROOTS[new], proof=proof
    )


def test_every_root_and_inclusion_proof_is_the_naive_one() -> None:
    for size in range(1, SIZES + 1):
        root = mth(0, size)
        assert TREE.root(size) == root
        for index in range(size):
            proof = TREE.inclusion_proof(index, size)
            assert proof == path(index, 0, size)
            assert (
                root_from_inclusion_proof(MANY[index], index=index, size=size, proof=proof) == root
            )


def test_every_consistency_proof_is_the_naive_one() -> None:
    for new in range(1, SIZES + 1):
        for old in range(1, new + 1):
            proof = TREE.consistency_proof(old, new)
            assert proof == subproof(old, 0, new, whole=True)
            verify_consistency(
                old_size=old,
                old_root=mth(0, old),
                new_size=new,
                new_root=mth(0, new),
                proof=proof,
            )


def test_a_frontier_grows_like_the_tree_and_survives_storage() -> None:
    frontier = Frontier()
    for size in range(SIZES):
        assert frontier == TREE.frontier(size)
        assert Frontier.decode(frontier.encode()) == frontier
        frontier = frontier.push(MANY[size])
    assert frontier.root() == TREE.root()
    assert Frontier().extend(MANY) == frontier


def test_appending_to_a_frontier_leaves_the_old_one_for_a_rollback() -> None:
    before = Frontier().extend(MANY[:5])
    before.push(MANY[5])
    assert before == TREE.frontier(5)


def test_trees_and_frontiers_do_not_depend_on_how_many_leaves_come_at_a_time() -> None:
    for start in range(33):
        for count in range(68):
            tree = Tree(MANY[:start])
            tree.extend(MANY[start : start + count])
            assert tree.frontier() == TREE.frontier(start + count)
            assert tree.frontier() == Frontier().extend(MANY[:start]).extend(
                MANY[start : start + count]
            )
            assert tree.root() == TREE.root(start + count)


def test_a_tree_takes_no_leaf_where_one_of_them_is_no_hash() -> None:
    tree = Tree(MANY[:3])
    with pytest.raises(ProofRejected):
        tree.extend([MANY[3], MANY[4][:31]])
    assert tree.frontier() == TREE.frontier(3)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0" * 7, b"\0" * 8 + b"\1" * 32, b"\0" * 7 + b"\3" + b"\1" * 32, b"\xff" * 8],
    ids=["nothing", "too short", "peaks of an empty tree", "one peak missing", "beyond 2**63"],
)
def test_a_stored_frontier_of_another_form_is_tampered(raw: bytes) -> None:
    with pytest.raises(LedgerTampered):
        Frontier.decode(raw)


def _forge(proof: list[bytes]) -> dict[str, list[bytes]]:
    flipped = [bytes((proof[0][0] ^ 8,)) + proof[0][1:], *proof[1:]]
    return {
        "a flipped bit": flipped,
        "one hash less": proof[:-1],
        "without the first": proof[1:],
        "one hash more": [*proof, proof[-1]],
        "the root behind": [*proof, TREE.root(77)],
        "one in front": [TREE.root(77), *proof],
        "reversed": proof[::-1],
        "none": [],
        "sixty-four hashes": [proof[0]] * 64,
        "a hash of 31 bytes": [proof[0][:31], *proof[1:]],
        "an empty hash behind": [*proof, b""],
    }


@pytest.mark.parametrize("forged", _forge(TREE.inclusion_proof(42, 77)).items(), ids=lambda f: f[0])
def test_a_forged_inclusion_proof_does_not_lead_to_the_root(
    forged: tuple[str, list[bytes]],
) -> None:
    try:
        root = root_from_inclusion_proof(MANY[42], index=42, size=77, proof=forged[1])
    except ProofRejected:
        return
    assert root != TREE.root(77)


# Sizes whose path has the same turns share a proof (42 in 76 and 77): the size is bound by the
# signature over the checkpoint, never by the proof.
@pytest.mark.parametrize(
    ("index", "size"), [(41, 77), (43, 77), (40, 77), (42, 64), (42, 154), (42, 38), (0, 77)]
)
def test_a_proof_is_bound_to_its_index_and_size(index: int, size: int) -> None:
    proof = TREE.inclusion_proof(42, 77)
    try:
        root = root_from_inclusion_proof(MANY[42], index=index, size=size, proof=proof)
    except ProofRejected:
        return
    assert root != TREE.root(77)


def test_a_short_proof_of_the_first_leaf_is_rejected() -> None:
    # Walking the index alone reaches zero at once and would take the leaf for the root.
    with pytest.raises(ProofRejected):
        root_from_inclusion_proof(MANY[0], index=0, size=3, proof=[])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3), (0, 2**63)])
def test_an_index_outside_the_tree_is_rejected(index: int, size: int) -> None:
    with pytest.raises(ProofRejected):
        root_from_inclusion_proof(MANY[0], index=index, size=size, proof=[])


def test_an_inner_node_presented_as_a_leaf_does_not_verify() -> None:
    # Leaves 0 and 1 make the node; as an "entry" its bytes are hashed with the leaf prefix.
    node_input = b"\x01" + MANY[0] + MANY[1]
    assert leaf_hash(node_input) != sha256(node_input).digest()
    assert leaf_hash(node_input[1:]) != sha256(node_input).digest()
    root = root_from_inclusion_proof(
        leaf_hash(node_input), index=0, size=2, proof=[TREE.inclusion_proof(0, 4)[1]]
    )
    assert root != TREE.root(4)


@pytest.mark.parametrize(
    "forged", _forge(TREE.consistency_proof(42, 77)).items(), ids=lambda f: f[0]
)
def test_a_forged_consistency_proof_is_rejected(forged: tuple[str, list[bytes]]) -> None:
    with pytest.raises(ProofRejected):
        verify_consistency(
            old_size=42,
            old_root=TREE.root(42),
            new_size=77,
            new_root=TREE.root(77),
            proof=forged[1],
        )


@pytest.mark.parametrize(
    ("old", "new"), [(41, 77), (43, 77), (42, 64), (42, 129), (77, 42), (-1, 77), (42, 2**63)]
)
def test_a_consistency_proof_is_bound_to_its_sizes(old: int, new: int) -> None:
    with pytest.raises(ProofRejected):
        verify_consistency(
            old_size=old,
            old_root=TREE.root(42),
            new_size=new,
            new_root=TREE.root(77),
            proof=TREE.consistency_proof(42, 77),
        )


def test_two_histories_of_one_size_are_never_consistent() -> None:
    other = Tree([*MANY[:20], sha256(b"other").digest(), *MANY[21:]])
    for old in (21, 32, 64, 77):
        with pytest.raises(ProofRejected):
            verify_consistency(
                old_size=old,
                old_root=TREE.root(old),
                new_size=100,
                new_root=other.root(100),
                proof=other.consistency_proof(old, 100),
            )


def test_the_empty_tree_and_the_same_tree_need_an_empty_proof_and_the_right_roots() -> None:
    root = TREE.root(7)
    verify_consistency(old_size=0, old_root=EMPTY_ROOT, new_size=7, new_root=root, proof=[])
    verify_consistency(old_size=7, old_root=root, new_size=7, new_root=root, proof=[])
    assert TREE.consistency_proof(0, 7) == TREE.consistency_proof(7, 7) == []
    for old_size, old_root, proof in [
        (0, root, []),
        (0, EMPTY_ROOT, [root]),
        (7, TREE.root(6), []),
        (7, root, [root]),
        (8, root, []),
    ]:
        with pytest.raises(ProofRejected):
            verify_consistency(
                old_size=old_size, old_root=old_root, new_size=7, new_root=root, proof=proof
            )


def test_a_tree_answers_only_for_what_it_has() -> None:
    tree = Tree(MANY[:5])
    for question in (
        lambda: tree.leaf(5),
        lambda: tree.leaf(-1),
        lambda: tree.root(6),
        lambda: tree.root(-1),
        lambda: tree.inclusion_proof(5),
        lambda: tree.inclusion_proof(-1),
        lambda: tree.inclusion_proof(4, 4),
        lambda: tree.consistency_proof(6),
        lambda: tree.consistency_proof(-1),
        lambda: tree.consistency_proof(4, 3),
        lambda: tree.complete_nodes(0, 0, 6),
        lambda: tree.complete_nodes(0, -1, 2),
        lambda: tree.complete_nodes(0, 3, -1),
        lambda: tree.complete_nodes(3, 0, 1),
        lambda: tree.complete_nodes(-1, 0, 1),
    ):
        with pytest.raises(NoSuchProof):
            question()
    assert tree.leaf(4) == MANY[4]
    assert tree.complete_nodes(0, 1, 2) == MANY[1] + MANY[2]
    assert tree.complete_nodes(2, 0, 1) == mth(0, 4)
    with pytest.raises(ProofRejected):
        tree.append(b"short")
