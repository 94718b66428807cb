"""A clean data set of two sides, and one way to plant each fault into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from audits.sources.sample import MISSING_TIME, Category, Sample
from audits.temporal.leakage.material import Material

HOUR = 3_600_000_000
DAY = 24 * HOUR
CUT = 3_000 * DAY
NOW = 5_000 * DAY
SITES = ("north", "south", "west")


@dataclass
class Draft:
    """The arguments of a `Material`, open to change."""

    training: Sample
    test: Sample
    options: dict[str, Any] = field(default_factory=dict)

    def change(self, side: str, **columns: Any) -> None:
        """Replace columns of one side; mappings are merged."""
        sample: Sample = getattr(self, side)
        for name in ("numbers", "times", "categories"):
            if name in columns:
                columns[name] = {**getattr(sample, name), **columns[name]}
        setattr(self, side, replace(sample, **columns))

    def material(self) -> Material:
        """Return what the detectors read."""
        return Material(training=self.training, test=self.test, **self.options)


def side(rng: np.random.Generator, *, n: int, first: int, after: int, span: int) -> Sample:
    """Rows of n subjects: three quantities, a category, gaps at random, a label they tell."""
    age = rng.normal(62, 11, n)
    albumin = np.exp(rng.normal(3.6, 0.15, n))
    marker = np.exp(rng.normal(1.0, 0.8, n))
    risk = 1 / (1 + np.exp(-(0.04 * (age - 62) + 0.6 * (np.log(marker) - 1))))
    label = (rng.random(n) < risk).astype(float)
    albumin[rng.random(n) < 0.1] = np.nan
    at = after + rng.integers(0, span, n) * HOUR
    known = at + 30 * DAY + rng.integers(0, 48, n) * HOUR
    reported = at + rng.normal(6 * HOUR, HOUR / 4, n).astype(np.int64)
    stage = rng.integers(0, 4, n).astype(np.int32)
    absent = rng.random(n) < 0.08
    label[absent], known[absent] = np.nan, MISSING_TIME
    return Sample(
        subject=np.arange(first, first + n),
        label=label,
        score=risk,
        numbers={"age": age, "albumin": albumin, "marker": marker},
        categories={
            "stage": Category(codes=stage, levels=("I", "II", "III", "IV")),
            "site": Category(codes=rng.integers(0, 3, n).astype(np.int32), levels=SITES),
        },
        times={"at": at, "label_known": known, "albumin_known": at - HOUR, "reported": reported},
    )


def clean(rng: np.random.Generator, *, n: int = 400) -> Draft:
    """Training and test rows without a fault, and everything that detectors can be told."""
    training = side(rng, n=n, first=0, after=CUT - 1_200 * DAY, span=1_100 * 24)
    test = side(rng, n=n, first=n, after=CUT, span=1_100 * 24)
    return Draft(
        training=training,
        test=test,
        options={
            "at": "at",
            "label_known": "label_known",
            "known_at": {"albumin": "albumin_known"},
            "ordered": (("at", "reported"),),
            "site": "site",
            "now": NOW,
            "tuning": side(rng, n=60, first=10 * n, after=CUT - 1_200 * DAY, span=100),
            "earlier_labels": {
                "training": np.asarray(training.label).copy(),
                "test": np.asarray(test.label).copy(),
            },
        },
    )


def filled(sample: Sample) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The labels, a coin where there is none: a feature must not tell which are missing."""
    label = np.asarray(sample.label)
    coin = (np.random.default_rng(4).random(sample.n) < np.nanmean(label)).astype(float)
    return np.where(np.isnan(label), coin, label)


def _rows_of(draft: Draft, rows: slice, into: slice, *, factor: float = 1.0) -> None:
    """Copy the features of training rows into test rows, quantities times `factor`."""
    numbers = {}
    for name, values in draft.test.numbers.items():
        numbers[name] = values.copy()
        numbers[name][into] = draft.training.numbers[name][rows] * factor
    stage = draft.test.categories["stage"].codes.copy()
    stage[into] = draft.training.categories["stage"].codes[rows]
    draft.change(
        "test",
        numbers=numbers,
        categories={"stage": Category(codes=stage, levels=("I", "II", "III", "IV"))},
    )


def subject_on_both_sides(draft: Draft) -> None:
    subject = draft.test.subject.copy()
    subject[:7] = draft.training.subject[:7]
    draft.change("test", subject=subject)


def site_on_both_sides(draft: Draft) -> None:
    draft.options["held_out"] = True


def duplicated_rows(draft: Draft) -> None:
    numbers = {name: column.copy() for name, column in draft.training.numbers.items()}
    stage = draft.training.categories["stage"].codes.copy()
    for column in (*numbers.values(), stage):
        column[50:55] = column[:5]
    levels = draft.training.categories["stage"].levels
    draft.change(
        "training", numbers=numbers, categories={"stage": Category(codes=stage, levels=levels)}
    )


def duplicated_rows_across_sides(draft: Draft) -> None:
    _rows_of(draft, slice(0, 6), slice(10, 16))


def nearly_duplicated_rows_across_sides(draft: Draft) -> None:
    _rows_of(draft, slice(0, 6), slice(10, 16), factor=1 + 1e-9)


