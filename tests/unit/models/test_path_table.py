from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import PredictorInvalid, PredictorUnknown
from models.forecasting.predictor import KIND, PathTablePredictor
from models.predictor import Disposition, RowAnswer, abstained, load_predictor
from tests.unit.models.samples import changed, parameters

ROW = {"product_class": "L01", "concession": "General", "horizon": 2}


@pytest.fixture(scope="module")
def predictor() -> PathTablePredictor:
    return PathTablePredictor(parameters())


def answer(predictor: PathTablePredictor, **changes: object) -> RowAnswer:
    (one,) = predictor.predict([ROW | changes])
    return one


def test_an_answer_is_read_from_the_table_with_its_uncertainty(
    predictor: PathTablePredictor,
) -> None:
    one = answer(predictor)
    assert one.disposition is Disposition.ANSWERED
    assert one.reasons == ()
    assert one.prediction == {
        "month": "2006-01",
        "unit": "prescriptions",
        "quantiles": {"0.025": "81.5", "0.1": "91", "0.5": "110", "0.9": "131", "0.975": "141"},
    }
    assert one.uncertainty == {
        "method": "split conformal, v1",
        "intervals": [
            {"level": "0.8", "low": "91", "high": "131"},
            {"level": "0.95", "low": "81.5", "high": "141"},
        ],
        "calibration_errors": 24,
    }


def test_an_explanation_names_origin_members_and_the_naive_value(
    predictor: PathTablePredictor,
) -> None:
    explanation = answer(predictor, horizon=1).explanation
    assert explanation is not None
    assert explanation["origin"] == "2005-11"
    assert explanation["members"] == {"AutoETS": "99", "AutoCES": "101"}
    assert explanation["seasonal_naive"] == "90"
    assert explanation["why"] == (
        "11 % above the same month of the last year seen; the members lie between 99 and 101"
    )
    assert "sum_of" not in explanation


def test_a_fall_is_called_a_fall_and_no_demand_gives_no_percentage(
    predictor: PathTablePredictor,
) -> None:
    fall, none = (answer(predictor, horizon=h).explanation for h in (3, 2))
    assert fall is not None
    assert none is not None
    assert str(fall["why"]).startswith("8 % below")
    assert "no percentage" in str(none["why"])


def test_a_total_says_what_it_is_the_sum_of(predictor: PathTablePredictor) -> None:
    explanation = answer(predictor, concession="total").explanation
    assert explanation is not None
    assert explanation["sum_of"] == ["L01/General", "L01/Concessional"]


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ({}, ("row.missing_field",)),
        ({**ROW, "horizon": 0}, ("row.horizon_out_of_range",)),
        ({**ROW, "horizon": 4}, ("row.horizon_out_of_range",)),
        ({**ROW, "horizon": -(10**30)}, ("row.horizon_out_of_range",)),
        ({**ROW, "horizon": 1.0}, ("row.mistyped",)),
        ({**ROW, "horizon": "1"}, ("row.mistyped",)),
        ({**ROW, "horizon": True}, ("row.mistyped",)),
        ({**ROW, "horizon": float("nan")}, ("row.not_a_number",)),
        ({**ROW, "product_class": "L09"}, ("row.unknown_class",)),
        ({**ROW, "product_class": "l01"}, ("row.unknown_class",)),
        ({**ROW, "product_class": ["L01"]}, ("row.mistyped",)),
        ({**ROW, "concession": "general"}, ("row.unknown_concession",)),
        ({**ROW, "patient": "x"}, ("row.extra_field",)),
        (
            {"product_class": 1, "concession": "x", "age": 3},
            ("row.mistyped", "row.unknown_concession", "row.missing_field", "row.extra_field"),
        ),
        ({**ROW, "product_class": "A10"}, ("row.unknown_series",)),
    ],
)
def test_a_bad_row_abstains_with_all_of_its_reasons(
    predictor: PathTablePredictor, row: dict[str, object], reasons: tuple[str, ...]
) -> None:
    (one,) = predictor.predict([row])
    assert one.disposition is Disposition.ABSTAINED
    assert one.reasons == reasons
    assert one.prediction is None
    assert one.uncertainty is None


def test_an_abstention_never_repeats_what_the_caller_sent(predictor: PathTablePredictor) -> None:
    (one,) = predictor.predict([ROW | {"product_class": "Hansen", "name of patient": "Berg"}])
    assert "Hansen" not in repr(one)
    assert "patient" not in repr(one)


rows = st.fixed_dictionaries(
    {},
    optional={
        "product_class": st.sampled_from(["L01", "A10", "L09", None, 7]),
        "concession": st.sampled_from(["General", "Concessional", "total", ""]),
        "horizon": st.sampled_from([0, 1, 2, 3, 4, 2.0, float("nan"), "1", None]),
        "other": st.none(),
    },
)


@given(st.lists(rows, max_size=12))
def test_an_answer_depends_on_its_row_alone(batch: list[dict[str, object]]) -> None:
    predictor = PathTablePredictor(parameters())
    together = predictor.predict(batch)
    assert together == [predictor.predict([row])[0] for row in batch]
    assert list(reversed(together)) == predictor.predict(list(reversed(batch)))


