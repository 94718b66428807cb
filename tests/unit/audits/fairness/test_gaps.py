"""Gaps: every pair, limits that hold together, and a verdict only where the interval allows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from audits.errors import ProtocolMalformed, SampleMalformed
from audits.estimate import Verdict
from audits.fairness.cells import GroupCells, count_cells, decided, second_moments
from audits.fairness.draws import draw
from audits.fairness.frame import FairnessFrame, Gap, Margin, fairness_frame, margin_text
from audits.fairness.gaps import (
    DIFFERENCE,
    MAX_T,
    RATIO,
    SCORE,
    GapLimits,
    equalised_odds,
    gap_limits,
    limits,
    pairs_of,
    square_and_add,
)
from audits.fairness.metrics import DECISION_METRICS, by_group, error_cost
from audits.intervals.simultaneous import sidak_level
from audits.sources.sample import Sample
from tests.unit.audits.fairness.people import drawn, from_counts

TPR = DECISION_METRICS["true_positive_rate"]
FPR = DECISION_METRICS["false_positive_rate"]
SELECTION = DECISION_METRICS["selection_rate"]
LARGE = {"a": (310, 70, 50, 170), "b": (200, 150, 60, 90), "c": (400, 90, 45, 240)}


def cells_of(sample: Sample, attribute: str = "race") -> GroupCells:
    return count_cells(sample, attributes=[attribute], outcome=decided(sample))


def gaps_of_metric(
    cells: GroupCells,
    *,
    metric: str = "true_positive_rate",
    scale: str = DIFFERENCE,
    seed: int = 7,
    replicates: int = 400,
) -> GapLimits:
    drawn_cells = draw(cells, replicates=replicates, rng=np.random.default_rng(seed))
    (found,) = limits(
        cells,
        [DECISION_METRICS[metric]],
        drawn_cells,
        pairs=pairs_of(cells.groups),
        level=0.95,
        scale=scale,
    )
    return found


def framed(
    sample: Sample,
    *,
    margin: Margin | None = None,
    minimum_n: int = 1,
    metrics: Sequence[str] = ("true_positive_rate",),
    reference: str | None = None,
    odds: bool = False,
) -> FairnessFrame:
    return fairness_frame(
        cells_of(sample),
        metrics=[DECISION_METRICS[name] for name in metrics],
        level=0.95,
        replicates=400,
        rng=np.random.default_rng(5),
        margins={} if margin is None else dict.fromkeys(metrics, margin),
        minimum_n=minimum_n,
        reference=reference,
        odds=odds,
    )


def gap(frame: FairnessFrame, population: str) -> Gap:
    (found,) = [one for one in frame.gaps if one.estimate.population == population]
    return found


def test_every_pair_is_compared_in_alphabetical_order_and_values_are_exact() -> None:
    cells = cells_of(from_counts(LARGE))
    rates = [170 / 220, 90 / 150, 240 / 285]
    found = gaps_of_metric(cells)
    assert found.value == pytest.approx([x - y for x, y in combinations(rates, 2)], rel=1e-12)
    ratios = gaps_of_metric(cells, scale=RATIO)
    assert ratios.value == pytest.approx([x / y for x, y in combinations(rates, 2)], rel=1e-12)
    for one in (found, ratios):
        assert (one.low < one.value).all()
        assert (one.value < one.high).all()
        assert one.methods == (MAX_T,) * 3
        assert one.critical > 2.0


def test_a_reference_is_compared_with_each_other_group() -> None:
    groups = ("race=a", "race=b", "race=c")
    assert pairs_of(groups, reference="race=b") == ((0, 1), (2, 1))
    with pytest.raises(ProtocolMalformed, match="no group"):
        pairs_of(groups, reference="race=d")


def test_more_pairs_than_anyone_reads_are_refused() -> None:
    names = [f"g{i:03d}" for i in range(80)]
    with pytest.raises(ProtocolMalformed, match="3160 pairs"):
        pairs_of(names)
    assert len(pairs_of(names, reference="g000")) == 79


def test_simultaneous_limits_are_wider_than_those_of_one_pair() -> None:
    cells = cells_of(from_counts(LARGE))
    alone = limits(
        cells,
        [TPR],
        draw(cells, replicates=2000, rng=np.random.default_rng(1)),
        pairs=[(0, 1)],
        level=0.95,
    )[0]
    together = gaps_of_metric(cells, replicates=2000)
    assert alone.critical == pytest.approx(1.96, abs=0.12)
    assert together.critical == pytest.approx(2.34, abs=0.12)  # Tukey's range for three groups


def test_few_events_take_score_limits_at_the_level_of_all_pairs() -> None:
    counts = {**LARGE, "d": (20, 10, 3, 4)}
    cells = cells_of(from_counts(counts))
    found = gaps_of_metric(cells)
    assert [method == SCORE for method in found.methods] == [False, False, True] + [
        k in (1, 2) for k in range(3)
    ]
    a, d = (by_group(cells, TPR, level=sidak_level(0.95, 6))[g] for g in (0, 3))
    at = list(pairs_of(cells.groups)).index((0, 3))
    assert None not in (a.value, a.low, a.high, d.value, d.low, d.high)
    gap_value = a.value - d.value  # type: ignore[operator]
    low = gap_value - math.hypot(a.value - a.low, d.high - d.value)  # type: ignore[operator]
    high = gap_value + math.hypot(a.high - a.value, d.value - d.low)  # type: ignore[operator]
    assert (found.low[at], found.high[at]) == pytest.approx((low, high), rel=1e-12)


def test_square_and_add_gives_the_published_limits_of_newcombe() -> None:
    """Newcombe (1998), table II, example 56/70 against 48/80, method 10: .0524 to .3339."""
    counts = {"a": (0, 0, 14, 56), "b": (0, 0, 32, 48)}
    cells = cells_of(from_counts(counts))
    groups = by_group(cells, TPR, level=0.95)
    sides = [(one.value or 0.0, one.low or 0.0, one.high or 0.0) for one in groups]
    found = square_and_add(sides[0], sides[1], scale=DIFFERENCE, shared=False)
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize("scale", [DIFFERENCE, RATIO])
@pytest.mark.parametrize("reference", [None, "race=b"])
def test_reading_all_pairs_together_gives_the_limits_of_each_metric_alone(
    scale: str, reference: str | None
) -> None:
    cells = cells_of(from_counts({**LARGE, "d": (200, 90, 60, 12)}))
    drawn_cells = draw(cells, replicates=400, rng=np.random.default_rng(7))
    pairs, metrics = pairs_of(cells.groups, reference=reference), [TPR, FPR, SELECTION]
    found = gap_limits(cells, metrics, drawn_cells, pairs=pairs, level=0.95, scale=scale)
    for one, metric in zip(found, metrics, strict=True):
        (alone,) = limits(cells, [metric], drawn_cells, pairs=pairs, level=0.95, scale=scale)
        assert one.critical == pytest.approx(alone.critical, rel=1e-9)
        assert one.low == pytest.approx(alone.low, rel=1e-9)
        assert one.high == pytest.approx(alone.high, rel=1e-9)
        assert (one.methods, one.why) == (alone.methods, alone.why)


@pytest.mark.requirement("P8")
def test_reading_all_pairs_together_leaves_undefined_ones_to_the_careful_way() -> None:
    cells = cells_of(from_counts({**LARGE, "d": (200, 10, 0, 0)}))
    drawn_cells = draw(cells, replicates=400, rng=np.random.default_rng(7))
    pairs = pairs_of(cells.groups)
    rate, selection = gap_limits(cells, [TPR, SELECTION], drawn_cells, pairs=pairs, level=0.95)
    assert np.isnan(rate.value[2])
    assert not np.isnan(selection.low).any()


@pytest.mark.requirement("P8")
def test_a_group_without_positives_is_listed_and_its_gaps_are_undefined() -> None:
    frame = framed(from_counts({**LARGE, "d": (200, 10, 0, 0)}), margin=Margin(difference=0.5))
    one = gap(frame, "race=a minus race=d")
    assert one.estimate.value is None
    assert "race=d: no positives" in one.estimate.note
    assert one.judgement is not None
    assert one.judgement.verdict is Verdict.INSUFFICIENT
    assert gap(frame, "race=a minus race=b").estimate.low is not None
    assert frame.verdict is Verdict.INSUFFICIENT


@pytest.mark.requirement("P8")
def test_a_group_of_three_people_is_listed_with_wide_limits() -> None:
    frame = framed(from_counts({**LARGE, "d": (1, 0, 0, 2)}), margin=Margin(difference=0.1))
    one = gap(frame, "race=a minus race=d").estimate
    assert one.value is not None
    assert one.low is not None
    assert one.high is not None
    assert one.high - one.low > 0.8
    assert frame.counts.loc["race=d"].tolist() == [1, 0, 0, 2, 0, 3]


def test_a_ratio_over_zero_is_undefined_and_of_zero_has_limits() -> None:
    sample = from_counts({"a": (50, 0, 50, 0), "b": (10, 90, 10, 90)})
    frame = framed(sample, metrics=["selection_rate"])
    zero = gap(frame, "race=a over race=b").estimate
    assert (zero.value, zero.low) == (0.0, 0.0)
    assert zero.high is not None
    assert 0 < zero.high < 0.1
    back = framed(
        from_counts({"a": (10, 90, 10, 90), "b": (50, 0, 50, 0)}), metrics=["selection_rate"]
    )
    assert gap(back, "race=a over race=b").estimate.value is None
    assert "the value is 0" in gap(back, "race=a over race=b").estimate.note


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("counts", "margin", "minimum_n", "verdict"),
    [
        ({"a": (0, 0, 500, 500), "b": (0, 0, 510, 490)}, 0.1, 1, Verdict.PASS),
        ({"a": (0, 0, 50, 50), "b": (0, 0, 51, 49)}, 0.1, 1, Verdict.INSUFFICIENT),
        ({"a": (0, 0, 50, 50), "b": (0, 0, 65, 35)}, 0.1, 1, Verdict.FAIL),
        ({"a": (0, 0, 50, 50), "b": (0, 0, 65, 35)}, 0.1, 101, Verdict.INSUFFICIENT),
        ({"a": (9, 0, 500, 500), "b": (9, 0, 0, 0)}, 0.1, 1, Verdict.INSUFFICIENT),
    ],
    ids=["inside", "wide", "outside", "too few", "undefined"],
)
def test_a_gap_passes_only_where_its_whole_interval_is_inside_the_margin(
    counts: dict[str, tuple[int, int, int, int]], margin: float, minimum_n: int, verdict: Verdict
) -> None:
    frame = framed(from_counts(counts), margin=Margin(difference=margin), minimum_n=minimum_n)
    (found,) = [one for one in frame.gaps if one.scale == DIFFERENCE]
    assert found.judgement is not None
    assert found.judgement.verdict is verdict
    assert frame.verdict is verdict


def test_a_ratio_margin_bounds_both_sides() -> None:
    near = from_counts({"a": (0, 0, 500, 500), "b": (0, 0, 510, 490)})
    far = from_counts({"a": (0, 0, 600, 300), "b": (0, 0, 100, 500)})
    for sample, verdict in ((near, Verdict.PASS), (far, Verdict.FAIL)):
        (found,) = [one for one in framed(sample, margin=Margin(ratio=0.8)).gaps if one.judgement]
        assert found.scale == RATIO
        assert found.judgement is not None
        assert found.judgement.verdict is verdict


@pytest.mark.parametrize("margin", [{"difference": 0.0}, {"difference": -1.0}, {"ratio": 1.0}])
def test_a_margin_that_bounds_nothing_is_refused(margin: dict[str, float]) -> None:
    with pytest.raises(ProtocolMalformed):
        Margin(**margin)


def test_a_margin_is_said_in_words() -> None:
    said = margin_text(Margin(difference=0.1, ratio=0.8))
    assert said == "at most 0.1 apart and a ratio of at least 0.8"


def test_without_a_margin_nothing_is_decided() -> None:
    frame = framed(from_counts(LARGE))
    assert all(one.judgement is None for one in frame.gaps)
    assert frame.verdict is Verdict.INSUFFICIENT


def test_equalised_odds_is_the_larger_gap_of_one_family() -> None:
    cells = cells_of(from_counts(LARGE))
    drawn_cells = draw(cells, replicates=400, rng=np.random.default_rng(7))
    first, second = limits(cells, [TPR, FPR], drawn_cells, pairs=pairs_of(cells.groups), level=0.95)
    assert first.critical == second.critical
    found = equalised_odds((first, second))
    assert found.value == pytest.approx(np.maximum(abs(first.value), abs(second.value)))
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()
    assert (found.low >= 0).all()


def test_equalised_odds_needs_its_parts_and_is_undefined_with_either() -> None:
    with pytest.raises(ProtocolMalformed, match="needs"):
        framed(from_counts(LARGE), odds=True)
    both = ("true_positive_rate", "false_positive_rate")
    frame = framed(from_counts({**LARGE, "d": (200, 10, 0, 0)}), metrics=both, odds=True)
    odds = {one.second: one.estimate for one in frame.gaps if one.metric == "equalised_odds"}
    assert odds["race=d"].value is None


def test_the_same_seed_gives_the_same_limits_and_another_does_not() -> None:
    cells = cells_of(from_counts(LARGE))
    assert (gaps_of_metric(cells).low == gaps_of_metric(cells).low).all()
    assert (gaps_of_metric(cells).low != gaps_of_metric(cells, seed=8).low).any()


def test_nothing_is_drawn_where_the_counts_do_not_say_how_subjects_repeat() -> None:
    sample = drawn(np.random.default_rng(2), sizes=[90, 90], rows=4, likeness=0.5)
    bare = replace(cells_of(sample, "group"), pairs=None)
    with pytest.raises(SampleMalformed):
        draw(bare, replicates=200, rng=np.random.default_rng(1))
    frame = fairness_frame(
        bare, metrics=[SELECTION], level=0.95, replicates=200, rng=np.random.default_rng(1)
    )
    assert frame.gaps[0].estimate.value is not None
    assert frame.gaps[0].estimate.low is None
    assert "do not say" in frame.gaps[0].estimate.note


def test_rows_and_their_tally_give_nearly_the_same_limits() -> None:
    sample = drawn(np.random.default_rng(2), sizes=[400, 300], rows=6, likeness=0.6)
    cells = cells_of(sample, "group")
    tally = replace(cells, pairs=None, second=second_moments(cells))
    ours = gaps_of_metric(cells, metric="selection_rate", replicates=2000)
    theirs = gaps_of_metric(tally, metric="selection_rate", replicates=2000)
    assert theirs.high - theirs.low == pytest.approx(ours.high - ours.low, rel=0.1)


def test_a_subject_in_two_groups_is_no_two_people() -> None:
    """Rows of one patient in both groups move together, so their difference varies less."""
    sample = drawn(np.random.default_rng(3), sizes=[300], rows=2, likeness=0.9)
    arm = np.tile([0, 1], 300).astype(np.int32)
    column = replace(sample.categories["group"], codes=arm, levels=("x", "y"))
    cells = cells_of(replace(sample, categories={"arm": column}), "arm")
    assert cells.shared
    apart = replace(cells, repeats=False, shared=False, pairs=None)
    ours, naive = (gaps_of_metric(one, metric="selection_rate") for one in (cells, apart))
    assert (ours.high - ours.low < 0.7 * (naive.high - naive.low)).all()


def test_costs_have_gaps_too() -> None:
    cells = cells_of(from_counts(LARGE))
    cost = error_cost(false_positive=1.0, false_negative=5.0)
    (found,) = limits(
        cells,
        [cost],
        draw(cells, replicates=400, rng=np.random.default_rng(1)),
        pairs=pairs_of(cells.groups),
        level=0.95,
    )
    assert found.value[0] == pytest.approx((70 + 250) / 600 - (150 + 300) / 500)
    assert (found.low < found.value).all()


def covered(
    *,
    runs: int,
    sizes: Sequence[int],
    prevalence: float,
    sensitivity: Sequence[float],
    rows: int = 1,
    likeness: float = 0.0,
    seed: int = 11,
    metric: str = "true_positive_rate",
    scale: str = DIFFERENCE,
    replicates: int = 300,
) -> float:
    """Return the share of simulated audits whose limits hold every true gap at once.

    A gap that is undefined or without limits says nothing wrong and counts as held.
    """
    rng = np.random.default_rng(seed)
    caught = np.resize(sensitivity, len(sizes))
    truth = (
        caught if metric == "true_positive_rate" else prevalence * caught + (1 - prevalence) * 0.1
    )
    held = 0
    for _ in range(runs):
        sample = drawn(
            rng,
            sizes=sizes,
            prevalence=prevalence,
            sensitivity=sensitivity,
            rows=rows,
            likeness=likeness,
        )
        cells = cells_of(sample, "group")
        found = gaps_of_metric(
            cells,
            metric=metric,
            scale=scale,
            seed=int(rng.integers(2**31)),
            replicates=replicates,
        )
        names = [int(name.removeprefix("group=g")) for name in cells.groups]
        sides = [(truth[names[i]], truth[names[j]]) for i, j in found.pairs]
        gaps = np.array([a - b if scale == DIFFERENCE else a / b for a, b in sides])
        outside = (found.low > gaps) | (found.high < gaps)
        held += not outside.any()
    return held / runs


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("rows", "likeness", "runs"),
    [(1, 0.0, 150), (6, 0.8, 100)],
    ids=["independent", "six a patient"],
)
@pytest.mark.parametrize("scale", [DIFFERENCE, RATIO])
def test_limits_hold_all_true_gaps_together(
    rows: int, likeness: float, runs: int, scale: str
) -> None:
    """Nominal .95, stated floor .93; three standard errors of the simulation are allowed."""
    share = covered(
        runs=runs,
        sizes=[60, 150, 300],
        prevalence=0.3,
        sensitivity=[0.6, 0.7, 0.8],
        rows=rows,
        likeness=likeness,
        scale=scale,
    )
    assert share >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / runs)


def test_limits_that_ignore_the_patient_do_not_hold() -> None:
    """The simulation can fail: six alike rows a patient, taken for independent."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(60):
        sample = drawn(rng, sizes=[150, 150, 150], rows=6, likeness=0.8)
        cells = replace(cells_of(sample, "group"), repeats=False, pairs=None)
        found = gaps_of_metric(cells, metric="selection_rate", replicates=300)
        held += bool(((found.low <= 0) & (found.high >= 0)).all())
    assert held / 60 < 0.85


@pytest.mark.campaign
@pytest.mark.parametrize(
    "what",
    [
        ("true_positive_rate", DIFFERENCE),
        ("selection_rate", DIFFERENCE),
        ("selection_rate", RATIO),
    ],
)
@pytest.mark.parametrize(("rows", "likeness"), [(1, 0.0), (6, 0.8)])
@pytest.mark.parametrize("prevalence", [0.05, 0.3])
@pytest.mark.parametrize("size", [20, 60, 200, 800])
def test_limits_hold_on_the_whole_grid(
    size: int, prevalence: float, rows: int, likeness: float, what: tuple[str, str]
) -> None:
    runs, (metric, scale) = 1000, what
    share = covered(
        runs=runs,
        sizes=[size, 2 * size, 3 * size, size],
        prevalence=prevalence,
        sensitivity=[0.6, 0.7, 0.9, 0.7],
        rows=rows,
        likeness=likeness,
        metric=metric,
        scale=scale,
        replicates=500,
    )
    print(f"{metric} {scale} size {size} prevalence {prevalence} rows {rows}: {share:.3f}")
    assert share >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / runs)
