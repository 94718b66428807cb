"""The charts of an audit report, each a hand-written Vega-Lite specification.

Every chart states in its alternative text what a reader who cannot see it must know, and carries
its numbers as a table.
"""

from __future__ import annotations

from typing import Final

from governance.reports import wording
from governance.reports.audit_report import AuditReport, CriterionShown, EstimateShown
from governance.reports.chart import (
    ACCEPTED,
    BLUE,
    INK,
    MUTED,
    SKY,
    VERMILION,
    WIDTH,
    Chart,
    Spec,
    as_float,
    table_of,
    with_theme,
)
from governance.reports.path_chart import path_chart

_ROW_WIDTH: Final = WIDTH - 270


def charts_of(report: AuditReport) -> tuple[Chart, ...]:
    """Return the charts that the report has data for, in the order in which they are read."""
    charts = [criteria_chart(report)]
    if report.paths:
        charts.append(path_chart(report))
    if report.horizons:
        charts.append(horizon_chart(report))
    if report.coverage:
        charts.append(coverage_chart(report))
    return tuple(charts)


def criteria_chart(report: AuditReport) -> Chart:
    """Return one row a criterion, on its own scale: accepted region, interval, value, baseline."""
    rows = [
        (
            criterion.title,
            criterion.estimate_text,
            criterion.floor_text,
            criterion.reading_text,
            wording.verdict_word(criterion.verdict),
        )
        for criterion in report.criteria
    ]
    said = "; ".join(f"{row[0]}: {row[1]}, required {row[2]}, {row[4].lower()}" for row in rows)
    return Chart(
        name="criteria",
        title="Estimates against the floors of the plan",
        caption=(
            "Dot and line: estimate and interval. Shaded: what the plan accepts. "
            "Dashed: the baseline that the interval must exclude."
        ),
        alt=f"One row a criterion, each on its own scale. {said}.",
        spec=with_theme(
            {
                "vconcat": [_criterion_row(criterion) for criterion in report.criteria],
                "spacing": 8,
            }
        ),
        columns=("Criterion", "Estimate (interval)", "Floor", "Reading", "Verdict"),
        rows=table_of(rows),
    )


def horizon_chart(report: AuditReport) -> Chart:
    """Return the error by months ahead, the model beside its baseline, with intervals."""
    metric = wording.metric_words(report.horizon_metric)
    values: list[Spec] = []
    rows = []
    for shown in report.horizons:
        pairs = (("Model", shown.model), ("Baseline", shown.baseline))
        for name, estimate in pairs:
            if estimate is not None:
                values.append({"h": shown.horizon, "who": name, **_numbers(estimate)})
        baseline = "none" if shown.baseline is None else shown.baseline.text()
        rows.append((str(shown.horizon), shown.model.text(), baseline, shown.model.n_text))
    first, last = rows[0], rows[-1]
    return Chart(
        name="horizons",
        title="Error by months ahead",
        caption="Dot or diamond and line: estimate and interval.",
        alt=(
            f"{metric} with intervals. {first[0]} ahead: model {first[1]}, baseline {first[2]}. "
            f"{last[0]} ahead: model {last[1]}, baseline {last[2]}."
        ),
        spec=with_theme(_horizon_spec(values, metric=metric)),
        columns=("Months ahead", "Model", "Baseline", "n"),
        rows=table_of(rows),
    )


def coverage_chart(report: AuditReport) -> Chart:
    """Return how often intervals held the value, by group, against what they promise."""
    values = [
        {"group": _label(estimate.population), **_numbers(estimate)} for estimate in report.coverage
    ]
    rows = [
        (_label(estimate.population), estimate.text(report.nominal_coverage), estimate.n_text)
        for estimate in report.coverage
    ]
    promised = wording.percent_text(report.nominal_coverage)
    said = "; ".join(f"{row[0]} {row[1]}, n {row[2]}" for row in rows)
    return Chart(
        name="coverage",
        title=f"Coverage of the {promised} intervals by group or series",
        caption=f"Dot and line: estimate and interval. Dashed: the {promised} that is promised.",
        alt=f"Share of observed values inside their interval, promised {promised}: {said}.",
        spec=with_theme(_coverage_spec(values, nominal=as_float(report.nominal_coverage))),
        columns=("Group", "Coverage (interval)", "n"),
        rows=table_of(rows),
    )


def _numbers(estimate: EstimateShown) -> Spec:
    return {
        "value": as_float(estimate.value),
        "low": as_float(estimate.low),
        "high": as_float(estimate.high),
    }


def _label(identifier: str) -> str:
    return wording.words_of(identifier) if identifier.islower() else identifier


# --- criteria ----------------------------------------------------------------------------------


