"""Legal holds: place one (one person), lift one (two, none of whom asked for the erasure), list."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field, SecretStr

from change_control import lifecycle
from change_control.erase.legal_hold import (
    LEGAL_HOLD,
    LegalHoldCommand,
    LegalHoldFacts,
    LegalHoldState,
)
from governance.deployment import Deployment
from governance.errors import InvalidInput, NotFound
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.erase.what_keeps import (
    everywhere,
    key_of_subject,
    require_not_erased,
    stopped_by,
)
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import rule_actor
from governance.operations.signing import authenticate_again, signature_of
from governance.registry.digest import record_digest
from governance.registry.records import Document, Erasure, LegalHold
from governance.storage.erasing import bodies_under
from governance.storage.ports import Body, Reader, Unit


class PlaceLegalHold(Request):
    """What is kept: a person's bodies, a model's, or `everything`; exactly one of them.

    The cause is a code, the reason a sentence.
    """

    subject: str | None = Field(default=None, min_length=1, max_length=128)
    model: str | None = None
    everything: bool = False
    cause: str = Field(pattern="^[a-z][a-z_.]{2,60}$")
    reason: str = Field(min_length=3, max_length=4000)


class LiftLegalHold(Request):
    """A legal hold to be lifted, with the reason and the signer's password."""

    legal_hold: str
    reason: str = Field(default="", max_length=4000)
    password: SecretStr


class WithdrawLift(Request):
    """A legal hold whose first signature for lifting is to count no more."""

    legal_hold: str


class ListLegalHolds(Request):
    """Every legal hold."""


class LegalHoldLine(Result):
    """A legal hold as it stands; a person is named by the id of the person's key alone."""

    legal_hold: str
    key_id: str | None
    model: str | None
    cause: str
    placed_by: str
    placed_us: int
    state: str
    first_signer: str | None
    lifted_us: int | None
    stops: list[str]


class LegalHolds(Result):
    """Legal holds in order of placing."""

    legal_holds: list[LegalHoldLine]


def place_legal_hold(
    deployment: Deployment, actor: Actor, request: PlaceLegalHold
) -> LegalHoldLine:
    """Keep at once; an erasure that waits cannot be confirmed from here on."""
    step = lifecycle.advance(
        LEGAL_HOLD,
        None,
        LegalHoldCommand.PLACE,
        actor=rule_actor(actor, everywhere(deployment)),
        facts=LegalHoldFacts(reason_given=bool(request.reason.strip())),
    )
    named = [request.subject is not None, request.model is not None, request.everything]
    if named.count(True) != 1:
        raise InvalidInput(
            "a legal hold is on one subject, on one model, or on everything",
            next_step="give exactly one of --subject, --model and --everything",
        )
    key_id = None if request.subject is None else key_of_subject(deployment, request.subject)

    def write(unit: Unit) -> LegalHoldLine:
        if key_id is not None:
            require_not_erased(unit, key_id)
        if request.model is not None and not unit.find(Document, kind="entry", model=request.model):
            raise NotFound("there is no model of this name", next_step="see `vigil model list`")
        hold = LegalHold(
            id=unit.next_id(LegalHold, prefix="LH"),
            key_id=key_id,
            model=request.model,
            cause=request.cause,
            placed_by=actor.person,
            placed_us=unit.now_us,
            state=step.state.value,
            first_signer=None,
            lifted_us=None,
        )
        unit.record(
            kind="legal_hold.placed",
            actor=actor.person,
            add=[hold],
            body=_said(request.reason, unit, key_id),
        )
        return _line(unit, hold)

    return deployment.pen.commit(write)


