"""Register an entry, a plan or an audit protocol: freeze, sign as its author, ask approval.

What is frozen is the canonical form of the checked document; the YAML as it came is kept beside
it. Nothing that is evaluated later can precede this entry in the ledger (P4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import Field, SecretStr

from audits.estimate import Json
from change_control import lifecycle
from change_control.audit.kinds import AuditKind
from change_control.audit.protocol import document_kind, parse_protocol, require_protocol_kind
from change_control.change.documents import DOCUMENT, DocumentCommand, DocumentFacts, DocumentKind
from change_control.change.plan import parse_plan
from change_control.fit import require_monitoring_fits, require_plan_fits
from change_control.lifecycle import SignatureMeaning
from change_control.scope import Scope
from change_control.tier import tier_of
from change_control.watch.monitoring import parse_monitoring_plan
from change_control.watch.review import ReviewKind
from governance.deployment import Deployment
from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.review.open_review import Subject, approval_review
from governance.operations.rules import entry_of, rule_actor
from governance.operations.signing import Signer, authenticate_again, signature_of
from governance.registry.records import Document
from governance.storage.ports import Reader, Unit
from models.entry import Entry, parse_entry

YAML = "application/yaml"
JSON = "application/json"


class RegisterDocument(Request):
    """The document's text as written, and the author's password for the signature."""

    kind: DocumentKind
    text: str = Field(max_length=1_000_000)
    password: SecretStr


class DocumentRegistered(Result):
    """The frozen document and the review that waits for its approval."""

    document: str
    digest: str
    review: str
    due_us: int
    tier: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A document that passed its own checks; `fits` holds it against its model's entry."""

    model: str
    record: Json
    tier: str | None
    fits: Callable[[Entry], None] | None


def check_document(kind: DocumentKind, text: str) -> Checked:
    """Parse and check the text; raise the package's own error with every problem found."""
    return _PARSERS[kind](text)


def _entry(text: str) -> Checked:
    entry = parse_entry(text)
    return Checked(model=entry.name, record=entry.as_record(), tier=tier_of(entry).value, fits=None)


def _plan(text: str) -> Checked:
    plan = parse_plan(text)
    return Checked(
        model=plan.model,
        record=plan.as_record(),
        tier=None,
        fits=lambda entry: require_plan_fits(plan, entry),
    )


def _monitoring(text: str) -> Checked:
    plan = parse_monitoring_plan(text)
    return Checked(
        model=plan.model,
        record=plan.as_record(),
        tier=None,
        fits=lambda entry: require_monitoring_fits(plan, entry),
    )


def _audit_protocol(kind: DocumentKind) -> Callable[[str], Checked]:
    def check(text: str) -> Checked:
        protocol = parse_protocol(text)
        require_protocol_kind(protocol, kind)
        return Checked(
            model=protocol.model,
            record=protocol.as_record(),
            tier=None,
            fits=lambda _entry: None,
        )

    return check


_PARSERS: Final[dict[DocumentKind, Callable[[str], Checked]]] = {
    DocumentKind.ENTRY: _entry,
    DocumentKind.PLAN: _plan,
    DocumentKind.MONITORING: _monitoring,
    **{document_kind(kind): _audit_protocol(document_kind(kind)) for kind in AuditKind},
}


def register_document(
    deployment: Deployment, actor: Actor, request: RegisterDocument
) -> DocumentRegistered:
    """Freeze the document, sign it as its author and open the review for its approval."""
    checked = check_document(request.kind, request.text)
    scope = Scope(organisation=deployment.home.config.organisation)
    lifecycle.advance(
        DOCUMENT,
        None,
        DocumentCommand.REGISTER,
        actor=rule_actor(actor, scope),
        facts=DocumentFacts(authors=frozenset({actor.person})),
    )
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())
    return deployment.pen.commit(
        lambda unit: _freeze(unit, deployment, signer, request=request, checked=checked),
    )


def _freeze(
    unit: Unit,
    deployment: Deployment,
    signer: Signer,
    *,
    request: RegisterDocument,
    checked: Checked,
) -> DocumentRegistered:
    _require_entry(unit, checked)
    author = signer.actor.person
    document = _document(unit, request=request, checked=checked, author=author)
    review = approval_review(
        unit,
        kind=ReviewKind.DOCUMENT_APPROVAL,
        model=document.model,
        subject=Subject(record_type="document", record=document.id, digest=document.digest),
        author=author,
    )
    signature = signature_of(
        unit,
        deployment,
        signer,
        record_type="document",
        record=document.id,
        record_digest=document.digest,
        meaning=SignatureMeaning.AUTHORED,
    )
    unit.record(
        kind="document.registered",
        actor=author,
        add=[document, signature, review],
        notes={"tier": checked.tier},
    )
    return DocumentRegistered(
        document=document.id,
        digest=document.digest,
        review=review.id,
        due_us=review.due_us,
        tier=checked.tier,
    )


def _document(unit: Unit, *, request: RegisterDocument, checked: Checked, author: str) -> Document:
    content = canonical.dumps(checked.record)
    number = _next_number(unit, request.kind, checked.model, content)
    return Document(
        id=f"{request.kind.value}:{checked.model}:{number}",
        kind=request.kind.value,
        model=checked.model,
        number=number,
        digest=unit.put_blob(content, media_type=JSON),
        source_digest=unit.put_blob(request.text.encode(), media_type=YAML),
        state=DOCUMENT.initial.value,
        author=author,
        registered_us=unit.now_us,
        in_force_us=None,
        in_force_seq=None,
    )


def _require_entry(reader: Reader, checked: Checked) -> None:
    """Hold a plan against the newest entry of its model; raise where it is missing or misfits."""
    if checked.fits is None:
        return
    entries = reader.find(Document, kind=DocumentKind.ENTRY.value, model=checked.model)
    if not entries:
        raise Conflict(
            f"{checked.model} has no registry entry",
            next_step="register its entry first: `vigil model register entry.yaml`",
        )
    checked.fits(entry_of(reader, entries[-1]))


def _next_number(reader: Reader, kind: DocumentKind, model: str, content: bytes) -> int:
    """Return the next number; the very same document again is refused, not renumbered."""
    earlier = reader.find(Document, kind=kind.value, model=model)
    digest = hashlib.sha256(content).hexdigest()
    for document in earlier:
        if document.digest == digest and document.state in {"registered", "in_force"}:
            raise Conflict(
                f"the same document is already {document.state} as {document.id}",
                next_step="change the document, or go on with the one that is there",
            )
    return len(earlier) + 1


REGISTER_DOCUMENT = Operation(
    name="document.register",
    request=RegisterDocument,
    kinds=("document.registered",),
    run=register_document,
    repeated="refused while the same document is registered or in force",
)
