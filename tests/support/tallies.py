"""Rows with everything that engines like to disagree about, and the specification that counts them.

`by_hand` counts them in plain Python, value by value: the second implementation that the engines
are held against.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from audits.sources.axes import CategoryAxis, NumberAxis, NumberType
from audits.sources.counting import (
    MISSING_SUM,
    OUTSIDE_SUM,
    CodedRows,
    subject_number,
    tally_of_codes,
)
from audits.sources.tally import Tally
from audits.sources.tally_spec import SumColumn, TableSpec, TallySpec, canonical_bytes

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START_US = 1_700_000_000_000_000
LARGE = 2**53 + 1
SEXES = ("F", "M", "não", "f")
WORDS = (None, "", "F", "M", "f", " F", "não", "unknown", "x" * 300)
NUMBERS = (
    None, float("nan"), 0.0, -0.0, 0.1, 0.30000000000000004, 0.3, 65.5, 65.49999999999999, 1e300,
    float("inf"), float("-inf"), -17.25, 5e-324, 100.0, -100.0, 12.3456789, 200.0000001,
)  # fmt: skip
WHOLES = (None, 0, -1, LARGE, LARGE - 1, LARGE + 1, -(2**63), 2**63 - 1, 3, 2)
MOMENTS_US = (
    None, START_US, START_US - 1, START_US + 1, 0, -1, START_US + 3_600_000_000, 10**15 * 4,
)  # fmt: skip


def spec(*, subject: str | None = "patient", replicates: int = 5) -> TallySpec:
    """Return a specification over all the columns; subjects are whole numbers or texts."""
    by_subject = subject is not None
    return TallySpec(
        id="everything",
        axes=(
            CategoryAxis(id="sex", column="sex", levels=SEXES),
            CategoryAxis(id="flag", column="flag", levels=("true", "false")),
            CategoryAxis(id="grade", column="whole", levels=("-1", "3", "03", "0")),
            NumberAxis(id="lab", column="lab", edges=decimals("-17.25", "0", "0.3", "65.5")),
            NumberAxis(
                id="whole",
                column="whole",
                type=NumberType.INTEGER,
                edges=decimals("-1", "2.5", LARGE, LARGE + 1),
            ),
            NumberAxis(
                id="at",
                column="at",
                type=NumberType.TIME,
                edges=decimals(0, START_US, START_US + 1),
            ),
        ),
        sums=(
            SumColumn(
                id="lab", column="lab", scale=4, low=Decimal(-100), high=Decimal("200.00000005")
            ),
        ),
        tables=(
            TableSpec(
                id="cross",
                axes=("sex", "lab"),
                sums=("lab",),
                moments=by_subject,
                replicated=by_subject and replicates > 0,
            ),
            TableSpec(id="wholes", axes=("whole", "flag"), moments=by_subject),
            TableSpec(id="grade", axes=("grade",), sums=("lab",)),
            TableSpec(id="when", axes=("at", "sex")),
        ),
        subject=subject,
        unit="patient",
        replicates=replicates,
        seed=2**40 + 77,
    )


def decimals(*texts: str | int) -> tuple[Decimal, ...]:
    """Return exact decimals."""
    return tuple(Decimal(text) for text in texts)


def rows(n: int, *, seed: int) -> list[dict[str, Any]]:
    """Return invented rows: every awkward value, and ordinary ones; some six rows a patient."""
    rng = np.random.default_rng(seed)
    patients = rng.integers(-(2**62), 2**62, max(n // 6, 1))
    made = []
    for number in range(n):
        patient = int(patients[rng.integers(patients.size)])
        awkward = number % 3 == 0
        made.append(
            {
                "patient": patient,
                "name": f"MRN-{patient}-é",
                "sex": WORDS[rng.integers(len(WORDS))],
                "flag": (None, True, False)[rng.integers(3)],
                "lab": NUMBERS[rng.integers(len(NUMBERS))]
                if awkward
                else float(rng.normal(40, 60)),
                "whole": WHOLES[rng.integers(len(WHOLES))],
                "at_us": MOMENTS_US[rng.integers(len(MOMENTS_US))],
            }
        )
    return made


def instant(at_us: int | None) -> datetime | None:
    """Return the instant in UTC."""
    return None if at_us is None else EPOCH + timedelta(microseconds=at_us)


def by_hand(data: list[dict[str, Any]], of: TallySpec) -> Tally:
    """Return the tally, each value coded by itself."""
    codes = {axis.id: [_code(axis, row) for row in data] for axis in of.axes}
    fixed = {one.id: [_fixed(row["lab"], one) for row in data] for one in of.sums}
    subjects = {
        None: None,
        "patient": [row["patient"] for row in data],
        "name": [subject_number(row["name"]) for row in data],
    }[of.subject]
    return tally_of_codes(
        CodedRows(
            codes={name: np.array(one, dtype=np.int64) for name, one in codes.items()},
            fixed={name: np.array(one, dtype=np.int64) for name, one in fixed.items()},
            subject=None if subjects is None else np.array(subjects, dtype=np.int64),
            n=len(data),
        ),
        of,
    )


def _code(axis: CategoryAxis | NumberAxis, row: dict[str, Any]) -> int:
    value = row["at_us" if axis.column == "at" else axis.column]
    if isinstance(axis, NumberAxis):
        return axis.code_of(value)
    if value is None:
        return 0
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return axis.levels.index(text) + 1 if text in axis.levels else len(axis.levels) + 1


def _fixed(value: float | None, of: SumColumn) -> int:
    if value is None or value != value:  # noqa: PLR0124 - NaN is what differs from itself
        return MISSING_SUM
    if not float(of.low) <= value <= float(of.high):
        return OUTSIDE_SUM
    return int(np.floor(value * of.factor + 0.5))


def tally_text(n: int = 60, *, seed: int = 3) -> str:
    """Return the canonical JSON of a tally of invented rows."""
    return canonical_bytes(by_hand(rows(n, seed=seed), spec(replicates=0)).as_record()).decode()
