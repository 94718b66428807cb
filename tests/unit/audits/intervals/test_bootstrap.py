"""Resampling: equal weights wherever a subject is counted, and intervals that admit having none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from audits.errors import IntervalMalformed
from audits.intervals import bootstrap
from audits.intervals.bootstrap import (
    BCA,
    MINIMUM_EVENTS,
    MINIMUM_UNITS,
    PERCENTILE,
    THRESHOLDS,
    bootstrap_interval,
    poisson_weights,
    resample_cells,
    weight_of,
)

SUBJECTS = np.array([0, 1, 5, -3, 2**62, -(2**63), 2**40 + 7, 5, 2**63 - 1])
SIGNED_64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def weights(subjects: np.ndarray, *, replicates: int, seed: int) -> np.ndarray:
    return np.array(list(poisson_weights(subjects, replicates=replicates, seed=seed)))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_outside_63_bits_is_refused(seed: int) -> None:
    with pytest.raises(IntervalMalformed):
        weights(SUBJECTS, replicates=2, seed=seed)


def test_weights_are_these_and_no_others() -> None:
    """The definition is written down; a change of one bit breaks what sites drew before."""
    assert weights(SUBJECTS, replicates=5, seed=2**40 + 5).tolist() == [
        [1, 1, 1, 1, 1, 0, 0, 1, 3],
        [0, 3, 0, 1, 1, 0, 1, 0, 0],
        [1, 4, 1, 0, 0, 2, 0, 1, 2],
        [0, 1, 1, 1, 0, 2, 1, 1, 1],
        [1, 0, 0, 1, 1, 3, 1, 0, 1],
    ]


@given(seed=st.integers(min_value=0, max_value=2**63 - 1), subject=SIGNED_64)
def test_fast_weights_are_the_weights_of_the_definition(seed: int, subject: int) -> None:
    found = weights(np.array([subject]), replicates=5, seed=seed)[:, 0]
    assert found.tolist() == [weight_of(seed, subject, r) for r in range(5)]


def test_a_subject_has_its_weight_wherever_and_however_often_it_is_counted() -> None:
    order = np.array([7, 3, 1, 1, 8, 0])
    whole = weights(SUBJECTS, replicates=9, seed=4)
    assert (weights(SUBJECTS[order], replicates=9, seed=4) == whole[:, order]).all()
    assert (weights(SUBJECTS, replicates=3, seed=4) == whole[:3]).all()


@given(x=st.integers(min_value=0, max_value=2**32 - 1))
def test_no_step_leaves_signed_64_bits(x: int) -> None:
    for step, constant in zip(bootstrap.MIX_STEPS, (1, *bootstrap.MULTIPLIERS, 1), strict=True):
        assert (x ^ (x >> 15)) * constant < 2**63
        x = step(x)
        assert 0 <= x < 2**32


class Column:
    """An expression of SQL, built by the operators that `Word` asks for."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __add__(self, other: int) -> Column:
        return Column(f"({self.text} + {other})")

    def __mul__(self, other: int) -> Column:
        return Column(f"({self.text} * {other})")

    def __and__(self, other: int) -> Column:
        return Column(f"({self.text} & {other})")

    def __rshift__(self, other: int) -> Column:
        return Column(f"({self.text} >> {other})")

    def __xor__(self, other: Column | int) -> Column:
        return Column(f"xor({self.text}, {other.text if isinstance(other, Column) else other})")


def test_an_engine_of_sql_draws_the_same_words() -> None:
    import duckdb

    key, s, x = bootstrap.seed_key(77), Column("s"), Column("x")
    steps = bootstrap.MIX_STEPS
    chain = [(s & bootstrap.WORD) ^ key, *(step(x) for step in steps)]
    chain += [x ^ ((s >> 32) & bootstrap.WORD), *(step(x) for step in steps)]
    chain += [x ^ bootstrap.mix(3), *(step(x) for step in steps)]
    query = "select unnest([{}]) as s".format(
        ", ".join(f"({s})::bigint" if s > -(2**63) else "(-2^63)::bigint" for s in SUBJECTS)
    )
    for column in chain:
        query = f"select s, {column.text} as x from ({query})"
    with duckdb.connect() as engine:
        found = dict(engine.execute(query).fetchall())
    assert found == {
        int(s): bootstrap.draw(bootstrap.subject_word(int(s), key=key), pair=3) for s in SUBJECTS
    }


def test_thresholds_are_the_rounded_poisson_distribution_with_mean_one() -> None:
    assert tuple(np.round(65536 * stats.poisson(1).cdf(np.arange(8))).astype(int)) == THRESHOLDS
    tails = [65536 - threshold for threshold in THRESHOLDS]
    assert sum(tails) == 65536
    assert sum((2 * k + 1) * tail for k, tail in enumerate(tails)) == 131070


@pytest.mark.parametrize(
    "subjects",
    [np.arange(10_000), np.arange(10_000) * 1000 + 17, np.arange(10_000) << 33],
    ids=["in order", "every thousandth", "high bits only"],
)
def test_weights_of_replicates_and_of_subjects_are_independent(subjects: np.ndarray) -> None:
    z = weights(subjects, replicates=200, seed=20).astype(float) - 1
    r, n = z.shape
    pairs = (z @ z.T / n)[np.triu_indices(r, 1)] * math.sqrt(n)
    neighbours = (z.T[:400] @ z[:, :400] / r)[np.triu_indices(400, 1)] * math.sqrt(r)
    for found in (pairs, neighbours):
        assert abs(found.mean()) < 0.03
        assert abs(found.std() - 1) < 0.03
        assert abs(found).max() < 7
    assert abs(z.sum(axis=1) / math.sqrt(n)).max() < 4.5
    other = weights(subjects, replicates=200, seed=21).astype(float) - 1
    assert abs((z * other).mean()) * math.sqrt(z.size) < 4.5


