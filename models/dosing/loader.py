"""From an open source to patients: the warfarin table of the IWPC, one row a patient.

Definition: each row is one patient of one site with the weekly dose of warfarin, in mg, that kept
    the INR stable, and what a clinician knew before dosing.
Why strict: a covariate that is read wrongly moves a dose. Every fault is named with its line and
    refuses the whole table; nothing is dropped, filled or repaired.
Missing values: an empty cell is None. "Unknown" race or ethnicity stays a level: the source joins
    missing and mixed there, and the published algorithm has a term for it.
Failure modes: what the source left out (other sites, rows without a dose) cannot be seen here.
Cost: linear in the rows (some 50 ms for 3,879).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TextIO

from models.errors import ContractRefused

COLUMNS: Final = (
    "subject_id",
    "site",
    "sex",
    "race",
    "ethnicity",
    "age_band",
    "height_cm",
    "weight_kg",
    "indication",
    "diabetes",
    "chf",
    "valve",
    "aspirin",
    "simvastatin",
    "amiodarone",
    "carbamazepine",
    "phenytoin",
    "rifampin",
    "target_inr",
    "stable",
    "weekly_dose_mg",
    "inr",
    "smoker",
    "cyp2c9",
    "vkorc1_1639",
)
AGE_BANDS: Final = (
    "10 - 19",
    "20 - 29",
    "30 - 39",
    "40 - 49",
    "50 - 59",
    "60 - 69",
    "70 - 79",
    "80 - 89",
    "90+",
)
"""In decades: the first band is 1, the last 9, as the published algorithm counts them."""
RACES: Final = ("Asian", "Black or African American", "Unknown", "White")
ETHNICITIES: Final = ("Hispanic or Latino", "not Hispanic or Latino", "Unknown")
SEXES: Final = ("female", "male")

MAX_ROWS: Final = 100_000
"""Some twenty times the consortium's table: more is not this table."""
MAX_CELL: Final = 100
FAULTS_NAMED: Final = 10

# Outside these a unit was mistaken (inches, pounds, mg a day) or a digit lost.
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "height_cm": (100.0, 250.0),
    "weight_kg": (20.0, 300.0),
    "weekly_dose_mg": (0.5, 400.0),
}
_LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "sex": SEXES,
    "race": RACES,
    "ethnicity": ETHNICITIES,
    "age_band": AGE_BANDS,
}
_FLAGS: Final = ("amiodarone", "carbamazepine", "phenytoin", "rifampin", "stable")
_FLAG: Final = ("", "0.0", "1.0")
_REQUIRED: Final = ("subject_id", "site", "race", "ethnicity", "stable", "weekly_dose_mg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One patient; None where the source says nothing. Height in cm, weight in kg, dose mg a week.

    `weekly_dose_mg` is the dose in use; it is the right one only where `stable`.
    """

    subject_id: str
    site: str
    sex: str | None
    race: str
    ethnicity: str
    age_band: str | None
    height_cm: float | None
    weight_kg: float | None
    amiodarone: bool | None
    carbamazepine: bool | None
    phenytoin: bool | None
    rifampin: bool | None
    stable: bool
    weekly_dose_mg: float


def load_warfarin(stream: TextIO) -> tuple[Patient, ...]:
    """Read the table; raises ContractRefused listing every fault with its line."""
    reader = csv.reader(stream, strict=True)
    faults: list[str] = []
    patients: list[Patient] = []
    seen: dict[str, int] = {}
    for line, row in _rows(reader, faults):
        wrong = _faults(row)
        earlier = seen.setdefault(row["subject_id"], line)
        if earlier != line:
            wrong.append(f"subject_id stands in line {earlier} already")
        faults.extend(f"line {line}: {fault}" for fault in wrong)
        if not wrong:
            patients.append(_patient(row))
    if not patients and not faults:
        faults.append("there is no row")
    if faults:
        raise _refused(faults)
    return tuple(patients)


def _rows(reader: Iterator[list[str]], faults: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, row) of the rows whose shape is right; the others become faults."""
    try:
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            faults.append(f"line 1: the columns are not {', '.join(COLUMNS)}")
            return
        for line, cells in enumerate(reader, start=2):
            if line > MAX_ROWS + 1:
                faults.append(f"there are more than {MAX_ROWS} rows")
                return
            if len(cells) != len(COLUMNS):
                faults.append(f"line {line}: {len(cells)} cells, not {len(COLUMNS)}")
            elif max(len(cell) for cell in cells) > MAX_CELL:
                faults.append(f"line {line}: a cell is longer than {MAX_CELL} characters")
            else:
                yield line, dict(zip(COLUMNS, cells, strict=True))
    except csv.Error:
        faults.append("the text is no CSV: a quote is not closed, or a field is too long")


def _faults(row: Mapping[str, str]) -> list[str]:
    found = [f"{name} is empty" for name in _REQUIRED if not row[name]]
    for name, levels in _LEVELS.items():
        if row[name] and row[name] not in levels:
            found.append(f"{name} is none of {', '.join(levels)}")
    found += [f"{name} is not 0.0, 1.0 or empty" for name in _FLAGS if row[name] not in _FLAG]
    for name, (low, high) in _RANGES.items():
        if row[name] and not low <= _number(row[name]) <= high:
            found.append(f"{name} is no number from {low:g} to {high:g}")
    if row["site"] and not (_number(row["site"]) > 0 and _number(row["site"]) % 1 == 0):
        found.append("site is no whole number")
    return found


def _patient(row: Mapping[str, str]) -> Patient:
    return Patient(
        subject_id=row["subject_id"],
        site=str(int(float(row["site"]))),
        sex=row["sex"] or None,
        race=row["race"],
        ethnicity=row["ethnicity"],
        age_band=row["age_band"] or None,
        height_cm=_maybe(row["height_cm"]),
        weight_kg=_maybe(row["weight_kg"]),
        amiodarone=_flag(row["amiodarone"]),
        carbamazepine=_flag(row["carbamazepine"]),
        phenytoin=_flag(row["phenytoin"]),
        rifampin=_flag(row["rifampin"]),
        stable=row["stable"] == "1.0",
        weekly_dose_mg=float(row["weekly_dose_mg"]),
    )


def _number(text: str) -> float:
    """Return the number, or NaN, which lies in no range."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _maybe(text: str) -> float | None:
    return float(text) if text else None


def _flag(text: str) -> bool | None:
    return text == "1.0" if text else None


def _refused(faults: list[str]) -> ContractRefused:
    shown = "; ".join(faults[:FAULTS_NAMED])
    more = f"; and {len(faults) - FAULTS_NAMED} more" if len(faults) > FAULTS_NAMED else ""
    return ContractRefused(
        f"the table breaks its contract: {shown}{more}",
        next_step="correct the source and load it again; nothing was dropped or repaired",
        faults=tuple(faults),
    )
