"""An inclusion proof step by step, for people who want to see how a leaf leads to a root.

It computes what `merkle.root_from_inclusion_proof` computes and keeps what lies between; whether
the last hash is the root that somebody signed stays the caller's comparison, as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from governance.ledger.core.merkle import node_hash, root_from_inclusion_proof


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """One step up: the sibling with the entries under it, and the hash of both together.

    `first` to `last` are the entries under the sibling, `covers_first` to `covers_last` those under
    the result.
    """

    sibling: bytes
    on_the_left: bool
    first: int
    last: int
    result: bytes
    covers_first: int
    covers_last: int


def inclusion_path(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes]
) -> tuple[PathStep, ...]:
    """Return the steps from `leaf` up; none for the only entry of a log. Raises ProofRejected."""
    # What the verifier refuses is not drawn, and the shape below may be trusted.
    root_from_inclusion_proof(leaf, index=index, size=size, proof=proof)
    steps: list[PathStep] = []
    first, last, level = index, size - 1, 0
    begin, end, result = index, index, leaf
    for sibling in proof:
        left = bool(first & 1) or first == last
        if left:
            while not first & 1:  # the levels at which the right edge is alone
                first, last, level = first >> 1, last >> 1, level + 1
            under = ((first - 1) << level, (first << level) - 1)
            result, begin = node_hash(sibling, result), under[0]
        else:
            under = ((first + 1) << level, min(((first + 2) << level), size) - 1)
            result, end = node_hash(result, sibling), under[1]
        steps.append(
            PathStep(
                sibling=sibling,
                on_the_left=left,
                first=under[0],
                last=under[1],
                result=result,
                covers_first=begin,
                covers_last=end,
            )
        )
        first, last, level = first >> 1, last >> 1, level + 1
    return tuple(steps)
