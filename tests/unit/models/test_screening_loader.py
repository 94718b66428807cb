"""The approvals table is read as it is, or refused with every fault and its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import ContractRefused
from models.screening import DOCUMENTS
from models.screening.loader import APPROVED, STRUCTURE, load_approvals, new_year_us

HEADER = (
    "molecule_chembl_id,pref_name,smiles,ik14,atc,first_approval,"
    "antineoplastic_L01,is_L02_endocrine"
)
# Invented rows: no row of the real table is in the repository.
ROWS = (
    "CHEMBL1,ALPHA,CCO,AAAAAAAAAAAAAA,L01AA01,1950,1,0",
    'CHEMBL2,"BETA, SODIUM",CC(=O)[O-].[Na+],BBBBBBBBBBBBBB,N05CB,1971,0,0',
    "CHEMBL3,GAMMA,c1ccccc1,CCCCCCCCCCCCCC,L02BA;V04CG,2001,0,1",
    "CHEMBL4,DELTA,C[C@@H](N)C(=O)O,AAAAAAAAAAAAAA,L01,2012,1,0",
)


def table(*rows: str, header: str = HEADER) -> str:
    return "\n".join((header, *rows)) + "\n"


def test_table_becomes_a_sample_dated_by_approval() -> None:
    found = load_approvals(table(*ROWS))
    assert (found.rows, found.positives, found.first, found.last) == (4, 2, 1950, 2012)
    sample = found.sample
    assert sample.unit == "molecule"
    assert np.asarray(sample.label).tolist() == [1.0, 0.0, 0.0, 1.0]
    assert sample.times[APPROVED].tolist() == [
        new_year_us(year) for year in (1950, 1971, 2001, 2012)
    ]
    structure = sample.categories[STRUCTURE]
    assert [structure.levels[code] for code in structure.codes] == [
        "CCO",
        "CC(=O)[O-].[Na+]",
        "c1ccccc1",
        "C[C@@H](N)C(=O)O",
    ]


def test_molecules_of_one_skeleton_are_one_subject() -> None:
    sample = load_approvals(table(*ROWS)).sample
    assert sample.subject[0] == sample.subject[3]
    assert sample.subjects == 3


def test_new_year_is_exact_before_and_after_1970() -> None:
    assert new_year_us(1970) == 0
    assert new_year_us(1971) == 365 * 86_400_000_000
    assert new_year_us(1968) == -(365 + 366) * 86_400_000_000


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("CHEMBL5,E,C C,AAAAAAAAAAAAAA,L01,1990,1,0", "line 3: smiles is malformed"),
        ("CHEMBL5,E,,AAAAAAAAAAAAAA,L01,1990,1,0", "line 3: smiles is malformed"),
        ("CHEMBL5,E,CC,AAAAAAAAAAAAA,L01,1990,1,0", "line 3: ik14 is malformed"),
        ("CHEMBL5,E,CC,aaaaaaaaaaaaaa,L01,1990,1,0", "line 3: ik14 is malformed"),
        ("CHEMBL5,E,CC,AAAAAAAAAAAAAA,01L,1990,1,0", "line 3: atc is malformed"),
        ("CHEMBL5,E,CC,AAAAAAAAAAAAAA,L01,90,1,0", "line 3: first_approval is malformed"),
        ("CHEMBL5,E,CC,AAAAAAAAAAAAAA,L01,1990.0,1,0", "line 3: first_approval is malformed"),
        ("CHEMBL5,E,CC,AAAAAAAAAAAAAA,L01,1066,1,0", "line 3: first_approval is no year"),
        ("CHEMBL5,E,CC,AAAAAAAAAAAAAA,L01,,1,0", "line 3: first_approval is malformed"),
        ("CHEMBL5,E,CC,AAAAAAAAAAAAAA,L01,1990,yes,0", "line 3: antineoplastic_L01 is malformed"),
        ("CHEMBL5,E,CC,AAAAAAAAAAAAAA,L01,1990,1,", "line 3: is_L02_endocrine is malformed"),
        ("CHEMBL5, ,CC,AAAAAAAAAAAAAA,L01,1990,1,0", "line 3: pref_name is empty"),
        ("5,E,CC,AAAAAAAAAAAAAA,L01,1990,1,0", "line 3: molecule_chembl_id is malformed"),
        ("CHEMBL1,E,CC,AAAAAAAAAAAAAA,L01,1990,1,0", "line 3: the molecule stands in line 2 too"),
        ("CHEMBL5,E,CC,AAAAAAAAAAAAAA,L01,1990,1", "line 3: 7 fields, not 8"),
        ('CHEMBL5,"E"x,CC,AAAAAAAAAAAAAA,L01,1990,1,0', "line 3: not well-formed CSV"),
    ],
)
def test_fault_is_named_with_its_line_and_without_its_value(row: str, fault: str) -> None:
    with pytest.raises(ContractRefused) as refusal:
        load_approvals(table(ROWS[0], row))
    assert fault in refusal.value.faults[0]
    assert "1066" not in str(refusal.value)
    assert refusal.value.next_step


def test_all_faults_are_kept_and_the_first_are_named() -> None:
    rows = [f"CHEMBL{number},E,C C,AAAAAAAAAAAAAA,L01,1990,1,0" for number in range(1, 15)]
    with pytest.raises(ContractRefused, match="and 4 more") as refusal:
        load_approvals(table(*rows))
    assert len(refusal.value.faults) == 14


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the columns are not"),
        (table(), "no rows"),
        (table(ROWS[0], header=HEADER.replace("ik14", "inchikey")), "the columns are not"),
        (table(ROWS[0], header=HEADER + ",phase"), "the columns are not"),
    ],
)
def test_other_columns_and_an_empty_table_are_refused(text: str, fault: str) -> None:
    with pytest.raises(ContractRefused, match=fault):
        load_approvals(text)


def test_documents_that_are_named_are_there() -> None:
    folder = Path(__file__).parents[3] / "models" / "screening"
    assert all((folder / name).is_file() for name in DOCUMENTS.values())


@pytest.mark.data
def test_real_table_keeps_the_contract(test_data: Path) -> None:
    text = (test_data / "screening" / "approved_drugs_L01_upto2012.csv").read_text(encoding="utf-8")
    found = load_approvals(text)
    assert (found.rows, found.positives) == (1192, 89)
    assert found.last == 2012
    assert not found.sample.repeats
