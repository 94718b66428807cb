"""A tally written down and read back is itself; a record that no rows can give is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audits.errors import AuditError, RecordMalformed, TallyDisclosed, TallySpecMalformed
from audits.sources.disclosed import suppress
from audits.sources.tally_record import tally_from_record
from audits.sources.tally_spec import canonical_bytes, spec_from_record
from governance.ledger.core import canonical
from tests.support.tallies import by_hand, rows, spec

FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TALLY = by_hand(rows(120, seed=9), spec(replicates=2))
RECORD: Any = TALLY.as_record()
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at]
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, one in list(items)[:6]:
            found += paths(one, (*at, key))
    return found


PATHS = paths(RECORD)[1:]


def changed(at: tuple[Any, ...], to: Any) -> Any:
    record = copy.deepcopy(RECORD)
    holder = record
    for key in at[:-1]:
        holder = holder[key]
    holder[at[-1]] = to
    return record


def test_a_record_is_read_back_as_the_same_tally() -> None:
    again = tally_from_record(json.loads(json.dumps(RECORD)))
    assert again.as_record() == RECORD
    assert again.digest == TALLY.digest
    assert spec_from_record(RECORD["spec"]).digest == TALLY.spec.digest


def test_the_bytes_are_the_ledgers_canonical_json() -> None:
    assert canonical_bytes(RECORD) == canonical.dumps(RECORD)


@FEW
@given(st.sampled_from(PATHS), ANYTHING)
def test_whatever_a_member_becomes_only_our_own_errors_are_raised(
    at: tuple[Any, ...], to: Any
) -> None:
    try:
        read = tally_from_record(changed(at, to))
    except AuditError:
        return
    # What is accepted is written back as it was read: nothing was overlooked or mended.
    assert read.as_record() == changed(at, to)


@FEW
@given(ANYTHING)
def test_anything_that_is_no_tally_is_refused(record: Any) -> None:
    with pytest.raises(AuditError):
        tally_from_record(record)


@pytest.mark.parametrize("name", sorted(RECORD))
def test_a_member_that_is_missing_or_unknown_is_refused(name: str) -> None:
    without = {key: value for key, value in RECORD.items() if key != name}
    with pytest.raises(RecordMalformed):
        tally_from_record(without)
    with pytest.raises(RecordMalformed):
        tally_from_record(RECORD | {"more": 1})


def cells(*lines: Any) -> Any:
    return changed(("tables", "grade", "cells"), list(lines))


TAMPERED = {
    "a row too many": changed(("rows",), RECORD["rows"] + 1),
    "more subjects than rows": changed(("subjects",), RECORD["rows"] + 1),
    "subjects without their most rows": changed(("most_rows",), None),
    "a negative count": cells([0, -1, 0, 0, 0, 0]),
    "cells out of order": cells([1, 60, 0, 0, 0, 0], [0, 60, 0, 0, 0, 0]),
    "a cell twice": cells([1, 60, 0, 0, 0, 0], [1, 60, 0, 0, 0, 0]),
    "an empty cell": cells([0, 0, 0, 0, 0, 0], [1, 120, 0, 0, 0, 0]),
    "squares too small for the sum": cells([0, 120, 2, 10, 49, 0]),
    "more values than rows": cells([0, 120, 121, 0, 0, 0]),
    "a small number as text": cells([0, "120", 0, 0, 0, 0]),
    "no moments": changed(("tables", "cross", "moments"), None),
    "moments nobody asked for": changed(("tables", "grade", "moments"), []),
    "moments that are too small": changed(("tables", "cross", "moments"), []),
    "no replicates": changed(("tables", "cross", "replicates"), None),
    "replicates nobody asked for": changed(("tables", "grade", "replicates"), []),
    "a table nobody asked for": changed(("tables", "more"), RECORD["tables"]["grade"]),
}


@pytest.mark.parametrize("record", TAMPERED.values(), ids=TAMPERED)
def test_counts_that_no_rows_give_are_refused(record: Any) -> None:
    with pytest.raises(AuditError):
        tally_from_record(record)


def test_a_disclosed_record_never_reads_as_an_exact_tally() -> None:
    with pytest.raises(TallyDisclosed):
        tally_from_record(suppress(simple(), below=3).as_record())


def simple() -> Any:
    of = spec_from_record(
        {
            "schema": "tally-spec/1", "id": "simple", "subject": None, "unit": "row",
            "axes": [
                {"kind": "category", "id": "sex", "column": "sex", "levels": ["F", "M"]},
            ],
            "sums": [], "replicates": 0, "seed": 0,
            "tables": [
                {"id": "t", "axes": ["sex"], "sums": [], "moments": False, "replicated": False}
            ],
        }
    )  # fmt: skip
    return by_hand(rows(200, seed=1), of)


SPEC: Any = RECORD["spec"]
WRONG_SPECS = {
    "edges that fall": ("axes", 3, "edges", ["2", "1"]),
    "edges as floats": ("axes", 3, "edges", [0.5]),
    "an edge of an integer axis that 64 bits do not hold": ("axes", 4, "edges", [str(10**17)] * 2),
    "two levels alike": ("axes", 0, "levels", ["F", "F"]),
    "a reserved level": ("axes", 0, "levels", ["(other)"]),
    "a sum beyond 32 bits": ("sums", 0, "high", "900000"),
    "a table over no axis": ("tables", 0, "axes", []),
    "a table over an axis twice": ("tables", 0, "axes", ["sex", "sex"]),
    "a table over an unknown axis": ("tables", 0, "axes", ["nothing"]),
    "an unknown kind of axis": ("axes", 0, "kind", "picture"),
}


@pytest.mark.parametrize("path", WRONG_SPECS.values(), ids=WRONG_SPECS)
def test_a_specification_that_contradicts_itself_is_refused(path: tuple[Any, ...]) -> None:
    record = copy.deepcopy(SPEC)
    record[path[0]][path[1]][path[2]] = path[3]
    with pytest.raises((RecordMalformed, TallySpecMalformed)):
        spec_from_record(record)


def test_a_subject_term_without_a_subject_is_refused() -> None:
    with pytest.raises(TallySpecMalformed):
        spec_from_record({**SPEC, "subject": None})
