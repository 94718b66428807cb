"""Class totals: the sum of the concession series of a class, and which series they are."""

from __future__ import annotations

from audits.sources.series import MonthlySeries, Panel
from models.errors import FitRefused
from models.forecasting.contract import TOTAL
from models.forecasting.members import add


def total_panel(panel: Panel) -> Panel | None:
    """Return the class totals over concession classes; None where no class has two of them.

    A total starts when its last part starts: before that month it would not be the total.
    """
    classes = sorted({class_of(key) for key in panel.keys})
    totals = [_total(parts_of(panel, f"{name}/{TOTAL}")) for name in classes]
    series = tuple(one for one in totals if one is not None)
    return Panel(series=series) if series else None


def parts_of(panel: Panel, total: str) -> tuple[MonthlySeries, ...]:
    """Return the concession series that `total` (such as `L01/total`) is the sum of."""
    name = class_of(total)
    return tuple(
        one for one in panel.series if class_of(one.key) == name and one.key != f"{name}/{TOTAL}"
    )


def class_of(key: str) -> str:
    """Return the product class of a series key such as `L01/General`; FitRefused if malformed."""
    name, slash, concession = key.partition("/")
    if not name or not slash or not concession or "/" in concession:
        raise FitRefused(
            f"the series key {key!r} is not of the form class/concession",
            next_step="name series like L01/General",
        )
    return name


def _total(parts: tuple[MonthlySeries, ...]) -> MonthlySeries | None:
    if len(parts) < 2:
        return None
    start = max(one.start for one in parts)
    windows = [one.window(start, one.end) for one in parts]
    return MonthlySeries(key=f"{class_of(parts[0].key)}/{TOTAL}", start=start, values=add(windows))
