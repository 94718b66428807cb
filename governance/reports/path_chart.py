"""Small multiples of forecasts: what was observed, what was forecast with its bands, what came."""

from __future__ import annotations

from typing import Final

from governance.reports import wording
from governance.reports.audit_report import AuditReport, PathShown
from governance.reports.chart import (
    BLUE,
    INK,
    WIDTH,
    Chart,
    Spec,
    as_float,
    month_date,
    table_of,
    with_theme,
)

MOST_PATHS: Final = 8
"""Small multiples beyond this many cannot be read; the table holds every series."""

_MONTH_AXIS: Final[Spec] = {
    "field": "month",
    "type": "temporal",
    "axis": {"title": None, "format": "%Y-%m", "tickCount": 5, "grid": False},
}


def path_chart(report: AuditReport) -> Chart:
    """Return small multiples: history, forecast from the last origin with bands, what came."""
    paths = report.paths[:MOST_PATHS]
    origin = max(path.origin for path in paths)
    shown = [point for path in paths for point in _path_points(path)]
    rows = [row for path in report.paths for row in _path_rows(path)]
    left_out = len(report.paths) - len(paths)
    more = f" {wording.count_text(left_out, 'further series')} in the table." if left_out else ""
    return Chart(
        name="paths",
        title=f"Forecast from {origin} and what came",
        caption="Each series on its own scale. k: thousand, M: million.",
        alt=(
            f"{wording.count_text(len(paths), 'series', 'series')}, each with its own scale: "
            f"the values observed, the forecast from {origin}, and its 80 and 95 percent "
            f"bands. {_inside_sentence(report.paths)}{more}"
        ),
        spec=with_theme(_path_spec(shown)),
        columns=("Series", "Month", "Observed", "Forecast", "80 % band", "95 % band"),
        rows=table_of(rows),
    )


def _path_points(path: PathShown) -> list[Spec]:
    points: list[Spec] = [
        {"series": path.key, "month": month_date(month), "observed": float(value)}
        for month, value in path.history
    ]
    for at, month in enumerate(path.months):
        points.append(
            {
                "series": path.key,
                "month": month_date(month),
                "observed": as_float(path.actual[at]),
                "median": float(path.median[at]),
                "l95": float(path.low_95[at]),
                "l80": float(path.low_80[at]),
                "h80": float(path.high_80[at]),
                "h95": float(path.high_95[at]),
            }
        )
    return points


def _path_rows(path: PathShown) -> list[tuple[str, ...]]:
    number = wording.number_text
    return [
        (
            path.key,
            month,
            number(path.actual[at]) if path.actual[at] is not None else "not known",
            number(path.median[at]),
            f"{number(path.low_80[at])} to {number(path.high_80[at])}",
            f"{number(path.low_95[at])} to {number(path.high_95[at])}",
        )
        for at, month in enumerate(path.months)
    ]


def _inside_sentence(paths: tuple[PathShown, ...]) -> str:
    known = inside = 0
    for path in paths:
        for at, actual in enumerate(path.actual):
            if actual is not None:
                known += 1
                inside += float(path.low_95[at]) <= float(actual) <= float(path.high_95[at])
    return f"{inside} of {known} observed values lie inside their 95 percent band."


def _path_spec(points: list[Spec]) -> Spec:
    def series(field: str, name: str, mark: Spec) -> Spec:
        return {
            "transform": [{"filter": f"isValid(datum.{field})"}],
            "mark": mark,
            "encoding": {
                "x": _MONTH_AXIS,
                "y": {
                    "field": field,
                    "type": "quantitative",
                    "scale": {"zero": False},
                    "axis": {"title": None, "tickCount": 4, "format": "~s"},
                },
                "color": {
                    "datum": name,
                    "scale": {
                        "domain": ["Observed", "Forecast", "80 % band", "95 % band"],
                        "range": [INK, BLUE, "#8fc1e3", "#cfe3f2"],
                    },
                },
            },
        }

    def band(low: str, high: str, name: str) -> Spec:
        layer = series(low, name, {"type": "area", "opacity": 1})
        layer["encoding"]["y2"] = {"field": high}
        return layer

    point = {"filled": True, "size": 14, "opacity": 1}
    return {
        "data": {"values": points},
        "facet": {"field": "series", "type": "nominal", "title": None},
        "columns": 2,
        "spacing": {"row": 18, "column": 26},
        "resolve": {"scale": {"y": "independent"}, "axis": {"x": "independent"}},
        "spec": {
            "width": (WIDTH - 110) // 2,
            "height": 120,
            "layer": [
                band("l95", "h95", "95 % band"),
                band("l80", "h80", "80 % band"),
                series("median", "Forecast", {"type": "line", "strokeWidth": 1.8}),
                series("observed", "Observed", {"type": "line", "strokeWidth": 1, "point": point}),
            ],
        },
    }
