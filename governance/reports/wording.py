"""Numbers, intervals, instants and digests in the words that every page and report uses.

A record keeps numbers as decimal text; here they are rounded for reading, and only here. Two
significant digits of the interval's width are kept, more than that would be noise. A rounded
number is never shown on the other side of a limit than the number itself: digits are added until
it stands where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

MINUS: Final = "−"
EN_DASH: Final = "–"
ELLIPSIS: Final = "…"
NARROW_SPACE: Final = "\u202f"
NO_BREAK_SPACE: Final = "\u00a0"
UNDEFINED: Final = "undefined"
MOST_DECIMALS: Final = 6
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_US: Final = 60_000_000
_HOUR_US: Final = 60 * _MINUTE_US
_DAY_US: Final = 24 * _HOUR_US

VERDICT_WORDS: Final = {"pass": "Pass", "fail": "Fail", "insufficient": "Insufficient"}


def decimal_of(text: str | int | None) -> Decimal | None:
    """Return the number that `text` writes, or None where it writes none."""
    if text is None:
        return None
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def number_text(text: str | int | None, *, places: int | None = None) -> str:
    """Return a number for reading: `places` decimals, or three significant digits."""
    number = decimal_of(text)
    if number is None:
        return "not stated" if text is None else str(text)
    if places is None:
        places = _places_for(abs(number), digits=3) if number != 0 else 0
        return _written(number, places, trim=True)
    return _written(number, places)


def interval_text(
    value: str | None,
    low: str | None,
    high: str | None,
    *,
    apart_from: Iterable[str | None] = (),
) -> str:
    """Return "0.66 (0.58 to 0.74)", or "undefined" where there is no value.

    `apart_from` are limits that the value was judged against.
    """
    number, lower, upper = decimal_of(value), decimal_of(low), decimal_of(high)
    if number is None:
        return UNDEFINED
    if lower is None or upper is None:
        places = _apart(number, apart_from, _places_for(abs(number), digits=3))
        return f"{_written(number, places)}{NO_BREAK_SPACE}(no interval)"
    width = upper - lower
    places = _places_for(width if width > 0 else abs(number), digits=2)
    places = _apart(number, apart_from, places)
    limits = f"{_written(lower, places)} to {_written(upper, places)}"
    return f"{_written(number, places)}{NO_BREAK_SPACE}{NO_BREAK_SPACE}({limits})"


def percent_text(level: str | None) -> str:
    """Return "95 %" for "0.95"."""
    number = decimal_of(level)
    if number is None:
        return "not stated"
    return f"{_written(number * 100, 1, trim=True)}{NARROW_SPACE}%"


def count_text(count: int, one: str, many: str | None = None) -> str:
    """Return "1 review" or "3 reviews"."""
    return (
        f"{_written(Decimal(count), 0)}{NO_BREAK_SPACE}{one if count == 1 else many or one + 's'}"
    )


def instant(us: int) -> datetime:
    """Return the UTC instant of integer microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)


def instant_text(us: int | None, *, seconds: bool = False) -> str:
    """Return "2026-03-06 14:03 UTC"; None is "not set"."""
    if us is None:
        return "not set"
    form = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return f"{instant(us):{form}}{NO_BREAK_SPACE}UTC"


def day_text(us: int) -> str:
    """Return "6 March 2026"; the month is a word, so that no reader takes it for the day."""
    moment = instant(us)
    return f"{moment.day}{NO_BREAK_SPACE}{_MONTHS[moment.month - 1]}{NO_BREAK_SPACE}{moment.year}"


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def field_words(field: str) -> str:
    """Return a governed field's name as words; an instant is called by what happened then."""
    return words_of(field.removesuffix("_us"))


def field_text(field: str, value: str) -> str:
    """Return a governed field's value for reading; microseconds become an instant."""
    if field.endswith("_us") and value.isdecimal():
        return instant_text(int(value), seconds=True)
    return value


def machine_instant(us: int) -> str:
    """Return the instant as RFC 3339, for `<time datetime>` and for records."""
    return instant(us).isoformat(timespec="seconds").replace("+00:00", "Z")


