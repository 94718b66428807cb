"""Features as they were known: what a prediction at an instant could have read (P9).

Definition: a measurement has an instant at which it was made and one at which it became known. The
    value of a feature as of t is, among the measurements of the subject known by t, the one made
    last; of two made at one instant the one that became known last, which is the correction.
Formula: among rows j with s_j = s and known_j <= t, the row with the greatest (measured_j, known_j,
    j); missing where there is none or measured_j < t - max_age. Because known_j >= measured_j,
    nothing measured after t can be chosen.
Source: Snodgrass (1999), Developing Time-Oriented Database Applications in SQL, chapter 10 (valid
    time and transaction time); the point-in-time join of feature stores.
Assumptions: instants are whole numbers of one unit; the instant of knowing is when the value could
    be read where the prediction is made, not when the laboratory had it.
Failure modes: a table that was corrected in place keeps no history, and every value looks known at
    once: nothing here can see that. A measurement known before it was made is refused.
Cost: O((n + m) log(n + m)) for n measurements and m predictions; no loop over either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import AsOfRefused
from audits.sources.sample import MISSING_TIME

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Bools: TypeAlias = NDArray[np.bool_]

ROWS_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurements:
    """One quantity measured n times: whose, when it was made, when it was known, the value."""

    subject: Ints
    measured_at: Ints
    known_at: Ints
    value: Floats

    def __post_init__(self) -> None:
        import numpy as np

        columns = (self.subject, self.measured_at, self.known_at, self.value)
        if any(one.shape != (self.subject.size,) for one in columns):
            raise _refused("subject, both instants and value have one entry a measurement")
        if any(one.dtype.kind != "i" for one in columns[:3]):
            raise _refused("subjects and instants are whole numbers")
        undated = (self.measured_at == MISSING_TIME) | (self.known_at == MISSING_TIME)
        if undated.any():
            raise _refused(f"a measurement without an instant: {_rows(np.flatnonzero(undated))}")
        early = self.known_at < self.measured_at
        if early.any():
            raise _refused(
                f"a value cannot be known before it is measured: {_rows(np.flatnonzero(early))}"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AsOf:
    """The feature of m predictions: value (NaN where none), and where it came from.

    `row` (m) is the measurement's number or -1; `later` (m) says that a measurement made by then
    became known only afterwards, so that a join on the instant of measuring would have used it.
    """

    value: Floats
    measured_at: Ints
    known_at: Ints
    row: Ints
    later: Bools


def as_of(
    measurements: Measurements, *, subject: Ints, at: Ints, max_age: int | None = None
) -> AsOf:
    """Return the value of each prediction (`subject` (m), `at` (m)) as known at its instant.

    `max_age` is the greatest age of the measurement at the prediction. Raises AsOfRefused where a
    prediction has no instant or `max_age` is negative.
    """
    import numpy as np

    if subject.shape != at.shape or at.ndim != 1:
        raise _refused("a prediction has one subject and one instant")
    if (at == MISSING_TIME).any():
        raise _refused("a prediction without an instant has no features as of it")
    if max_age is not None and max_age < 0:
        raise _refused("the greatest age is never negative")
    row = _newest(measurements, subject, at, order_by=measurements.known_at)
    naive = _newest(measurements, subject, at, order_by=measurements.measured_at)
    found = row >= 0
    safe = np.where(found, row, 0)
    if max_age is not None and measurements.subject.size:
        found &= measurements.measured_at[safe] >= at - max_age
    missing = np.full(at.shape, MISSING_TIME, dtype=np.int64)
    if not measurements.subject.size:
        nothing = np.full(at.shape, np.nan)
        none = np.full(at.shape, -1, dtype=np.int64)
        return AsOf(value=nothing, measured_at=missing, known_at=missing, row=none, later=none > 0)
    return AsOf(
        value=np.where(found, measurements.value[safe], np.nan),
        measured_at=np.where(found, measurements.measured_at[safe], missing),
        known_at=np.where(found, measurements.known_at[safe], missing),
        row=np.where(found, row, -1),
        later=naive != row,
    )


def require_known(*, at: Ints, known_at: Ints, name: str) -> None:
    """Refuse the feature `name` if any value (n) became known after its prediction (n).

    Raises AsOfRefused with the count and the first rows; a value without an instant of knowing is
    counted too, because nothing shows that it was known.
    """
    import numpy as np

    late = np.flatnonzero((known_at > at) | (known_at == MISSING_TIME) | (at == MISSING_TIME))
    if late.size:
        raise _refused(
            f"{late.size} of {at.size} values of {name!r} are not shown to be known at their "
            f"prediction: {_rows(late)}"
        )


def _newest(measurements: Measurements, subject: Ints, at: Ints, *, order_by: Ints) -> Ints:
    """Return (m) the newest measurement among those whose `order_by` is not after `at`, or -1.

    Subjects lie one after the other on a single axis: rank + subject * stride. A running maximum
    along it cannot reach back into an earlier subject, because every later subject ranks higher.
    """
    import numpy as np

    n = measurements.subject.size
    if not n:
        return np.full(at.shape, -1, dtype=np.int64)
    _, code = np.unique(np.concatenate((measurements.subject, subject)), return_inverse=True)
    instants, instant = np.unique(np.concatenate((order_by, at)), return_inverse=True)
    key = code.astype(np.int64) * (instants.size + 1) + instant
    order = np.argsort(key[:n], kind="stable")
    newest_last = np.lexsort((np.arange(n), measurements.known_at, measurements.measured_at))
    freshness = np.empty(n, dtype=np.int64)
    freshness[newest_last] = np.arange(n)
    running = np.maximum.accumulate(code[:n][order].astype(np.int64) * n + freshness[order])
    place = np.searchsorted(key[:n][order], key[n:], side="right") - 1
    best = running[np.maximum(place, 0)]
    owned = (place >= 0) & (best // n == code[n:])
    return np.where(owned, newest_last[best % n], -1).astype(np.int64)


def _rows(rows: Ints) -> str:
    named = ", ".join(str(int(row)) for row in rows[:ROWS_NAMED])
    more = f" and {rows.size - ROWS_NAMED} more" if rows.size > ROWS_NAMED else ""
    return f"row {named}{more}" if rows.size == 1 else f"rows {named}{more}"


def _refused(fault: str) -> AsOfRefused:
    return AsOfRefused(
        fault, next_step="Correct the instants, or leave the feature out of the prediction."
    )
