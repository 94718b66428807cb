"""A chart as a report carries it: specification, alternative text, and the numbers as a table.

Every chart shares one theme. Colours are of Okabe and Ito's palette, which readers with colour
vision deficiencies tell apart; shape or position always says the same as colour does.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from governance.adapters.charts import svg_of
from governance.errors import NotFound

Spec = dict[str, Any]

INK: Final = "#1b2733"
MUTED: Final = "#566270"
HAIRLINE: Final = "#d9dee3"
BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
SKY: Final = "#56B4E9"
ACCEPTED: Final = "#dcebe4"
FONT: Final = "DejaVu Sans, Verdana, sans-serif"
"""A document embeds the first; a browser without it takes one of nearly the same widths."""
WIDTH: Final = 620
"""Pixels of a full-width chart: the text column of A4 at the same proportion as on a screen."""

THEME: Final[Spec] = {
    "font": FONT,
    "background": None,
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        "domainColor": MUTED,
        "tickColor": MUTED,
        "gridColor": HAIRLINE,
        "labelColor": INK,
        "labelFontSize": 10.5,
        "titleColor": INK,
        "titleFontSize": 10.5,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelLimit": 260,
    },
    "axisY": {"domain": False, "ticks": False},
    "header": {
        "labelColor": INK,
        "labelFontSize": 10.5,
        "labelFontWeight": "bold",
        "labelAnchor": "start",
        "titleFontSize": 10.5,
    },
    "legend": {
        "orient": "top",
        "title": None,
        "labelColor": INK,
        "labelFontSize": 10.5,
        "symbolSize": 70,
        "labelLimit": 300,
    },
    "title": {"anchor": "start", "color": INK, "fontSize": 10.5, "fontWeight": "bold"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart. The caption explains its marks; `columns` and `rows` hold every number drawn."""

    name: str
    title: str
    caption: str
    alt: str
    spec: Spec
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the specification, under which the drawing is kept."""
        text = json.dumps(self.spec, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class Gallery:
    """Drawn charts by the digest of their specification: each is drawn once, the oldest go first.

    Shared by the threads of a server. A chart that nobody showed yet is not here.
    """

    def __init__(self, *, capacity: int = 256) -> None:
        self._capacity = capacity
        self._drawn: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def hang(self, chart: Chart) -> str:
        """Draw `chart` unless it is drawn already, and return its digest."""
        digest = chart.digest
        with self._lock:
            if digest in self._drawn:
                self._drawn.move_to_end(digest)
                return digest
        svg = svg_of(chart.spec)
        with self._lock:
            self._drawn[digest] = svg
            while len(self._drawn) > self._capacity:
                self._drawn.popitem(last=False)
        return digest

    def svg(self, digest: str) -> str:
        """Return a drawing, or raise NotFound."""
        with self._lock:
            svg = self._drawn.get(digest)
        if svg is None:
            raise NotFound(
                "this chart is not kept any more",
                next_step="reload the page that shows it, which draws it again",
            )
        return svg


def with_theme(spec: Mapping[str, Any]) -> Spec:
    """Return the specification under the shared theme, and with the schema that it follows."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": THEME,
        **spec,
    }


def as_float(text: str | None) -> float | None:
    """Return the number that a drawing uses; None leaves a gap."""
    return None if text is None else float(text)


def month_date(month: str) -> str:
    """Return "2005-07-01" for "2005-07": an axis of time needs a day."""
    return f"{month}-01"


def table_of(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Return rows as they are kept."""
    return tuple(tuple(row) for row in rows)
