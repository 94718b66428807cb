"""How far a long reading has come: an iterator laid around the rows, and nothing else.

Whoever reads everything passes its rows through `Watch.rows`, or lists of them through
`Watch.blocks`, under the name of the phase. The watch may count, pause or end the reading by
raising; what is read and what is found stay the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Final, Literal, Protocol, TypeVar

Phase = Literal["entries", "checkpoints", "witnesses", "rows", "counts"]
T = TypeVar("T")
B = TypeVar("B", bound=Sized)


class Watch(Protocol):
    """Sees the rows of each phase go by."""

    def rows(self, phase: Phase, rows: Iterable[T]) -> Iterator[T]:
        """Give the rows on, in order."""
        ...

    def blocks(self, phase: Phase, blocks: Iterable[B]) -> Iterator[B]:
        """Give lists of rows on, in order; what counts are the rows."""
        ...


class _Unwatched:
    def rows(self, phase: Phase, rows: Iterable[T]) -> Iterator[T]:
        return iter(rows)

    def blocks(self, phase: Phase, blocks: Iterable[B]) -> Iterator[B]:
        return iter(blocks)


UNWATCHED: Final[Watch] = _Unwatched()
