"""Coding a value into the bins that the monitoring plan froze, while it is in plain sight.

Monitors never decrypt answers. They read these codes: 0 is missing, 1 to k are the bins in the
order of the plan, k + 1 is a value that fits none of them. A code is never widened later, because
new bins are a new plan.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

from change_control.watch.monitoring import Bins, MonitoringPlan

MISSING: Final = 0


def code_of(bins: Bins, value: object) -> int:
    """Return the code of `value`: total, and never an error, whatever the value is."""
    if value is None or value == "":
        return MISSING
    if bins.categories is not None:
        known = isinstance(value, str) and value in bins.categories
        return bins.categories.index(str(value)) + 1 if known else len(bins.categories) + 1
    edges = bins.edges or ()
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return len(edges) + 2
    if value.is_nan() if isinstance(value, Decimal) else math.isnan(value):
        return MISSING
    return bisect_right(edges, value) + 1


def observe(
    plan: MonitoringPlan, *, source: Literal["input", "prediction"], row: Mapping[str, object]
) -> dict[str, int]:
    """Return the codes of the plan's fields of this source; a field that is absent is missing."""
    return {
        bins.field: code_of(bins, row.get(bins.field))
        for bins in plan.observations
        if bins.source == source
    }
