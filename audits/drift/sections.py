"""The sections of a drift report: tables, each with its chart, from what was found.

Definition: tables hold decimal text; a chart draws one table (`audits.report`).
Formula: none.
Source: the house rule that page and document are drawn from the recorded evidence alone.
Assumptions: none.
Failure modes: a method whose limit is not that of another stands in a chart of its own.
Cost: linear in the cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from audits.drift import cbpe, late_labels
from audits.drift.columns import ColumnDrift
from audits.drift.distances import VERSIONS
from audits.drift.missingness import CHANGE
from audits.drift.protocol import DriftProtocol
from audits.drift.two_sample import METHODS as LEARNERS
from audits.errors import CalibrationTooSmall
from audits.estimate import RECORD_DIGITS, Estimate, Verdict, decimal_text, undefined
from audits.report import Cell, Chart, ChartKind, Method, Rule, Section, Table

if TYPE_CHECKING:
    from audits.sources.sample import Sample

DISTANCES: Final = {
    "ks": "largest gap of the two distribution functions",
    "wasserstein": "mean distance that values moved, in interquartile ranges of the reference",
    "psi": "population stability index over bins of equal reference share, bias removed",
    "jensen_shannon": "distance to base 2 over the same bins, from 0 to 1, bias removed",
    "cramers_v": "chi-square of the same bins as a measure from 0 to 1, bias removed",
}
SOURCES: Final = {
    "ks": "Massart (1990), Annals of Probability 18(3), 1269-1283",
    "wasserstein": "Kaas, Dhaene and Goovaerts (2000), Insurance 27(2), 151-168 (its interval)",
    "psi": "Yurdakul (2018), Western Michigan University dissertation 3208",
    "jensen_shannon": "Lin (1991), IEEE Transactions on Information Theory 37(1), 145-151",
    "cramers_v": "Cramer (1946), Mathematical Methods of Statistics, 282",
}


def _method(name: str, definition: str, source: str, assumptions: str, version: str) -> Method:
    return Method(
        name=name, definition=definition, source=source, assumptions=assumptions, version=version
    )


METHODS_OF_PARTS: Final = {
    name: _method(
        name,
        definition,
        SOURCES[name],
        "rows are independent, or worth as many as are",
        VERSIONS[name],
    )
    for name, definition in DISTANCES.items()
} | {
    "missing": _method(
        "missingness",
        "change in the share of missing values",
        "Newcombe (1998), Statistics in Medicine 17(8), 873-890",
        "a missing value is recorded as missing",
        CHANGE,
    ),
    "two_sample": _method(
        "two-sample test",
        "AUROC of telling reference and current rows apart, trained on other subjects",
        "Lopez-Paz and Oquab (2017), ICLR",
        "subjects are independent",
        "; ".join(LEARNERS.values()),
    ),
    "applicability": _method(
        "share outside",
        "share of rows stranger than a quantile of the reference",
        "Mahalanobis (1936); Liu, Ting and Zhou (2008), ICDM, 413-422",
        "the reference covers what the model was judged on",
        "mahalanobis or isolation forest, v1",
    ),
    "without_labels": _method(
        "performance without labels",
        "metrics that calibrated scores promise",
        "Zadrozny and Elkan (2002), KDD, 694-699 (calibration)",
        "the share of events at a score is what it was in the reference",
        cbpe.METHOD,
    ),
    "late_labels": _method(
        "late labels",
        "mature rows only; coverage, delay by label, bounds, weighted estimate",
        "Manski (1990), American Economic Review 80(2), 319-323; ICH E9(R1), A.3.2",
        "times are as recorded; weighting needs labels missing at random",
        f"{late_labels.DELAY}; {late_labels.BOUNDED}; {late_labels.WEIGHTED}",
    ),
}


def columns_section(columns: Sequence[ColumnDrift], *, protocol: DriftProtocol) -> Section:
    """Return distances by column: one table and one chart a method, and how many drifted."""
    drifted = [one.name for one in columns if one.drifted]
    unsettled = [one.name for one in columns if one.unsettled]
    tables, charts = [], []
    for method, limit in protocol.limits.items():
        table = _distances(columns, method=method, limit=limit)
        if table.rows:
            tables.append(table)
            charts.append(_intervals(table, method=method, limit=limit))
    return Section(
        id="columns",
        title="How far has each column moved?",
        paragraphs=(
            _said("Beyond a limit with the whole interval", drifted),
            _said("Not settled by these rows", unsettled),
            (
                f"{protocol.comparisons} intervals, each at the level "
                f"{decimal_text(protocol.column_level, digits=RECORD_DIGITS)} "
                f"(multiplicity: {protocol.multiplicity})."
            ),
        ),
        estimates=(
            _drifted(columns, protocol),
            Estimate(
                metric="columns_unsettled",
                value=float(len(unsettled)),
                low=None,
                high=None,
                level=protocol.level,
                n=len(columns),
                unit="column",
                method=_counted(protocol),
                source="sample",
                note="a count of verdicts, each from an interval of its own",
            ),
        ),
        tables=tuple(tables),
        charts=tuple(charts),
    )


def missing_section(columns: Sequence[ColumnDrift], *, protocol: DriftProtocol) -> Section:
    """Return the change in missing values by column, and the levels never seen before."""
    rows: list[tuple[Cell, ...]] = [
        (
            one.name,
            _text(one.change.value),
            _text(one.change.low),
            _text(one.change.high),
            decimal_text(protocol.missing_limit, digits=RECORD_DIGITS),
            one.change_verdict.value,
        )
        for one in columns
    ]
    table = Table(
        id="missing-values",
        caption="Share of missing values now less that of the reference",
        columns=("column", "change", "low", "high", "limit", "verdict"),
        rows=tuple(rows),
    )
    new = Table(
        id="new-levels",
        caption="Values that the reference has not, with their rows",
        columns=("column", "value", "rows"),
        rows=tuple((one.name, level, count) for one in columns for level, count in one.new),
    )
    limit = decimal_text(protocol.missing_limit, digits=RECORD_DIGITS)
    chart = Chart(
        id="missing-values-chart",
        kind=ChartKind.INTERVALS,
        caption=table.caption,
        alt="One line a column with its interval; rules at the limit on either side.",
        table=table.id,
        x="column",
        y="change",
        low="low",
        high="high",
        rules=(Rule(at=limit, label="limit"), Rule(at=f"-{limit}", label="limit")),
    )
    return Section(
        id="missing",
        title="What is missing, and what is new?",
        tables=(table, new),
        charts=(chart,),
    )


def without_labels_section(
    reference: Sample, test: Sample, *, protocol: DriftProtocol, seed: int
) -> Section:
    """Return performance without labels with its bounds; undefined where nothing calibrates."""
    asked = protocol.without_labels
    assert asked is not None
    try:
        _, found = cbpe.label_free(
            reference,
            test,
            delta=asked.delta,
            level=protocol.level,
            replicates=asked.replicates,
            seed=seed,
        )
    except CalibrationTooSmall as error:
        return _not_calibrated(str(error), test, level=protocol.level)
    table = Table(
        id="without-labels-table",
        caption="Expected metrics; bounds where every probability is off by at most "
        + decimal_text(asked.delta, digits=RECORD_DIGITS),
        columns=("metric", "value", "low", "high", "least", "greatest"),
        rows=tuple(
            (
                one.estimate.metric.removeprefix("expected_"),
                _text(one.estimate.value),
                _text(one.estimate.low),
                _text(one.estimate.high),
                _text(one.low),
                _text(one.high),
            )
            for one in found
        ),
    )
    return Section(
        id="without-labels",
        title="What performance do the scores promise?",
        paragraphs=("This holds only where calibration does; labels alone can show that.",),
        estimates=tuple(one.estimate for one in found),
        tables=(table,),
        charts=(
            Chart(
                id="without-labels-chart",
                kind=ChartKind.INTERVALS,
                caption="Expected metrics, and their bounds in the table",
                alt="One line a metric with its interval.",
                table=table.id,
                x="metric",
                y="value",
                low="low",
                high="high",
            ),
        ),
    )


def late_section(
    test: Sample, *, protocol: DriftProtocol, seed: int
) -> tuple[Section, tuple[str, ...]]:
    """Return what late labels allow to say, and which rows were left out."""
    asked = protocol.late_labels
    assert asked is not None
    late, level = asked.lateness, protocol.level
    found = late_labels.matured(test, lateness=late)
    covered = late_labels.coverage(found, lateness=late, level=level)
    delay, verdict = late_labels.delay_by_label(found, lateness=late, level=level)
    estimates = [*covered, delay]
    estimates += late_labels.weighted(found, level=level, replicates=asked.replicates, seed=seed)
    tables, chart = _late_tables(found, covered)
    sentences = (
        f"{found.influenced} mature rows were acted on; their labels: {late.influence.value}.",
        "Labels of events take longer than others: early labels are no fair draw."
        if verdict is Verdict.FAIL
        else "No difference in waiting between events and others was shown.",
    )
    missing = tuple(
        f"{count} rows {why}"
        for count, why in (
            (found.immature, f"are not mature at the cut, {found.early} of them with a label"),
            (found.undated, "have no time of prediction"),
        )
        if count
    )
    section = Section(
        id="late-labels",
        title="Which labels have come, and whose are missing?",
        paragraphs=sentences,
        estimates=tuple(estimates),
        tables=tables,
        charts=(chart,),
    )
    return section, missing


def _late_tables(
    found: late_labels.Matured, covered: Sequence[Estimate]
) -> tuple[tuple[Table, ...], Chart]:
    """Return coverage by window, bounds and selection, and the chart of the first."""
    windows = Table(
        id="label-coverage",
        caption="Share of mature rows that have their label, by window of prediction",
        columns=("window", "share", "low", "high", "rows or subjects"),
        rows=tuple(
            (one.population, _text(one.value), _text(one.low), _text(one.high), one.n)
            for one in covered[1:]
        ),
    )
    bounds = Table(
        id="label-bounds",
        caption="Metrics with all missing labels set against them, and for them",
        columns=("metric", "least", "greatest"),
        rows=tuple(
            (one.metric, _text(one.low), _text(one.high))
            for one in late_labels.worst_and_best(found)
        ),
    )
    selected = Table(
        id="label-selection",
        caption="Labelled less unlabelled mature rows, in standard deviations",
        columns=("column", "difference"),
        rows=tuple((name, _text(x)) for name, x in late_labels.selection(found)),
    )
    chart = Chart(
        id="label-coverage-chart",
        kind=ChartKind.SERIES,
        caption=windows.caption,
        alt="Coverage by window with its interval, the oldest first.",
        table=windows.id,
        x="window",
        y="share",
        low="low",
        high="high",
    )
    return (windows, bounds, selected), chart


def _distances(columns: Sequence[ColumnDrift], *, method: str, limit: float) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            one.name,
            _text(x.distance.value),
            _text(x.distance.low),
            _text(x.distance.high),
            decimal_text(limit, digits=RECORD_DIGITS),
            x.verdict.value,
            _text(x.distance.raw),
            _text(x.distance.bias),
            _text(x.distance.resolution),
        )
        for one in columns
        for x in one.compared
        if x.distance.method == method
    ]
    return Table(
        id=f"distance-{method}",
        caption=f"{method}: {DISTANCES[method]}",
        columns=(
            "column",
            "value",
            "low",
            "high",
            "limit",
            "verdict",
            "textbook value",
            "expected without a change",
            "resolution",
        ),
        rows=tuple(rows),
    )


def _intervals(table: Table, *, method: str, limit: float) -> Chart:
    return Chart(
        id=f"distance-{method}-chart",
        kind=ChartKind.INTERVALS,
        caption=table.caption,
        alt=f"One line a column with its interval; a rule at the limit of {method}.",
        table=table.id,
        x="column",
        y="value",
        low="low",
        high="high",
        rules=(Rule(at=decimal_text(limit, digits=RECORD_DIGITS), label="limit"),),
    )


def _drifted(columns: Sequence[ColumnDrift], protocol: DriftProtocol) -> Estimate:
    """Return how many columns drifted; undefined where none did and some could not be judged."""
    count = sum(one.drifted for one in columns)
    unjudged = [one.name for one in columns if one.unjudged]
    if unjudged and not count:
        return undefined(
            metric="columns_drifted",
            note=f"no distance settles anything about {', '.join(unjudged)}",
            level=protocol.level,
            n=len(columns) - len(unjudged),
            unit="column",
            method=_counted(protocol),
            source="sample",
        )
    return Estimate(
        metric="columns_drifted",
        value=float(count),
        low=float(count),
        high=float(count + sum(one.unsettled for one in columns)),
        level=protocol.level,
        n=len(columns) - len(unjudged),
        unit="column",
        method=_counted(protocol),
        source="sample",
        note="a count of verdicts; the upper limit adds the columns that are not settled",
    )


def _counted(protocol: DriftProtocol) -> str:
    return f"intervals against limits, {protocol.multiplicity}, v2"


def _not_calibrated(why: str, test: Sample, *, level: float) -> Section:
    return Section(
        id="without-labels",
        title="What performance do the scores promise?",
        paragraphs=(f"Nothing can be said: {why}.",),
        estimates=tuple(
            undefined(
                metric=f"expected_{name}",
                note=why,
                level=level,
                n=test.subjects,
                unit=test.unit,
                method=cbpe.METHOD,
                source="sample",
            )
            for name in cbpe.METRICS
        ),
    )


def _said(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(names) if names else 'no column'}."


def _text(x: float | None) -> str | None:
    return None if x is None else decimal_text(x, digits=RECORD_DIGITS)
