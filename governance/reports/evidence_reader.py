"""From the evidence record of a temporal validation to the report that shows it.

The record is what `TemporalReport.as_record` (`audits.forecasting.temporal_validation`) writes,
alone or as a member of the evidence beside what was evaluated. Everything is read strictly: a
record that lacks something is refused by name, never shown with a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from audits.estimate import Json
from governance.reports import wording
from governance.reports.audit_report import (
    AuditReport,
    CriterionShown,
    EstimateShown,
    Fact,
    GroupShown,
    HorizonShown,
    PathShown,
)
from governance.reports.errors import EvidenceUnreadable

SCHEMA: Final = "temporal-report/1"
# What the error chart shows: the first of these that the protocol measured.
STEP_METRICS: Final = ("wape", "mase", "rmsse", "pinball")
COVERAGE_METRICS: Final = ("coverage_95", "coverage_80")
HISTORY_MONTHS: Final = 36

Record = Mapping[str, Json]


def read_audit(record: Json, *, model: str, version: str) -> AuditReport:
    """Return the report of an evidence record.

    Raises EvidenceUnreadable naming the first member that is not as expected.
    """
    if not isinstance(record, dict):
        raise unreadable("evidence", "an object")
    found = _temporal(record)
    scored, baseline = member(found, "model"), member(found, "baseline")
    groups = member(found, "groups")
    protocol = member(found, "protocol")
    step_metric = _first_of(STEP_METRICS, protocol)
    coverage_metric = _first_of(COVERAGE_METRICS, protocol)
    return AuditReport(
        kind="temporal validation",
        model=model,
        version=version,
        verdict=text(found, "verdict"),
        criteria=criteria_shown(found),
        horizons=_horizons(scored, baseline, metric=step_metric),
        horizon_metric=step_metric or "",
        coverage=_coverage(scored, groups, metric=coverage_metric),
        nominal_coverage=f"0.{coverage_metric[-2:]}" if coverage_metric else None,
        groups=_groups(groups),
        no_groups=_sentence(text(groups, "reason")) if "reason" in groups else "",
        paths=_paths(members(scored, "forecasts")),
        protocol=_protocol(found, protocol),
        data=_data(record, found),
        software=_software(record),
        sensitivity=_further(scored, baseline),
    )


# --- strict access ------------------------------------------------------------------------------


def member(record: Record, name: str) -> Record:
    """Return an object, or raise EvidenceUnreadable."""
    value = record.get(name)
    if not isinstance(value, dict):
        raise unreadable(name, "an object")
    return value


def members(record: Record, name: str) -> tuple[Record, ...]:
    """Return a list of objects, or raise EvidenceUnreadable."""
    value = record.get(name)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise unreadable(name, "a list of objects")
    return tuple(one for one in value if isinstance(one, dict))


def texts(record: Record, name: str) -> tuple[str, ...]:
    """Return a list of texts, or raise EvidenceUnreadable."""
    value = record.get(name)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise unreadable(name, "a list of texts")
    return tuple(str(one) for one in value)


def text(record: Record, name: str) -> str:
    """Return a text, or raise EvidenceUnreadable."""
    value = record.get(name)
    if not isinstance(value, str):
        raise unreadable(name, "a text")
    return value


def text_or_none(record: Record, name: str) -> str | None:
    """Return a text, or None where the record says that there is none."""
    return None if record.get(name) is None else text(record, name)


def number(record: Record, name: str) -> str:
    """Return a number as the decimal text that it is, or raise EvidenceUnreadable."""
    value = text(record, name)
    if wording.decimal_of(value) is None:
        raise unreadable(name, "a number")
    return value


def number_or_none(record: Record, name: str) -> str | None:
    """Return a number as decimal text, or None where the record says that there is none."""
    return None if record.get(name) is None else number(record, name)


def count(record: Record, name: str) -> int:
    """Return an integer, or raise EvidenceUnreadable."""
    value = record.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise unreadable(name, "an integer")
    return value


def unreadable(name: str, expected: str) -> EvidenceUnreadable:
    """Return the refusal that names what the record lacks."""
    return EvidenceUnreadable(
        f"the evidence record has no {name!r} that is {expected}",
        next_step="read the record itself; its digest says whether it was changed",
    )


# --- parts of the report ------------------------------------------------------------------------


def _temporal(record: Record) -> Record:
    """Return the temporal report: the record itself, or the one member that is one."""
    for candidate in (record, *record.values()):
        if isinstance(candidate, dict) and candidate.get("schema") == SCHEMA:
            return candidate
    raise unreadable("schema", SCHEMA)


def _first_of(wanted: Sequence[str], protocol: Record) -> str | None:
    measured = texts(protocol, "metrics")
    return next((metric for metric in wanted if metric in measured), None)


def estimate_shown(record: Record) -> EstimateShown:
    """Return an estimate, or raise EvidenceUnreadable."""
    return EstimateShown(
        metric=text(record, "metric"),
        population=text(record, "population"),
        value=number_or_none(record, "value"),
        low=number_or_none(record, "low"),
        high=number_or_none(record, "high"),
        level=number(record, "level"),
        n=count(record, "n"),
        unit=text(record, "unit"),
        method=text(record, "method"),
        note=text(record, "note"),
    )


def criteria_shown(found: Record) -> tuple[CriterionShown, ...]:
    """Return every criterion with its judgement, or raise EvidenceUnreadable."""
    judged = {text(one, "criterion"): one for one in members(found, "judgements")}
    shown = []
    for criterion in members(found, "criteria"):
        name = text(criterion, "id")
        if name not in judged:
            raise unreadable(f"judgement of {name}", "an object")
        shown.append(_criterion(criterion, judged[name]))
    return tuple(shown)


def _criterion(criterion: Record, judgement: Record) -> CriterionShown:
    return CriterionShown(
        id=text(criterion, "id"),
        metric=text(criterion, "metric"),
        population=text(criterion, "population"),
        direction=text(criterion, "direction"),
        floor=number_or_none(criterion, "floor"),
        low=number_or_none(criterion, "low"),
        high=number_or_none(criterion, "high"),
        reading=text(criterion, "reading"),
        baseline=number_or_none(criterion, "baseline"),
        margin=number_or_none(criterion, "margin"),
        minimum_n=count(criterion, "minimum_n"),
        verdict=text(judgement, "verdict"),
        reason=text(judgement, "reason"),
        estimate=estimate_shown(member(judgement, "estimate")),
    )


def _horizons(scored: Record, baseline: Record, *, metric: str | None) -> tuple[HorizonShown, ...]:
    if metric is None:
        return ()
    ours, theirs = (
        [estimate_shown(one) for one in members(side, "by_step") if one.get("metric") == metric]
        for side in (scored, baseline)
    )
    others = {estimate.population: estimate for estimate in theirs}
    return tuple(
        HorizonShown(horizon=at, model=estimate, baseline=others.get(estimate.population))
        for at, estimate in enumerate(ours, start=1)
    )


def _coverage(scored: Record, groups: Record, *, metric: str | None) -> tuple[EstimateShown, ...]:
    """Return the coverage of all series, of each group, and of each series where none is."""
    by_group = members(groups, "estimates") if "estimates" in groups else ()
    rest = by_group or members(scored, "by_series")
    return tuple(
        estimate_shown(one)
        for one in (*members(scored, "estimates"), *rest)
        if one.get("metric") == metric
    )


def _groups(groups: Record) -> tuple[GroupShown, ...]:
    """Return each group's estimates, then the differences of every pair."""
    if "estimates" not in groups:
        return ()
    by_group: dict[str, list[EstimateShown]] = {}
    for one in (*members(groups, "estimates"), *members(groups, "differences")):
        estimate = estimate_shown(one)
        by_group.setdefault(estimate.population, []).append(estimate)
    return tuple(
        GroupShown(group=name, estimates=tuple(estimates)) for name, estimates in by_group.items()
    )


