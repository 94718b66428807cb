"""The change request up to its review: open, submit, evaluate, and all of these in one."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from audits.estimate import Verdict
from change_control import lifecycle
from change_control.change.documents import DocumentKind
from change_control.change.plan import plan_from_record
from change_control.change.request import (
    CHANGE_REQUEST,
    ChangeCommand,
    ChangeFacts,
    ChangeState,
)
from change_control.scope import Scope
from change_control.watch.review import ReviewKind
from governance.deployment import Deployment
from governance.errors import Conflict, InvalidInput
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.change.difference import computed_difference
from governance.operations.change.evaluate_version import Evaluated, evaluate_version
from governance.operations.operation import Operation, Request, Result
from governance.operations.review.consequences import change_facts
from governance.operations.review.open_review import Subject, approval_review
from governance.operations.rules import require_in_force, rule_actor
from governance.registry.digest import json_digest
from governance.registry.records import ChangeRequest, Document, Evidence, Review, Version
from governance.storage.ports import Body, Reader, Unit


class OpenChange(Request):
    """The version to be brought into service, the planned modification it is, and why.

    The summary is free text and therefore in the entry's erasable body alone (P15).
    """

    version: str
    modification: str
    summary: str = Field(min_length=3, max_length=500)


class NameChange(Request):
    """A change request."""

    change: str


class ChangeLine(Result):
    """A change request as it stands."""

    change: str
    model: str
    version: str
    state: str
    author: str
    plan: str
    modification: str
    change_class: str | None
    evidence: str | None
    verdict: str | None
    review: str | None
    opened_us: int


class ListChanges(Request):
    """Every change request."""


class Changes(Result):
    """Change requests in order of opening."""

    changes: list[ChangeLine]


def open_change(deployment: Deployment, actor: Actor, request: OpenChange) -> ChangeLine:
    """Open a request under the plan in force."""
    rules_actor = rule_actor(actor, _scope(deployment))

    def write(unit: Unit) -> ChangeLine:
        version = unit.require(Version, request.version)
        plan = require_in_force(unit, kind=DocumentKind.PLAN, model=version.model)
        _require_planned(unit, plan, request.modification)
        step = lifecycle.advance(
            CHANGE_REQUEST,
            None,
            ChangeCommand.OPEN,
            actor=rules_actor,
            facts=ChangeFacts(authors=frozenset({actor.person})),
        )
        change = ChangeRequest(
            id=unit.next_id(ChangeRequest, prefix="C"),
            model=version.model,
            version=version.id,
            state=step.state.value,
            author=actor.person,
            plan=plan.id,
            modification=request.modification,
            evidence=None,
            verdict=None,
            change_class=None,
            opened_us=unit.now_us,
            submitted_us=None,
        )
        summary = canonical.dumps({"summary": request.summary})
        unit.record(
            kind="change.opened",
            actor=actor.person,
            add=[change],
            body=Body(content=summary, key_id=unit.new_key()),
        )
        return _line(change)

    return deployment.pen.commit(write)


def submit_change(deployment: Deployment, actor: Actor, request: NameChange) -> ChangeLine:
    """Submit the request; what changed is computed here and recorded with it (P5)."""
    rules_actor = rule_actor(actor, _scope(deployment))

    def write(unit: Unit) -> ChangeLine:
        change = unit.require(ChangeRequest, request.change)
        found = computed_difference(unit, deployment, change)
        step = lifecycle.advance(
            CHANGE_REQUEST,
            ChangeState(change.state),
            ChangeCommand.SUBMIT,
            actor=rules_actor,
            facts=change_facts(unit, change, first_signer=None, reason_given=False),
        )
        after = replace(
            change,
            state=step.state.value,
            submitted_us=unit.now_us,
            change_class=found.classification.change_class.value,
        )
        unit.record(
            kind="change.submitted",
            actor=actor.person,
            replace=[(change, after)],
            notes={"difference": found.as_record()},
        )
        return _line(after)

    return deployment.pen.commit(write)


def evaluate_change(deployment: Deployment, actor: Actor, request: NameChange) -> ChangeLine:
    """Run the plan's protocol; a pass goes to review at once, anything else stays and is shown."""
    rules_actor = rule_actor(actor, _scope(deployment))
    with deployment.reader() as reader:
        change = reader.require(ChangeRequest, request.change)
        version = reader.require(Version, change.version)
    evaluated = evaluate_version(
        deployment,
        actor=actor,
        version=version,
        plan=change.plan,
        permit=lambda unit: _may_evaluate(unit, rules_actor, request.change),
    )
    return deployment.pen.commit(
        lambda unit: _record_evaluation(unit, rules_actor, request.change, evaluated),
    )


def _may_evaluate(unit: Unit, actor: lifecycle.Actor, change_id: str) -> None:
    change = unit.require(ChangeRequest, change_id)
    lifecycle.advance(
        CHANGE_REQUEST,
        ChangeState(change.state),
        ChangeCommand.EVALUATE,
        actor=actor,
        facts=change_facts(unit, change, first_signer=None, reason_given=False),
    )