def test_changing_an_answer_does_not_change_the_next_one(predictor: PathTablePredictor) -> None:
    spoilt = answer(predictor)
    for part in (spoilt.prediction, spoilt.uncertainty, spoilt.explanation):
        assert part is not None
        part.clear()
    assert answer(predictor).prediction is not None
    assert answer(predictor).prediction != {}


def test_an_answer_holds_no_float(predictor: PathTablePredictor) -> None:
    def refuse(text: str) -> object:
        raise AssertionError(f"a float in an answer: {text}")

    one = answer(predictor)
    json.loads(json.dumps([one.prediction, one.uncertainty, one.explanation]), parse_float=refuse)


def test_loading_by_kind_gives_the_path_table() -> None:
    assert load_predictor(KIND, parameters()).kind == KIND


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PredictorUnknown) as refused:
        load_predictor("pickle/1", parameters())
    assert KIND in refused.value.next_step


def test_parameters_of_one_kind_are_not_loaded_as_another() -> None:
    with pytest.raises(PredictorInvalid, match="kind"):
        load_predictor(KIND, {**parameters(), "kind": "forecasting/path-table/2"})


GENERAL = "series.L01/General"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("origin", "2005-13"),
        ("origin", "2005"),
        ("origin", None),
        ("horizon", 0),
        ("horizon", 25),
        ("horizon", True),
        ("horizon", "3"),
        ("horizon", 2),
        ("unit", ""),
        ("unit", "x" * 201),
        ("unit", ...),
        ("levels", []),
        ("levels", ["0.8", "0.8"]),
        ("levels", ["80"]),
        ("levels", ["0.0"]),
        ("levels", ["0.5"]),
        ("members", []),
        ("members", ["AutoETS"]),
        ("series", {}),
        ("series", []),
        ("surprise", 1),
        (f"{GENERAL}.median", ["1", "2"]),
        (f"{GENERAL}.median", ["100", "110", 120]),
        (f"{GENERAL}.median", ["100", "110", "NaN"]),
        (f"{GENERAL}.median", ["100", "110", "-1"]),
        (f"{GENERAL}.median", ["100", "110", "1e2"]),
        (f"{GENERAL}.median", ["100", "110", "0120"]),
        (f"{GENERAL}.median", ["100", "110", " 120"]),
        (f"{GENERAL}.median", ["100", "110", "120\n"]),
        (f"{GENERAL}.median", "100"),
        (f"{GENERAL}.median", ["100", "110", "91.9"]),
        (f"{GENERAL}.quantiles.0.1", ["90", "91"]),
        (f"{GENERAL}.quantiles", {}),
        (f"{GENERAL}.members.AutoETS", ["1", "2"]),
        (f"{GENERAL}.members.Oracle", ["1", "2", "3"]),
        (f"{GENERAL}.seasonal_naive", None),
        (f"{GENERAL}.calibration_errors", [24, 24]),
        (f"{GENERAL}.calibration_errors", [24, 24, 0]),
        (f"{GENERAL}.calibration_errors", [24, 24, True]),
        (f"{GENERAL}.group", 7),
        (f"{GENERAL}.from", "July 1991"),
        (f"{GENERAL}.months", 0),
        (f"{GENERAL}.parts", ["L09/General"]),
        (f"{GENERAL}.parts", ["L01/General"]),
        (f"{GENERAL}.parts", ["A10/total", "A10/total"]),
        (f"{GENERAL}", ...),
        (f"{GENERAL}", []),
    ],
)
def test_malformed_parameters_are_refused(path: str, value: object) -> None:
    broken = _changed(parameters(), path, value)
    with pytest.raises(PredictorInvalid) as refused:
        load_predictor(KIND, broken)
    assert refused.value.next_step


def test_a_median_on_its_lower_limit_does_not_cross_it() -> None:
    load_predictor(KIND, changed(parameters(), f"{GENERAL}.median", ["100", "110", "92"]))


def _changed(record: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """As `changed`, for keys that hold a dot."""
    if ".quantiles.0.1" in path:
        record["series"]["L01/General"]["quantiles"]["0.1"] = value
        return record
    return changed(record, path, value)


@pytest.mark.parametrize(
    "key", ["L01", "L01/", "/General", "L01/General/x", "l01/General", "L01/G\n"]
)
def test_a_malformed_series_key_is_refused(key: str) -> None:
    broken = parameters()
    broken["series"][key] = broken["series"]["A10/total"]
    with pytest.raises(PredictorInvalid):
        load_predictor(KIND, broken)


@pytest.mark.parametrize("value", [None, 1, "x", [], True])
def test_what_is_no_mapping_is_no_artifact(value: Any) -> None:
    with pytest.raises(PredictorInvalid):
        load_predictor(KIND, value)


def test_a_half_answer_cannot_be_built() -> None:
    with pytest.raises(RuntimeError, match="inconsistent"):
        RowAnswer(
            disposition=Disposition.ANSWERED,
            prediction={"a": 1},
            uncertainty=None,
            explanation=None,
            reasons=(),
        )
    with pytest.raises(RuntimeError, match="inconsistent"):
        abstained(())
