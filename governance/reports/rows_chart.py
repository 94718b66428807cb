"""The charts of an audit of rows, from the kinds that `audits.report` names.

A chart with more rows than a page holds is drawn in parts. Groups differ by colour and by shape,
and every number stands in the table beside the chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from audits.estimate import Json
from governance.reports import wording
from governance.reports.chart import (
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
from governance.reports.evidence_reader import (
    Record,
    members,
    text,
    text_or_none,
    texts,
    unreadable,
)

MOST_ROWS: Final = 30
"""Rows of one drawing: what fits a page of A4 with its caption."""
PALETTE: Final = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", SKY, INK, "#6b4c9a")
SHAPES: Final = ("circle", "diamond", "square", "triangle-up", "cross", "triangle-down")
_LABEL: Final = 210
# A long pair takes two lines: cut off, two pairs of one first group would read alike.
_LABELS: Final[Spec] = {
    "title": None,
    "minExtent": _LABEL,
    "maxExtent": _LABEL,
    "labelLimit": _LABEL - 6,
    "labelExpr": (
        "length(datum.label) > 32 ? split(replace(replace(datum.label, ' minus ', '|minus '), "
        "' over ', '|over '), '|') : datum.label"
    ),
}


def charts_of_table(
    chart: Record, table: Record, *, shown: tuple[tuple[str, ...], ...]
) -> tuple[Chart, ...]:
    """Return the drawings of one chart; `shown` are the table's rows as they are worded."""
    columns = texts(table, "columns")
    rows = table.get("rows")
    if not isinstance(rows, list):
        raise unreadable("rows", "a list of rows")
    values = [_value(chart, columns, row) for row in rows if isinstance(row, list)]
    kind = text(chart, "kind")
    spec_of = {"intervals": _intervals, "curve": _curve, "bars": _bars, "series": _series}.get(kind)
    if spec_of is None:
        raise unreadable("kind of chart", "one that can be drawn")
    size = MOST_ROWS if kind in {"intervals", "bars"} else max(len(values), 1)
    starts = range(0, max(len(values), 1), size)
    return tuple(
        Chart(
            name=text(chart, "id") if len(starts) == 1 else f"{text(chart, 'id')}-{at // size + 1}",
            title=_part(text(table, "caption"), at // size + 1, len(starts)),
            caption=text(chart, "caption"),
            alt=text(chart, "alt"),
            spec=with_theme(spec_of(chart, values[at : at + size])),
            columns=tuple(map(wording.metric_words, columns)),
            rows=table_of(shown[at : at + size]),
        )
        for at in starts
    )


def _part(title: str, part: int, parts: int) -> str:
    return title if parts == 1 else f"{title} (part {part} of {parts})"


def _value(chart: Record, columns: Sequence[str], row: list[Json]) -> Spec:
    """Return one row by the parts that its columns play."""
    value: Spec = {}
    numeric = text(chart, "kind") == "curve"
    for part in ("x", "y", "low", "high", "group"):
        column = text_or_none(chart, part)
        if column is None:
            continue
        if column not in columns:
            raise unreadable(f"column {column!r}", "in the chart's table")
        cell = row[columns.index(column)]
        if part == "group" or (part == "x" and not numeric):
            value[part] = "" if cell is None else str(cell)
        else:
            value[part] = _as_number(cell)
    return value


def _as_number(cell: Json) -> float | None:
    """Return the number of a cell; a word, such as "undefined", leaves a gap in the drawing."""
    if isinstance(cell, bool) or not isinstance(cell, str | int):
        return None
    return as_float(str(cell)) if wording.decimal_of(cell) is not None else None


def _groups(values: Sequence[Spec]) -> list[str]:
    return list(dict.fromkeys(value["group"] for value in values if "group" in value))


def _colour(values: Sequence[Spec]) -> Spec:
    """Return the encodings that tell groups apart, if there are any."""
    names = _groups(values)
    if not names:
        return {"color": {"value": BLUE}}
    colours = [PALETTE[at % len(PALETTE)] for at in range(len(names))]
    return {
        "color": {
            "field": "group",
            "type": "nominal",
            "scale": {"domain": names, "range": colours},
            "legend": {"columns": 3},
        }
    }


def _shape(values: Sequence[Spec]) -> Spec:
    names = _groups(values)
    if not names:
        return {}
    shapes = [SHAPES[at % len(SHAPES)] for at in range(len(names))]
    return {
        "shape": {
            "field": "group",
            "type": "nominal",
            "scale": {"domain": names, "range": shapes},
        }
    }


def _rules(chart: Record, *, along: str) -> list[Spec]:
    """Return the lines to compare with, along x or y, each with its label."""
    rules = [
        {"at": as_float(text(rule, "at")), "label": text(rule, "label")}
        for rule in members(chart, "rules")
    ]
    if not rules:
        return []
    place = {along: {"field": "at", "type": "quantitative"}}
    beside = {"y": {"value": -4}} if along == "x" else {"x": {"value": WIDTH - 130}}
    return [
        {
            "data": {"values": rules},
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": VERMILION, "strokeWidth": 1.2},
            "encoding": place,
        },
        {
            "data": {"values": rules},
            "mark": {
                "type": "text",
                "color": MUTED,
                "fontSize": 9,
                "align": "center" if along == "x" else "right",
                "baseline": "bottom",
            },
            "encoding": {**place, **beside, "text": {"field": "label"}},
        },
    ]


def _intervals(chart: Record, values: list[Spec]) -> Spec:
    names = list(dict.fromkeys(value["x"] for value in values))
    row: Spec = {
        "field": "x",
        "type": "nominal",
        "sort": names,
        "axis": _LABELS,
        "scale": {"domain": names},
    }
    offset: Spec = {"yOffset": {"field": "group"}} if _groups(values) else {}
    axis = {"title": wording.metric_words(text(chart, "y")), "tickCount": 6, "grid": True}
    number = {"type": "quantitative", "axis": axis, "scale": {"zero": False, "nice": True}}
    layers: list[Spec] = _rules(chart, along="x")
    if any("low" in value for value in values):
        layers.append(
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {
                    "y": row,
                    "x": {"field": "low", **number},
                    "x2": {"field": "high"},
                    **offset,
                    **_colour(values),
                },
            }
        )
    layers.append(
        {
            "mark": {"type": "point", "filled": True, "size": 54, "opacity": 1},
            "encoding": {
                "y": row,
                "x": {"field": "y", **number},
                **offset,
                **_colour(values),
                **_shape(values),
            },
        }
    )
    step = 11 * max(len(_groups(values)), 1) + 8
    if any(len(name) > 32 for name in names):
        step = max(step, 30)
    return {
        "data": {"values": values},
        "width": WIDTH - _LABEL - 40,
        "height": {"step": step, "for": "position"},
        "layer": layers,
    }


