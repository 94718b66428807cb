"""What counts of rows cannot contradict: a tally that does is refused, wherever it came from.

Definition: a tally holds what its specification asks for, no count is negative, every table counts
    every row once, and sums, squares and moments obey the inequalities that rows impose.
Formula: sum of count = rows; n + outside <= count; n squares >= sum^2 (Cauchy-Schwarz);
    m(a, a) >= n_a, and 0 < m(a, b) <= n_a n_b; sum of all moments over ordered pairs <= rows x most
    rows; subjects <= rows <= subjects x most rows.
Source: exact arithmetic.
Assumptions: none; the counts may be an attacker's.
Failure modes: counts that obey all of it may still be invented: whose they are, the signature says.
Cost: one pass over the cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audits.errors import TallyMalformed

if TYPE_CHECKING:
    from audits.sources.counts import Counts
    from audits.sources.tally import Tally

MAX_ROWS: Final = 2**53


def check(tally: Tally) -> None:
    """Raise TallyMalformed where the tally contradicts its specification or itself."""
    _check_totals(tally)
    if set(tally.tables) != {table.id for table in tally.spec.tables}:
        raise malformed("it holds other tables than its specification asks for")
    for name, counts in tally.tables.items():
        shape = (len(tally.spec.measures(name)), tally.spec.cells(name))
        if counts.measures.shape != shape or counts.measures.dtype.kind != "i":
            raise malformed(f"the table {name!r} has another shape than its axes")
        _check_measures(tally, name, counts)
        _check_moments(tally, name, counts)
        _check_replicates(tally, name, counts)


def _check_totals(tally: Tally) -> None:
    rows, subjects, most = tally.rows, tally.subjects, tally.most_rows
    if not 0 <= rows < MAX_ROWS:
        raise malformed("the number of rows is negative or beyond 2^53")
    if (subjects is None) != (most is None):
        raise malformed("subjects and their most rows are known together or not at all")
    if subjects is None or most is None:
        return
    if tally.spec.subject is None:
        raise malformed("it counts subjects that its specification does not name")
    bounded = 0 <= subjects <= rows and subjects + most - 1 <= rows <= subjects * most
    if not (bounded or rows == subjects == most == 0):
        raise malformed("rows, subjects and the most rows of one contradict each other")


def _check_measures(tally: Tally, name: str, counts: Counts) -> None:
    measures = counts.measures
    if (measures[0] < 0).any() or sum(measures[0].tolist()) != tally.rows:
        raise malformed(f"the table {name!r} does not count every row once")
    for place in range(1, measures.shape[0], 4):
        n, total, squares, outside = measures[place : place + 4]
        if (n < 0).any() or (outside < 0).any() or (n + outside > measures[0]).any():
            raise malformed(f"the table {name!r} sums more values than it has rows")
        used = zip(n.tolist(), total.tolist(), squares.tolist(), strict=True)
        if not all(k * q >= s * s and q >= abs(s) for k, s, q in used):
            raise malformed(f"the table {name!r} has squares that no values have")


def _check_moments(tally: Tally, name: str, counts: Counts) -> None:
    moments, asked = counts.moments, tally.spec.table(name).moments
    if moments is None:
        if asked and tally.subjects is not None:
            raise malformed(f"the table {name!r} lacks its moments")
        return
    if not asked or tally.subjects is None or tally.most_rows is None:
        raise malformed(f"the table {name!r} has moments that do not belong to it")
    import numpy as np

    first, second, products = moments.first, moments.second, moments.products
    cells = counts.measures.shape[1]
    if not first.shape == second.shape == products.shape or first.ndim != 1:
        raise malformed(f"the moments of {name!r} are of different lengths")
    inside = ((first >= 0) & (first <= second) & (second < cells)).all()
    if not inside or (np.diff(first * cells + second) <= 0).any():
        raise malformed(f"the moments of {name!r} are not pairs of cells in order, each once")
    n = counts.measures[0]
    same = (first == second).tolist()
    pairs = list(zip(same, products.tolist(), strict=True))
    _check_products(tally, name, n[first].tolist(), n[second].tolist(), pairs)
    diagonal = np.zeros(cells, dtype=np.int64)
    diagonal[first[first == second]] = products[first == second]
    if (diagonal < n).any() or ((diagonal - n) % 2 != 0).any():
        raise malformed(f"the moments of {name!r} are smaller than the counts of their cells")


def _check_products(
    tally: Tally, name: str, left: list[int], right: list[int], pairs: list[tuple[bool, int]]
) -> None:
    triples = zip(left, right, pairs, strict=True)
    if not all(0 < product <= a * b for a, b, (_, product) in triples):
        raise malformed(f"the moments of {name!r} exceed what the counts allow")
    total = sum(product if same else 2 * product for same, product in pairs)
    if not tally.rows <= total <= tally.rows * (tally.most_rows or 0):
        raise malformed(f"the moments of {name!r} do not add up to rows by subject")


def _check_replicates(tally: Tally, name: str, counts: Counts) -> None:
    replicates = counts.replicates
    if (replicates is not None) != tally.spec.table(name).replicated:
        raise malformed(f"the table {name!r} has or lacks replicates against its specification")
    if replicates is None:
        return
    if replicates.shape != (tally.spec.replicates, *counts.measures.shape):
        raise malformed(f"the replicates of {name!r} have another shape")
    if (replicates[:, 0] < 0).any() or (replicates[:, 0] > 8 * counts.measures[0]).any():
        raise malformed(f"the replicates of {name!r} count what no weights give")


def malformed(fault: str) -> TallyMalformed:
    """Return the refusal."""
    return TallyMalformed(
        f"the tally is not one that rows can give: {fault}",
        next_step="Count again from the rows; do not correct counts by hand.",
    )
