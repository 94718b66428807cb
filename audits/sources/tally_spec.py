"""What is counted: axes, tables of them, sums, and the subject behind the rows; frozen (P4).

Definition: a specification names axes, columns that are summed, and tables, each a cross-tabulation
    of axes. Its digest is what two tallies must share before they are added.
Formula: a row falls into the cell sum over axes of code x stride, the last axis fastest. A value x
    is summed as f = floor(x S + 1/2), S = 10^scale, where low <= x <= high: a 64-bit integer, so
    that sums are exact, commutative and alike on every engine; f^2 is summed beside it.
    Measures of a table: count; for each summed column c: c.n (values that were summed), c.sum,
    c.squares, c.outside (values that are there but not within low and high).
Source: the house definition of the `Tally` source.
Assumptions: one row is one unit, or belongs to the subject that `subject` names.
Failure modes: a table has at most MAX_CELLS cells, and |f| stays below 2^31, so that a square is a
    64-bit integer; what is asked beyond is refused here and not while counting.
Cost: constant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from math import prod
from typing import Final, Protocol, TypeVar

from audits.errors import TallySpecMalformed
from audits.estimate import Json
from audits.sources.axes import Axis, axis_from_record
from audits.sources.strict import Members, decimal_record, integer_record, text_of

SCHEMA: Final = "tally-spec/1"
MAX_CELLS: Final = 2**20
MAX_TABLES: Final = 1000
MAX_REPLICATES: Final = 2000
MAX_REPLICATED: Final = 2**24
"""Numbers that all replicates of one table may hold together."""
MAX_SCALE: Final = 9
FIXED_LIMIT: Final = 2**31 - 1
COUNT: Final = "count"

_T = TypeVar("_T")
_R_co = TypeVar("_R_co", covariant=True)


class _Read(Protocol[_R_co]):
    def __call__(self, record: Json, /, *, where: str) -> _R_co: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SumColumn:
    """A column that is summed with `scale` decimals; values outside [low, high] are only counted.

    One subject changes a sum by no more than the limits allow, which is why they are stated.
    """

    id: str
    column: str
    scale: int
    low: Decimal
    high: Decimal

    def __post_init__(self) -> None:
        if not 0 <= self.scale <= MAX_SCALE or self.low >= self.high:
            raise _malformed(f"the sum {self.id!r} has 0 to {MAX_SCALE} decimals and low < high")
        if max(abs(self.low), abs(self.high)) * self.factor > FIXED_LIMIT:
            raise _malformed(f"the sum {self.id!r} does not fit 32 bits at its scale and limits")

    @property
    def factor(self) -> int:
        """How many steps make one: 10^scale."""
        return int(10**self.scale)

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that this column adds to a table."""
        return tuple(f"{self.id}.{name}" for name in ("n", "sum", "squares", "outside"))

    def as_record(self) -> dict[str, Json]:
        """Return the sum in the JSON domain."""
        return {
            "id": self.id,
            "column": self.column,
            "scale": self.scale,
            "low": decimal_record(self.low),
            "high": decimal_record(self.high),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A cross-tabulation of `axes`, with the sums `sums` in each cell.

    `moments` keeps, for each pair of cells, the sum over subjects of n_sa n_sb; `replicated` keeps
    the Poisson-weighted replicates. Either lets a method see how rows of one subject hang together.
    """

    id: str
    axes: tuple[str, ...]
    sums: tuple[str, ...] = ()
    moments: bool = False
    replicated: bool = False

    @property
    def by_subject(self) -> bool:
        """Whether the table holds a subject term."""
        return self.moments or self.replicated

    def as_record(self) -> dict[str, Json]:
        """Return the table in the JSON domain."""
        return {
            "id": self.id,
            "axes": list(self.axes),
            "sums": list(self.sums),
            "moments": self.moments,
            "replicated": self.replicated,
        }


@dataclass(frozen=True, kw_only=True)
class TallySpec:
    """Everything that decides what is counted. `subject` is a column, of which `unit` is the word.

    Subjects are whole numbers, or texts of which the number is `subjects.subject_number`. Without
    `subject` nobody knows whether rows repeat, and no interval is given (P8).
    """

    id: str
    axes: tuple[Axis, ...]
    tables: tuple[TableSpec, ...]
    sums: tuple[SumColumn, ...] = ()
    subject: str | None = None
    unit: str = "subject"
    replicates: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for what, names in (
            ("axes", [one.id for one in self.axes]),
            ("sums", [one.id for one in self.sums]),
            ("tables", [one.id for one in self.tables]),
        ):
            if len(set(names)) != len(names):
                raise _malformed(f"two {what} share an id")
        if not 1 <= len(self.tables) <= MAX_TABLES:
            raise _malformed(f"there are 1 to {MAX_TABLES} tables")
        if not 0 <= self.replicates <= MAX_REPLICATES or not 0 <= self.seed < 2**63:
            raise _malformed(f"there are 0 to {MAX_REPLICATES} replicates, and a seed below 2^63")
        for table in self.tables:
            self._check(table)

    def _check(self, table: TableSpec) -> None:
        known = {one.id for one in self.axes}, {one.id for one in self.sums}
        if not table.axes or len(set(table.axes)) != len(table.axes) or set(table.axes) - known[0]:
            raise _malformed(f"the table {table.id!r} names axes that there are, each once")
        if len(set(table.sums)) != len(table.sums) or set(table.sums) - known[1]:
            raise _malformed(f"the table {table.id!r} names sums that there are, each once")
        if prod(self.shape(table.id)) > MAX_CELLS:
            raise _malformed(f"the table {table.id!r} has more than {MAX_CELLS} cells")
        if table.by_subject and self.subject is None:
            raise _malformed(f"the table {table.id!r} has a subject term, but no subject is named")
        if table.replicated and self.replicates == 0:
            raise _malformed(f"the table {table.id!r} is replicated, but there are no replicates")
        numbers = prod(self.shape(table.id)) * len(self.measures(table.id)) * self.replicates
        if table.replicated and numbers > MAX_REPLICATED:
            raise _malformed(f"the replicates of {table.id!r} hold more than {MAX_REPLICATED}")

    def table(self, table: str) -> TableSpec:
        """Return the table of this id; raise TallySpecMalformed where there is none."""
        return _named({one.id: one for one in self.tables}, table, "table")

    def axis(self, axis: str) -> Axis:
        """Return the axis of this id; raise TallySpecMalformed where there is none."""
        return _named({one.id: one for one in self.axes}, axis, "axis")

    def sum(self, column: str) -> SumColumn:
        """Return the summed column of this id; raise TallySpecMalformed where there is none."""
        return _named({one.id: one for one in self.sums}, column, "sum")

    def axes_of(self, table: str) -> tuple[Axis, ...]:
        """Return the axes of a table."""
        return tuple(self.axis(one) for one in self.table(table).axes)

    def shape(self, table: str) -> tuple[int, ...]:
        """Return how many codes each axis of a table has."""
        return tuple(axis.size for axis in self.axes_of(table))

    def cells(self, table: str) -> int:
        """Return how many cells a table has."""
        return prod(self.shape(table))

    def strides(self, table: str) -> tuple[int, ...]:
        """Return what a step along each axis adds to the number of a cell."""
        shape = self.shape(table)
        return tuple(prod(shape[place + 1 :]) for place in range(len(shape)))

    def measures(self, table: str) -> tuple[str, ...]:
        """Return the measures of a table, the count first."""
        sums = (self.sum(one).measures for one in self.table(table).sums)
        return (COUNT, *(name for names in sums for name in names))

    def as_record(self) -> dict[str, Json]:
        """Return the specification in the JSON domain."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "axes": [one.as_record() for one in self.axes],
            "sums": [one.as_record() for one in self.sums],
            "tables": [one.as_record() for one in self.tables],
            "subject": self.subject,
            "unit": self.unit,
            "replicates": self.replicates,
            "seed": integer_record(self.seed),
        }

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the specification's canonical JSON."""
        return digest_of(self.as_record())


