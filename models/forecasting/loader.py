"""From an open source to a panel: the PBS monthly table, and single monthly totals.

Definition: the unit of forecasting is class x concession (`L01/General`): prescriptions summed
    over the type of co-payment.
Why that unit: the type says who paid at the counter (a patient crosses to the safety net when a
    yearly spending limit is reached), so its two halves trade volume within the year without any
    change in demand; concession class is the group that must not be served worse, so it stays.
    Class totals are sums of the two forecasts: coherent by construction, and measured to be as
    good as forecasting the total directly (docs/models/forecasting.md).
Failure modes: every fault of the table is reported with its rows and refuses the whole table.
    Nothing is dropped, filled or summed over a gap.
Cost: linear in the rows (0.1 s for 2,832 rows).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TextIO

from audits.errors import AuditError
from audits.sources.series import Month, MonthlySeries, Panel
from models.errors import ContractRefused
from models.forecasting.contract import COLUMNS, CONCESSIONS, TOTAL, table_schema

if TYPE_CHECKING:
    import pandas as pd

ROWS_NAMED = 10
_HEADER_LINES = 2
_AMOUNTS = ("Scripts", "Cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class PbsTable:
    """A table that kept its contract: the panel of prescriptions, and what was read.

    `panel` has one series per class x concession in prescriptions a month, grouped by concession.
    """

    panel: Panel
    rows: int
    classes: tuple[str, ...]
    start: Month
    end: Month


def load_pbs(stream: TextIO) -> PbsTable:
    """Read the PBS monthly CSV; raises ContractRefused listing every fault with its line."""
    frame = _read(stream)
    faults = _schema_faults(frame)
    if faults:
        raise _refused(faults)
    faults = _continuity_faults(frame)
    if faults:
        raise _refused(faults)
    panel = _panel(frame)
    starts = [one.start for one in panel.series]
    return PbsTable(
        panel=panel,
        rows=len(frame),
        classes=tuple(sorted(set(frame["ATC2"]))),
        start=min(starts),
        end=panel.end,
    )


def load_totals(
    totals: Mapping[str, Sequence[tuple[float, float]]], *, per_unit: int = 1_000_000
) -> Panel:
    """Return single monthly totals without concession class as a panel of `A10/total` series.

    `totals` maps a class to (time, value) pairs as R writes a monthly `ts`: time is the year with
    the month as a fraction (1991.5 = July 1991). Values are multiplied by `per_unit`: the A10 and
    H02 series of fpp2 are government expenditure in millions of Australian dollars, not
    prescriptions, and become dollars. Raises ContractRefused listing every fault.
    """
    faults: list[str] = []
    series: list[MonthlySeries] = []
    for name, pairs in sorted(totals.items()):
        months = [_month_of(time) for time, _value in pairs]
        found = _total_faults(name, months, [value for _time, value in pairs])
        faults.extend(found)
        if not found and months[0] is not None:
            values = tuple(float(round(value * per_unit)) for _time, value in pairs)
            series.append(MonthlySeries(key=f"{name}/{TOTAL}", start=months[0], values=values))
    if faults or not series:
        raise _refused(faults or ["no series was given"])
    try:
        return Panel(series=tuple(series))
    except AuditError as error:
        raise _refused([str(error)]) from error


def _read(stream: TextIO) -> pd.DataFrame:
    import pandas as pd

    try:
        # Everything as text first: a parser's own idea of missing values would hide faults.
        frame = pd.read_csv(stream, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeError) as error:  # ParserError and EmptyDataError are ValueErrors
        raise _refused(["the text is no table of comma-separated values"]) from error
    if tuple(frame.columns) != COLUMNS:
        raise _refused(["the columns are not " + ",".join(COLUMNS)])
    if frame.empty:
        raise _refused(["the table has no rows"])
    for column in _AMOUNTS:
        frame[column] = pd.to_numeric(frame[column], errors="coerce").astype(float)
    return frame


def _schema_faults(frame: pd.DataFrame) -> list[str]:
    from pandera.errors import SchemaErrors

    try:
        table_schema().validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return []
    rows: dict[str, set[int]] = {}
    for column, check, index in zip(cases["column"], cases["check"], cases["index"], strict=True):
        what = _check_name(str(column), str(check))
        rows.setdefault(what, set()).add(int(index) + _HEADER_LINES)
    return [f"{what}: {_lines(found)}" for what, found in sorted(rows.items())]


def _check_name(column: str, check: str) -> str:
    if "uniqueness" in check:
        return "month x concession x type x class given twice"
    return f"{column}: {check.split('(', maxsplit=1)[0]}"


def _lines(lines: set[int]) -> str:
    ordered = sorted(lines)
    named = ", ".join(str(line) for line in ordered[:ROWS_NAMED])
    more = f" and {len(ordered) - ROWS_NAMED} more" if len(ordered) > ROWS_NAMED else ""
    return f"line {named}{more}" if len(ordered) == 1 else f"lines {named}{more}"


def _continuity_faults(frame: pd.DataFrame) -> list[str]:
    """Every part of a class must cover the same months without a gap: a sum over part is false."""
    faults: list[str] = []
    last = Month.parse(max(frame["Month"])[:7])
    for name, of_class in frame.groupby("ATC2"):
        first = Month.parse(min(of_class["Month"])[:7])
        wanted = [str(first.plus(step)) for step in range(last.minus(first) + 1)]
        parts = {key: set(part["Month"].str[:7]) for key, part in _parts(of_class)}
        absent = [c for c in CONCESSIONS if all(c != key[0] for key in parts)]
        faults.extend(f"{name}: no rows for {concession}" for concession in absent)
        for key, months in parts.items():
            missing = [month for month in wanted if month not in months]
            if missing:
                named = ", ".join(missing[:ROWS_NAMED])
                more = f" and {len(missing) - ROWS_NAMED} more" if missing[ROWS_NAMED:] else ""
                faults.append(f"{name} {' / '.join(key)}: no row for {named}{more}")
    return faults


def _parts(of_class: pd.DataFrame) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    groups = of_class.groupby(["Concession", "Type"])
    return [(tuple(str(name) for name in key), part) for key, part in groups]


def _panel(frame: pd.DataFrame) -> Panel:
    series = []
    for (name, concession), part in frame.groupby(["ATC2", "Concession"]):
        monthly = part.groupby("Month")["Scripts"].sum().sort_index()
        series.append(
            MonthlySeries(
                key=f"{name}/{concession}",
                start=Month.parse(str(monthly.index[0])[:7]),
                values=tuple(float(value) for value in monthly),
                group=str(concession),
            )
        )
    return Panel(series=tuple(series))


def _month_of(time: float) -> Month | None:
    """Return the month of R's fractional year, or None when it is no month."""
    months = time * 12
    if not 12.0 <= months < 120_000.0 or abs(months - round(months)) > 0.01:
        return None
    year, zero_based = divmod(round(months), 12)
    return Month(year, zero_based + 1)


def _total_faults(name: str, months: list[Month | None], values: list[float]) -> list[str]:
    faults = []
    if not months:
        return [f"{name}: no months"]
    strange = {row for row, month in enumerate(months, start=1) if month is None}
    bad = {row for row, value in enumerate(values, start=1) if not 0.0 <= value < float("inf")}
    if strange:
        faults.append(f"{name}: time is not a month: {_lines(strange)}")
    if bad:
        faults.append(f"{name}: value is negative, missing or infinite: {_lines(bad)}")
    pairs = pairwise(months)
    jumps = {
        row
        for row, (one, following) in enumerate(pairs, start=2)
        if one is not None and following is not None and following != one.plus(1)
    }
    if jumps:
        faults.append(f"{name}: does not follow the month before: {_lines(jumps)}")
    return faults


def _refused(faults: list[str]) -> ContractRefused:
    shown = "; ".join(faults[:ROWS_NAMED])
    return ContractRefused(
        f"the table breaks its contract: {shown}",
        next_step="correct the source and load it again; nothing was dropped or repaired",
        faults=tuple(faults),
    )