def _criterion_row(criterion: CriterionShown) -> Spec:
    low, high = _domain(criterion)
    region = {
        "from": _region_edge(criterion, lower=True, edge=low),
        "to": _region_edge(criterion, lower=False, edge=high),
    }
    scale = {"domain": [low, high], "nice": False, "zero": False}
    axis = {"title": None, "tickCount": 5, "grid": False, "domain": True}
    marks: list[Spec] = [
        {
            "data": {"values": [region]},
            "mark": {"type": "rect", "color": ACCEPTED},
            "encoding": {
                "x": {"field": "from", "type": "quantitative", "scale": scale, "axis": axis},
                "x2": {"field": "to"},
            },
        }
    ]
    if criterion.baseline is not None:
        baseline = {"x": float(criterion.baseline)}
        marks.append(
            {
                "data": {"values": [baseline]},
                "mark": {"type": "rule", "strokeDash": [3, 3], "color": MUTED},
                "encoding": {"x": {"field": "x", "type": "quantitative"}},
            }
        )
    marks += _estimate_marks({"row": criterion.title, **_numbers(criterion.estimate)})
    marks.append(_verdict_mark(criterion))
    return {"width": _ROW_WIDTH, "height": 26, "layer": marks}


def _verdict_mark(criterion: CriterionShown) -> Spec:
    return {
        "data": {"values": [{"word": wording.verdict_word(criterion.verdict)}]},
        "mark": {"type": "text", "align": "left", "fontSize": 10.5, "color": INK},
        "encoding": {"text": {"field": "word"}, "x": {"value": _ROW_WIDTH + 10}},
    }


def _estimate_marks(values: Spec) -> list[Spec]:
    row: Spec = {
        "field": "row",
        "type": "nominal",
        "axis": {"title": None, "minExtent": 170, "maxExtent": 170, "labelLimit": 164},
    }
    data = {"values": [values]}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "strokeWidth": 2, "color": INK},
            "encoding": {
                "y": row,
                "x": {"field": "low", "type": "quantitative"},
                "x2": {"field": "high"},
            },
        },
        {
            "data": data,
            "mark": {"type": "point", "filled": True, "size": 62, "color": INK, "opacity": 1},
            "encoding": {"y": row, "x": {"field": "value", "type": "quantitative"}},
        },
    ]


def _domain(criterion: CriterionShown) -> tuple[float, float]:
    """Return limits of the scale that hold every number of the row with room around them."""
    estimate = criterion.estimate
    texts = (*criterion.limits, estimate.value, estimate.low, estimate.high)
    numbers = [float(text) for text in texts if text is not None]
    low, high = min(numbers), max(numbers)
    room = 0.18 * (high - low or abs(high) or 1.0)
    return (max(0.0, low - room) if low >= 0 else low - room), high + room


def _region_edge(criterion: CriterionShown, *, lower: bool, edge: float) -> float:
    if criterion.direction == "within":
        limit = criterion.low if lower else criterion.high
        return float(limit) if limit is not None else edge
    bounded = (criterion.direction == "at_least") == lower
    return float(criterion.floor) if bounded and criterion.floor is not None else edge


# --- horizons and coverage ---------------------------------------------------------------------


def _horizon_spec(values: list[Spec], *, metric: str) -> Spec:
    names = ["Model", "Baseline"]
    color = {
        "field": "who",
        "type": "nominal",
        "scale": {"domain": names, "range": [BLUE, VERMILION]},
    }
    x = {
        "field": "h",
        "type": "ordinal",
        "axis": {"title": "Months ahead", "labelAngle": 0, "grid": False},
        "scale": {"paddingInner": 0.2},
    }
    offset = {"field": "who", "scale": {"domain": names, "paddingOuter": 0.8}}
    shared = {"x": x, "xOffset": offset, "color": color}
    shape = {
        "field": "who",
        "type": "nominal",
        "scale": {"domain": names, "range": ["circle", "diamond"]},
    }
    y_axis = {"title": metric, "tickCount": 5, "grid": True}
    return {
        "data": {"values": values},
        "width": WIDTH - 70,
        "height": 190,
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 1.6},
                "encoding": {
                    **shared,
                    "y": {
                        "field": "low",
                        "type": "quantitative",
                        "axis": y_axis,
                        "scale": {"zero": True},
                    },
                    "y2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 56, "opacity": 1},
                "encoding": {
                    **shared,
                    "shape": shape,
                    "y": {"field": "value", "type": "quantitative"},
                },
            },
        ],
    }


def _coverage_spec(values: list[Spec], *, nominal: float | None) -> Spec:
    names = [value["group"] for value in values]
    row = {
        "field": "group",
        "type": "nominal",
        "sort": names,
        "axis": {"title": None, "minExtent": 150},
    }
    axis = {"title": "Share inside the interval", "format": ".0%", "tickCount": 6}
    layers: list[Spec] = []
    if nominal is not None:
        layers.append(
            {
                "data": {"values": [{"x": nominal}]},
                "mark": {
                    "type": "rule",
                    "strokeDash": [4, 3],
                    "color": VERMILION,
                    "strokeWidth": 1.4,
                },
                "encoding": {"x": {"field": "x", "type": "quantitative"}},
            }
        )
    layers += [
        {
            "mark": {"type": "rule", "strokeWidth": 2, "color": SKY},
            "encoding": {
                "y": row,
                "x": {
                    "field": "low",
                    "type": "quantitative",
                    "axis": axis,
                    "scale": {"zero": False},
                },
                "x2": {"field": "high"},
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "color": BLUE, "opacity": 1},
            "encoding": {"y": row, "x": {"field": "value", "type": "quantitative"}},
        },
    ]
    return {
        "data": {"values": values},
        "width": WIDTH - 190,
        "height": {"step": 26},
        "layer": layers,
    }
