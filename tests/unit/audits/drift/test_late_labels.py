"""Labels that arrive late: only the mature count, the planted fault is found, bounds hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audits.drift.late_labels import (
    Influence,
    Lateness,
    coverage,
    delay_by_label,
    matured,
    selection,
    weighted,
    worst_and_best,
)
from audits.errors import SampleMalformed
from audits.estimate import Verdict
from audits.sources.sample import MISSING_TIME, Sample

DAY = 86_400_000_000
CUT = 400 * DAY
LATENESS = Lateness(
    predicted="predicted", known="known", cut_us=CUT, maturity_us=60 * DAY, window_us=30 * DAY
)


def _rows(
    n: int = 4000,
    *,
    seed: int = 1,
    sick_wait: float = 20,
    well_wait: float = 20,
    depends: float = 0,
) -> Sample:
    """Labels that wait some days; with `depends` a low score hides the label for ever."""
    rng = np.random.default_rng(seed)
    predicted = (rng.random(n) * 390).astype(np.int64) * DAY
    score = rng.random(n)
    sick = rng.random(n) < score
    wait = rng.exponential(np.where(sick, sick_wait, well_wait)) * DAY
    known = predicted + wait.astype(np.int64)
    never = rng.random(n) < depends * (1 - score)
    return Sample(
        subject=np.arange(n, dtype=np.int64),
        label=sick.astype(float),
        score=score,
        decision=(score > 0.5).astype(np.int8),
        times={"predicted": predicted, "known": np.where(never, MISSING_TIME, known)},
        unit="patient",
    )


def _truth(rows: Sample) -> dict[str, float]:
    assert rows.label is not None
    acted = rows.decision == 1
    return {
        "sensitivity": float(acted[rows.label == 1].mean()),
        "specificity": float((~acted)[rows.label == 0].mean()),
        "prevalence": float(rows.label.mean()),
    }


def test_a_label_counts_only_after_its_maturity() -> None:
    rows = _rows()
    found = matured(rows, lateness=LATENESS)
    predicted = rows.times["predicted"]
    assert found.rows.n == int((predicted <= CUT - 60 * DAY).sum())
    assert found.rows.times["predicted"].max() <= CUT - 60 * DAY
    assert found.immature == int((predicted > CUT - 60 * DAY).sum())
    assert 0 < found.early < found.immature


def test_a_label_that_came_after_the_cut_is_not_known() -> None:
    rows = _rows()
    later = replace(rows, times={**rows.times, "known": np.full(rows.n, CUT + 1)})
    assert np.isnan(matured(later, lateness=LATENESS).label).all()


def test_a_row_without_a_prediction_time_is_counted_and_not_judged() -> None:
    rows = _rows(100)
    predicted = rows.times["predicted"].copy()
    predicted[:7] = MISSING_TIME
    found = matured(replace(rows, times={**rows.times, "predicted": predicted}), lateness=LATENESS)
    assert found.undated == 7
    assert found.rows.n + found.immature == 93


@pytest.mark.parametrize(("sick", "well"), [(60, 15), (15, 60)])
def test_a_label_that_is_late_only_for_the_sick_is_found(sick: float, well: float) -> None:
    found = matured(_rows(sick_wait=sick, well_wait=well), lateness=LATENESS)
    estimate, verdict = delay_by_label(found, lateness=LATENESS, level=0.95)
    assert verdict is Verdict.FAIL
    assert estimate.value is not None
    assert (estimate.value > 0.5) is (sick > well)


def test_labels_that_wait_alike_are_not_found_more_often_than_stated() -> None:
    verdicts = [
        delay_by_label(
            matured(_rows(600, seed=seed), lateness=LATENESS), lateness=LATENESS, level=0.95
        )[1]
        for seed in range(100)
    ]
    assert verdicts.count(Verdict.FAIL) <= 11


def test_few_arrived_labels_say_nothing_about_delays() -> None:
    rows = _rows(40)
    assert rows.label is not None
    label = np.zeros(40)
    label[:3] = 1
    found = matured(replace(rows, label=label), lateness=LATENESS)
    estimate, verdict = delay_by_label(found, lateness=LATENESS, level=0.95)
    assert (estimate.value, verdict) == (None, Verdict.INSUFFICIENT)


def test_coverage_falls_towards_the_cut() -> None:
    lateness = replace(LATENESS, maturity_us=0)
    found = coverage(matured(_rows(), lateness=lateness), lateness=lateness, level=0.95)
    by_window = {one.population: one.value for one in found}
    assert by_window["window 0"] is not None
    assert by_window["window 12"] is not None
    assert by_window["window 0"] > 0.99
    assert by_window["window 12"] < 0.8
    assert found[0].n == sum(one.n for one in found[1:])


def test_the_bounds_hold_the_truth_whatever_is_missing() -> None:
    rows = _rows(sick_wait=120, well_wait=5)
    found = matured(rows, lateness=LATENESS)
    mature = rows.where(rows.times["predicted"] <= CUT - 60 * DAY)
    for one in worst_and_best(found):
        if one.metric in _truth(mature):
            assert one.low is not None
            assert one.high is not None
            assert one.low <= _truth(mature)[one.metric] <= one.high
            assert one.low < one.high


def test_weighting_repairs_what_the_score_explains_and_selection_shows_it() -> None:
    rows = _rows(6000, depends=0.9, sick_wait=2, well_wait=2)
    found = matured(rows, lateness=LATENESS)
    assert dict(selection(found))["score"] > 0.2
    truth = _truth(_rows(200_000, seed=9))
    estimates = {one.metric: one for one in weighted(found, level=0.95, replicates=200, seed=4)}
    plain = float(np.nanmean(found.label))
    prevalence = estimates["weighted_prevalence"]
    assert prevalence.value is not None
    assert abs(prevalence.value - truth["prevalence"]) < abs(plain - truth["prevalence"]) / 3
    for name in ("sensitivity", "specificity"):
        one = estimates[f"weighted_{name}"]
        assert one.low is not None
        assert one.high is not None
        assert one.low - 0.01 <= truth[name] <= one.high + 0.01


def test_all_labels_known_need_no_weights_and_leave_no_room() -> None:
    rows = _rows(800, sick_wait=1, well_wait=1)
    found = matured(rows, lateness=LATENESS)
    assert not np.isnan(found.label).any()
    estimates = {one.metric: one for one in weighted(found, level=0.95, replicates=200, seed=4)}
    for one in worst_and_best(found):
        assert one.low == one.high == estimates[f"weighted_{one.metric}"].value


def test_influenced_labels_are_left_out_kept_or_bounded_as_the_estimand_says() -> None:
    rows = _rows()
    found = {one: matured(rows, lateness=replace(LATENESS, influence=one)) for one in Influence}
    kept = found[Influence.TREATMENT_POLICY]
    left_out = found[Influence.EXCLUDE]
    bounded = found[Influence.HYPOTHETICAL_BOUNDS]
    assert left_out.rows.decision is not None
    assert (left_out.rows.decision != 1).all()
    assert kept.influenced == left_out.influenced == kept.rows.n - left_out.rows.n > 0
    assert bounded.rows.n == kept.rows.n
    assert np.isnan(bounded.label).sum() > np.isnan(kept.label).sum() + kept.influenced / 2
    widths = [
        next((one.high or 0) - (one.low or 0) for one in worst_and_best(x) if one.metric == "ppv")
        for x in (kept, bounded)
    ]
    assert widths[1] == 1.0 > widths[0]


@pytest.mark.parametrize("lacks", ["predicted", "known", "label", "decision"])
def test_what_is_not_there_is_refused(lacks: str) -> None:
    rows = _rows(50)
    if lacks == "label":
        rows = replace(rows, label=None)
    elif lacks == "decision":
        rows = replace(rows, decision=None)
    else:
        rows = replace(rows, times={k: v for k, v in rows.times.items() if k != lacks})
    with pytest.raises(SampleMalformed):
        matured(rows, lateness=LATENESS)


def test_no_mature_row_is_no_fault() -> None:
    lateness = replace(LATENESS, maturity_us=10_000 * DAY)
    found = matured(_rows(50), lateness=lateness)
    assert found.rows.n == 0
    assert coverage(found, lateness=lateness, level=0.95)[0].value is None
    assert all(one.low is None for one in worst_and_best(found))
    assert delay_by_label(found, lateness=lateness, level=0.95)[1] is Verdict.INSUFFICIENT


def test_a_label_that_is_no_event_is_refused() -> None:
    rows = _rows(60)
    with pytest.raises(SampleMalformed, match="neither 0 nor 1"):
        matured(replace(rows, label=np.full(60, np.inf)), lateness=LATENESS)