def nearly_duplicated_rows(draft: Draft) -> None:
    duplicated_rows(draft)
    age = draft.training.numbers["age"].copy()
    age[50:55] += 7.3
    draft.change("training", numbers={"age": age})


def test_rows_used_for_tuning(draft: Draft) -> None:
    kept = np.zeros(draft.test.n, dtype=bool)
    kept[:40] = True
    draft.options["tuning"] = draft.test.where(kept)


def feature_known_after_prediction(draft: Draft) -> None:
    known = draft.test.times["albumin_known"].copy()
    rows = np.flatnonzero(~np.isnan(draft.test.numbers["albumin"]))[:9]
    known[rows] = draft.test.times["at"][rows] + 1
    draft.change("test", times={"albumin_known": known})


def label_known_before_prediction(draft: Draft) -> None:
    known = draft.training.times["label_known"].copy()
    known[:4] = draft.training.times["at"][:4] - DAY
    draft.change("training", times={"label_known": known})


def test_period_before_training_known(draft: Draft) -> None:
    known = draft.training.times["label_known"].copy()
    known[:12] = CUT + 900 * DAY
    draft.change("training", times={"label_known": known})


def training_rows_after_test_start(draft: Draft) -> None:
    columns = {name: column.copy() for name, column in draft.training.times.items()}
    for column in columns.values():
        column[:3] = np.where(column[:3] == MISSING_TIME, MISSING_TIME, column[:3] + 1_300 * DAY)
    draft.change("training", times=columns)


def future_dated(draft: Draft) -> None:
    at = draft.test.times["reported"].copy()
    at[5] = NOW + DAY
    draft.change("test", times={"reported": at})


def instants_out_of_order(draft: Draft) -> None:
    reported = draft.test.times["reported"].copy()
    reported[:3] = draft.test.times["at"][:3] - HOUR
    draft.change("test", times={"reported": reported})


def clock_shift(draft: Draft) -> None:
    reported = draft.test.times["reported"].copy()
    reported[draft.test.categories["site"].codes == 2] += 5 * HOUR
    draft.change("test", times={"reported": reported})


def constant_feature(draft: Draft) -> None:
    for name in ("training", "test"):
        draft.change(name, numbers={"version": np.full(getattr(draft, name).n, 3.0)})


def target_copy(draft: Draft) -> None:
    for name in ("training", "test"):
        label = filled(getattr(draft, name))
        draft.change(name, numbers={"outcome_code": 7.0 - 5.0 * label})


def single_feature_decides(draft: Draft) -> None:
    rng = np.random.default_rng(5)
    for name in ("training", "test"):
        sample: Sample = getattr(draft, name)
        days = 10 + 30 * filled(sample) + rng.normal(0, 4, sample.n)
        draft.change(name, numbers={"days_in_hospital": days})


def missingness_predicts_label(draft: Draft) -> None:
    rng = np.random.default_rng(6)
    for name in ("training", "test"):
        sample: Sample = getattr(draft, name)
        marker = sample.numbers["marker"].copy()
        marker[(np.asarray(sample.label) == 0) & (rng.random(sample.n) < 0.5)] = np.nan
        draft.change(name, numbers={"marker": marker})


def identifier_like(draft: Draft) -> None:
    rng = np.random.default_rng(7)
    for name in ("training", "test"):
        number = 4000.0 + rng.permutation(getattr(draft, name).n)
        draft.change(name, numbers={"accession": number})


def row_order_predicts_label(draft: Draft) -> None:
    label = np.sort(np.asarray(draft.training.label))[::-1]
    draft.change("training", label=label)
    draft.options["earlier_labels"] = {}


def label_changed(draft: Draft) -> None:
    before = draft.options["earlier_labels"]["test"]
    rows = np.flatnonzero(~np.isnan(before))[:3]
    before[rows] = 1 - before[rows]


def label_late_selectively(draft: Draft) -> None:
    known = draft.test.times["label_known"].copy()
    label = np.asarray(draft.test.label).copy()
    sick = draft.test.numbers["marker"] > np.quantile(draft.test.numbers["marker"], 0.7)
    known[sick] = MISSING_TIME
    label[sick] = np.nan
    draft.change("test", label=label, times={"label_known": known})
    draft.options["earlier_labels"] = {}


def unit_change(draft: Draft) -> None:
    marker = draft.test.numbers["marker"].copy()
    marker[draft.test.times["at"] > CUT + 800 * DAY] *= 88.4
    draft.change("test", numbers={"marker": marker})


PLANTS: dict[str, Callable[[Draft], None]] = {
    plant.__name__: plant
    for plant in (
        subject_on_both_sides,
        site_on_both_sides,
        duplicated_rows,
        duplicated_rows_across_sides,
        nearly_duplicated_rows,
        nearly_duplicated_rows_across_sides,
        test_rows_used_for_tuning,
        feature_known_after_prediction,
        label_known_before_prediction,
        test_period_before_training_known,
        training_rows_after_test_start,
        future_dated,
        instants_out_of_order,
        clock_shift,
        constant_feature,
        target_copy,
        single_feature_decides,
        missingness_predicts_label,
        identifier_like,
        row_order_predicts_label,
        label_changed,
        label_late_selectively,
        unit_change,
    )
}
