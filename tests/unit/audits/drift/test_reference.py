"""The stored reference reads back as it was written, and nothing else reads as one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from audits.drift.reference import Column, LevelGrid, effective_rows, reference_of, tally
from audits.drift.reference_record import as_record, from_record
from audits.errors import ReferenceMalformed
from audits.sources.sample import Category, Sample
from tests.unit.audits.drift.columns import sample

COLUMNS = ("age", "visits", "sex", "score", "decision")


def _record() -> dict[str, Any]:
    found = json.loads(json.dumps(as_record(reference_of(sample(), columns=COLUMNS))))
    assert isinstance(found, dict)
    return found


def test_a_record_reads_back_to_the_same_counts_and_cells() -> None:
    record = _record()
    again = from_record(record)
    assert json.dumps(as_record(again)) == json.dumps(record)
    other = sample(seed=2)
    first = reference_of(sample(), columns=COLUMNS).columns["age"]
    assert (
        tally(again.columns["age"].grid, other.numbers["age"]).cells
        == tally(first.grid, other.numbers["age"]).cells
    ).all()


def test_a_record_of_a_large_column_keeps_its_buckets() -> None:
    rows = np.random.default_rng(3).standard_cauchy(100_000)
    large = Sample(subject=np.arange(rows.size), numbers={"x": rows})
    record = json.loads(json.dumps(as_record(reference_of(large, columns=["x"]))))
    grid = from_record(record).columns["x"].grid
    assert record["columns"]["x"]["grid"]["buckets"] is not None
    assert tally(grid, rows).present == 100_000


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def edit(record: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for step in way:
            record = record[step]
        if value is ...:
            del record[last]
        else:
            record[last] = value

    return edit


REFUSED = {
    "another schema": _set("schema", "drift-reference/0"),
    "a member too many": _set("comment", "none"),
    "no rows": _set("rows", ...),
    "rows as text": _set("rows", "2000"),
    "rows as truth": _set("rows", True),
    "a negative count": _set("subjects", -1),
    "no unit": _set("unit", ""),
    "no columns": _set("columns", {}),
    "a column with a member too few": _set("columns.age.missing", ...),
    "an edge as a number": _set("columns.age.grid.edges", [1.0]),
    "an edge in another text of the same number": _set("columns.visits.grid.edges", ["1.00"]),
    "edges that fall": _set("columns.visits.grid.edges", ["2.0", "1.0"]),
    "an edge that is no number": _set("columns.age.grid.edges", ["nan"]),
    "too few counts": _set("columns.visits.cells", [5]),
    "a count that is a share": _set("columns.visits.cells", [0.5]),
    "counts as text": _set("columns.visits.cells", "5"),
    "more independent rows than rows": _set("columns.age.effective", "2001.0"),
    "an unknown kind of grid": _set("columns.sex.grid", {"kind": "words", "levels": ["a"]}),
    "a level twice": _set("columns.sex.grid", {"kind": "levels", "levels": ["a", "a"]}),
    "levels that are no words": _set("columns.sex.grid", {"kind": "levels", "levels": [1, 2]}),
    "buckets without a width": _set(
        "columns.visits.grid.buckets", {"origin": "0.0", "scale": "0.0", "count": 9}
    ),
}


@pytest.mark.parametrize("edit", REFUSED.values(), ids=REFUSED.keys())
def test_another_record_is_refused(edit: Callable[[dict[str, Any]], None]) -> None:
    record = copy.deepcopy(_record())
    edit(record)
    with pytest.raises(ReferenceMalformed):
        from_record(record)


@pytest.mark.parametrize("record", [None, [], "reference", 7])
def test_what_is_no_record_is_refused(record: object) -> None:
    with pytest.raises(ReferenceMalformed):
        from_record(record)


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(ReferenceMalformed, match="no column 'weight'"):
        reference_of(sample(), columns=["weight"])


def test_a_category_is_not_read_as_a_number() -> None:
    found = reference_of(sample(), columns=COLUMNS).columns
    with pytest.raises(ReferenceMalformed, match="not in both"):
        tally(found["age"].grid, sample().categories["sex"])
    with pytest.raises(ReferenceMalformed, match="not in both"):
        tally(found["sex"].grid, sample().numbers["age"])


def test_a_category_without_a_value_is_refused() -> None:
    empty = Category(codes=np.full(3, -1, dtype=np.int32), levels=("a",))
    with pytest.raises(ReferenceMalformed, match="no value"):
        reference_of(Sample(subject=np.arange(3), categories={"x": empty}), columns=["x"])


def test_new_levels_share_one_cell_and_missing_ones_have_none() -> None:
    column = Category(codes=np.array([0, 1, 2, -1, 2], dtype=np.int32), levels=("b", "a", "new"))
    counts = LevelGrid(levels=("a", "b")).tally(column)
    assert (counts.cells.tolist(), counts.missing) == ([1, 1, 2], 1)


def test_rows_of_one_subject_are_worth_less_where_they_are_alike() -> None:
    """Six rows a patient that share the patient's value are worth one; mere counts stay."""
    rows = sample(6000, repeats=6)
    found = reference_of(rows, columns=["age", "visits"]).columns
    assert found["age"].effective == pytest.approx(1000, rel=0.25)
    assert found["visits"].effective > 4500
    single = reference_of(sample(6000), columns=["age"]).columns["age"]
    assert single.effective == 6000


def test_rows_of_a_single_subject_are_worth_one() -> None:
    rows = sample(100)
    one = Sample(subject=np.zeros(100, dtype=np.int64), numbers=dict(rows.numbers))
    column: Column = reference_of(rows, columns=["age"]).columns["age"]
    assert effective_rows(column, one.numbers["age"], one) == 1.0


@pytest.mark.parametrize("count", [2, 5, 10])
def test_bins_hold_equal_parts_of_the_reference(count: int) -> None:
    column = reference_of(sample(), columns=["age"]).columns["age"]
    sizes = np.bincount(column.bin_of(count), weights=column.counts.cells)
    assert sizes.size == count
    assert np.abs(sizes - 2000 / count).max() <= 1
