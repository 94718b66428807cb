"""Tallies add: in any order, in any parts, to what all rows together give."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audits.errors import TallyMismatch, TallyOverflow
from audits.sources.axes import CategoryAxis, NumberAxis
from audits.sources.counting import CodedRows, tally_of_codes, tally_of_sample
from audits.sources.counts import Counts
from audits.sources.exact import added, sum_by
from audits.sources.sample import Category, Sample
from audits.sources.tally import Basis, Tally, empty, merged
from audits.sources.tally_record import tally_from_record
from audits.sources.tally_spec import SumColumn, TableSpec, TallySpec
from tests.support.tallies import by_hand, rows, spec

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PARTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2**31)), min_size=3, max_size=3)


def part(n: int, seed: int) -> Tally:
    return by_hand(rows(n, seed=seed), spec()) if n else empty(spec())


def same(left: Tally, right: Tally) -> bool:
    return left.as_record() == right.as_record()


@FEW
@given(PARTS)
def test_merging_is_commutative_associative_and_has_a_neutral_element(
    parts: list[tuple[int, int]],
) -> None:
    a, b, c = (part(n, seed) for n, seed in parts)
    assert same(a.merge(b), b.merge(a))
    assert same(a.merge(b).merge(c), a.merge(b.merge(c)))
    assert same(a.merge(empty(spec())), a)
    assert same(merged([c, a, b]), merged([a, b, c]))


@FEW
@given(st.integers(1, 90), st.integers(0, 2**31), st.integers(1, 7))
def test_parts_without_common_subjects_add_up_to_the_whole(n: int, seed: int, by: int) -> None:
    whole = rows(n, seed=seed)
    parts = [[row for row in whole if row["patient"] % by == rest] for rest in range(by)]
    assert same(merged([by_hand(one, spec()) for one in parts]), by_hand(whole, spec()))


def test_parts_that_share_subjects_keep_counts_and_replicates_and_drop_the_rest() -> None:
    whole = rows(300, seed=1)
    expected = by_hand(whole, spec())
    found = by_hand(whole[:150], spec()).merge(by_hand(whole[150:], spec()), shared_subjects=True)
    assert (found.counts("cross") == expected.counts("cross")).all()
    drawn = found.tables["cross"].replicates, expected.tables["cross"].replicates
    assert drawn[0] is not None
    assert drawn[1] is not None
    assert (drawn[0] == drawn[1]).all()
    assert found.subjects is None
    assert found.tables["cross"].moments is None
    assert found.standing_on("cross") is Basis.REPLICATES
    assert found.standing_on("wholes") is Basis.NOTHING
    assert same(tally_from_record(found.as_record()), found)


def test_another_specification_is_refused() -> None:
    with pytest.raises(TallyMismatch):
        empty(spec()).merge(empty(spec(replicates=4)))
    with pytest.raises(TallyMismatch):
        merged([])


def test_what_an_interval_may_stand_on_is_asked_of_the_tally() -> None:
    whole = rows(200, seed=2)
    repeated, once = by_hand(whole, spec()), by_hand(distinct(whole), spec())
    assert not repeated.independent
    assert once.independent
    assert repeated.standing_on("cross") is Basis.MOMENTS
    assert repeated.standing_on("grade") is Basis.NOTHING
    assert once.standing_on("grade") is Basis.ROWS
    assert by_hand(distinct(whole), spec(subject=None)).standing_on("grade") is Basis.NOTHING


def distinct(whole: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({row["patient"]: row for row in whole}.values())


def test_moments_are_sums_over_subjects_of_products_of_counts() -> None:
    of = little(moments=True)
    codes = np.array([0, 1, 1, 2, 1, 1], dtype=np.int64)
    people = np.array([5, 5, 5, 7, 9, 7], dtype=np.int64)
    coded = CodedRows(codes={"a": codes}, fixed={"x": codes * 0}, subject=people, n=6)
    moments = tally_of_codes(coded, of).tables["t"].moments
    assert moments is not None
    found = dict(
        zip(
            zip(moments.first.tolist(), moments.second.tolist(), strict=True),
            moments.products.tolist(),
            strict=True,
        )
    )
    # 5: one in cell 0, two in 1; 7: one in 1, one in 2; 9: one in 1
    assert found == {(0, 0): 1, (0, 1): 2, (1, 1): 4 + 1 + 1, (1, 2): 1, (2, 2): 1}


def little(*, moments: bool = False) -> TallySpec:
    return TallySpec(
        id="little",
        axes=(CategoryAxis(id="a", column="a", levels=("x",)),),
        sums=(SumColumn(id="x", column="x", scale=0, low=Decimal(0), high=Decimal(2**31 - 1)),),
        tables=(TableSpec(id="t", axes=("a",), sums=("x",), moments=moments),),
        subject="s",
    )


def test_a_sum_of_squares_beyond_64_bits_is_refused_and_never_wraps() -> None:
    huge = np.full(2, 2**31 - 1, dtype=np.int64)
    zero, who = np.zeros(2, dtype=np.int64), np.arange(2)
    tally_of_codes(CodedRows(codes={"a": zero}, fixed={"x": huge}, subject=who, n=2), little())
    zero, who, huge = np.zeros(3, dtype=np.int64), np.arange(3), np.full(3, 2**31 - 1)
    with pytest.raises(TallyOverflow):
        tally_of_codes(CodedRows(codes={"a": zero}, fixed={"x": huge}, subject=who, n=3), little())
    with pytest.raises(TallyOverflow):
        added(np.array([2**62]), np.array([2**62]))


@FEW
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**60), 2**60)), max_size=7))
def test_sums_are_exact_or_refused(pairs: list[tuple[int, int]]) -> None:
    keys = np.array([key for key, _ in pairs], dtype=np.int64)
    values = np.array([value for _, value in pairs], dtype=np.int64)
    expected = [sum(value for key, value in pairs if key == wanted) for wanted in range(4)]
    assert sum_by(keys, values, size=4).tolist() == expected


def test_a_sample_is_counted_as_by_hand() -> None:
    numbers = np.array([np.nan, -0.0, 0.0, 0.3, 0.30000000000000004, np.inf, -17.25, 65.5])
    sample = Sample(
        subject=np.array([1, 1, 2, 3, 4, 5, 6, 2**40]),
        label=np.array([0.0, 1, 1, 0, np.nan, 1, 0, 0.5]),
        decision=np.array([0, 1, -1, 0, 1, 1, 0, 0], dtype=np.int8),
        numbers={"lab": numbers},
        categories={
            "sex": Category(
                codes=np.array([0, 1, 2, -1, 0, 0, 1, 2], dtype=np.int32), levels=("M", "F", "?")
            )
        },
    )
    of = TallySpec(
        id="s",
        axes=(
            CategoryAxis(id="sex", column="sex", levels=("F", "M")),
            CategoryAxis(id="label", column="label", levels=("0", "1")),
            CategoryAxis(id="acted", column="decision", levels=("1", "0")),
            NumberAxis(id="lab", column="lab", edges=tuple(map(Decimal, ("0", "0.3", "65.5")))),
        ),
        tables=tuple(TableSpec(id=one, axes=(one,)) for one in ("sex", "label", "acted", "lab")),
        subject="subject",
    )
    found = tally_of_sample(sample, of)
    assert found.counts("sex").tolist() == [1, 2, 3, 2]
    assert found.counts("label").tolist() == [1, 3, 3, 1]
    assert found.counts("acted").tolist() == [1, 3, 4, 0]
    assert found.counts("lab").tolist() == [1, 1, 2, 2, 2, 0]
    assert (found.rows, found.subjects, found.most_rows) == (8, 7, 2)


def test_a_column_that_is_not_there_is_refused() -> None:
    sample = Sample(subject=np.arange(3))
    of = replace(little(), sums=(), tables=(TableSpec(id="t", axes=("a",)),))
    with pytest.raises(TallyMismatch):
        tally_of_sample(sample, of)


def test_counts_are_not_changed_by_merging() -> None:
    one = part(40, 4)
    before = one.as_record()
    one.merge(part(50, 5))
    assert one.as_record() == before
    assert isinstance(one.tables["cross"], Counts)
