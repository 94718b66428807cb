"""Search the trail: by time, actor, record, kind and model (21 CFR 11.10(e), Annex 11).

The index says which entries; what is shown of them is read from the ledger and held against its
tree. The answer says over which entries it looked, so that what is missing can be told from what
is not there. Reading is no act and leaves no entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from governance.deployment import Deployment
from governance.home import Home
from governance.ledger.store.view import LedgerView
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Result
from governance.operations.trail.filters import TrailFilter
from governance.operations.trail.hits import TrailHit, hit_of
from governance.storage.open import inspect_storage
from governance.storage.trail.index import INDEX_NAME, Found, TrailIndex, in_order
from governance.storage.trail.reading import first_from
from governance.storage.trail.segments import sealing_key


class SearchTrail(TrailFilter):
    """A filter and a page of what it finds; `after` is the last entry of the page before."""

    limit: int = Field(default=50, ge=1, le=500)
    after: int | None = Field(default=None, ge=0)
    newest_first: bool = False


class AnswerLine(Result):
    """Answers, refusals or withheld answers of one release for one set of reasons, counted."""

    kind: str
    model: str
    release: str
    reasons: list[str]
    count: int


class TrailPage(Result):
    """What was found. `size` entries are in the ledger; [first, end) is what the times leave.

    `matched` counts what is listed, over all pages; `answers` what is only counted. `kinds` has
    both. `next_after` continues the list, None where it ends.
    """

    origin: str
    size: int
    first: int
    end: int
    matched: int
    kinds: dict[str, int]
    answers: list[AnswerLine]
    hits: list[TrailHit]
    next_after: int | None


def search_trail(deployment: Deployment, actor: Actor, request: SearchTrail) -> TrailPage:
    """Return a page of the entries that the filter finds."""
    del actor
    return search(deployment.ledger, deployment.trail, request)


def search_files(root: Path, params: Mapping[str, Any]) -> TrailPage:
    """Search a home's files, beside a server or without one; needs no session, like verifying."""
    home, request = Home.open(root), SEARCH_TRAIL.checked(params)
    with inspect_storage(home) as inspected:
        index = TrailIndex(
            ledger=inspected.ledger, path=home.root / INDEX_NAME, key=sealing_key(home)
        )
        return search(inspected.ledger, index, request)


def search(ledger: LedgerView, index: TrailIndex, request: SearchTrail) -> TrailPage:
    """Return a page of what the filter finds in the ledger."""
    wanted, since_us, until_us = request.wanted, request.since_us, request.until_us
    size = index.catch_up()
    first = 0 if since_us is None else first_from(ledger, since_us, size=size)
    end = size if until_us is None else first_from(ledger, until_us + 1, size=size)
    found = [one for one in index.find(wanted) if one.count(first, end)]
    listed = [one for one in found if request.answers or not one.facets.is_answer]
    seqs = in_order(
        listed,
        first=_first_of_page(request, first),
        end=_end_of_page(request, end),
        limit=request.limit + 1,
        newest_first=request.newest_first,
    )
    page, more = seqs[: request.limit], len(seqs) > request.limit
    return TrailPage(
        origin=ledger.origin,
        size=size,
        first=first,
        end=max(first, end),
        matched=sum(one.count(first, end) for one in listed),
        kinds=_kinds(found, first, end),
        answers=answer_lines([one for one in found if one.facets.is_answer], first, end),
        hits=[hit_of(*index.entry(seq)) for seq in page],
        next_after=page[-1] if more else None,
    )


def _first_of_page(request: SearchTrail, first: int) -> int:
    if request.after is None or request.newest_first:
        return first
    return max(first, request.after + 1)


def _end_of_page(request: SearchTrail, end: int) -> int:
    if request.after is None or not request.newest_first:
        return end
    return min(end, request.after)


def _kinds(found: Sequence[Found], first: int, end: int) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for one in found:
        counted[one.facets.kind] += one.count(first, end)
    return dict(sorted(counted.items()))


def answer_lines(found: Sequence[Found], first: int, end: int) -> list[AnswerLine]:
    """Return answers counted by kind, model, release and reasons."""
    counted: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
    for one in found:
        facets = one.facets
        key = (facets.kind, facets.model, facets.release, facets.reasons)
        counted[key] += one.count(first, end)
    return [
        AnswerLine(kind=kind, model=model, release=release, reasons=list(reasons), count=count)
        for (kind, model, release, reasons), count in sorted(counted.items())
    ]


SEARCH_TRAIL = Operation(
    name="trail.search", request=SearchTrail, kinds=(), run=search_trail, repeated="reads only"
)
