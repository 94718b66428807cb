"""Facts read out of documents: exact and overlapping spans, criteria, the document as subject."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from audits.errors import SampleMalformed
from audits.performance.extraction import (
    Answers,
    Document,
    Span,
    criterion_scores,
    span_scores,
)


def span(start: int, end: int, kind: str = "dose") -> Span:
    return Span(start=start, end=end, kind=kind)


def document(name: str, reference: Any, guessed: Any) -> Document:
    return Document(id=name, reference=tuple(reference), guessed=tuple(guessed))


def values(found: Any) -> list[float | None]:
    return [one.value for one in found]


def test_exact_matching_wants_start_end_and_kind() -> None:
    one = document("a", [span(0, 5), span(10, 20)], [span(0, 5), span(10, 19), span(0, 5, "drug")])
    assert values(span_scores([one], matching="exact", level=0.95)) == [1 / 3, 1 / 2, 2 / 5]


def test_overlap_uses_each_span_once() -> None:
    long = document("a", [span(0, 5), span(6, 9), span(10, 20)], [span(0, 100)])
    assert values(span_scores([long], matching="overlap", level=0.95)) == [1.0, 1 / 3, 1 / 2]


def test_overlap_finds_the_largest_matching_where_greed_would_not() -> None:
    # the first guess touches both references, the second only the first
    one = document("a", [span(0, 5), span(4, 10)], [span(0, 10), span(0, 3)])
    assert values(span_scores([one], matching="overlap", level=0.95)) == [1.0, 1.0, 1.0]


def test_overlap_matching_is_as_large_as_trying_all() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        starts = rng.integers(0, 20, size=8)
        spans = [span(int(s), int(s + rng.integers(1, 8))) for s in starts]
        reference, guessed = sorted(set(spans[:4])), sorted(set(spans[4:]))
        touching = [[r.start < g.end and g.start < r.end for r in reference] for g in guessed]
        padded = list(range(len(reference))) + [None] * len(guessed)
        best = max(
            sum(k is not None and touching[g][k] for g, k in enumerate(chosen))
            for chosen in itertools.permutations(padded, len(guessed))
        )
        found = span_scores([document("a", reference, guessed)], matching="overlap", level=0.95)
        assert found[0].value == pytest.approx(best / len(guessed))


def test_scores_are_those_of_all_documents_together() -> None:
    documents = [
        document("a", [span(0, 1)], [span(0, 1)]),
        document("b", [span(0, 1), span(2, 3), span(4, 5)], [span(0, 1)]),
        document("c", [], [span(7, 8)]),
    ]
    assert values(span_scores(documents, matching="exact", level=0.95)) == [2 / 3, 2 / 4, 4 / 7]


def test_a_kind_is_a_population_of_its_own() -> None:
    one = document("a", [span(0, 1), span(2, 3, "drug")], [span(0, 1), span(4, 5, "drug")])
    found = span_scores([one], matching="exact", level=0.95, kind="drug")
    assert found[1].population == "kind=drug"
    assert found[1].value == 0.0


def test_criteria_are_right_where_the_value_is_the_same() -> None:
    one = Answers(
        id="a", reference={"age": "yes", "ecog": "1"}, guessed={"age": "yes", "ecog": "2"}
    )
    two = Answers(id="b", reference={"age": "no"}, guessed={})
    assert values(criterion_scores([one, two], level=0.95)) == [1 / 2, 1 / 3, 2 / 5]


def test_nothing_guessed_is_undefined_precision_and_zero_recall() -> None:
    found = span_scores([document("a", [span(0, 1)], [])], matching="exact", level=0.95)
    assert values(found) == [None, 0.0, 0.0]


def test_limits_count_documents_and_not_spans() -> None:
    rng = np.random.default_rng(2)
    hits = rng.random(40) < 0.7
    few = [
        document(str(k), [span(0, 1)], [span(0 if hit else 1, 2 - hit)])
        for k, hit in enumerate(hits)
    ]
    many = [
        document(
            str(k),
            [span(5 * j, 5 * j + 1) for j in range(6)],
            [span(5 * j, 5 * j + 2 - hit) for j in range(6)],
        )
        for k, hit in enumerate(hits)
    ]
    one = span_scores(few, matching="exact", level=0.95)[1]
    six = span_scores(many, matching="exact", level=0.95)[1]
    assert (six.value, six.n) == (one.value, 40)
    assert (six.low, six.high) == (pytest.approx(one.low), pytest.approx(one.high))


def test_all_right_has_a_limit_by_documents() -> None:
    same = [document(str(k), [span(0, 1), span(2, 3)], [span(0, 1), span(2, 3)]) for k in range(20)]
    found = span_scores(same, matching="exact", level=0.95)[0]
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 20))


def test_nine_documents_give_no_interval() -> None:
    same = [document(str(k), [span(0, 1)], [span(0, 1)]) for k in range(9)]
    assert span_scores(same, matching="exact", level=0.95)[0].low is None


def test_a_document_named_twice_is_refused() -> None:
    with pytest.raises(SampleMalformed):
        span_scores([document("a", [], []), document("a", [], [])], matching="exact", level=0.95)


@pytest.mark.parametrize(("start", "end"), [(3, 3), (4, 3), (-1, 2)])
def test_a_span_that_holds_nothing_is_refused(start: int, end: int) -> None:
    with pytest.raises(SampleMalformed):
        span(start, end)
