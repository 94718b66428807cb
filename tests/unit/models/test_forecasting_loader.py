from __future__ import annotations

import io
from pathlib import Path

import pytest

from audits.sources.series import Month
from models.errors import ContractRefused
from models.forecasting.loader import load_pbs, load_totals

HEADER = "Month,Concession,Type,ATC1,ATC1_desc,ATC2,ATC2_desc,Scripts,Cost"
PARTS = [(c, t) for c in ("Concessional", "General") for t in ("Co-payments", "Safety net")]


def lines(*, classes: tuple[str, ...] = ("L01",), months: int = 4) -> list[str]:
    """Return a small invented table: one row a month, class and part, scripts 1, 2, 3, …"""
    table = [HEADER]
    for name in classes:
        for concession, kind in PARTS:
            for step in range(months):
                month = Month(2000, 11).plus(step)
                head = f"{month}-01,{concession},{kind},L,Antineoplastic,{name},AGENTS"
                table.append(f"{head},{len(table)}.0,{10 * len(table)}.5")
    return table


def load(table: list[str]) -> object:
    return load_pbs(io.StringIO("\n".join(table) + "\n"))


def refusal(table: list[str]) -> tuple[str, ...]:
    with pytest.raises(ContractRefused) as refused:
        load(table)
    faults = refused.value.faults
    assert refused.value.next_step
    return faults


def with_cell(table: list[str], line: int, column: str, value: str) -> list[str]:
    cells = table[line - 1].split(",")
    cells[HEADER.split(",").index(column)] = value
    return [*table[: line - 1], ",".join(cells), *table[line:]]


def test_prescriptions_are_summed_over_the_type_of_co_payment() -> None:
    table = load_pbs(io.StringIO("\n".join(lines())))
    assert table.panel.keys == ("L01/Concessional", "L01/General")
    assert table.panel.series[0].values == (1 + 5, 2 + 6, 3 + 7, 4 + 8)
    assert table.panel.groups() == {
        "Concessional": ("L01/Concessional",),
        "General": ("L01/General",),
    }
    assert (str(table.start), str(table.end), table.rows) == ("2000-11", "2001-02", 16)


def test_a_class_may_start_later_as_a_whole() -> None:
    early, late = lines(), [row for row in lines(classes=("L03",)) if "2000" not in row]
    table = load_pbs(io.StringIO("\n".join([*early, *late[1:]])))
    assert {one.key: str(one.start) for one in table.panel.series}["L03/General"] == "2001-01"


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("Scripts", "-1", "Scripts: in_range: line 5"),
        ("Scripts", "1.5", "Scripts: whole_number: line 5"),
        ("Scripts", "NaN", "Scripts: not_nullable: line 5"),
        ("Scripts", "", "Scripts: not_nullable: line 5"),
        ("Scripts", "many", "Scripts: not_nullable: line 5"),
        ("Cost", "-0.01", "Cost: in_range: line 5"),
        ("Cost", "inf", "Cost: in_range: line 5"),
        ("Month", "2001-02", "Month: str_matches: line 5"),
        ("Month", "2001-02-15", "Month: str_matches: line 5"),
        ("Month", "2001-13-01", "Month: str_matches: line 5"),
        ("Concession", "Free", "Concession: isin: line 5"),
        ("Type", "", "Type: isin: line 5"),
        ("ATC2", "L1", "ATC2: str_matches: line 5"),
    ],
)
def test_a_bad_cell_is_reported_with_its_line(column: str, value: str, fault: str) -> None:
    assert fault in refusal(with_cell(lines(), 5, column, value))


def test_every_fault_is_reported_at_once() -> None:
    table = with_cell(lines(), 5, "Scripts", "-1")
    table = with_cell(table, 9, "Scripts", "-2")
    table = with_cell(table, 7, "Concession", "Free")
    assert refusal(table) == ("Concession: isin: line 7", "Scripts: in_range: lines 5, 9")


def test_a_month_given_twice_names_both_lines() -> None:
    table = lines()
    assert refusal([*table, table[3]]) == (
        "month x concession x type x class given twice: lines 4, 18",
    )


def test_a_gap_is_reported_with_its_month_and_never_filled() -> None:
    table = lines()
    del table[2]
    assert refusal(table) == ("L01 Concessional / Co-payments: no row for 2000-12",)


def test_a_part_that_ends_early_would_make_the_sum_false() -> None:
    table = lines()
    del table[-1]
    assert refusal(table) == ("L01 General / Safety net: no row for 2001-02",)


def test_a_concession_class_that_is_absent_is_reported() -> None:
    table = [row for row in lines() if ",General," not in row]
    assert refusal(table) == ("L01: no rows for General",)


@pytest.mark.parametrize(
    "table",
    [
        [],
        [HEADER],
        ["a,b,c", "1,2,3"],
        [HEADER.replace("Cost", "Price"), *lines()[1:]],
        [*lines(), "one,two,three,four,five,six,seven,eight,nine,ten"],
    ],
    ids=["empty", "no rows", "other columns", "a renamed column", "a longer line"],
)
def test_what_is_no_such_table_is_refused(table: list[str]) -> None:
    assert refusal(table)


def test_a_long_list_of_lines_is_shortened_with_its_count() -> None:
    table = lines(months=12)
    for line in range(2, 16):
        table = with_cell(table, line, "Scripts", "-1")
    assert refusal(table) == ("Scripts: in_range: lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 4 more",)


def series(values: list[float], *, start: float = 1991.5) -> list[tuple[float, float]]:
    return [(start + step / 12, value) for step, value in enumerate(values)]


def test_a_fractional_year_is_a_month_and_millions_become_units() -> None:
    panel = load_totals({"H02": series([0.429795, 0.400906])})
    (one,) = panel.series
    assert (one.key, str(one.start), one.values) == ("H02/total", "1991-07", (429795.0, 400906.0))
    assert panel.groups() == {}


@pytest.mark.parametrize(
    ("totals", "fault"),
    [
        ({}, "no series"),
        ({"A10": []}, "A10: no months"),
        ({"A10": [(1991.5, 1.0), (1991.54, 1.0)]}, "time is not a month: line 2"),
        ({"A10": [(1991.5, 1.0), (1991.75, 1.0)]}, "does not follow the month before: line 2"),
        ({"A10": [(1991.5, 1.0), (1991.5, 1.0)]}, "does not follow the month before: line 2"),
        ({"A10": [(float("nan"), 1.0)]}, "time is not a month: line 1"),
        ({"A10": series([1.0, -1.0])}, "negative, missing or infinite: line 2"),
        ({"A10": series([float("nan")])}, "negative, missing or infinite: line 1"),
        ({"A10": series([float("inf")])}, "negative, missing or infinite: line 1"),
        ({"A10": series([1.0]), "H02": series([1.0, 1.0])}, "different months"),
    ],
)
def test_a_faulty_total_is_refused(
    totals: dict[str, list[tuple[float, float]]], fault: str
) -> None:
    with pytest.raises(ContractRefused) as refused:
        load_totals(totals)
    assert any(fault in one for one in refused.value.faults)


@pytest.mark.data
def test_the_public_table_keeps_the_contract(test_data: Path) -> None:
    with (test_data / "forecasting/pbs_L_oncology_monthly.csv").open(encoding="utf-8") as stream:
        table = load_pbs(stream)
    assert table.classes == ("L01", "L02", "L03", "L04")
    assert len(table.panel.series) == 8
    assert {one.key: str(one.start) for one in table.panel.series if "L03" in one.key} == {
        "L03/Concessional": "1992-07",
        "L03/General": "1992-07",
    }
    assert str(table.end) == "2006-06"
