"""A monitor's report is permanent, so it repeats only what it compared (P13)."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from audits.estimate import Verdict
from audits.sources.series import Month, MonthlySeries, Panel
from governance.operations.watch import monitor_work
from governance.operations.watch.monitor_work import (
    StablePeriodUnseen,
    Task,
    _calibrated,
    _report,
)

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


def test_it_says_after_which_month_the_sums_began_anew() -> None:
    assert report({}, [])["restart_after"] is None


def test_sums_that_begin_anew_see_no_month_that_was_decided_upon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, Any] = {}

    def run(_trigger: object, errors: dict[Month, float], **numbers: int) -> Any:
        seen.update(errors=errors, **numbers)
        return SimpleNamespace(as_record=dict, fired_at=None, verdict=Verdict.PASS)

    errors = {JULY: 9.0, AUGUST: 0.1}
    monkeypatch.setattr(monitor_work, "run_trigger", run)
    monkeypatch.setattr(monitor_work, "_errors", lambda *_: errors)
    monkeypatch.setattr(monitor_work, "_months", lambda *_: [JULY, AUGUST])
    monkeypatch.setattr(monitor_work, "_calibrated", lambda *_: SimpleNamespace(as_record=dict))
    key = "L01/General"
    task = Task(
        about={},
        plan=cast("Any", None),
        history=Panel(series=(one(key, "General"),)),
        table={"origin": "2005-06", "series": {}},
        outcomes={(key, JULY): 5.0, (key, AUGUST): 5.0},
        now_us=0,
        restart_after={"error-general": JULY},
    )
    monitor = SimpleNamespace(
        id="error-general", population="General", trigger=SimpleNamespace(minimum_months=3)
    )
    content = monitor_work._watched(task, cast("Any", monitor), cast("Any", None), cast("Any", 0))
    assert seen == {"errors": {AUGUST: 0.1}, "minimum_months": 3, "already": 1}
    assert json.loads(content)["restart_after"] == "2005-07"


def test_a_stable_period_after_the_forecast_origin_is_refused() -> None:
    stable = SimpleNamespace(first_month="2001-07", months=60)
    monitor = SimpleNamespace(id="m", trigger=SimpleNamespace(stable=stable, months=12))
    with pytest.raises(StablePeriodUnseen):
        _calibrated(
            Panel(series=(one("L01/General", "General"),)),
            cast("Any", monitor),
            cast("Any", None),
            cast("Any", None),
        )
