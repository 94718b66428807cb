"""Holds: place one (one authorised person), lift one (two different people), list them."""

from __future__ import annotations

from pydantic import Field, SecretStr

from change_control import lifecycle
from change_control.release.hold import HOLD, HoldCommand, HoldFacts, HoldState
from change_control.scope import Scope
from change_control.watch.review import ReviewState
from governance.deployment import Deployment
from governance.errors import Conflict, InvalidInput, NotFound
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.review.consequences import after_lift_step
from governance.operations.review.facts import authors_of_suspended
from governance.operations.rules import rule_actor
from governance.operations.signing import authenticate_again, signature_of
from governance.registry.digest import record_digest
from governance.registry.records import Document, Hold, Review, Version
from governance.storage.ports import Body, Reader, Unit


class PlaceHold(Request):
    """What is suspended, where, and why. The cause is a code, the reason a sentence."""

    model: str
    version: str | None = None
    scope: str
    cause: str = Field(pattern="^[a-z][a-z_.]{2,60}$")
    reason: str = Field(min_length=3, max_length=4000)


class LiftHold(Request):
    """A hold to be lifted, with the reason and the signer's password."""

    hold: str
    reason: str = Field(default="", max_length=4000)
    password: SecretStr


class HoldLine(Result):
    """A hold as it stands."""

    hold: str
    model: str
    version: str | None
    scope: str
    cause: str
    review: str | None
    placed_by: str
    placed_us: int
    state: str
    first_signer: str | None


class ListHolds(Request):
    """Every hold."""


class Holds(Result):
    """Holds in order of placing."""

    holds: list[HoldLine]


def place_hold(deployment: Deployment, actor: Actor, request: PlaceHold) -> HoldLine:
    """Suspend at once. One authorised person is enough, and nothing overdue can block it."""
    scope = Scope.parse(request.scope)
    step = lifecycle.advance(
        HOLD,
        None,
        HoldCommand.PLACE,
        actor=rule_actor(actor, scope),
        facts=HoldFacts(reason_given=True),
    )

    def write(unit: Unit) -> HoldLine:
        if not unit.find(Document, kind="entry", model=request.model):
            raise NotFound("there is no model of this name", next_step="see `vigil model list`")
        if request.version is not None:
            _require_version(unit, request.version, model=request.model)
        hold = Hold(
            id=unit.next_id(Hold, prefix="H"),
            model=request.model,
            version=request.version,
            scope=str(scope),
            cause=request.cause,
            review=None,
            placed_by=actor.person,
            placed_us=unit.now_us,
            state=step.state.value,
            first_signer=None,
            lifted_us=None,
        )
        unit.record(
            kind="hold.placed",
            actor=actor.person,
            add=[hold],
            body=Body(content=canonical.dumps({"reason": request.reason}), key_id=unit.new_key()),
        )
        return _line(hold)

    return deployment.pen.commit(write)


def lift_hold(deployment: Deployment, actor: Actor, request: LiftHold) -> HoldLine:
    """Sign for lifting: the first signature changes nothing for callers, the second lifts."""
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())

    def write(unit: Unit) -> HoldLine:
        hold = unit.require(Hold, request.hold)
        _require_decided(unit, hold)
        first = hold.state == HoldState.OPEN.value
        step = lifecycle.advance(
            HOLD,
            HoldState(hold.state),
            HoldCommand.SIGN_LIFT if first else HoldCommand.LIFT,
            actor=rule_actor(actor, Scope.parse(hold.scope)),
            facts=HoldFacts(
                authors=authors_of_suspended(unit, hold),
                first_signer=hold.first_signer,
                reason_given=bool(request.reason.strip()),
            ),
        )
        after = after_lift_step(hold, step.state, person=actor.person, now_us=unit.now_us)
        if step.signature_meaning is None:
            raise RuntimeError("the table of holds lets nobody lift without a signature")
        signature = signature_of(
            unit,
            deployment,
            signer,
            record_type="hold",
            record=hold.id,
            record_digest=record_digest(hold),
            meaning=step.signature_meaning,
        )
        reason = request.reason.strip()
        unit.record(
            kind="hold.lifted" if step.state is HoldState.LIFTED else "hold.lift_signed",
            actor=actor.person,
            add=[signature],
            replace=[(hold, after)],
            body=Body(content=canonical.dumps({"reason": reason}), key_id=unit.new_key())
            if reason
            else None,
        )
        return _line(after)

    return deployment.pen.commit(write)


def _require_version(reader: Reader, version: str, *, model: str) -> None:
    """Refuse a hold that would suspend nothing, because its version is another model's."""
    if reader.require(Version, version).model != model:
        raise InvalidInput(
            "version: it is not a version of that model",
            next_step="see `vigil model list`, or leave the version out to suspend all of them",
        )


def _require_decided(reader: Reader, hold: Hold) -> None:
    """Refuse to go round a review that still waits; what it kept suspended can be lifted later."""
    if hold.review is None:
        return
    if reader.require(Review, hold.review).state != ReviewState.DECIDED.value:
        raise Conflict(
            f"{hold.id} belongs to the review {hold.review}, which nobody has decided",
            next_step=f"decide {hold.review}: `vigil review decide {hold.review} reinstate`",
        )


def list_holds(deployment: Deployment, actor: Actor, _request: ListHolds) -> Holds:
    """List every hold, lifted ones too."""
    del actor
    with deployment.reader() as reader:
        return Holds(holds=[_line(hold) for hold in reader.find(Hold)])


def _line(hold: Hold) -> HoldLine:
    return HoldLine(
        hold=hold.id,
        model=hold.model,
        version=hold.version,
        scope=hold.scope,
        cause=hold.cause,
        review=hold.review,
        placed_by=hold.placed_by,
        placed_us=hold.placed_us,
        state=hold.state,
        first_signer=hold.first_signer,
    )


PLACE_HOLD = Operation(
    name="hold.place",
    request=PlaceHold,
    kinds=("hold.placed",),
    run=place_hold,
    repeated="places another hold; each is lifted on its own",
)
LIFT_HOLD = Operation(
    name="hold.lift",
    request=LiftHold,
    kinds=("hold.lift_signed", "hold.lifted"),
    run=lift_hold,
    repeated="refused: the second signature must be another person's",
)
LIST_HOLDS = Operation(
    name="hold.list", request=ListHolds, kinds=(), run=list_holds, repeated="reads only"
)
