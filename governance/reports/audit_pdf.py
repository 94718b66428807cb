"""The audit report as one document: PDF/A-2a and PDF/UA-1, the same bytes at every rendering.

The document's date is the instant at which the evidence was produced, so that a rendering years
later gives the same file and its SHA-256 can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from audits.estimate import Json
from governance.adapters.charts import svg_of
from governance.adapters.pdf import pdf_of
from governance.reports import wording
from governance.reports.audit_charts import charts_of
from governance.reports.audit_report import (
    DISCLAIMER,
    AuditReport,
    CriterionShown,
    EstimateShown,
    Fact,
    ReportContext,
)
from governance.reports.chart import Chart
from governance.reports.evidence_reader import read_audit

_OF_NUMBERS: Final = frozenset(
    f"0123456789. {wording.MINUS}{wording.EN_DASH}{wording.NARROW_SPACE}"
)
TEMPLATE: Final = Path(__file__).parent / "templates" / "audit.typ"


def render_audit_pdf(evidence: Json, context: ReportContext) -> bytes:
    """Return the report of an evidence record as PDF bytes.

    Raises EvidenceUnreadable where the record does not have the shape of a temporal validation,
    and DocumentRefused or ChartRefused where it cannot be set.
    """
    return document_of(read_audit(evidence, model=context.model, version=context.version), context)


def document_of(report: AuditReport, context: ReportContext) -> bytes:
    """Return the report as PDF bytes; equal arguments give equal bytes."""
    return pdf_of(TEMPLATE, data=document_data(report, context), instant_us=context.produced_us)


def document_data(report: AuditReport, context: ReportContext) -> dict[str, Json]:
    """Return every word and number that the template sets."""
    title = f"{wording.words_of(report.kind)} of {report.version}"
    return {
        "title": title,
        "subtitle": f"{context.organisation}, {wording.day_text(context.produced_us)}",
        "running_title": f"{title} · {context.organisation}",
        "organisation": context.organisation,
        "evidence": f"Evidence {context.evidence}",
        "digest_short": context.digest,
        "verdict": report.verdict,
        "verdict_word": wording.verdict_word(report.verdict),
        "headline": report.headline,
        "about": facts_data(_about(report, context)),
        "criteria": criteria_data(report.criteria),
        "charts": [chart_data(chart) for chart in charts_of(report)],
        "groups": _groups(report),
        "sensitivity": _sensitivity(report),
        "order": context.order.sentence,
        "protocol": facts_data(report.protocol),
        "data": facts_data(report.data),
        "provenance": facts_data(_provenance(report, context)),
        "limits": [*context.limits, *report.limits],
        "signatures": signatures_data(context),
        "disclaimer": DISCLAIMER,
    }


def _about(report: AuditReport, context: ReportContext) -> tuple[Fact, ...]:
    return (
        Fact(label="Model", value=report.model),
        Fact(label="Version", value=report.version),
        Fact(label="Change plan", value=context.order.plan),
        Fact(label="Test data", value=context.dataset),
        Fact(label="Evaluated", value=wording.instant_text(context.produced_us)),
    )


def _provenance(report: AuditReport, context: ReportContext) -> tuple[Fact, ...]:
    return (
        Fact(label="Deployment", value=context.deployment),
        Fact(label="Produced by", value=context.produced_by),
        *report.software,
        Fact(label="Evidence SHA-256", value=context.digest, code=True),
        Fact(label="To reproduce", value=context.reproduce, code=True),
    )


def facts_data(facts: Sequence[Fact]) -> list[Json]:
    """Return facts as the templates set them."""
    return [{"label": fact.label, "value": fact.value, "code": fact.code} for fact in facts]


def rows_data(rows: Sequence[Sequence[Json]]) -> list[Json]:
    """Return rows as the templates set them."""
    return [list(row) for row in rows]


def criteria_data(
    criteria: Sequence[CriterionShown], *, everything: str = "all series"
) -> dict[str, Json]:
    """Return the criteria as the templates set them; `everything` is the word for all."""
    rows: list[list[Json]] = [
        [
            _criterion(shown, everything),
            shown.estimate_text,
            shown.floor_text,
            shown.reading_text,
            [shown.verdict, wording.verdict_word(shown.verdict)],
        ]
        for shown in criteria
    ]
    return {
        "caption": "Estimates with their intervals against the floors that were fixed beforehand.",
        "columns": ["Criterion", "Estimate (interval)", "Floor", "Interval", "Verdict"],
        "rows": rows_data(rows),
        "reasons": [
            {
                "label": shown.title,
                "value": f"{shown.reason} {_method(shown.estimate)}",
            }
            for shown in criteria
        ],
    }


def _criterion(shown: CriterionShown, everything: str) -> str:
    """Return the criterion's name with its population, unless the name says it already."""
    if shown.population != "all" and shown.population in shown.id:
        return shown.title
    return f"{shown.title} ({everything if shown.population == 'all' else shown.population})"


def _population(population: str) -> str:
    return "all series" if population == "all" else population


def _method(estimate: EstimateShown) -> str:
    """Return the level, n and method in a sentence (P8)."""
    note = f" {wording.sentence_of(estimate.note)}." if estimate.note else ""
    level = wording.percent_text(estimate.level)
    return f"Level {level}, n = {estimate.n_text}; {estimate.method}.{note}"


def chart_data(chart: Chart) -> dict[str, Json]:
    """Return a chart, drawn, as the templates set it."""
    return {
        "title": chart.title,
        "alt": chart.alt,
        "caption": chart.caption,
        "svg": svg_of(chart.spec),
        "columns": list(chart.columns),
        "rows": rows_data(chart.rows),
        "narrow": [
            all(set(row[at]) <= _OF_NUMBERS for row in chart.rows)
            for at in range(len(chart.columns))
        ],
    }


def _groups(report: AuditReport) -> dict[str, Json]:
    rows = [
        [
            shown.group,
            wording.metric_words(estimate.metric),
            estimate.text(),
            estimate.n_text,
        ]
        for shown in report.groups
        for estimate in shown.estimates
    ]
    return {
        "caption": "Estimates by group. A small group is shown and marked, never dropped.",
        "columns": ["Group", "Metric", "Estimate (interval)", "n"],
        "rows": rows_data(rows),
        "sentence": report.no_groups,
    }


def _sensitivity(report: AuditReport) -> dict[str, Json]:
    rows = [
        [
            wording.metric_words(estimate.metric),
            _population(estimate.population),
            estimate.text(),
            estimate.n_text,
        ]
        for estimate in report.sensitivity
    ]
    return {
        "caption": "Further estimates; no verdict rests on them.",
        "columns": ["Metric", "Population", "Estimate (interval)", "n"],
        "rows": rows_data(rows),
    }


def signatures_data(context: ReportContext) -> dict[str, Json]:
    """Return the signatures as the templates set them."""
    rows = [
        [
            f"{shown.printed_name} ({shown.signer})",
            wording.words_of(shown.meaning),
            wording.instant_text(shown.signed_us, seconds=True),
            f"{shown.record}, {wording.digest_text(shown.record_digest)}",
        ]
        for shown in context.signatures
    ]
    return {
        "caption": "Who signed what, when, and what the signature means.",
        "columns": ["Printed name", "Meaning", "Signed", "Record and digest"],
        "rows": rows_data(rows),
    }
