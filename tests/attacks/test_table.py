"""The table is whole: every row has a test that exists, or says why not, and the page says so."""

from __future__ import annotations

from tests.attacks.table import ELSEWHERE, PAGE, ROWS, names_in, page, rows_run
from tests.support.project import ROOT


def test_every_row_is_run() -> None:
    assert list(ROWS) == list(range(1, 37))
    assert {row for row, tests in rows_run().items() if tests} == ROWS.keys()


def test_tests_that_stand_elsewhere_are_there() -> None:
    for files in ELSEWHERE.values():
        for file, names in files.items():
            assert set(names) <= set(names_in(ROOT / file)), file


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.attacks.table --write"
