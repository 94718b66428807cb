"""The examples of RFC 8785: inside our domain the same bytes, outside it a refusal.

Each canonical text is also held against a second implementation, `rfc8785`, so that a slip in
typing the RFC in would be seen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from governance.ledger.core.canonical import dumps, loads
from governance.ledger.core.errors import NotCanonical

VECTORS: dict[str, Any] = json.loads(
    Path(__file__).with_name("rfc8785.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("vector", VECTORS["strings"] + VECTORS["documents"])
def test_an_example_inside_the_domain_has_the_bytes_of_the_rfc(vector: dict[str, str]) -> None:
    value = json.loads(vector["input"])
    assert rfc8785.dumps(value) == vector["canonical"].encode()
    assert dumps(value) == vector["canonical"].encode()
    assert loads(vector["canonical"].encode()) == value
    with pytest.raises(NotCanonical):
        loads(vector["input"].encode())


@pytest.mark.parametrize("vector", VECTORS["outside"])
def test_an_example_with_floats_or_other_names_is_refused(vector: dict[str, str]) -> None:
    value = json.loads(vector["canonical"])
    assert rfc8785.dumps(value) == vector["canonical"].encode()
    for refusing in (lambda: dumps(value), lambda: loads(vector["canonical"].encode())):
        with pytest.raises(NotCanonical):
            refusing()


@pytest.mark.parametrize("number", VECTORS["numbers_outside"])
def test_a_number_of_appendix_b_that_is_no_small_integer_is_refused(number: str) -> None:
    for raw in (number, f"[{number}]", f'{{"a":{number}}}'):
        with pytest.raises(NotCanonical):
            loads(raw.encode())
    with pytest.raises(NotCanonical):
        dumps(float(number))


@pytest.mark.parametrize("number", VECTORS["numbers_inside"])
def test_an_integer_of_appendix_b_is_read(number: str) -> None:
    assert dumps(loads(number.encode())) == number.encode()