def _further(scored: Record, baseline: Record) -> tuple[EstimateShown, ...]:
    """Return all estimates over everything: the model's, then the baseline's."""
    ours = [estimate_shown(one) for one in members(scored, "estimates")]
    theirs = [
        estimate_shown({**one, "population": "baseline, all"})
        for one in members(baseline, "estimates")
    ]
    return (*ours, *theirs)


def _paths(rows: Sequence[Record]) -> tuple[PathShown, ...]:
    """Return each series' path from its last origin; what is known earlier is its history."""
    by_key: dict[str, list[Record]] = {}
    for row in rows:
        by_key.setdefault(text(row, "key"), []).append(row)
    return tuple(_path(key, found) for key, found in sorted(by_key.items()))


def _path(key: str, rows: Sequence[Record]) -> PathShown:
    origin = max(text(row, "origin") for row in rows)
    ahead = sorted(
        (row for row in rows if row["origin"] == origin), key=lambda row: text(row, "month")
    )
    known = {
        text(row, "month"): number(row, "actual")
        for row in rows
        if row["actual"] is not None and text(row, "month") <= origin
    }

    def band(level: str) -> tuple[str, ...]:
        return tuple(number(member(row, "quantiles"), level) for row in ahead)

    return PathShown(
        key=key,
        origin=origin,
        history=tuple(sorted(known.items())[-HISTORY_MONTHS:]),
        months=tuple(text(row, "month") for row in ahead),
        actual=tuple(number_or_none(row, "actual") for row in ahead),
        median=tuple(number(row, "median") for row in ahead),
        low_95=band("0.025"),
        low_80=band("0.1"),
        high_80=band("0.9"),
        high_95=band("0.975"),
    )


