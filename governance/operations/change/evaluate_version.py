"""Evaluate a version under its plan's protocol: open the attempt, compute, store the evidence.

Order is the point (P4): the plan's approval is in the ledger, then `attempt.opened` is committed,
and only then does anybody look at the numbers. A crash in between leaves the attempt on record
without evidence. The evidence is canonical JSON without times or names of people, so that the
same protocol on the same bytes gives the same digest (`vigil audit reproduce`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audits.estimate import Json
from change_control.change.documents import DocumentKind, DocumentState
from governance.adapters.model_store import read_artifact
from governance.deployment import Deployment
from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.change.evaluation_work import evaluate
from governance.operations.rules import require_in_force
from governance.registry.records import Dataset, Document, Evidence, Version
from governance.storage.ports import Reader, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The evidence as recorded."""

    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that an evaluation reads, as bytes that digests stand for."""

    header: dict[str, Json]
    panel: bytes
    plan: bytes
    artifact: bytes


def evaluate_version(
    deployment: Deployment,
    *,
    actor: Actor,
    version: Version,
    plan: str,
    permit: Callable[[Unit], None],
) -> Evaluated:
    """Open the attempt where `permit` lets it, evaluate, and record the evidence."""

    def open_attempt(unit: Unit) -> tuple[int, int, Inputs]:
        permit(unit)
        require_in_force(unit, kind=DocumentKind.ENTRY, model=version.model)
        require_in_force(unit, kind=DocumentKind.MONITORING, model=version.model)
        document = _plan_in_force(unit, plan)
        inputs = gather_inputs(unit, deployment, version=version, plan=document)
        opened = unit.record(
            kind="attempt.opened", actor=actor.person, notes={"attempt": inputs.header}
        )
        return document.in_force_seq or 0, opened.seq, inputs

    plan_seq, opened_seq, inputs = deployment.pen.commit(open_attempt)
    content = compute_evidence(deployment, inputs)
    verdict = _verdict(content)

    def store(unit: Unit) -> Evaluated:
        evidence = Evidence(
            id=unit.next_id(Evidence, prefix="E"),
            kind="temporal",
            model=version.model,
            version=version.id,
            dataset=version.dataset,
            plan=plan,
            digest=unit.put_blob(content, media_type="application/json"),
            verdict=verdict,
            plan_seq=plan_seq,
            opened_seq=opened_seq,
            produced_by=actor.person,
            produced_us=unit.now_us,
        )
        unit.record(kind="audit.completed", actor=actor.person, add=[evidence])
        return Evaluated(evidence=evidence)

    return deployment.pen.commit(store)


def gather_inputs(
    reader: Reader, deployment: Deployment, *, version: Version, plan: Document
) -> Inputs:
    """Return what the evaluation of `version` under `plan` reads."""
    dataset = reader.require(Dataset, version.dataset)
    return Inputs(
        header={
            "model": version.model,
            "version": version.id,
            "artifact_sha256": version.digest,
            "dataset": dataset.id,
            "dataset_title": dataset.title,
            "dataset_sha256": dataset.digest,
            "dataset_months": [dataset.first_month, dataset.last_month],
            "simulated": dataset.simulated,
            "plan": plan.id,
            "plan_sha256": plan.digest,
        },
        panel=reader.blob(dataset.digest),
        plan=reader.blob(plan.digest),
        artifact=read_artifact(
            root=deployment.home.artifacts_dir, uri=version.artifact_uri, digest=version.digest
        ),
    )


def compute_evidence(deployment: Deployment, inputs: Inputs) -> bytes:
    """Return the evidence's canonical bytes; the same inputs give the same bytes."""
    return deployment.compute.run(
        evaluate,
        header=canonical.dumps(inputs.header),
        panel=inputs.panel,
        plan=inputs.plan,
        artifact=inputs.artifact,
    )


def _plan_in_force(unit: Unit, plan: str) -> Document:
    document = unit.require(Document, plan)
    if document.state != DocumentState.IN_FORCE.value:
        raise Conflict(
            f"{plan} is not in force, so nothing is evaluated under it",
            next_step="open a new change under the plan that is in force",
        )
    return document


def _verdict(content: bytes) -> str:
    evidence = canonical.loads(content)
    if not isinstance(evidence, dict) or not isinstance(evidence["verdict"], str):
        raise RuntimeError("an evaluation wrote evidence without a verdict")
    return evidence["verdict"]
