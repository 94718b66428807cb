"""Months, series and panels: no gap, no missing value, nothing after the month asked for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.errors import SeriesMalformed, SeriesTooShort
from audits.sources.series import Month, MonthlySeries, Panel

MONTHS = st.builds(Month, st.integers(100, 9000), st.integers(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        "2005-7",
        "2005-13",
        "2005-00",
        "05-07",
        "2005/07",
        "2005-07-01",
        "",
        "2005-07\n",
        "\u0662\u0660\u0660\u0665-\u0660\u0667",
    ],
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(SeriesMalformed):
        Month.parse(text)


@pytest.mark.parametrize(("year", "month"), [(2005, 0), (2005, 13), (0, 1), (10000, 1)])
def test_month_outside_the_calendar_is_refused(year: int, month: int) -> None:
    with pytest.raises(SeriesMalformed):
        Month(year, month)


@given(MONTHS, st.integers(-900, 900))
def test_plus_and_minus_undo_each_other(month: Month, steps: int) -> None:
    assert month.plus(steps).minus(month) == steps
    assert month.plus(steps).plus(-steps) == month
    assert (month.plus(steps) > month) == (steps > 0)


@given(MONTHS)
def test_month_is_read_as_it_is_written(month: Month) -> None:
    assert Month.parse(str(month)) == month


def one(
    key: str = "a", start: str = "2000-11", n: int = 4, group: str | None = None
) -> MonthlySeries:
    return MonthlySeries(
        key=key, start=Month.parse(start), values=tuple(float(i) for i in range(n)), group=group
    )


@pytest.mark.parametrize(
    ("key", "values"), [("", (1.0,)), ("a", ()), ("a", (1.0, math.nan)), ("a", (math.inf,))]
)
def test_series_with_a_hole_is_refused(key: str, values: tuple[float, ...]) -> None:
    with pytest.raises(SeriesMalformed):
        MonthlySeries(key=key, start=Month(2000, 1), values=values)


@pytest.mark.requirement("P9")
def test_series_until_a_month_holds_nothing_later() -> None:
    cut = one().until(Month(2000, 12))
    assert cut.values == (0.0, 1.0)
    assert cut.end == Month(2000, 12)


def test_series_until_a_month_before_its_start_is_refused() -> None:
    with pytest.raises(SeriesTooShort):
        one().until(Month(2000, 10))


def test_window_counts_both_ends() -> None:
    assert one().window(Month(2000, 12), Month(2001, 1)) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("first", "last"), [("2000-10", "2000-12"), ("2001-01", "2001-03"), ("2001-01", "2000-12")]
)
def test_window_outside_the_series_is_refused(first: str, last: str) -> None:
    with pytest.raises(SeriesTooShort):
        one().window(Month.parse(first), Month.parse(last))


def test_panel_sorts_by_key_and_knows_its_groups() -> None:
    panel = Panel(series=(one("b", group="x"), one("c"), one("a", "2000-12", 3, group="x")))
    assert panel.keys == ("a", "b", "c")
    assert panel.groups() == {"x": ("a", "b")}
    assert panel.end == Month(2001, 2)


@pytest.mark.parametrize(
    "members", [(), (one("a"), one("a")), (one("a"), one("b", n=5))], ids=["none", "twins", "ends"]
)
def test_panel_that_is_no_panel_is_refused(members: tuple[MonthlySeries, ...]) -> None:
    with pytest.raises(SeriesMalformed):
        Panel(series=members)


@pytest.mark.requirement("P9")
def test_panel_until_a_month_ends_there() -> None:
    panel = Panel(series=(one("a"), one("b", "2000-12", 3))).until(Month(2000, 12))
    assert [member.values for member in panel.series] == [(0.0, 1.0), (0.0,)]


@pytest.mark.parametrize("month", ["2000-11", "2001-03"], ids=["unborn series", "future"])
def test_panel_is_not_cut_where_a_series_would_be_lost(month: str) -> None:
    with pytest.raises(SeriesTooShort):
        Panel(series=(one("a"), one("b", "2000-12", 3))).until(Month.parse(month))
