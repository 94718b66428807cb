"""What the documents list is what the code has."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.architecture.error_codes import PAGE, ErrorCode, codes_on, error_codes, page_of
from tests.support.project import ROOT, shown, tracked_files

CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*(\.[a-z0-9]+(_[a-z0-9]+)*)+")
LINK = re.compile(r"\]\((?!#|[a-z]+:)([^)#\s]+)")


@pytest.fixture(scope="module")
def codes() -> list[ErrorCode]:
    return error_codes()


def test_every_error_code_is_documented_and_every_documented_code_exists(
    codes: list[ErrorCode],
) -> None:
    documented = codes_on(PAGE.read_text(encoding="utf-8"))
    assert documented == [one.code for one in codes], (
        "run: python -m tests.architecture.error_codes --write"
    )


def test_page_says_the_status_and_exit_code_that_the_code_gives(codes: list[ErrorCode]) -> None:
    rows = PAGE.read_text(encoding="utf-8").splitlines()
    assert [one.row() for one in codes if one.row() not in rows] == []


def test_page_can_be_read_back(codes: list[ErrorCode]) -> None:
    assert codes_on(page_of(codes)) == [one.code for one in codes]


def test_no_two_errors_share_a_code(codes: list[ErrorCode]) -> None:
    counted = Counter(one.code for one in codes)
    assert [code for code, times in counted.items() if times > 1] == []


def test_error_codes_are_dotted_lower_case(codes: list[ErrorCode]) -> None:
    assert [one.code for one in codes if not CODE.fullmatch(one.code)] == []


def test_every_error_says_in_one_sentence_what_it_means(codes: list[ErrorCode]) -> None:
    assert [one.where for one in codes if len(one.meaning.split()) < 3] == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{shown(path)}: {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_decision_record_has_its_parts() -> None:
    records = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    parts = ("Status:", "## Context", "## Options", "## Decision", "## Consequences")
    missing = [
        f"{shown(path)}: {part}"
        for path in records
        for part in parts
        if part not in path.read_text(encoding="utf-8")
    ]
    assert missing == []