def _bars(chart: Record, values: list[Spec]) -> Spec:
    names = list(dict.fromkeys(value["x"] for value in values))
    row = {
        "field": "x",
        "type": "nominal",
        "sort": names,
        "axis": _LABELS,
    }
    axis = {"title": wording.metric_words(text(chart, "y")), "tickCount": 6, "grid": True}
    offset: Spec = {"yOffset": {"field": "group"}} if _groups(values) else {}
    return {
        "data": {"values": values},
        "width": WIDTH - _LABEL - 40,
        "height": {"step": 20 * max(len(_groups(values)), 1), "for": "position"},
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.62}},
                "encoding": {
                    "y": row,
                    "x": {"field": "y", "type": "quantitative", "axis": axis},
                    **offset,
                    **_colour(values),
                },
            },
            *_rules(chart, along="x"),
        ],
    }


def _curve(chart: Record, values: list[Spec]) -> Spec:
    x = {
        "field": "x",
        "type": "quantitative",
        "axis": {"title": wording.metric_words(text(chart, "x")), "tickCount": 6},
        "scale": {"zero": False},
    }
    return _lines(chart, values, x=x, diagonal=chart.get("diagonal") is True)


def _series(chart: Record, values: list[Spec]) -> Spec:
    names = list(dict.fromkeys(value["x"] for value in values))
    x = {
        "field": "x",
        "type": "ordinal",
        "sort": names,
        "axis": {
            "title": wording.metric_words(text(chart, "x")),
            "labelAngle": 0,
            "labelOverlap": True,
        },
    }
    return _lines(chart, values, x=x, diagonal=False, points=True)


def _lines(
    chart: Record, values: list[Spec], *, x: Spec, diagonal: bool, points: bool = False
) -> Spec:
    axis = {"title": wording.metric_words(text(chart, "y")), "tickCount": 6, "grid": True}
    number = {"type": "quantitative", "axis": axis, "scale": {"zero": False}}
    layers: list[Spec] = []
    if diagonal:
        ends = [{"x": edge, "y": edge} for edge in (0.0, 1.0)]
        layers.append(
            {
                "data": {"values": ends},
                "mark": {"type": "line", "strokeDash": [4, 3], "color": MUTED, "strokeWidth": 1.2},
                "encoding": {
                    "x": {"field": "x", "type": "quantitative"},
                    "y": {"field": "y", "type": "quantitative"},
                },
            }
        )
    banded = [one for one in values if one.get("low") is not None and one.get("high") is not None]
    if banded:
        mark: Spec = (
            {"type": "rule", "strokeWidth": 1.6} if points else {"type": "area", "opacity": 0.18}
        )
        layers.append(
            {
                "data": {"values": banded},
                "mark": mark,
                "encoding": {
                    "x": x,
                    "y": {"field": "low", **number},
                    "y2": {"field": "high"},
                    **_colour(values),
                },
            }
        )
    layers.append(
        {
            "mark": {"type": "line", "strokeWidth": 1.8, "interpolate": "linear"},
            "encoding": {"x": x, "y": {"field": "y", **number}, **_colour(values)},
        }
    )
    if points or len(values) <= 60:
        layers.append(
            {
                "mark": {"type": "point", "filled": True, "size": 36, "opacity": 1},
                "encoding": {
                    "x": x,
                    "y": {"field": "y", **number},
                    **_colour(values),
                    **_shape(values),
                },
            }
        )
    layers += _rules(chart, along="y")
    return {
        "data": {"values": values},
        "width": WIDTH - 80,
        "height": 300 if diagonal else 220,
        "layer": layers,
    }
