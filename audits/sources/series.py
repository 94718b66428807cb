"""Monthly series and panels: the ordered, closed windows that forecasts are judged on.

Definition: a month is a calendar month; a series is one finite value for each month from `start`
    without a gap; a panel is a set of series with one common last month.
Formula: months are counted as 12 * year + month.
Source: the house definition of the `Series` source of estimates.
Assumptions: months are closed when recorded: a later correction is a new series, never a patch.
Failure modes: a missing month cannot be written down and is refused; it is not zero demand.
Cost: linear in the number of months.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from audits.errors import SeriesMalformed, SeriesTooShort

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, ordered in time and written `2005-07`."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1 <= self.month <= 12 and 1 <= self.year <= 9999):
            raise SeriesMalformed(
                f"no calendar month has year {self.year} and month {self.month}",
                next_step="Give a year from 1 to 9999 and a month from 1 to 12.",
            )

    @classmethod
    def parse(cls, text: str) -> Month:
        """Return the month written as `YYYY-MM`."""
        match = _MONTH.fullmatch(text)
        if match is None:
            raise SeriesMalformed(
                f"{text!r} is not a month", next_step="Write months as YYYY-MM, such as 2005-07."
            )
        return cls(int(match.group(1)), int(match.group(2)))

    def plus(self, months: int) -> Month:
        """Return the month `months` later (earlier when negative)."""
        year, zero_based = divmod(12 * self.year + self.month - 1 + months, 12)
        return Month(year, zero_based + 1)

    def minus(self, other: Month) -> int:
        """Return how many months `self` lies after `other`."""
        return 12 * (self.year - other.year) + self.month - other.month

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlySeries:
    """One finite value a month from `start` on; `group` is the subgroup used by comparisons."""

    key: str
    start: Month
    values: tuple[float, ...]
    group: str | None = None

    def __post_init__(self) -> None:
        fault = ""
        if not self.key:
            fault = "a series needs a key"
        elif not self.values:
            fault = "a series holds at least one month"
        elif not all(math.isfinite(x) for x in self.values):
            fault = "every month needs a finite value; a missing month is not zero"
        if fault:
            raise SeriesMalformed(
                f"series {self.key!r}: {fault}",
                next_step="Complete the series, or start it after its last gap.",
            )

    @property
    def end(self) -> Month:
        """The last month that has a value."""
        return self.start.plus(len(self.values) - 1)

    def until(self, month: Month) -> MonthlySeries:
        """Return the series up to and including `month`; later values are unreachable (P9)."""
        length = month.minus(self.start) + 1
        if length < 1:
            raise SeriesTooShort(
                f"series {self.key!r} starts in {self.start}, after {month}",
                next_step="Choose a later origin, or leave the series out and say so.",
            )
        return self._slice(self.start, 0, min(length, len(self.values)))

    def window(self, first: Month, last: Month) -> tuple[float, ...]:
        """Return the values from `first` to `last`, both included."""
        begin, stop = first.minus(self.start), last.minus(self.start) + 1
        if begin < 0 or stop > len(self.values) or begin >= stop:
            raise SeriesTooShort(
                f"series {self.key!r} covers {self.start} to {self.end}, not {first} to {last}",
                next_step="Ask for months inside the series.",
            )
        return self.values[begin:stop]

    def _slice(self, start: Month, begin: int, stop: int) -> MonthlySeries:
        return MonthlySeries(
            key=self.key, start=start, values=self.values[begin:stop], group=self.group
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Series sorted by unique key that all end in the same month; starts may differ."""

    series: tuple[MonthlySeries, ...]

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.series, key=lambda one: one.key))
        object.__setattr__(self, "series", ordered)
        keys = [one.key for one in ordered]
        fault = ""
        if not ordered:
            fault = "a panel holds at least one series"
        elif len(set(keys)) != len(keys):
            fault = "two series share a key"
        elif len({one.end for one in ordered}) != 1:
            fault = "the series end in different months: " + ", ".join(
                sorted({str(one.end) for one in ordered})
            )
        if fault:
            raise SeriesMalformed(fault, next_step="Cut every series at the last common month.")

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the series, in order."""
        return tuple(one.key for one in self.series)

    @property
    def end(self) -> Month:
        """The last month, common to every series."""
        return self.series[0].end

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Return the keys of each group, sorted; series without a group are absent."""
        members: dict[str, list[str]] = {}
        for one in self.series:
            if one.group is not None:
                members.setdefault(one.group, []).append(one.key)
        return {group: tuple(members[group]) for group in sorted(members)}

    def until(self, month: Month) -> Panel:
        """Return the panel as it stood at the end of `month` (P9).

        Raises SeriesTooShort where a series had not started or the panel ends earlier: silently
        handing over fewer series or months would change what is being measured.
        """
        if month > self.end:
            raise SeriesTooShort(
                f"the panel ends in {self.end}, before {month}",
                next_step="Choose a month inside the panel.",
            )
        return Panel(series=tuple(one.until(month) for one in self.series))
