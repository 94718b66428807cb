"""How the findings of a fairness audit are laid out: tables first, a chart beside each that helps.

Definition: sections are the groups with their denominators, metrics by group, gaps, policies
    compared, mitigations with their price.
Formula: none.
Source: the house rules that every chart draws a table that stands beside it and that what was not
    looked at is said (P8).
Assumptions: none.
Failure modes: more than CHART_ROWS lines are a table without a chart.
Cost: linear in the estimates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from audits.estimate import RECORD_DIGITS, Estimate, decimal_text
from audits.fairness import paired, scores
from audits.fairness.cells import GroupCells
from audits.fairness.frame import COMPOSITE, FairnessFrame, Gap, Margin, margin_text
from audits.fairness.gaps import DIFFERENCE, RATIO, SCORE
from audits.fairness.metrics import METHOD_COST, METHOD_COST_EXACT, CountMetric
from audits.fairness.mitigations import Mitigated, NotApplied
from audits.fairness.paired import moved
from audits.fairness.protocol import FairnessProtocol, name_of
from audits.intervals import clustered
from audits.intervals.simultaneous import MAX_T
from audits.report import Cell, Chart, ChartKind, Method, Rule, Section, Table
from audits.sources.sample import Sample

CHART_ROWS: Final = 60
"""Lines of a chart that a reader still tells apart."""

LIMITS: Final = (
    "A margin says what people are willing to accept; it was chosen by people, not by this audit.",
    "Limits hold together over the pairs of one metric, one partition and one scale, not over all.",
    "An interval that holds 0 does not show that groups are alike; one inside the margin does.",
    "Rows without a label or decision are counted as left out; the metrics describe the others.",
    "Labels are taken as right. Where care was unequal, so are labels, and no metric here sees it.",
    "That no subject of the test rows was used for fitting is for the audit of leakage to show.",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Moved:
    """The change of one metric in the groups of `cells`, which were counted pairwise."""

    what: str
    metric: CountMetric
    cells: GroupCells
    estimates: tuple[Estimate, ...]


MitigationFound: TypeAlias = (
    "tuple[Mitigated | NotApplied, tuple[Moved, ...], tuple[Estimate, ...]]"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """All that the audit found; `frames` hold one policy after the other, each by partition."""

    sample: Sample
    protocol: FairnessProtocol
    policies: tuple[str, ...]
    frames: tuple[FairnessFrame, ...]
    compared: tuple[Moved, ...]
    mitigated: tuple[MitigationFound, ...]

    def totals(self) -> list[Estimate]:
        """Return the estimates of everybody, once a policy."""
        per_policy = len(self.protocol.attributes)
        return [one for frame in self.frames[::per_policy] for one in frame.totals.values()]

    def by_group(self) -> list[Estimate]:
        """Return the estimates by group."""
        return [one for frame in self.frames for of in frame.estimates.values() for one in of]

    def gaps(self) -> list[Gap]:
        """Return all gaps."""
        return [gap for frame in self.frames for gap in frame.gaps]

    def estimates(self) -> list[Estimate]:
        """Return every estimate of the report."""
        moves = [*self.compared, *(one for _, of, _ in self.mitigated for one in of)]
        return [
            *self.totals(),
            *self.by_group(),
            *(gap.estimate for gap in self.gaps()),
            *(one for move in moves for one in move.estimates),
            *(one for _, _, of in self.mitigated for one in of),
        ]


def sections_of(findings: Findings) -> tuple[Section, ...]:
    """Return the sections in reading order."""
    sections = [_groups(findings), _metrics(findings), _gaps(findings)]
    if findings.compared:
        sections.append(_policies(findings))
    if findings.mitigated:
        sections.append(_mitigations(findings))
    return tuple(sections)


def data_of(findings: Findings) -> tuple[tuple[str, Cell], ...]:
    """Return facts about the rows."""
    sample, frame = findings.sample, findings.frames[0]
    return (
        ("rows", sample.n),
        (f"{sample.unit}s", sample.subjects),
        ("rows repeat subjects", "yes" if sample.repeats else "no"),
        ("rows counted", frame.cells.n),
        ("rows left out", int(frame.cells.left_out.sum())),
        ("partitions", "; ".join(name_of(one) for one in findings.protocol.attributes)),
        ("policies", "; ".join(name for name in findings.policies if name) or "the model"),
    )


def missing_of(findings: Findings) -> tuple[str, ...]:
    """Return what was not looked at, and why."""
    found = []
    acted = "dose" if findings.protocol.outcome == "dose" else "decision"
    for policy, frame in _with_policy(findings):
        for g, name in enumerate(frame.cells.groups):
            if left := int(frame.cells.left_out[g]):
                whole = left + int(frame.cells.counts[g].sum())
                under = f" under {policy}" if policy else ""
                found.append(f"{name}: {left} of {whole} rows lack label or {acted}{under}")
    for name in sorted({name for one in findings.protocol.attributes for name in one}):
        column = findings.sample.categories[name]
        seen = set(column.codes.tolist())
        empty = [level for code, level in enumerate(column.levels) if code not in seen]
        if empty:
            found.append(f"{name}: no row at all of {', '.join(empty)}")
    found += [
        f"{partition}: {'one group only' if frame.cells.groups else 'nobody'}, so there is no gap"
        for partition, frames in _by_partition(findings)
        for _, frame in frames
        if len(frame.cells.groups) < 2
    ]
    made = findings.estimates()
    found += [
        f"{one.metric} of {one.population} is undefined: {one.note}"
        for one in made
        if one.value is None
    ]
    found += [
        f"{one.metric} of {one.population} has no interval: {one.note}"
        for one in made
        if one.value is not None and one.low is None
    ]
    for what, _, _ in findings.mitigated:
        if isinstance(what, NotApplied):
            found.append(f"{what.name} was not applied: {what.reason}")
    return tuple(dict.fromkeys(found))


def _groups(findings: Findings) -> Section:
    frame = findings.frames[0]
    columns = ("policy", "group", f"{frame.cells.unit}s", "rows", *frame.cells.outcomes)
    decision = findings.protocol.outcome == "decision"
    extra = ("positives", "negatives") if decision else ()
    rows: list[tuple[Cell, ...]] = []
    for policy, one in _with_policy(findings):
        for g, name in enumerate(one.cells.groups):
            counts = [int(x) for x in one.cells.counts[g]]
            own = (counts[2] + counts[3], counts[0] + counts[1]) if decision else ()
            rows.append(
                (
                    policy or "the model",
                    name,
                    int(one.cells.subjects[g]),
                    sum(counts),
                    *counts,
                    *own,
                    int(one.cells.left_out[g]),
                )
            )
    table = Table(
        id="groups",
        caption="Every group with the counts that stand behind its metrics",
        columns=(*columns, *extra, "left out"),
        rows=tuple(rows),
    )
    smallest = findings.protocol.minimum_n
    return Section(
        id="who",
        title="Who is in the groups",
        paragraphs=(
            (
                "A person without a recorded attribute is in the group (missing). Small groups are "
                "listed, never dropped; what they cannot show is said."
            ),
            f"A margin decides only where both groups have at least {smallest} behind the metric.",
        ),
        tables=(table,),
    )


def _metrics(findings: Findings) -> Section:
    tables, charts = [], []
    for number, (partition, frames) in enumerate(_by_partition(findings), start=1):
        for metric in findings.protocol.metrics:
            rows = [
                (policy or "the model", *_line(one))
                for policy, frame in frames
                if (called := _called(metric, policy)) in frame.totals
                for one in (frame.totals[called], *frame.estimates[called])
            ]
            if not rows:
                continue
            words = f"{_words(metric)} by {partition}"
            table = Table(
                id=f"metric-{number}-{metric}",
                caption=words,
                columns=("policy", "group", "value", "low", "high", "n", "note"),
                rows=tuple(rows),
            )
            tables.append(table)
            if len(rows) <= CHART_ROWS:
                charts.append(_chart(table, x="group", group="policy", of=words))
    return Section(
        id="metrics",
        title="Metrics by group",
        paragraphs=("A group without a denominator is undefined: nothing of nothing is no share.",),
        estimates=(*findings.totals(), *findings.by_group()),
        tables=tuple(tables),
        charts=tuple(charts),
    )


def _gaps(findings: Findings) -> Section:
    tables, charts = [], []
    for number, (partition, frames) in enumerate(_by_partition(findings), start=1):
        for metric in findings.protocol.metrics:
            margin = findings.protocol.margins.get(metric)
            for scale in (DIFFERENCE, RATIO):
                gaps = [
                    (policy, gap)
                    for policy, frame in frames
                    for gap in frame.gaps
                    if gap.metric == _called(metric, policy) and gap.scale == scale
                ]
                if not gaps:
                    continue
                table = _gap_table(f"gap-{number}-{metric}", gaps, metric, scale, partition)
                tables.append(table)
                if len(gaps) <= CHART_ROWS:
                    rules = _rules(margin, scale)
                    charts.append(
                        _chart(table, x="pair", group="policy", of=table.caption, rules=rules)
                    )
    margins = [f"{name}: {margin_text(one)}" for name, one in findings.protocol.margins.items()]
    return Section(
        id="gaps",
        title="Gaps between groups",
        paragraphs=(
            (
                "A gap passes only where its whole interval lies inside the margin, and fails "
                "where the gap itself lies outside; anything else is insufficient."
            ),
            f"Margins: {'; '.join(margins) or 'none were set, so nothing is decided by them'}.",
        ),
        estimates=tuple(gap.estimate for gap in findings.gaps()),
        tables=tuple(tables),
        charts=tuple(charts),
    )


def _gap_table(
    ident: str, gaps: Sequence[tuple[str, Gap]], metric: str, scale: str, partition: str
) -> Table:
    kind = "difference" if scale == DIFFERENCE else "ratio"
    return Table(
        id=f"{ident}-{kind}",
        caption=f"{_words(metric)} by {partition}: {kind} of every pair, limits that hold together",
        columns=("policy", "pair", "value", "low", "high", "n", "note", "verdict"),
        rows=tuple(
            (policy or "the model", *_line(gap.estimate), _verdict(gap)) for policy, gap in gaps
        ),
    )


def _policies(findings: Findings) -> Section:
    tables = _moved_tables(findings.compared, prefix="policy")
    return Section(
        id="policies",
        title="Policies compared on the same people",
        paragraphs=(
            "Each line is a change within one group, so people are compared with themselves.",
        ),
        estimates=tuple(one for move in findings.compared for one in move.estimates),
        tables=tables,
        charts=_charts_of(tables),
    )


def _mitigations(findings: Findings) -> Section:
    tables: list[Table] = []
    paragraphs, estimates = [], []
    for number, (what, moves, in_groups) in enumerate(findings.mitigated, start=1):
        if isinstance(what, NotApplied):
            paragraphs.append(f"{what.name} was not applied: {what.reason}.")
            continue
        paragraphs.append(_price(what))
        tables += _moved_tables(moves, prefix=f"mitigation-{number}")
        if in_groups:
            tables.append(
                Table(
                    id=f"mitigation-{number}-scores",
                    caption=f"Scores in groups before and after {what.name}",
                    columns=("metric", "group", "value", "low", "high", "n", "note"),
                    rows=tuple((one.metric, *_line(one)) for one in in_groups),
                )
            )
        estimates += [one for move in moves for one in move.estimates] + list(in_groups)
    return Section(
        id="mitigations",
        title="Mitigations and their price",
        paragraphs=tuple(paragraphs),
        estimates=tuple(estimates),
        tables=tuple(tables),
        charts=_charts_of(tables),
    )


def _price(what: Mitigated) -> str:
    changed = int((what.before != what.after).sum())
    up = int(((what.before == 0) & (what.after == 1)).sum())
    need = (
        f"It needs {' and '.join(what.needs)} when a decision is taken"
        if what.needs
        else "It does not need the attribute when a decision is taken"
    )
    notes = "".join(f"; {note}" for note in what.notes)
    return (
        f"{what.name}, fitted on the {what.fitted_on} rows: {changed} of {what.after.size} "
        f"decisions change, {up} of them to acting. {need}{notes}."
    )


def _moved_tables(moves: Sequence[Moved], *, prefix: str) -> tuple[Table, ...]:
    tables: list[Table] = []
    for what, metric in dict.fromkeys((one.what, one.metric.name) for one in moves):
        rows: list[tuple[Cell, ...]] = []
        for move in moves:
            if (move.what, move.metric.name) == (what, metric):
                turned = moved(move.cells, top=move.metric.top)
                rows += [
                    (*_line(one), gained, lost)
                    for one, (gained, lost) in zip(move.estimates, turned, strict=True)
                ]
        tables.append(
            Table(
                id=f"{prefix}-{len(tables) + 1}",
                caption=f"{_words(metric)}: {what}",
                columns=("group", "value", "low", "high", "n", "note", "gained", "lost"),
                rows=tuple(rows),
            )
        )
    return tuple(tables)


def _charts_of(tables: Iterable[Table]) -> tuple[Chart, ...]:
    return tuple(
        _chart(one, x="group", of=one.caption, rules=(Rule(at="0", label="no change"),))
        for one in tables
        if "gained" in one.columns and len(one.rows) <= CHART_ROWS
    )


def _chart(
    table: Table, *, x: str, of: str, group: str | None = None, rules: tuple[Rule, ...] = ()
) -> Chart:
    return Chart(
        id=f"chart-{table.id}",
        kind=ChartKind.INTERVALS,
        caption=of,
        alt=f"{of}: one line a {x} with value and interval, as in the table {table.id}.",
        table=table.id,
        x=x,
        y="value",
        low="low",
        high="high",
        group=group,
        rules=rules,
    )


def _rules(margin: Margin | None, scale: str) -> tuple[Rule, ...]:
    none = "0" if scale == DIFFERENCE else "1"
    rules = [Rule(at=none, label="no gap")]
    if margin is not None:
        limit = margin.difference if scale == DIFFERENCE else margin.ratio
        if limit is not None:
            low, high = (-limit, limit) if scale == DIFFERENCE else (limit, 1 / limit)
            rules += [Rule(at=_text(low) or "", label="margin")]
            rules += [Rule(at=_text(high) or "", label="margin")]
    return tuple(rules)


def _verdict(gap: Gap) -> str | None:
    return None if gap.judgement is None else gap.judgement.verdict.value


def _line(one: Estimate) -> tuple[Cell, ...]:
    return (one.population, _text(one.value), _text(one.low), _text(one.high), one.n, one.note)


def _text(x: float | None) -> str | None:
    return None if x is None else decimal_text(x, digits=RECORD_DIGITS)


def _called(metric: str, policy: str) -> str:
    return f"{metric} under {policy}" if policy else metric


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _with_policy(findings: Findings) -> list[tuple[str, FairnessFrame]]:
    per_policy = len(findings.protocol.attributes)
    return [
        (findings.policies[number // per_policy], frame)
        for number, frame in enumerate(findings.frames)
    ]


def _by_partition(findings: Findings) -> list[tuple[str, list[tuple[str, FairnessFrame]]]]:
    names = [name_of(one) for one in findings.protocol.attributes]
    every = _with_policy(findings)
    return [(name, every[at :: len(names)]) for at, name in enumerate(names)]


_SHARED: Final = "subjects are independent, rows of one subject are not"
_DESCRIBED: Final[dict[str, tuple[str, str]]] = {
    MAX_T: (
        "limits of all gaps of a metric from shared resamples of the cells",
        "Hothorn, Bretz and Westfall (2008), Biometrical Journal 50, 346-363",
    ),
    SCORE: (
        "score limits of both groups, squared and added, at the level of all pairs",
        "Newcombe (1998), Statistics in Medicine 17, 873-890",
    ),
    scores.METHOD_GAP: (
        "the intervals of both groups, squared and added, at the level of all pairs",
        "Zou and Donner (2008), Statistics in Medicine 27, 1693-1702",
    ),
    scores.METHOD_MEAN: ("mean of the rows, variance by subject", "Liang and Zeger (1986)"),
    clustered.METHOD: (
        "share of rows, with the number of independent rows that has its variance",
        "Rao and Scott (1992), Biometrics 48, 577-585",
    ),
    METHOD_COST: ("mean cost a row, variance by subject", "Cochran (1977), Sampling Techniques"),
    METHOD_COST_EXACT: (
        "exact limits of the share of errors, at the cheapest and the dearest error",
        "Clopper and Pearson (1934), Biometrika 26, 404-413",
    ),
    paired.EXACT: (
        "exact limits of the rows that gain and of those that lose",
        "Clopper and Pearson (1934), Biometrika 26, 404-413",
    ),
}


def methods_of(estimates: Iterable[Estimate]) -> tuple[Method, ...]:
    """Return the methods behind the intervals of the estimates."""
    from audits.performance.reading import methods_named

    bounded = [one for one in estimates if one.low is not None]
    others = [one for one in bounded if _plain(one.method) not in _DESCRIBED]
    names = {_plain(one.method) for one in bounded} & set(_DESCRIBED)
    ours = [_method(name, *_DESCRIBED[name]) for name in sorted(names)]
    return (*ours, *methods_named(others))


def _plain(method: str) -> str:
    return method.removeprefix(COMPOSITE).removeprefix("paired ")


def _method(name: str, definition: str, source: str) -> Method:
    title, version = name.rsplit(", v", 1)
    return Method(
        name=title,
        definition=definition,
        source=source,
        assumptions=_SHARED,
        version=f"v{version}",
    )
