"""What is frozen in a plan comes back as it was, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from audits.conformal import ConformalSpread, calibrate
from audits.errors import RecordMalformed
from audits.estimate import Estimate, Json
from audits.records import estimate_from_record, spread_from_record, trigger_from_record
from audits.trigger import Stable, Trigger, calibrate_trigger, run_trigger
from tests.unit.audits.panels import START, errors_of


@pytest.fixture(scope="module")
def spread() -> ConformalSpread:
    rng = np.random.default_rng(1)
    scores = 0.1 * rng.standard_normal((3, 20, 12))
    errors = errors_of(1000 * np.exp(scores), np.full(scores.shape, 1000.0))
    return calibrate(errors, ("0.8",), by_series=True)


@pytest.fixture(scope="module")
def trigger() -> Trigger:
    rng = np.random.default_rng(2)
    return calibrate_trigger(
        Stable(start=START, values=tuple(float(x) for x in rng.standard_normal(60))),
        false_alarm_rate=0.1,
        months=12,
        replicates=1000,
        rng=rng,
    )


def test_spread_comes_back(spread: ConformalSpread) -> None:
    assert spread_from_record(spread.as_record()) == spread


def test_trigger_comes_back_and_runs_alike(trigger: Trigger) -> None:
    again = trigger_from_record(trigger.as_record())
    months = {START.plus(i): 0.3 * i for i in range(12)}
    assert again.as_record() == trigger.as_record()
    assert run_trigger(again, months) == run_trigger(trigger, months)


def test_undefined_estimate_comes_back_undefined() -> None:
    nothing = Estimate(
        metric="m",
        value=None,
        low=None,
        high=None,
        level=0.95,
        n=0,
        unit="origin",
        method="x",
        note="no data",
    )
    assert estimate_from_record(nothing.as_record()) == nothing


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", 3.5),
        ("limit", "high"),
        ("limit", "-1"),
        ("limit", "3.50"),
        ("limit", "nan"),
        ("months", "12"),
        ("months", True),
        ("kind", "shewhart"),
        ("method", "two-sided CUSUM, v0"),
        ("stable_start", "2000-13"),
        ("false_alarm", None),
        ("surplus", "x"),
    ],
)
def test_altered_trigger_is_refused(trigger: Trigger, field: str, value: Json) -> None:
    with pytest.raises(RecordMalformed) as refusal:
        trigger_from_record({**trigger.as_record(), field: value})
    assert refusal.value.next_step


@pytest.mark.parametrize("field", ["kind", "limit", "method", "false_alarm", "declared_rate"])
def test_trigger_lacking_a_field_is_refused(trigger: Trigger, field: str) -> None:
    record = trigger.as_record()
    del record[field]
    with pytest.raises(RecordMalformed):
        trigger_from_record(record)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", "round"),
        ("bands", ["3"]),
        ("offsets", []),
        ("offsets", {"all": {"0.1": "-0.1"}}),
        ("levels", "0.8"),
        ("n", {"all": ["3"]}),
    ],
)
def test_altered_spread_is_refused(spread: ConformalSpread, field: str, value: Json) -> None:
    with pytest.raises(RecordMalformed):
        spread_from_record({**spread.as_record(), field: value})


@pytest.mark.parametrize("record", [None, [], "trigger", 7])
def test_what_is_no_object_is_refused(record: Json) -> None:
    for read in (estimate_from_record, spread_from_record, trigger_from_record):
        with pytest.raises(RecordMalformed):
            read(record)
