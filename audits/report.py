"""The one shape of every audit report: question, criteria, sections with tables and charts, limits.

Definition: a report answers one question about one model. Its sections hold estimates, tables and
    charts; every chart draws a table that stands beside it, so that nobody depends on the picture.
    `missing` says what was not looked at and why; it is never empty by neglect (P8).
Formula: the verdict is `criteria.overall` of the judgements; without a criterion it is
    insufficient, because nothing was asked beforehand (P4).
Source: the house rule that page and document are drawn from the recorded evidence alone (ADR 0005).
Assumptions: numbers in tables are decimal text (`estimate.decimal_text`), so that the same run on
    another processor gives the same bytes.
Failure modes: a chart that names a column its table lacks is refused when the report is built.
Cost: linear in the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from audits.criteria import Criterion, Judgement, overall
from audits.errors import ReportMalformed
from audits.estimate import Estimate, Json, Verdict

SCHEMA: Final = "audit-report/1"

Cell: TypeAlias = "str | int | None"
"""A text, a count, a number as decimal text, or None: nothing to show."""

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called as (done, total, what is being done now); returns at once."""


def quiet(_done: int, _total: int, _what: str) -> None:
    """Report no progress."""


class ChartKind(StrEnum):
    """How a table is drawn."""

    INTERVALS = "intervals"
    """One row a line: label (x), value (y), low, high; `rules` are limits to compare with."""
    CURVE = "curve"
    """Points in order of x, one line a group, with a band where low and high are named."""
    BARS = "bars"
    """One bar a row: label (x), count or share (y)."""
    SERIES = "series"
    """Windows in order: label (x), value (y), low, high, one line a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under named columns; `columns` and every row have one length."""

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise _malformed(f"table {self.id!r} has a row that is not {len(self.columns)} wide")

    def as_record(self) -> dict[str, Json]:
        """Return the table in the JSON domain."""
        return {
            "id": self.id,
            "caption": self.caption,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line to compare with, at `at` (decimal text): a margin, the diagonal's end, a limit."""

    at: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture of the table `table`; x, y, low, high and group name columns of it.

    `diagonal` draws the line y = x (calibration, ROC). `alt` says in words what is to be seen.
    """

    id: str
    kind: ChartKind
    caption: str
    alt: str
    table: str
    x: str
    y: str
    low: str | None = None
    high: str | None = None
    group: str | None = None
    rules: tuple[Rule, ...] = ()
    diagonal: bool = False

    def as_record(self) -> dict[str, Json]:
        """Return the chart in the JSON domain."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "caption": self.caption,
            "alt": self.alt,
            "table": self.table,
            "x": self.x,
            "y": self.y,
            "low": self.low,
            "high": self.high,
            "group": self.group,
            "rules": [{"at": rule.at, "label": rule.label} for rule in self.rules],
            "diagonal": self.diagonal,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How a number was made, as a reader of the report needs it; `version` changes with it."""

    name: str
    definition: str
    source: str
    assumptions: str
    version: str

    def as_record(self) -> dict[str, Json]:
        """Return the method in the JSON domain."""
        return {
            "name": self.name,
            "definition": self.definition,
            "source": self.source,
            "assumptions": self.assumptions,
            "version": self.version,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the argument, in reading order: sentences, estimates, tables, charts."""

    id: str
    title: str
    paragraphs: tuple[str, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()

    def __post_init__(self) -> None:
        known = {table.id: table.columns for table in self.tables}
        for chart in self.charts:
            if chart.table not in known:
                raise _malformed(
                    f"chart {chart.id!r} draws {chart.table!r}, which is not beside it"
                )
            named = {chart.x, chart.y, chart.low, chart.high, chart.group} - {None}
            if named - set(known[chart.table]):
                raise _malformed(f"chart {chart.id!r} names a column that its table has not")

    def as_record(self) -> dict[str, Json]:
        """Return the section in the JSON domain."""
        return {
            "id": self.id,
            "title": self.title,
            "paragraphs": list(self.paragraphs),
            "estimates": [one.as_record() for one in self.estimates],
            "tables": [one.as_record() for one in self.tables],
            "charts": [one.as_record() for one in self.charts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What one audit found. `data` are facts about the rows: (what, how many or which)."""

    kind: str
    question: str
    protocol: dict[str, Json]
    criteria: tuple[Criterion, ...]
    judgements: tuple[Judgement, ...]
    sections: tuple[Section, ...]
    methods: tuple[Method, ...]
    data: tuple[tuple[str, Cell], ...]
    limits: tuple[str, ...]
    missing: tuple[str, ...]

    def __post_init__(self) -> None:
        if [one.id for one in self.criteria] != [one.criterion for one in self.judgements]:
            raise _malformed("every criterion is judged once, in the order of the criteria")
        names = [table.id for section in self.sections for table in section.tables]
        names += [chart.id for section in self.sections for chart in section.charts]
        names += [section.id for section in self.sections]
        if len(set(names)) != len(names):
            raise _malformed("sections, tables and charts have ids of their own")

    @property
    def verdict(self) -> Verdict:
        """Fail beats insufficient beats pass; without a criterion insufficient."""
        return overall(self.judgements)

    def as_record(self) -> dict[str, Json]:
        """Return the report in the JSON domain."""
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "question": self.question,
            "protocol": self.protocol,
            "criteria": [one.as_record() for one in self.criteria],
            "judgements": [one.as_record() for one in self.judgements],
            "sections": [one.as_record() for one in self.sections],
            "methods": [one.as_record() for one in self.methods],
            "data": [list(pair) for pair in self.data],
            "limits": list(self.limits),
            "missing": list(self.missing),
            "verdict": self.verdict.value,
        }


def judged(
    criteria: Sequence[Criterion], judgements: Sequence[Judgement]
) -> tuple[tuple[Criterion, ...], tuple[Judgement, ...]]:
    """Return criteria and judgements paired in the order of the criteria.

    Raises ReportMalformed where a criterion was not judged, or something else was.
    """
    found = {one.criterion: one for one in judgements}
    if set(found) != {one.id for one in criteria} or len(found) != len(judgements):
        raise _malformed("every criterion is judged once, and nothing else is")
    return tuple(criteria), tuple(found[one.id] for one in criteria)


def _malformed(fault: str) -> ReportMalformed:
    return ReportMalformed(fault, next_step="Correct the method that builds the report.")
