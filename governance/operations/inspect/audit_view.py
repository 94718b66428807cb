"""An audit report in its context: the evidence record, its order proof and its signatures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from audits.estimate import Json
from change_control.change.documents import DocumentKind, DocumentState
from governance.ledger.core import canonical
from governance.operations.inspect.log_before import LogBefore
from governance.registry.records import (
    ChangeRequest,
    Dataset,
    Document,
    Evidence,
    Review,
    SealedReport,
    Signature,
)
from governance.reports.audit_pdf import document_of
from governance.reports.audit_report import AuditReport, Manifestation, OrderProof, ReportContext
from governance.reports.evidence_reader import read_audit
from governance.reports.rows_pdf import rows_document_of
from governance.reports.rows_report import RowsReport, is_rows_report, read_rows_report
from governance.storage.ports import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """Everything that the page and the document show. `reviews` rest on this evidence.

    `sealed` are the documents that were signed and sealed, in that order.
    """

    evidence: Evidence
    report: AuditReport | RowsReport
    context: ReportContext
    dataset: Dataset | None
    reviews: tuple[Review, ...]
    record: Json
    sealed: tuple[SealedReport, ...] = ()


def audit_view(
    reader: Reader, name: str, *, organisation: str, deployment: str, before: LogBefore
) -> AuditView:
    """Return one audit report, or raise NotFound or EvidenceUnreadable."""
    evidence = reader.require(Evidence, name)
    record: Json = json.loads(reader.blob(evidence.digest))
    reviews = _reviews(reader, evidence)
    context = ReportContext(
        organisation=organisation,
        deployment=deployment,
        model=evidence.model,
        version=evidence.version,
        evidence=evidence.id,
        digest=evidence.digest,
        produced_us=evidence.produced_us,
        produced_by=evidence.produced_by,
        dataset=evidence.dataset,
        order=OrderProof(
            plan=evidence.plan,
            plan_seq=evidence.plan_seq,
            opened_seq=evidence.opened_seq,
            of_log_before=before.holds(evidence.produced_us),
        ),
        reproduce=_reproduce(evidence, record),
        signatures=_manifestations(reader, evidence, reviews),
        limits=_limits(reader, evidence.model),
    )
    return AuditView(
        evidence=evidence,
        report=read_rows_report(record)
        if is_rows_report(record)
        else read_audit(record, model=evidence.model, version=evidence.version),
        context=context,
        dataset=reader.get(Dataset, evidence.dataset),
        reviews=reviews,
        record=record,
        sealed=tuple(reader.find(SealedReport, evidence=evidence.id)),
    )


def _limits(reader: Reader, model: str) -> tuple[str, ...]:
    """Return what the entry in force, else the latest, says of limits and excluded uses."""
    entries = reader.find(Document, model=model, kind=DocumentKind.ENTRY.value)
    in_force = [one for one in entries if one.state == DocumentState.IN_FORCE.value]
    if not entries:
        return ()
    match canonical.loads(reader.blob((in_force or entries)[-1].digest)):
        case {"limits": [*limits], "intended_use": {"excluded_uses": [*excluded]}}:
            return tuple(map(str, (*limits, *excluded)))
        case {"limits": [*limits], "context_of_use": {"excluded_uses": [*excluded]}}:
            return tuple(map(str, (*limits, *excluded)))
        case {"limits": [*limits]}:
            return tuple(map(str, limits))
    return ()


def document_of_view(view: AuditView) -> bytes:
    """Return the report of either kind as a document; the same bytes every time."""
    if isinstance(view.report, RowsReport):
        return rows_document_of(view.report, view.context)
    return document_of(view.report, view.context)


def _reproduce(evidence: Evidence, record: Json) -> str:
    """Return the command; of an audit of rows the files have to be brought again."""
    files = " --data FILE" if is_rows_report(record) else ""
    return f"vigil audit reproduce {evidence.id}{files}"


def _reviews(reader: Reader, evidence: Evidence) -> tuple[Review, ...]:
    """Return the reviews of this evidence and of every change request that rests on it."""
    changes = reader.find(ChangeRequest, evidence=evidence.id)
    subjects = [evidence.id, *(change.id for change in changes)]
    return tuple(review for subject in subjects for review in reader.find(Review, subject=subject))


def _manifestations(
    reader: Reader, evidence: Evidence, reviews: Sequence[Review]
) -> tuple[Manifestation, ...]:
    digests = dict.fromkeys([evidence.digest, *(review.subject_digest for review in reviews)])
    return tuple(
        Manifestation(
            printed_name=signature.printed_name,
            signer=signature.signer,
            meaning=signature.meaning,
            signed_us=signature.signed_us,
            record=f"{signature.record_type} {signature.record}",
            record_digest=signature.record_digest,
        )
        for digest in digests
        for signature in reader.find(Signature, record_digest=digest)
    )
