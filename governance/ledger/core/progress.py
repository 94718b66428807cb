"""How far a long reading has come: an iterator laid around the rows, and nothing else.

Whoever reads everything passes its rows through `Watch.rows` under the name of the phase. The watch
may count, pause or end the reading by raising; what is read and what is found stay the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, Protocol, TypeVar

Phase = Literal["entries", "checkpoints", "witnesses", "rows", "counts"]
T = TypeVar("T")


class Watch(Protocol):
    """Sees the rows of each phase go by."""

    def rows(self, phase: Phase, rows: Iterable[T]) -> Iterator[T]:
        """Give the rows on, in order."""
        ...


class _Unwatched:
    def rows(self, phase: Phase, rows: Iterable[T]) -> Iterator[T]:
        return iter(rows)


UNWATCHED: Final[Watch] = _Unwatched()