def lift_legal_hold(deployment: Deployment, actor: Actor, request: LiftLegalHold) -> LegalHoldLine:
    """Sign for lifting: the first signature changes nothing, the second lifts."""
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())

    def write(unit: Unit) -> LegalHoldLine:
        hold = unit.require(LegalHold, request.legal_hold)
        first = hold.state == LegalHoldState.OPEN.value
        reason = request.reason.strip()
        step = lifecycle.advance(
            LEGAL_HOLD,
            LegalHoldState(hold.state),
            LegalHoldCommand.SIGN_LIFT if first else LegalHoldCommand.LIFT,
            actor=rule_actor(actor, everywhere(deployment)),
            facts=LegalHoldFacts(
                authors=frozenset(one.requested_by for one in _stopped(unit, hold)),
                first_signer=hold.first_signer,
                reason_given=bool(reason),
            ),
        )
        if step.signature_meaning is None:
            raise RuntimeError("the table of legal holds lets nobody lift without a signature")
        signature = signature_of(
            unit,
            deployment,
            signer,
            record_type="legal_hold",
            record=hold.id,
            record_digest=record_digest(hold),
            meaning=step.signature_meaning,
        )
        lifted = step.state is LegalHoldState.LIFTED
        after = replace(
            hold,
            state=step.state.value,
            first_signer=hold.first_signer if lifted else actor.person,
            lifted_us=unit.now_us if lifted else None,
        )
        unit.record(
            kind="legal_hold.lifted" if lifted else "legal_hold.lift_signed",
            actor=actor.person,
            add=[signature],
            replace=[(hold, after)],
            body=_said(reason, unit, hold.key_id) if reason else None,
        )
        return _line(unit, after)

    return deployment.pen.commit(write)


def withdraw_lift(deployment: Deployment, actor: Actor, request: WithdrawLift) -> LegalHoldLine:
    """Take the first signature for lifting back, one's own or another's: the hold stands again."""

    def write(unit: Unit) -> LegalHoldLine:
        hold = unit.require(LegalHold, request.legal_hold)
        step = lifecycle.advance(
            LEGAL_HOLD,
            LegalHoldState(hold.state),
            LegalHoldCommand.WITHDRAW_LIFT,
            actor=rule_actor(actor, everywhere(deployment)),
            facts=LegalHoldFacts(first_signer=hold.first_signer),
        )
        after = replace(hold, state=step.state.value, first_signer=None)
        unit.record(kind="legal_hold.lift_withdrawn", actor=actor.person, replace=[(hold, after)])
        return _line(unit, after)

    return deployment.pen.commit(write)


def list_legal_holds(deployment: Deployment, actor: Actor, _request: ListLegalHolds) -> LegalHolds:
    """List every legal hold, lifted ones too."""
    del actor
    with deployment.reader() as reader:
        return LegalHolds(legal_holds=[_line(reader, hold) for hold in reader.find(LegalHold)])


def _said(reason: str, unit: Unit, key_id: str | None) -> Body:
    """Return the reason under the person's own key where it is about a person: it may name them."""
    return Body(content=canonical.dumps({"reason": reason}), key_id=key_id or unit.new_key())


def _stopped(reader: Reader, hold: LegalHold) -> list[Erasure]:
    waiting = reader.find(Erasure, state="requested")
    keys = {one.key_id for one in waiting}
    return stopped_by(reader, hold, {key_id: bodies_under(reader, key_id) for key_id in keys})


def _line(reader: Reader, hold: LegalHold) -> LegalHoldLine:
    lifted = hold.state == LegalHoldState.LIFTED.value
    return LegalHoldLine(
        legal_hold=hold.id,
        key_id=hold.key_id,
        model=hold.model,
        cause=hold.cause,
        placed_by=hold.placed_by,
        placed_us=hold.placed_us,
        state=hold.state,
        first_signer=hold.first_signer,
        lifted_us=hold.lifted_us,
        stops=[] if lifted else [one.id for one in _stopped(reader, hold)],
    )


PLACE_LEGAL_HOLD = Operation(
    name="legal_hold.place",
    request=PlaceLegalHold,
    kinds=("legal_hold.placed",),
    run=place_legal_hold,
    repeated="places another legal hold; each is lifted on its own",
)
LIFT_LEGAL_HOLD = Operation(
    name="legal_hold.lift",
    request=LiftLegalHold,
    kinds=("legal_hold.lift_signed", "legal_hold.lifted"),
    run=lift_legal_hold,
    repeated="refused: the second signature must be another person's",
)
WITHDRAW_LIFT = Operation(
    name="legal_hold.withdraw",
    request=WithdrawLift,
    kinds=("legal_hold.lift_withdrawn",),
    run=withdraw_lift,
    repeated="refused: no first signature stands",
)
LIST_LEGAL_HOLDS = Operation(
    name="legal_hold.list",
    request=ListLegalHolds,
    kinds=(),
    run=list_legal_holds,
    repeated="reads only",
)
