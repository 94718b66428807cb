"""The second person confirms an erasure with a signature, or refuses it with a reason.

Confirming writes the entry and empties the bodies in one transaction. The key is destroyed after
the commit, and the files are swept; where that fails the person is erased all the same, the answer
says what is left, and `finish_erasures` or the next start does it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pydantic import Field, SecretStr

from change_control import lifecycle
from change_control.erase.erasure import ERASURE, ErasureCommand, ErasureState
from change_control.roles import Role
from governance.deployment import Deployment
from governance.errors import GovernanceError
from governance.ledger.core import canonical
from governance.ledger.core.erased import ERASED_KIND, statement_over
from governance.operations.actor import Actor
from governance.operations.erase.erasures import ErasureLine, line
from governance.operations.erase.log_before import also_ask
from governance.operations.erase.what_keeps import (
    Keeping,
    everywhere,
    require_not_erased,
    what_keeps,
)
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import rule_actor
from governance.operations.signing import authenticate_again, signature_of
from governance.registry.digest import record_digest
from governance.registry.records import Erasure
from governance.storage.erasing import bodies_under, erase_bodies
from governance.storage.ports import Body, Recorded, Unit

REFUSED_KIND = "subject.erasure_refused"


class ConfirmErasure(Request):
    """The erasure, and the signer's password."""

    erasure: str
    password: SecretStr


class RefuseErasure(Request):
    """The erasure, and why it is refused."""

    erasure: str
    reason: str = Field(min_length=3, max_length=4000)


class FinishErasures(Request):
    """Whatever an erasure left to do."""


class Erased(Result):
    """What was destroyed, with the receipt of the entry that says so.

    `unfinished` says what is still to be done, `elsewhere` what another log holds; None where
    nothing is.
    """

    erasure: str
    seq: int
    event_id: str
    bodies: int
    unfinished: str | None
    elsewhere: str | None
    receipt: str


class Finished(Result):
    """Whether anything was left to do."""

    was_left: bool


def confirm_erasure(deployment: Deployment, actor: Actor, request: ConfirmErasure) -> Erased:
    """Destroy everything that was recorded of the person, and say so in the ledger."""
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())

    def write(unit: Unit) -> tuple[Recorded, int]:
        erasure = unit.require(Erasure, request.erasure)
        require_not_erased(unit, erasure.key_id)
        bodies = bodies_under(unit, erasure.key_id)
        step = lifecycle.advance(
            ERASURE,
            ErasureState(erasure.state),
            ErasureCommand.CONFIRM,
            actor=rule_actor(actor, everywhere(deployment)),
            facts=what_keeps(unit, erasure.key_id, bodies, now_us=unit.now_us).facts(
                authors=[erasure.requested_by]
            ),
        )
        if step.signature_meaning is None:
            raise RuntimeError("the table of erasures lets nobody confirm without a signature")
        signature = signature_of(
            unit,
            deployment,
            signer,
            record_type="erasure",
            record=erasure.id,
            record_digest=record_digest(erasure),
            meaning=step.signature_meaning,
        )
        seqs = [body.seq for body in bodies]
        after = replace(
            erasure,
            state=step.state.value,
            decided_by=actor.person,
            decided_us=unit.now_us,
            bodies=len(seqs),
            erased_seq=unit.next_seq,
        )
        recorded = unit.record(
            kind=ERASED_KIND,
            actor=actor.person,
            add=[signature],
            replace=[(erasure, after)],
            notes={
                **statement_over(erasure.key_id, seqs).as_facts(),
                "basis": erasure.basis,
                "requested_by": erasure.requested_by,
            },
        )
        erase_bodies(unit, erasure.key_id, seqs, by_seq=recorded.seq, mark=deployment.keys.mark)
        return recorded, len(seqs)

    recorded, bodies = deployment.pen.commit(write)
    return Erased(
        erasure=request.erasure,
        seq=recorded.seq,
        event_id=recorded.event_id,
        bodies=bodies,
        unfinished=_finished(deployment),
        elsewhere=also_ask(deployment),
        receipt=deployment.ledger.receipt(recorded.event_id).decode(),
    )


def _finished(deployment: Deployment) -> str | None:
    """Do what follows the commit; the erasure stands whatever happens here."""
    try:
        deployment.finish_erasures()
    except GovernanceError as error:
        return f"{error} Next: {error.next_step}"
    return None


def refuse_erasure(deployment: Deployment, actor: Actor, request: RefuseErasure) -> ErasureLine:
    """End the request; the bodies stay."""

    def write(unit: Unit) -> Erasure:
        erasure = unit.require(Erasure, request.erasure)
        require_not_erased(unit, erasure.key_id)
        step = lifecycle.advance(
            ERASURE,
            ErasureState(erasure.state),
            ErasureCommand.REFUSE,
            actor=rule_actor(actor, everywhere(deployment)),
            facts=Keeping(legal_holds=(), until_us=None).facts(
                authors=[erasure.requested_by], reason_given=bool(request.reason.strip())
            ),
        )
        after = replace(
            erasure, state=step.state.value, decided_by=actor.person, decided_us=unit.now_us
        )
        unit.record(
            kind=REFUSED_KIND,
            actor=actor.person,
            replace=[(erasure, after)],
            notes={"subject_key": erasure.key_id},
            body=Body(content=canonical.dumps({"reason": request.reason}), key_id=erasure.key_id),
        )
        return after

    refused = deployment.pen.commit(write)
    with deployment.reader() as reader:
        return line(deployment, reader, actor, refused)


FINISHERS: Final = frozenset({Role.CUSTODIAN, Role.ADMINISTRATOR})
"""Who may have keys destroyed that should be: it writes no entry, and it is no mere reading."""


def finish_erasures(deployment: Deployment, actor: Actor, _request: FinishErasures) -> Finished:
    """Destroy keys and sweep files where an erasure could not; it changes no record."""
    actor.require(FINISHERS, everywhere(deployment), act="finish erasures")
    return Finished(was_left=deployment.finish_erasures())


CONFIRM_ERASURE = Operation(
    name="erasure.confirm",
    request=ConfirmErasure,
    kinds=(ERASED_KIND,),
    run=confirm_erasure,
    repeated="refused: the person is erased",
)
REFUSE_ERASURE = Operation(
    name="erasure.refuse",
    request=RefuseErasure,
    kinds=(REFUSED_KIND,),
    run=refuse_erasure,
    repeated="refused: the request is decided",
)
FINISH_ERASURES = Operation(
    name="erasure.finish",
    request=FinishErasures,
    kinds=(),
    run=finish_erasures,
    repeated="changes nothing",
)
