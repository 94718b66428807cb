"""The anchored range as a bar: which entries somebody outside has vouched for (P3).

The bar is drawn by the server with lengths in per cent, and everything that it shows is in words
beside it: no reader needs to see it, and no colour tells what the pattern does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from governance.console.desk import LedgerHead
from governance.reports.wording import count_text

LEAST_PERCENT: Final = 2.0
"""A part that holds a few of millions of entries is still drawn, wider than it is."""
_TOGETHER_PERCENT: Final = 3.0
_EDGE_PERCENT: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Entries `first` to `last`, which share how far they are vouched for."""

    kind: str
    first: int
    last: int
    x: str
    width: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """How far one witness has come, or several who stand at one place; numbered as the table is."""

    x: str
    anchor: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchoredRange:
    """The bar: its parts from the first entry on, the witnesses' ticks, and both in words."""

    parts: tuple[Part, ...]
    ticks: tuple[Tick, ...]
    words: str


WORDS: Final = {
    "anchored": "under a checkpoint that a quorum of witnesses cosigned",
    "signed": "signed by this log alone",
    "waiting": "signed by this log alone, in a note that waits beside the database",
}


def anchored_range(head: LedgerHead) -> AnchoredRange:
    """Return the bar of a ledger's head."""
    anchored = min(head.anchored_size, head.size)
    stored = max(min(head.stored_size, head.size), anchored)
    bounds = [0, anchored, stored, head.size]
    edges = _edges(bounds)
    parts = tuple(
        Part(
            kind=kind,
            first=bounds[at],
            last=bounds[at + 1] - 1,
            x=_percent(edges[at]),
            width=_percent(edges[at + 1] - edges[at]),
            words=_part_words(bounds[at], bounds[at + 1], WORDS[kind]),
        )
        for at, kind in enumerate(WORDS)
        if bounds[at + 1] > bounds[at]
    )
    reaches = [
        f"Witness {number}, {one.name}, has cosigned up to size {one.size}"
        for number, one in enumerate(head.lags, start=1)
    ]
    words = "; ".join([*(part.words for part in parts), *reaches])
    return AnchoredRange(
        parts=parts,
        ticks=_ticks([_place(min(one.size, head.size), bounds, edges) for one in head.lags]),
        words=f"{words}." if words else "The ledger is empty.",
    )


def _part_words(begin: int, end: int, kind: str) -> str:
    count = count_text(end - begin, "entry", "entries")
    which = f"entry {begin}" if end - begin == 1 else f"entries {begin} to {end - 1}"
    return f"{count} ({which}) {kind}"


def _edges(bounds: Sequence[int]) -> list[float]:
    """Return where each bound stands in per cent; a part that is not empty can be seen."""
    size = bounds[-1]
    lengths = [
        max((end - begin) * 100 / size, LEAST_PERCENT) if end > begin else 0.0
        for begin, end in pairwise(bounds)
    ]
    total = sum(lengths) or 1.0
    edges = [0.0]
    for length in lengths:
        edges.append(edges[-1] + length * 100 / total)
    return edges


def _place(size: int, bounds: Sequence[int], edges: Sequence[float]) -> float:
    """Return where a size stands between the edges of its part."""
    for at in range(len(bounds) - 1):
        begin, end = bounds[at], bounds[at + 1]
        if begin < end and size <= end:
            share = (max(size, begin) - begin) / (end - begin)
            return edges[at] + share * (edges[at + 1] - edges[at])
    return edges[-1]


def _ticks(places: Sequence[float]) -> tuple[Tick, ...]:
    """Return the ticks; witnesses that stand too close to be told apart share one."""
    groups: list[tuple[float, list[int]]] = []
    for place, number in sorted(zip(places, range(1, len(places) + 1), strict=True)):
        if groups and place - groups[-1][0] < _TOGETHER_PERCENT:
            groups[-1][1].append(number)
        else:
            groups.append((place, [number]))
    return tuple(
        Tick(
            x=_percent(place),
            anchor="start"
            if place < _EDGE_PERCENT
            else "end"
            if place > 100 - _EDGE_PERCENT
            else "middle",
            label=", ".join(str(number) for number in sorted(numbers)),
        )
        for place, numbers in groups
    )


def _percent(number: float) -> str:
    return f"{number:.2f}%"
