"""Evidence: list it, show it, and reproduce it to the same digest."""

from __future__ import annotations

from typing import Any

from governance.deployment import Deployment
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.change.evaluate_version import compute_evidence, gather_inputs
from governance.operations.change.evaluation_work import software
from governance.operations.inspect.log_before import LogBefore
from governance.operations.operation import Operation, Request, Result
from governance.registry.digest import sha256_hex
from governance.registry.records import Document, Evidence, Version


class ListEvidence(Request):
    """Every piece of evidence."""


class NameEvidence(Request):
    """One piece of evidence."""

    evidence: str


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


class EvidenceList(Result):
    """Evidence in order of production."""

    evidence: list[EvidenceLine]


class EvidenceContent(Result):
    """The evidence itself, read by its digest."""

    line: EvidenceLine
    content: dict[str, Any]


class Reproduced(Result):
    """Whether the same protocol on the same bytes gave the same digest."""

    evidence: str
    digest: str
    reproduced_digest: str
    identical: bool
    same_software: bool


def list_evidence(deployment: Deployment, actor: Actor, _request: ListEvidence) -> EvidenceList:
    """List the evidence."""
    del actor
    with deployment.reader() as reader:
        return EvidenceList(
            evidence=[evidence_line(deployment, item) for item in reader.find(Evidence)]
        )


def show_evidence(deployment: Deployment, actor: Actor, request: NameEvidence) -> EvidenceContent:
    """Show one piece of evidence."""
    del actor
    with deployment.reader() as reader:
        evidence = reader.require(Evidence, request.evidence)
        content = canonical.loads(reader.blob(evidence.digest))
    if not isinstance(content, dict):
        raise RuntimeError("evidence is always an object")
    return EvidenceContent(line=evidence_line(deployment, evidence), content=content)


def reproduce_evidence(deployment: Deployment, actor: Actor, request: NameEvidence) -> Reproduced:
    """Compute the evidence again from the recorded bytes. Nothing is recorded or overwritten."""
    del actor
    with deployment.reader() as reader:
        evidence = reader.require(Evidence, request.evidence)
        recorded = canonical.loads(reader.blob(evidence.digest))
        inputs = gather_inputs(
            reader,
            deployment,
            version=reader.require(Version, evidence.version),
            plan=reader.require(Document, evidence.plan),
        )
    digest = sha256_hex(compute_evidence(deployment, inputs))
    return Reproduced(
        evidence=evidence.id,
        digest=evidence.digest,
        reproduced_digest=digest,
        identical=digest == evidence.digest,
        same_software=isinstance(recorded, dict) and recorded.get("software") == software(),
    )


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


LIST_EVIDENCE = Operation(
    name="audit.list", request=ListEvidence, kinds=(), run=list_evidence, repeated="reads only"
)
SHOW_EVIDENCE = Operation(
    name="audit.show", request=NameEvidence, kinds=(), run=show_evidence, repeated="reads only"
)
REPRODUCE_EVIDENCE = Operation(
    name="audit.reproduce",
    request=NameEvidence,
    kinds=(),
    run=reproduce_evidence,
    repeated="reads only",
)
