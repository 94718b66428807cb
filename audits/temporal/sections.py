"""How a temporal audit is told: its sections, tables, charts, methods, limits and what is missing.

Definition: every chart draws a table beside it; numbers are decimal text.
Formula: none.
Source: the house rule that page and document are drawn from the recorded evidence alone.
Assumptions: none beyond those of the methods named.
Failure modes: none of its own.
Cost: linear in the rows for the cohort table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from audits.estimate import Estimate, decimal_text
from audits.performance.protocol import estimates_table, text, unclear
from audits.performance.reading import methods_named
from audits.report import Cell, Chart, ChartKind, Method, Rule, Section, Table
from audits.sources.sample import MISSING_TIME, Sample
from audits.temporal import comparison, pooling, windows
from audits.temporal.protocol import TemporalRowsProtocol, day_of

if TYPE_CHECKING:
    from audits.temporal.audit import Found

LIMITS: Final = (
    "Limits are for the models as trained: training was not repeated within the bootstrap.",
    (
        "The two test sides hold different cases: a gap between random and time may come from "
        "harder cases as well as from learning that does not last."
    ),
    "Scores of several cuts come from several models and are read together.",
    "No finding of leakage is no proof that there is none: see what could not be looked for.",
)

_OWN: Final = {
    comparison.METHOD_RANDOM: (
        "measure averaged over random splits of the same rows, in the proportion of the time split",
        "Chamandy et al. (2012), Estimating uncertainty for massive data streams",
        "subjects are independent; conditional on the models as trained",
    ),
    comparison.METHOD_GAP: (
        "random split's measure minus the time split's, each subject with one weight in both",
        "Chamandy et al. (2012), Estimating uncertainty for massive data streams",
        "subjects are independent; conditional on the models as trained",
    ),
    windows.LEAST_SQUARES: (
        "slope of the measure over windows, weighted by their precision",
        "Baker and Jackson (2013), Research Synthesis Methods 4, 144-152",
        "a subject stands in one window",
    ),
    pooling.POOLED["PM"]: (
        "mean of the measure over sites, on the logit scale",
        "Paule and Mandel (1982); Hartung and Knapp (2001), Statistics in Medicine 20, 3875-3889",
        "sites are independent",
    ),
    pooling.NEW_SITE: (
        "what a site not seen may expect, on the logit scale",
        "Nagashima, Noma and Furukawa (2019), Statistical Methods in Medical Research 28, 1689",
        "a new site is like those seen",
    ),
    pooling.SHRUNKEN: (
        "a site's measure drawn towards the mean of all sites, on the logit scale",
        "Morris (1983), Journal of the American Statistical Association 78, 47-55",
        "a site is like the others until its own rows say otherwise",
    ),
    "count of serious findings, v1": (
        "findings of leakage that no estimate on these rows survives",
        "Kapoor and Narayanan (2023), Patterns 4(9), 100804",
        "see the list of what could not be looked for",
    ),
}


def all_sections(found: Found, protocol: TemporalRowsProtocol) -> tuple[Section, ...]:
    """Return the sections in reading order."""
    parts = [_cohort(found, protocol), _splits(found, protocol), _comparison(found)]
    if found.windows:
        parts.append(_windows(found))
    if found.by_site:
        parts.append(_sites(found))
    return (*parts, _leakage(found, protocol))


def methods(found: Found) -> tuple[Method, ...]:
    """Return the methods behind the estimates, in order of their names."""
    described = []
    for name in sorted({one.method for one in found.estimates} & set(_OWN)):
        title, version = name.rsplit(", ", 1)
        definition, source, assumptions = _OWN[name]
        described.append(
            Method(
                name=title,
                definition=definition,
                source=source,
                assumptions=assumptions,
                version=version,
            )
        )
    others = [one for one in found.estimates if one.method not in _OWN and one.method != "none"]
    return tuple(sorted((*described, *methods_named(others)), key=lambda one: one.name))


def facts(found: Found) -> tuple[tuple[str, Cell], ...]:
    """Return what the rows are."""
    import numpy as np

    label = np.asarray(found.sample.label)
    return (
        ("rows", found.sample.n),
        (f"{found.sample.unit}s", found.sample.subjects),
        ("rows with label 1", int((label == 1).sum())),
        ("rows with label 0", int((label == 0).sum())),
        ("rows without a label", int(np.isnan(label).sum())),
        ("rows scored after a cut", sum(one.n for one in found.later)),
    )


def missing(found: Found, protocol: TemporalRowsProtocol) -> tuple[str, ...]:
    """Return what was not looked at: rows left out, estimates undefined, faults not looked for."""
    said = [
        f"cut {cut}: {count} rows left out: {why}"
        for cut, fold in zip(protocol.cuts, found.folds, strict=True)
        for why, count in fold.left_out.items()
    ]
    if protocol.label_known is None:
        said.append("it is not known when labels became known: all count as known at once")
    if not protocol.random_repeats:
        said.append("no random split was drawn, so nothing says what it would have promised")
    unseen = {(one.kind, one.reason) for each in found.examinations for one in each.unseen}
    said += [f"not looked for: {kind}: {reason}" for kind, reason in sorted(unseen)]
    said += [f"not looked at for leakage: column {name!r}" for name in protocol.leave_out]
    return (*said, *unclear(one for one in found.estimates if one.metric != "serious_findings"))


def together(samples: Sequence[Sample]) -> Sample:
    """Return the scored rows of all cuts as one sample; categories keep the levels of the first."""
    import numpy as np

    from audits.sources.sample import Category

    first = samples[0]
    return Sample(
        subject=np.concatenate([one.subject for one in samples]),
        label=np.concatenate([np.asarray(one.label) for one in samples]),
        score=np.concatenate([np.asarray(one.score) for one in samples]),
        times={name: np.concatenate([one.times[name] for one in samples]) for name in first.times},
        categories={
            name: Category(
                codes=np.concatenate([one.categories[name].codes for one in samples]),
                levels=column.levels,
            )
            for name, column in first.categories.items()
        },
        unit=first.unit,
    )


def _cohort(found: Found, protocol: TemporalRowsProtocol) -> Section:
    import numpy as np

    sample = found.sample
    at, label = sample.times[protocol.at], np.asarray(sample.label)
    bounds = sorted({one.since for one in found.windows} | {one.until for one in found.windows})
    bounds = bounds or [fold.cut for fold in found.folds if fold.cut is not None]
    place = np.searchsorted(np.array(bounds), at, side="right")
    names = [f"before {day_of(bounds[0])}"]
    names += [f"{day_of(a)} to {day_of(b)}" for a, b in pairwise(bounds)]
    names.append(f"from {day_of(bounds[-1])}")
    masks = [(name, (place == k) & (at != MISSING_TIME)) for k, name in enumerate(names)]
    masks.append(("no instant", at == MISSING_TIME))
    rows: list[tuple[Cell, ...]] = []
    for name, mask in masks:
        labelled = mask & ~np.isnan(label)
        events = int((label[labelled] == 1).sum())
        share = decimal_text(events / labelled.sum(), digits=6) if labelled.any() else None
        rows.append(
            (
                name,
                int(mask.sum()),
                int(np.unique(sample.subject[mask]).size),
                int(labelled.sum()),
                events,
                share,
            )
        )
    columns = ("window", "rows", f"{sample.unit}s", "labelled", "events", "share of events")
    return Section(
        id="cohort",
        title="Who is in the data, window by window",
        tables=(
            Table(
                id="cohort-table",
                caption="Rows and events by window",
                columns=columns,
                rows=tuple(rows),
            ),
        ),
        charts=(
            Chart(
                id="cohort-chart",
                kind=ChartKind.BARS,
                caption="Events by window",
                alt="One bar a window with its number of events; the table gives every count.",
                table="cohort-table",
                x="window",
                y="events",
            ),
        ),
    )


def _splits(found: Found, protocol: TemporalRowsProtocol) -> Section:
    rows: list[tuple[Cell, ...]] = [
        (
            cut,
            int(fold.training.size),
            int(fold.test.size),
            sum(fold.left_out.values()),
            "; ".join(f"{why}: {count}" for why, count in fold.left_out.items()),
        )
        for cut, fold in zip(protocol.cuts, found.folds, strict=True)
    ]
    design = f"Design {protocol.design}, embargo {protocol.embargo_days} days."
    sides = "No subject stands on both sides: " + (
        "those already in training leave the test side."
        if protocol.returning == "leave_test"
        else "those who return later leave training."
    )
    return Section(
        id="splits",
        title="The sides of each cut",
        paragraphs=(design, sides),
        tables=(
            Table(
                id="splits-table",
                caption="Rows on each side and rows left out",
                columns=("cut", "training", "test", "left out", "why"),
                rows=tuple(rows),
            ),
        ),
    )


def _comparison(found: Found) -> Section:
    shown = (*found.overall, *found.comparison)
    return Section(
        id="comparison",
        title="A random split beside the split by time",
        paragraphs=(
            "The random split uses the same rows in the same proportion, and is not temporal.",
        ),
        estimates=shown,
        tables=(_table("comparison", "Measures of both splits, and the gap", shown),),
        charts=_intervals("comparison", "Measures of both splits, and the gap", shown),
    )


def _windows(found: Found) -> Section:
    slopes = tuple(one.slope for one in found.trends)
    rows: list[tuple[Cell, ...]] = [
        (
            one.slope.metric,
            text(one.slope.value),
            text(one.slope.low),
            text(one.slope.high),
            text(one.p),
            one.windows,
            one.left_out,
            one.slope.note,
        )
        for one in found.trends
    ]
    trend = Table(
        id="trend-table",
        caption="Trend over the windows",
        columns=("measure", "slope", "low", "high", "p", "windows", "left out", "note"),
        rows=tuple(rows),
    )
    table = _table("windows", "Measures by window", found.by_window)
    chart = Chart(
        id="windows-chart",
        kind=ChartKind.SERIES,
        caption="Measures by window",
        alt="One line a measure over the windows with its limits; the table gives every number.",
        table=table.id,
        x="population",
        y="value",
        low="low",
        high="high",
        group="metric",
    )
    return Section(
        id="windows",
        title="Performance by window, and its trend",
        estimates=(*found.by_window, *slopes),
        tables=(table, trend),
        charts=(chart,),
    )


def _sites(found: Found) -> Section:
    pooled = tuple(one for each in found.pooled for one in (each.mean, each.new_site))
    rows: list[tuple[Cell, ...]] = [
        (one.mean.metric, one.sites, text(one.tau2), text(one.i2), ", ".join(one.left_out))
        for one in found.pooled
    ]
    return Section(
        id="sites",
        title="Performance by site, and what a new site may expect",
        estimates=(*found.by_site, *found.shrunken, *pooled),
        tables=(
            _table("sites", "Measures by site", found.by_site),
            _table("shrunken", "Drawn towards the mean of all sites", found.shrunken),
            _table("pooled", "Mean over sites and a new site", pooled),
            Table(
                id="heterogeneity-table",
                caption="How much sites differ",
                columns=("measure", "sites", "tau2 (logit)", "I2", "left out"),
                rows=tuple(rows),
            ),
        ),
        charts=_intervals("sites", "Measures by site", found.by_site),
    )


def _leakage(found: Found, protocol: TemporalRowsProtocol) -> Section:
    rows: list[tuple[Cell, ...]] = [
        (
            cut,
            one.kind,
            one.severity.value,
            one.side,
            one.column,
            one.count,
            one.of,
            one.message,
            ", ".join(str(row) for row in one.rows),
            one.method,
        )
        for cut, each in zip(protocol.cuts, found.examinations, strict=True)
        for one in each.findings
    ]
    columns = (
        "cut",
        "kind",
        "severity",
        "side",
        "column",
        "rows",
        "of",
        "what",
        "first rows",
        "method",
    )
    tests = sum(one.tests for one in found.examinations)
    bound = decimal_text(protocol.alpha, digits=6)
    return Section(
        id="leakage",
        title="Leakage and faults in the data",
        paragraphs=(
            f"{len(rows)} findings. Row numbers count from 0 on their side.",
            f"Of {tests} statistical tests, the chance of any false suspicion is at most {bound}.",
        ),
        estimates=(found.serious,),
        tables=(
            Table(id="leakage-table", caption="What was found", columns=columns, rows=tuple(rows)),
        ),
    )


def _table(ident: str, caption: str, shown: Iterable[Estimate]) -> Table:
    return estimates_table(f"{ident}-table", caption, shown)


def _intervals(ident: str, caption: str, shown: Sequence[Estimate]) -> tuple[Chart, ...]:
    if not shown:
        return ()
    return (
        Chart(
            id=f"{ident}-chart",
            kind=ChartKind.INTERVALS,
            caption=caption,
            alt="One line an estimate with its limits; the table gives every number.",
            table=f"{ident}-table",
            x="population",
            y="value",
            low="low",
            high="high",
            group="metric",
            rules=(Rule(at="0", label="no gap"),) if ident == "comparison" else (),
        ),
    )
