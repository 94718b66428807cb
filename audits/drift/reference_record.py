"""A reference as a record in the JSON domain, and back: exact, and nothing but what was written.

Definition: edges are written as the shortest decimal text that names the same double, counts as
    integers. A record with unknown, missing or misspelt members is refused.
Formula: none.
Source: Steele and White (1990), PLDI, 112-126 (shortest text that reads back as the same double).
Assumptions: doubles of IEEE 754.
Failure modes: a record that was edited to other numbers of the right shape is a different
    reference; its digest, kept by who stores it, tells the two apart.
Cost: linear in the cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.drift.grid import Buckets, Counts, NumberGrid, malformed
from audits.drift.reference import Column, LevelGrid, Reference
from audits.estimate import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

SCHEMA: Final = "drift-reference/1"
_TOP: Final = {"schema", "rows", "subjects", "unit", "columns"}
_COLUMN: Final = {"grid", "cells", "missing", "lowest", "highest", "effective"}
_NUMBER: Final = {"kind", "edges", "buckets"}
_LEVELS: Final = {"kind", "levels"}
_BUCKETS: Final = {"origin", "scale", "count"}
_LARGEST: Final = 2**53


def as_record(reference: Reference) -> dict[str, Json]:
    """Return the reference in the JSON domain."""
    return {
        "schema": SCHEMA,
        "rows": reference.rows,
        "subjects": reference.subjects,
        "unit": reference.unit,
        "columns": {name: _column(one) for name, one in reference.columns.items()},
    }


def from_record(record: object) -> Reference:
    """Return the reference as written. Raises ReferenceMalformed naming what is wrong."""
    top = _members(record, _TOP, "the reference")
    if top["schema"] != SCHEMA:
        raise malformed(f"the reference has schema {top['schema']!r}, not {SCHEMA!r}")
    columns = top["columns"]
    if not isinstance(columns, Mapping) or not columns:
        raise malformed("the reference has columns by name")
    if not isinstance(top["unit"], str) or not top["unit"]:
        raise malformed("`unit` is a word")
    return Reference(
        rows=_count(top["rows"], "rows"),
        subjects=_count(top["subjects"], "subjects"),
        unit=top["unit"],
        columns={str(name): _read_column(one, str(name)) for name, one in columns.items()},
    )


def _column(column: Column) -> dict[str, Json]:
    counts = column.counts
    return {
        "grid": _grid(column.grid),
        "cells": [int(x) for x in counts.cells],
        "missing": counts.missing,
        "lowest": _text(counts.lowest),
        "highest": _text(counts.highest),
        "effective": _text(column.effective),
    }


def _grid(grid: NumberGrid | LevelGrid) -> dict[str, Json]:
    if isinstance(grid, LevelGrid):
        return {"kind": "levels", "levels": list(grid.levels)}
    buckets: dict[str, Json] | None = None
    if grid.buckets is not None:
        buckets = {
            "origin": _text(grid.buckets.origin),
            "scale": _text(grid.buckets.scale),
            "count": grid.buckets.count,
        }
    edges: list[Json] = [_text(x) for x in grid.edges.tolist()]
    return {"kind": "numbers", "edges": edges, "buckets": buckets}


def _read_column(record: object, name: str) -> Column:
    import numpy as np

    found = _members(record, _COLUMN, f"column {name!r}")
    cells = found["cells"]
    if not isinstance(cells, list):
        raise malformed(f"`cells` of column {name!r} is a list of counts")
    effective = _number(found["effective"], "effective")
    counts = Counts(
        cells=np.array([_count(x, "cells") for x in cells], dtype=np.int64),
        missing=_count(found["missing"], "missing"),
        lowest=None if found["lowest"] is None else _number(found["lowest"], "lowest"),
        highest=None if found["highest"] is None else _number(found["highest"], "highest"),
    )
    if not 1 <= effective <= max(1, counts.present):
        raise malformed(f"column {name!r} is worth between one row and all that it has")
    return Column(grid=_read_grid(found["grid"], name), counts=counts, effective=effective)


def _read_grid(record: object, name: str) -> NumberGrid | LevelGrid:
    import numpy as np

    kind = record.get("kind") if isinstance(record, Mapping) else None
    if kind == "levels":
        levels = _members(record, _LEVELS, f"the grid of {name!r}")["levels"]
        if not isinstance(levels, list) or not all(isinstance(x, str) for x in levels):
            raise malformed(f"`levels` of column {name!r} is a list of words")
        return LevelGrid(levels=tuple(levels))
    found = _members(record, _NUMBER, f"the grid of {name!r}")
    edges, buckets = found["edges"], found["buckets"]
    if kind != "numbers" or not isinstance(edges, list):
        raise malformed(f"the grid of {name!r} is of kind numbers, with edges, or levels")
    table = None
    if buckets is not None:
        inner = _members(buckets, _BUCKETS, f"the buckets of {name!r}")
        table = Buckets(
            origin=_number(inner["origin"], "origin"),
            scale=_number(inner["scale"], "scale"),
            count=_count(inner["count"], "count"),
        )
    grid = NumberGrid(edges=np.array([_number(x, "edges") for x in edges]), buckets=table)
    grid.check()
    return grid


def _members(record: object, wanted: set[str], what: str) -> Mapping[str, object]:
    if not isinstance(record, Mapping) or set(record) != wanted:
        raise malformed(f"{what} has the members {', '.join(sorted(wanted))} and no others")
    return record


def _count(x: object, member: str) -> int:
    if isinstance(x, bool) or not isinstance(x, int) or not 0 <= x < _LARGEST:
        raise malformed(f"`{member}` holds counts")
    return x


def _number(x: object, member: str) -> float:
    try:
        found = float(x) if isinstance(x, str) else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found) or repr(found) != x:
        raise malformed(f"`{member}` holds finite numbers as their shortest text")
    return found


def _text(x: float | None) -> str | None:
    return None if x is None else repr(float(x))
