"""A table of rows under its manifest, and the sample of an audit that is taken from it.

Definition: a text in CSV becomes typed columns; every fault is named with its line, up to a limit,
    and a table with a fault is refused whole, so that nothing is dropped on the way (P8).
Assumptions: RFC 4180 with a header that names exactly the columns of the manifest, in any order.
Failure modes: a text that is not one of a category's levels is a fault and never a new level; the
    value itself is not quoted, because it may be a patient's (P15).
Cost: one pass over the text, then one over each column; about 1 microsecond a cell.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.sources.sample import MISSING_TIME, Category, Sample
from models.dataset import Column, ColumnKind, Manifest
from models.errors import ContractRefused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

MAX_ROWS: Final = 2_000_000
MAX_FAULTS: Final = 20
_NUMBER: Final = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _nothing() -> Mapping[str, Floats]:
    return MappingProxyType({})


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Typed columns of one length; see `Sample` for how a missing value is written.

    `keys` are identifiers, whose codes (n, int64) say only which rows have the same one.
    """

    rows: int
    unit: str
    keys: Mapping[str, Ints] = field(default_factory=lambda: MappingProxyType({}))
    numbers: Mapping[str, Floats] = field(default_factory=_nothing)
    categories: Mapping[str, Category] = field(default_factory=lambda: MappingProxyType({}))
    times: Mapping[str, Ints] = field(default_factory=lambda: MappingProxyType({}))

    def sample(
        self,
        *,
        subject: str | None = None,
        label: str | None = None,
        score: str | None = None,
        decision: str | None = None,
        numbers: Sequence[str] = (),
        categories: Sequence[str] = (),
        times: Sequence[str] = (),
    ) -> Sample:
        """Return the rows with the columns in their roles; without `subject` each row is its own.

        Raises ContractRefused naming each column that the table does not have in that kind.
        """
        import numpy as np

        faults = [
            f"there is no {kind} column {name!r}"
            for kind, wanted, there in (
                ("key", [subject], self.keys),
                ("number", [label, score, decision, *numbers], self.numbers),
                ("category", categories, self.categories),
                ("time", times, self.times),
            )
            for name in wanted
            if name is not None and name not in there
        ]
        if faults:
            raise _refused(faults)
        return Sample(
            subject=np.arange(self.rows) if subject is None else self.keys[subject],
            label=None if label is None else self.numbers[label],
            score=None if score is None else self.numbers[score],
            decision=None if decision is None else _decisions(self.numbers[decision], decision),
            numbers={name: self.numbers[name] for name in numbers},
            categories={name: self.categories[name] for name in categories},
            times={name: self.times[name] for name in times},
            unit=self.unit,
        )


def read_table(text: str, manifest: Manifest) -> Table:
    """Return the table that `text` holds under its manifest.

    Raises ContractRefused with every fault found, up to MAX_FAULTS.
    """
    names, rows = _cells(text, manifest)
    faults: list[str] = []
    keys: dict[str, Ints] = {}
    numbers: dict[str, Floats] = {}
    categories: dict[str, Category] = {}
    times: dict[str, Ints] = {}
    described = {column.name: column for column in manifest.columns}
    for at, name in enumerate(names):
        column, cells = described[name], [row[at] for row in rows]
        match column.kind:
            case ColumnKind.KEY:
                keys[name] = _keys(cells, column, faults)
            case ColumnKind.NUMBER:
                numbers[name] = _numbers(cells, column, faults)
            case ColumnKind.CATEGORY:
                categories[name] = _category(cells, column, faults)
            case ColumnKind.TIME:
                times[name] = _times(cells, column, faults)
    if faults:
        raise _refused(faults)
    return Table(
        rows=len(rows),
        unit=manifest.unit,
        keys=keys,
        numbers=numbers,
        categories=categories,
        times=times,
    )


