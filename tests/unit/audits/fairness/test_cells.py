"""Counting by group: nobody is dropped, and dependence between rows is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audits.errors import ProtocolMalformed, SampleMalformed
from audits.fairness import cells as module
from audits.fairness.cells import (
    DECISIONS,
    GroupCells,
    count_cells,
    decided,
    dosed,
    memberships,
    paired,
    second_moments,
    thresholded,
)
from audits.sources.sample import Category, Sample
from tests.unit.audits.fairness.people import category, drawn, from_counts


def people(n: int = 500, *, seed: int = 1, rows: int = 1) -> Sample:
    rng = np.random.default_rng(seed)
    sample = drawn(rng, sizes=[n // 2, n // 2], rows=rows, likeness=0.7)
    label = sample.label.copy()  # type: ignore[union-attr]
    label[rng.random(sample.n) < 0.05] = np.nan
    sex = rng.integers(-1, 2, sample.n).astype(np.int32)
    return replace(
        sample,
        label=label,
        categories={**sample.categories, "sex": Category(codes=sex, levels=("F", "M"))},
    )


def by_hand(sample: Sample, attributes: list[str]) -> dict[str, list[int]]:
    """Count row by row, as slowly as the definition reads."""
    found: dict[str, list[int]] = {}
    for i in range(sample.n):
        parts = []
        for name in attributes:
            column = sample.categories[name]
            code = column.codes[i]
            parts.append(f"{name}={column.levels[code] if code >= 0 else '(missing)'}")
        row = found.setdefault(" & ".join(parts), [0, 0, 0, 0, 0])
        label, decision = sample.label[i], sample.decision[i]  # type: ignore[index]
        row[4 if np.isnan(label) or decision < 0 else int(2 * label + decision)] += 1
    return {name: found[name] for name in sorted(found)}


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("attributes", [["sex"], ["group", "sex"], ["sex", "group"]])
def test_counts_are_those_of_counting_row_by_row(
    attributes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 37)
    sample = people()
    found = count_cells(sample, attributes=attributes, outcome=decided(sample))
    expected = by_hand(sample, attributes)
    assert list(found.groups) == list(expected)
    counted = np.column_stack((found.counts, found.left_out))
    assert counted.tolist() == list(expected.values())
    assert found.n + found.left_out.sum() == sample.n


@pytest.mark.requirement("P8")
def test_a_group_whose_rows_all_lack_a_label_is_listed_with_zero() -> None:
    sample = from_counts({"a": (1, 2, 3, 4), "b": (5, 0, 0, 0)})
    label = sample.label.copy()  # type: ignore[union-attr]
    label[10:] = np.nan
    found = count_cells(
        replace(sample, label=label),
        attributes=["race"],
        outcome=decided(replace(sample, label=label)),
    )
    assert found.groups == ("race=a", "race=b")
    assert found.counts.tolist() == [[1, 2, 3, 4], [0, 0, 0, 0]]
    assert found.left_out.tolist() == [0, 5]


def test_a_level_named_as_the_missing_one_is_refused() -> None:
    sample = replace(
        from_counts({"a": (1, 1, 1, 1)}), categories={"race": category(["(missing)"] * 4)}
    )
    with pytest.raises(SampleMalformed, match="word for no value"):
        count_cells(sample, attributes=["race"], outcome=decided(sample))


@pytest.mark.parametrize(
    ("attributes", "said"), [(["age"], "no attribute age"), ([], "no attribute")]
)
def test_an_attribute_that_is_not_there_is_refused(attributes: list[str], said: str) -> None:
    sample = from_counts({"a": (1, 1, 1, 1)})
    with pytest.raises(ProtocolMalformed, match=said):
        count_cells(sample, attributes=attributes, outcome=decided(sample))


def test_too_many_combinations_of_levels_are_refused() -> None:
    sample = from_counts({"a": (1, 1, 1, 1)})
    wide = Category(codes=np.zeros(4, dtype=np.int32), levels=tuple(map(str, range(200))))
    sample = replace(sample, categories={"x": wide, "y": wide})
    with pytest.raises(ProtocolMalformed, match="combinations"):
        count_cells(sample, attributes=["x", "y"], outcome=decided(sample))


@pytest.mark.parametrize("label", [2.0, 0.5, np.inf])
def test_a_label_other_than_0_and_1_is_refused(label: float) -> None:
    sample = from_counts({"a": (1, 1, 1, 1)})
    bad = replace(sample, label=np.array([0.0, 1.0, label, np.nan]))
    with pytest.raises(SampleMalformed, match="0 or 1"):
        count_cells(bad, attributes=["race"], outcome=decided(bad))


def test_without_label_or_decision_nothing_is_counted() -> None:
    sample = from_counts({"a": (1, 1, 1, 1)})
    for lacking in (replace(sample, label=None), replace(sample, decision=None)):
        with pytest.raises(SampleMalformed, match="needs both"):
            decided(lacking)
    with pytest.raises(SampleMalformed, match="label is needed"):
        dosed(replace(sample, label=None), dose=np.ones(4), tolerance=0.2)


def test_a_score_at_the_threshold_is_acted_on_and_none_is_none() -> None:
    assert thresholded(np.array([0.49, 0.5, np.nan]), threshold=0.5).tolist() == [0, 1, -1]


def test_doses_beyond_the_tolerance_are_over_and_under() -> None:
    sample = Sample(
        subject=np.arange(7),
        label=np.array([10.0, 10, 10, 10, 10, np.nan, 10]),
        categories={"race": category(["a"] * 7)},
    )
    dose = np.array([12.0, 12.01, 8.0, 7.99, 10, 10, np.nan])
    found = count_cells(
        sample, attributes=["race"], outcome=dosed(sample, dose=dose, tolerance=0.2)
    )
    assert found.counts.tolist() == [[1, 3, 1]]
    assert found.left_out.tolist() == [2]


def test_a_right_dose_of_zero_is_refused() -> None:
    sample = replace(from_counts({"a": (1, 1, 1, 1)}), label=np.zeros(4))
    with pytest.raises(SampleMalformed, match="positive"):
        count_cells(
            sample,
            attributes=["race"],
            outcome=dosed(sample, dose=np.ones(4), tolerance=0.2),
        )


def test_paired_counts_hold_both_margins() -> None:
    sample = people()
    other = 1 - sample.decision  # type: ignore[operator]
    before, after = decided(sample), decided(sample, decision=other.astype(np.int8))
    both = count_cells(sample, attributes=["sex"], outcome=paired(before, after))
    table = both.counts.reshape(-1, 4, 4)
    for outcome, axis in ((before, 2), (after, 1)):
        alone = count_cells(sample, attributes=["sex"], outcome=outcome)
        assert (table.sum(axis=axis) == alone.counts).all()
        assert (both.left_out == alone.left_out).all()
    assert both.outcomes[1] == f"{DECISIONS[0]} then {DECISIONS[1]}"


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_repeated_subjects_are_seen_whatever_their_order(shuffled: bool) -> None:
    sample = people(rows=6)
    if shuffled:
        order = np.random.default_rng(3).permutation(sample.n)
        sample = sample.where(order)  # type: ignore[arg-type]
    found = count_cells(sample, attributes=["group"], outcome=decided(sample))
    assert found.repeats
    assert not found.shared
    assert found.pairs is not None
    assert found.pairs.times.sum() == found.n
    assert found.subjects.tolist() == [250, 250]


def test_independent_subjects_out_of_order_are_no_repeats() -> None:
    sample = people()
    back = sample.where(np.arange(sample.n)[::-1])  # type: ignore[arg-type]
    found = count_cells(back, attributes=["group"], outcome=decided(back))
    assert not found.repeats
    assert found.pairs is None


def test_a_subject_in_two_groups_is_seen() -> None:
    sample = people(rows=6)
    found = count_cells(sample, attributes=["sex"], outcome=decided(sample))
    assert found.shared
    assert found.together().subjects.tolist() == [500]


def test_second_moments_are_the_sum_of_outer_products_by_subject() -> None:
    sample = people(60, rows=3)
    found = count_cells(sample, attributes=["sex"], outcome=decided(sample))
    table = np.zeros((sample.subjects, found.counts.size))
    names, codes = memberships(sample, attributes=["sex"])
    assert names == found.groups
    for i in range(sample.n):
        label, decision = sample.label[i], sample.decision[i]  # type: ignore[index]
        if not np.isnan(label):
            table[sample.subject[i], codes[i] * 4 + int(2 * label + decision)] += 1
    assert np.array_equal(second_moments(found), table.T @ table)


def test_counts_of_repeated_subjects_alone_have_no_variance() -> None:
    bare = GroupCells(
        attributes=("race",),
        groups=("race=a",),
        outcomes=DECISIONS,
        counts=np.array([[1, 2, 3, 4]]),
        left_out=np.array([0]),
        subjects=np.array([5]),
        repeats=True,
    )
    assert not bare.grounded
    with pytest.raises(SampleMalformed, match="second moments"):
        second_moments(bare)


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": np.array([[1, 2, 3]])},
        {"counts": np.array([[1, 2, 3, -4]])},
        {"counts": np.array([[1.0, 2, 3, 4]])},
        {"groups": ("race=a", "race=a"), "counts": np.ones((2, 4), dtype=np.int64)},
        {"second": np.eye(3)},
    ],
    ids=["shape", "negative", "floats", "twice", "moments"],
)
def test_counts_that_contradict_themselves_are_refused(changes: dict[str, object]) -> None:
    sample = from_counts({"a": (1, 2, 3, 4)})
    found = count_cells(sample, attributes=["race"], outcome=decided(sample))
    with pytest.raises(SampleMalformed):
        replace(found, **changes)  # type: ignore[arg-type]
