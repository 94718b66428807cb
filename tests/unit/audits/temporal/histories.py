"""Dated rows of two sites, a feature whose meaning fades, and a learner that reads two features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from audits.estimate import Json
from audits.sources.sample import Category, Sample
from audits.temporal.protocol import DAY_US, instant

SINCE = instant("2010-01-01", "test")
YEAR = 365 * DAY_US


def history(seed: int, *, n: int = 600, fades: bool = True, years: int = 8) -> Sample:
    """n subjects over `years`; `steady` tells the label always, `fading` only in the first half."""
    rng = np.random.default_rng(seed)
    at = np.sort(SINCE + rng.integers(0, years * 365, n) * DAY_US)
    late = (at - SINCE) / (years * YEAR) > 0.5
    steady, fading = rng.normal(size=n), rng.normal(size=n)
    strength = np.where(late & fades, 0.0, 2.0)
    label = (rng.random(n) < 1 / (1 + np.exp(-(0.4 * steady + strength * fading)))).astype(float)
    site = rng.integers(0, 2, n).astype(np.int32)
    return Sample(
        subject=np.arange(n),
        label=label,
        numbers={"steady": steady, "fading": fading},
        categories={"site": Category(codes=site, levels=("east", "west"))},
        times={"at": at, "label_known": at + 90 * DAY_US},
        unit="patient",
    )


def record(**changes: Json) -> dict[str, Json]:
    """The record of a protocol for `history`."""
    found: dict[str, Json] = {
        "at": "at",
        "label_known": "label_known",
        "site": None,
        "held_out_sites": [],
        "design": "hold-out",
        "cuts": ["2014-01-01"],
        "horizon_days": None,
        "window_days": None,
        "embargo_days": 0,
        "evaluated_at": "2018-12-31",
        "returning": "leave_test",
        "random_repeats": 3,
        "metrics": ["auroc", "brier"],
        "windows": ["2014-01-01", "2015-01-01", "2016-01-01", "2017-01-01", "2018-01-01"],
        "minimum_events": 10,
        "level": "0.95",
        "replicates": 200,
        "alpha": "0.01",
        "known_at": {},
        "ordered": [["at", "label_known"]],
        "leave_out": [],
        "extract_at": "2018-12-31",
        "learner": "logistic",
        "parameters": {"c": "1"},
        "seed": 7,
    }
    return found | changes


def learner(training: Sample, rng: np.random.Generator) -> Any:
    """Logistic regression on the two quantities; it draws from `rng` as a real learner would."""
    from sklearn.linear_model import LogisticRegression

    def matrix(rows: Sample) -> Any:
        return np.column_stack((rows.numbers["steady"], rows.numbers["fading"]))

    model = LogisticRegression(random_state=int(rng.integers(2**31)))
    model.fit(matrix(training), np.asarray(training.label))
    return lambda rows: model.predict_proba(matrix(rows))[:, 1]


def without_labels(sample: Sample, rows: slice) -> Sample:
    """The same rows, the labels of `rows` not there."""
    label = np.asarray(sample.label).copy()
    label[rows] = np.nan
    return replace(sample, label=label)
