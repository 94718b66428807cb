"""Intervals stand on subjects where rows repeat them, and bins say what they cost."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import ks_2samp

from audits.errors import TallyMismatch
from audits.intervals.clustered import ClusteredShare
from audits.sources.axes import CategoryAxis, NumberAxis
from audits.sources.counting import CodedRows, tally_of_codes, tally_of_sample
from audits.sources.resolution import ks_bracket, mean_error, quantile_bracket
from audits.sources.sample import Sample
from audits.sources.shares import _clustered, share_estimate
from audits.sources.tally import WHY_NOTHING, Tally
from audits.sources.tally_spec import SumColumn, TableSpec, TallySpec

AXIS = CategoryAxis(id="y", column="y", levels=("0", "1"))
NO, YES = 1, 2


def labels(y: np.ndarray, people: np.ndarray, *, term: str) -> Tally:
    of = TallySpec(
        id="y",
        axes=(AXIS,),
        tables=(
            TableSpec(
                id="t", axes=("y",), moments=term == "moments", replicated=term == "replicates"
            ),
        ),
        subject=None if term == "nobody" else "s",
        replicates=400 if term == "replicates" else 0,
        seed=1,
    )
    who = None if term == "nobody" else people
    return tally_of_codes(CodedRows(codes={"y": y + 1}, fixed={}, subject=who, n=y.size), of)


def share(tally: Tally, **more: int) -> object:
    return share_estimate(
        tally, table="t", of=[YES], among=[NO, YES], metric="share", level=0.95, **more
    )


def clustered_labels(rng: np.random.Generator, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Return six rows a subject; a subject's own share is drawn, so that rows hang together."""
    own = rng.beta(0.6, 1.4, people)
    y = rng.random((people, 6)) < own[:, None]
    return y.astype(np.int64).ravel(), np.repeat(np.arange(people), 6)


@pytest.mark.parametrize(("term", "runs"), [("moments", 600), ("replicates", 60)])
def test_an_interval_from_the_tally_alone_covers_with_six_rows_a_subject(
    term: str, runs: int
) -> None:
    rng, covered, as_rows = np.random.default_rng(3), 0, 0
    for _ in range(runs):
        y, people = clustered_labels(rng, 80)
        found = share(labels(y, people, term=term))
        covered += found.low <= 0.3 <= found.high  # type: ignore[attr-defined]
        rows = share(labels(y, np.arange(y.size), term=term))
        as_rows += rows.low <= 0.3 <= rows.high  # type: ignore[attr-defined]
    assert covered / runs >= 0.91
    assert as_rows / runs <= 0.85  # what taking the rows as independent would have given


@pytest.mark.parametrize("term", ["nobody", "none"])
def test_without_a_subject_term_there_is_a_value_and_no_interval(term: str) -> None:
    y, people = clustered_labels(np.random.default_rng(1), 40)
    found = share(labels(y, people, term=term))
    assert found.value == pytest.approx(y.mean())  # type: ignore[attr-defined]
    assert found.low is None  # type: ignore[attr-defined]
    assert found.note == WHY_NOTHING  # type: ignore[attr-defined]


def test_independent_rows_need_no_subject_term() -> None:
    y = np.array([0, 1, 1, 0, 1, 1, 1, 0, 0, 1] * 5)
    found = share(labels(y, np.arange(y.size), term="none"))
    assert found.low is not None  # type: ignore[attr-defined]


def test_moments_give_the_sums_that_subjects_give() -> None:
    y, people = clustered_labels(np.random.default_rng(2), 70)
    moments = labels(y, people, term="moments").tables["t"].moments
    assert moments is not None
    chosen, base = np.zeros(4, dtype=bool), np.zeros(4, dtype=bool)
    chosen[YES] = base[[NO, YES]] = True
    found = _clustered(moments, chosen, base, successes=int(y.sum()), rows=y.size)
    by_subject = y.reshape(-1, 6).sum(axis=1)
    exact = ClusteredShare.of(by_subject, np.full(70, 6))
    for name in ("rows", "successes", "squares", "cross", "square_rows", "subjects"):
        assert getattr(found, name) == getattr(exact, name), name
    assert found.with_success <= exact.with_success
    assert found.with_failure <= exact.with_failure


def test_a_share_of_cells_that_are_not_there_is_refused() -> None:
    y, people = clustered_labels(np.random.default_rng(1), 10)
    with pytest.raises(TallyMismatch):
        share_estimate(
            labels(y, people, term="moments"), table="t", of=[0], among=[1], metric="s", level=0.9
        )


EDGES = tuple(Decimal(one) for one in ("-2", "-1", "-0.5", "0", "0.5", "1", "2", "4"))
SUM = SumColumn(id="x", column="x", scale=2, low=Decimal(-1000), high=Decimal(1000))
BINS = TallySpec(
    id="x",
    axes=(NumberAxis(id="x", column="x", edges=EDGES),),
    sums=(SUM,),
    tables=(TableSpec(id="t", axes=("x",), sums=("x",)),),
    subject="s",
)


def binned(x: np.ndarray) -> Tally:
    return tally_of_sample(Sample(subject=np.arange(x.size), numbers={"x": x}), BINS)


@pytest.mark.parametrize("seed", range(12))
def test_the_brackets_hold_what_the_rows_themselves_give(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(0, 1, 300), rng.standard_t(2, 200) * 1.3 + 0.2
    found = ks_bracket(binned(left), binned(right), table="t", axis="x")
    assert found.low is not None
    assert found.high is not None
    distance = ks_2samp(left, right).statistic
    assert float(found.low) - 1e-12 <= distance <= float(found.high) + 1e-12
    assert found.error == (found.high - found.low) / 2
    for p in (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10)):
        bracket = quantile_bracket(binned(left), table="t", axis="x", p=p)
        exact = np.quantile(left, float(p), method="inverted_cdf")
        assert bracket.low is None or float(bracket.low) <= exact
        assert bracket.high is None or exact <= float(bracket.high)
    tally = binned(left)
    n, total = (int(tally.measure("t", name).sum()) for name in ("x.n", "x.sum"))
    assert abs(total / SUM.factor / n - left.mean()) <= float(mean_error(SUM))


def test_brackets_of_nothing_or_of_a_category_are_refused() -> None:
    with pytest.raises(TallyMismatch):
        quantile_bracket(binned(np.array([np.nan])), table="t", axis="x", p=Fraction(1, 2))
    with pytest.raises(TallyMismatch):
        quantile_bracket(binned(np.zeros(3)), table="t", axis="x", p=Fraction(1))
    y, people = clustered_labels(np.random.default_rng(1), 10)
    with pytest.raises(TallyMismatch):
        quantile_bracket(labels(y, people, term="moments"), table="t", axis="y", p=Fraction(1, 2))
