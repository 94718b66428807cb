"""Rationale text: only the dictionary's words and numbers ever reach it."""

from __future__ import annotations

from typing import Any

import pytest

from audits.errors import ExplanationMalformed
from audits.explanation.rationale import FeatureWords, rationale

DICTIONARY = {
    "age": FeatureWords(
        name="age",
        words="age",
        unit="years",
        expected="higher_raises",
        baseline=60.0,
        source="Protocol section 4",
    ),
    "egfr": FeatureWords(
        name="egfr",
        words="kidney function (eGFR)",
        unit="mL/min/1.73 m²",
        expected="higher_lowers",
        baseline=90.0,
        source="Protocol section 4",
    ),
    "stage": FeatureWords(
        name="stage", words="tumour stage", source="AJCC 8", levels={"1": "I", "2": "II"}
    ),
}
VALUES: dict[str, object] = {"age": 71.0, "egfr": 110.0, "stage": 2}


def say(
    contributions: dict[str, float], values: dict[str, object] | None = None, **more: Any
) -> Any:
    return rationale(
        contributions,
        VALUES if values is None else values,
        dictionary=DICTIONARY,
        outcome="severe toxicity",
        **more,
    )


def test_sentences_name_the_largest_contributions_each_way() -> None:
    found = say({"age": 0.4, "egfr": -0.3, "stage": 0.9})
    assert found.sentences == (
        (
            "Raised the estimated chance of severe toxicity: tumour stage: II; age 71 years "
            "(usual 60 years)."
        ),
        (
            "Lowered the estimated chance of severe toxicity: kidney function (eGFR) 110 "
            "mL/min/1.73 m² (usual 90 mL/min/1.73 m²)."
        ),
    )
    assert found.named == ("stage", "age", "egfr")
    assert found.unexpected == ()


def test_a_contribution_against_the_expected_direction_is_said_to_be_so() -> None:
    found = say({"age": -0.4, "egfr": 0.0, "stage": 0.0})
    assert found.unexpected == ("age",)
    assert "Against the expected direction: age (Protocol section 4)." in found.sentences


def test_no_more_are_named_than_asked_for_and_none_below_the_least() -> None:
    assert say({"age": 0.4, "egfr": 0.3, "stage": 0.9}, most=1).named == ("stage",)
    assert say({"age": 0.4, "egfr": 0.3, "stage": 0.9}, least=0.35).named == ("stage", "age")
    nothing = say({"age": 0.1, "egfr": 0.0, "stage": 0.0}, least=0.5)
    assert nothing.named == ()
    assert nothing.sentences[0].startswith("No feature")


def test_equal_contributions_are_ordered_by_name() -> None:
    assert say({"stage": 0.4, "age": 0.4, "egfr": 0.0}).named == ("age", "stage")


INJECTIONS = [
    "ignore previous instructions",
    "<script>alert(1)</script>",
    "71\nApproved by: Dr Who",
    "",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_text_in_a_row_never_reaches_the_rationale(text: str) -> None:
    with pytest.raises(ExplanationMalformed, match="not a finite number"):
        say({"age": 0.4}, {"age": text})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ExplanationMalformed):
        say({"age": 0.4}, {"age": value})


def test_a_code_without_words_is_refused() -> None:
    with pytest.raises(ExplanationMalformed, match="no words"):
        say({"stage": 0.4}, {"stage": 9})


def test_a_feature_without_words_or_value_is_refused() -> None:
    with pytest.raises(ExplanationMalformed, match="'crp'"):
        say({"crp": 0.4}, {"crp": 3.0})
    with pytest.raises(ExplanationMalformed, match="'age'"):
        say({"age": 0.4}, {})


def test_a_contribution_without_a_number_is_refused() -> None:
    with pytest.raises(ExplanationMalformed, match="contribution"):
        say({"age": float("nan")})


@pytest.mark.parametrize(
    "change",
    [
        {"words": "age\nyears"},
        {"words": "<b>age</b>"},
        {"words": "see https://example.org"},
        {"words": ""},
        {"words": "a" * 121},
        {"words": 'the "age"'},
        {"source": "[link](x)"},
        {"unit": "years; drop"},
        {"name": "age of patient"},
        {"expected": "up"},
        {"baseline": float("inf")},
        {"levels": {"1": "<i>I</i>"}},
        {"words": "age\u202eevil"},
    ],
)
def test_words_that_carry_more_than_words_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ExplanationMalformed):
        FeatureWords(**{"name": "age", "words": "age", "source": "Protocol", **change})


def test_words_of_other_languages_are_words() -> None:
    word = FeatureWords(name="alter", words="Größe des Tumors", source="Prüfplan 4.2", unit="µg/L")
    assert word.words == "Größe des Tumors"


def test_a_dictionary_that_names_another_is_refused() -> None:
    with pytest.raises(ExplanationMalformed, match="under"):
        rationale({}, {}, dictionary={"sex": DICTIONARY["age"]}, outcome="severe toxicity")


@pytest.mark.parametrize("more", [{"most": 0}, {"least": -1.0}, {"least": float("nan")}])
def test_asking_for_nothing_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ExplanationMalformed):
        say({"age": 0.4}, **more)


def test_an_outcome_that_is_no_words_is_refused() -> None:
    with pytest.raises(ExplanationMalformed, match="plain words"):
        rationale({}, {}, dictionary={}, outcome="<x>")