def _record_evaluation(
    unit: Unit, actor: lifecycle.Actor, change_id: str, evaluated: Evaluated
) -> ChangeLine:
    change = unit.require(ChangeRequest, change_id)
    step = lifecycle.advance(
        CHANGE_REQUEST,
        ChangeState(change.state),
        ChangeCommand.EVALUATE,
        actor=actor,
        facts=change_facts(unit, change, first_signer=None, reason_given=False),
    )
    judged = replace(
        change,
        state=step.state.value,
        evidence=evaluated.evidence.id,
        verdict=evaluated.evidence.verdict,
    )
    review = None
    after = judged
    if Verdict(judged.verdict or "") is Verdict.PASS:
        sent = lifecycle.advance(
            CHANGE_REQUEST,
            ChangeState(judged.state),
            ChangeCommand.SEND_TO_REVIEW,
            actor=actor,
            facts=change_facts(unit, judged, first_signer=None, reason_given=False),
        )
        after = replace(judged, state=sent.state.value)
        review = approval_review(
            unit,
            kind=ReviewKind.RELEASE_APPROVAL,
            model=change.model,
            subject=Subject(
                record_type="change_request", record=change.id, digest=change_digest(unit, after)
            ),
            author=change.author,
        )
    unit.record(
        kind="change.evaluated",
        actor=actor.person,
        add=[review] if review else [],
        replace=[(change, after)],
    )
    return _line(after, review)


def _require_planned(reader: Reader, plan: Document, modification: str) -> None:
    """Refuse a modification that the plan does not have: the name becomes a permanent fact."""
    written = plan_from_record(canonical.loads(reader.blob(plan.digest)))
    if written.modification(modification) is None:
        known = ", ".join(item.id for item in written.planned_modifications)
        raise InvalidInput(
            "modification: the plan in force has no such modification",
            next_step=f"name one of: {known}; another kind of change needs another plan",
        )


def change_digest(reader: Reader, change: ChangeRequest) -> str:
    """Return the digest of what an approver signs, down to the bytes of every part of it.

    These are the request and its modification, the version's artifact, the evidence, and the
    documents that the evidence was judged under: the plan and the entry in force.
    """
    version = reader.require(Version, change.version)
    plan = reader.require(Document, change.plan)
    entry = require_in_force(reader, kind=DocumentKind.ENTRY, model=change.model)
    evidence = reader.require(Evidence, change.evidence) if change.evidence else None
    return json_digest(
        {
            "change": change.id,
            "model": change.model,
            "modification": change.modification,
            "version": version.id,
            "artifact": version.digest,
            "plan": [plan.id, plan.digest],
            "entry": [entry.id, entry.digest],
            "evidence": [evidence.id, evidence.digest] if evidence else None,
            "verdict": change.verdict,
            "change_class": change.change_class,
        }
    )


def run_change(deployment: Deployment, actor: Actor, request: OpenChange) -> ChangeLine:
    """Open, submit and evaluate in one."""
    opened = open_change(deployment, actor, request)
    submit_change(deployment, actor, NameChange(change=opened.change))
    return evaluate_change(deployment, actor, NameChange(change=opened.change))


def show_change(deployment: Deployment, actor: Actor, request: NameChange) -> ChangeLine:
    """Show one request."""
    found = list_changes(deployment, actor, ListChanges()).changes
    for line in found:
        if line.change == request.change:
            return line
    raise Conflict("there is no change of this name", next_step="see `vigil change list`")


def list_changes(deployment: Deployment, actor: Actor, _request: ListChanges) -> Changes:
    """List every request."""
    del actor
    with deployment.reader() as reader:
        reviews = {
            review.subject: review for review in reader.find(Review, subject_type="change_request")
        }
        return Changes(
            changes=[_line(change, reviews.get(change.id)) for change in reader.find(ChangeRequest)]
        )


def _line(change: ChangeRequest, review: Review | None = None) -> ChangeLine:
    return ChangeLine(
        change=change.id,
        model=change.model,
        version=change.version,
        state=change.state,
        author=change.author,
        plan=change.plan,
        modification=change.modification,
        change_class=change.change_class,
        evidence=change.evidence,
        verdict=change.verdict,
        review=review.id if review else None,
        opened_us=change.opened_us,
    )


def _scope(deployment: Deployment) -> Scope:
    return Scope(organisation=deployment.home.config.organisation)


OPEN_CHANGE = Operation(
    name="change.open",
    request=OpenChange,
    kinds=("change.opened",),
    run=open_change,
    repeated="opens another request",
)
SUBMIT_CHANGE = Operation(
    name="change.submit",
    request=NameChange,
    kinds=("change.submitted",),
    run=submit_change,
    repeated="refused: it is submitted",
)
EVALUATE_CHANGE = Operation(
    name="change.evaluate",
    request=NameChange,
    kinds=("attempt.opened", "audit.completed", "change.evaluated"),
    run=evaluate_change,
    repeated="refused: the evaluation stands",
)
RUN_CHANGE = Operation(
    name="change.run",
    request=OpenChange,
    kinds=(
        "change.opened",
        "change.submitted",
        "attempt.opened",
        "audit.completed",
        "change.evaluated",
    ),
    run=run_change,
    repeated="opens another request",
)
SHOW_CHANGE = Operation(
    name="change.show", request=NameChange, kinds=(), run=show_change, repeated="reads only"
)
LIST_CHANGES = Operation(
    name="change.list", request=ListChanges, kinds=(), run=list_changes, repeated="reads only"
)