def span_text(span_us: int) -> str:
    """Return a length of time in its two largest units of day, hour and minute."""
    span_us = abs(span_us)
    days, rest = divmod(span_us, _DAY_US)
    hours, rest = divmod(rest, _HOUR_US)
    minutes = rest // _MINUTE_US
    if days >= 10 or (days and not hours):
        return count_text(days, "day")
    if days:
        return f"{count_text(days, 'day')} {count_text(hours, 'hour')}"
    if hours and minutes:
        return f"{count_text(hours, 'hour')} {count_text(minutes, 'minute')}"
    if hours:
        return count_text(hours, "hour")
    return count_text(minutes, "minute") if minutes else "less than a minute"


def due_text(due_us: int, now_us: int) -> str:
    """Return "due in 3 days" or "overdue by 2 hours" (P12)."""
    if due_us < now_us:
        return f"overdue by {span_text(now_us - due_us)}"
    return f"due in {span_text(due_us - now_us)}"


def digest_text(digest: str | None, *, length: int = 12) -> str:
    """Return the first characters of a digest; the whole one stands on the record's own page."""
    if not digest:
        return "none"
    return digest if len(digest) <= length else digest[:length] + ELLIPSIS


def words_of(identifier: str) -> str:
    """Return "Rolled back" for "rolled_back": identifiers are written as words on pages."""
    words = identifier.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def sentence_of(text: str) -> str:
    """Return the text as it begins a sentence; a method keeps its own spelling, "t(q-2)"."""
    return text[:1].upper() + text[1:]


METRIC_WORDS: Final = {
    "mase": "MASE",
    "rmsse": "RMSSE",
    "wape": "WAPE",
    "pinball": "pinball loss",
    "coverage_80": "coverage at 80 %",
    "coverage_95": "coverage at 95 %",
    "bias": "bias",
    "under_forecast": "under-forecast",
    "skill_wape": "skill over baseline (WAPE)",
}


def metric_words(metric: str) -> str:
    """Return a metric's name as readers know it; an unknown one as it is written."""
    return METRIC_WORDS.get(metric, metric.replace("_", " "))


def criterion_words(criterion: str) -> str:
    """Return a criterion's name as words; one that is called like its metric reads as that."""
    if criterion in METRIC_WORDS:
        name = METRIC_WORDS[criterion]
        return name[:1].upper() + name[1:]
    return words_of(criterion)


def span_of(months: Sequence[str]) -> str:
    """Return "2001-07 to 2005-06" for months in any order."""
    if not months:
        return "none"
    first, last = min(months), max(months)
    return first if first == last else f"{first} to {last}"


def verdict_word(verdict: str) -> str:
    """Return the word for a verdict; an unknown one is shown as it is, never as a pass."""
    return VERDICT_WORDS.get(verdict, words_of(verdict))


def _places_for(number: Decimal, *, digits: int) -> int:
    """Return how many decimals show `digits` significant digits of `number`."""
    if number == 0:
        return digits - 1
    return min(max(digits - 1 - number.adjusted(), 0), MOST_DECIMALS)


def _apart(number: Decimal, limits: Iterable[str | None], places: int) -> int:
    """Return `places`, or more, so that rounding moves `number` across or onto no limit."""
    known = [limit for limit in map(decimal_of, limits) if limit is not None and limit != number]
    for wanted in range(places, MOST_DECIMALS + 1):
        shown = _rounded(number, wanted)
        if all(shown != limit and (shown < limit) == (number < limit) for limit in known):
            return wanted
    return MOST_DECIMALS


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)


def _written(number: Decimal, places: int, *, trim: bool = False) -> str:
    rounded = _rounded(number, places)
    text = f"{abs(rounded):.{places}f}"
    if trim and "." in text:
        text = text.rstrip("0").rstrip(".")
    whole, dot, fraction = text.partition(".")
    if len(whole) > 4:
        whole = f"{int(whole):,}".replace(",", NARROW_SPACE)
    sign = MINUS if rounded < 0 else ""
    return f"{sign}{whole}{dot}{fraction}"
