"""The currency: what an estimate may say, and how numbers are written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.errors import EstimateMalformed
from audits.estimate import Estimate, decimal_text, undefined


def estimate(**changes: object) -> Estimate:
    fields: dict[str, object] = {
        "metric": "mase",
        "value": 0.7,
        "low": 0.5,
        "high": 0.9,
        "level": 0.95,
        "n": 5,
        "unit": "origin",
        "method": "m",
    }
    return Estimate(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "digits", "text"),
    [
        (0.1, 9, "0.1"),
        (-0.0, 9, "0"),
        (-1e-320, 3, None),
        (1e21, 9, "1000000000000000000000"),
        (1.5e-7, 9, "0.00000015"),
        (123456789.987, 9, "123456790"),
        (2 / 3, 6, "0.666667"),
        (100.0, 6, "100"),
        (1200.0, 2, "1200"),
        (-2.50, 6, "-2.5"),
    ],
)
def test_numbers_are_written_plainly(x: float, digits: int, text: str | None) -> None:
    written = decimal_text(x, digits=digits)
    assert "e" not in written.lower()
    assert text is None or written == text


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_written(x: float) -> None:
    with pytest.raises(EstimateMalformed) as refusal:
        decimal_text(x)
    assert refusal.value.next_step


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_seventeen_digits_bring_back_the_same_number(x: float) -> None:
    text = decimal_text(x, digits=17)
    assert float(text) == x
    assert text != "-0"


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(1, 12))
def test_writing_twice_changes_nothing(x: float, digits: int) -> None:
    once = decimal_text(x, digits=digits)
    assert decimal_text(float(once), digits=digits) == once


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"value": math.nan}, "finite"),
        ({"high": math.inf}, "finite"),
        ({"low": None}, "two limits or none"),
        ({"low": 0.95}, "exceeds"),
        ({"value": None}, "no interval"),
        ({"value": None, "low": None, "high": None}, "note"),
        ({"low": None, "high": None}, "note"),
        ({"level": 1.0}, "level"),
        ({"n": -1}, "never negative"),
    ],
)
def test_malformed_estimate_is_refused(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(EstimateMalformed, match=fault):
        estimate(**changes)


@pytest.mark.requirement("P8")
def test_undefined_is_not_zero() -> None:
    nothing = undefined(
        metric="mase", note="flat history", level=0.95, n=3, unit="origin", method="m"
    )
    assert nothing.value is None
    assert nothing.as_record()["value"] is None
    assert nothing.as_record()["note"] == "flat history"


def test_record_holds_no_binary_fraction() -> None:
    record = estimate(value=2 / 3).as_record()
    assert record["value"] == "0.666667"
    assert not any(isinstance(x, float) for x in record.values())


def test_estimate_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        estimate().value = 0.1  # type: ignore[misc]


def test_events_are_recorded_where_they_are_known_and_change_no_other_record() -> None:
    plain = estimate().as_record()
    assert "events" not in plain
    assert estimate(events=3).as_record() == {**plain, "events": 3}


def test_negative_events_are_refused() -> None:
    with pytest.raises(EstimateMalformed):
        estimate(events=-1)
