"""The audit as a whole: planted faults are seen in the report, and nothing passes by silence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from audits.criteria import Criterion
from audits.errors import ProtocolMalformed, SampleMalformed
from audits.estimate import Estimate, Json, Verdict
from audits.fairness.audit import KIND, parse, run
from audits.report import AuditReport
from audits.sources.sample import Category, Sample

GROUPS = ("a", "b", "c", "d", "e")


def people(seed: int = 1, *, rows: int = 1, unequal: float = 0.0) -> Sample:
    """Return rows of groups a, b, a group c without positives, and a group d of three people.

    Level e has no row at all. `unequal` is taken off the score of group b.
    """
    rng = np.random.default_rng(seed)
    group = np.repeat([0, 1, 2, 3], [700, 500, 60, 3]).astype(np.int32)
    patients = group.size
    risk = np.repeat(1 / (1 + np.exp(-rng.normal(-0.8, 1.2, patients))), rows)
    group = np.repeat(group, rows)
    label = (rng.random(group.size) < risk).astype(np.float64)
    label[group == 2] = 0.0
    score = np.clip(risk - unequal * (group == 1), 0.01, 0.99)
    label[5] = np.nan
    sex = rng.integers(0, 2, group.size).astype(np.int32)
    sex[:4] = -1
    return Sample(
        subject=np.repeat(np.arange(patients), rows),
        label=label,
        score=score,
        numbers={"risk": risk, "noise": rng.random(group.size)},
        categories={
            "race": Category(codes=group, levels=GROUPS),
            "sex": Category(codes=sex, levels=("F", "M")),
        },
        unit="patient",
    )


def record(**changes: Json) -> dict[str, Json]:
    whole: dict[str, Json] = {
        "outcome": "decision",
        "attributes": [["race"], ["race", "sex"]],
        "references": {},
        "metrics": [
            "selection_rate",
            "true_positive_rate",
            "false_positive_rate",
            "equalised_odds",
            "error_cost",
            "auroc",
            "observed_expected_ratio",
        ],
        "margins": {},
        "minimum_n": 10,
        "level": "0.95",
        "replicates": 300,
        "threshold": "0.4",
        "tolerance": None,
        "costs": {"false_positive": 1, "false_negative": 5},
        "policies": [],
        "mitigations": [],
    }
    return {**whole, **changes}


def audited(
    given: Mapping[str, Json] | None = None,
    *,
    sample: Sample | None = None,
    criteria: Sequence[Criterion] = (),
    more: Mapping[str, Sample] | None = None,
    **options: Any,
) -> AuditReport:
    return run(
        {"test": people() if sample is None else sample, **(more or {})},
        protocol=parse(record() if given is None else given),
        criteria=criteria,
        rng=np.random.default_rng(7),
        **options,
    )


def estimates(report: AuditReport) -> dict[tuple[str, str], Estimate]:
    return {(one.metric, one.population): one for part in report.sections for one in part.estimates}


@pytest.fixture(scope="module")
def report() -> AuditReport:
    return audited()


def test_there_is_no_audit_without_test_rows() -> None:
    with pytest.raises(ProtocolMalformed, match="role 'test'"):
        run({}, protocol=parse(record()), criteria=(), rng=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("given", "changes", "said"),
    [
        (record(attributes=[["age"]]), {}, "age"),
        (record(references={"race": "race=z"}), {}, "race=z"),
        (record(), {"score": None}, "score"),
        (
            record(threshold=None, metrics=["auroc"], costs=None),
            {"score": None, "decision": np.ones(1263, dtype=np.int8)},
            "needs a score",
        ),
        (record(policies=[{"name": "p", "column": "q"}]), {}, "'q'"),
        (
            record(
                outcome="dose",
                tolerance="0.2",
                threshold=None,
                metrics=["overdosed"],
                costs=None,
            ),
            {"score": None},
            "dose is needed",
        ),
    ],
)
def test_what_the_rows_have_not_is_refused_by_name(
    given: dict[str, Json], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ProtocolMalformed, match=said):
        audited(given, sample=replace(people(), **changes))


def test_a_decision_without_a_label_is_refused() -> None:
    with pytest.raises(SampleMalformed):
        audited(sample=replace(people(), label=None))


def test_a_criterion_about_what_was_not_measured_is_refused() -> None:
    asked = Criterion(
        id="c", metric="accuracy", population="race=a", direction="at_least", floor=0.5
    )
    with pytest.raises(ProtocolMalformed, match="accuracy of race=a"):
        audited(criteria=[asked])


@pytest.mark.requirement("P8")
def test_a_group_without_positives_is_undefined_everywhere_and_named(report: AuditReport) -> None:
    found = estimates(report)
    for metric in ("true_positive_rate", "auroc"):
        assert found[metric, "race=c"].value is None
        assert found[metric, "race=a minus race=c"].value is None
        assert any(f"{metric} of race=c is undefined" in line for line in report.missing)
    assert "no positives" in found["true_positive_rate", "race=c"].note
    assert found["equalised_odds", "race=b minus race=c"].value is None
    assert found["selection_rate", "race=c"].value is not None


@pytest.mark.requirement("P8")
def test_a_group_of_three_people_is_listed_in_every_table(report: AuditReport) -> None:
    found = estimates(report)
    three = found["selection_rate", "race=d"]
    assert three.n == 3
    assert three.low is not None
    assert three.high is not None
    assert three.high - three.low > 0.6
    (who,) = [part for part in report.sections if part.id == "who"]
    groups = {row[1]: row for row in who.tables[0].rows}
    assert groups["race=d"][3] == 3
    assert found["auroc", "race=d"].low is None


@pytest.mark.requirement("P8")
def test_what_was_not_looked_at_is_said(report: AuditReport) -> None:
    assert "race=a: 1 of 700 rows lack label or decision" in report.missing
    assert "race: no row at all of e" in report.missing
    assert ("race=a & sex=(missing)") in {population for _, population in estimates(report)}


@pytest.mark.requirement("P8")
def test_a_margin_makes_criteria_and_a_group_of_three_keeps_them_from_passing() -> None:
    wide = {"selection_rate": {"difference": "0.9", "ratio": None}}
    found = audited(record(attributes=[["race"]], margins=wide))
    verdicts = {one.criterion: one.verdict for one in found.judgements}
    assert verdicts["margin: selection_rate race=a minus race=b"] is Verdict.PASS
    assert verdicts["margin: selection_rate race=a minus race=d"] is Verdict.INSUFFICIENT
    assert found.verdict is Verdict.INSUFFICIENT


def test_a_planted_inequality_fails_and_a_fair_model_does_not() -> None:
    strict = {"true_positive_rate": {"difference": "0.15", "ratio": None}}
    given = record(
        attributes=[["race"]], margins=strict, metrics=["true_positive_rate"], costs=None
    )
    pair = "margin: true_positive_rate race=a minus race=b"
    verdicts = []
    for unequal in (0.0, 0.3):
        found = audited(given, sample=people(unequal=unequal))
        verdicts.append({one.criterion: one.verdict for one in found.judgements}[pair])
    assert verdicts[0] is not Verdict.FAIL
    assert verdicts[1] is Verdict.FAIL


def test_without_margin_and_criterion_nothing_passes(report: AuditReport) -> None:
    assert report.criteria == ()
    assert report.verdict is Verdict.INSUFFICIENT
    assert report.kind == KIND


def test_a_criterion_is_judged_on_the_estimate_it_names() -> None:
    asked = Criterion(
        id="c",
        metric="selection_rate",
        population="race=a minus race=b",
        direction="within",
        low=-0.2,
        high=0.2,
        reading="margin",
        margin=0.0,
    )
    found = audited(criteria=[asked])
    assert found.judgements[0].criterion == "c"
    assert found.verdict is Verdict.PASS


def test_the_report_is_json_without_floats_and_the_same_for_one_seed(report: AuditReport) -> None:
    def floats(value: object) -> bool:
        if isinstance(value, dict):
            return any(map(floats, value.values()))
        if isinstance(value, list):
            return any(map(floats, value))
        return isinstance(value, float)

    assert not floats(report.as_record())
    assert json.dumps(report.as_record()) == json.dumps(audited().as_record())


def test_every_chart_stands_beside_its_table_and_every_interval_has_a_method(
    report: AuditReport,
) -> None:
    charts = [chart for part in report.sections for chart in part.charts]
    assert {chart.id for chart in charts} >= {
        "chart-metric-1-selection_rate",
        "chart-gap-1-true_positive_rate-difference",
        "chart-gap-1-true_positive_rate-ratio",
    }
    named = {f"{one.name}, {one.version}" for one in report.methods}
    made = {
        one.method.removeprefix("larger of two gaps of one family, ")
        for one in estimates(report).values()
        if one.low is not None
    }
    assert made <= named
    assert all(one.definition and one.source for one in report.methods)


def test_repeated_rows_count_patients_and_widen_intervals() -> None:
    given = record(attributes=[["race"]], metrics=["selection_rate"], costs=None)
    once, often = (
        estimates(audited(given, sample=people(rows=rows)))["selection_rate", "race=a"]
        for rows in (1, 6)
    )
    assert (once.n, often.n) == (699, 700)
    assert often.low is not None
    assert often.high is not None
    # six rows of one risk decide alike, so they tell no more than one
    width = (often.high - often.low) / (once.high - once.low)  # type: ignore[operator]
    assert width == pytest.approx(1.0, abs=0.1)


def test_a_reference_leaves_the_other_pairs_out() -> None:
    found = estimates(audited(record(attributes=[["race"]], references={"race": "race=b"})))
    assert ("selection_rate", "race=a minus race=b") in found
    assert ("selection_rate", "race=d minus race=b") in found
    assert ("selection_rate", "race=a minus race=d") not in found


def test_policies_are_compared_on_the_same_people() -> None:
    policies: list[Json] = [
        {"name": "risk", "column": "risk"},
        {"name": "dice", "column": "noise"},
    ]
    found = audited(record(attributes=[["race"]], policies=policies))
    every = estimates(found)
    change = every["true_positive_rate dice minus risk", "race=a"]
    before = every["true_positive_rate under risk", "race=a"]
    after = every["true_positive_rate under dice", "race=a"]
    assert None not in (change.value, before.value, after.value)
    assert change.value == pytest.approx(after.value - before.value, abs=1e-12)  # type: ignore[operator]
    assert ("true_positive_rate dice minus risk", "all") in every
    assert any(part.id == "policies" and part.charts for part in found.sections)


MITIGATIONS: list[Json] = [
    {"kind": "reweighting", "attributes": ["race"], "features": ["risk", "noise"]},
    {
        "kind": "threshold",
        "attributes": ["race"],
        "constraint": "demographic_parity",
        "objective": "accuracy_score",
    },
    {"kind": "calibration", "attributes": ["race"], "method": "platt"},
]


def test_mitigations_are_shown_with_their_price_and_what_they_need() -> None:
    given = record(attributes=[["race"]], mitigations=MITIGATIONS)
    others = {"training": people(2, unequal=0.3), "tuning": people(3, unequal=0.3)}
    found = audited(given, sample=people(unequal=0.3), more=others)
    (part,) = [one for one in found.sections if one.id == "mitigations"]
    assert len(part.paragraphs) == 3
    assert "does not need the attribute" in part.paragraphs[0]
    assert "It needs race when a decision is taken" in part.paragraphs[1]
    assert "by lot" in part.paragraphs[1]
    every = estimates(found)
    name = "true_positive_rate after calibration (platt) by race minus before"
    gain = every[name, "race=b"]
    assert gain.low is not None
    assert gain.low > 0.1
    assert every[name, "all"].value is not None
    ratio = "observed_expected_ratio {} calibration (platt) by race"
    before, after = (every[ratio.format(when), "race=b"].value for when in ("before", "after"))
    assert before is not None
    assert after is not None
    assert before > 1.5
    assert after < 1.25
    assert all(
        {"gained", "lost"} <= set(table.columns)
        for table in part.tables
        if "scores" not in table.id
    )


@pytest.mark.requirement("P8")
def test_a_mitigation_that_cannot_be_fitted_is_listed() -> None:
    given = record(attributes=[["race"]], mitigations=MITIGATIONS[1:])
    tiny = people(3).where(np.arange(1263) < 12)
    found = audited(given, more={"tuning": tiny})
    assert sum("was not applied" in line for line in found.missing) == 2


def test_progress_is_told_and_ends() -> None:
    told: list[tuple[int, int, str]] = []
    audited(progress=lambda done, total, what: told.append((done, total, what)))
    assert [done for done, _, _ in told] == [0, 1, 2]
    assert {total for _, total, _ in told} == {3}


def test_the_rows_are_left_as_they_were() -> None:
    sample = people()
    before = [column.copy() for column in (sample.label, sample.score, sample.numbers["risk"])]  # type: ignore[union-attr]
    audited(record(mitigations=MITIGATIONS[2:]), sample=sample, more={"tuning": people(3)})
    after = (sample.label, sample.score, sample.numbers["risk"])
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one, other, equal_nan=True)  # type: ignore[arg-type]


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("rows", [1, 2], ids=["independent", "repeated"])
@pytest.mark.parametrize("planted", ["nobody", "one group", "no label at all"])
def test_rows_that_show_nothing_give_a_report_and_no_pass(planted: str, rows: int) -> None:
    sample = people(rows=rows)
    if planted == "nobody":
        sample = sample.where(np.zeros(sample.n, dtype=bool))
    elif planted == "one group":
        sample = sample.where(sample.categories["race"].codes == 0)
    else:
        sample = replace(sample, label=np.full(sample.n, np.nan))
    margins = {"selection_rate": {"difference": "0.5", "ratio": None}}
    found = audited(record(attributes=[["race"]], margins=margins), sample=sample)
    assert found.verdict is Verdict.INSUFFICIENT
    assert found.missing
    if planted != "one group":
        assert estimates(found)["selection_rate", "all"].value is None


def test_one_group_alone_says_that_there_is_no_pair() -> None:
    sample = people()
    alone = sample.where(sample.categories["race"].codes == 0)
    found = audited(record(attributes=[["race"]]), sample=alone)
    assert "race: one group only, so there is no gap" in found.missing


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("code", [0, -1], ids=["one group left", "nobody has the attribute"])
def test_a_margin_without_a_gap_is_judged_insufficient_and_does_not_let_others_pass(
    code: int,
) -> None:
    sample = people()
    race = Category(codes=np.full(sample.n, code, dtype=np.int32), levels=GROUPS)
    margins = {
        "true_positive_rate": {"difference": "0.9", "ratio": "0.1"},
        "auroc": {"difference": "0.9", "ratio": None},
    }
    easy = Criterion(id="easy", metric="selection_rate", direction="at_most", floor=0.99)
    found = audited(
        record(attributes=[["race"]], margins=margins),
        sample=replace(sample, categories={"race": race}),
        criteria=[easy],
    )
    first, *others = found.judgements
    assert first.verdict is Verdict.PASS
    assert [(one.estimate.metric, one.estimate.population) for one in others] == [
        ("true_positive_rate", "race: one group minus another"),
        ("true_positive_rate", "race: one group over another"),
        ("auroc", "race: one group minus another"),
    ]
    assert {one.verdict for one in others} == {Verdict.INSUFFICIENT}
    assert all("one group only, race=" in one.reason for one in others)
    assert found.verdict is Verdict.INSUFFICIENT


def test_a_criterion_about_a_name_that_two_groups_share_is_refused() -> None:
    sample = people()
    twin = Category(codes=sample.categories["race"].codes, levels=("F", "p", "q", "r", "s"))
    asked = Criterion(
        id="c", metric="selection_rate", population="race=a & sex=F", direction="at_most", floor=0.9
    )
    with pytest.raises(ProtocolMalformed, match="two estimates are called so"):
        audited(
            record(attributes=[["race", "sex"], ["race=a & sex"]]),
            sample=replace(sample, categories={**sample.categories, "race=a & sex": twin}),
            criteria=[asked],
        )
