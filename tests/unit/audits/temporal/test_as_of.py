"""A feature is the value that could have been read, whatever was written later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.errors import AsOfRefused
from audits.sources.sample import MISSING_TIME
from audits.temporal.as_of import AsOf, Measurements, as_of, require_known


def whole(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, dtype=np.int64)


def measured(*rows: tuple[int, int, int, float]) -> Measurements:
    subject, made, known = (whole(*(row[i] for row in rows)) for i in range(3))
    return Measurements(
        subject=subject, measured_at=made, known_at=known, value=np.array([r[3] for r in rows])
    )


def read(table: Measurements, *asked: tuple[int, int], max_age: int | None = None) -> AsOf:
    return as_of(
        table,
        subject=whole(*(s for s, _ in asked)),
        at=whole(*(t for _, t in asked)),
        max_age=max_age,
    )


@pytest.mark.requirement("P9")
def test_value_known_only_later_is_not_used_and_is_reported() -> None:
    found = read(measured((1, 10, 10, 5.0), (1, 20, 40, 9.0)), (1, 30), (1, 40))
    assert found.value.tolist() == [5.0, 9.0]
    assert found.later.tolist() == [True, False]


def test_value_known_at_the_instant_is_known() -> None:
    assert read(measured((1, 10, 12, 5.0)), (1, 12), (1, 11)).row.tolist() == [0, -1]


def test_old_measurement_that_arrives_late_does_not_hide_a_newer_one() -> None:
    found = read(measured((1, 20, 20, 9.0), (1, 10, 25, 5.0)), (1, 30))
    assert found.value.tolist() == [9.0]


def test_correction_is_read_once_known_and_not_before() -> None:
    found = read(measured((1, 10, 10, 5.0), (1, 10, 20, 6.0)), (1, 15), (1, 20))
    assert found.value.tolist() == [5.0, 6.0]
    assert found.later.tolist() == [True, False]


def test_measurement_of_another_subject_is_never_read() -> None:
    found = read(measured((1, 10, 10, 5.0), (3, 1, 1, 7.0)), (2, 99), (3, 99), (0, 99))
    assert np.isnan(found.value).tolist() == [True, False, True]
    assert found.measured_at.tolist() == [MISSING_TIME, 1, MISSING_TIME]


def test_measurement_that_is_too_old_is_missing_not_replaced() -> None:
    found = read(measured((1, 10, 10, 5.0)), (1, 20), (1, 21), max_age=10)
    assert np.isnan(found.value).tolist() == [False, True]


def test_no_measurement_at_all_gives_missing_values() -> None:
    empty = Measurements(subject=whole(), measured_at=whole(), known_at=whole(), value=np.array([]))
    found = read(empty, (1, 5), max_age=3)
    assert np.isnan(found.value).all()
    assert not found.later.any()


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 6)), max_size=25)
ASKED = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20)), min_size=1, max_size=12)


@given(ROWS, ASKED, st.one_of(st.none(), st.integers(0, 6)))
def test_join_equals_the_definition_read_row_by_row(
    rows: list[tuple[int, int, int]], asked: list[tuple[int, int]], max_age: int | None
) -> None:
    table = measured(*((s, made, made + lag, float(i)) for i, (s, made, lag) in enumerate(rows)))
    found = read(table, *asked, max_age=max_age)
    for (whose, at), row in zip(asked, found.row.tolist(), strict=True):
        eligible = [
            (made, made + lag, i)
            for i, (s, made, lag) in enumerate(rows)
            if s == whose and made + lag <= at
        ]
        best = max(eligible, default=None)
        if best is not None and max_age is not None and best[0] < at - max_age:
            best = None
        assert row == (-1 if best is None else best[2])


def test_inputs_are_not_changed() -> None:
    table = measured((2, 10, 10, 5.0), (1, 3, 9, 1.0))
    before = [column.copy() for column in (table.subject, table.measured_at, table.known_at)]
    read(table, (1, 30))
    for column, kept in zip(
        (table.subject, table.measured_at, table.known_at), before, strict=True
    ):
        assert column.tolist() == kept.tolist()


def test_measurement_known_before_it_was_made_is_refused() -> None:
    with pytest.raises(AsOfRefused, match="row 1") as refusal:
        measured((1, 10, 10, 5.0), (1, 10, 9, 5.0))
    assert refusal.value.next_step


def test_undated_measurement_and_undated_prediction_are_refused() -> None:
    with pytest.raises(AsOfRefused, match="without an instant"):
        measured((1, 10, MISSING_TIME, 5.0))
    with pytest.raises(AsOfRefused, match="prediction without"):
        read(measured((1, 10, 10, 5.0)), (1, MISSING_TIME))


def test_malformed_columns_are_refused() -> None:
    with pytest.raises(AsOfRefused, match="one entry"):
        Measurements(
            subject=whole(1, 2), measured_at=whole(1), known_at=whole(1), value=np.array([1.0])
        )
    with pytest.raises(AsOfRefused, match="whole numbers"):
        Measurements(
            subject=whole(1),
            measured_at=np.array([1.0]),  # type: ignore[arg-type]
            known_at=whole(1),
            value=np.array([1.0]),
        )
    with pytest.raises(AsOfRefused, match="one subject and one instant"):
        as_of(measured((1, 1, 1, 1.0)), subject=whole(1, 2), at=whole(1))
    with pytest.raises(AsOfRefused, match="never negative"):
        read(measured((1, 1, 1, 1.0)), (1, 1), max_age=-1)


def test_feature_that_became_known_later_is_refused_with_its_rows() -> None:
    with pytest.raises(AsOfRefused, match=r"7 of 8 .*rows 1, 2, 3, 4, 5 and 2 more"):
        require_known(
            at=whole(*[5] * 8), known_at=whole(5, 6, 6, 6, 6, 6, 6, MISSING_TIME), name="albumin"
        )
    require_known(at=whole(5, 6), known_at=whole(5, 5), name="albumin")
