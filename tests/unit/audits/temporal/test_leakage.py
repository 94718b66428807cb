"""Every planted fault is found under its own name, and a clean data set raises none."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from audits.errors import ProtocolMalformed
from audits.sources.sample import Category, Sample
from audits.temporal.leakage.association import of_category, of_quantity
from audits.temporal.leakage.examination import KINDS, Examination, examine
from audits.temporal.leakage.finding import Severity
from audits.temporal.leakage.material import Material, prints
from tests.unit.audits.temporal.planted import PLANTS, clean

ALPHA = 0.01


def examined(seed: int = 1, *plants: str, n: int = 400) -> Examination:
    draft = clean(np.random.default_rng(seed), n=n)
    for plant in plants:
        PLANTS[plant](draft)
    return examine(draft.material(), alpha=ALPHA)


def only(examination: Examination, kind: str) -> Any:
    return next(one for one in examination.findings if one.kind == kind)


@pytest.mark.requirement("P9")
def test_every_planted_kind_of_leakage_and_data_fault_is_found() -> None:
    assert set(PLANTS) == set(KINDS)
    assert len(KINDS) >= 12
    missed = [kind for kind in KINDS if kind not in examined(1, kind).kinds]
    assert missed == []


# What a fault drags along: a planted one changes other columns too.
COMPANIONS = {
    "duplicated_rows_across_sides": set(),
    "row_order_predicts_label": set(),
    "site_on_both_sides": set(),
    "test_rows_used_for_tuning": set(),
    "missingness_predicts_label": {"label_late_selectively"},
    "label_known_before_prediction": set(),
    "training_rows_after_test_start": {"test_period_before_training_known"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_planted_fault_raises_no_other_alarm(kind: str) -> None:
    assert examined(2, kind).kinds - {kind} <= COMPANIONS.get(kind, set())


def test_clean_data_raise_nothing() -> None:
    found = examined(3)
    assert found.findings == ()
    assert found.tests >= 10
    assert {one.kind for one in found.unseen} == {"site_on_both_sides"}


def false_alarms(runs: int) -> int:
    return sum(bool(examined(1000 + run, n=200).findings) for run in range(runs))


def test_false_alarms_on_clean_data_stay_within_their_bound() -> None:
    # 40 clean data sets, bound 1 %: four or more would come up once in 1,400 such tests.
    assert false_alarms(40) <= 3


@pytest.mark.campaign
def test_false_alarms_on_many_clean_data_sets_stay_within_their_bound() -> None:
    # 2,000 clean data sets, bound 1 % and two standard errors.
    assert false_alarms(2_000) <= 29


@pytest.mark.requirement("P15")
def test_finding_names_count_rows_side_and_method_and_no_value() -> None:
    found = only(examined(1, "subject_on_both_sides"), "subject_on_both_sides")
    assert (found.count, found.of, found.side) == (7, 400, "test")
    assert found.rows == (0, 1, 2, 3, 4)
    assert found.severity is Severity.SERIOUS
    assert found.message == "7 subjects have rows in training and in test"
    json.dumps(found.as_record())


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("feature_known_after_prediction", 9),
        ("label_known_before_prediction", 4),
        ("test_period_before_training_known", 12),
        ("future_dated", 1),
        ("instants_out_of_order", 3),
        ("duplicated_rows", 5),
        ("duplicated_rows_across_sides", 6),
        ("nearly_duplicated_rows", 5),
        ("nearly_duplicated_rows_across_sides", 6),
        ("test_rows_used_for_tuning", 40),
        ("label_changed", 3),
    ],
)
def test_facts_are_counted_exactly(kind: str, count: int) -> None:
    assert only(examined(4, kind), kind).count == count


def test_unit_is_named_where_the_factor_is_a_usual_one() -> None:
    message = only(examined(1, "unit_change"), "unit_change").message
    assert "creatinine" in message
    assert "jumps up" in message


def test_clock_is_named_with_its_hours_and_site() -> None:
    assert "'west' is off by +5 hours" in only(examined(1, "clock_shift"), "clock_shift").message


def test_what_could_not_be_looked_for_is_said() -> None:
    draft = clean(np.random.default_rng(1))
    found = examine(Material(training=draft.training, test=draft.test, site="site"))
    unseen = {one.kind for one in found.unseen}
    assert {
        "feature_known_after_prediction",
        "label_known_before_prediction",
        "test_period_before_training_known",
        "future_dated",
        "instants_out_of_order",
        "clock_shift",
        "test_rows_used_for_tuning",
        "label_changed",
        "site_on_both_sides",
    } <= unseen
    assert all(one.reason for one in found.unseen)


def test_coarse_rows_are_not_called_duplicates() -> None:
    rng = np.random.default_rng(8)
    samples = [
        Sample(
            subject=np.arange(first, first + 200),
            label=(rng.random(200) < 0.4).astype(float),
            categories={
                "sex": Category(codes=rng.integers(0, 2, 200).astype(np.int32), levels=("F", "M"))
            },
        )
        for first in (0, 200)
    ]
    found = examine(Material(training=samples[0], test=samples[1], split_by_time=False))
    assert "duplicated_rows" not in found.kinds
    assert "duplicated_rows" in {one.kind for one in found.unseen}


@pytest.mark.requirement("P8")
def test_rows_of_one_subject_do_not_count_as_many() -> None:
    """Six copies of each subject must not make chance look like knowledge (P8)."""
    draft = clean(np.random.default_rng(9), n=60)
    times = np.repeat(np.arange(60), 6)

    def repeated(sample: Sample) -> Sample:
        parts = [sample.where(np.arange(sample.n) == row) for row in times]
        return Sample(
            subject=np.concatenate([one.subject for one in parts]),
            label=np.concatenate([np.asarray(one.label) for one in parts]),
            numbers={"age": np.concatenate([one.numbers["age"] for one in parts])},
        )

    one = Material(
        training=draft.training,
        test=draft.test,
        leave_out=("albumin", "marker", "stage"),
        site="site",
    )
    six = Material(training=repeated(draft.training), test=repeated(draft.test))
    assert examine(six).kinds <= {"duplicated_rows"}
    assert "row_order_predicts_label" not in examine(one).kinds


def test_category_that_decides_the_label_is_found() -> None:
    draft = clean(np.random.default_rng(10))
    for name in ("training", "test"):
        label = np.nan_to_num(np.asarray(getattr(draft, name).label))
        codes = (2 * label + np.random.default_rng(1).integers(0, 2, label.size)).astype(np.int32)
        draft.change(name, categories={"ward": Category(codes=codes, levels=("a", "b", "c", "d"))})
    assert only(examine(draft.material()), "single_feature_decides").column == "ward"


def test_levels_of_the_two_sides_are_compared_by_name() -> None:
    """The same site under another code is the same site."""
    draft = clean(np.random.default_rng(11))
    codes = np.zeros(400, dtype=np.int32)
    draft.change("training", categories={"site": Category(codes=codes, levels=("west",))})
    draft.change("test", categories={"site": Category(codes=codes, levels=("north", "west"))})
    draft.options["held_out"] = True
    assert "site_on_both_sides" not in examine(draft.material()).kinds
    draft.change("test", categories={"site": Category(codes=codes, levels=("west", "north"))})
    assert only(examine(draft.material()), "site_on_both_sides").count == 400


def test_same_run_gives_the_same_findings_and_changes_no_input() -> None:
    draft = clean(np.random.default_rng(12))
    PLANTS["unit_change"](draft)
    before = {name: column.copy() for name, column in draft.test.numbers.items()}
    first, second = examine(draft.material()), examine(draft.material())
    assert first == second
    for name, column in before.items():
        np.testing.assert_array_equal(draft.test.numbers[name], column)


def test_area_of_a_quantity_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(13)
    values, mark = np.round(rng.normal(size=80), 1), rng.random(80) < 0.3
    found = of_quantity(values, mark)
    assert found is not None
    assert found.area == pytest.approx(roc_auc_score(mark, values), abs=1e-12)


def test_fisher_on_the_lady_tasting_tea_is_one_half_and_more() -> None:
    """Fisher (1935): 3 of 4 cups right has a one-sided p of 17/70, two-sided 34/70."""
    cups = np.repeat([0, 1], 10)
    guesses = np.array([0] * 9 + [1] + [1] * 9 + [0])
    found = of_category(guesses, cups == 1)
    assert found is not None
    # Two-sided p of [[9, 1], [1, 9]]: 2 (C(10,9) C(10,1) + 1) / C(20,10) = 202 / 184756.
    assert found.p == pytest.approx(202 / 184756, rel=1e-9)
    assert found.area == pytest.approx(0.9)


def test_too_few_marks_are_not_tested() -> None:
    assert of_quantity(np.arange(20.0), np.arange(20) < 4) is None
    assert of_category(np.arange(20) % 2, np.arange(20) < 4) is None


def test_print_without_a_feature_forgets_only_that_feature() -> None:
    coded = {"a": np.array([0, 1, 0]), "b": np.array([2, 2, 3])}
    all_but_a = prints(coded, without="a")
    assert all_but_a[0] == all_but_a[1] != all_but_a[2]
    assert np.unique(prints(coded)).size == 3


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"at": "when"}, "no instant 'when'"),
        ({"site": "clinic"}, "no category 'clinic'"),
        ({"ordered": (("at", "sent"),)}, "no instant 'sent'"),
        ({"earlier_labels": {"test": np.zeros(3)}}, "one entry a row"),
        ({"earlier_labels": {"later": np.zeros(400)}}, "one entry a row"),
    ],
)
def test_roles_that_no_column_has_are_refused(options: dict[str, Any], fault: str) -> None:
    draft = clean(np.random.default_rng(14))
    draft.options.update(options)
    with pytest.raises(ProtocolMalformed, match=fault) as refusal:
        draft.material()
    assert refusal.value.next_step


def test_feature_that_the_test_side_lacks_is_refused() -> None:
    draft = clean(np.random.default_rng(15))
    draft.change("training", numbers={"extra": np.zeros(400)})
    with pytest.raises(ProtocolMalformed, match="no feature 'extra'"):
        draft.material()


def test_side_without_rows_is_refused() -> None:
    draft = clean(np.random.default_rng(16))
    draft.test = draft.test.where(np.zeros(400, dtype=bool))
    with pytest.raises(ProtocolMalformed, match="test side has no rows"):
        draft.material()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_false_alarm_bound_outside_its_range_is_refused(alpha: float) -> None:
    with pytest.raises(ProtocolMalformed, match="between 0 and 1"):
        examine(clean(np.random.default_rng(17)).material(), alpha=alpha)
