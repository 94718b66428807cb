"""How often each interval holds the truth, on a stated grid; and the page that shows it.

Exact where a sum over the binomial is possible, else by simulation. `python -m
tests.unit.audits.intervals.coverage --write` writes docs/reference/coverage.md in a few minutes;
without `--write` it prints it.

A method may answer with no interval (too little data). What is promised is that a wrong interval is
given at most 1 - level + 2 points of the time, so both shares are counted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Final

import numpy as np
from scipy import stats

from audits.intervals.bootstrap import bootstrap_interval, poisson_weights, resample_cells
from audits.intervals.clustered import ClusteredShare, clustered_limits
from audits.intervals.proportion import METHODS, ProportionMethod, normal_quantile
from audits.intervals.proportion import proportion_limits as limits_of_share
from audits.intervals.simultaneous import FEW_EVENTS_OF_GAP, simultaneous_limits
from audits.intervals.two_proportions import (
    Share,
    difference_limits,
    difference_score,
    katz,
    mover_difference,
    ratio_score,
)
from tests.support.project import ROOT

PAGE: Final = ROOT / "docs/reference/coverage.md"
LEVEL: Final = 0.95
SIZES: Final = (20, 50, 200, 1000)
PREVALENCES: Final = (0.02, 0.1, 0.5)
PAIRS: Final = ((20, 20), (50, 50), (20, 200), (200, 200), (1000, 1000))
NEGLIGIBLE: Final = 1e-7
REPLICATES: Final = 400
ROWS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the grid: shares of the time without and with a wrong interval.

    `runs` 0 means that both shares are exact.
    """

    interval: str
    setting: str
    level: float
    wrong: float
    none: float
    runs: int = 0

    @property
    def allowed(self) -> float:
        """Two points beyond the nominal, and three standard errors where simulated."""
        most = 1 - self.level + 0.02
        return most + (3 * float(np.sqrt(most * (1 - most) / self.runs)) if self.runs else 0.0)

    @property
    def held(self) -> float:
        """Coverage among the intervals given; 1 where there was none."""
        return 1 - self.wrong / (1 - self.none) if self.none < 1 else 1.0


def shares(
    method: ProportionMethod, n: int, p: float, *, level: float = LEVEL, name: str = ""
) -> Cell:
    """Return the exact coverage of one proportion."""
    chance = stats.binom.pmf(np.arange(n + 1), n, p)
    wrong = sum(
        float(chance[x])
        for x in np.flatnonzero(chance > NEGLIGIBLE)
        if not _inside(p, limits_of_share(int(x), n, level=level, method=method))
    )
    setting = f"n {n}, prevalence {p}"
    return Cell(interval=name or METHODS[method], setting=setting, level=level, wrong=wrong, none=0)


def differences(n1: int, n2: int, p1: float, p2: float) -> Iterator[Cell]:
    """Yield the exact coverage of the limits of a difference and of a ratio."""
    z = normal_quantile((1 + LEVEL) / 2)
    counts = [_possible(n, p) for n, p in ((n1, p1), (n2, p2))]
    sums = dict.fromkeys(("newcombe", "score", "koopman", "koopman none", "katz", "katz none"), 0.0)
    for x1, c1 in counts[0]:
        for x2, c2 in counts[1]:
            chance = c1 * c2
            first, second = Share(successes=x1, n=n1), Share(successes=x2, n=n2)
            hybrid = mover_difference(first.value, _limits(x1, n1), second.value, _limits(x2, n2))
            sums["newcombe"] += chance * (not _inside(p1 - p2, hybrid))
            sums["score"] += chance * (abs(difference_score(first, second, null=p1 - p2)) > z)
            if x2 == 0:
                sums["koopman none"] += chance
            else:
                sums["koopman"] += chance * (abs(ratio_score(first, second, null=p1 / p2)) > z)
            log = katz(first, second, level=LEVEL)
            if log is None:
                sums["katz none"] += chance
            else:
                sums["katz"] += chance * (not _inside(p1 / p2, log))
    setting = f"n {n1} and {n2}, prevalence {p1} and {p2}"
    for interval, wrong, none in (
        ("difference, Newcombe, exact where few", sums["newcombe"], 0.0),
        ("difference, Miettinen-Nurminen", sums["score"], 0.0),
        ("ratio, Koopman", sums["koopman"], sums["koopman none"]),
        ("ratio, Katz", sums["katz"], sums["katz none"]),
    ):
        yield Cell(interval=interval, setting=setting, level=LEVEL, wrong=wrong, none=none)


