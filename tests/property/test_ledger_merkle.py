"""Merkle proofs of random trees verify, and no random change of one does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from governance.ledger.core.errors import LedgerTampered, ProofRejected
from governance.ledger.core.merkle import (
    Frontier,
    Tree,
    leaf_hash,
    root_from_inclusion_proof,
    verify_consistency,
)

LEAVES = [leaf_hash(str(number).encode()) for number in range(600)]
TREE = Tree(LEAVES)
HASHES = st.binary(min_size=32, max_size=32)


@given(st.data())
def test_an_inclusion_proof_verifies_only_its_own_leaf(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.sampled_from(LEAVES))
    proof = TREE.inclusion_proof(index, size)
    root = TREE.root(size)
    assert root_from_inclusion_proof(LEAVES[index], index=index, size=size, proof=proof) == root
    if other != LEAVES[index]:
        assert root_from_inclusion_proof(other, index=index, size=size, proof=proof) != root


@given(st.data())
def test_a_changed_hash_of_an_inclusion_proof_leads_elsewhere(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    proof = TREE.inclusion_proof(index, size)
    at = data.draw(st.integers(0, len(proof) - 1))
    forged = data.draw(HASHES.filter(lambda hashed: hashed != proof[at]))
    proof[at] = forged
    root = root_from_inclusion_proof(LEAVES[index], index=index, size=size, proof=proof)
    assert root != TREE.root(size)


@given(st.data())
def test_a_tree_is_consistent_with_its_past_and_not_with_another(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, len(LEAVES)))
    old = data.draw(st.integers(1, new))
    sizes = {"old_size": old, "new_size": new, "new_root": TREE.root(new)}
    proof = TREE.consistency_proof(old, new)
    verify_consistency(**sizes, old_root=TREE.root(old), proof=proof)
    another = data.draw(HASHES)
    try:
        verify_consistency(**sizes, old_root=another, proof=proof)
    except ProofRejected:
        return
    raise AssertionError("an unrelated root was accepted")


@given(st.lists(HASHES, max_size=70), st.integers(-2, 2**64), st.integers(-2, 2**64), HASHES)
def test_random_proofs_are_refused_or_lead_nowhere(
    proof: list[bytes], index: int, size: int, leaf: bytes
) -> None:
    try:
        root = root_from_inclusion_proof(leaf, index=index, size=size, proof=proof)
    except ProofRejected:
        return
    assert len(root) == 32


@given(st.integers(0, len(LEAVES)), st.integers(0, len(LEAVES)))
def test_a_frontier_from_storage_goes_on_like_the_tree(size: int, more: int) -> None:
    stored = Frontier.decode(TREE.frontier(size).encode())
    end = min(size + more, len(LEAVES))
    assert stored.extend(LEAVES[size:end]) == TREE.frontier(end)


@given(st.binary(max_size=200))
def test_bytes_are_a_frontier_or_tampered(raw: bytes) -> None:
    try:
        frontier = Frontier.decode(raw)
    except LedgerTampered:
        return
    assert frontier.encode() == raw
