"""The drift audit: protocol in, report out, nothing about columns that are not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml

from audits.criteria import Criterion
from audits.drift.audit import KIND, parse, run
from audits.drift.reference import reference_of
from audits.drift.reference_record import as_record, from_record
from audits.errors import AuditError, ProtocolMalformed, SampleMalformed
from audits.estimate import Verdict
from audits.report import AuditReport
from audits.sources.sample import Category, Sample
from tests.benchmarks.published import PAGE
from tests.unit.audits.drift.columns import sample
from tests.unit.audits.drift.test_late_labels import CUT, DAY

COLUMNS = ["age", "visits", "sex", "score", "decision"]
RECORD: dict[str, Any] = {
    "columns": COLUMNS,
    "limits": {"ks": "0.25", "psi": "0.2", "wasserstein": "0.5", "jensen_shannon": "0.3"},
    "missing_limit": "0.1",
    "bins": 10,
    "level": "0.95",
    "multiplicity": "bonferroni",
    "two_sample": {"learner": "logistic", "folds": 3, "rows": 2000},
    "applicability": {"kind": "mahalanobis", "quantile": "0.95"},
    "without_labels": {"delta": "0.05", "replicates": 200},
    "late_labels": None,
}
LATE: dict[str, Any] = {
    "predicted": "predicted",
    "known": "known",
    "cut_us": CUT,
    "maturity_days": "60",
    "window_days": "30",
    "complete": "0.95",
    "influence": "treatment-policy",
    "replicates": 200,
}


def _run(
    test: Sample,
    *,
    criteria: tuple[Criterion, ...] = (),
    record: Mapping[str, Any] = RECORD,
    reference: Sample | None = None,
    **options: Any,
) -> AuditReport:
    return run(
        {"test": test, "reference": reference or sample(4000)},
        protocol=parse(record),
        criteria=criteria,
        rng=np.random.default_rng(7),
        **options,
    )


def _at_most(metric: str, floor: float, population: str = "all") -> Criterion:
    return Criterion(
        id=f"{metric}-{population}",
        metric=metric,
        population=population,
        direction="at_most",
        floor=floor,
    )


def _table(report: AuditReport, id_: str) -> dict[Any, dict[str, Any]]:
    for section in report.sections:
        for table in section.tables:
            if table.id == id_:
                return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    raise AssertionError(id_)


def _late(n: int = 2000) -> Sample:
    rows = sample(n, seed=5)
    rng = np.random.default_rng(1)
    predicted = (rng.random(n) * 390).astype(np.int64) * DAY
    wait = (rng.exponential(20, size=n) * DAY).astype(np.int64)
    return replace(rows, times={"predicted": predicted, "known": predicted + wait})


def test_rows_like_the_reference_have_not_drifted() -> None:
    report = _run(
        sample(3000, seed=2),
        criteria=(
            _at_most("columns_drifted", 0),
            _at_most("two_sample_auroc", 0.6),
            _at_most("outside_share", 0.1),
            _at_most("ks", 0.25, "column=age"),
            _at_most("missing_change", 0.1, "column=sex"),
        ),
    )
    assert report.kind == KIND
    assert report.verdict is Verdict.PASS
    assert {row["verdict"] for row in _table(report, "distance-ks").values()} == {"pass"}
    assert json.dumps(report.as_record())


def test_a_column_that_moved_is_named_with_the_methods_that_saw_it() -> None:
    report = _run(
        sample(3000, seed=3, shift=1.0),
        criteria=(_at_most("columns_drifted", 0), _at_most("two_sample_auroc", 0.6)),
    )
    assert report.verdict is Verdict.FAIL
    assert [one.verdict for one in report.judgements] == [Verdict.FAIL, Verdict.FAIL]
    for method in ("ks", "psi", "wasserstein", "jensen_shannon"):
        assert _table(report, f"distance-{method}")["age"]["verdict"] == "fail"
    assert _table(report, "distance-ks")["visits"]["verdict"] == "pass"
    assert _table(report, "distance-ks")["score"]["verdict"] == "fail"
    assert "age" in report.sections[0].paragraphs[0]


def test_few_rows_do_not_say() -> None:
    report = _run(sample(30, seed=4), record={**RECORD, "two_sample": None})
    assert _table(report, "distance-psi")["age"]["verdict"] == "insufficient"
    assert _table(report, "distance-psi")["age"]["low"] is None
    assert any("age: psi" in line for line in report.missing)


def test_without_a_criterion_the_verdict_is_insufficient() -> None:
    assert _run(sample(500, seed=4)).verdict is Verdict.INSUFFICIENT


def test_missing_values_and_new_words_are_found() -> None:
    rows = sample(3000, seed=6)
    age = rows.numbers["age"].copy()
    age[:900] = np.nan
    codes = rows.categories["sex"].codes.copy()
    codes[:40] = 2
    changed = replace(
        rows,
        numbers={**rows.numbers, "age": age},
        categories={"sex": Category(codes=codes, levels=("male", "female", "unknown"))},
    )
    report = _run(changed, criteria=(_at_most("new_levels", 0.001, "column=sex"),))
    assert _table(report, "missing-values")["age"]["verdict"] == "fail"
    assert _table(report, "missing-values")["visits"]["verdict"] == "pass"
    assert _table(report, "new-levels")["sex"] == {"column": "sex", "value": "unknown", "rows": 40}
    assert report.verdict is Verdict.FAIL


def test_a_column_without_any_value_is_listed_and_not_compared() -> None:
    rows = sample(400, seed=6)
    empty = replace(rows, numbers={**rows.numbers, "age": np.full(400, np.nan)})
    report = _run(empty, record={**RECORD, "two_sample": None, "applicability": None})
    assert "age" not in _table(report, "distance-ks")
    assert "age: no current row has a value" in report.missing
    assert _table(report, "missing-values")["age"]["verdict"] == "fail"


def test_a_category_is_not_ordered_and_the_report_says_so() -> None:
    report = _run(sample(500, seed=2))
    assert "sex" not in _table(report, "distance-ks")
    assert "sex" in _table(report, "distance-psi")
    assert "sex: ks needs an order, and a category has none" in report.missing


def test_a_stored_reference_gives_the_same_distances() -> None:
    rows = sample(1500, seed=8, shift=0.3)
    kept = from_record(as_record(reference_of(sample(4000), columns=COLUMNS)))
    lean = {**RECORD, "two_sample": None, "applicability": None, "without_labels": None}
    stored = run(
        {"test": rows},
        protocol=parse(lean),
        criteria=(),
        rng=np.random.default_rng(1),
        stored=kept,
    )
    assert _table(stored, "distance-ks") == _table(_run(rows, record=lean), "distance-ks")


def test_rows_that_repeat_subjects_settle_less() -> None:
    """Six rows of each of 300 patients say as much as 300 rows, not as 1,800."""
    repeated, single = sample(1800, seed=9, repeats=6), sample(1800, seed=9)
    wide = _table(_run(repeated), "distance-ks")["age"]
    narrow = _table(_run(single), "distance-ks")["age"]
    width = [float(x["high"]) - float(x["low"]) for x in (wide, narrow)]
    assert width[0] > 1.5 * width[1]


def test_performance_without_labels_is_undefined_where_nothing_calibrates() -> None:
    few = replace(sample(4000), label=np.zeros(4000))
    report = _run(sample(500, seed=2), reference=few, criteria=(_at_most("expected_auroc", 1.0),))
    assert report.verdict is Verdict.INSUFFICIENT
    assert "too few to calibrate" in report.judgements[0].reason


def test_late_labels_are_reported_with_their_bounds_and_what_was_left_out() -> None:
    report = _run(
        _late(),
        record={**RECORD, "late_labels": LATE, "two_sample": None},
        criteria=(_at_most("label_delay", 0.6),),
    )
    assert report.verdict is Verdict.PASS
    bounds = _table(report, "label-bounds")["sensitivity"]
    assert float(bounds["least"]) < float(bounds["greatest"])
    assert any("not mature at the cut" in line for line in report.missing)
    assert "treatment-policy" in report.sections[-1].paragraphs[0]


def test_progress_is_told_and_a_rerun_gives_the_same_record() -> None:
    told: list[tuple[int, int]] = []
    first = _run(sample(600, seed=2), progress=lambda done, total, _: told.append((done, total)))
    again = _run(sample(600, seed=2))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert json.dumps(first.as_record()) == json.dumps(again.as_record())


def test_a_protocol_reads_back_as_it_was_written() -> None:
    record = {**RECORD, "late_labels": LATE}
    assert parse(record).as_record() == record
    assert parse(parse(record).as_record()) == parse(record)


WRONG: dict[str, dict[str, Any]] = {
    "an unknown member": {"threshold": "0.1"},
    "no columns": {"columns": []},
    "a column twice": {"columns": ["age", "age"]},
    "columns that are no names": {"columns": [1]},
    "an unknown method": {"limits": {"default": "0.1"}},
    "no method": {"limits": {}},
    "limits that are no mapping": {"limits": ["ks"]},
    "a limit of zero": {"limits": {"ks": "0"}},
    "a limit that is no number": {"limits": {"ks": "small"}},
    "a limit that is not finite": {"limits": {"ks": "inf"}},
    "a limit as a float": {"limits": {"ks": 0.1}},
    "a missing limit beyond one": {"missing_limit": "1.5"},
    "one bin": {"bins": 1},
    "bins as text": {"bins": "10"},
    "a level of one": {"level": "1"},
    "an unknown correction": {"multiplicity": "holm"},
    "an unknown learner": {"two_sample": {"learner": "deep", "folds": 3, "rows": 500}},
    "one fold": {"two_sample": {"learner": "logistic", "folds": 1, "rows": 500}},
    "too few rows to learn from": {"two_sample": {"learner": "logistic", "folds": 3, "rows": 5}},
    "a part that is no mapping": {"two_sample": "logistic"},
    "an unknown strangeness": {"applicability": {"kind": "distance", "quantile": "0.9"}},
    "a boundary inside the bulk": {"applicability": {"kind": "isolation", "quantile": "0.2"}},
    "a delta of one": {"without_labels": {"delta": "1", "replicates": 200}},
    "too few resamples": {"without_labels": {"delta": "0", "replicates": 10}},
    "an unknown influence": {"late_labels": {**LATE, "influence": "ignore"}},
    "a time without a name": {"late_labels": {**LATE, "known": ""}},
    "a negative maturity": {"late_labels": {**LATE, "maturity_days": "-1"}},
    "no window": {"late_labels": {**LATE, "window_days": "0"}},
    "a cut as text": {"late_labels": {**LATE, "cut_us": "7"}},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_another_protocol_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolMalformed):
        parse({**RECORD, **change})


@pytest.mark.parametrize("member", RECORD)
def test_a_missing_member_is_named(member: str) -> None:
    with pytest.raises(ProtocolMalformed, match=f"missing `{member}`"):
        parse({name: value for name, value in RECORD.items() if name != member})


def test_a_criterion_about_what_was_not_estimated_is_refused() -> None:
    with pytest.raises(ProtocolMalformed, match="did not estimate"):
        _run(sample(300, seed=2), criteria=(_at_most("ks", 0.1, "column=weight"),))


@pytest.mark.parametrize("role", ["test", "reference"])
def test_a_missing_sample_is_refused(role: str) -> None:
    samples = {"test": sample(100), "reference": sample(100)}
    del samples[role]
    with pytest.raises(ProtocolMalformed, match="samples"):
        run(samples, protocol=parse(RECORD), criteria=(), rng=np.random.default_rng(1))


def test_a_part_that_needs_rows_refuses_a_stored_reference_alone() -> None:
    kept = reference_of(sample(500), columns=COLUMNS)
    with pytest.raises(ProtocolMalformed, match="rows of the sample"):
        run(
            {"test": sample(300)},
            protocol=parse(RECORD),
            criteria=(),
            rng=np.random.default_rng(1),
            stored=kept,
        )


@pytest.mark.parametrize("lacks", ["test", "reference"])
def test_a_column_that_one_side_lacks_is_refused(lacks: str) -> None:
    short = replace(sample(300), numbers={"visits": sample(300).numbers["visits"]})
    sides = {"test": sample(300), "reference": sample(300), lacks: short}
    with pytest.raises(AuditError, match="no column 'age'"):
        run(sides, protocol=parse(RECORD), criteria=(), rng=np.random.default_rng(1))


def test_the_protocol_of_the_guide_is_one() -> None:
    guide = (PAGE.parent / "guides" / "watch-for-drift.md").read_text(encoding="utf-8")
    written = guide.split("```yaml\n", 1)[1].split("```", 1)[0]
    protocol = parse(yaml.safe_load(written))
    assert protocol.late_labels is not None
    assert protocol.as_record() == yaml.safe_load(written)


LEAN = {**RECORD, "two_sample": None, "applicability": None, "without_labels": None}


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_count_of_drifted_columns_passes_on_no_rows_that_settle_nothing(rows: int) -> None:
    report = _run(
        sample(600).where(np.arange(600) < rows),
        record=LEAN,
        reference=sample(800),
        criteria=(_at_most("columns_drifted", 0),),
    )
    assert report.verdict is Verdict.INSUFFICIENT
    assert "no distance settles anything about age" in report.judgements[0].reason


def test_rows_of_one_subject_settle_no_column() -> None:
    report = _run(
        replace(sample(600), subject=np.zeros(600, dtype=np.int64)),
        record=LEAN,
        reference=sample(800),
        criteria=(_at_most("columns_drifted", 0),),
    )
    assert report.verdict is Verdict.INSUFFICIENT


def test_a_column_that_no_method_compares_is_unsettled() -> None:
    report = _run(
        sample(3000, seed=2),
        record={**LEAN, "columns": ["age", "sex"], "limits": {"ks": "0.25"}},
        criteria=(_at_most("columns_drifted", 0), _at_most("columns_unsettled", 0)),
    )
    assert [one.verdict for one in report.judgements] == [Verdict.INSUFFICIENT, Verdict.FAIL]
    assert "about sex" in report.judgements[0].reason


def test_the_interval_of_drifted_columns_reaches_to_those_not_settled() -> None:
    report = _run(sample(60, seed=3, shift=3.0), record=LEAN, reference=sample(800))
    count, unsettled = report.sections[0].estimates
    assert count.value is not None
    assert unsettled.value is not None
    assert count.value > 0
    assert unsettled.value > 0
    assert (count.low, count.high) == (count.value, count.value + unsettled.value)


def test_numbers_that_no_learner_can_square_are_refused() -> None:
    rows = sample(300)
    huge = replace(rows, numbers={**rows.numbers, "age": np.where(rows.subject % 7, -1e308, 1e308)})
    with pytest.raises(SampleMalformed, match="'age' holds a number beyond"):
        _run(huge, reference=sample(800))
    with pytest.raises(SampleMalformed, match="'age' holds a number beyond"):
        _run(sample(300), reference=huge)


def test_values_too_far_apart_for_a_double_have_no_distance() -> None:
    rows = sample(800)
    huge = replace(rows, numbers={**rows.numbers, "age": np.where(rows.subject % 2, -1e308, 1e308)})
    report = _run(sample(600), reference=huge, record=LEAN)
    assert _table(report, "distance-wasserstein")["age"]["value"] is None
    assert any("no double holds the distance" in line for line in report.missing)