def clustered(subjects: int, p: float, correlation: float, *, runs: int, seed: int) -> Cell:
    """Return the coverage of a share of six rows a subject, beta-binomial."""
    wrong = none = 0
    for successes in _rows(subjects, p, correlation, runs=runs, rng=np.random.default_rng(seed)):
        found = clustered_limits(ClusteredShare.of(successes, np.full(subjects, ROWS)), level=LEVEL)
        none += found is None
        wrong += found is not None and not _inside(p, found)
    setting = f"{subjects} subjects, {ROWS} rows each, prevalence {p}, correlation {correlation}"
    return _simulated("share of rows by subject", setting, wrong, none, runs)


def by_subject(subjects: int, p: float, correlation: float, *, runs: int, seed: int) -> Cell:
    """Return the coverage of the Poisson bootstrap by subject, percentile, of the same share."""
    codes = np.arange(subjects)
    wrong = none = 0
    drawn = _rows(subjects, p, correlation, runs=runs, rng=np.random.default_rng(seed))
    for run, successes in enumerate(drawn):
        weights = np.array(
            list(poisson_weights(codes, replicates=REPLICATES, seed=seed + run)), dtype=float
        )
        rows = weights.sum(axis=1) * ROWS
        with np.errstate(invalid="ignore"):
            values = weights @ successes / rows
        found = bootstrap_interval(
            values,
            level=LEVEL,
            point=successes.sum() / (ROWS * subjects),
            units=subjects,
            events=int(min((successes > 0).sum(), (successes < ROWS).sum())),
        )
        none += found.low is None
        wrong += found.low is not None and not _inside(p, (found.low, found.high or 0.0))
    setting = f"{subjects} subjects, {ROWS} rows each, prevalence {p}, correlation {correlation}"
    return _simulated("bootstrap by subject, percentile", setting, wrong, none, runs)


def by_cell(n: int, p: float, *, bca: bool, runs: int, seed: int) -> Cell:
    """Return the coverage of the cell bootstrap for F1 (sensitivity .8, specificity .9)."""
    rng = np.random.default_rng(seed)
    truth = np.array([[(1 - p) * 0.9, (1 - p) * 0.1], [p * 0.2, p * 0.8]])
    wrong = none = 0
    for _ in range(runs):
        cells = rng.multinomial(n, truth.ravel()).reshape(2, 2)
        values = _f1(resample_cells(cells, replicates=REPLICATES, rng=rng))
        found = bootstrap_interval(
            values,
            level=LEVEL,
            point=float(_f1(cells)),
            units=n,
            influence=_influence(cells) if bca else None,
        )
        none += found.low is None
        wrong += found.low is not None and not _inside(
            float(_f1(truth)), (found.low, found.high or 0.0)
        )
    name = f"cell bootstrap of F1, {'BCa' if bca else 'percentile'}"
    return _simulated(name, f"n {n}, prevalence {p}", wrong, none, runs)


def gaps(groups: int, n: int, p: float, *, fallback: bool, runs: int, seed: int) -> Cell:
    """Return how often all pairwise gaps of shares are held at once; one miss is a wrong answer.

    The groups' shares lie between p and 1.5 p.
    """
    rng = np.random.default_rng(seed)
    truth = np.linspace(p, 1.5 * p, groups)
    first, second = np.array(list(combinations(range(groups), 2))).T
    wrong = none = 0
    for _ in range(runs):
        x = rng.binomial(n, truth)
        cells = resample_cells(np.stack([x, n - x], axis=1), replicates=REPLICATES, rng=rng)
        with np.errstate(invalid="ignore"):
            drawn = cells[..., 0] / cells.sum(axis=-1)
        events = np.minimum(x, n - x)

        def own(k: int, level: float, x: np.ndarray = x) -> tuple[float, float]:
            a, b = (Share(successes=int(x[side[k]]), n=n) for side in (first, second))
            return difference_limits(a, b, level=level)

        found = simultaneous_limits(
            (x[first] - x[second]) / n,
            drawn[:, first] - drawn[:, second],
            level=LEVEL,
            few=np.minimum(events[first], events[second]) < FEW_EVENTS_OF_GAP,
            fallback=own if fallback else None,
        )
        gap = truth[first] - truth[second]
        given = ~np.isnan(found.low)
        none += not given.any()
        wrong += bool(((gap < found.low) | (gap > found.high))[given].any())
    name = "gaps together, max-t" + (" and Newcombe where few" if fallback else "")
    setting = f"{groups} groups of {n}, prevalence {p} to {1.5 * p:.3g}"
    return _simulated(name, setting, wrong, none, runs)


