"""The baseline learns from structures alone, repeats itself, and refuses what it cannot use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audits.errors import SampleMalformed
from audits.sources.sample import Category, Sample
from audits.temporal.learning import scored
from models.errors import FitRefused
from models.screening.ngram_learner import NgramParameters, ngram_learner, parse


def molecules(seed: int, n: int = 120) -> Sample:
    """Chains of carbon; those with a platinum atom have the label 1."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(float)
    texts = [
        "C" * int(rng.integers(2, 9)) + ("[Pt]" if y else "O") + "C" * int(rng.integers(1, 9))
        for y in label
    ]
    levels = tuple(sorted(set(texts)))
    codes = np.array([levels.index(one) for one in texts], dtype=np.int32)
    return Sample(
        subject=np.arange(n),
        label=label,
        categories={"structure": Category(codes=codes, levels=levels)},
    )


PARAMETERS = NgramParameters(bits=10)


def test_learner_tells_structures_it_has_not_seen_apart() -> None:
    score = ngram_learner(PARAMETERS)(molecules(1), np.random.default_rng(0))
    later = scored(molecules(2), score)
    values, label = np.asarray(later.score), np.asarray(later.label)
    assert values[label == 1].min() > values[label == 0].max()
    assert ((values > 0) & (values < 1)).all()


def test_same_generator_gives_the_same_scores() -> None:
    first, second = (
        ngram_learner(PARAMETERS)(molecules(1), np.random.default_rng(3))(molecules(2))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_scorer_does_not_get_to_see_labels() -> None:
    def peeking(rows: Sample) -> Any:
        assert rows.label is None
        assert rows.score is None
        return np.zeros(rows.n)

    assert scored(molecules(1), peeking).label is not None


@pytest.mark.parametrize("scores", [np.zeros(3), np.full(120, np.nan), np.zeros((120, 1))])
def test_score_that_is_missing_is_refused(scores: Any) -> None:
    with pytest.raises(SampleMalformed, match="finite score"):
        scored(molecules(1), lambda _: scores)


def test_training_with_one_label_is_refused() -> None:
    sample = molecules(1)
    only = sample.where(np.asarray(sample.label) == 0)
    with pytest.raises(FitRefused, match="both"):
        ngram_learner(PARAMETERS)(only, np.random.default_rng(0))


def test_row_without_a_structure_or_column_is_refused() -> None:
    sample = molecules(1)
    score = ngram_learner(PARAMETERS)(sample, np.random.default_rng(0))
    codes = sample.categories["structure"].codes.copy()
    codes[:2] = -1
    gone = Category(codes=codes, levels=sample.categories["structure"].levels)
    with pytest.raises(SampleMalformed, match="2 rows have no structure"):
        score(Sample(subject=sample.subject, categories={"structure": gone}))
    with pytest.raises(SampleMalformed, match="no column 'structure'"):
        score(Sample(subject=sample.subject))


def test_parameters_are_read_back_from_their_record() -> None:
    assert parse(PARAMETERS.as_record()) == PARAMETERS


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"depth": 3}, "'depth' is not known"),
        ({"bits": None}, "'bits' is not a int"),
        ({"balanced": 1}, "'balanced' is not a bool"),
        ({"shortest": 5}, "shortest first"),
        ({"bits": 30}, "bits lie"),
        ({"inverse_penalty": "0"}, "positive number"),
        ({"inverse_penalty": "inf"}, "positive number"),
        ({"inverse_penalty": "much"}, "positive number"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(FitRefused, match=fault) as refusal:
        parse({**PARAMETERS.as_record(), **change})
    assert refusal.value.next_step


def test_missing_parameter_is_refused() -> None:
    record = PARAMETERS.as_record()
    del record["longest"]
    with pytest.raises(FitRefused, match="'longest' is missing"):
        parse(record)
