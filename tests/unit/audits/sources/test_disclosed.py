"""What is hidden stays hidden from whoever does the sums; noise is what it says it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from audits.errors import TallyDisclosed, TallyMismatch, TallyNotDisclosable
from audits.sources.axes import CategoryAxis
from audits.sources.counting import CodedRows, tally_of_codes
from audits.sources.disclosed import add_noise, disclosed_share, suppress
from audits.sources.noise import Dice, variance_of
from audits.sources.suppression import equations, families
from audits.sources.tally import Tally, merged
from audits.sources.tally_spec import TableSpec, TallySpec


def bytes_of(seed: int) -> Callable[[int], bytes]:
    return np.random.default_rng(seed).bytes


def table(*counts: list[int], tables: tuple[tuple[str, ...], ...] = (("a", "b"),)) -> Tally:
    """Return a tally whose cells (a, b) hold these counts, without missing or other ones."""
    axes = (
        CategoryAxis(id="a", column="a", levels=tuple(f"a{k}" for k in range(len(counts)))),
        CategoryAxis(id="b", column="b", levels=tuple(f"b{k}" for k in range(len(counts[0])))),
    )
    of = TallySpec(
        id="t",
        axes=axes,
        tables=tuple(TableSpec(id="x".join(one), axes=one) for one in tables),
        subject="s",
    )
    a = [place + 1 for place, row in enumerate(counts) for n in row for _ in range(n)]
    b = [place + 1 for row in counts for place, n in enumerate(row) for _ in range(n)]
    codes = {"a": np.array(a, dtype=np.int64), "b": np.array(b, dtype=np.int64)}
    coded = CodedRows(codes=codes, fixed={}, subject=np.arange(len(a)), n=len(a))
    return tally_of_codes(coded, of)


def attacked(tally: Tally, below: int) -> list[tuple[Any, float, float]]:
    """Return (cell, least, most) of every hidden count.

    The attacker of this test is stronger than the code's: counts are whole numbers to them.
    """
    disclosed = suppress(tally, below=below)
    found = []
    for names in families(tally):
        known = list(equations(tally, names))
        hidden = [
            (name, cell)
            for name in names
            for cell, count in enumerate(disclosed.tables[name])
            if count is None
        ]
        lines = [[equation.cells.get(cell, 0) for cell in hidden] for equation in known]
        totals = [
            equation.total
            - sum(
                sign * (disclosed.tables[name][cell] or 0)
                for (name, cell), sign in equation.cells.items()
            )
            for equation in known
        ]
        for place, cell in enumerate(hidden):
            ends = [_end(lines, totals, place, sign) for sign in (1, -1)]
            found.append((cell, ends[0], ends[1]))
    return found


def _end(lines: list[list[int]], totals: list[int], place: int, sign: int) -> float:
    """Return the least (1) or the most (-1) that the hidden count of this place may be."""
    goal = np.zeros(len(lines[0]))
    goal[place] = sign
    answer = milp(
        goal,
        integrality=np.ones(goal.size),
        bounds=Bounds(1, 10_000),
        constraints=LinearConstraint(np.array(lines), totals, totals),
    )
    assert answer.success
    return sign * float(answer.fun)


SMALL = {
    "one small cell": ([40, 2], [30, 50]),
    "ones that add up to their own number": ([1, 1], [20, 20]),
    "a small cell in every line": ([3, 20, 20], [20, 2, 20], [20, 20, 1]),
    "empty cells beside it": ([0, 4, 0], [25, 25, 25]),
}


@pytest.mark.parametrize("counts", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize(
    "tables",
    [(("a", "b"),), (("a",), ("b",)), (("a", "b"), ("a",))],
    ids=["the table", "its margins", "the table and a margin"],
)
def test_no_hidden_count_can_be_worked_out_from_the_others(
    counts: tuple[list[int], ...], tables: Any
) -> None:
    tally, below = table(*counts, tables=tables), 5
    disclosed = suppress(tally, below=below)
    for name, shown in disclosed.tables.items():
        exact = tally.counts(name).ravel().tolist()
        assert all(one is None or one == n for one, n in zip(shown, exact, strict=True))
        assert not any(one is not None and 0 < one < below for one in shown)
    for cell, least, most in attacked(tally, below):
        assert most - least >= below - 1, cell


def test_hiding_the_small_cell_alone_would_give_it_away() -> None:
    tally = table([40, 2], [30, 50])
    shown = suppress(tally, below=5).tables["axb"]
    assert sum(one is None for one in shown) == 2
    total_of_shown = sum(one or 0 for one in shown)
    assert tally.rows - total_of_shown > 2  # the difference is not the small count


def test_a_margin_in_another_table_is_reckoned_with() -> None:
    """The table alone hides (3, 30) in a row; the margin of that row would show nothing new."""
    tally = table([3, 30, 40], [50, 60, 70], tables=(("a", "b"), ("b",)))
    shown = suppress(tally, below=5).tables
    hidden = [cell for cell, one in enumerate(shown["axb"]) if one is None]
    columns = Counter(cell % 5 for cell in hidden)
    in_margin = {cell for cell, one in enumerate(shown["b"]) if one is None}
    for column, n in columns.items():
        assert n >= 2 or column in in_margin


def test_too_few_rows_to_hide_among_are_refused() -> None:
    with pytest.raises(TallyNotDisclosable):
        suppress(table([1, 2]), below=5)
    with pytest.raises(TallyNotDisclosable):
        suppress(table([40, 2]), below=1)


def test_two_axes_over_one_column_are_refused() -> None:
    one = table([40, 2], [30, 50])
    axes = (
        one.spec.axes[0],
        CategoryAxis(id="b", column="a", levels=one.spec.axes[1].labels()[1:3]),
    )
    of = TallySpec(id="t", axes=axes, tables=one.spec.tables, subject="s")
    same = Tally(
        spec=of, rows=one.rows, subjects=one.subjects, most_rows=one.most_rows, tables=one.tables
    )
    with pytest.raises(TallyNotDisclosable):
        suppress(same, below=5)


def test_disclosed_counts_are_never_merged_with_exact_ones() -> None:
    exact = table([40, 2], [30, 50])
    hidden: Any = suppress(exact, below=5)
    assert not isinstance(hidden, Tally)
    with pytest.raises(TallyDisclosed):
        merged([exact, hidden])
    with pytest.raises(TallyDisclosed):
        exact.merge(hidden)
    assert not hasattr(hidden, "merge")


def chi_square(observed: Counter[int], expected: Callable[[int], float], n: int) -> float:
    """Return the chi-square of counts against probabilities, the tails as one cell each."""
    inside = [k for k in range(-30, 31) if n * expected(k) >= 20]
    seen = [observed[k] for k in inside]
    wanted = [n * expected(k) for k in inside]
    seen.append(n - sum(seen))
    wanted.append(n - sum(wanted))
    degrees = len(seen) - 1
    statistic = sum((a - b) ** 2 / b for a, b in zip(seen, wanted, strict=True))
    return (statistic - degrees) / math.sqrt(2 * degrees)


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1), Fraction(7, 3), Fraction(5)])
def test_noise_has_the_distribution_that_it_claims(scale: Fraction) -> None:
    dice, n = Dice(bytes_of(11)), 12_000
    drawn = Counter(dice.two_sided_geometric(scale) for _ in range(n))
    p = math.exp(-1 / float(scale))

    def probability(k: int) -> float:
        return (1 - p) / (1 + p) * p ** abs(k)

    assert chi_square(drawn, probability, n) < 4
    wrong = math.exp(-1 / (1.15 * float(scale)))
    assert chi_square(drawn, lambda k: (1 - wrong) / (1 + wrong) * wrong ** abs(k), n) > 4
    variance = sum(k * k * count for k, count in drawn.items()) / n
    assert variance == pytest.approx(variance_of(scale), rel=0.1)


def test_a_draw_below_a_bound_is_uniform() -> None:
    dice, n = Dice(bytes_of(5)), 30_000
    drawn = Counter(dice.below(6) for _ in range(n))
    assert set(drawn) == set(range(6))
    assert sum((drawn[k] - n / 6) ** 2 / (n / 6) for k in range(6)) < 20.5  # 0.999 of 5 degrees


def test_noise_that_would_not_protect_is_refused() -> None:
    tally = table([40, 2], [30, 50])
    more = {"random_bytes": bytes_of(1)}
    with pytest.raises(TallyNotDisclosable):
        add_noise(tally, epsilon=Fraction(0), row_bound=1, **more)
    twice = np.zeros(4, dtype=np.int64)
    codes = {"a": twice + 1, "b": twice + 1}
    repeated = tally_of_codes(CodedRows(codes=codes, fixed={}, subject=twice, n=4), tally.spec)
    with pytest.raises(TallyNotDisclosable):
        add_noise(repeated, epsilon=Fraction(1), row_bound=3, **more)
    assert add_noise(repeated, epsilon=Fraction(1), row_bound=4, **more).independent is False


def test_noise_shows_no_exact_total() -> None:
    noisy = add_noise(
        table([40, 2], [30, 50]), epsilon=Fraction(1), row_bound=1, random_bytes=bytes_of(2)
    )
    record = noisy.as_record()
    assert record["rows"] is None
    assert "subjects" not in record
    assert noisy.disclosure.as_record()["epsilon"] == "1"


CHOSEN, BASE = [6], [6, 7]  # a1 with b1, among a1


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 60), st.integers(1, 60), st.integers(1, 30), st.integers(1, 30))
def test_the_bounds_through_suppression_hold_the_truth(a: int, b: int, c: int, d: int) -> None:
    tally = table([a, b], [c, d])
    cells = [place for place, n in enumerate(tally.counts("axb").ravel()) if n > 0]
    try:
        hidden = suppress(tally, below=5)
    except TallyNotDisclosable:
        return
    counts = tally.counts("axb").ravel()
    for chosen in combinations(cells, 1):
        base = cells[:2] if chosen[0] in cells[:2] else cells[2:]
        least, most = disclosed_share(
            hidden, table="axb", of=chosen, among=base, metric="share", level=0.95
        )
        truth = counts[list(chosen)].sum() / counts[base].sum()
        assert least.value is not None
        assert most.value is not None
        assert least.value - 1e-12 <= truth <= most.value + 1e-12


def test_intervals_through_noise_cover_the_truth() -> None:
    """150 people, share 0.3, epsilon 0.5: 400 surveys; 95 % wanted, at least 93 % seen."""
    rng, covered, runs, naive = np.random.default_rng(8), 0, 400, 0
    for run in range(runs):
        x = int(rng.binomial(150, 0.3))
        tally = table([x, 150 - x], [60, 60])
        noisy = add_noise(tally, epsilon=Fraction(1, 2), row_bound=1, random_bytes=bytes_of(run))
        cells = tally.spec.strides("axb")
        base = [cells[0] + 1, cells[0] + 2]
        found, again = disclosed_share(
            noisy, table="axb", of=base[:1], among=base, metric="share", level=0.95
        )
        assert found == again
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.3 <= found.high
        naive += found.high - found.low < 2 * 1.96 * math.sqrt(0.21 / 150) * 0.9
    assert covered / runs >= 0.93
    assert naive == 0  # never narrower than without noise


def test_a_share_that_noise_swallows_is_undefined() -> None:
    noisy = add_noise(
        table([4, 5], [30, 50]), epsilon=Fraction(1, 20), row_bound=1, random_bytes=bytes_of(2)
    )
    found, _ = disclosed_share(noisy, table="axb", of=[5], among=[5, 6], metric="s", level=0.95)
    assert found.value is None
    with pytest.raises(TallyMismatch):
        disclosed_share(noisy, table="axb", of=[3], among=[5, 6], metric="s", level=0.95)
