from __future__ import annotations

import copy
from typing import Any

import pytest
from console_samples import report as sample

from governance.errors import Problem
from governance.reports.errors import EvidenceUnreadable
from governance.reports.evidence_reader import read_audit


def read(record: Any) -> Any:
    return read_audit(record, model="forecasting", version="forecasting/2")


@pytest.fixture
def record() -> dict[str, Any]:
    return copy.deepcopy(sample.evidence())


def test_every_criterion_is_shown_with_the_verdict_of_its_judgement(record: dict[str, Any]) -> None:
    shown = read(record)
    judged = {one["criterion"]: one["verdict"] for one in record["report"]["judgements"]}
    assert {one.id: one.verdict for one in shown.criteria} == judged
    assert shown.verdict == record["verdict"]


def test_numbers_are_the_decimal_texts_of_the_record(record: dict[str, Any]) -> None:
    shown = read(record).criteria[0].estimate
    kept = record["report"]["judgements"][0]["estimate"]
    assert (shown.value, shown.low, shown.high, shown.n) == (
        kept["value"], kept["low"], kept["high"], kept["n"],
    )  # fmt: skip


def test_the_path_is_the_last_origins_and_history_ends_before_it(record: dict[str, Any]) -> None:
    for path in read(record).paths:
        assert path.origin == record["report"]["origins"][-1]
        assert len(path.months) == 12
        assert max(month for month, _ in path.history) <= path.origin < min(path.months)


def test_where_there_is_no_subgroup_the_sentence_of_the_record_is_shown() -> None:
    shown = sample.report(grouped=False)
    assert shown.groups == ()
    assert shown.no_groups == "No series has a group: a comparison of groups needs two."


def test_coverage_without_groups_is_shown_by_series() -> None:
    shown = sample.report(grouped=False)
    assert [one.population for one in shown.coverage] == [
        "all", "series L01/Concessional", "series L01/General",
        "series L02/Concessional", "series L02/General",
    ]  # fmt: skip


def test_the_report_is_read_alone_too(record: dict[str, Any]) -> None:
    assert read(record["report"]).criteria == read(record).criteria


def test_the_headline_counts_each_kind_of_verdict() -> None:
    assert sample.report().headline.replace("\u00a0", " ") == (
        "Of 4 criteria fixed before the test data were opened: "
        "1 not decidable on these data, 3 met."
    )


@pytest.mark.parametrize(
    "member",
    ["schema", "criteria", "judgements", "model", "baseline", "groups", "protocol", "series"],
)
def test_a_record_without_a_member_is_refused_by_name(record: dict[str, Any], member: str) -> None:
    del record["report"][member]
    with pytest.raises(EvidenceUnreadable, match=member):
        read(record)


@pytest.mark.parametrize(
    ("member", "value"),
    [("value", "NaN"), ("value", 0.5), ("n", "36"), ("n", True), ("level", None), ("unit", None)],
)
def test_an_estimate_of_another_shape_is_refused(
    record: dict[str, Any], member: str, value: object
) -> None:
    record["report"]["judgements"][0]["estimate"][member] = value
    with pytest.raises(EvidenceUnreadable, match=member):
        read(record)


def test_a_criterion_nobody_judged_is_refused(record: dict[str, Any]) -> None:
    record["report"]["judgements"].pop()
    with pytest.raises(EvidenceUnreadable, match="judgement of general-error"):
        read(record)


@pytest.mark.parametrize("record", [None, [], "text", {}, {"report": {"schema": "other/1"}}])
def test_what_is_no_temporal_report_is_refused(record: object) -> None:
    with pytest.raises(EvidenceUnreadable):
        read(record)


def test_the_refusal_tells_the_next_step() -> None:
    with pytest.raises(EvidenceUnreadable) as refused:
        read({})
    problem = Problem.of(refused.value)
    assert problem is not None
    assert problem.code == "report.evidence_unreadable"
    assert "digest" in problem.next_step
