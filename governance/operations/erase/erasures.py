"""Erasures as people read them: what was asked, what keeps it, and what became of it."""

from __future__ import annotations

from change_control import lifecycle
from change_control.erase.erasure import ERASURE, ErasureState
from governance.deployment import Deployment
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.erase.log_before import also_ask
from governance.operations.erase.what_keeps import everywhere, what_keeps
from governance.operations.inspect.bodies import BODY_READERS
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import rule_actor
from governance.registry.records import Erasure
from governance.storage.erasing import bodies_under
from governance.storage.ports import Reader

_READERS = BODY_READERS | {role for rule in ERASURE.rules.values() for role in rule.roles}


class ListErasures(Request):
    """Every erasure."""


class NameErasure(Request):
    """One erasure."""

    erasure: str


class ErasureLine(Result):
    """An erasure as it stands for the person who asks; the subject's identifier is nowhere.

    `bodies` is how many were destroyed, or would be now. `refusals` says for each possible step why
    this person may not take it. `elsewhere` says what another log holds, None where none does.
    """

    erasure: str
    state: str
    basis: str
    key_id: str
    requested_by: str
    requested_us: int
    requested_seq: int
    decided_by: str | None
    decided_us: int | None
    erased_seq: int | None
    bodies: int
    models: list[str]
    legal_holds: list[str]
    kept_until_us: int | None
    may: list[str]
    refusals: dict[str, str]
    elsewhere: str | None


class Erasures(Result):
    """Erasures in the order in which they were asked for."""

    erasures: list[ErasureLine]


class ErasureShown(ErasureLine):
    """One erasure with its reason, for those who may read what is said of a person."""

    reason: str | None


def list_erasures(deployment: Deployment, actor: Actor, _request: ListErasures) -> Erasures:
    """List all, decided ones too."""
    with deployment.reader() as reader:
        return Erasures(
            erasures=[line(deployment, reader, actor, erasure) for erasure in reader.find(Erasure)]
        )


def show_erasure(deployment: Deployment, actor: Actor, request: NameErasure) -> ErasureShown:
    """Show one; its reason only to those who confirm, or look into bodies."""
    with deployment.reader() as reader:
        erasure = reader.require(Erasure, request.erasure)
        shown = line(deployment, reader, actor, erasure)
    reason = None
    if actor.roles(everywhere(deployment)) & _READERS:
        body = deployment.ledger.body(erasure.requested_seq)
        reason = None if body is None else _reason(body)
    return ErasureShown(**shown.model_dump(), reason=reason)


def line(deployment: Deployment, reader: Reader, actor: Actor, erasure: Erasure) -> ErasureLine:
    """Return the erasure as it stands for this person."""
    waits = erasure.state == ErasureState.REQUESTED.value
    bodies = bodies_under(reader, erasure.key_id) if waits else []
    keeping = what_keeps(reader, erasure.key_id, bodies, now_us=deployment.clock.now_us())
    options = lifecycle.options(
        ERASURE,
        ErasureState(erasure.state),
        rule_actor(actor, everywhere(deployment)),
        keeping.facts(authors=[erasure.requested_by]),
    )
    return ErasureLine(
        erasure=erasure.id,
        state=erasure.state,
        basis=erasure.basis,
        key_id=erasure.key_id,
        requested_by=erasure.requested_by,
        requested_us=erasure.requested_us,
        requested_seq=erasure.requested_seq,
        decided_by=erasure.decided_by,
        decided_us=erasure.decided_us,
        erased_seq=erasure.erased_seq,
        bodies=len(bodies) if erasure.bodies is None else erasure.bodies,
        models=sorted({body.model for body in bodies if body.model is not None}),
        legal_holds=list(keeping.legal_holds) if waits else [],
        kept_until_us=keeping.until_us,
        may=[option.command.value for option in options if option.refusal is None],
        refusals={
            option.command.value: option.refusal.reason
            for option in options
            if option.refusal is not None
        },
        elsewhere=also_ask(deployment),
    )


def _reason(body: bytes) -> str | None:
    said = canonical.loads(body)
    reason = said.get("reason") if isinstance(said, dict) else None
    return reason if isinstance(reason, str) else None


LIST_ERASURES = Operation(
    name="erasure.list", request=ListErasures, kinds=(), run=list_erasures, repeated="reads only"
)
SHOW_ERASURE = Operation(
    name="erasure.show", request=NameErasure, kinds=(), run=show_erasure, repeated="reads only"
)
