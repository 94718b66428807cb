"""The page of the operations is the catalogue, and the catalogue says what each one is."""

from __future__ import annotations

import re

import pytest

from governance.operations.catalogue import OPERATIONS
from tests.architecture.operations_page import PAGE, page

KIND = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")


def test_the_page_is_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m tests.architecture.operations_page --write"
    )


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_each_operation_says_what_it_records_and_what_a_repetition_does(name: str) -> None:
    operation = OPERATIONS[name]
    assert all(KIND.fullmatch(kind) for kind in operation.kinds)
    assert len(set(operation.kinds)) == len(operation.kinds)
    assert operation.repeated
    assert not (operation.kinds and operation.repeated == "reads only")
