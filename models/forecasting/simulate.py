"""A PLANTED fault for demonstrations and tests, so that it can never pass for real degradation."""

from dataclasses import dataclass

from audits.sources.series import Month, MonthlySeries
from models.errors import ContractRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A real series with a planted level shift; show `label` wherever a number comes from it."""

    series: MonthlySeries
    label: str


def plant_level_shift(series: MonthlySeries, *, from_month: Month, factor: float) -> Planted:
    """Multiply the series from `from_month` on by `factor` (> 0, not 1) and label it PLANTED."""
    if not 0.0 < factor < float("inf") or factor == 1.0:
        raise ContractRefused(
            "a planted shift multiplies by a positive number other than 1",
            next_step="choose a factor such as 1.3 or 0.7",
            faults=("factor",),
        )
    if not series.start < from_month <= series.end:
        raise ContractRefused(
            f"{from_month} is not inside the series {series.start} to {series.end}",
            next_step="choose a later month than the first, so that something is left unchanged",
            faults=("from_month",),
        )
    before = from_month.minus(series.start)
    values = series.values[:before] + tuple(value * factor for value in series.values[before:])
    return Planted(
        series=MonthlySeries(key=series.key, start=series.start, values=values, group=series.group),
        label=f"PLANTED level shift of {series.key}: x {factor:g} from {from_month} on",
    )
