"""The audit shows the gap where a feature fades, what leaks, and what it could not look at."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audits.criteria import Criterion
from audits.errors import ProtocolMalformed, SplitRefused
from audits.estimate import Estimate, Json, Verdict
from audits.report import AuditReport
from audits.sources.sample import MISSING_TIME, Sample
from audits.temporal import audit
from audits.temporal.protocol import instant
from tests.unit.audits.temporal.histories import history, learner, record, without_labels


def ran(
    sample: Sample | None = None,
    *,
    criteria: tuple[Criterion, ...] = (),
    tuning: Sample | None = None,
    train: Any = learner,
    **changes: Json,
) -> AuditReport:
    protocol = audit.parse(record(**changes))
    samples = {"test": history(1) if sample is None else sample}
    if tuning is not None:
        samples["tuning"] = tuning
    rng = np.random.default_rng(protocol.seed)
    return audit.run(samples, protocol=protocol, criteria=criteria, rng=rng, learner=train)


def section(report: AuditReport, name: str) -> Any:
    return next(one for one in report.sections if one.id == name)


def estimate(report: AuditReport, metric: str, population: str) -> Estimate:
    found = [one for part in report.sections for one in part.estimates]
    return next(one for one in found if (one.metric, one.population) == (metric, population))


def test_random_split_promises_what_time_does_not_keep() -> None:
    gap = estimate(ran(), "auroc", "random split minus time split")
    assert gap.low is not None
    assert gap.low > 0.05


def test_no_gap_is_claimed_where_nothing_fades() -> None:
    gap = estimate(ran(history(2, fades=False)), "auroc", "random split minus time split")
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low < 0 < gap.high


def test_fading_feature_shows_as_performance_by_window() -> None:
    report = ran(
        cuts=["2012-01-01"],
        windows=["2012-01-01", "2013-01-01", "2014-01-01", "2015-01-01", "2016-01-01"],
    )
    values = [one.value for one in section(report, "windows").estimates if one.metric == "auroc"]
    assert min(values[:2]) > 0.8
    assert max(values[2:]) < 0.7
    trend = estimate(report, "trend of auroc", "all")
    assert trend.value is not None
    assert trend.value < 0
    assert trend.note == "change per year"


@pytest.mark.requirement("P9")
def test_learner_never_sees_a_row_or_label_after_the_cut() -> None:
    cut = instant("2014-01-01", "test")
    first: list[Sample] = []

    def watched(training: Sample, rng: np.random.Generator) -> Any:
        first.append(training)
        return learner(training, rng)

    ran(train=watched, random_repeats=0)
    (training,) = first
    assert training.times["at"].max() < cut
    assert training.times["label_known"].max() <= cut


def test_scorer_gets_no_label() -> None:
    def blind(training: Sample, rng: np.random.Generator) -> Any:
        scorer = learner(training, rng)

        def score(rows: Sample) -> Any:
            assert rows.label is None
            return scorer(rows)

        return score

    assert ran(train=blind).kind == "temporal-rows"


def test_random_split_has_the_sizes_of_the_time_split() -> None:
    sizes: list[int] = []

    def counted(training: Sample, rng: np.random.Generator) -> Any:
        sizes.append(training.n)
        return learner(training, rng)

    ran(train=counted)
    assert len(sizes) == 4
    assert len(set(sizes)) == 1


def test_immature_labels_are_left_out_and_counted() -> None:
    sample = history(3)
    known = sample.times["label_known"].copy()
    known[-20:] = MISSING_TIME
    report = ran(replace(sample, times={**sample.times, "label_known": known}))
    assert any("20 rows left out: label not mature" in one for one in report.missing)


def test_label_that_is_missing_for_some_is_found_although_its_rows_are_left_out() -> None:
    sample = history(4)
    known, label = sample.times["label_known"].copy(), np.asarray(sample.label).copy()
    sick = (sample.numbers["steady"] > 0.3) & (sample.times["at"] > instant("2014-01-01", "test"))
    known[sick], label[sick] = MISSING_TIME, np.nan
    report = ran(replace(sample, label=label, times={**sample.times, "label_known": known}))
    kinds = {row[1] for row in section(report, "leakage").tables[0].rows}
    assert "label_late_selectively" in kinds


def test_clean_rows_have_no_serious_finding_and_say_what_was_not_looked_for() -> None:
    report = ran()
    assert estimate(report, "serious_findings", "all").value == 0.0
    assert any(
        one.startswith("not looked for: test_rows_used_for_tuning") for one in report.missing
    )


def test_rows_used_for_tuning_fail_a_criterion_on_serious_findings() -> None:
    floor = Criterion(id="clean", metric="serious_findings", direction="at_most", floor=0.0)
    sample = history(5)
    assert ran(sample, criteria=(floor,)).verdict is Verdict.PASS
    report = ran(sample, criteria=(floor,), tuning=sample.where(np.arange(600) > 580))
    assert report.verdict is Verdict.FAIL


def test_copy_of_the_label_is_a_serious_finding() -> None:
    sample = history(6)
    copied = replace(sample, numbers={**sample.numbers, "code": 3.0 - np.asarray(sample.label)})
    rows = section(ran(copied), "leakage").tables[0].rows
    assert [(row[1], row[4]) for row in rows] == [("target_copy", "code")]


def test_criterion_on_the_gap_is_judged_by_its_interval() -> None:
    gap = Criterion(
        id="holds",
        metric="auroc",
        population="random split minus time split",
        direction="at_most",
        floor=0.02,
        reading="point",
    )
    assert ran(criteria=(gap,)).verdict is Verdict.FAIL


@pytest.mark.requirement("P8")
def test_small_window_is_insufficient_and_decides_nothing() -> None:
    window = Criterion(
        id="last", metric="auroc", population="window=2017-12-20", direction="at_least", floor=0.5
    )
    report = ran(criteria=(window,), windows=["2014-01-01", "2017-12-20", "2018-01-01"])
    assert report.verdict is Verdict.INSUFFICIENT
    assert any("window=2017-12-20 is undefined: insufficient" in one for one in report.missing)


def test_several_cuts_are_read_together_and_listed_apart() -> None:
    for design, window in (("expanding", None), ("rolling", 900)):
        report = ran(
            design=design,
            cuts=["2013-01-01", "2014-01-01", "2015-01-01"],
            horizon_days=365,
            window_days=window,
            random_repeats=1,
        )
        table = section(report, "splits").tables[0]
        assert [row[0] for row in table.rows] == ["2013-01-01", "2014-01-01", "2015-01-01"]
        assert estimate(report, "auroc", "time split").n == sum(int(row[2]) for row in table.rows)


def test_sites_are_listed_pooled_and_held_out() -> None:
    report = ran(site="site")
    assert {one.population for one in section(report, "sites").estimates} >= {
        "site=east",
        "site=west",
        "sites",
        "new site",
        "site=east, shrunken",
    }
    new = estimate(report, "auroc", "new site")
    assert new.value is None
    assert "2 sites have an interval, 3 are needed" in new.note
    external = ran(site="site", held_out_sites=["west"])
    assert estimate(external, "auroc", "site=east").value is None
    assert estimate(external, "auroc", "site=west").value is not None


def test_report_is_in_the_json_domain_and_the_same_run_gives_the_same_bytes() -> None:
    def refuse(found: object) -> None:
        pytest.fail(f"not in the JSON domain: {found!r}")

    def floats(value: object) -> bool:
        if isinstance(value, dict):
            return any(floats(one) for one in value.values())
        return (
            any(floats(one) for one in value)
            if isinstance(value, list)
            else isinstance(value, float)
        )

    first, second = (ran(site="site").as_record() for _ in range(2))
    assert not floats(first)
    assert json.dumps(first, default=refuse) == json.dumps(second)


def test_inputs_are_not_changed() -> None:
    sample = history(8)
    before = {
        name: column.copy() for name, column in (*sample.numbers.items(), *sample.times.items())
    }
    ran(sample)
    for name, column in (*sample.numbers.items(), *sample.times.items()):
        np.testing.assert_array_equal(column, before[name])


def test_progress_ends_where_it_said_it_would() -> None:
    steps: list[tuple[int, int]] = []
    protocol = audit.parse(record())
    audit.run(
        {"test": history(1)},
        protocol=protocol,
        criteria=(),
        rng=np.random.default_rng(1),
        learner=learner,
        progress=lambda done, total, _: steps.append((done, total)),
    )
    assert steps[0] == (0, 5)
    assert steps[-1] == (5, 5)
    assert steps == sorted(steps)


def test_every_method_that_made_a_number_is_described() -> None:
    report = ran(site="site")
    names = {f"{one.name}, {one.version}" for one in report.methods}
    used = {one.method for part in report.sections for one in part.estimates} - {"none"}
    assert used == names


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"at": "when"}, "'when', which the rows lack"),
        ({"ordered": [["at", "sent"]]}, "'sent', which the rows lack"),
        ({"site": "clinic"}, "'clinic', which the rows lack"),
        ({"leave_out": ["age"]}, "'age', which the rows lack"),
        ({"known_at": {"age": "at"}}, "'age', which the rows lack"),
        ({"site": "site", "held_out_sites": ["north"]}, "'north', which no row has"),
    ],
)
def test_column_that_the_rows_lack_is_refused_before_anything_is_trained(
    changes: dict[str, Any], fault: str
) -> None:
    def never(training: Sample, rng: np.random.Generator) -> Any:
        pytest.fail("trained before the protocol was checked")

    with pytest.raises(ProtocolMalformed, match=fault):
        ran(train=never, **changes)


def test_labels_other_than_0_and_1_and_none_are_refused() -> None:
    sample = history(9)
    with pytest.raises(ProtocolMalformed, match="other than 0 and 1"):
        ran(replace(sample, label=sample.numbers["steady"]))
    with pytest.raises(ProtocolMalformed, match="no label"):
        ran(replace(sample, label=None))
    protocol = audit.parse(record())
    with pytest.raises(ProtocolMalformed, match="lack the role 'test'"):
        audit.run({}, protocol=protocol, criteria=(), rng=np.random.default_rng(1), learner=learner)


def test_criterion_that_the_protocol_does_not_measure_is_refused() -> None:
    strange = Criterion(id="x", metric="average_precision", direction="at_least", floor=0.5)
    with pytest.raises(ProtocolMalformed, match="does not measure"):
        ran(criteria=(strange,))
    twice = Criterion(id="x", metric="serious_findings", direction="at_most", floor=0.0)
    with pytest.raises(ProtocolMalformed, match="share an id"):
        ran(criteria=(twice, twice))


def test_cut_after_the_last_row_is_refused() -> None:
    with pytest.raises(SplitRefused, match="test side"):
        ran(cuts=["2030-01-01"])


LATER = history(1).times["at"] >= instant("2014-01-01", "test")


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("label", "fault"),
    [
        (np.zeros(600), "training rows with a label, cut 2014-01-01, hold one class only"),
        (np.full(600, np.nan), "training rows with a label, cut 2014-01-01, are none"),
        (np.where(LATER, np.nan, history(1).label), "test rows with a label, cut 2014-01-01, are"),
        (np.where(LATER, 0.0, np.arange(600) == 0), "a random draw beside cut 2014-01-01, hold"),
    ],
    ids=["one class", "no label", "no label after the cut", "one positive, drawn into the test"],
)
def test_labelled_rows_that_teach_or_test_nothing_are_refused_before_the_learner_sees_them(
    label: Any, fault: str
) -> None:
    def picky(training: Sample, rng: np.random.Generator) -> Any:
        assert set(np.asarray(training.label)) == {0.0, 1.0}
        return lambda rows: np.full(rows.n, rng.random())

    with pytest.raises(SplitRefused, match=fault):
        ran(replace(history(1), label=label), train=picky)


@pytest.mark.requirement("P8")
def test_too_few_events_after_the_cut_decide_nothing_about_the_whole_of_it() -> None:
    sample = history(1)
    few = replace(sample, label=np.where(np.cumsum(LATER) > 8, np.nan, sample.label))
    asked = tuple(
        Criterion(id=where, metric="auroc", population=where, direction="within", low=-1, high=1)
        for where in ("time split", "random split minus time split")
    )
    report = ran(few, criteria=asked)
    assert {one.verdict for one in report.judgements} == {Verdict.INSUFFICIENT}
    assert all("events, 10 are needed" in one.estimate.note for one in report.judgements)


def test_count_of_serious_findings_says_which_faults_were_not_looked_for() -> None:
    blind = estimate(ran(label_known=None, ordered=[]), "serious_findings", "all").note
    assert "not looked for: " in blind
    assert "label_known_before_prediction" in blind
    assert "label_known_before_prediction" not in estimate(ran(), "serious_findings", "all").note


def test_unlabelled_rows_are_neither_trained_on_nor_measured() -> None:
    report = ran(without_labels(history(10), slice(0, 50)))
    assert dict(report.data)["rows without a label"] == 50


@pytest.mark.data
def test_drugs_by_year_of_approval_are_easier_at_random_than_in_time(test_data: Path) -> None:
    """What the screening baseline shows: docs/guides/audit-over-time.md quotes these numbers."""
    from models.documents import parse_document
    from models.screening import ngram_learner
    from models.screening.loader import load_approvals

    folder = Path(__file__).parents[4] / "models" / "screening"
    written: Any = parse_document((folder / "temporal-protocol.yaml").read_text(encoding="utf-8"))[
        "protocol"
    ]
    protocol = audit.parse(written)
    text = (test_data / "screening" / "approved_drugs_L01_upto2012.csv").read_text(encoding="utf-8")
    report = audit.run(
        {"test": load_approvals(text).sample},
        protocol=protocol,
        criteria=(),
        rng=np.random.default_rng(protocol.seed),
        learner=ngram_learner.ngram_learner(ngram_learner.parse(dict(protocol.parameters))),
    )
    time = estimate(report, "auroc", "time split")
    random = estimate(report, "auroc", "random split")
    gap = estimate(report, "auroc", "random split minus time split")
    assert time.value == pytest.approx(0.623, abs=0.02)
    assert random.value == pytest.approx(0.822, abs=0.02)
    assert gap.low is not None
    assert gap.low > 0.05
    assert section(report, "splits").tables[0].rows[0][1:3] == (954, 238)
    assert estimate(report, "auroc", "window=2000-01-01").value is None
