"""Precision, recall and F1 of facts read out of documents: by span, and by criterion.

Definition: a span has a start, an end (exclusive) and a kind. Exact: the same three. Overlap: the
    same kind and at least one shared character, each span used once, by a largest one-to-one
    matching, so that one long guess does not find ten. By criterion: each document answers each
    criterion with a value or not at all; right is the same value.
Formula: with tp, g, r the matched, guessed and reference items of all documents together (micro):
    precision = tp/g, recall = tp/r, F1 = 2 tp/(g + r). The document is the subject: influence of
    document d on F1 is (2 tp_d - F1 (g_d + r_d))/(g + r), and likewise for the others; logit scale,
    t quantile of (documents with an item) - 1 degrees.
Source: Nadeau and Sekine (2007), Lingvisticae Investigationes 30(1), 3-26, section 4 (exact and
    relaxed matching); Cochran (1977), Sampling Techniques, section 6.3 (ratio of sums).
Assumptions: documents are independent; the reference standard is complete.
Failure modes: nothing guessed: precision is undefined, not zero. A document without reference items
    counts only through what was wrongly guessed there. A value of exactly 0 or 1 has a limit by
    documents, as if each were one item. Micro averages hide a rare kind: read them by kind.
Cost: a matching a document: items times overlapping pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from audits.errors import SampleMalformed
from audits.estimate import Estimate
from audits.intervals.proportion import clopper_pearson
from audits.performance.influence import MINIMUM_CLUSTERS, limits, too_few

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

Matching: TypeAlias = Literal["exact", "overlap"]

METHOD: Final = "ratio of sums by document, logit, t, v1"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """Characters `start` to `end` (exclusive) of a document, of one `kind`."""

    start: int
    end: int
    kind: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise _malformed(f"a span from {self.start} to {self.end} holds nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document: the spans of the reference standard and those that were guessed."""

    id: str
    reference: tuple[Span, ...]
    guessed: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One document's values by criterion; a criterion without a value is left out."""

    id: str
    reference: Mapping[str, str]
    guessed: Mapping[str, str]


def span_scores(
    documents: Sequence[Document],
    *,
    matching: Matching,
    level: float,
    kind: str | None = None,
) -> tuple[Estimate, ...]:
    """Return precision, recall and F1 of spans, named "precision@exact" and so on.

    With `kind` of that kind alone, as the population "kind=…".
    """
    _distinct([one.id for one in documents])
    counts = []
    for one in documents:
        reference = sorted({span for span in one.reference if kind in (None, span.kind)})
        guessed = sorted({span for span in one.guessed if kind in (None, span.kind)})
        counts.append((_matched(reference, guessed, matching), len(guessed), len(reference)))
    return _scores(
        counts,
        suffix=matching,
        level=level,
        population="all" if kind is None else f"kind={kind}",
    )


def criterion_scores(answers: Sequence[Answers], *, level: float) -> tuple[Estimate, ...]:
    """Return precision, recall and F1 of criteria, named "precision@criterion" and so on."""
    _distinct([one.id for one in answers])
    counts = [
        (
            sum(one.guessed.get(name) == value for name, value in one.reference.items()),
            len(one.guessed),
            len(one.reference),
        )
        for one in answers
    ]
    return _scores(counts, suffix="criterion", level=level, population="all")


def _matched(reference: Sequence[Span], guessed: Sequence[Span], matching: Matching) -> int:
    if matching == "exact":
        return len(set(reference) & set(guessed))
    partners: dict[int, int] = {}
    overlapping = [
        [k for k, other in enumerate(reference) if _overlap(span, other)] for span in guessed
    ]
    return sum(_augment(g, overlapping, partners) for g in range(len(guessed)))


def _augment(first: int, overlapping: Sequence[Sequence[int]], partners: dict[int, int]) -> bool:
    """Find a partner for the guess `first`, moving others along; breadth first, no recursion."""
    came_from: dict[int, int] = {}
    waiting = [first]
    for guess in waiting:
        for reference in overlapping[guess]:
            if reference in came_from:
                continue
            came_from[reference] = guess
            if reference in partners:
                waiting.append(partners[reference])
                continue
            _shift(reference, came_from, partners, first=first)
            return True
    return False


def _shift(
    reference: int, came_from: Mapping[int, int], partners: dict[int, int], *, first: int
) -> None:
    held = {guess: place for place, guess in partners.items()}
    while True:
        guess = came_from[reference]
        partners[reference] = guess
        if guess == first:
            return
        reference = held[guess]


def _overlap(one: Span, other: Span) -> bool:
    return one.kind == other.kind and one.start < other.end and other.start < one.end


def _scores(
    counts: Sequence[tuple[int, int, int]], *, suffix: str, level: float, population: str
) -> tuple[Estimate, ...]:
    import numpy as np

    found, guessed, reference = np.asarray(counts, dtype=np.float64).reshape(-1, 3).T
    return (
        _ratio(f"precision@{suffix}", found, guessed, level=level, population=population),
        _ratio(f"recall@{suffix}", found, reference, level=level, population=population),
        _ratio(f"f1@{suffix}", 2 * found, guessed + reference, level=level, population=population),
    )


def _ratio(metric: str, top: Floats, bottom: Floats, *, level: float, population: str) -> Estimate:
    total, documents = float(bottom.sum()), int((bottom > 0).sum())
    value: float | None = None
    low, high, note = None, None, "no item is in the denominator"
    if total > 0:
        value = float(top.sum()) / total
        note = too_few(documents, MINIMUM_CLUSTERS, "documents")
        if not note:
            low, high = _limits(value, (top - value * bottom) / total, documents, level=level)
    return Estimate(
        metric=metric,
        value=value,
        low=low,
        high=high,
        level=level,
        n=documents,
        unit="document",
        method=METHOD,
        source="sample",
        population=population,
        note=note,
    )


def _limits(
    value: float, influence: Floats, documents: int, *, level: float
) -> tuple[float, float]:
    if value in (0.0, 1.0):
        return clopper_pearson(int(value) * documents, documents, level=level)
    squares = float(influence @ influence) * documents / (documents - 1)
    return limits(value, squares**0.5, level=level, scale="logit", df=documents - 1)


def _distinct(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise _malformed("a document is there once")


def _malformed(fault: str) -> SampleMalformed:
    return SampleMalformed(fault, next_step="Correct the documents or their annotation.")
