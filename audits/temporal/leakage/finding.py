"""What a detector says: a finding, a suspicion that still has to pass a test, or what it missed.

Definition: a finding is a fault seen in the rows. A suspicion is a statistic with a p-value; the
    examination makes it a finding if it is large and survives the correction for all tests of the
    run. Unseen says which fault could not be looked for, and why.
Formula: none.
Source: the house rule that what was not looked at is said (P8).
Assumptions: row numbers count from 0 on the side that is named, on training where it is both.
Failure modes: a message holds names of columns, counts and row numbers, never a value (P15).
Cost: constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.estimate import Json

ROWS_NAMED: Final = 5
"""Example rows in a finding: enough to look the fault up, too few to be a copy of the data."""

Side: TypeAlias = Literal["training", "test", "both"]


class Severity(StrEnum):
    """How much of the audit a finding puts in doubt."""

    SERIOUS = "serious"
    """No estimate on these rows can be believed until it is explained or removed."""
    DOUBTFUL = "doubtful"
    """There may be an honest reason; somebody has to state it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault: what, how bad, on which side, how many of how many, and a few of the rows."""

    kind: str
    severity: Severity
    side: Side
    message: str
    count: int
    of: int
    rows: tuple[int, ...]
    column: str | None
    method: str

    def as_record(self) -> dict[str, Json]:
        """Return the finding in the JSON domain."""
        return {
            "kind": self.kind,
            "severity": self.severity.value,
            "side": self.side,
            "message": self.message,
            "count": self.count,
            "of": self.of,
            "rows": list(self.rows),
            "column": self.column,
            "method": self.method,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A statistic with its p-value; `large` says that the effect is worth a finding at all."""

    finding: Finding
    p: float
    large: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """A fault that could not be looked for, and why."""

    kind: str
    reason: str


Look: TypeAlias = Iterator[Finding | Suspicion | Unseen]


def examples(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the numbers of the first rows of `mask` (n, bool)."""
    import numpy as np

    return tuple(int(row) for row in np.flatnonzero(mask)[:ROWS_NAMED])
