"""Splits by time: what each side may hold, at the instant itself and around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.errors import SplitRefused
from audits.sources.sample import MISSING_TIME
from audits.temporal.splitters import (
    ExpandingOrigin,
    RandomSplit,
    RollingOrigin,
    TemporalHoldOut,
    Timeline,
    evenly,
)

YEARS = np.arange(2000, 2010)
DAY = 86_400_000_000


def fold_of(splitter: Any) -> Any:
    (fold,) = splitter.folds()
    return fold


def test_row_at_the_cut_is_a_test_row_and_the_row_before_is_not() -> None:
    fold = fold_of(TemporalHoldOut(timeline=Timeline(predicted_at=YEARS), cut=2005))
    assert YEARS[fold.training].tolist() == [2000, 2001, 2002, 2003, 2004]
    assert YEARS[fold.test].tolist() == [2005, 2006, 2007, 2008, 2009]
    assert dict(fold.left_out) == {}


def test_embargo_belongs_to_neither_side_and_is_counted() -> None:
    fold = fold_of(TemporalHoldOut(timeline=Timeline(predicted_at=YEARS), cut=2005, embargo=2))
    assert YEARS[fold.training].max() == 2004
    assert YEARS[fold.test].min() == 2007
    assert fold.test_from == 2007
    assert dict(fold.left_out) == {"inside the embargo": 2}


def test_end_of_the_test_window_is_outside_it() -> None:
    fold = fold_of(TemporalHoldOut(timeline=Timeline(predicted_at=YEARS), cut=2005, end=2008))
    assert YEARS[fold.test].tolist() == [2005, 2006, 2007]


@pytest.mark.requirement("P9")
def test_training_row_counts_only_if_its_label_was_known_at_the_cut() -> None:
    known = YEARS + 2
    fold = fold_of(
        TemporalHoldOut(timeline=Timeline(predicted_at=YEARS, label_known_at=known), cut=2005)
    )
    assert YEARS[fold.training].tolist() == [2000, 2001, 2002, 2003]  # 2003 is known in 2005
    assert fold.left_out["label not known at the cut"] == 1
    assert fold.maturity_known


def test_test_row_counts_only_if_matured_at_evaluation() -> None:
    known = YEARS + 2
    known[9] = MISSING_TIME
    split = TemporalHoldOut(
        timeline=Timeline(predicted_at=YEARS, label_known_at=known), cut=2005, evaluated_at=2009
    )
    fold = fold_of(split)
    assert YEARS[fold.test].tolist() == [2005, 2006, 2007]
    assert fold.left_out["label not mature at evaluation"] == 2


def test_label_that_never_became_known_is_on_no_side_even_without_an_evaluation_date() -> None:
    known = YEARS.copy()
    known[[1, 7]] = MISSING_TIME
    fold = fold_of(
        TemporalHoldOut(timeline=Timeline(predicted_at=YEARS, label_known_at=known), cut=2005)
    )
    assert not {1, 7} & {*fold.training.tolist(), *fold.test.tolist()}


def test_fold_says_when_label_instants_are_not_known() -> None:
    assert not fold_of(
        TemporalHoldOut(timeline=Timeline(predicted_at=YEARS), cut=2005)
    ).maturity_known


def test_row_without_an_instant_is_on_no_side_and_counted() -> None:
    time = YEARS.copy()
    time[[0, 9]] = MISSING_TIME
    fold = fold_of(TemporalHoldOut(timeline=Timeline(predicted_at=time), cut=2005))
    assert not {0, 9} & {*fold.training.tolist(), *fold.test.tolist()}
    assert fold.left_out["no instant of prediction"] == 2


@pytest.mark.parametrize(
    ("returning", "training", "test"),
    [
        ("leave_test", [0, 1, 2, 3, 4], [6, 7, 8, 9]),
        ("leave_training", [1, 2, 3, 4], [5, 6, 7, 8, 9]),
    ],
)
def test_no_subject_stands_on_both_sides(
    returning: Any, training: list[int], test: list[int]
) -> None:
    subjects = np.array([7, 1, 2, 3, 4, 7, 6, 5, 8, 9])
    fold = fold_of(
        TemporalHoldOut(
            timeline=Timeline(predicted_at=YEARS, subjects=subjects), cut=2005, returning=returning
        )
    )
    assert fold.training.tolist() == training
    assert fold.test.tolist() == test
    assert sum(fold.left_out.values()) == 1


def test_held_out_site_is_tested_and_never_trained_on() -> None:
    sites = np.array(["A", "B"] * 5)
    fold = fold_of(
        TemporalHoldOut(
            timeline=Timeline(predicted_at=YEARS, sites=sites), cut=2005, held_out_sites=("B",)
        )
    )
    assert set(sites[fold.training]) == {"A"}
    assert set(sites[fold.test]) == {"B"}
    assert fold.left_out == {"site held out of training": 2, "site not held out": 2}


def test_expanding_origin_keeps_the_past_and_rolling_origin_forgets_it() -> None:
    line = Timeline(predicted_at=YEARS)
    cuts = evenly(first=2004, step=2, count=3)
    expanding = [
        f.training.size for f in ExpandingOrigin(timeline=line, cuts=cuts, horizon=2).folds()
    ]
    rolling = list(RollingOrigin(timeline=line, cuts=cuts, horizon=2, window=3).folds())
    assert expanding == [4, 6, 8]
    assert [YEARS[f.training].tolist() for f in rolling] == [
        [2001, 2002, 2003],
        [2003, 2004, 2005],
        [2005, 2006, 2007],
    ]
    assert [YEARS[f.test].tolist() for f in rolling] == [[2004, 2005], [2006, 2007], [2008, 2009]]


def test_horizon_is_counted_from_the_end_of_the_embargo() -> None:
    split = ExpandingOrigin(
        timeline=Timeline(predicted_at=YEARS), cuts=(2004,), horizon=2, embargo=1
    )
    assert YEARS[fold_of(split).test].tolist() == [2005, 2006]


def test_microseconds_are_split_as_exactly_as_years() -> None:
    time = np.array([10 * DAY - 1, 10 * DAY, 10 * DAY + 1], dtype=np.int64)
    fold = fold_of(TemporalHoldOut(timeline=Timeline(predicted_at=time), cut=10 * DAY))
    assert fold.training.tolist() == [0]
    assert fold.test.tolist() == [1, 2]


@pytest.mark.requirement("P9")
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(0, 8)), min_size=12),
    st.integers(0, 5),
    st.sampled_from(["leave_test", "leave_training"]),
)
def test_sides_keep_their_promise_on_any_rows(
    rows: list[tuple[int, int, int]], embargo: int, returning: Any
) -> None:
    time, delay, subject = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    line = Timeline(predicted_at=time, label_known_at=time + delay, subjects=subject)
    split = TemporalHoldOut(
        timeline=line, cut=15, embargo=embargo, evaluated_at=35, returning=returning
    )
    try:
        fold = fold_of(split)
    except SplitRefused:
        return
    assert time[fold.training].max() < 15
    assert (time + delay)[fold.training].max() <= 15
    assert time[fold.test].min() >= 15 + embargo
    assert (time + delay)[fold.test].max() <= 35
    assert not set(subject[fold.training]) & set(subject[fold.test])


@pytest.mark.requirement("P9")
def test_random_split_is_never_called_temporal_and_has_no_cut() -> None:
    (fold,) = RandomSplit(test_share=0.3, seed=1).folds(20)
    assert not RandomSplit.temporal
    assert TemporalHoldOut.temporal
    assert fold.cut is None
    assert fold.test.size == 6


def test_random_split_draws_whole_subjects_and_repeats_itself() -> None:
    subjects = np.repeat(np.arange(10), 3)
    split = RandomSplit(test_share=0.4, seed=5, repeats=2, subjects=subjects)
    first, second = split.folds(30)
    assert not set(subjects[first.training]) & set(subjects[first.test])
    assert first.test.tolist() != second.test.tolist()
    again = next(iter(RandomSplit(test_share=0.4, seed=5, subjects=subjects).folds(30)))
    assert again.test.tolist() == first.test.tolist()


def test_scikit_learn_takes_every_splitter() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    rng = np.random.default_rng(3)
    time = rng.integers(0, 100, 300)
    X = rng.normal(size=(300, 2))
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    groups = [f"p{number}" for number in rng.permutation(300)]
    line = Timeline(predicted_at=time)
    for splitter, folds in (
        (TemporalHoldOut(timeline=line, cut=60), 1),
        (ExpandingOrigin(timeline=line, cuts=(40, 60, 80), horizon=20), 3),
        (RollingOrigin(timeline=line, cuts=(40, 60, 80), horizon=20, window=30), 3),
        (RandomSplit(test_share=0.2, seed=1, repeats=4), 4),
    ):
        scores = cross_val_score(
            LogisticRegression(), X, y, groups=groups, cv=splitter, scoring="roc_auc"
        )
        assert scores.shape == (folds,)
        assert splitter.get_n_splits(X, y, groups) == folds
        assert (scores > 0.7).all()


def test_groups_given_by_scikit_learn_are_the_subjects() -> None:
    split = TemporalHoldOut(timeline=Timeline(predicted_at=YEARS), cut=2005)
    ((training, test),) = split.split(YEARS, groups=["a"] * 6 + ["b"] * 4)
    assert training.tolist() == [0, 1, 2, 3, 4]
    assert test.tolist() == [6, 7, 8, 9]


def refused_early() -> dict[str, Any]:
    line = Timeline(predicted_at=YEARS)
    return {
        "negative embargo": lambda: TemporalHoldOut(timeline=line, cut=2005, embargo=-1),
        "window ends first": lambda: TemporalHoldOut(timeline=line, cut=2005, end=2005),
        "window is all embargo": lambda: TemporalHoldOut(
            timeline=line, cut=2005, embargo=3, end=2008
        ),
        "unknown rule": lambda: TemporalHoldOut(timeline=line, cut=2005, returning="keep"),  # type: ignore[arg-type]
        "site not named": lambda: TemporalHoldOut(timeline=line, cut=2005, held_out_sites=("B",)),
        "no horizon": lambda: ExpandingOrigin(timeline=line, cuts=(2005,), horizon=0),
        "no cut": lambda: ExpandingOrigin(timeline=line, cuts=(), horizon=1),
        "cuts out of order": lambda: ExpandingOrigin(timeline=line, cuts=(2006, 2005), horizon=1),
        "cut twice": lambda: ExpandingOrigin(timeline=line, cuts=(2005, 2005), horizon=1),
        "no window": lambda: RollingOrigin(timeline=line, cuts=(2005,), horizon=1, window=0),
        "share of one": lambda: RandomSplit(test_share=1.0, seed=1),
        "no draw": lambda: RandomSplit(test_share=0.5, seed=1, repeats=0),
        "fractional years": lambda: Timeline(predicted_at=YEARS + 0.5),  # type: ignore[arg-type]
        "subjects of other length": lambda: Timeline(predicted_at=YEARS, subjects=YEARS[1:]),
        "no step": lambda: evenly(first=1, step=0, count=2),
    }


@pytest.mark.parametrize("case", sorted(refused_early()))
def test_what_cannot_be_split_is_refused_when_it_is_written(case: str) -> None:
    with pytest.raises(SplitRefused) as refusal:
        refused_early()[case]()
    assert refusal.value.next_step


def test_empty_side_is_refused_and_named() -> None:
    line = Timeline(predicted_at=YEARS)
    with pytest.raises(SplitRefused, match="training side"):
        fold_of(TemporalHoldOut(timeline=line, cut=2000))
    with pytest.raises(SplitRefused, match="test side"):
        fold_of(TemporalHoldOut(timeline=line, cut=2010))


def test_rows_of_another_length_are_refused() -> None:
    split = TemporalHoldOut(timeline=Timeline(predicted_at=YEARS), cut=2005)
    with pytest.raises(SplitRefused, match="9 rows and 10 instants"):
        next(iter(split.split(YEARS[1:])))
    with pytest.raises(SplitRefused, match="no length"):
        next(iter(split.split(None)))
    with pytest.raises(SplitRefused, match="one entry a row"):
        next(iter(split.split(YEARS, groups=[1, 2])))


def test_one_subject_cannot_be_split_at_random() -> None:
    with pytest.raises(SplitRefused, match="1 subjects"):
        next(iter(RandomSplit(test_share=0.5, seed=1).folds(1)))
