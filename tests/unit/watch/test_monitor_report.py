"""A monitor's report is permanent, so it repeats only what it compared (P13)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from audits.criteria import Verdict
from audits.series import Month, MonthlySeries, Panel
from governance.operations.watch.monitor_work import Task, _report

JULY, AUGUST = Month.parse("2005-07"), Month.parse("2005-08")


def one(key: str, group: str) -> MonthlySeries:
    return MonthlySeries(key=key, start=Month.parse("2005-06"), values=(1.0,), group=group)


def report(outcomes: dict[tuple[str, Month], float], months: list[Month]) -> dict[str, Any]:
    told = SimpleNamespace(as_record=dict, fired_at=None, verdict=Verdict.PASS)
    task = Task(
        about={},
        plan=cast("Any", None),
        history=cast("Any", None),
        table={"origin": "2005-06", "series": {}},
        outcomes=outcomes,
        now_us=0,
    )
    monitor = cast("Any", SimpleNamespace(id="error-general", population="General"))
    watched = Panel(series=(one("L01/General", "General"),))
    return _report(
        task, monitor, cast("Any", told), cast("Any", told), series=watched, months=months
    )


def test_it_names_no_series_outside_the_watched_population_and_no_other_text() -> None:
    outcomes = {
        ("L01/General", JULY): 5.0,
        ("L01/Concessional", JULY): 6.0,
        ("Kari Nordmann", JULY): 7.0,
    }
    assert report(outcomes, [JULY])["outcomes"] == [
        {"series": "L01/General", "month": "2005-07", "value": "5"}
    ]


def test_it_names_no_month_that_was_not_compared() -> None:
    outcomes = {("L01/General", JULY): 5.0, ("L01/General", AUGUST): 6.0}
    assert [row["month"] for row in report(outcomes, [JULY])["outcomes"]] == ["2005-07"]
    assert report(outcomes, [])["outcomes"] == []
