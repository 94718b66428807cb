"""A monitor's run as values and as a chart: the path of the trigger against its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audits.estimate import Json
from governance.reports import wording
from governance.reports.chart import (
    BLUE,
    INK,
    VERMILION,
    WIDTH,
    Chart,
    Spec,
    month_date,
    table_of,
    with_theme,
)
from governance.reports.evidence_reader import members, number, text, text_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerMonth:
    """One month of the path; both sums are decimal texts of stable standard deviations."""

    month: str
    standardised: str
    up: str
    down: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorReport:
    """What one run of a trigger found."""

    verdict: str
    reason: str
    limit: str
    fired_at: str | None
    direction: str
    path: tuple[TriggerMonth, ...]


def read_monitor(record: Json) -> MonitorReport | None:
    """Return the trigger's run in a monitor record, or None where the record holds none."""
    run = _run_in(record)
    if run is None:
        return None
    return MonitorReport(
        verdict=text(run, "verdict"),
        reason=text(run, "reason"),
        limit=number(run, "limit"),
        fired_at=text_or_none(run, "fired_at"),
        direction=text(run, "direction"),
        path=tuple(
            TriggerMonth(
                month=text(step, "month"),
                standardised=number(step, "standardised"),
                up=number(step, "up"),
                down=number(step, "down"),
            )
            for step in members(run, "path")
        ),
    )


def _run_in(record: Json) -> Mapping[str, Json] | None:
    """Return the object with a path and a limit, at the top or under one of the members."""
    if not isinstance(record, dict):
        return None
    if "path" in record and "limit" in record:
        return record
    for value in record.values():
        found = _run_in(value)
        if found is not None:
            return found
    return None


def trigger_chart(report: MonitorReport) -> Chart:
    """Return both sums by month against the limit, with the month in which the trigger fired."""
    points: list[Spec] = [
        {"month": month_date(step.month), "which": which, "sum": float(value)}
        for step in report.path
        for which, value in (
            ("Demand above forecast", step.up),
            ("Demand below forecast", step.down),
        )
    ]
    fired = f"It fired in {report.fired_at}" if report.fired_at else "It did not fire"
    limit = wording.number_text(report.limit)
    highest = max((max(float(step.up), float(step.down)) for step in report.path), default=0.0)
    return Chart(
        name="trigger",
        title="Trigger statistic against its limit",
        caption=(
            "Two one-sided sums of standardised errors; the dashed line is the limit that was "
            "calibrated before the period began."
        ),
        alt=(
            f"{wording.count_text(len(report.path), 'month')} of both sums; limit {limit}, highest "
            f"value {wording.number_text(f'{highest:.6g}')}. {fired}."
        ),
        spec=with_theme(_spec(points, report)),
        columns=("Month", "Standardised error", "Sum above", "Sum below"),
        rows=table_of(
            [
                (
                    step.month,
                    wording.number_text(step.standardised, places=2),
                    wording.number_text(step.up, places=2),
                    wording.number_text(step.down, places=2),
                )
                for step in report.path
            ]
        ),
    )


def _spec(points: list[Spec], report: MonitorReport) -> Spec:
    names = ["Demand above forecast", "Demand below forecast"]
    month: Spec = {
        "field": "month",
        "type": "temporal",
        "axis": {"title": None, "format": "%Y-%m", "grid": False, "tickCount": 8},
    }
    which: Spec = {
        "field": "which",
        "type": "nominal",
        "scale": {"domain": names, "range": [VERMILION, BLUE]},
    }
    dash: Spec = {
        "field": "which",
        "type": "nominal",
        "scale": {"domain": names, "range": [[1, 0], [5, 3]]},
    }
    y: Spec = {"field": "sum", "type": "quantitative", "axis": {"title": "Sum", "tickCount": 5}}
    layers: list[Spec] = [
        {
            "data": {"values": points},
            "mark": {"type": "line", "strokeWidth": 1.8},
            "encoding": {"x": month, "y": y, "color": which, "strokeDash": dash},
        },
        {
            "data": {"values": [{"limit": float(report.limit)}]},
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": INK},
            "encoding": {"y": {"field": "limit", "type": "quantitative"}},
        },
        {
            "data": {"values": [{"limit": float(report.limit), "word": "limit"}]},
            "mark": {"type": "text", "align": "left", "dy": -7, "fontSize": 10.5, "color": INK},
            "encoding": {
                "y": {"field": "limit", "type": "quantitative"},
                "x": {"value": 4},
                "text": {"field": "word"},
            },
        },
    ]
    at = next((step for step in report.path if step.month == report.fired_at), None)
    if at is not None:
        layers += _fired_marks(at, month)
    return {"width": WIDTH - 60, "height": 210, "layer": layers}


def _fired_marks(at: TriggerMonth, month: Spec) -> list[Spec]:
    point = {
        "month": month_date(at.month),
        "sum": max(float(at.up), float(at.down)),
        "word": f"fired {at.month}",
    }
    encoding: Spec = {"x": month, "y": {"field": "sum", "type": "quantitative"}}
    return [
        {
            "data": {"values": [point]},
            "mark": {
                "type": "point",
                "shape": "diamond",
                "filled": True,
                "size": 120,
                "color": INK,
            },
            "encoding": encoding,
        },
        {
            "data": {"values": [point]},
            "mark": {
                "type": "text",
                "align": "right",
                "dx": -9,
                "dy": -13,
                "fontSize": 10.5,
                "fontWeight": "bold",
                "color": INK,
            },
            "encoding": {**encoding, "text": {"field": "word"}},
        },
    ]
