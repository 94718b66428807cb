"""A recalibration is frozen, increasing, fitted on earlier rows and judged on later ones only."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from audits.errors import RecalibrationRefused
from audits.estimate import Estimate
from audits.sources.sample import MISSING_TIME, Category, Sample
from audits.temporal.recalibration import Recalibration, before_and_after, fit, parse

KINDS = ("intercept", "logistic", "isotonic")


def rows(seed: int, *, n: int = 1500, since: int = 0, east: float = 0.0) -> Sample:
    """Scores that are too extreme and too high; at the site east by `east` more."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-0.5, 1.0, n)
    site = rng.integers(0, 2, n).astype(np.int32)
    label = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(float)
    stated = 2 * truth + 0.8 + east * (site == 0)
    at = since + rng.integers(0, 1000, n)
    return Sample(
        subject=np.arange(n),
        label=label,
        score=1 / (1 + np.exp(-stated)),
        categories={"site": Category(codes=site, levels=("east", "west"))},
        times={"at": at, "known": at + 10},
        unit="patient",
    )


def fitted(sample: Sample | None = None, kind: Any = "logistic", **options: Any) -> Recalibration:
    arguments: dict[str, Any] = {"time": "at", "label_known": "known", "until": 2000}
    return fit(rows(1) if sample is None else sample, kind=kind, **(arguments | options))


def estimate(found: tuple[Estimate, ...], metric: str, population: str) -> float:
    one = next(
        e for e in found if (e.metric, e.population) == (metric, f"{population} recalibration")
    )
    assert one.value is not None
    return one.value


def test_logistic_map_undoes_what_was_done_to_the_scores() -> None:
    numbers = [float(x) for x in dict(fitted().maps)["*"]]
    # logit p = 2 t + 0.8, so t = -0.4 + 0.5 logit p.
    assert numbers == pytest.approx([-0.4, 0.5], abs=0.12)


def test_logistic_map_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    sample = rows(2)
    score = np.asarray(sample.score)
    x = np.log(score / (1 - score)).reshape(-1, 1)
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(x, np.asarray(sample.label))
    expected = [model.intercept_[0], model.coef_[0, 0]]
    assert [float(n) for n in dict(fitted(sample).maps)["*"]] == pytest.approx(expected, abs=1e-5)


