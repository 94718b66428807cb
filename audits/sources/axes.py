"""Axes: how a value becomes a small whole number, once and for all, before anything is counted.

Definition: an axis names a column and freezes its bins. A category has declared levels; a number
    has edges e1 < ... < em, and a value x falls into the bin k of the edges with ek <= x < e(k+1).
Formula: code 0 is missing (NULL, NaN, no instant). A category's levels are 1 to k, and k + 1 is
    "(other)". A number's code is 1 + how many edges are <= x: 1 lies below all edges, m + 1 at or
    above the last; m + 2, "(other)", is kept for observations that were no number at all. These are
    the codes that a monitoring plan's observations have.
Source: the house definition of the `Tally` source; change_control/watch/bins.py codes answers so.
Assumptions: edges are exact decimals. An axis of floats compares doubles with the double nearest
    to the edge; integers and instants are compared with the edge rounded up (x >= 2.5 if and only
    if x >= 3), so that every engine decides alike. Times are microseconds UTC.
Failure modes: bins hide what happens inside them: `resolution` says how much. -0.0 is 0, infinities
    lie outside all edges. A level that was not declared is counted as other, never dropped (P8).
Cost: one binary search a value.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import TallySpecMalformed
from audits.estimate import Json
from audits.sources.sample import MISSING_TIME, Category
from audits.sources.strict import Members, decimal_of, decimal_record, malformed, text_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

MISSING: Final = "(missing)"
OTHER: Final = "(other)"
BELOW: Final = "below"
MISSING_CODE: Final = 0
MAX_LEVELS: Final = 10_000
MAX_EDGES: Final = 10_000
"""More bins than this are a copy of the data, and a statement that no engine wants to read."""


class NumberType(StrEnum):
    """What stands in a numeric column."""

    FLOAT = "float"
    INTEGER = "integer"
    TIME = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryAxis:
    """A column of labels; the order of `levels` is the order of the codes."""

    id: str
    column: str
    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.levels) <= MAX_LEVELS or len(set(self.levels)) != len(self.levels):
            raise _malformed(self.id, f"names 1 to {MAX_LEVELS} levels, each once")
        if {MISSING, OTHER} & set(self.levels):
            raise _malformed(
                self.id, f"cannot have {MISSING} or {OTHER} as a level: they are given"
            )

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.levels) + 2

    def labels(self) -> tuple[str, ...]:
        """Return the words of the codes, in order."""
        return (MISSING, *self.levels, OTHER)

    def code(self, label: str) -> int:
        """Return the code of a label; raise TallySpecMalformed where there is none."""
        return _code(self.id, self.labels(), label)

    def numbers(self) -> dict[int, int]:
        """Return number -> code of the levels that are whole numbers, for numeric columns."""
        return {
            int(level): code
            for code, level in enumerate(self.levels, start=1)
            if level.lstrip("-").isdecimal() and str(int(level)) == level
        }

    def codes_of(self, column: Category | Floats | Ints) -> Ints:
        """Return the codes (n) of a column of labels, or of one of numbers."""
        import numpy as np

        other = self.size - 1
        if isinstance(column, Category):
            known = {level: code for code, level in enumerate(self.levels, start=1)}
            table = np.array([known.get(one, other) for one in column.levels] + [0], dtype=np.int64)
            return table[column.codes]
        codes = np.full(column.shape, other, dtype=np.int64)
        for number, code in self.numbers().items():
            codes[column == number] = code
        if column.dtype.kind == "f":
            codes[np.isnan(column)] = MISSING_CODE
        return codes

    def as_record(self) -> dict[str, Json]:
        """Return the axis in the JSON domain."""
        return {
            "kind": "category", "id": self.id, "column": self.column, "levels": list(self.levels),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAxis:
    """A column of numbers or instants, and the edges between which they are counted."""

    id: str
    column: str
    edges: tuple[Decimal, ...]
    type: NumberType = NumberType.FLOAT

    def __post_init__(self) -> None:
        pairs = zip(self.edges, self.edges[1:], strict=False)
        if not 1 <= len(self.edges) <= MAX_EDGES or any(low >= high for low, high in pairs):
            raise _malformed(self.id, f"has 1 to {MAX_EDGES} edges, each larger than the last")
        compared = self.integers if self.type is not NumberType.FLOAT else self.floats
        if len(set(compared)) != len(compared):
            raise _malformed(self.id, "has edges that its type of number cannot tell apart")
        if self.type is NumberType.FLOAT:
            return
        if not all(MISSING_TIME < edge < 2**63 for edge in self.integers):
            raise _malformed(self.id, "has an edge that is no 64-bit integer")

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.edges) + 3

    @property
    def floats(self) -> tuple[float, ...]:
        """The edges that a column of floats is compared with."""
        return tuple(float(edge) for edge in self.edges)

    @property
    def integers(self) -> tuple[int, ...]:
        """The edges that a column of integers is compared with: rounded up."""
        return tuple(int(edge.to_integral_value(rounding=ROUND_CEILING)) for edge in self.edges)

    def labels(self) -> tuple[str, ...]:
        """Return the words of the codes, in order: `[a, b)` is a bin."""
        texts = [decimal_record(edge) for edge in self.edges]
        bins = [f"[{low}, {high})" for low, high in itertools.pairwise(texts)]
        return (MISSING, f"{BELOW} {texts[0]}", *bins, f"{texts[-1]} or more", OTHER)

    def code(self, label: str) -> int:
        """Return the code of a label; raise TallySpecMalformed where there is none."""
        return _code(self.id, self.labels(), label)

    def code_of(self, value: float | None) -> int:
        """Return the code of one value: what every engine has to agree with."""
        if value is None or math.isnan(value):
            return MISSING_CODE
        whole = type(value) is int and self.type is not NumberType.FLOAT
        edges = self.integers if whole else self.floats
        return 1 + sum(edge <= value for edge in edges)

    def codes_of(self, column: Floats | Ints) -> Ints:
        """Return the codes (n) of a column of floats, or of integers with MISSING_TIME missing."""
        import numpy as np

        if self.type is NumberType.FLOAT or column.dtype.kind == "f":
            floats = column.astype(np.float64)
            codes = np.searchsorted(np.array(self.floats), floats, side="right") + 1
            missing = np.isnan(floats)
        else:
            edges = np.array(self.integers, dtype=np.int64)
            codes = np.searchsorted(edges, column, side="right") + 1
            missing = (column == MISSING_TIME) & (self.type is NumberType.TIME)
        codes[missing] = MISSING_CODE
        return codes.astype(np.int64, copy=False)

    def as_record(self) -> dict[str, Json]:
        """Return the axis in the JSON domain."""
        return {
            "kind": "number",
            "id": self.id,
            "column": self.column,
            "type": self.type.value,
            "edges": [decimal_record(edge) for edge in self.edges],
        }


Axis: TypeAlias = CategoryAxis | NumberAxis


def axis_from_record(record: Json, *, where: str) -> Axis:
    """Return the axis of a record; raise RecordMalformed or TallySpecMalformed."""
    members = Members(record, where=where)
    kind = members.text("kind")
    if kind == "category":
        return _category(members, where)
    if kind == "number":
        return _number(members, where)
    raise malformed(f"{where}.kind", "is neither category nor number")


def _category(members: Members, where: str) -> CategoryAxis:
    name, column = members.name("id"), members.text("column")
    levels = [text_of(one, where=f"{where}.levels") for one in members.items("levels")]
    members.done()
    return CategoryAxis(id=name, column=column, levels=tuple(levels))


def _number(members: Members, where: str) -> NumberAxis:
    name, column, kind = members.name("id"), members.text("column"), members.text("type")
    edges = [decimal_of(one, where=f"{where}.edges") for one in members.items("edges")]
    members.done()
    if kind not in set(NumberType):
        raise malformed(f"{where}.type", "is none of float, integer, time")
    return NumberAxis(id=name, column=column, type=NumberType(kind), edges=tuple(edges))


def _code(axis: str, labels: tuple[str, ...], label: str) -> int:
    if label not in labels:
        raise _malformed(axis, "has no bin or level of this name")
    return labels.index(label)


def _malformed(axis: str, fault: str) -> TallySpecMalformed:
    return TallySpecMalformed(
        f"the axis {axis!r} {fault}", next_step="Correct the specification before it is frozen."
    )
