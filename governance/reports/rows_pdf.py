"""The report of an audit of rows as one document: PDF/A-2a and PDF/UA-1, the same bytes always.

The document's date is the instant at which the evidence was produced, so that a rendering years
later gives the same file and its SHA-256 can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from audits.estimate import Json
from governance.adapters.pdf import pdf_of
from governance.reports import wording
from governance.reports.audit_pdf import (
    chart_data,
    criteria_data,
    facts_data,
    rows_data,
    signatures_data,
)
from governance.reports.audit_report import DISCLAIMER, EstimateShown, Fact, ReportContext
from governance.reports.rows_report import (
    SIMULATED,
    LineageShown,
    MethodShown,
    RowsReport,
    SectionShown,
    TableShown,
)

TEMPLATE: Final = Path(__file__).parent / "templates" / "rows.typ"


def rows_document_of(report: RowsReport, context: ReportContext) -> bytes:
    """Return the report as PDF bytes; equal arguments give equal bytes.

    Raises DocumentRefused or ChartRefused where it cannot be set.
    """
    return pdf_of(
        TEMPLATE, data=rows_document_data(report, context), instant_us=context.produced_us
    )


def rows_document_data(report: RowsReport, context: ReportContext) -> dict[str, Json]:
    """Return every word and number that the template sets."""
    disclaimer = f"{SIMULATED}. {DISCLAIMER}" if report.simulated else DISCLAIMER
    return {
        "title": report.title,
        "subtitle": f"{context.organisation}, {wording.day_text(context.produced_us)}",
        "running_title": f"{report.title} · {context.organisation}",
        "organisation": context.organisation,
        "evidence": f"Evidence {context.evidence}",
        "digest_short": context.digest,
        "verdict": report.verdict,
        "verdict_word": wording.verdict_word(report.verdict),
        "headline": report.headline,
        "about": facts_data(_about(report, context)),
        "question": report.question,
        "criteria": criteria_data(report.criteria, everything="all rows"),
        "sections": [_section(one) for one in report.sections],
        "missing": list(report.missing),
        "limits": [*report.limits, *context.limits],
        "order": context.order.sentence,
        "data": facts_data(report.data),
        "lineage": [_lineage(one) for one in report.lineage],
        "protocol": facts_data(report.protocol),
        "methods": [_method(one) for one in report.methods],
        "provenance": facts_data(_provenance(report, context)),
        "signatures": signatures_data(context),
        "disclaimer": disclaimer,
    }


def _about(report: RowsReport, context: ReportContext) -> tuple[Fact, ...]:
    return (
        Fact(label="Model", value=report.model),
        Fact(label="Version", value=report.version or "none; the policies are in the protocol"),
        Fact(label="Audit protocol", value=context.order.plan),
        Fact(label="Test data", value=context.dataset),
        Fact(label="Evaluated", value=wording.instant_text(context.produced_us)),
    )


def _provenance(report: RowsReport, context: ReportContext) -> tuple[Fact, ...]:
    return (
        Fact(label="Deployment", value=context.deployment),
        Fact(label="Produced by", value=context.produced_by),
        *report.software,
        Fact(label="Evidence SHA-256", value=context.digest, code=True),
        Fact(label="To reproduce", value=context.reproduce, code=True),
    )


def _section(section: SectionShown) -> dict[str, Json]:
    return {
        "title": section.title,
        "paragraphs": list(section.paragraphs),
        "estimates": {
            "caption": "Estimates with their intervals, what n counts, and the method.",
            "columns": ["Metric", "Population", "Estimate (interval)", "n", "Method, note"],
            "rows": rows_data(estimate_rows(section.estimates)),
        },
        "charts": [chart_data(one) for one in section.charts],
        "tables": [_table(one) for one in section.tables],
    }


def estimate_rows(estimates: Sequence[EstimateShown]) -> list[list[Json]]:
    """Return estimates as the rows of a table; an undefined one says why (P8)."""
    return [
        [
            wording.metric_words(one.metric),
            one.population,
            one.text(),
            one.n_text,
            f"{one.method}, {wording.percent_text(one.level)}"
            + (f"; {one.note}" if one.note else ""),
        ]
        for one in estimates
    ]


def _table(table: TableShown) -> dict[str, Json]:
    return {
        "caption": table.caption,
        "columns": list(table.columns),
        "rows": rows_data([list(row) for row in table.rows]),
        "narrow": list(table.numeric),
    }


def _lineage(one: LineageShown) -> dict[str, Json]:
    return {
        "title": f"{wording.words_of(one.role)} data: {one.title}",
        "facts": facts_data(one.facts),
    }


def _method(one: MethodShown) -> dict[str, Json]:
    return {
        "name": one.name,
        "definition": one.definition,
        "source": one.source,
        "assumptions": one.assumptions,
        "version": one.version,
    }