def _cells(text: str, manifest: Manifest) -> tuple[list[str], list[list[str]]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        names = next(reader, [])
        rows: list[list[str]] = []
        for row in reader:
            if len(row) != len(names):
                raise _refused([f"line {reader.line_num} has {len(row)} cells, not {len(names)}"])
            if len(rows) >= MAX_ROWS:
                raise _refused([f"there are more than {MAX_ROWS} rows"])
            rows.append(row)
    except csv.Error as error:
        raise _refused([f"line {reader.line_num} is not CSV"]) from error
    wanted = {column.name for column in manifest.columns}
    faults = [f"the column {name!r} is missing" for name in sorted(wanted - set(names))]
    if set(names) - wanted:
        faults.append(f"{len(set(names) - wanted)} columns are not in the manifest")
    if len(set(names)) != len(names):
        faults.append("a column is named twice")
    if not rows:
        faults.append("there are no rows")
    if faults:
        raise _refused(faults)
    return names, rows


def _line(at: int) -> int:
    """Return the line of row `at`, as it is where no cell holds a line break."""
    return at + 2


def _fault(faults: list[str], column: Column, at: int, what: str) -> None:
    if len(faults) < MAX_FAULTS:
        faults.append(f"line {_line(at)}, column {column.name!r}: {what}")


def _keys(cells: list[str], column: Column, faults: list[str]) -> Ints:
    import numpy as np

    codes: dict[str, int] = {}
    missing = frozenset(column.missing)
    for at, cell in enumerate(cells):
        if cell in missing:
            _fault(faults, column, at, "an identifier is missing")
        codes.setdefault(cell, len(codes))
    return np.array([codes[cell] for cell in cells], dtype=np.int64)


def _numbers(cells: list[str], column: Column, faults: list[str]) -> Floats:
    import numpy as np

    missing = frozenset(column.missing)
    values = np.full(len(cells), np.nan)
    for at, cell in enumerate(cells):
        if cell in missing:
            continue
        if _NUMBER.fullmatch(cell) is None or not np.isfinite(float(cell)):
            _fault(faults, column, at, "it is not a decimal number")
        else:
            values[at] = float(cell)
    return values


def _category(cells: list[str], column: Column, faults: list[str]) -> Category:
    import numpy as np

    missing = frozenset(column.missing)
    codes = {level: code for code, level in enumerate(column.levels)}
    found = np.full(len(cells), -1, dtype=np.int32)
    for at, cell in enumerate(cells):
        code = codes.get(cell)
        if code is not None:
            found[at] = code
        elif cell not in missing:
            _fault(faults, column, at, "it is none of the levels")
    return Category(codes=found, levels=column.levels)


def _times(cells: list[str], column: Column, faults: list[str]) -> Ints:
    import numpy as np

    missing = frozenset(column.missing)
    values = np.full(len(cells), MISSING_TIME, dtype=np.int64)
    for at, cell in enumerate(cells):
        if cell in missing:
            continue
        instant = instant_us(cell)
        if instant is None:
            _fault(faults, column, at, "it is not a year, month, day or UTC instant")
        else:
            values[at] = instant
    return values


def instant_us(text: str) -> int | None:
    """Return the first microsecond (UTC) of a year, month or day, or an instant; None if neither.

    An instant has to name its offset from UTC.
    """
    whole = _DATE.fullmatch(text)
    try:
        if whole is not None:
            year, month, day = (int(part or 1) for part in whole.groups())
            instant = datetime(year, month, day, tzinfo=UTC)
        else:
            instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        return None
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _decisions(values: Floats, name: str) -> NDArray[np.int8]:
    import numpy as np

    known = ~np.isnan(values)
    if not np.isin(values[known], (0.0, 1.0)).all():
        raise _refused([f"the column {name!r} of decisions holds something beside 0 and 1"])
    decisions = np.full(values.size, -1, dtype=np.int8)
    decisions[known] = values[known].astype(np.int8)
    return decisions


def _refused(faults: list[str]) -> ContractRefused:
    return ContractRefused(
        f"the table does not keep its manifest: {'; '.join(faults)}",
        next_step="correct the file or its manifest, and register it again",
        faults=tuple(faults),
    )
