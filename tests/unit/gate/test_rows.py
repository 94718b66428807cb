"""Row checks: what the predictor may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from governance.gate.rows import RowGate
from models.entry import entry_from_record
from models.predictor import RowAnswer, answered
from tests.unit.serving.fakes import GOOD_ROW, entry_record

GATE = RowGate(entry_from_record(entry_record()))


class Recorder:
    """A predictor that remembers what it was shown."""

    kind = "recorder"

    def __init__(self, *, short: bool = False) -> None:
        self.seen: list[Mapping[str, object]] = []
        self._short = short

    def predict(self, rows: Sequence[Mapping[str, object]]) -> list[RowAnswer]:
        self.seen.extend(rows)
        answers = [
            answered(prediction={"horizon": str(row["horizon"])}, uncertainty={}, explanation={})
            for row in rows
        ]
        return answers[1:] if self._short else answers


def row(horizon: object) -> dict[str, object]:
    return {**GOOD_ROW, "horizon": horizon}


@pytest.mark.requirement("P1")
def test_the_predictor_never_sees_a_row_outside_contract_or_use() -> None:
    predictor = Recorder()
    GATE.answer(predictor, [row(1), row(7), row("x"), row(13), row(2)])
    assert [seen["horizon"] for seen in predictor.seen] == [1, 2]


def test_answers_keep_the_order_of_their_rows() -> None:
    answers = GATE.answer(Recorder(), [row(3), row(9), row(1), row(2)])
    given = [answer.prediction and answer.prediction["horizon"] for answer in answers]
    assert given == ["3", None, "1", "2"]


def test_a_predictor_is_not_called_for_nothing() -> None:
    predictor = Recorder()
    (only,) = GATE.answer(predictor, [row(99)])
    assert predictor.seen == []
    assert only.reasons == ("row.horizon_out_of_range",)


def test_a_predictor_that_loses_a_row_is_a_fault_of_the_program() -> None:
    with pytest.raises(RuntimeError, match="one answer a row"):
        GATE.answer(Recorder(short=True), [row(1), row(2)])


def test_a_row_outside_the_use_names_the_field() -> None:
    abstention = GATE.abstention(row(7))
    assert abstention is not None
    assert abstention.reasons == ("row.outside_use",)
    assert abstention.explanation == {"fields": {"horizon": "row.outside_use"}}
