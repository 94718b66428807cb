"""Sums that are exact in 64 bits or refused: what `numpy.bincount` with weights is not.

Definition: the sum of whole numbers by key, the same whatever the order, the machine or the engine.
Formula: v = 2^32 h + l with 0 <= l < 2^32. Sums of h and of l over blocks of 2^20 rows stay below
    2^53, where doubles are exact; blocks are added as integers.
Source: exact arithmetic.
Assumptions: fewer than 2^31 rows in one call.
Failure modes: a sum beyond 64 bits raises TallyOverflow; it never wraps.
Cost: one pass for small numbers, two for large ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import TallyOverflow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]

BLOCK: Final = 2**20
_WORD: Final = 2**32
_LIMIT: Final = 2**63 - 2**11
"""The largest double below 2^63 and one step: what is compared with it is a double."""


def sum_by(keys: Ints, values: Ints, *, size: int) -> Ints:
    """Return (size) the sums of `values` (n) by `keys` (n); raise TallyOverflow."""
    import numpy as np

    largest = max(-int(values.min(initial=0)), int(values.max(initial=0)))
    if largest * max(values.size, 1) < 2**53:
        return np.bincount(keys, weights=values, minlength=size).astype(np.int64)
    low, high = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    for start in range(0, values.size, BLOCK):
        key, value = keys[start : start + BLOCK], values[start : start + BLOCK]
        low += np.bincount(key, weights=value & (_WORD - 1), minlength=size).astype(np.int64)
        high += np.bincount(key, weights=value >> 32, minlength=size).astype(np.int64)
    high += low >> 32
    if (np.abs(high) >= 2**31 - 1).any():
        raise overflow()
    return high * _WORD + (low & (_WORD - 1))


def added(left: Ints, right: Ints) -> Ints:
    """Return left + right, cell by cell; raise TallyOverflow."""
    import numpy as np

    if (np.abs(left.astype(np.float64) + right) >= _LIMIT).any():
        raise overflow()
    total: Ints = left + right
    return total


def overflow() -> TallyOverflow:
    """Return the refusal of a sum that 64 bits do not hold."""
    return TallyOverflow(
        "a sum does not fit a 64-bit integer",
        next_step="Sum with fewer decimals or narrower limits; both are in the specification.",
    )
