"""A tally as a record and back: cells that are not empty, in order, one spelling for each tally.

Definition: `tally/1` holds the specification, rows, subjects, most rows of a subject, and for each
    table the cells [cell, measures...] of which a measure is not 0, the moments [first, second,
    product], and the replicates [replicate, cell, measures...]; lists rise strictly.
Formula: none.
Source: the JSON domain of `strict`.
Assumptions: none; what is read may be an attacker's.
Failure modes: reading raises RecordMalformed, TallySpecMalformed, TallyMalformed or TallyDisclosed,
    and nothing else.
Cost: linear in the cells that are not empty; at most MAX_NUMBERS numbers are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import TallyDisclosed
from audits.estimate import Json
from audits.sources.counts import Counts, Moments
from audits.sources.strict import INT64, Members, integer_of, integer_record, list_of, malformed
from audits.sources.tally import Tally
from audits.sources.tally_check import MAX_ROWS
from audits.sources.tally_spec import TallySpec, spec_from_record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]

SCHEMA: Final = "tally/1"
DISCLOSED_SCHEMA: Final = "disclosed-tally/1"


def record_of(tally: Tally) -> dict[str, Json]:
    """Return the tally in the JSON domain."""
    return {
        "schema": SCHEMA,
        "spec": tally.spec.as_record(),
        "rows": tally.rows,
        "subjects": tally.subjects,
        "most_rows": tally.most_rows,
        "tables": {name: _table_record(one) for name, one in sorted(tally.tables.items())},
    }


def tally_from_record(record: Json) -> Tally:
    """Return the tally of a record; see the module for what it raises."""
    if isinstance(record, dict) and record.get("schema") == DISCLOSED_SCHEMA:
        raise TallyDisclosed(
            "the document holds suppressed or noised counts, not exact ones",
            next_step="Judge it by itself; it is never merged with exact tallies.",
        )
    members = Members(record, where="")
    if members.text("schema") != SCHEMA:
        raise malformed("schema", f"is not {SCHEMA}")
    spec = spec_from_record(members.take("spec"), where="spec")
    rows = members.integer("rows", low=0, high=MAX_ROWS - 1)
    subjects = _optional(members, "subjects")
    most_rows = _optional(members, "most_rows")
    tables = Members(members.take("tables"), where="tables")
    members.done()
    read = {table.id: _table(tables.take(table.id), spec, table.id) for table in spec.tables}
    tables.done()
    return Tally(spec=spec, rows=rows, subjects=subjects, most_rows=most_rows, tables=read)


def _optional(members: Members, name: str) -> int | None:
    found = members.take(name)
    if found is None:
        return None
    return integer_of(found, where=name, low=0, high=MAX_ROWS - 1)


def _table_record(counts: Counts) -> dict[str, Json]:
    moments, replicates = counts.moments, counts.replicates
    return {
        "cells": _lines(counts.measures),
        "moments": None
        if moments is None
        else [
            [first, second, integer_record(product)]
            for first, second, product in zip(
                moments.first.tolist(),
                moments.second.tolist(),
                moments.products.tolist(),
                strict=True,
            )
        ],
        "replicates": None
        if replicates is None
        else [[place, line] for place, one in enumerate(replicates) for line in _lines(one)],
    }


def _lines(measures: Ints) -> list[Json]:
    import numpy as np

    used = np.flatnonzero((measures != 0).any(axis=0))
    columns = measures[:, used].T.tolist()
    return [
        [cell, *(integer_record(value) for value in values)]
        for cell, values in zip(used.tolist(), columns, strict=True)
    ]


def _table(record: Json, spec: TallySpec, name: str) -> Counts:
    where = f"tables.{name}"
    members = Members(record, where=where)
    shape = (len(spec.measures(name)), spec.cells(name))
    cells = _dense(members.items("cells"), shape, where=f"{where}.cells")
    moments = _moments(members.take("moments"), where=f"{where}.moments")
    replicates = _replicates(members.take("replicates"), spec, name, where=f"{where}.replicates")
    members.done()
    return Counts(measures=cells, moments=moments, replicates=replicates)


def _dense(lines: list[Json], shape: tuple[int, int], *, where: str) -> Ints:
    """Return (measures, cells) from lines whose cells rise strictly and are not all 0."""
    import numpy as np

    dense = np.zeros(shape, dtype=np.int64)
    last = -1
    for line in lines:
        values = list_of(line, where=where)
        if len(values) != shape[0] + 1:
            raise malformed(where, "has a line of another length")
        cell = integer_of(values[0], where=where, low=last + 1, high=shape[1] - 1)
        read = [integer_of(value, where=where, low=1 - INT64) for value in values[1:]]
        if not any(read):
            raise malformed(where, "has an empty cell")
        dense[:, cell] = read
        last = cell
    return dense


def _moments(record: Json, *, where: str) -> Moments | None:
    import numpy as np

    if record is None:
        return None
    triples = []
    for line in list_of(record, where=where):
        values = list_of(line, where=where)
        if len(values) != 3:
            raise malformed(where, "has a line of another length")
        cells = [integer_of(value, where=where, low=0, high=2**20) for value in values[:2]]
        triples.append([*cells, integer_of(values[2], where=where, low=1)])
    columns = np.array(triples, dtype=np.int64).reshape(-1, 3).T
    return Moments(first=columns[0], second=columns[1], products=columns[2])


def _replicates(record: Json, spec: TallySpec, name: str, *, where: str) -> Ints | None:
    import numpy as np

    if record is None:
        return None
    if not spec.table(name).replicated:
        raise malformed(where, "is not asked for")
    shape = (len(spec.measures(name)), spec.cells(name))
    lines: list[list[Json]] = [[] for _ in range(spec.replicates)]
    last = 0
    for pair in list_of(record, where=where):
        values = list_of(pair, where=where)
        if len(values) != 2:
            raise malformed(where, "has a line of another length")
        last = integer_of(values[0], where=where, low=last, high=spec.replicates - 1)
        lines[last].append(values[1])
    return np.stack([_dense(one, shape, where=where) for one in lines])
