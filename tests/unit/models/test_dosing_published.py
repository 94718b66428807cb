"""Published warfarin doses against arithmetic by hand, and the table for audits."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from models.dosing.loader import Patient, load_warfarin
from models.dosing.published import (
    CLINICAL,
    FIXED,
    fixed_dose,
    iwpc_clinical,
    lacks,
    table,
)


def patient(**changes: object) -> Patient:
    given: dict[str, object] = {
        "subject_id": "P1",
        "site": "1",
        "sex": "female",
        "race": "White",
        "ethnicity": "Unknown",
        "age_band": "60 - 69",
        "height_cm": 160.0,
        "weight_kg": 60.0,
        "amiodarone": None,
        "carbamazepine": None,
        "phenytoin": None,
        "rifampin": None,
        "stable": True,
        "weekly_dose_mg": 30.0,
    }
    return Patient(**{**given, **changes})  # type: ignore[arg-type]


def exact(*terms: str) -> float:
    return float(sum((Fraction(term) for term in terms), Fraction(0)) ** 2)


# 4.0376 - 6 x 0.2546 + 160 x 0.0118 + 60 x 0.0134, by hand
BASE = ("4.0376", "-1.5276", "1.888", "0.804")


@pytest.mark.parametrize(
    ("changes", "terms"),
    [
        ({}, BASE),
        ({"race": "Asian"}, (*BASE, "-0.6752")),
        ({"race": "Black or African American"}, (*BASE, "0.4060")),
        ({"race": "Unknown"}, (*BASE, "0.0443")),
        ({"amiodarone": True}, (*BASE, "-0.5695")),
        ({"rifampin": True}, (*BASE, "1.2799")),
        ({"carbamazepine": True, "phenytoin": True}, (*BASE, "1.2799")),
        ({"amiodarone": False, "rifampin": False}, BASE),
        ({"age_band": "10 - 19"}, (*BASE, "1.2730")),
        ({"age_band": "90+"}, (*BASE, "-0.7638")),
    ],
)
def test_the_clinical_algorithm_is_the_published_sum(
    changes: dict[str, object], terms: tuple[str, ...]
) -> None:
    assert iwpc_clinical(patient(**changes)) == pytest.approx(exact(*terms), rel=1e-12)


@pytest.mark.parametrize(
    ("field", "what"), [("age_band", "age"), ("height_cm", "height"), ("weight_kg", "weight")]
)
def test_without_an_input_there_is_no_dose_and_the_table_counts_it(field: str, what: str) -> None:
    lacking = patient(**{field: None})
    assert iwpc_clinical(lacking) is None
    assert lacks(lacking) == (what,)
    assert table([patient(), lacking]).lacking == {FIXED: {}, CLINICAL: {what: 1}}
    assert fixed_dose(lacking) == 35.0


def test_a_dose_that_was_not_stable_is_no_reference() -> None:
    found = table([patient(), patient(subject_id="P2", stable=False)])
    assert found.label == (30.0, None)
    assert np.isnan(found.sample().label[1])  # type: ignore[index]


def test_the_sample_keeps_missing_attributes_and_doses_as_missing() -> None:
    sample = table([patient(), patient(subject_id="P2", sex=None, height_cm=None)]).sample()
    assert sample.unit == "patient"
    assert not sample.repeats
    assert list(sample.categories["sex"].codes) == [0, -1]
    assert list(sample.numbers[FIXED]) == [35.0, 35.0]
    assert list(np.isnan(sample.numbers[CLINICAL])) == [False, True]


@pytest.mark.data
def test_the_consortium_s_table_keeps_its_contract(test_data: Path) -> None:
    with (test_data / "dosing/iwpc_warfarin_dose.csv").open(encoding="utf-8") as stream:
        patients = load_warfarin(stream)
    found = table(patients)
    assert len(patients) == 3879
    assert sum(dose is None for dose in found.label) == 76
    assert found.lacking[CLINICAL] == {"height": 786, "weight": 196, "age": 24}
    pairs = [
        (dose, right)
        for dose, right in zip(found.doses[CLINICAL], found.label, strict=True)
        if dose is not None and right is not None
    ]
    # the publication's mean absolute error of the clinical algorithm is about 10 mg a week
    assert 8.5 < float(np.mean([abs(dose - right) for dose, right in pairs])) < 11.0
