"""Tables under their manifests: what is read, and what is refused by line."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.sources.sample import MISSING_TIME
from models.dataset import Manifest, manifest_from_record, parse_manifest
from models.errors import ContractRefused, DocumentUnreadable, ManifestInvalid, ReaderUnknown
from models.readers import read
from models.table import MAX_FAULTS, instant_us, read_table

MANIFEST = """\
format: dataset/1
title: Invented answers
source: Written for this test
licence: none
role: test
simulated: true
unit: patient
from_month: 2024-01
to_month: 2024-12
columns:
  - {name: patient, kind: key, description: Pseudonym}
  - {name: age, kind: number, description: Years, missing: ["", "NA"]}
  - {name: sex, kind: category, description: As registered, levels: [F, M]}
  - {name: seen, kind: time, description: Day of the visit}
  - {name: acted, kind: number, description: Whether the alert was followed}
"""
CSV = """\
patient,age,sex,seen,acted
a,61,F,2024-03-01,1
b,NA,M,2024,0
a,62.5,,2024-04-01T12:00:00+02:00,
"""


def manifest() -> Manifest:
    return parse_manifest(MANIFEST)


def test_a_table_is_read_as_its_manifest_says() -> None:
    table = read_table(CSV, manifest())
    assert table.rows == 3
    assert table.keys["patient"].tolist() == [0, 1, 0]
    assert table.numbers["age"][0] == 61.0
    assert math.isnan(table.numbers["age"][1])
    assert table.categories["sex"].codes.tolist() == [0, 1, -1]
    assert table.times["seen"].tolist()[2] == instant_us("2024-04-01T10:00:00+00:00")


def test_a_sample_takes_columns_in_their_roles_and_knows_its_subjects() -> None:
    sample = read_table(CSV, manifest()).sample(
        subject="patient", label="age", decision="acted", categories=["sex"], times=["seen"]
    )
    assert (sample.n, sample.subjects, sample.repeats) == (3, 2, True)
    assert sample.decision is not None
    assert sample.decision.tolist() == [1, 0, -1]
    assert sample.unit == "patient"


def test_without_a_subject_each_row_is_its_own() -> None:
    assert not read_table(CSV, manifest()).sample(label="age").repeats


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (CSV.replace("61", "6l"), "line 2, column 'age': it is not a decimal number"),
        (CSV.replace("61", "nan"), "line 2, column 'age'"),
        (CSV.replace("61", "1e999"), "line 2, column 'age'"),
        (CSV.replace("b,NA,M", "b,NA,X"), "line 3, column 'sex': it is none of the levels"),
        (CSV.replace("2024,0", "2024-13,0"), "line 3, column 'seen'"),
        (CSV.replace("+02:00", ""), "line 4, column 'seen'"),
        (CSV.replace("b,NA", ",NA"), "line 3, column 'patient': an identifier is missing"),
        (CSV.replace("patient,age", "patient,years"), "the column 'age' is missing"),
        (CSV.replace("patient,age,", "patient,age,age,"), "line 2 has 5 cells, not 6"),
        (CSV + "c,1\n", "line 5 has 2 cells, not 5"),
        (CSV + 'c,"1', "line 5 is not CSV"),
        ("patient,age,sex,seen,acted\n", "there are no rows"),
        ("", "the column 'acted' is missing"),
    ],
)
def test_a_fault_refuses_the_whole_table_and_names_its_line(wrong: str, said: str) -> None:
    with pytest.raises(ContractRefused) as refused:
        read_table(wrong, manifest())
    assert said in str(refused.value)
    assert refused.value.faults


def test_a_value_at_fault_is_not_quoted() -> None:
    with pytest.raises(ContractRefused) as refused:
        read_table(CSV.replace("61", "Jane Doe"), manifest())
    assert "Jane" not in str(refused.value)


def test_faults_are_listed_up_to_a_limit() -> None:
    rows = "".join("a,old,F,2024,1\n" for _ in range(100))
    with pytest.raises(ContractRefused) as refused:
        read_table("patient,age,sex,seen,acted\n" + rows, manifest())
    assert len(refused.value.faults) == MAX_FAULTS


def test_a_column_that_is_not_there_or_of_another_kind_is_refused_by_name() -> None:
    table = read_table(CSV, manifest())
    with pytest.raises(ContractRefused) as refused:
        table.sample(label="sex", categories=["age"], subject="seen")
    assert len(refused.value.faults) == 3


def test_a_decision_beside_0_and_1_is_refused() -> None:
    with pytest.raises(ContractRefused):
        read_table(CSV, manifest()).sample(decision="age")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("levels: [F, M]", "levels: [F, F]"),
        (", levels: [F, M]", ""),
        ("kind: number, description: Years", "kind: number, levels: [a], description: Years"),
        ("name: age", "name: patient"),
        ("from_month: 2024-01", "from_month: 2025-01"),
        ("unit: patient", "unit: Patient"),
        ("role: test", "role: validation"),
        ("simulated: true", "simulated: 1"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(old: str, new: str) -> None:
    assert old in MANIFEST
    with pytest.raises(ManifestInvalid) as refused:
        parse_manifest(MANIFEST.replace(old, new))
    assert refused.value.next_step


def test_a_manifest_without_columns_names_a_reader_that_knows_them() -> None:
    head = MANIFEST.split("columns:", maxsplit=1)[0]
    with pytest.raises(ManifestInvalid):
        parse_manifest(head)
    with pytest.raises(ReaderUnknown):
        read("x", parse_manifest(head + "reader: nobody-knows\n"))


def test_a_stored_manifest_is_the_one_that_was_written() -> None:
    assert manifest_from_record(manifest().as_record()) == manifest()


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    with pytest.raises(ContractRefused):
        read_table(text, manifest())
    with pytest.raises((ManifestInvalid, DocumentUnreadable)):
        parse_manifest(text)


@given(st.text(max_size=30))
def test_no_text_is_taken_for_an_instant_by_accident(text: str) -> None:
    found = instant_us(text)
    assert found is None or found > MISSING_TIME