def spec_from_record(record: Json, *, where: str = "") -> TallySpec:
    """Return the specification of a record.

    Raises RecordMalformed for another form, TallySpecMalformed for what contradicts itself.
    """
    members = Members(record, where=where)
    if members.text("schema") != SCHEMA:
        raise _malformed(f"its schema is not {SCHEMA}")
    name = members.name("id")
    axes = _each(members, "axes", axis_from_record)
    sums = _each(members, "sums", _sum)
    tables = _each(members, "tables", _table)
    subject, unit = members.optional_text("subject"), members.text("unit")
    replicates = members.integer("replicates", low=0, high=MAX_REPLICATES)
    seed = members.integer("seed", low=0, high=2**63 - 1)
    members.done()
    return TallySpec(
        id=name,
        axes=axes,
        sums=sums,
        tables=tables,
        subject=subject,
        unit=unit,
        replicates=replicates,
        seed=seed,
    )


def digest_of(record: Json) -> str:
    """Return the SHA-256 of a record's canonical JSON, as hexadecimal text."""
    return sha256(canonical_bytes(record)).hexdigest()


def canonical_bytes(record: Json) -> bytes:
    """Return RFC 8785 JSON of a record in our domain: sorted ASCII names, no spaces, no floats."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _sum(record: Json, *, where: str) -> SumColumn:
    members = Members(record, where=where)
    found = SumColumn(
        id=members.name("id"),
        column=members.text("column"),
        scale=members.integer("scale", low=0, high=MAX_SCALE),
        low=members.decimal("low"),
        high=members.decimal("high"),
    )
    members.done()
    return found


def _table(record: Json, *, where: str) -> TableSpec:
    members = Members(record, where=where)
    found = TableSpec(
        id=members.name("id"),
        axes=tuple(text_of(one, where=f"{where}.axes") for one in members.items("axes")),
        sums=tuple(text_of(one, where=f"{where}.sums") for one in members.items("sums")),
        moments=members.boolean("moments"),
        replicated=members.boolean("replicated"),
    )
    members.done()
    return found


def _each(members: Members, name: str, read: _Read[_R_co]) -> tuple[_R_co, ...]:
    found = members.items(name)
    place = members.place(name)
    return tuple(read(one, where=f"{place}[{number}]") for number, one in enumerate(found))


def _named(known: Mapping[str, _T], name: str, what: str) -> _T:
    if name not in known:
        raise _malformed(f"there is no {what} {name!r}")
    return known[name]


def _malformed(fault: str) -> TallySpecMalformed:
    return TallySpecMalformed(fault, next_step="Correct the specification before it is frozen.")