# --- protocol, data, software -------------------------------------------------------------------


def _protocol(found: Record, protocol: Record) -> tuple[Fact, ...]:
    tested = texts(found, "origins")
    calibrated = texts(found, "calibration_origins")
    span = wording.span_of(tested)
    intervals = (
        f"conformal, from {wording.count_text(len(calibrated), 'earlier origin')} "
        f"({wording.span_of(calibrated)})"
        if calibrated
        else "the forecaster's own quantiles"
    )
    return (
        Fact(
            label="Design",
            value=(
                f"rolling origin: {wording.count_text(len(tested), 'origin')} ({span}), "
                f"{wording.count_text(count(protocol, 'horizon'), 'month')} ahead, "
                f"{wording.count_text(count(protocol, 'step'), 'month')} apart"
            ),
        ),
        Fact(label="Seen at an origin", value="the months up to it, and none later"),
        Fact(label="Intervals of forecasts", value=intervals),
        Fact(
            label="Metrics", value=", ".join(map(wording.metric_words, texts(protocol, "metrics")))
        ),
        Fact(label="Level of estimates", value=wording.percent_text(number(protocol, "level"))),
        Fact(label="Several criteria", value="every one must pass"),
        Fact(
            label="Replicates", value=wording.number_text(count(protocol, "replicates"), places=0)
        ),
        Fact(label="Seed", value=str(count(protocol, "seed"))),
    )


_HEADER: Final = (
    ("dataset_title", "Dataset", False),
    ("dataset", "Identifier", False),
    ("dataset_sha256", "SHA-256 of the data", True),
    ("artifact_sha256", "SHA-256 of the version", True),
    ("plan_sha256", "SHA-256 of the plan", True),
)


def _data(record: Record, found: Record) -> tuple[Fact, ...]:
    """Return what was evaluated on what, from the members that stand beside the report."""
    series = members(found, "series")
    facts = [
        Fact(label=label, value=value, code=code)
        for name, label, code in _HEADER
        if isinstance(value := _anywhere(record, name), str)
    ]
    months = wording.span_of([text(one, at) for one in series for at in ("start", "end")])
    facts.insert(
        1 if facts else 0,
        Fact(
            label="Months", value=f"{months}, {wording.count_text(len(series), 'series', 'series')}"
        ),
    )
    if _anywhere(record, "simulated") is True:
        facts.insert(0, Fact(label="Origin", value="simulated: these are not data of patients"))
    return tuple(facts)


def _software(record: Record) -> tuple[Fact, ...]:
    software = _anywhere(record, "software")
    if not isinstance(software, dict):
        return ()
    return tuple(Fact(label=name, value=str(value)) for name, value in sorted(software.items()))


def _anywhere(record: Record, name: str) -> Json:
    """Return a member of the record, or of one of the objects that stand in it."""
    if name in record:
        return record[name]
    inner = (value for value in record.values() if isinstance(value, dict))
    return next((value[name] for value in inner if name in value), None)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words and not words.endswith(".") else words
