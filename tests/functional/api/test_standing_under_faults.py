"""Answers over a real pen while acts and the database fail around them (P1, P11)."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from change_control.scope import Scope
from governance.codecs import json_v1
from governance.gate.ask import Ask, Caller
from governance.registry.records import Hold, Release
from governance.serving.answer import Answers
from governance.serving.artifacts import Artifacts
from governance.serving.state import ServingState
from governance.storage.chain import Draft
from governance.storage.errors import AuditUnavailable, RepeatSuperseded
from governance.storage.ports import CommittedAnswer, PendingAnswer, Unit
from governance.storage.promise import Promise
from governance.storage.queued import QueuedAct
from tests.functional.api.support import MODEL, QUESTION, Api
from tests.functional.api.test_predict import GOOD, problem
from tests.unit.serving.fakes import hold_record


class Asking:
    """Answers of the open deployment, taken apart into deciding and writing."""

    def __init__(self, api: Api) -> None:
        deployment = api.deployment
        self.deployment = deployment
        self.state = ServingState(
            read=deployment.reader,
            epoch_of=lambda: deployment.pen.standing_epoch,
            artifacts=Artifacts(root=deployment.home.artifacts_dir),
        )
        self._answers = Answers(state=self.state, pen=deployment.pen, keys=deployment.keys)

    def prepare(self, key: str | None = None) -> PendingAnswer:
        asked = Ask(
            model=MODEL,
            caller=Caller(
                client="planner",
                scope=Scope(organisation="st-olav", site="pharmacy"),
                permissions=frozenset({"infer:forecasting"}),
            ),
            question=json_v1.decode(GOOD, rows_max=5),
            raw=GOOD,
            idempotency_key=key,
        )
        return self._answers._prepare(asked, json_v1, now_us=self.deployment.clock.now_us())

    def write(self, pending: PendingAnswer) -> Promise[CommittedAnswer]:
        return self.deployment.pen.answer(pending)

    def ask(self, key: str | None = None) -> CommittedAnswer:
        return self.write(self.prepare(key)).result(10)


def lift(unit: Unit) -> None:
    hold = unit.require(Hold, "H-1")
    lifted = replace(hold, state="lifted", lifted_us=unit.now_us)
    unit.record(kind="hold.lifted", actor="sam", replace=[(hold, lifted)])


def roll_back_and_open_another(unit: Unit) -> None:
    first = unit.require(Release, "REL-1")
    ended = replace(first, state="rolled_back", until_us=unit.now_us)
    second = replace(first, id="REL-2", from_us=unit.now_us)
    unit.record(kind="release.opened", actor="sam", replace=[(first, ended)], add=[second])


@pytest.mark.requirement("P1")
@pytest.mark.requirement("P11")
def test_a_lift_that_the_disk_lost_leaves_the_hold_in_force(
    own: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lift and answer share a batch that fails; the next act takes the epoch that was lost."""
    own.act(hold_record())
    asking, pen = Asking(own), own.deployment.pen
    assert asking.ask().answer.facts["reasons"] == ["gate.suspended"]
    prepared, lifting = asking.prepare(), QueuedAct(write=lift, future=Promise())
    began, goes_on = threading.Event(), threading.Event()

    def keep_busy(_unit: Unit) -> None:
        began.set()
        goes_on.wait(10)

    busy = threading.Thread(target=lambda: pen.commit(keep_busy))
    busy.start()
    began.wait(10)
    pen._queue.put(lifting)  # type: ignore[attr-defined]
    answering = asking.write(prepared)

    def disk_full(draft: Draft, _connection: object) -> None:
        if draft.entries:
            raise OSError(28, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Draft, "write", disk_full)
        goes_on.set()
        busy.join()
        for future in (lifting.future, answering):
            with pytest.raises(AuditUnavailable):
                future.result(10)
    own.act(hold_record("H-2", scope="st-olav/elsewhere"))
    assert asking.ask().answer.facts["reasons"] == ["gate.suspended"]


@pytest.mark.requirement("P11")
def test_a_repetition_in_flight_is_withheld_by_a_hold(own: Api) -> None:
    asking = Asking(own)
    asking.ask("k-1")
    repeated = asking.prepare("k-1")
    own.act(hold_record())
    committed = asking.write(repeated).result(10)
    assert (committed.answer.kind, committed.replayed) == ("inference.withheld", False)


def test_a_key_whose_answer_was_withheld_is_answered_once_the_hold_is_lifted(own: Api) -> None:
    asking = Asking(own)
    prepared = asking.prepare("k-1")
    own.act(hold_record())
    assert asking.write(prepared).result(10).answer.kind == "inference.withheld"
    own.deployment.pen.commit(lift)
    committed = asking.ask("k-1")
    assert (committed.answer.status, committed.replayed) == (200, False)


@pytest.mark.requirement("P11")
def test_an_answer_of_a_release_that_was_rolled_back_is_not_repeated(own: Api) -> None:
    asking = Asking(own)
    asking.ask("k-1")
    own.deployment.pen.commit(roll_back_and_open_another)
    with pytest.raises(RepeatSuperseded):
        asking.ask("k-1")
    headers = {"Idempotency-Key": "k-2"}
    assert own.ask(QUESTION, headers=headers).json()["event_id"]
    again = own.ask(headers={"Idempotency-Key": "k-1"}, content=GOOD)
    problem(again, 409, "gate.repeat_superseded")
