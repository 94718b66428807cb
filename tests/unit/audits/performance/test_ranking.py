"""Early recognition against a naive second implementation and the bounds of its definition."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest

from audits.errors import ProtocolMalformed
from audits.performance.ranking import bedroc, enrichment
from audits.performance.rows import Rows
from tests.unit.audits.performance.samples import rows

DRAW = {"level": 0.95, "replicates": 200, "seed": 3}


def naive_bedroc(label: Any, score: Any, alpha: float) -> tuple[float, float]:
    """BEDROC by equation 36 of Truchon and Bayly, RIE by equation 18, for scores without ties."""
    order = sorted(range(len(score)), key=lambda i: -score[i])
    ranks = [place + 1 for place, i in enumerate(order) if label[i]]
    n, total = len(ranks), len(score)
    ra = n / total
    rie = sum(math.exp(-alpha * r / total) for r in ranks) / n
    rie /= (1 - math.exp(-alpha)) / (total * (math.exp(alpha / total) - 1))
    first = ra * math.sinh(alpha / 2) / (math.cosh(alpha / 2) - math.cosh(alpha / 2 - alpha * ra))
    return rie * first + 1 / (1 - math.exp(alpha * (1 - ra))), rie


def exact_bedroc(label: Any, score: Any, alpha: float) -> tuple[float, float]:
    """`naive_bedroc` in decimals of sixty digits, which no exponent overflows."""
    with localcontext(prec=60):
        order = np.argsort(-score)
        ranks = [Decimal(place + 1) for place, i in enumerate(order.tolist()) if label[i]]
        n, total, a = len(ranks), len(score), Decimal(alpha)
        ra = Decimal(n) / total
        rie = sum((-a * r / total).exp() for r in ranks) / n
        rie /= (1 - (-a).exp()) / (total * ((a / total).exp() - 1))
        most = (1 - (-a * ra).exp()) / (ra * (1 - (-a).exp()))
        least = (1 - (a * ra).exp()) / (ra * (1 - a.exp()))
        return float((rie - least) / (most - least)), float(rie)


def screen(seed: int, *, actives: int = 30, total: int = 1000, shift: float = 1.5) -> Rows:
    rng = np.random.default_rng(seed)
    label = np.arange(total) < actives
    return rows(label, rng.normal(size=total) + shift * label)


@pytest.mark.parametrize("alpha", [5.0, 20.0, 100.0])
def test_bedroc_and_rie_are_the_papers_equations(alpha: float) -> None:
    drawn = screen(1)
    found = bedroc(drawn, alpha=alpha, **DRAW)
    expected = naive_bedroc(drawn.label, drawn.score, alpha)
    assert found[0].value == pytest.approx(expected[0], abs=1e-9)
    assert found[1].value == pytest.approx(expected[1], abs=1e-9)
    assert found[0].metric == f"bedroc@{alpha:.0f}"


def test_actives_first_is_one_and_last_is_zero() -> None:
    label = np.arange(500) < 20
    first = bedroc(rows(label, -np.arange(500.0)), alpha=20.0, **DRAW)[0]
    last = bedroc(rows(label, np.arange(500.0)), alpha=20.0, **DRAW)[0]
    assert first.value == pytest.approx(1.0, abs=1e-12)
    assert last.value == pytest.approx(0.0, abs=1e-12)


def test_a_random_order_has_a_rie_of_one() -> None:
    values = [bedroc(screen(s, shift=0.0), alpha=20.0, **DRAW)[1].value for s in range(2, 32)]
    assert np.mean(values) == pytest.approx(1.0, abs=0.15)


def test_tied_scores_share_their_ranks_and_not_the_order_of_the_file() -> None:
    label = np.arange(200) < 20
    tied = np.repeat([3.0, 2.0, 1.0, 0.0], 50)[np.random.default_rng(4).permutation(200)]
    one = bedroc(rows(label, tied), alpha=20.0, **DRAW)[0].value
    two = bedroc(rows(label[::-1], tied[::-1]), alpha=20.0, **DRAW)[0].value
    assert one == pytest.approx(two, abs=1e-12)


def test_enrichment_is_a_ratio_of_shares_and_states_its_ceiling() -> None:
    # 300 molecules, 30 actives, 18 of them in the top 30
    label = np.zeros(300, dtype=bool)
    label[[*range(18), *range(150, 162)]] = True
    found = enrichment(rows(label, -np.arange(300.0)), share=0.1, **DRAW)
    assert found.value == pytest.approx(6.0)
    assert "ceiling 10" in found.note
    assert found.low < 6.0 < found.high <= 10.0 + 1e-9


def test_a_crowded_library_has_a_lower_ceiling() -> None:
    label = np.arange(300) < 150
    found = enrichment(rows(label, -np.arange(300.0)), share=0.1, **DRAW)
    assert found.value == pytest.approx(2.0)
    assert "ceiling 2" in found.note
    assert found.low < 2.0 < found.high


def test_ties_at_the_cut_count_in_proportion() -> None:
    # the top 10 of 100 lie inside one tie of 20 rows with 4 of the 10 actives
    label = np.zeros(100, dtype=bool)
    label[[0, 1, 2, 3, 50, 51, 52, 53, 54, 55]] = True
    score = np.where(np.arange(100) < 20, 1.0, 0.0)
    assert enrichment(rows(label, score), share=0.1, **DRAW).value == pytest.approx(2.0)


def test_nine_actives_give_no_interval() -> None:
    drawn = screen(5, actives=9)
    assert bedroc(drawn, alpha=20.0, **DRAW)[0].low is None
    assert "too few" in enrichment(drawn, share=0.05, **DRAW).note


def test_a_crowded_bedroc_has_no_interval() -> None:
    found = bedroc(screen(6, actives=400), alpha=20.0, **DRAW)
    assert found[0].low is None
    assert "crowded" in found[0].note
    assert found[1].low is not None


def test_repeating_subjects_does_not_narrow_the_interval() -> None:
    drawn = screen(7, total=400)
    six = rows(np.repeat(drawn.label, 6), np.repeat(drawn.score, 6), np.repeat(drawn.identity, 6))
    one, many = bedroc(drawn, alpha=20.0, **DRAW)[0], bedroc(six, alpha=20.0, **DRAW)[0]
    assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.02)


@pytest.mark.parametrize("alpha", [0.001, 700.0, 1609.4, 10_000.0])
def test_the_ends_of_alpha_are_the_papers_equations_in_exact_arithmetic(alpha: float) -> None:
    drawn = screen(1, total=200)
    found = bedroc(drawn, alpha=alpha, **DRAW)
    expected = exact_bedroc(drawn.label, drawn.score, alpha)
    assert found[0].value == pytest.approx(expected[0], rel=1e-9)
    assert found[1].value == pytest.approx(expected[1], rel=1e-9)


@pytest.mark.parametrize("alpha", [300.0, 900.0])
def test_resamples_whose_spread_is_beyond_floats_give_no_interval(alpha: float) -> None:
    label = np.arange(100) >= 85
    label[70] = True
    found = bedroc(rows(label, -np.arange(100.0)), alpha=alpha, **DRAW)
    assert found[1].value is not None
    assert found[1].low is None
    assert "beyond floats" in found[1].note


@pytest.mark.parametrize("alpha", [0.0, -1.0, 1e-300, 10_001.0])
def test_an_alpha_that_weighs_nothing_is_refused(alpha: float) -> None:
    with pytest.raises(ProtocolMalformed):
        bedroc(screen(8), alpha=alpha, **DRAW)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_is_no_part_is_refused(share: float) -> None:
    with pytest.raises(ProtocolMalformed):
        enrichment(screen(8), share=share, **DRAW)


def test_no_actives_are_undefined() -> None:
    nobody = rows([0] * 50, np.arange(50))
    assert bedroc(nobody, alpha=20.0, **DRAW)[0].value is None
    assert enrichment(nobody, share=0.1, **DRAW).value is None
