"""The table is whole: every row has a test that exists, or says why not, and the page says so."""

from __future__ import annotations

import pytest

from tests.attacks.table import ELSEWHERE, PAGE, ROWS, named_in, page, rows_run
from tests.attacks.tools import TOOLS, left_out, quiet
from tests.support.project import ROOT


def test_every_row_is_run() -> None:
    assert list(ROWS) == list(range(1, 37))
    assert {row for row, tests in rows_run().items() if tests} == ROWS.keys()


def test_tests_that_stand_elsewhere_are_there() -> None:
    for files in ELSEWHERE.values():
        for file, names in files.items():
            assert set(names) <= named_in(ROOT / file).keys(), file


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.attacks.table --write"


def test_every_tool_is_one_that_is_known_and_some_test_needs_it() -> None:
    needed = {tool for tests in rows_run().values() for test in tests for tool in test.tools}
    assert needed == TOOLS.keys()


def test_a_missing_tool_leaves_a_test_out_and_fails_it_in_ci() -> None:
    with pytest.raises(pytest.skip.Exception, match="strace is not installed"):
        left_out("strace is not installed", ci=False)
    with pytest.raises(pytest.fail.Exception, match="nothing is left out here: strace"):
        left_out("strace is not installed", ci=True)


def test_a_skip_that_no_tool_explains_is_wrong() -> None:
    assert quiet("skipped", ["tmp_path", "home"]) is not None
    assert quiet("skipped", ["tmp_path", "strace"]) is None
    assert quiet("passed", ["tmp_path"]) is None
