"""A piece of evidence as lists show it."""

from __future__ import annotations

from governance.deployment import Deployment
from governance.operations.inspect.log_before import LogBefore
from governance.operations.operation import Result
from governance.registry.records import Evidence


class EvidenceLine(Result):
    """One piece of evidence; the two ledger positions prove that the plan came first (P4).

    `of_log_before` says that both are positions in a log before this one.
    """

    evidence: str
    kind: str
    model: str
    version: str
    dataset: str
    plan: str
    digest: str
    verdict: str
    plan_seq: int
    opened_seq: int
    of_log_before: bool
    produced_by: str
    produced_us: int


def evidence_line(deployment: Deployment, evidence: Evidence) -> EvidenceLine:
    """Return the evidence as listed."""
    first = deployment.ledger.entry(0)
    return EvidenceLine(
        evidence=evidence.id,
        kind=evidence.kind,
        model=evidence.model,
        version=evidence.version,
        dataset=evidence.dataset,
        plan=evidence.plan,
        digest=evidence.digest,
        verdict=evidence.verdict,
        plan_seq=evidence.plan_seq,
        opened_seq=evidence.opened_seq,
        of_log_before=LogBefore.of(first.facts, first.t_us).holds(evidence.produced_us),
        produced_by=evidence.produced_by,
        produced_us=evidence.produced_us,
    )
