"""The area under the ROC curve and its standard error against a published table."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from audits.performance.influence import limits
from audits.performance.roc import auroc, delong_variance
from audits.performance.rows import Rows

DATA = json.loads((Path(__file__).parent / "performance.json").read_text(encoding="utf-8"))
HANLEY = DATA["hanley_mcneil_1982"]


def _rows() -> Rows:
    rating = np.repeat([1.0, 2, 3, 4, 5] * 2, HANLEY["normal"] + HANLEY["abnormal"])
    label = np.repeat([False, True], [sum(HANLEY["normal"]), sum(HANLEY["abnormal"])])
    return Rows(label=label, score=rating, identity=np.arange(109))


def test_area_is_the_published_one() -> None:
    value = auroc(_rows(), level=0.95).value
    assert value is not None
    assert round(value, 4) == float(HANLEY["area"])
    assert round(value, 3) == float(HANLEY["published_area"])


def test_area_is_the_exact_fraction_of_pairs_in_order() -> None:
    pairs = Fraction(0)
    for k, sick in enumerate(HANLEY["abnormal"]):
        beaten = sum(HANLEY["normal"][:k]) + Fraction(HANLEY["normal"][k], 2)
        pairs += sick * beaten
    assert auroc(_rows(), level=0.95).value == pytest.approx(float(pairs / (58 * 51)), abs=1e-14)


def test_delongs_standard_error_and_normal_limits_are_the_published_ones() -> None:
    rows = _rows()
    se = delong_variance(rows) ** 0.5
    assert round(se, 4) == float(HANLEY["standard_error"])
    value = auroc(rows, level=0.95).value
    assert value is not None
    low, high = limits(value, se, level=0.95)
    assert (round(low, 5), round(high, 5)) == (float(HANLEY["low"]), float(HANLEY["high"]))
