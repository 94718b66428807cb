"""An outcome row that breaks a rule costs its own act and nothing of its neighbours (P2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from governance.errors import Conflict, InvalidInput
from governance.registry.records import Person
from governance.storage.ports import Body, OutcomeRow, Unit
from governance.storage.promise import Promise
from governance.storage.queued import QueuedAct
from governance.storage.unit import outcomes_body
from tests.integration.storage.samples import NOW_US, PERSON

if TYPE_CHECKING:
    from governance.storage.open import Storage


def outcome(month: str) -> OutcomeRow:
    return OutcomeRow(batch="O-1", model="m", series="s", month=month, value="1", known_us=NOW_US)


def record(unit: Unit, rows: list[OutcomeRow]) -> None:
    unit.put_outcomes(rows, source="register")
    body = Body(content=outcomes_body(rows, source="register"), key_id=unit.new_key())
    unit.record(kind="outcome.recorded", actor="ana", body=body)


def test_a_row_that_breaks_a_rule_fails_its_act_alone(storage: Storage) -> None:
    wrong = QueuedAct(write=lambda unit: record(unit, [outcome("July")]), future=Promise[Any]())
    right = QueuedAct(
        write=lambda unit: unit.record(kind="person.x", actor="ana", add=[PERSON]),
        future=Promise[Any](),
    )

    def write(unit: Unit) -> None:
        pen: Any = storage.pen
        pen._queue.put(wrong)
        pen._queue.put(right)

    storage.pen.commit(write)
    with pytest.raises(Conflict, match="outcome"):
        wrong.future.result(10)
    assert right.future.result(10).seq == 1
    with storage.reader() as reader:
        assert reader.outcomes(model="m") == []
    storage.rebuild()


def test_rows_are_there_for_the_act_that_stores_them(storage: Storage) -> None:
    def write(unit: Unit) -> int:
        record(unit, [outcome("2005-07")])
        return len(unit.outcomes(model="m"))

    assert storage.pen.commit(write) == 1
    storage.rebuild()


def test_a_nul_in_a_record_is_refused_before_anything_is_written(storage: Storage) -> None:
    person = Person(
        id="eve", printed_name="Eve\x00", organisation="acme", created_us=1, disabled=False,
        demonstration=False,
    )  # fmt: skip
    with pytest.raises(InvalidInput, match=r"person\.printed_name"):
        storage.pen.commit(lambda u: u.record(kind="person.x", actor="ana", add=[person]))
    assert storage.ledger.verify().size == 1
