from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rows import FieldType, InputContract, InputField, RowChecker

CONTRACT = InputContract(
    fields=(
        InputField(
            name="age",
            type=FieldType.INTEGER,
            required=True,
            description="Years",
            minimum=Decimal(18),
            maximum=Decimal(120),
        ),
        InputField(name="anc", type=FieldType.NUMBER, required=True, description="Neutrophils"),
        InputField(
            name="arm",
            type=FieldType.TEXT,
            required=False,
            description="Arm of the trial",
            allowed=("A", "B"),
        ),
        InputField(name="gcsf", type=FieldType.FLAG, required=False, description="G-CSF planned"),
    )
)
GOOD = {"age": 60, "anc": 1.5, "arm": "A", "gcsf": False}


@pytest.fixture(scope="module")
def checker() -> RowChecker:
    return RowChecker(CONTRACT)


@pytest.mark.parametrize("row", [GOOD, {"age": 18, "anc": Decimal("0.1")}, {"age": 120, "anc": 2}])
def test_a_row_that_keeps_the_contract_has_no_faults(
    checker: RowChecker, row: dict[str, object]
) -> None:
    assert checker.faults(row).reasons == ()


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"age": 17}, "age", "row.out_of_range"),
        ({"age": 121}, "age", "row.out_of_range"),
        ({"age": 10**400}, "age", "row.out_of_range"),
        ({"age": 60.0}, "age", "row.mistyped"),
        ({"age": "60"}, "age", "row.mistyped"),
        ({"age": True}, "age", "row.mistyped"),
        ({"age": None}, "age", "row.mistyped"),
        ({"age": [60]}, "age", "row.mistyped"),
        ({"age": float("nan")}, "age", "row.not_a_number"),
        ({"anc": float("nan")}, "anc", "row.not_a_number"),
        ({"anc": float("inf")}, "anc", "row.not_a_number"),
        ({"anc": Decimal("NaN")}, "anc", "row.not_a_number"),
        ({"anc": Decimal("sNaN")}, "anc", "row.not_a_number"),
        ({"anc": {}}, "anc", "row.mistyped"),
        ({"arm": "a"}, "arm", "row.not_allowed"),
        ({"arm": ""}, "arm", "row.not_allowed"),
        ({"arm": 1}, "arm", "row.mistyped"),
        ({"gcsf": 1}, "gcsf", "row.mistyped"),
        ({"gcsf": "true"}, "gcsf", "row.mistyped"),
    ],
)
def test_a_fault_has_its_code_and_its_field(
    checker: RowChecker, change: dict[str, object], field: str, code: str
) -> None:
    faults = checker.faults(GOOD | change)
    assert faults.reasons == (code,)
    assert faults.fields == {field: code}


def test_every_fault_is_listed_and_each_code_once(checker: RowChecker) -> None:
    faults = checker.faults({"age": "x", "anc": "y", "arm": "C", "who": 1, "when": 2})
    assert faults.reasons == ("row.mistyped", "row.not_allowed", "row.extra_field")
    assert faults.fields == {"age": "row.mistyped", "anc": "row.mistyped", "arm": "row.not_allowed"}
    assert faults.undeclared == 2


def test_an_optional_field_may_be_left_out_but_not_a_required_one(checker: RowChecker) -> None:
    assert checker.faults({"age": 60}).fields == {"anc": "row.missing_field"}


def test_the_name_of_an_undeclared_field_is_caller_data_and_not_repeated(
    checker: RowChecker,
) -> None:
    faults = checker.faults(GOOD | {"Kari Nordmann 010190": 1})
    assert faults.reasons == ("row.extra_field",)
    assert "Nordmann" not in repr(faults)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.decimals(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["age", "anc", "arm", "gcsf", "zip"]), json_values))
def test_no_row_breaks_the_check_and_faults_agree_with_reasons(row: dict[str, object]) -> None:
    faults = RowChecker(CONTRACT).faults(row)
    assert set(faults.fields.values()) == set(faults.reasons) - {"row.extra_field"}
    assert ("row.extra_field" in faults.reasons) == ("zip" in row)
