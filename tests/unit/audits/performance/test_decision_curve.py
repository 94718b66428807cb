"""Net benefit against treating all and nobody."""

from __future__ import annotations

import numpy as np
import pytest

from audits.errors import ProtocolMalformed, SampleMalformed
from audits.performance.decision_curve import net_benefit
from tests.unit.audits.performance.samples import World, rows


def test_hand_worked_net_benefit() -> None:
    # 100 rows, 20 positive; acted on at 0.2: 15 positive, 25 negative; odds 1/4
    label = [1] * 20 + [0] * 80
    score = [0.5] * 15 + [0.1] * 5 + [0.5] * 25 + [0.1] * 55
    model, everybody, gain = net_benefit(rows(label, score), threshold=0.2, level=0.95)
    assert model.value == pytest.approx((15 - 25 / 4) / 100)
    assert everybody.value == pytest.approx((20 - 80 / 4) / 100, abs=1e-15)
    assert gain.value == pytest.approx(model.value)
    assert gain.metric == "net_benefit_gain@0.2"


def test_gain_is_over_treating_all_where_that_is_better_than_nobody() -> None:
    label = [1] * 60 + [0] * 40
    score = [0.5] * 50 + [0.1] * 10 + [0.5] * 25 + [0.1] * 15
    model, everybody, gain = net_benefit(rows(label, score), threshold=0.2, level=0.95)
    assert everybody.value == pytest.approx((60 - 40 / 4) / 100)
    assert gain.value == pytest.approx(model.value - everybody.value)


def test_limits_are_those_of_a_mean_with_few_gains() -> None:
    drawn = World().draw(np.random.default_rng(1), subjects=400)
    model = net_benefit(drawn, threshold=0.3, level=0.95)[0]
    acted = drawn.score >= 0.3
    values = acted * (drawn.label - ~drawn.label * (0.3 / 0.7))
    from scipy.stats import t

    df = min((values > 0).sum(), (values < 0).sum()) - 1
    half = t.ppf(0.975, df) * values.std(ddof=1) / 20
    assert model.high - model.value == pytest.approx(half, rel=1e-9)


def test_few_losses_give_no_interval() -> None:
    label = [1] * 30 + [0] * 70
    score = [0.9] * 30 + [0.9] * 3 + [0.1] * 67
    model = net_benefit(rows(label, score), threshold=0.5, level=0.95)[0]
    assert model.value is not None
    assert model.low is None


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.2])
def test_a_threshold_without_odds_is_refused(threshold: float) -> None:
    with pytest.raises(ProtocolMalformed):
        net_benefit(rows([0, 1], [0.1, 0.2]), threshold=threshold, level=0.95)


def test_a_score_that_is_no_probability_is_refused() -> None:
    with pytest.raises(SampleMalformed):
        net_benefit(rows([0, 1], [3.0, 0.2]), threshold=0.2, level=0.95)


def test_one_class_is_undefined() -> None:
    found = net_benefit(rows([0] * 40, [0.1] * 40), threshold=0.2, level=0.95)
    assert {one.value for one in found} == {None}
