"""Evidence: list it, show it, and reproduce it to the same digest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field

from audits.estimate import Json
from change_control.audit.protocol import protocol_from_record
from governance.deployment import Deployment
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.audit.run_table_audit import TableBrought, brought, header_of
from governance.operations.audit.table_work import evaluate_tables
from governance.operations.audit.table_work import software as software_of_tables
from governance.operations.audit.tables import datasets_of
from governance.operations.change.evaluate_version import compute_evidence, gather_inputs
from governance.operations.change.evaluation_work import software
from governance.operations.inspect.evidence_line import EvidenceLine, evidence_line
from governance.operations.operation import Operation, Request, Result
from governance.registry.digest import sha256_hex
from governance.registry.records import Document, Evidence, Version
from governance.storage.ports import Reader


class ListEvidence(Request):
    """Every piece of evidence."""


class NameEvidence(Request):
    """One piece of evidence."""

    evidence: str


class ReproduceEvidence(NameEvidence):
    """One piece of evidence, and of an audit of rows the files that it read."""

    tables: list[TableBrought] = Field(default_factory=list, max_length=4)


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


def reproduce_evidence(
    deployment: Deployment, actor: Actor, request: ReproduceEvidence
) -> Reproduced:
    """Compute the evidence again from the recorded bytes. Nothing is recorded or overwritten.

    Of an audit of rows the files have to be brought again, for no row was kept.
    """
    del actor
    with deployment.reader() as reader:
        evidence = reader.require(Evidence, request.evidence)
        recorded = canonical.loads(reader.blob(evidence.digest))
        compute = _again(deployment, reader, evidence, recorded, request.tables)
    digest = sha256_hex(compute())
    wanted = software_of_tables() if _of_tables(recorded) else software()
    return Reproduced(
        evidence=evidence.id,
        digest=evidence.digest,
        reproduced_digest=digest,
        identical=digest == evidence.digest,
        same_software=isinstance(recorded, dict) and recorded.get("software") == wanted,
    )


def _of_tables(recorded: Json) -> bool:
    about = recorded.get("about") if isinstance(recorded, dict) else None
    return isinstance(about, dict) and "tables" in about


def _again(
    deployment: Deployment,
    reader: Reader,
    evidence: Evidence,
    recorded: Json,
    tables: list[TableBrought],
) -> Callable[[], bytes]:
    """Return what computes the evidence again, with everything it reads read already."""
    document = reader.require(Document, evidence.plan)
    if not _of_tables(recorded):
        version = reader.require(Version, evidence.version)
        inputs = gather_inputs(reader, deployment, version=version, plan=document)
        return lambda: compute_evidence(deployment, inputs)
    protocol = reader.blob(document.digest)
    files = brought(
        reader,
        protocol_from_record(canonical.loads(protocol)),
        tables,
        among=frozenset(datasets_of(reader, evidence)),
    )
    header = header_of(
        reader,
        ref=evidence.version or evidence.model,
        document=document,
        tables=[
            (one.role.value, dataset, sha256_hex(one.text.encode())) for one, dataset, _ in files
        ],
    )
    return lambda: deployment.compute.run(
        evaluate_tables,
        header=canonical.dumps(header),
        protocol=protocol,
        tables=tuple(table for _, _, table in files),
    )


LIST_EVIDENCE = Operation(
    name="audit.list", request=ListEvidence, kinds=(), run=list_evidence, repeated="reads only"
)
SHOW_EVIDENCE = Operation(
    name="audit.show", request=NameEvidence, kinds=(), run=show_evidence, repeated="reads only"
)
REPRODUCE_EVIDENCE = Operation(
    name="audit.reproduce",
    request=ReproduceEvidence,
    kinds=(),
    run=reproduce_evidence,
    repeated="reads only",
)
