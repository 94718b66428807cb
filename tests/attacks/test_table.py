"""The table is whole: every row has a test that exists, or says why not, and the page says so."""

from __future__ import annotations

from tests.attacks.table import ELSEWHERE, NOT_YET, PAGE, ROWS, names_in, page, rows_run
from tests.support.project import ROOT


def test_every_row_is_run_or_says_why_not() -> None:
    assert list(ROWS) == list(range(1, 37))
    run = {row for row, tests in rows_run().items() if tests}
    assert run | NOT_YET.keys() == ROWS.keys()
    assert run & NOT_YET.keys() == set(), "a row that is run needs no excuse"


def test_tests_that_stand_elsewhere_are_there() -> None:
    for files in ELSEWHERE.values():
        for file, names in files.items():
            assert set(names) <= set(names_in(ROOT / file)), file


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.attacks.table --write"