def grid(*, runs: int) -> Iterator[Cell]:
    """Yield the whole grid; `runs` for what is simulated."""
    for method in METHODS:
        levels = (0.9, LEVEL, 0.99) if method == "clopper-pearson" else (LEVEL, 0.99)
        for level, n, p in product(levels, SIZES, PREVALENCES):
            yield shares(method, n, p, level=level)
    for (n1, n2), p1, p2 in product(PAIRS, PREVALENCES, PREVALENCES):
        if n1 != n2 or p1 <= p2:
            yield from differences(n1, n2, p1, p2)
    for i, n in enumerate(SIZES):
        for j, p in enumerate(PREVALENCES):
            yield from resampled(n, p, runs=runs, seed=100_000 * (3 * i + j))


def resampled(n: int, p: float, *, runs: int, seed: int) -> Iterator[Cell]:
    """Yield what has to be simulated at one n and prevalence."""
    few = max(200, runs // 4)
    for correlation in (0.1, 0.5, 0.9):
        yield clustered(n, p, correlation, runs=runs, seed=seed)
    yield by_subject(n, p, 0.5, runs=few, seed=seed)
    for bca in (False, True):
        yield by_cell(n, p, bca=bca, runs=runs, seed=seed)
    for fallback in (False, True):
        yield gaps(4, n, p, fallback=fallback, runs=few, seed=seed)


def page(cells: list[Cell]) -> str:
    """Return the page: one table an interval."""
    lines = [
        "# How often each interval holds the truth",
        "",
        "Written by `python -m tests.unit.audits.intervals.coverage --write`. An interval may be",
        "withheld where data are too few; what is promised is that a *wrong* interval is given at",
        "most 1 − level + 2 points of the time, simulation error (three standard errors) apart.",
        "*Held* is the coverage among the intervals given, which says little where hardly any is.",
        (
            "*Exact* is a sum over everything that can come out; "
            "a number is how often it was simulated."
        ),
    ]
    for interval in dict.fromkeys(cell.interval for cell in cells):
        lines += [
            "",
            f"## {interval[0].upper()}{interval[1:]}",
            "",
            "| setting | level | held | wrong | none given | from |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_row(cell) for cell in cells if cell.interval == interval]
    return "\n".join(lines) + "\n"


def _row(cell: Cell) -> str:
    mark = "" if cell.wrong <= cell.allowed else " (over)"
    source = f"{cell.runs}" if cell.runs else "exact"
    return (
        f"| {cell.setting} | {cell.level:g} | {cell.held:.3f} | {cell.wrong:.3f}{mark} "
        f"| {cell.none:.3f} | {source} |"
    )


def _simulated(interval: str, setting: str, wrong: int, none: int, runs: int) -> Cell:
    return Cell(
        interval=interval,
        setting=setting,
        level=LEVEL,
        wrong=wrong / runs,
        none=none / runs,
        runs=runs,
    )


def _rows(
    subjects: int, p: float, correlation: float, *, runs: int, rng: np.random.Generator
) -> np.ndarray:
    size = (1 - correlation) / correlation
    return rng.binomial(ROWS, rng.beta(p * size, (1 - p) * size, size=(runs, subjects)))


def _f1(cells: np.ndarray) -> np.ndarray:
    twice = 2 * cells[..., 1, 1]
    total = twice + cells[..., 0, 1] + cells[..., 1, 0]
    with np.errstate(invalid="ignore"):
        found: np.ndarray = np.divide(twice, total)
    return found


def _influence(cells: np.ndarray) -> np.ndarray | None:
    """Return the jackknife influences of the rows, by leaving out one row of each cell."""
    values, counts = [], []
    for index in np.ndindex(2, 2):
        if cells[index]:
            without = cells.copy()
            without[index] -= 1
            values.append(float(_f1(without)))
            counts.append(int(cells[index]))
    if not np.isfinite(values).all():
        return None
    return np.repeat(np.average(values, weights=counts) - np.array(values), counts)


@lru_cache(maxsize=100_000)
def _limits(x: int, n: int) -> tuple[float, float]:
    return limits_of_share(x, n, level=LEVEL)


def _possible(n: int, p: float) -> list[tuple[int, float]]:
    chance = stats.binom.pmf(np.arange(n + 1), n, p)
    return [(int(x), float(chance[x])) for x in np.flatnonzero(chance > NEGLIGIBLE)]


def _inside(truth: float, limits: tuple[float, float]) -> bool:
    return limits[0] - 1e-12 <= truth <= limits[1] + 1e-12


def main(arguments: list[str], *, show: Callable[[str], object] = print) -> int:
    """Write the page, or print it; 1 where some interval is wrong too often."""
    cells = list(grid(runs=2000))
    if arguments == ["--write"]:
        PAGE.write_text(page(cells), encoding="utf-8")
    else:
        show(page(cells))
    return int(any(cell.wrong > cell.allowed for cell in cells))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
