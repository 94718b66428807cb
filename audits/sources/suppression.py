"""Hiding small counts so that the others do not give them away.

Definition: counts from 1 to K - 1 are hidden (primary), then further counts (complementary) until
    whoever knows all that is disclosed can narrow no hidden count to fewer than K values.
Formula: what is known are linear equations over the hidden counts x >= 1 (an empty cell is never
    hidden): each table adds up to the rows, and two tables that share axes have equal margins over
    them. A hidden count is protected if max x - min x >= K - 1 subject to all equations, by linear
    programming. Where it is not, the smallest count that is not hidden and stands in one of its
    equations is hidden too, and everything is looked at again.
Source: Cox (1980), Journal of the American Statistical Association 75, 377-385; Hundepool et al.
    (2012), Statistical Disclosure Control, chapter 4 (sliding protection, the auditing problem).
Assumptions: the attacker knows the rows, every equation between the tables, and which cells are
    hidden, but no cell beforehand.
Failure modes: bounds that follow only from three tables together are not looked at, so that tables
    that overlap in rings are better disclosed with noise; nor what an attacker reasons from the
    rule by which complementary cells are chosen, nor earlier releases: one frozen specification,
    one release. More than MAX_HIDDEN hidden counts in tables that share axes are refused.
Cost: tables that share no axis: at once. Others: two linear programs a hidden count and round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import TallyNotDisclosable

if TYPE_CHECKING:
    from audits.sources.tally import Tally

Cell: TypeAlias = "tuple[str, int]"
"""A table and a cell of it."""

MAX_HIDDEN: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """Signed cells that add up to `total`."""

    cells: Mapping[Cell, int]
    total: int


def suppressed_counts(tally: Tally, *, below: int) -> dict[str, tuple[int | None, ...]]:
    """Return the counts of each table, None where hidden; raise TallyNotDisclosable."""
    used = {axis for table in tally.spec.tables for axis in table.axes}
    columns = [axis.column for axis in tally.spec.axes if axis.id in used]
    if len(set(columns)) != len(columns):
        raise _refused("two axes count one column, so that the difference of their bins shows")
    counts = {table.id: tally.counts(table.id).ravel().tolist() for table in tally.spec.tables}
    hidden: set[Cell] = set()
    for tables in families(tally):
        some = {name: counts[name] for name in tables}
        hidden |= _hidden(some, list(equations(tally, tables)), below=below)
    return {
        name: tuple(None if (name, cell) in hidden else count for cell, count in enumerate(values))
        for name, values in counts.items()
    }


def families(tally: Tally) -> list[tuple[str, ...]]:
    """Return the tables in groups: tables that share axes, directly or through others."""
    left = {table.id: set(table.axes) for table in tally.spec.tables}
    groups = []
    while left:
        name, axes = left.popitem()
        group = [name]
        while near := [other for other, its in left.items() if its & axes]:
            for other in near:
                axes |= left.pop(other)
                group.append(other)
        groups.append(tuple(sorted(group)))
    return groups


def equations(tally: Tally, tables: Sequence[str]) -> Iterator[Equation]:
    """Yield what everybody knows: each table's total, and the margins that two tables share."""
    for name in tables:
        cells = {(name, cell): 1 for cell in range(tally.spec.cells(name))}
        yield Equation(cells=cells, total=tally.rows)
    for left, right in combinations(tables, 2):
        shared = [
            axis for axis in tally.spec.table(left).axes if axis in tally.spec.table(right).axes
        ]
        if shared:
            yield from _margins(tally, (left, right), shared)


def ranges(
    counts: Mapping[Cell, int], known: Sequence[Equation], hidden: Sequence[Cell]
) -> dict[Cell, tuple[float, float]]:
    """Return the least and the most that each hidden count may be: the attacker's own computation.

    Raises TallyNotDisclosable where there are too many to look at.
    """
    rows, totals = _system(counts, known, hidden)
    if len(rows) == 1 and set(rows[0]) == {1}:
        # One equation, x1 + ... + xh = total: each but the others' ones is anybody's.
        low = 1.0 if len(hidden) > 1 else float(totals[0])
        return dict.fromkeys(hidden, (low, float(totals[0] - len(hidden) + 1)))
    if len(hidden) > MAX_HIDDEN:
        raise _refused(f"more than {MAX_HIDDEN} counts would have to be hidden")
    from scipy.optimize import linprog

    found = {}
    for place, cell in enumerate(hidden):
        ends = []
        for sign in (1, -1):
            goal = [0.0] * len(hidden)
            goal[place] = float(sign)
            answer = linprog(goal, A_eq=rows, b_eq=totals, bounds=(1, None), method="highs")
            ends.append(float("inf") if answer.status == 3 else sign * float(answer.fun))
        found[cell] = (ends[0], ends[1])
    return found


def _hidden(counts: Mapping[str, list[int]], known: list[Equation], *, below: int) -> set[Cell]:
    """Return what is hidden in one family of tables."""
    flat = {(name, cell): n for name, values in counts.items() for cell, n in enumerate(values)}
    hidden = {cell for cell, n in flat.items() if 0 < n < below}
    while hidden:
        order = sorted(hidden)
        found = ranges(flat, known, order)
        weak = [cell for cell in order if found[cell][1] - found[cell][0] < below - 1 - 1e-6]
        if not weak:
            break
        candidates = {
            (flat[cell], cell)
            for equation in known
            if any(one in equation.cells for one in weak)
            for cell in equation.cells
            if flat[cell] > 0 and cell not in hidden
        }
        if not candidates:
            raise _refused("there are too few rows to hide the small counts among")
        hidden.add(min(candidates)[1])
    return hidden


def _system(
    counts: Mapping[Cell, int], known: Sequence[Equation], hidden: Sequence[Cell]
) -> tuple[list[list[int]], list[int]]:
    """Return the equations over the hidden counts alone, each once."""
    place = {cell: number for number, cell in enumerate(hidden)}
    lines: dict[tuple[int, ...], int] = {}
    for equation in known:
        line, total = [0] * len(hidden), equation.total
        for cell, sign in equation.cells.items():
            if cell in place:
                line[place[cell]] = sign
            else:
                total -= sign * counts[cell]
        if any(line):
            lines[tuple(line)] = total
    return [list(line) for line in lines], list(lines.values())


def _margins(tally: Tally, pair: tuple[str, str], shared: Sequence[str]) -> Iterator[Equation]:
    margins: dict[tuple[int, ...], dict[Cell, int]] = defaultdict(dict)
    for name, sign in zip(pair, (1, -1), strict=True):
        axes, shape = tally.spec.table(name).axes, tally.spec.shape(name)
        strides = tally.spec.strides(name)
        places = [axes.index(axis) for axis in shared]
        for cell in range(tally.spec.cells(name)):
            key = tuple(cell // strides[at] % shape[at] for at in places)
            margins[key][name, cell] = sign
    for cells in margins.values():
        yield Equation(cells=cells, total=0)


def _refused(why: str) -> TallyNotDisclosable:
    return TallyNotDisclosable(
        f"small counts cannot be hidden: {why}",
        next_step="Count with fewer levels or bins, a lower threshold, or disclose with noise.",
    )
