"""Evidently as a second view: named methods, a seeded sample, and no row in the exhibit."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from audits.errors import ProtocolMalformed
from governance.adapters import evidently_view
from governance.adapters.compute import InlineCompute
from governance.adapters.evidently_view import Drawn, ViewRefused, measured, second_view
from tests.unit.audits.drift.columns import sample

COLUMNS = ("age", "sex", "score")


class Recorder:
    """Answers one number for every question and keeps what it was handed."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        assert function is measured
        self.calls.append((*args, kwargs))
        return ["0.5" for _ in kwargs["asked"]]


def _view(compute: Any, **changes: Any) -> evidently_view.SecondView:
    asked: dict[str, Any] = {
        "reference": sample(900),
        "test": sample(700, seed=2, shift=0.5),
        "keys": ([f"K{i}" for i in range(900)], [f"L{i}" for i in range(700)]),
        "columns": COLUMNS,
        "methods": ("ks", "psi"),
        "ours": {("age", "ks"): "0.2"},
        "seed": 11,
        "most": 300,
    }
    return second_view(compute, **{**asked, **changes})


def test_the_exhibit_holds_numbers_and_no_row() -> None:
    found = _view(Recorder())
    text = json.dumps(found.exhibit)
    assert not any(key in text for key in (*found.reference.keys, *found.test.keys))
    assert set(found.exhibit) == {
        "schema",
        "engine",
        "seed",
        "reference_rows",
        "test_rows",
        "values",
    }
    assert found.exhibit["reference_rows"] == [300, 900]
    assert found.exhibit["test_rows"] == [300, 700]


def test_the_same_seed_draws_the_same_rows_and_another_draws_others() -> None:
    first, again, other = _view(Recorder()), _view(Recorder()), _view(Recorder(), seed=12)
    assert (first.reference, first.test) == (again.reference, again.test)
    assert first.reference.rows != other.reference.rows
    assert first.reference.keys[0] == f"K{first.reference.rows[0]}"


def test_only_the_drawn_rows_go_to_the_worker() -> None:
    compute = Recorder()
    found = _view(compute)
    reference, current, _ = compute.calls[0]
    assert reference["age"] == sample(900).numbers["age"][list(found.reference.rows)].tolist()
    assert {len(column) for column in current.values()} == {300}


def test_a_category_is_asked_no_question_that_needs_an_order() -> None:
    values = _view(Recorder()).exhibit["values"]
    assert isinstance(values, list)
    asked = [(one["column"], one["method"]) for one in values if isinstance(one, dict)]
    assert ("sex", "ks") not in asked
    assert ("sex", "psi") in asked


def test_our_value_stands_beside_theirs_and_there_is_no_verdict() -> None:
    values = _view(Recorder()).exhibit["values"]
    assert isinstance(values, list)
    first = values[0]
    assert isinstance(first, dict)
    assert (first["column"], first["method"], first["ours"]) == ("age", "ks", "0.2")
    assert "verdict" not in json.dumps(values)


def test_rows_of_an_erased_subject_leave_the_list_and_are_counted() -> None:
    drawn = Drawn(rows=(1, 4, 9), keys=("a", "b", "a"))
    left = drawn.without({"a"})
    assert (left.rows, left.keys, left.erased) == ((4,), ("b",), 2)
    assert left.without({"a"}) == left
    assert drawn.without(set()) == drawn


@pytest.mark.parametrize(
    "changes", [{"methods": ("default",)}, {"columns": ("weight",)}], ids=["method", "column"]
)
def test_what_has_no_name_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ViewRefused):
        _view(Recorder(), **changes)


def test_another_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidently_view, "version", lambda _: "0.8.1")
    with pytest.raises(ViewRefused, match="release line"):
        measured({}, {}, kinds={}, asked=[])


def test_a_refusal_comes_back_whole_from_a_worker() -> None:
    for refusal in (
        ViewRefused("no such column", next_step="name another"),
        ProtocolMalformed("`bins`", next_step="correct it"),
    ):
        again = pickle.loads(pickle.dumps(refusal))
        assert (type(again), str(again)) == (type(refusal), str(refusal))
        assert again.next_step == refusal.next_step


@pytest.mark.slow
def test_the_library_answers_what_it_is_asked_and_its_failure_is_ours() -> None:
    first, second = sample(900), sample(700, seed=2, shift=0.5)
    found = _view(InlineCompute(), most=1000, methods=("ks", "wasserstein", "jensen_shannon"))
    values = found.exhibit["values"]
    assert isinstance(values, list)
    theirs = {
        (one["column"], one["method"]): one["evidently"] for one in values if isinstance(one, dict)
    }
    ages = first.numbers["age"], second.numbers["age"]
    assert float(str(theirs["age", "ks"])) == pytest.approx(ks_2samp(*ages).pvalue, rel=1e-4)
    assert float(str(theirs["age", "wasserstein"])) == pytest.approx(
        wasserstein_distance(*ages) / np.std(ages[0]), rel=1e-3
    )
    assert theirs["sex", "jensen_shannon"] is not None
    with pytest.raises(ViewRefused, match="evidently failed"):
        measured({"x": [1.0]}, {"y": [1.0]}, kinds={"x": False}, asked=[("x", "ks")])