@pytest.mark.parametrize("counts", [[], [3, -1]])
def test_cells_that_are_no_counts_are_refused(counts: list[int]) -> None:
    with pytest.raises(IntervalMalformed):
        resample_cells(np.array(counts), replicates=2, rng=np.random.default_rng(0))


def test_resampled_cells_keep_total_shape_and_moments() -> None:
    counts = np.array([[[0, 5], [20, 75]], [[400, 0], [100, 400]]])
    drawn = resample_cells(counts, replicates=20_000, rng=np.random.default_rng(1))
    assert drawn.shape == (20_000, 2, 2, 2)
    assert (drawn.sum(axis=(1, 2, 3)) == 1000).all()
    assert (drawn[:, counts == 0] == 0).all()
    variance = counts * (1 - counts / 1000)
    assert abs(drawn.mean(axis=0) - counts).max() < 4 * math.sqrt(variance.max() / 20_000)
    assert drawn.var(axis=0)[counts > 0] == pytest.approx(variance[counts > 0], rel=0.06)


def test_no_rows_resample_to_no_rows() -> None:
    drawn = resample_cells(np.zeros(3, dtype=int), replicates=4, rng=np.random.default_rng(0))
    assert drawn.tolist() == [[0, 0, 0]] * 4


@pytest.mark.parametrize(
    ("values", "point", "units", "why"),
    [
        (np.full(200, 1.0), 1.0, None, "do not differ"),
        (np.full(200, np.nan), 1.0, None, "undefined in every"),
        (np.arange(200.0), math.nan, None, "undefined"),
        (np.arange(200.0), 100.0, MINIMUM_UNITS - 1, "fewer than"),
        (np.where(np.arange(200) < 8, np.nan, np.arange(200.0)), 100.0, None, "4.0%"),
    ],
    ids=["[1, 1]", "never defined", "no point", "few units", "often undefined"],
)
@pytest.mark.requirement("P8")
def test_where_resampling_says_nothing_there_is_no_interval(
    values: np.ndarray, point: float, units: int | None, why: str
) -> None:
    found = bootstrap_interval(values, level=0.95, point=point, units=units)
    assert (found.low, found.high) == (None, None)
    assert why in found.note


@pytest.mark.requirement("P8")
def test_few_events_give_no_interval_and_enough_do() -> None:
    values = np.arange(500.0)
    few = bootstrap_interval(values, level=0.95, point=250.0, events=MINIMUM_EVENTS - 1)
    assert few.low is None
    assert "9 units with an event" in few.note
    enough = bootstrap_interval(values, level=0.95, point=250.0, events=MINIMUM_EVENTS)
    assert enough.low is not None


def test_too_few_replicates_for_the_level_are_refused() -> None:
    with pytest.raises(IntervalMalformed) as refusal:
        bootstrap_interval(np.arange(199.0), level=0.95, point=100.0)
    assert "200" in refusal.value.next_step


def test_an_undefined_replicate_counts_against_both_limits() -> None:
    values = np.arange(1.0, 1000.0)
    plain = bootstrap_interval(values, level=0.9, point=500.0)
    values[[300, 600]] = np.nan
    found = bootstrap_interval(values, level=0.9, point=500.0)
    assert (plain.low, plain.high) == (50.0, 950.0)
    assert (found.low, found.high) == (48.0, 952.0)


def test_few_units_widen_the_tails() -> None:
    values = np.random.default_rng(2).normal(size=4000)
    plain = bootstrap_interval(values, level=0.95, point=0.0)
    many = bootstrap_interval(values, level=0.95, point=0.0, units=100_000)
    few = bootstrap_interval(values, level=0.95, point=0.0, units=12)
    assert (few.low, few.high) == pytest.approx((-2.30, 2.30), abs=0.15)
    assert (many.low, many.high) == pytest.approx((plain.low, plain.high), abs=1e-3)


def test_bca_agrees_with_a_second_implementation() -> None:
    rng = np.random.default_rng(3)
    data = rng.exponential(size=40)
    theirs = stats.bootstrap(
        (data,), np.mean, n_resamples=5000, confidence_level=0.9, method="BCa", rng=rng
    )
    influence = (data - data.mean()) / (data.size - 1)
    ours = bootstrap_interval(
        theirs.bootstrap_distribution, level=0.9, point=float(data.mean()), influence=influence
    )
    expected = (theirs.confidence_interval.low, theirs.confidence_interval.high)
    assert (ours.low, ours.high) == pytest.approx(expected, abs=2e-3)
    assert ours.method == BCA != PERCENTILE


def test_bca_of_a_point_outside_its_replicates_is_no_interval() -> None:
    found = bootstrap_interval(
        np.arange(500.0), level=0.9, point=-1.0, influence=np.array([1.0, -1.0])
    )
    assert found.low is None
    assert "outside" in found.note
