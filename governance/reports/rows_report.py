"""The report of an audit of rows: sections, tables and charts, as its evidence record has them.

Every kind of audit writes the same shape (`audits.report`), so one reader, one page and one
document show all of them. Everything is read strictly: a record that lacks something is refused by
name, never shown with a gap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from audits.estimate import Json
from governance.reports import wording
from governance.reports.audit_report import CriterionShown, EstimateShown, Fact, headline_of
from governance.reports.chart import Chart
from governance.reports.evidence_reader import (
    Record,
    criteria_shown,
    estimate_shown,
    member,
    members,
    text,
    texts,
    unreadable,
)
from governance.reports.rows_chart import charts_of_table

SCHEMA: Final = "audit-report/1"
_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?:@[0-9.]+)?")
SIMULATED: Final = "SIMULATED DATA: nothing here is clinical performance"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableShown:
    """A table with its cells worded; `numeric` says of each column whether it holds numbers."""

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionShown:
    """One part of the argument. A table that a chart draws stands with the chart."""

    id: str
    title: str
    paragraphs: tuple[str, ...]
    estimates: tuple[EstimateShown, ...]
    tables: tuple[TableShown, ...]
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodShown:
    """How a number was made."""

    name: str
    definition: str
    source: str
    assumptions: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageShown:
    """One table that was read, by the digests that say exactly which bytes."""

    role: str
    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsReport:
    """Everything that the page and the document show, in the order of reading."""

    kind: str
    model: str
    version: str
    question: str
    simulated: bool
    verdict: str
    criteria: tuple[CriterionShown, ...]
    sections: tuple[SectionShown, ...]
    methods: tuple[MethodShown, ...]
    data: tuple[Fact, ...]
    protocol: tuple[Fact, ...]
    lineage: tuple[LineageShown, ...]
    software: tuple[Fact, ...]
    limits: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def headline(self) -> str:
        """Return the verdict as a sentence with its counts."""
        return headline_of(self.verdict, self.criteria)

    @property
    def title(self) -> str:
        """Return what the report is called."""
        return f"{wording.words_of(self.kind)} audit of {self.version or self.model}"

    @property
    def charts(self) -> tuple[Chart, ...]:
        """Return every chart in the order of reading."""
        return tuple(chart for section in self.sections for chart in section.charts)


def is_rows_report(record: Json) -> bool:
    """Whether the evidence is that of an audit of rows."""
    report = record.get("report") if isinstance(record, dict) else None
    return isinstance(report, dict) and report.get("schema") == SCHEMA


def read_rows_report(record: Json) -> RowsReport:
    """Return the report of an evidence record.

    Raises EvidenceUnreadable naming the first member that is not as expected.
    """
    if not isinstance(record, dict):
        raise unreadable("evidence", "an object")
    about, found = member(record, "about"), member(record, "report")
    return RowsReport(
        kind=text(found, "kind"),
        model=text(about, "model"),
        version=text(about, "version"),
        question=text(found, "question"),
        simulated=about.get("simulated") is not False,
        verdict=text(found, "verdict"),
        criteria=criteria_shown(found),
        sections=tuple(_section(one) for one in members(found, "sections")),
        methods=tuple(_method(one) for one in members(found, "methods")),
        data=tuple(
            Fact(label=_cell(pair[0]), value=_cell(pair[1])) for pair in _rows(found, "data", 2)
        ),
        protocol=_protocol(member(found, "protocol")),
        lineage=tuple(_lineage(one) for one in members(about, "tables")),
        software=tuple(
            Fact(label=name, value=str(value)) for name, value in member(record, "software").items()
        ),
        limits=texts(found, "limits"),
        missing=texts(found, "missing"),
    )


def _section(record: Record) -> SectionShown:
    tables = {text(one, "id"): _table(one) for one in members(record, "tables")}
    raw = {text(one, "id"): one for one in members(record, "tables")}
    charts: list[Chart] = []
    drawn: set[str] = set()
    for one in members(record, "charts"):
        name = text(one, "table")
        if name not in tables:
            raise unreadable(f"table of chart {text(one, 'id')}", "beside it")
        drawn.add(name)
        charts += charts_of_table(one, raw[name], shown=tables[name].rows)
    return SectionShown(
        id=text(record, "id"),
        title=text(record, "title"),
        paragraphs=texts(record, "paragraphs"),
        estimates=tuple(estimate_shown(one) for one in members(record, "estimates")),
        tables=tuple(table for name, table in tables.items() if name not in drawn),
        charts=tuple(charts),
    )


def _table(record: Record) -> TableShown:
    columns = texts(record, "columns")
    rows = _rows(record, "rows", len(columns))
    return TableShown(
        id=text(record, "id"),
        caption=text(record, "caption"),
        columns=tuple(map(wording.metric_words, columns)),
        rows=tuple(tuple(_cell(cell) for cell in row) for row in rows),
        numeric=tuple(
            all(row[at] is None or wording.decimal_of(_number(row[at])) is not None for row in rows)
            for at in range(len(columns))
        ),
    )


def _number(cell: Json) -> str | int | None:
    return cell if isinstance(cell, str | int) and not isinstance(cell, bool) else None


def _rows(record: Record, name: str, width: int) -> tuple[tuple[Json, ...], ...]:
    rows = record.get(name)
    if not isinstance(rows, list):
        raise unreadable(name, "a list of rows")
    if not all(isinstance(row, list) and len(row) == width for row in rows):
        raise unreadable(name, f"rows of {width} cells")
    return tuple(tuple(row) for row in rows if isinstance(row, list))


def _cell(cell: Json) -> str:
    if cell is None:
        return wording.EN_DASH
    if isinstance(cell, int):
        return wording.number_text(cell, places=0)
    if isinstance(cell, str):
        if wording.decimal_of(cell) is not None:
            return wording.number_text(cell)
        return wording.metric_words(cell) if _IDENTIFIER.fullmatch(cell) else cell
    raise unreadable("cell", "a text, a count or nothing")


def _method(record: Record) -> MethodShown:
    return MethodShown(
        name=text(record, "name"),
        definition=text(record, "definition"),
        source=text(record, "source"),
        assumptions=text(record, "assumptions"),
        version=text(record, "version"),
    )


def _protocol(record: Record) -> tuple[Fact, ...]:
    return tuple(
        Fact(label=wording.words_of(name), value=_said(value)) for name, value in record.items()
    )


def _said(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(_said(one) for one in value) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_said(one)}" for name, one in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _lineage(record: Record) -> LineageShown:
    months = texts(record, "months")
    rows = record.get("rows")
    return LineageShown(
        role=text(record, "role"),
        title=text(record, "title"),
        facts=(
            Fact(label="Registered as", value=text(record, "dataset")),
            Fact(label="Rows", value=wording.number_text(_number(rows), places=0)),
            Fact(label="Months", value=wording.span_of(months)),
            Fact(label="SHA-256 of the file", value=text(record, "file_sha256"), code=True),
            Fact(label="SHA-256 of the manifest", value=text(record, "manifest_sha256"), code=True),
        ),
    )
