"""Run the audit protocol in force on tables: open the attempt, read the rows, record the evidence.

Order is the point (P4): the protocol's approval is in the ledger, then `attempt.opened` is
committed with the digests of the files, and only then does anybody look at a row. A crash in
between leaves the attempt on record without evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import Field

from audits.estimate import Json
from change_control.audit.kinds import AuditKind
from change_control.audit.protocol import (
    AuditProtocol,
    SampleRole,
    document_kind,
    protocol_from_record,
)
from change_control.change.documents import DocumentKind
from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.errors import InvalidInput
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.audit.table_work import TableGiven, evaluate_tables
from governance.operations.audit.tables import MAX_CHARACTERS, table_of_file
from governance.operations.inspect.evidence_line import EvidenceLine, evidence_line
from governance.operations.operation import Operation, Request
from governance.operations.rules import require_in_force
from governance.registry.digest import sha256_hex
from governance.registry.records import Dataset, Document, Evidence, Version
from governance.storage.ports import Reader, Unit

_AUDITORS: Final = frozenset({Role.MODEL_OWNER, Role.CUSTODIAN, Role.REVIEWER})


class TableBrought(Request):
    """One file: what it is there for, and its text."""

    role: SampleRole = SampleRole.TEST
    text: str = Field(max_length=MAX_CHARACTERS)


class RunTableAudit(Request):
    """A kind of audit, a model ("dosing") or a version ("dosing/1"), and the tables."""

    kind: AuditKind
    ref: str
    tables: list[TableBrought] = Field(min_length=1, max_length=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An attempt that is on record, with what it may read."""

    plan_seq: int
    seq: int
    document: Document
    protocol: AuditProtocol
    dataset: str
    header: dict[str, Json]
    tables: tuple[TableGiven, ...]


def run_table_audit(deployment: Deployment, actor: Actor, request: RunTableAudit) -> EvidenceLine:
    """Open the attempt, evaluate, record the evidence."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_AUDITORS, scope, act="run audits")
    opened = deployment.pen.commit(lambda unit: _open(unit, actor, request))
    content = deployment.compute.run(
        evaluate_tables,
        header=canonical.dumps(opened.header),
        protocol=canonical.dumps(opened.protocol.as_record()),
        tables=opened.tables,
    )
    evidence = deployment.pen.commit(lambda unit: _store(unit, actor, request, opened, content))
    return evidence_line(deployment, evidence)


def header_of(
    reader: Reader, *, ref: str, document: Document, tables: list[tuple[str, Dataset, str]]
) -> dict[str, Json]:
    """Return what evidence says that it is about; equal inputs give the equal header."""
    model, version = model_and_version(reader, ref)
    return {
        "model": model,
        "version": "" if version is None else version.id,
        "artifact_sha256": "" if version is None else version.digest,
        "protocol": document.id,
        "protocol_sha256": document.digest,
        "simulated": any(dataset.simulated for _, dataset, _ in tables),
        "tables": [
            {
                "role": role,
                "dataset": dataset.id,
                "title": dataset.title,
                "manifest_sha256": dataset.digest,
                "file_sha256": digest,
                "rows": dataset.rows,
                "months": [dataset.first_month, dataset.last_month],
            }
            for role, dataset, digest in tables
        ],
    }


def model_and_version(reader: Reader, ref: str) -> tuple[str, Version | None]:
    """Return the model of a reference, and the version where it names one."""
    if "/" not in ref:
        return ref, None
    version = reader.require(Version, ref)
    return version.model, version


def brought(
    reader: Reader,
    protocol: AuditProtocol,
    tables: list[TableBrought],
    *,
    among: frozenset[str] | None = None,
) -> list[tuple[TableBrought, Dataset, TableGiven]]:
    """Return each file with its registered table; raise where a role lacks or repeats a file.

    Raises InvalidInput, and Conflict where a file is not registered.
    """
    wanted, given = [role.value for role in protocol.samples], [one.role.value for one in tables]
    if sorted(wanted) != sorted(given):
        raise InvalidInput(
            f"the protocol reads the tables {', '.join(wanted)}; given are {', '.join(given)}",
            next_step="give each once: --data test=FILE --data reference=FILE",
        )
    found = []
    for one in tables:
        dataset, manifest = table_of_file(reader, sha256_hex(one.text.encode()), among=among)
        table = TableGiven(
            role=one.role.value,
            manifest=canonical.dumps(manifest.as_record()),
            text=one.text,
        )
        found.append((one, dataset, table))
    return found


def _open(unit: Unit, actor: Actor, request: RunTableAudit) -> Opened:
    model, _ = model_and_version(unit, request.ref)
    require_in_force(unit, kind=DocumentKind.ENTRY, model=model)
    document = require_in_force(unit, kind=document_kind(request.kind), model=model)
    protocol = protocol_from_record(canonical.loads(unit.blob(document.digest)))
    files = brought(unit, protocol, request.tables)
    header = header_of(
        unit,
        ref=request.ref,
        document=document,
        tables=[
            (one.role.value, dataset, sha256_hex(one.text.encode())) for one, dataset, _ in files
        ],
    )
    opened = unit.record(kind="attempt.opened", actor=actor.person, notes={"attempt": header})
    test = next(dataset for one, dataset, _ in files if one.role is SampleRole.TEST)
    return Opened(
        plan_seq=document.in_force_seq or 0,
        seq=opened.seq,
        document=document,
        protocol=protocol,
        dataset=test.id,
        header=header,
        tables=tuple(table for _, _, table in files),
    )


def _store(
    unit: Unit, actor: Actor, request: RunTableAudit, opened: Opened, content: bytes
) -> Evidence:
    record = canonical.loads(content)
    if not isinstance(record, dict) or not isinstance(record["verdict"], str):
        raise RuntimeError("an audit wrote evidence without a verdict")
    model, version = model_and_version(unit, request.ref)
    evidence = Evidence(
        id=unit.next_id(Evidence, prefix="E"),
        kind=request.kind.value,
        model=model,
        version="" if version is None else version.id,
        dataset=opened.dataset,
        plan=opened.document.id,
        digest=unit.put_blob(content, media_type="application/json"),
        verdict=record["verdict"],
        plan_seq=opened.plan_seq,
        opened_seq=opened.seq,
        produced_by=actor.person,
        produced_us=unit.now_us,
    )
    unit.record(kind="audit.completed", actor=actor.person, add=[evidence])
    return evidence


RUN_TABLE_AUDIT = Operation(
    name="audit.run_table",
    request=RunTableAudit,
    kinds=("attempt.opened", "audit.completed"),
    run=run_table_audit,
    repeated="records another piece of evidence with the same digest",
)
