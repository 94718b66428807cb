"""The drawn path is the verified one."""

from __future__ import annotations

import pytest

from governance.ledger.core.errors import ProofRejected
from governance.ledger.core.merkle import Tree, leaf_hash, root_from_inclusion_proof
from governance.ledger.core.path import inclusion_path


def tree(size: int) -> Tree:
    return Tree(leaf_hash(bytes([number])) for number in range(size))


@pytest.mark.parametrize("size", range(1, 34))
def test_each_step_names_what_lies_under_it_and_the_last_is_the_root(size: int) -> None:
    whole = tree(size)
    for index in range(size):
        proof = whole.inclusion_proof(index)
        steps = inclusion_path(whole.leaf(index), index=index, size=size, proof=proof)
        assert [step.sibling for step in steps] == proof
        for step in steps:
            part = Tree(whole.leaf(at) for at in range(step.first, step.last + 1))
            both = Tree(whole.leaf(at) for at in range(step.covers_first, step.covers_last + 1))
            assert (step.sibling, step.result) == (part.root(), both.root())
            assert step.on_the_left == (step.last < index)
        last = steps[-1].result if steps else whole.leaf(index)
        assert last == whole.root()
        assert last == root_from_inclusion_proof(
            whole.leaf(index), index=index, size=size, proof=proof
        )


def test_a_changed_hash_leads_elsewhere_and_a_missing_one_is_refused() -> None:
    whole = tree(11)
    proof = whole.inclusion_proof(5)
    wrong = [proof[0][::-1], *proof[1:]]
    steps = inclusion_path(whole.leaf(5), index=5, size=11, proof=wrong)
    assert steps[-1].result != whole.root()
    for cut in (proof[:-1], [*proof, proof[0]]):
        with pytest.raises(ProofRejected):
            inclusion_path(whole.leaf(5), index=5, size=11, proof=cut)
