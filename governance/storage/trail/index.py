"""The index of the trail: shapes of entries in memory, derived from the ledger and nothing else.

A log of a million entries has few shapes, because answers under one release look alike. So the
index keeps each shape once, with the numbers of its entries; a search looks at shapes, a count is
two bisections, and the entries themselves are read for the hits alone. It is caught up by whoever
searches, from the last entry that it knows; finished segments are kept in a file of the home
(`segments`), so the next process need not read the log again.
"""

from __future__ import annotations

import heapq
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.view import LedgerView
from governance.storage.trail.facets import Facets, Models, Wanted, facets_of
from governance.storage.trail.reading import NAMED, Names, TrailEntry, read_entries, read_entry
from governance.storage.trail.segments import SEGMENT, Segments

INDEX_NAME: Final = "trail.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One shape with the numbers of its entries, ascending."""

    facets: Facets
    seqs: Sequence[int]

    def count(self, first: int, end: int) -> int:
        """Return how many of its entries lie in [first, end)."""
        return bisect_left(self.seqs, end) - bisect_left(self.seqs, first)


class TrailIndex:
    """See the module. Any thread may search."""

    def __init__(self, *, ledger: LedgerView, path: Path, key: bytes) -> None:
        """Take the ledger; `path` is the file, `key` seals what is in it."""
        self._ledger = ledger
        self._segments = Segments(path, key=key, origin=ledger.origin)
        self._lock = threading.Lock()
        self._shapes: list[Facets] = []
        self._ids: dict[Facets, int] = {}
        self._where: list[array[int]] = []
        self._at = array("I")
        self._terms: dict[tuple[str, str], list[int]] = {}
        self._kinds: dict[str, list[int]] = {}
        self._models = Models()
        self._names = Names()
        self._naming: list[int] = []
        self._named_until = 0

    def catch_up(self) -> int:
        """Index every published entry; return how many there are."""
        size = self._ledger.head()[0]
        with self._lock:
            while len(self._at) < size:
                self._take_segment(size)
            for seq in self._naming[self._named_until :]:
                self._names.learn(read_entry(self._ledger, seq))
            self._named_until = len(self._naming)
        return size

    def find(self, wanted: Wanted) -> list[Found]:
        """Return the shapes that are wanted, of all entries that are indexed."""
        with self._lock:
            return [
                Found(facets=self._shapes[place], seqs=self._where[place])
                for place in self._candidates(wanted)
                if wanted.matches(self._shapes[place])
            ]

    def entry(self, seq: int) -> tuple[TrailEntry, Facets, str]:
        """Return an entry from the ledger with its facets and its actor's printed name then.

        Raises LedgerTampered where the entry is not what was indexed: one of both was changed.
        """
        entry = read_entry(self._ledger, seq)
        with self._lock:
            facets = facets_of(entry.kind, entry.facts, self._models)
            if facets != self._shapes[self._at[seq]]:
                raise LedgerTampered("the index knows another entry of this number", sequence=seq)
            return entry, facets, self._names.at(facets, seq)

    def kinds(self) -> list[str]:
        """Return the kinds of entry that there are."""
        with self._lock:
            return sorted(self._kinds)

    # --- deriving ----------------------------------------------------------------------------

    def _take_segment(self, size: int) -> None:
        first = len(self._at)
        number, inside = divmod(first, SEGMENT)
        end = (number + 1) * SEGMENT
        whole = end <= size
        if whole and not inside:
            kept = self._segments.load(number, leaf=self._ledger.tree.leaf(end - 1))
            if kept is not None and len(kept) == SEGMENT:
                self._add(kept)
                return
        self._add(
            facets_of(entry.kind, entry.facts, self._models)
            for entry in read_entries(self._ledger, first, min(end, size))
        )
        if whole:
            facets = [self._shapes[place] for place in self._at[end - SEGMENT : end]]
            self._segments.keep(number, facets, leaf=self._ledger.tree.leaf(end - 1))

    def _add(self, entries: Iterable[Facets]) -> None:
        for facets in entries:
            place = self._ids.get(facets)
            if place is None:
                place = self._new_shape(facets)
            seq = len(self._at)
            if facets.changed:
                self._models.learn(facets)
                if any(record.startswith(NAMED) for record in facets.changed):
                    self._naming.append(seq)
            self._where[place].append(seq)
            self._at.append(place)

    def _new_shape(self, facets: Facets) -> int:
        place = self._ids[facets] = len(self._shapes)
        self._shapes.append(facets)
        self._where.append(array("Q"))
        self._kinds.setdefault(facets.kind, []).append(place)
        for term in (
            ("actor", facets.actor),
            ("model", facets.model),
            *(("record", record) for record in facets.changed + facets.named),
        ):
            self._terms.setdefault(term, []).append(place)
        return place

    def _candidates(self, wanted: Wanted) -> Iterable[int]:
        """Return the shapes of the rarest exact term that is asked for, or all of them."""
        asked: list[list[int]] = [
            self._terms.get((name, value), [])
            for name, value in (
                ("actor", wanted.actor),
                ("record", wanted.record),
                ("model", wanted.model),
            )
            if value is not None
        ]
        if wanted.kind is not None:
            asked.append(
                [
                    place
                    for kind, places in self._kinds.items()
                    if wanted.matches_kind(kind)
                    for place in places
                ]
            )
        if asked:
            return min(asked, key=list.__len__)
        return range(len(self._shapes))


def in_order(
    found: Sequence[Found], *, first: int, end: int, limit: int, newest_first: bool
) -> list[int]:
    """Return the numbers of the first `limit` entries in [first, end), in either direction."""
    runs = [_run(one.seqs, first, end, newest_first=newest_first) for one in found]
    return list(islice(heapq.merge(*runs, reverse=newest_first), limit))


def _run(seqs: Sequence[int], first: int, end: int, *, newest_first: bool) -> Iterator[int]:
    low, high = bisect_left(seqs, first), bisect_left(seqs, end)
    places = range(high - 1, low - 1, -1) if newest_first else range(low, high)
    return (seqs[place] for place in places)
