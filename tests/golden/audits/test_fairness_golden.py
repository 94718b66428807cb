"""Fairness metrics against a published table (see PROVENANCE.md)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audits.fairness.cells import count_cells, decided
from audits.fairness.frame import FairnessFrame, fairness_frame
from audits.fairness.metrics import DECISION_METRICS
from audits.sources.sample import Category, Sample

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("fairness.json").read_text("utf-8"))
CELLS = ("TN", "FP", "FN", "TP")


@pytest.fixture(scope="module")
def frame() -> FairnessFrame:
    """Return the frame of the published counts, one row a person."""
    label, decision, codes = [], [], []
    for code, counts in enumerate(GOLDEN["groups"].values()):
        for cell, name in enumerate(CELLS):
            label += [cell // 2] * counts[name]
            decision += [cell % 2] * counts[name]
            codes += [code] * counts[name]
    sample = Sample(
        subject=np.arange(len(label)),
        label=np.array(label, dtype=np.float64),
        decision=np.array(decision, dtype=np.int8),
        categories={
            "race": Category(codes=np.array(codes, dtype=np.int32), levels=tuple(GOLDEN["groups"]))
        },
    )
    return fairness_frame(
        count_cells(sample, attributes=["race"], outcome=decided(sample)),
        metrics=list(DECISION_METRICS.values()),
        level=0.95,
        replicates=4000,
        rng=np.random.default_rng(2016),
        odds=True,
    )


@pytest.mark.parametrize("group", GOLDEN["published"])
def test_rates_of_groups_are_those_of_the_published_table(frame: FairnessFrame, group: str) -> None:
    row = frame.by_group.loc[f"race={group}"]
    for metric, text in GOLDEN["published"][group].items():
        value = 1 - row["true_positive_rate"] if "negative_rate" in metric else row[metric]
        places = len(text.split(".")[1])
        assert value == pytest.approx(float(text), abs=0.51 * 10**-places)


def test_the_gap_of_one_pair_has_the_limits_of_the_normal_distribution(
    frame: FairnessFrame,
) -> None:
    """With thousands of people and one pair, max-t must give what the textbook's formula gives."""
    (x1, n1), (x2, n2) = (
        GOLDEN["gap_in_false_positive_rate"][side] for side in ("first", "second")
    )
    p1, p2 = x1 / n1, x2 / n2
    reach = 1.959964 * math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    (gap,) = [
        one.estimate
        for one in frame.gaps
        if (one.metric, one.scale) == ("false_positive_rate", "minus")
    ]
    assert gap.value == pytest.approx(p1 - p2, rel=1e-12)
    assert gap.low == pytest.approx(p1 - p2 - reach, abs=0.05 * reach)
    assert gap.high == pytest.approx(p1 - p2 + reach, abs=0.05 * reach)


def test_the_gap_in_equalised_odds_is_fairlearn_s(frame: FairnessFrame) -> None:
    from fairlearn.metrics import equalized_odds_difference

    truth, given, group = [], [], []
    for name, counts in GOLDEN["groups"].items():
        for cell, key in enumerate(CELLS):
            truth += [cell // 2] * counts[key]
            given += [cell % 2] * counts[key]
            group += [name] * counts[key]
    theirs = equalized_odds_difference(truth, given, sensitive_features=group)
    (gap,) = [one.estimate for one in frame.gaps if one.metric == "equalised_odds"]
    assert gap.value == pytest.approx(theirs, abs=1e-9)
