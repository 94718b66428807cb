"""The warfarin table: every fault is named with its line, and nothing is repaired."""

from __future__ import annotations

import io

import pytest

from models.dosing import loader
from models.dosing.loader import COLUMNS, Patient, load_warfarin
from models.errors import ContractRefused

ROW = {
    "subject_id": "P1",
    "site": "1.0",
    "sex": "female",
    "race": "Asian",
    "ethnicity": "not Hispanic or Latino",
    "age_band": "60 - 69",
    "height_cm": "160.0",
    "weight_kg": "55.5",
    "amiodarone": "1.0",
    "carbamazepine": "0.0",
    "stable": "1.0",
    "weekly_dose_mg": "24.5",
}


def text(*rows: dict[str, str], header: str = ",".join(COLUMNS)) -> str:
    lines = [",".join(row.get(name, "") for name in COLUMNS) for row in rows]
    return "\n".join([header, *lines]) + "\n"


def load(written: str) -> tuple[Patient, ...]:
    return load_warfarin(io.StringIO(written))


def faults_of(written: str) -> tuple[str, ...]:
    with pytest.raises(ContractRefused) as refused:
        load(written)
    assert refused.value.next_step
    return refused.value.faults


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("subject_id", "", "line 2: subject_id is empty"),
        ("weekly_dose_mg", "", "line 2: weekly_dose_mg is empty"),
        ("weekly_dose_mg", "0.0", "line 2: weekly_dose_mg is no number from 0.5 to 400"),
        ("weekly_dose_mg", "nan", "line 2: weekly_dose_mg is no number from 0.5 to 400"),
        ("weekly_dose_mg", "five", "line 2: weekly_dose_mg is no number from 0.5 to 400"),
        ("height_cm", "63", "line 2: height_cm is no number from 100 to 250"),
        ("weight_kg", "inf", "line 2: weight_kg is no number from 20 to 300"),
        ("race", "Martian", "line 2: race is none of Asian, Black or African American"),
        ("sex", "f", "line 2: sex is none of female, male"),
        ("age_band", "0 - 9", "line 2: age_band is none of 10 - 19"),
        ("amiodarone", "yes", "line 2: amiodarone is not 0.0, 1.0 or empty"),
        ("stable", "", "line 2: stable is empty"),
        ("site", "1.5", "line 2: site is no whole number"),
        ("site", "north", "line 2: site is no whole number"),
        ("indication", "x" * 101, "line 2: a cell is longer than 100 characters"),
    ],
)
def test_a_wrong_cell_refuses_the_table(column: str, value: str, fault: str) -> None:
    (found,) = faults_of(text(ROW | {column: value}))
    assert found.startswith(fault)


def test_every_fault_is_named_not_only_the_first() -> None:
    bad = text(ROW | {"sex": "f", "race": ""}, ROW, ROW | {"height_cm": "1"})
    assert [fault.split(":")[0][-1] for fault in faults_of(bad)] == ["2", "2", "3", "4", "4"]


def test_a_patient_that_comes_twice_is_a_fault() -> None:
    assert faults_of(text(ROW, ROW)) == ("line 3: subject_id stands in line 2 already",)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("", "line 1: the columns are not"),
        (text(), "there is no row"),
        (text(ROW, header=",".join(reversed(COLUMNS))), "line 1: the columns are not"),
        (text() + "a,b\n", "line 2: 2 cells, not 25"),
        (text() + '"a\n', "the text is no CSV"),
        (text() + "x" * 200_000, "the text is no CSV"),
    ],
    ids=["empty", "no row", "columns", "short row", "open quote", "endless cell"],
)
def test_a_text_that_is_not_the_table_is_refused(written: str, fault: str) -> None:
    assert faults_of(written)[0].startswith(fault)


def test_more_rows_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_ROWS", 1)
    assert faults_of(text(ROW, ROW | {"subject_id": "P2"})) == ("there are more than 1 rows",)


def test_an_error_quotes_no_cell() -> None:
    """A cell may be patient data: sentences name columns and lines only (P15)."""
    secret = "secret-level"
    with pytest.raises(ContractRefused) as refused:
        load(text(ROW | {"race": secret, "weight_kg": secret}))
    assert secret not in str(refused.value) + "".join(refused.value.faults)


def test_a_row_becomes_a_patient_and_empty_cells_none() -> None:
    first, second = load(text(ROW, {**ROW, "subject_id": "P2", "sex": "", "height_cm": ""}))
    assert (first.site, first.sex, first.height_cm, first.weekly_dose_mg) == (
        "1",
        "female",
        160,
        24.5,
    )
    assert (first.amiodarone, first.carbamazepine, first.phenytoin) == (True, False, None)
    assert (second.sex, second.height_cm, second.stable) == (None, None, True)
