"""What counts as a row: both label and score known, labels 0 or 1, scores finite."""

from __future__ import annotations

import numpy as np
import pytest

from audits.errors import SampleMalformed
from audits.performance.rows import complete, rows_of
from audits.sources.sample import Sample
from tests.unit.audits.performance.samples import World, rows, sample


def test_rows_without_label_or_score_are_left_out_and_can_be_counted() -> None:
    found = Sample(
        subject=np.array([5, 5, 7, 9]),
        label=np.array([1.0, np.nan, 0.0, 1.0]),
        score=np.array([0.5, 0.5, np.nan, 0.1]),
    )
    assert complete(found).tolist() == [True, False, False, True]
    kept = rows_of(found)
    assert kept.identity.tolist() == [5, 9]
    assert (kept.subjects, kept.repeats) == (2, False)


@pytest.mark.parametrize("missing", ["label", "score"])
def test_a_sample_without_labels_or_scores_is_refused(missing: str) -> None:
    columns = {"label": np.zeros(2), "score": np.zeros(2)}
    del columns[missing]
    with pytest.raises(SampleMalformed):
        rows_of(Sample(subject=np.arange(2), **columns))


def test_a_quantity_is_no_label() -> None:
    with pytest.raises(SampleMalformed, match="0 or 1"):
        rows_of(Sample(subject=np.arange(2), label=np.array([0.0, 2.0]), score=np.zeros(2)))


def test_an_infinite_score_is_refused() -> None:
    with pytest.raises(SampleMalformed, match="finite"):
        rows([0, 1], [np.inf, 0.0])


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(SampleMalformed):
        rows([0, 1], [0.1, 0.2, 0.3], [1, 2])


def test_subjects_are_counted_by_class() -> None:
    found = rows([1, 1, 0, 0, 1], [0.1] * 5, [3, 3, 3, 8, 9])
    assert (found.events, found.non_events, found.rarer, found.subjects) == (2, 2, 2, 3)
    assert found.subject.tolist() == [0, 0, 0, 1, 2]


def test_a_sample_makes_the_rows_it_was_made_from() -> None:
    drawn = World().draw(np.random.default_rng(1), subjects=10, rows_each=2)
    again = rows_of(sample(drawn), population="site=A")
    assert (again.label == drawn.label).all()
    assert (again.population, again.unit) == ("site=A", "patient")
