"""The audits of discrimination and calibration: strict protocols, honest reports, verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from audits.criteria import Criterion
from audits.errors import ProtocolMalformed, SampleMalformed
from audits.estimate import Verdict
from audits.performance import calibration, discrimination
from audits.performance.audit import KINDS
from audits.performance.protocol import DAY_US
from audits.performance.reading import DESCRIBED
from audits.sources.sample import MISSING_TIME, Category, Sample
from tests.unit.audits.performance.samples import World

COMMON: dict[str, Any] = {
    "level": "0.95",
    "minimum_events": 10,
    "populations": [["sex"], ["race", "sex"]],
    "time": "seen",
    "window_days": 90,
}
RECORDS: dict[str, dict[str, Any]] = {
    "discrimination": {
        **COMMON,
        "score_kind": "probability",
        "thresholds": ["0.2", "0.5"],
        "specificities": ["0.9"],
        "net_benefit_thresholds": ["0.2", "0.3"],
        "bedroc_alphas": [20],
        "enrichment_shares": ["0.1"],
        "comparator": "rival",
        "replicates": 200,
    },
    "calibration": {**COMMON, "bins": 10},
}


def sample(*, subjects: int = 400, rows_each: int = 2) -> Sample:
    rng = np.random.default_rng(5)
    drawn = World().draw(rng, subjects=subjects, rows_each=rows_each)
    sex = (drawn.identity % 2).astype(np.int32)
    race = np.where(
        (drawn.identity >= 3) & (drawn.identity < 6), 2, drawn.identity // 2 % 2
    ).astype(np.int32)
    race[-4:] = -1
    label = drawn.label.astype(float)
    label[:6] = np.nan
    # nobody of this group has the outcome
    label[(race == 2) & ~np.isnan(label)] = 0.0
    seen = DAY_US * (19000 + (np.arange(drawn.n) * 360) // drawn.n)
    seen[10] = MISSING_TIME
    return Sample(
        subject=drawn.identity,
        label=label,
        score=drawn.score,
        numbers={"rival": (drawn.score + rng.normal(scale=0.2, size=drawn.n))},
        categories={
            "sex": Category(codes=sex, levels=("F", "M")),
            "race": Category(codes=race, levels=("A", "B", "few")),
        },
        times={"seen": seen},
        unit="patient",
    )


def run(kind: str, *, criteria: Any = (), data: Sample | None = None, **changes: Any) -> Any:
    module = KINDS[kind]
    protocol: Any = module.parse({**RECORDS[kind], **changes})
    return module.run(
        {"test": sample() if data is None else data},
        protocol=protocol,
        criteria=criteria,
        rng=np.random.default_rng(1),
    )


def at_least(metric: str, floor: float, *, population: str = "all") -> Criterion:
    return Criterion(
        id=f"{metric} of {population}",
        metric=metric,
        population=population,
        direction="at_least",
        floor=floor,
    )


@pytest.fixture(scope="module", params=sorted(KINDS))
def report(request: pytest.FixtureRequest) -> Any:
    return run(request.param)


def test_report_is_in_the_json_domain_and_has_no_float(report: Any) -> None:
    def walk(node: Any) -> None:
        assert not isinstance(node, float)
        inside = node.values() if isinstance(node, dict) else node
        for one in inside if isinstance(node, dict | list) else ():
            walk(one)

    walk(report.as_record())
    json.dumps(report.as_record())


def test_every_chart_draws_a_table_with_rows(report: Any) -> None:
    for section in report.sections:
        tables = {table.id: table for table in section.tables}
        assert all(tables[chart.table].rows for chart in section.charts)


def test_rows_left_out_are_counted(report: Any) -> None:
    said = " ".join(report.missing)
    assert "6 rows have no label" in said
    assert "rows have no value of race & sex" in said
    assert "1 rows have no seen" in said
    assert ("rows with label and score", 794) in report.data


def test_methods_of_every_estimate_are_described(report: Any) -> None:
    named = {f"{one.name}, {one.version}" for one in report.methods}
    used = {one.method for section in report.sections for one in section.estimates}
    assert used <= named
    assert used <= set(DESCRIBED)


def test_a_group_of_three_people_is_listed_with_its_reason(report: Any) -> None:
    found = [
        one
        for section in report.sections
        for one in section.estimates
        if one.population == "race=few & sex=F"
    ]
    assert found
    assert {one.value for one in found} == {None}
    assert all(one.note for one in found)
    assert any("race=few & sex=F" in sentence for sentence in report.missing)


def test_the_same_run_gives_the_same_record(report: Any) -> None:
    assert run(report.kind).as_record() == report.as_record()


def test_protocol_reads_back_what_it_writes(report: Any) -> None:
    module = KINDS[report.kind]
    assert module.parse(report.protocol).as_record() == report.protocol


def test_without_a_criterion_nothing_is_passed(report: Any) -> None:
    assert report.verdict is Verdict.INSUFFICIENT


def test_planted_undefined_area_never_passes() -> None:
    found = run("discrimination", criteria=[at_least("auroc", 0.0, population="race=few & sex=M")])
    assert found.verdict is Verdict.INSUFFICIENT
    assert "undefined" in found.judgements[0].reason
    assert "no row is positive" in found.judgements[0].reason


def test_too_few_events_for_the_protocol_never_pass() -> None:
    criteria = [at_least("auroc", 0.0, population="sex=F")]
    assert run("discrimination", criteria=criteria).verdict is Verdict.PASS
    few = run("discrimination", criteria=criteria, minimum_events=1000)
    assert few.verdict is Verdict.INSUFFICIENT
    assert "the protocol asks for 1000" in few.judgements[0].reason


def test_criteria_decide_pass_and_fail() -> None:
    assert run("discrimination", criteria=[at_least("auroc", 0.5)]).verdict is Verdict.PASS
    assert run("discrimination", criteria=[at_least("auroc", 0.99)]).verdict is Verdict.FAIL
    slope = Criterion(id="s", metric="calibration_slope", direction="within", low=0.8, high=1.25)
    assert run("calibration", criteria=[slope]).verdict is Verdict.PASS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_criterion_about_what_is_not_measured_is_refused(kind: str) -> None:
    for criterion in (at_least("f1", 0.5), at_least("auroc", 0.5, population="sex=X")):
        with pytest.raises(ProtocolMalformed, match="does not measure"):
            run(kind, criteria=[criterion])


@pytest.mark.parametrize(
    ("kind", "metric"), [("discrimination", "auroc"), ("calibration", "calibration_slope")]
)
def test_a_criterion_about_a_name_that_two_populations_bear_is_refused(
    kind: str, metric: str
) -> None:
    data = sample()
    race = Category(codes=data.categories["race"].codes, levels=("A", "A & sex=F", "few"))
    data = replace(data, categories={**data.categories, "race": race})
    with pytest.raises(ProtocolMalformed, match="measured twice"):
        run(
            kind,
            data=data,
            populations=[["race"], ["race", "sex"]],
            criteria=[at_least(metric, 0.1, population="race=A & sex=F")],
        )


def test_two_criteria_with_one_id_are_refused() -> None:
    with pytest.raises(ProtocolMalformed, match="share an id"):
        run("discrimination", criteria=[at_least("auroc", 0.5)] * 2)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_unknown_and_missing_members_are_named(kind: str) -> None:
    record = RECORDS[kind]
    with pytest.raises(ProtocolMalformed, match="'surprise' is not known"):
        KINDS[kind].parse({**record, "surprise": 1})
    for name in record:
        with pytest.raises(ProtocolMalformed, match=f"'{name}' is missing"):
            KINDS[kind].parse({k: v for k, v in record.items() if k != name})


BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "level one": ("level", {"level": 1}),
    "level no number": ("level", {"level": "much"}),
    "level truth": ("level", {"level": True}),
    "level infinite": ("level", {"level": "inf"}),
    "no events": ("minimum_events", {"minimum_events": 0}),
    "events as text": ("minimum_events", {"minimum_events": "10"}),
    "populations no list": ("populations", {"populations": "sex"}),
    "population empty": ("populations", {"populations": [[]]}),
    "population twice": ("populations", {"populations": [["sex"], ["sex"]]}),
    "category twice": ("populations", {"populations": [["sex", "sex"]]}),
    "time alone": ("time", {"window_days": None}),
    "no days": ("window_days", {"window_days": 0}),
    "more days than numpy counts": ("window_days", {"window_days": 10**30}),
    "time no text": ("time", {"time": 3}),
}
BAD_DISCRIMINATION: dict[str, tuple[str, dict[str, Any]]] = {
    "score kind": ("score_kind", {"score_kind": "logit"}),
    "score kind no text": ("score_kind", {"score_kind": 1}),
    "benefit of a score": ("net_benefit_thresholds", {"score_kind": "score"}),
    "specificity one": ("specificities", {"specificities": [1]}),
    "benefit at zero": ("net_benefit_thresholds", {"net_benefit_thresholds": [0]}),
    "share one": ("enrichment_shares", {"enrichment_shares": ["1.0"]}),
    "alpha zero": ("bedroc_alphas", {"bedroc_alphas": [0]}),
    "alpha of one weight": ("bedroc_alphas", {"bedroc_alphas": ["0.0009"]}),
    "alpha beyond sense": ("bedroc_alphas", {"bedroc_alphas": [10001]}),
    "threshold twice": ("thresholds", {"thresholds": ["0.2", "0.20"]}),
    "few replicates": ("replicates", {"replicates": 10}),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("case", sorted(BAD))
def test_malformed_members_are_named(kind: str, case: str) -> None:
    member, change = BAD[case]
    with pytest.raises(ProtocolMalformed, match=member):
        KINDS[kind].parse({**RECORDS[kind], **change})


@pytest.mark.parametrize("case", sorted(BAD_DISCRIMINATION))
def test_malformed_members_of_discrimination_are_named(case: str) -> None:
    member, change = BAD_DISCRIMINATION[case]
    with pytest.raises(ProtocolMalformed, match=member):
        discrimination.parse({**RECORDS["discrimination"], **change})


@pytest.mark.parametrize("bins", [1, 101, "ten"])
def test_malformed_bins_are_named(bins: Any) -> None:
    with pytest.raises(ProtocolMalformed, match="bins"):
        calibration.parse({**RECORDS["calibration"], "bins": bins})


ABSENT: dict[str, tuple[str, dict[str, Any]]] = {
    "category": ("populations", {"populations": [["ward"]]}),
    "time": ("time", {"time": "born"}),
    "comparator": ("comparator", {"comparator": "nobody"}),
}


@pytest.mark.parametrize("case", ["category", "time", "comparator"])
def test_columns_that_the_rows_have_not_are_named(case: str) -> None:
    member, change = ABSENT[case]
    with pytest.raises(ProtocolMalformed, match=member):
        run("discrimination", **change)


@pytest.mark.parametrize(
    ("day", "name"), [(10_000_000, "window=29349-01-26"), (-1_000_000, "window=-768-02-04")]
)
def test_instants_beyond_the_calendar_of_datetime_have_windows(day: int, name: str) -> None:
    data = sample()
    report = run(
        "calibration", data=replace(data, times={"seen": data.times["seen"] * 0 + day * DAY_US})
    )
    assert name in str(report.as_record())


def test_windows_beyond_counting_are_refused() -> None:
    data = sample()
    far = data.times["seen"].copy()
    far[-1] = DAY_US * 19000 * 10
    odd = Sample(
        subject=data.subject,
        label=data.label,
        score=data.score,
        times={"seen": far},
        categories=data.categories,
        numbers=data.numbers,
    )
    with pytest.raises(ProtocolMalformed, match="window_days"):
        run("calibration", data=odd, window_days=1)


def test_a_comparator_with_gaps_is_refused() -> None:
    data = sample()
    data.numbers["rival"][50] = np.nan
    with pytest.raises(ProtocolMalformed, match="not paired"):
        run("discrimination", data=data)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_role_test_is_needed(kind: str) -> None:
    module = KINDS[kind]
    protocol: Any = module.parse(RECORDS[kind])
    with pytest.raises(ProtocolMalformed, match="'test'"):
        module.run({}, protocol=protocol, criteria=(), rng=np.random.default_rng(1))


def test_scores_that_are_no_probabilities_have_no_calibration() -> None:
    data = sample()
    odd = Sample(
        subject=data.subject,
        label=data.label,
        score=np.asarray(data.score) * 7,
        times=data.times,
        categories=data.categories,
    )
    with pytest.raises(SampleMalformed, match="probabilities"):
        run("calibration", data=odd)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_one_class_alone_makes_a_report_that_says_so(kind: str) -> None:
    data = sample()
    blank = Sample(
        subject=data.subject,
        label=np.zeros(data.n),
        score=data.score,
        times=data.times,
        categories=data.categories,
        numbers=data.numbers,
        unit="patient",
    )
    found = run(kind, data=blank)
    assert any("no row is positive" in sentence for sentence in found.missing)
    assert found.verdict is Verdict.INSUFFICIENT


def test_progress_counts_every_population() -> None:
    seen: list[tuple[int, int, str]] = []
    protocol = calibration.parse(RECORDS["calibration"])
    calibration.run(
        {"test": sample()},
        protocol=protocol,
        criteria=(),
        rng=np.random.default_rng(1),
        progress=lambda *step: seen.append(step),
    )
    assert seen[0] == (0, 9, "all")
    assert seen[-1][:2] == (9, 9)
