"""Tallies: exact whole numbers in declared cells, from which verdicts come and which sites share.

Definition: a tally is a specification, how many rows and subjects were counted, the most rows that
    one subject has, and for each table its cells: count, and n, sum, squares, outside of each
    summed column; where the table asks for it, moments by subject and weighted replicates.
Formula: merging adds everything, and takes the larger of the most rows. The empty tally is neutral.
    Moments: m(a, b) = sum over subjects s of n_sa n_sb for a <= b, so that the variance of a
    weighted sum of cells over independent subjects can be had without any subject's rows.
    Replicate r: each measure summed with the weight of the row's subject in replicate r.
Source: the house definition of the `Tally` source; the weights: audits/intervals/bootstrap.py.
Assumptions: the parts of a merge hold different subjects. Where they do not (two windows of one
    site), say `shared_subjects`: what does not add up then is dropped, and replicates stay valid,
    because a subject's weights are the same in both parts.
Failure modes: bins and fixed points cost resolution (`resolution`). A tally whose rows repeat
    subjects and that has no subject term gives no interval (`standing_on`).
Cost: linear in the cells that are not empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import TallyDisclosed, TallyMismatch
from audits.estimate import Json
from audits.sources.counts import Counts, Moments, moments_of
from audits.sources.exact import added
from audits.sources.tally_check import check
from audits.sources.tally_spec import TallySpec, digest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]


class Basis(StrEnum):
    """What an interval from a table can stand on."""

    ROWS = "rows"
    """No subject has two rows of it: rows are independent units."""
    MOMENTS = "moments"
    REPLICATES = "replicates"
    NOTHING = "nothing"
    """Rows repeat subjects, or nobody knows, and there is no subject term: no interval (P8)."""


WHY_NOTHING: Final = (
    "rows may repeat subjects and the tally has no subject term, so that no interval is valid"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """Exact counts of rows. `subjects` and `most_rows` are None where nobody knows."""

    spec: TallySpec
    rows: int
    subjects: int | None
    most_rows: int | None
    tables: Mapping[str, Counts]

    def __post_init__(self) -> None:
        check(self)

    @property
    def independent(self) -> bool:
        """Whether it is known that no subject has two rows."""
        return self.subjects is not None and self.subjects == self.rows

    def counts(self, table: str) -> Ints:
        """Return the counts of a table in the shape of its axes."""
        return self.measure(table, "count")

    def measure(self, table: str, name: str) -> Ints:
        """Return one measure of a table in the shape of its axes."""
        names = self.spec.measures(table)
        if name not in names:
            raise TallyMismatch(
                f"the table {table!r} has no measure {name!r}",
                next_step="Ask for a measure that the specification of the table names.",
            )
        found: Ints = self.tables[table].measures[names.index(name)]
        return found.reshape(self.spec.shape(table))

    def standing_on(self, table: str) -> Basis:
        """Return what an interval from the table stands on; methods ask this before any other.

        NOTHING means: report the value with the note WHY_NOTHING, without interval or verdict.
        """
        if self.independent:
            return Basis.ROWS
        counts = self.tables[self.spec.table(table).id]
        if counts.moments is not None:
            return Basis.MOMENTS
        return Basis.NOTHING if counts.replicates is None else Basis.REPLICATES

    @property
    def digest(self) -> str:
        """The SHA-256 of the tally's canonical JSON."""
        return digest_of(self.as_record())

    def as_record(self) -> dict[str, Json]:
        """Return the tally in the JSON domain; equal tallies have equal records."""
        from audits.sources.tally_record import record_of

        return record_of(self)

    def merge(self, other: Tally, *, shared_subjects: bool = False) -> Tally:
        """Return the tally of the rows of both.

        Raises TallyMismatch for another specification, TallyDisclosed for what is not exact,
        TallyOverflow where a sum does not fit 64 bits.
        """
        _require_exact(self, other)
        if self.spec.digest != other.spec.digest:
            raise TallyMismatch(
                "the tallies were counted under different specifications",
                next_step="Count both under one specification; its digest is in both files.",
            )
        apart = not (shared_subjects and self.rows and other.rows)
        return Tally(
            spec=self.spec,
            rows=self.rows + other.rows,
            subjects=_both(self.subjects, other.subjects, sum) if apart else None,
            most_rows=_both(self.most_rows, other.most_rows, max) if apart else None,
            tables={
                name: _merged(one, other.tables[name], apart=apart)
                for name, one in self.tables.items()
            },
        )


def empty(spec: TallySpec) -> Tally:
    """Return the tally of no rows."""
    import numpy as np

    def nothing(table: str) -> Counts:
        asked, none = spec.table(table), np.zeros(0, dtype=np.int64)
        shape = (len(spec.measures(table)), spec.cells(table))
        return Counts(
            measures=np.zeros(shape, dtype=np.int64),
            moments=Moments(first=none, second=none, products=none) if asked.moments else None,
            replicates=np.zeros((spec.replicates, *shape), dtype=np.int64)
            if asked.replicated
            else None,
        )

    known = 0 if spec.subject is not None else None
    return Tally(
        spec=spec,
        rows=0,
        subjects=known,
        most_rows=known,
        tables={table.id: nothing(table.id) for table in spec.tables},
    )


def merged(tallies: Sequence[Tally], *, shared_subjects: bool = False) -> Tally:
    """Return the tally of the rows of all; errors as `Tally.merge`."""
    if not tallies:
        raise TallyMismatch("there is nothing to merge", next_step="Give at least one tally.")
    _require_exact(*tallies)
    return reduce(lambda left, right: left.merge(right, shared_subjects=shared_subjects), tallies)


def _merged(left: Counts, right: Counts, *, apart: bool) -> Counts:
    import numpy as np

    moments = None
    if apart and left.moments is not None and right.moments is not None:
        pairs = (left.moments, right.moments)
        moments = moments_of(
            np.concatenate([one.first for one in pairs]),
            np.concatenate([one.second for one in pairs]),
            np.concatenate([one.products for one in pairs]),
            cells=left.measures.shape[1],
        )
    replicates = None
    if left.replicates is not None and right.replicates is not None:
        replicates = added(left.replicates, right.replicates)
    return Counts(
        measures=added(left.measures, right.measures), moments=moments, replicates=replicates
    )


def _both(
    left: int | None, right: int | None, join: Callable[[tuple[int, int]], int]
) -> int | None:
    return None if left is None or right is None else join((left, right))


def _require_exact(*tallies: object) -> None:
    if not all(isinstance(one, Tally) for one in tallies):
        raise TallyDisclosed(
            "suppressed or noised counts are never merged back into exact ones",
            next_step="Ask the site for its exact tally, or judge its disclosed one by itself.",
        )
