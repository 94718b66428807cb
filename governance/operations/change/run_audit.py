"""Run the plan's audit of a version outside of a change request, for instance before opening one.

It is the same protocol, the same order and the same kind of evidence; only no request moves.
"""

from __future__ import annotations

from change_control.change.documents import DocumentKind
from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.operations.actor import Actor
from governance.operations.change.evaluate_version import evaluate_version
from governance.operations.inspect.evidence_line import EvidenceLine, evidence_line
from governance.operations.operation import Operation, Request
from governance.operations.rules import require_in_force
from governance.registry.records import Version

_AUDITORS = frozenset({Role.MODEL_OWNER, Role.CUSTODIAN})


class RunAudit(Request):
    """A registered version, audited under its model's plan in force."""

    version: str


def run_audit(deployment: Deployment, actor: Actor, request: RunAudit) -> EvidenceLine:
    """Open the attempt, evaluate, record the evidence."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_AUDITORS, scope, act="run audits")
    with deployment.reader() as reader:
        version = reader.require(Version, request.version)
        plan = require_in_force(reader, kind=DocumentKind.PLAN, model=version.model)
    evaluated = evaluate_version(
        deployment,
        actor=actor,
        version=version,
        plan=plan.id,
        permit=lambda _unit: None,
    )
    return evidence_line(deployment, evaluated.evidence)


RUN_AUDIT = Operation(
    name="audit.run",
    request=RunAudit,
    kinds=("attempt.opened", "audit.completed"),
    run=run_audit,
    repeated="records another piece of evidence with the same digest",
)
