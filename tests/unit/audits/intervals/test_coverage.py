"""Every interval holds the truth as often as it says, less two points at most, or is withheld."""

from __future__ import annotations

import pytest

from audits.intervals.proportion import METHODS
from tests.unit.audits.intervals import coverage
from tests.unit.audits.intervals.coverage import Cell


def check(cells: list[Cell]) -> None:
    assert cells
    over = [
        f"{cell.interval}, {cell.setting}: wrong {cell.wrong:.3f}"
        for cell in cells
        if cell.wrong > cell.allowed
    ]
    assert over == []


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("method", list(METHODS))
def test_shares(method: str) -> None:
    check(
        [
            coverage.shares(method, n, p)  # type: ignore[arg-type]
            for n in coverage.SIZES
            for p in coverage.PREVALENCES
        ]
    )


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(("n1", "n2"), [(20, 20), (20, 50), (50, 50)])
def test_differences_and_ratios(n1: int, n2: int) -> None:
    check(
        [
            cell
            for p1 in coverage.PREVALENCES
            for p2 in coverage.PREVALENCES
            for cell in coverage.differences(n1, n2, p1, p2)
        ]
    )


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("n", [20, 50, 200])
@pytest.mark.parametrize("p", coverage.PREVALENCES)
def test_shares_of_six_correlated_rows_a_subject(n: int, p: float) -> None:
    check([coverage.clustered(n, p, 0.5, runs=400, seed=n)])


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(("n", "p"), [(20, 0.1), (50, 0.1), (50, 0.5), (200, 0.02)])
def test_resampling_by_subject(n: int, p: float) -> None:
    check([coverage.by_subject(n, p, 0.5, runs=100, seed=n)])


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(("n", "p"), [(20, 0.5), (50, 0.1), (200, 0.02), (1000, 0.1)])
@pytest.mark.parametrize("bca", [False, True], ids=["percentile", "BCa"])
def test_resampling_by_cell(n: int, p: float, bca: bool) -> None:
    check([coverage.by_cell(n, p, bca=bca, runs=200, seed=n)])


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(("n", "p"), [(20, 0.1), (50, 0.5), (200, 0.1), (1000, 0.02)])
@pytest.mark.parametrize("fallback", [False, True], ids=["max-t alone", "with fallback"])
def test_gaps_held_together(n: int, p: float, fallback: bool) -> None:
    check([coverage.gaps(4, n, p, fallback=fallback, runs=200, seed=n)])


def test_an_interval_that_is_wrong_too_often_would_be_seen() -> None:
    bad = Cell(interval="i", setting="s", level=0.95, wrong=0.12, none=0.0, runs=1000)
    with pytest.raises(AssertionError, match=r"wrong 0\.120"):
        check([bad])
    assert "(over)" in coverage.page([bad])
    held = Cell(interval="i", setting="s", level=0.95, wrong=0.02, none=0.5)
    assert held.held == pytest.approx(0.96)
    check([held])


def test_the_page_shows_every_interval_and_none_that_is_wrong_too_often() -> None:
    text = coverage.PAGE.read_text(encoding="utf-8")
    assert "(over)" not in text
    names = {cell.interval for cell in coverage.differences(20, 20, 0.1, 0.1)}
    names |= {*METHODS.values(), "share of rows by subject", "bootstrap by subject, percentile"}
    missing = [name for name in names if name.lower() not in text.lower()]
    assert missing == []


@pytest.mark.campaign
def test_the_whole_grid() -> None:
    check(list(coverage.grid(runs=2000)))
