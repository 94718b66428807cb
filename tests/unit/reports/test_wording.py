from __future__ import annotations

import pytest

from governance.reports import wording

NBSP = "\u00a0"


def plain(text: str) -> str:
    return text.replace(NBSP, " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        ("0.661234", "0.58", "0.74", "0.66  (0.58 to 0.74)"),
        ("0.94123", "0.91234", "0.96612", "0.941  (0.912 to 0.966)"),
        ("-0.021", "-0.094", "0.049", "−0.02  (−0.09 to 0.05)"),
        ("12345.6", "11000", "13900", "12 346  (11 000 to 13 900)"),
        ("1", "1", "1", "1.0  (1.0 to 1.0)"),
        ("-0.00001", "-0.2", "0.2", "0.00  (−0.20 to 0.20)"),
    ],
)
def test_an_interval_keeps_two_significant_digits_of_its_width(
    value: str, low: str, high: str, expected: str
) -> None:
    assert plain(wording.interval_text(value, low, high)) == expected


def test_a_rounded_value_never_crosses_its_limit() -> None:
    text = wording.interval_text("0.6998", "0.6", "0.8", apart_from=["0.70"])
    assert text.startswith("0.6998")


def test_a_value_that_equals_its_limit_is_shown_as_short_as_any() -> None:
    assert wording.interval_text("0.70", "0.6", "0.8", apart_from=["0.70"]).startswith(
        "0.70" + NBSP
    )


def test_an_undefined_value_is_never_shown_as_a_number() -> None:
    assert wording.interval_text(None, None, None) == "undefined"


def test_a_value_without_interval_says_so() -> None:
    assert plain(wording.interval_text("0.5", None, None)) == "0.500 (no interval)"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "a lot"])
def test_what_is_no_number_is_shown_as_it_stands(text: str) -> None:
    assert wording.number_text(text) == text


@pytest.mark.parametrize(
    ("due", "now", "expected"),
    [
        (0, 3_600_000_000, "overdue by 1 hour"),
        (3_600_000_000, 0, "due in 1 hour"),
        (0, 93_600_000_000, "overdue by 1 day 2 hours"),
        (0, 59_000_000, "overdue by less than a minute"),
        (0, 0, "due in less than a minute"),
        (20 * 86_400_000_000, 0, "due in 20 days"),
    ],
)
def test_a_due_time_is_told_in_its_two_largest_units(due: int, now: int, expected: str) -> None:
    assert plain(wording.due_text(due, now)) == expected


def test_an_instant_names_its_zone() -> None:
    assert plain(wording.instant_text(1_772_816_400_000_000)) == "2026-03-06 17:00 UTC"
    assert wording.machine_instant(1_772_816_400_000_000) == "2026-03-06T17:00:00Z"


def test_an_instant_that_is_not_there_is_not_the_beginning_of_time() -> None:
    assert wording.instant_text(None) == "not set"


def test_an_unknown_verdict_is_not_worded_as_a_pass() -> None:
    assert wording.verdict_word("passed") == "Passed"
    assert wording.verdict_word("pass") == "Pass"


def test_a_day_names_its_month() -> None:
    assert plain(wording.day_text(1_772_816_400_000_000)) == "6 March 2026"


def test_a_method_keeps_its_spelling_where_it_begins_a_sentence() -> None:
    method = "block jackknife, t(q-2), v1"
    assert wording.sentence_of(method) == "Block jackknife, t(q-2), v1"
    assert wording.sentence_of("") == ""
