"""The sections of a report on discrimination: tables and the charts that draw them.

Definition: curves are read on a grid of at most POINTS steps; the estimates come from all rows.
Formula: none. Source: none. Assumptions: none.
Failure modes: a thinned curve may miss a corner by one part in POINTS.
Cost: linear in the points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.estimate import Estimate, decimal_text
from audits.performance.influence import one_class
from audits.performance.precision_recall import curve_of
from audits.performance.protocol import Parts, estimates_table, text
from audits.performance.roc import roc_points
from audits.report import Chart, ChartKind, Rule, Section, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]

POINTS: Final = 50
FEWEST_BEHIND: Final = 5
"""Rows behind a step of a curve: a step of one row would show that row's score and outcome."""


def sections(
    parts: Parts,
    estimates: Sequence[Estimate],
    windows: Sequence[Estimate],
    *,
    net_benefit_thresholds: tuple[float, ...],
) -> tuple[Section, ...]:
    """Return the report's sections in reading order."""
    found = [_areas(estimates)]
    why = one_class(parts.rows)
    if not why:
        found += [_roc(parts.rows), _precision_recall(parts.rows)]
    found.append(_thresholds(estimates))
    if net_benefit_thresholds:
        found.append(_decision(estimates, net_benefit_thresholds))
    ranked = [one for one in estimates if one.metric.startswith(("bedroc@", "rie@", "enrichment@"))]
    if ranked:
        found.append(
            Section(
                id="early_recognition",
                title="Early recognition",
                estimates=tuple(ranked),
            )
        )
    if windows:
        found.append(_by_window(windows))
    return tuple(found)


def _areas(estimates: Sequence[Estimate]) -> Section:
    names = ("auroc", "average_precision", "auroc_difference")
    shown = [one for one in estimates if one.metric in names]
    areas = [one for one in shown if one.metric == "auroc"]
    return Section(
        id="areas",
        title="Areas under the curves",
        paragraphs=(
            "Populations with too few subjects of a class are listed with the reason and no value.",
        ),
        estimates=tuple(shown),
        tables=(estimates_table("auroc_table", "Area under the ROC curve by population", areas),),
        charts=(
            Chart(
                id="auroc_chart",
                kind=ChartKind.INTERVALS,
                caption="Area under the ROC curve by population",
                alt="One line a population with the area and its interval, beside one half.",
                table="auroc_table",
                x="population",
                y="value",
                low="low",
                high="high",
                rules=(Rule(at="0.5", label="no discrimination"),),
            ),
        ),
    )


def _roc(rows: Rows) -> Section:
    _, falls, hits = roc_points(rows)
    return Section(
        id="roc",
        title="ROC curve",
        tables=(
            _curve_table(
                "roc_table",
                "Sensitivity against false positive rate, all rows",
                ("false_positive_rate", "sensitivity"),
                (falls, hits),
                rows=rows.n - rows.positives,
            ),
        ),
        charts=(
            Chart(
                id="roc_chart",
                kind=ChartKind.CURVE,
                caption="ROC curve",
                alt="Sensitivity against false positive rate, with the diagonal of no knowledge.",
                table="roc_table",
                x="false_positive_rate",
                y="sensitivity",
                diagonal=True,
            ),
        ),
    )


def _precision_recall(rows: Rows) -> Section:
    curve = curve_of(rows)
    share = decimal_text(rows.positives / rows.n, digits=6)
    return Section(
        id="precision_recall",
        title="Precision-recall curve",
        paragraphs=(f"The prevalence is {share}: the precision of a score without information.",),
        tables=(
            _curve_table(
                "precision_recall_table",
                "Precision against recall, all rows",
                ("recall", "precision"),
                (curve.recall, curve.precision),
                rows=rows.positives,
            ),
        ),
        charts=(
            Chart(
                id="precision_recall_chart",
                kind=ChartKind.CURVE,
                caption="Precision-recall curve",
                alt="Precision against recall, with the prevalence as the level of no knowledge.",
                table="precision_recall_table",
                x="recall",
                y="precision",
                rules=(Rule(at=share, label="prevalence"),),
            ),
        ),
    )


def _thresholds(estimates: Sequence[Estimate]) -> Section:
    names = (
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
        "acted_on",
        "lr_positive",
        "lr_negative",
        "sensitivity_at_specificity",
    )
    shown = [one for one in estimates if one.metric.split("@")[0] in names]
    return Section(
        id="thresholds",
        title="Acting at a threshold",
        paragraphs=("A row is acted on where its score is at least the threshold.",),
        estimates=tuple(shown),
    )


def _decision(estimates: Sequence[Estimate], thresholds: tuple[float, ...]) -> Section:
    shown = [one for one in estimates if one.metric.startswith("net_benefit")]
    found = {one.metric: one for one in shown if one.population == "all"}
    lines: list[tuple[str | int | None, ...]] = []
    for name, strategy in (("net_benefit", "model"), ("net_benefit_all", "treat all")):
        for threshold in sorted(thresholds):
            one = found[f"{name}@{decimal_text(threshold)}"]
            limits = (text(one.value), text(one.low), text(one.high))
            lines.append((strategy, text(threshold), *limits))
    return Section(
        id="decision_curve",
        title="Decision curve",
        paragraphs=("Treating nobody has a net benefit of zero.",),
        estimates=tuple(shown),
        tables=(
            Table(
                id="decision_table",
                caption="Net benefit by threshold, all rows",
                columns=("strategy", "threshold", "net_benefit", "low", "high"),
                rows=tuple(lines),
            ),
        ),
        charts=(
            Chart(
                id="decision_chart",
                kind=ChartKind.CURVE,
                caption="Decision curve",
                alt="Net benefit of the model and of treating all, by action threshold.",
                table="decision_table",
                x="threshold",
                y="net_benefit",
                low="low",
                high="high",
                group="strategy",
                rules=(Rule(at="0", label="treat nobody"),),
            ),
        ),
    )


def _by_window(windows: Sequence[Estimate]) -> Section:
    return Section(
        id="windows",
        title="By window of time",
        paragraphs=("Windows describe; a trend is tested in the audit of temporal validation.",),
        estimates=tuple(windows),
        tables=(estimates_table("windows_table", "Areas by window", windows),),
        charts=(
            Chart(
                id="windows_chart",
                kind=ChartKind.SERIES,
                caption="Areas by window",
                alt="The areas under both curves in each window, with their intervals.",
                table="windows_table",
                x="population",
                y="value",
                low="low",
                high="high",
                group="metric",
            ),
        ),
    )


def _curve_table(
    ident: str, caption: str, columns: tuple[str, str], curve: tuple[Floats, Floats], *, rows: int
) -> Table:
    """Return a curve on a grid of its first column, with at least FEWEST_BEHIND of `rows` a step.

    A point at each row with its threshold would be the rows themselves, score and outcome (P15).
    """
    import numpy as np

    across, up = curve
    order = np.lexsort((up, across))
    grid = np.linspace(0.0, 1.0, min(POINTS, max(rows // FEWEST_BEHIND, 1)) + 1)
    read = np.interp(grid, across[order], up[order])
    return Table(
        id=ident,
        caption=caption,
        columns=columns,
        rows=tuple((text(float(x)), text(float(y))) for x, y in zip(grid, read, strict=True)),
    )
