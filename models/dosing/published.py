"""Warfarin dosing rules that were published, and a table on which an audit compares them.

Definition: the fixed dose is 5 mg a day for everybody. The clinical algorithm of the International
    Warfarin Pharmacogenetics Consortium (IWPC) predicts the stable weekly dose from age, body size,
    race and three groups of interacting drugs, without genotypes.
Formula: fixed: 35 mg a week. Clinical: the square of
    4.0376 - 0.2546 age in decades + 0.0118 height in cm + 0.0134 weight in kg - 0.6752 Asian
    + 0.4060 Black or African American + 0.0443 missing or mixed race + 1.2799 enzyme inducer
    - 0.5695 amiodarone. Age in decades is 1 for 10 to 19 up to 9 for 90 and over; an enzyme inducer
    is carbamazepine, phenytoin or rifampin; a drug that the source does not mention counts as not
    taken, as in the publication.
Source: IWPC (2009), New England Journal of Medicine 360(8), 753-764, supplementary appendix S1e
    (clinical algorithm); the same article, page 755, for the fixed dose and for calling a
    prediction within 20 % of the stable dose ideal.
Assumptions: the stable dose is the right dose. The algorithm was fitted to four fifths of the
    consortium's patients, and this table is drawn from the same patients: what it shows of the
    algorithm is how errors are spread, not how well it does elsewhere.
Failure modes: without age, height or weight the algorithm has no dose; it is missing, never
    imputed here, and the audit counts such patients by group. Race stands in the formula: using
    it means asking for it when the drug is dosed.
Cost: linear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.sources.sample import Category, Sample
from models.dosing.loader import AGE_BANDS, ETHNICITIES, RACES, SEXES, Patient

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

FIXED_WEEKLY_MG: Final = 35.0
FIXED: Final = "fixed"
CLINICAL: Final = "iwpc_clinical"

_INTERCEPT: Final = 4.0376
_DECADE: Final = -0.2546
_HEIGHT: Final = 0.0118
_WEIGHT: Final = 0.0134
_RACE: Final[Mapping[str, float]] = {
    "Asian": -0.6752,
    "Black or African American": 0.4060,
    "Unknown": 0.0443,
    "White": 0.0,
}
_INDUCER: Final = 1.2799
_AMIODARONE: Final = -0.5695


@dataclass(frozen=True, slots=True, kw_only=True)
class DosingTable:
    """Columns for an audit, one entry a patient.

    `label`: the stable weekly dose in mg, None where no stable dose was reached. `doses`: by policy
    the weekly dose in mg, None where the policy has none. `categories`: attributes, None = missing.
    `lacking`: by policy the patients without a dose, by what they lack.
    """

    subject: tuple[str, ...]
    label: tuple[float | None, ...]
    doses: Mapping[str, tuple[float | None, ...]]
    categories: Mapping[str, tuple[str | None, ...]]
    lacking: Mapping[str, Mapping[str, int]]

    def sample(self) -> Sample:
        """Return the table as a Sample: subjects numbered in order, doses among the numbers."""
        import numpy as np

        return Sample(
            subject=np.arange(len(self.subject), dtype=np.int64),
            label=_numbers(self.label),
            numbers={name: _numbers(column) for name, column in self.doses.items()},
            categories={name: _category(name, column) for name, column in self.categories.items()},
            unit="patient",
        )


def fixed_dose(_patient: Patient) -> float:
    """Return the fixed weekly dose in mg."""
    return FIXED_WEEKLY_MG


def iwpc_clinical(patient: Patient) -> float | None:
    """Return the weekly dose in mg of the IWPC clinical algorithm, or None where inputs lack."""
    if patient.age_band is None or patient.height_cm is None or patient.weight_kg is None:
        return None
    inducer = patient.carbamazepine or patient.phenytoin or patient.rifampin
    root = (
        _INTERCEPT
        + _DECADE * (AGE_BANDS.index(patient.age_band) + 1)
        + _HEIGHT * patient.height_cm
        + _WEIGHT * patient.weight_kg
        + _RACE[patient.race]
        + (_INDUCER if inducer else 0.0)
        + (_AMIODARONE if patient.amiodarone else 0.0)
    )
    return root * root


def lacks(patient: Patient) -> tuple[str, ...]:
    """Return which inputs of the clinical algorithm the patient lacks."""
    given = {"age": patient.age_band, "height": patient.height_cm, "weight": patient.weight_kg}
    return tuple(name for name, value in given.items() if value is None)


def table(patients: Sequence[Patient]) -> DosingTable:
    """Return the columns of an audit of both policies on `patients`."""
    lacking: dict[str, int] = {}
    for patient in patients:
        for name in lacks(patient):
            lacking[name] = lacking.get(name, 0) + 1
    return DosingTable(
        subject=tuple(one.subject_id for one in patients),
        label=tuple(one.weekly_dose_mg if one.stable else None for one in patients),
        doses={
            FIXED: tuple(fixed_dose(one) for one in patients),
            CLINICAL: tuple(iwpc_clinical(one) for one in patients),
        },
        categories={
            "race": tuple(one.race for one in patients),
            "ethnicity": tuple(one.ethnicity for one in patients),
            "sex": tuple(one.sex for one in patients),
            "age_band": tuple(one.age_band for one in patients),
            "site": tuple(one.site for one in patients),
        },
        lacking={FIXED: {}, CLINICAL: lacking},
    )


def _numbers(column: Sequence[float | None]) -> Floats:
    import numpy as np

    return np.array([np.nan if x is None else x for x in column], dtype=np.float64)


_LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "race": RACES,
    "ethnicity": ETHNICITIES,
    "sex": SEXES,
    "age_band": AGE_BANDS,
}


def _category(name: str, column: Sequence[str | None]) -> Category:
    """Return the codes of a column; known attributes keep the levels that nobody has."""
    import numpy as np

    found = {x for x in column if x is not None}
    levels = _LEVELS.get(name) or tuple(sorted(found, key=lambda level: (len(level), level)))
    index = {level: code for code, level in enumerate(levels)}
    codes = np.array([-1 if x is None else index[x] for x in column], dtype=np.int32)
    return Category(codes=codes, levels=levels)