def test_isotonic_steps_are_those_of_scikit_learn() -> None:
    from sklearn.isotonic import IsotonicRegression

    sample = rows(3)
    numbers = [float(x) for x in dict(fitted(sample, "isotonic").maps)["*"]]
    steps = IsotonicRegression().fit_transform(sample.score, sample.label)
    assert numbers[1::2] == pytest.approx(np.unique(np.round(steps, 11)), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_map_improves_later_rows_and_not_only_its_own(kind: str) -> None:
    found = before_and_after(fitted(kind=kind), rows(4, since=2000), time="at", level=0.95)
    assert estimate(found, "brier", "after") < estimate(found, "brier", "before")
    after = abs(estimate(found, "calibration_in_the_large", "after"))
    assert after < 0.5 * abs(estimate(found, "calibration_in_the_large", "before"))


@pytest.mark.parametrize("kind", KINDS)
def test_map_is_increasing_also_outside_what_it_was_fitted_on(kind: str) -> None:
    grid = np.concatenate(([0.0], np.linspace(1e-9, 1 - 1e-9, 500), [1.0]))
    sample = Sample(subject=np.arange(grid.size), score=grid)
    found = np.asarray(fitted(kind=kind).apply(sample).score)
    assert (np.diff(found) >= 0).all()
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_site_gets_its_own_map_and_an_unknown_or_small_site_that_of_all() -> None:
    sample = rows(5, east=1.5)
    made = fitted(sample, "intercept", site="site")
    maps = dict(made.maps)
    assert set(maps) == {"*", "east", "west"}
    assert float(maps["east"][0]) < float(maps["west"][0]) - 1
    codes = np.array([0, 1, 2, -1], dtype=np.int32)
    later = Sample(
        subject=np.arange(4),
        score=np.full(4, 0.5),
        categories={"site": Category(codes=codes, levels=("west", "east", "north"))},
    )
    west, east, north, none = np.asarray(made.apply(later).score)
    assert east < west
    assert north == none == pytest.approx(1 / (1 + np.exp(-float(maps["*"][0]))))


def test_site_with_too_few_events_has_no_map_of_its_own() -> None:
    sample = rows(6)
    codes = np.where(np.arange(sample.n) < 12, 0, 1).astype(np.int32)
    small = replace(sample, categories={"site": Category(codes=codes, levels=("east", "west"))})
    made = fitted(small, site="site")
    assert set(dict(made.maps)) == {"*", "west"}
    assert dict(made.fitted) == {"*": 1500, "west": 1488}


def test_missing_score_stays_missing() -> None:
    sample = rows(7)
    score = np.asarray(sample.score).copy()
    score[:3] = np.nan
    found = np.asarray(fitted().apply(replace(sample, score=score)).score)
    assert np.isnan(found).sum() == 3


@pytest.mark.parametrize("kind", KINDS)
def test_record_is_the_map(kind: str) -> None:
    made = fitted(kind=kind, site="site")
    read = parse(json.loads(made.canonical()))
    assert read == made
    assert read.canonical() == made.canonical()
    later = rows(8, since=3000)
    np.testing.assert_array_equal(read.apply(later).score, made.apply(later).score)


def test_other_rows_give_another_digest_and_the_same_rows_the_same() -> None:
    sample = rows(9)
    label = np.asarray(sample.label).copy()
    label[0] = 1 - label[0]
    assert fitted(sample).canonical() == fitted(sample).canonical()
    assert fitted(replace(sample, label=label)).rows_sha256 != fitted(sample).rows_sha256


@pytest.mark.requirement("P9")
def test_map_is_not_fitted_on_test_rows() -> None:
    sample = rows(10)
    for name, until in (("at", 900), ("known", 1005)):
        with pytest.raises(RecalibrationRefused, match=f"rows have '{name}' from the map's end on"):
            fitted(sample, until=until)
    undated = sample.times["known"].copy()
    undated[0] = MISSING_TIME
    with pytest.raises(RecalibrationRefused, match="1 rows have 'known'"):
        fitted(replace(sample, times={**sample.times, "known": undated}))


@pytest.mark.requirement("P9")
def test_map_is_not_judged_on_rows_it_has_seen() -> None:
    sample = rows(11)
    with pytest.raises(RecalibrationRefused, match="from before the map's end"):
        before_and_after(fitted(sample), sample, time="at", level=0.95)


@pytest.mark.parametrize(
    ("kind", "needed"), [("intercept", 10), ("logistic", 20), ("isotonic", 100)]
)
def test_too_few_events_are_refused(kind: str, needed: int) -> None:
    sample = rows(12)
    label = np.zeros(sample.n)
    label[: needed - 1] = 1
    with pytest.raises(RecalibrationRefused, match=f"{needed - 1} events; {needed} are needed"):
        fitted(replace(sample, label=label), kind)


def test_score_that_is_upside_down_or_separates_is_refused() -> None:
    sample = rows(13)
    score = np.asarray(sample.score)
    with pytest.raises(RecalibrationRefused, match="slope is not positive"):
        fitted(replace(sample, score=1 - score))
    apart = np.where(np.asarray(sample.label) == 1, 0.9, 0.1)
    with pytest.raises(RecalibrationRefused, match="separated"):
        fitted(replace(sample, score=apart))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"score": None}, "no score"),
        ({"score": np.full(1500, 1.2)}, "not a probability"),
        ({"label": np.full(1500, 2.0)}, "labels of 0 and 1"),
        ({"label": None}, "labels of 0 and 1"),
    ],
)
def test_rows_that_cannot_be_read_are_refused(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(RecalibrationRefused, match=fault) as refusal:
        fitted(replace(rows(14), **change))
    assert refusal.value.next_step


def test_unknown_kind_site_and_instant_are_refused() -> None:
    with pytest.raises(RecalibrationRefused, match="not a kind"):
        fitted(kind="spline")
    with pytest.raises(RecalibrationRefused, match="no category 'clinic'"):
        fitted(site="clinic")
    with pytest.raises(RecalibrationRefused, match="no instant 'when'"):
        fitted(time="when")
    with pytest.raises(RecalibrationRefused, match="no category 'site'"):
        fitted(site="site").apply(Sample(subject=np.arange(2), score=np.array([0.1, 0.2])))


TAMPERED: list[tuple[dict[str, Any], str]] = [
    ({"schema": "recalibration/2"}, "schema recalibration/1"),
    ({"note": "x"}, "a record has the members"),
    ({"kind": "spline"}, "not a kind"),
    ({"kind": "isotonic"}, "increasing between 0 and 1"),
    ({"until_us": 2000}, "until_us"),
    ({"until_us": "soon"}, "until_us"),
    ({"site": 3}, "site and rows_sha256"),
    ({"rows_sha256": "abc"}, "64 hexadecimal"),
    ({"maps": []}, "mappings"),
    ({"maps": {}}, "one is for all"),
    ({"maps": {"*": ["0.1", "-0.5"]}}, "not increasing"),
    ({"maps": {"*": ["0.1"]}}, "another count"),
    ({"maps": {"*": ["nan", "1"]}}, "not decimal text"),
    ({"maps": {"*": [0.1, 1]}}, "decimal text"),
    ({"maps": {"*": ["0.1", "1"], "east": ["0.1", "1"]}}, "name the category"),
    ({"fitted": {"*": "1500"}}, "holds counts"),
]


@pytest.mark.parametrize(("change", "fault"), TAMPERED)
def test_record_that_was_changed_is_refused(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(RecalibrationRefused, match=fault):
        parse({**fitted().as_record(), **change})


def test_isotonic_record_that_falls_is_refused() -> None:
    record = fitted(kind="isotonic").as_record()
    for knots in (["0.1", "0.5", "0.2", "0.4"], ["0.2", "0.1", "0.1", "0.4"], ["0.1"], []):
        with pytest.raises(RecalibrationRefused):
            parse({**record, "maps": {"*": knots}})
