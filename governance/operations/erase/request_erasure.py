"""A custodian asks that a person be erased. Nothing is destroyed by it; the request is a fact.

The identifier is looked up and forgotten: facts name the random id of the person's key, a basis
from a fixed list and who asked. The reason is text, so it is under the person's own key.
"""

from __future__ import annotations

from pydantic import Field

from change_control import lifecycle
from change_control.erase.erasure import (
    ERASURE,
    Basis,
    ErasureCommand,
    ErasureFacts,
    ErasureState,
)
from governance.deployment import Deployment
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.erase.erasures import ErasureLine, line
from governance.operations.erase.what_keeps import (
    AlreadyRequested,
    everywhere,
    key_of_subject,
    require_not_erased,
)
from governance.operations.operation import Operation, Request
from governance.operations.rules import rule_actor
from governance.registry.records import Erasure
from governance.storage.ports import Body, Unit

REQUESTED_KIND = "subject.erasure_requested"


class RequestErasure(Request):
    """Whom, on which basis, and why in a sentence. The identifier is kept nowhere."""

    subject: str = Field(min_length=1, max_length=128)
    basis: Basis
    reason: str = Field(min_length=3, max_length=4000)


def request_erasure(deployment: Deployment, actor: Actor, request: RequestErasure) -> ErasureLine:
    """Record the request; whatever keeps the bodies is said, and stops only the confirmation."""
    step = lifecycle.advance(
        ERASURE,
        None,
        ErasureCommand.REQUEST,
        actor=rule_actor(actor, everywhere(deployment)),
        facts=ErasureFacts(reason_given=bool(request.reason.strip())),
    )
    key_id = key_of_subject(deployment, request.subject)

    def write(unit: Unit) -> Erasure:
        require_not_erased(unit, key_id)
        waiting = unit.find(Erasure, key_id=key_id, state=ErasureState.REQUESTED.value)
        if waiting:
            raise AlreadyRequested(
                f"{waiting[0].id} asks for it already",
                next_step=f"another person decides it: `vigil erasure confirm {waiting[0].id}`",
            )
        erasure = Erasure(
            id=unit.next_id(Erasure, prefix="E"),
            key_id=key_id,
            basis=request.basis.value,
            state=step.state.value,
            requested_by=actor.person,
            requested_us=unit.now_us,
            requested_seq=unit.next_seq,
            decided_by=None,
            decided_us=None,
            bodies=None,
            erased_seq=None,
        )
        unit.record(
            kind=REQUESTED_KIND,
            actor=actor.person,
            add=[erasure],
            notes={"subject_key": key_id, "basis": erasure.basis},
            body=Body(content=canonical.dumps({"reason": request.reason}), key_id=key_id),
        )
        return erasure

    erasure = deployment.pen.commit(write)
    with deployment.reader() as reader:
        return line(deployment, reader, actor, erasure)


REQUEST_ERASURE = Operation(
    name="erasure.request",
    request=RequestErasure,
    kinds=(REQUESTED_KIND,),
    run=request_erasure,
    repeated="refused: the request waits already",
)
