"""Sign a piece of evidence as its reader, and seal the report that shows the signature.

The signature is the person's, bound to the evidence's digest and in the ledger (P7). The seal is
the deployment's, on the document's bytes, so that whoever gets the file can check with any PDF
reader that it is what left here. The sealed file is kept, because a seal is never the same twice.
"""

from __future__ import annotations

import base64
from typing import Final

from pydantic import Field, SecretStr

from change_control.errors import FourEyes
from change_control.lifecycle import SignatureMeaning
from change_control.roles import Role
from change_control.scope import Scope
from governance.adapters.pdf_seal import Seal, seal_of, seal_pdf
from governance.deployment import Deployment
from governance.errors import Conflict
from governance.operations.actor import Actor
from governance.operations.inspect.audit_view import audit_view, document_of_view
from governance.operations.inspect.log_before import LogBefore
from governance.operations.operation import Operation, Request, Result
from governance.operations.signing import authenticate_again, signature_of
from governance.registry.digest import sha256_hex
from governance.registry.records import Evidence, SealedReport, Signature
from governance.storage.ports import Reader, Unit

SIGNERS: Final = frozenset({Role.REVIEWER, Role.REGULATORY, Role.SAFETY_OFFICER})
PDF: Final = "application/pdf"


class SignReport(Request):
    """The evidence as it was read, by its digest, and the reader's password."""

    evidence: str
    record_digest: str = Field(default="", max_length=64)
    password: SecretStr


class ReportSigned(Result):
    """The sealed document, in base64, and the certificate (PEM) that a checker trusts."""

    evidence: str
    report: str
    signature: str
    digest: str
    root: str
    document: str


def sign_report(deployment: Deployment, actor: Actor, request: SignReport) -> ReportSigned:
    """Sign, set the report with the signature on it, seal it, keep it."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(SIGNERS, scope, act="sign reports")
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())
    seal = seal_of(
        deployment.home.keys_dir,
        organisation=deployment.home.config.organisation,
        now_us=deployment.clock.now_us(),
    )

    def sign(unit: Unit) -> Signature:
        evidence = unit.require(Evidence, request.evidence)
        _refuse(unit, evidence, actor, request)
        signature = signature_of(
            unit,
            deployment,
            signer,
            record_type=Evidence.TABLE,
            record=evidence.id,
            record_digest=evidence.digest,
            meaning=SignatureMeaning.REVIEWED,
        )
        unit.record(kind="evidence.signed", actor=actor.person, add=[signature])
        return signature

    signature = deployment.pen.commit(sign)
    with deployment.reader() as reader:
        document = sealed_document(deployment, reader, signature, seal)
    kept = deployment.pen.commit(lambda unit: _keep(unit, actor, signature, seal, document))
    return ReportSigned(
        evidence=kept.evidence,
        report=kept.id,
        signature=signature.id,
        digest=kept.digest,
        root=seal.root.decode("ascii"),
        document=base64.b64encode(document).decode("ascii"),
    )


def sealed_document(
    deployment: Deployment, reader: Reader, signature: Signature, seal: Seal
) -> bytes:
    """Return the report with every signature so far on it, sealed."""
    first = deployment.ledger.entry(0)
    view = audit_view(
        reader,
        signature.record,
        organisation=deployment.home.config.organisation,
        deployment=deployment.home.config.origin,
        before=LogBefore.of(first.facts, first.t_us),
    )
    reason = f"{signature.meaning} by {signature.printed_name} ({signature.signer})"
    return seal_pdf(document_of_view(view), seal, reason=reason)


def _refuse(reader: Reader, evidence: Evidence, actor: Actor, request: SignReport) -> None:
    # A signature is over bytes: whoever produced the same bytes under another number is no reader.
    producers = {one.produced_by for one in reader.find(Evidence, digest=evidence.digest)}
    if actor.person in producers:
        raise FourEyes(
            f"you produced {evidence.id}",
            next_step="Ask somebody else to read and sign it.",
        )
    if request.record_digest and request.record_digest != evidence.digest:
        raise Conflict(
            f"{evidence.id} is not what you read",
            next_step="open the report again, read it, and sign what it shows now",
        )


def _keep(
    unit: Unit, actor: Actor, signature: Signature, seal: Seal, document: bytes
) -> SealedReport:
    sealed = SealedReport(
        id=unit.next_id(SealedReport, prefix="P"),
        evidence=signature.record,
        evidence_digest=signature.record_digest,
        digest=unit.put_blob(document, media_type=PDF),
        signature=signature.id,
        certificate=seal.fingerprint,
        sealed_us=unit.now_us,
    )
    if sealed.digest != sha256_hex(document):
        raise RuntimeError("a blob is named by its SHA-256")
    unit.record(kind="report.sealed", actor=actor.person, add=[sealed])
    return sealed


SIGN_REPORT = Operation(
    name="audit.sign",
    request=SignReport,
    kinds=("evidence.signed", "report.sealed"),
    run=sign_report,
    repeated="adds another signature and another sealed document",
)
