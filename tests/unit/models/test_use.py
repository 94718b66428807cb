from __future__ import annotations

import pytest

from models.entry import entry_from_record
from models.use import UseStatement
from tests.unit.models.samples import entry_record

INSIDE = {"product_class": "L01", "concession": "total", "horizon": 12}


@pytest.fixture(scope="module")
def use() -> UseStatement:
    return entry_from_record(entry_record()).use


def test_a_row_inside_every_limit_is_inside(use: UseStatement) -> None:
    assert use.fields_outside(INSIDE) == ()


@pytest.mark.parametrize(
    ("change", "outside"),
    [
        ({"product_class": "A10"}, ("product_class",)),
        ({"product_class": None}, ("product_class",)),
        ({"horizon": 0}, ("horizon",)),
        ({"horizon": 25}, ("horizon",)),
        ({"horizon": True}, ("horizon",)),
        ({"horizon": "12"}, ("horizon",)),
        ({"horizon": float("nan")}, ("horizon",)),
        ({"product_class": "A10", "horizon": 99}, ("product_class", "horizon")),
    ],
)
def test_a_row_outside_a_limit_names_every_field(
    use: UseStatement, change: dict[str, object], outside: tuple[str, ...]
) -> None:
    assert use.fields_outside(INSIDE | change) == outside


def test_a_limited_field_that_is_missing_is_outside(use: UseStatement) -> None:
    assert use.fields_outside({}) == ("product_class", "concession", "horizon")


@pytest.mark.parametrize(
    ("purpose", "permitted"),
    [("stock-planning", True), ("Stock-planning", False), ("stock", False), ("", False)],
)
def test_only_a_registered_purpose_is_permitted(
    use: UseStatement, purpose: str, *, permitted: bool
) -> None:
    assert use.permits_purpose(purpose) is permitted
