"""The governed tables: one for each record of `governance.registry.records`, field by field.

A row is a projection: `created_seq` and `created_pos` say which change of which entry made it,
and everything else can be folded again from the ledger's facts (`rebuild.py`). A table class does
not validate when it is made, so these are rows only; the registry's frozen values are what the
rest of the program sees, and the bounds stand here as CHECKs. The states are those of the
lifecycles in `change_control`; a test holds both lists against each other.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Index, Table
from sqlmodel import Field

from governance.ledger.store.tables import Row
from governance.registry.records import (
    ChangeRequest,
    Dataset,
    Document,
    Erasure,
    Evidence,
    Finding,
    Hold,
    LegalHold,
    MonitorRun,
    OutcomeBatch,
    Person,
    Record,
    Release,
    Review,
    RoleGrant,
    SealedReport,
    ServiceClient,
    Signature,
    TrailReview,
    Version,
)

STATES: Final[dict[str, tuple[str, ...]]] = {
    "document": ("registered", "in_force", "superseded", "withdrawn"),
    "change_request": (
        "draft",
        "submitted",
        "evaluated",
        "under_review",
        "returned",
        "approved",
        "rejected",
        "abandoned",
        "superseded",
    ),
    "review": ("open", "first_signature", "decided", "lapsed"),
    "version": ("candidate", "qualified", "retired", "recalled"),
    "release": ("active", "replaced", "rolled_back", "expired", "recalled"),
    "hold": ("open", "lift_signed", "lifted"),
    "trail_review": ("open", "accepted", "exceptions", "withdrawn"),
    "erasure": ("requested", "refused", "erased"),
    "legal_hold": ("open", "lift_signed", "lifted"),
}
MODES: Final = ("shadow", "share", "full")
VERDICTS: Final = ("pass", "fail", "insufficient")


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _digest(column: str) -> CheckConstraint:
    return CheckConstraint(f"length({column}) = 64", name=column)


def _scope() -> CheckConstraint:
    return CheckConstraint("scope LIKE '_%/_%' AND scope NOT LIKE '%/%/%'", name="scope")


def _month(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} LIKE '____-__'", name=column)


def _flag(column: str) -> CheckConstraint:
    """Keep 2 out of SQLite's booleans, which are integers; no-op where the type is real."""
    return CheckConstraint(f"{column} IN (true, false)", name=column)


class GovernedRow(Row):
    """What every governed row has beside its record's fields: where it was made."""

    id: str = Field(primary_key=True)
    created_seq: int = Field(sa_type=BigInteger)
    created_pos: int


class PersonRow(GovernedRow, table=True):
    """See `records.Person`."""

    __tablename__ = "person"
    __table_args__ = (_flag("disabled"), _flag("demonstration"))

    printed_name: str
    organisation: str
    created_us: int = Field(sa_type=BigInteger)
    disabled: bool
    demonstration: bool


class RoleGrantRow(GovernedRow, table=True):
    """See `records.RoleGrant`."""

    __tablename__ = "role_grant"
    __table_args__ = (_scope(), _flag("active"))

    person: str = Field(index=True)
    role: str
    scope: str
    granted_by: str
    active: bool


class ServiceClientRow(GovernedRow, table=True):
    """See `records.ServiceClient`."""

    __tablename__ = "service_client"
    __table_args__ = (_scope(), _flag("disabled"))

    title: str
    scope: str
    permissions: str
    secret_epoch: int
    disabled: bool


class DocumentRow(GovernedRow, table=True):
    """See `records.Document`."""

    __tablename__ = "document"
    __table_args__ = (
        _digest("digest"),
        _digest("source_digest"),
        _one_of("state", STATES["document"]),
        CheckConstraint("number >= 1", name="number"),
        Index(None, "model", "kind"),
    )

    kind: str
    model: str
    number: int
    digest: str
    source_digest: str
    state: str
    author: str
    registered_us: int = Field(sa_type=BigInteger)
    in_force_us: int | None = Field(default=None, sa_type=BigInteger)
    in_force_seq: int | None = Field(default=None, sa_type=BigInteger)


class DatasetRow(GovernedRow, table=True):
    """See `records.Dataset`."""

    __tablename__ = "dataset"
    __table_args__ = (
        _digest("digest"),
        _month("first_month"),
        _month("last_month"),
        _flag("simulated"),
    )

    title: str
    source: str
    digest: str
    rows: int
    first_month: str
    last_month: str
    role: str
    simulated: bool
    licence: str
    registered_by: str
    registered_us: int = Field(sa_type=BigInteger)


class VersionRow(GovernedRow, table=True):
    """See `records.Version`."""

    __tablename__ = "version"
    __table_args__ = (
        _digest("digest"),
        _one_of("state", STATES["version"]),
        CheckConstraint("number >= 1", name="number"),
        Index(None, "model", "number", unique=True),
    )

    model: str
    number: int
    kind: str
    digest: str
    artifact_uri: str
    dataset: str
    origin: str
    state: str
    registered_by: str
    registered_us: int = Field(sa_type=BigInteger)


class ChangeRequestRow(GovernedRow, table=True):
    """See `records.ChangeRequest`."""

    __tablename__ = "change_request"
    __table_args__ = (_one_of("state", STATES["change_request"]), Index(None, "model"))

    model: str
    version: str
    state: str
    author: str
    plan: str
    modification: str
    evidence: str | None = None
    verdict: str | None = None
    change_class: str | None = None
    opened_us: int = Field(sa_type=BigInteger)
    submitted_us: int | None = Field(default=None, sa_type=BigInteger)


class EvidenceRow(GovernedRow, table=True):
    """See `records.Evidence`."""

    __tablename__ = "evidence"
    __table_args__ = (
        _digest("digest"),
        _one_of("verdict", VERDICTS),
        Index(None, "model", "version"),
    )

    kind: str
    model: str
    version: str
    dataset: str
    plan: str
    digest: str
    verdict: str
    plan_seq: int = Field(sa_type=BigInteger)
    opened_seq: int = Field(sa_type=BigInteger)
    produced_by: str
    produced_us: int = Field(sa_type=BigInteger)


class SealedReportRow(GovernedRow, table=True):
    """See `records.SealedReport`."""

    __tablename__ = "sealed_report"
    __table_args__ = (
        _digest("evidence_digest"),
        _digest("digest"),
        _digest("certificate"),
        Index(None, "evidence"),
    )

    evidence: str
    evidence_digest: str
    digest: str
    signature: str
    certificate: str
    sealed_us: int = Field(sa_type=BigInteger)


class ReviewRow(GovernedRow, table=True):
    """See `records.Review`."""

    __tablename__ = "review"
    __table_args__ = (
        _digest("subject_digest"),
        _one_of("state", STATES["review"]),
        _flag("blocks_release"),
        Index(None, "model", "state"),
    )

    kind: str
    model: str
    subject_type: str
    subject: str
    subject_digest: str
    state: str
    owner_role: str
    opened_by: str
    opened_us: int = Field(sa_type=BigInteger)
    due_us: int = Field(sa_type=BigInteger)
    blocks_release: bool
    reason_code: str
    decision: str | None = None
    first_signer: str | None = None
    decided_us: int | None = Field(default=None, sa_type=BigInteger)


class SignatureRow(GovernedRow, table=True):
    """See `records.Signature`."""

    __tablename__ = "signature"
    __table_args__ = (_digest("record_digest"), Index(None, "record_type", "record"))

    record_type: str
    record: str
    record_digest: str
    meaning: str
    signer: str
    printed_name: str
    signed_us: int = Field(sa_type=BigInteger)
    envelope: str


class ReleaseRow(GovernedRow, table=True):
    """See `records.Release`."""

    __tablename__ = "release"
    __table_args__ = (
        _digest("digest"),
        _scope(),
        _one_of("mode", MODES),
        _one_of("state", STATES["release"]),
        CheckConstraint(
            "state <> 'active' OR until_us IS NULL OR until_us > from_us", name="period"
        ),
        Index(None, "model"),
    )

    model: str
    version: str
    digest: str
    scope: str
    market: str
    purpose: str
    mode: str
    from_us: int = Field(sa_type=BigInteger)
    until_us: int | None = Field(default=None, sa_type=BigInteger)
    ended_us: int | None = Field(default=None, sa_type=BigInteger)
    state: str
    released_by: str
    change: str
    body_key: str


class HoldRow(GovernedRow, table=True):
    """See `records.Hold`."""

    __tablename__ = "hold"
    __table_args__ = (
        _scope(),
        _one_of("state", STATES["hold"]),
        CheckConstraint("(state = 'lifted') = (lifted_us IS NOT NULL)", name="lifted_us"),
        Index(None, "model"),
    )

    model: str
    version: str | None = None
    scope: str
    cause: str
    review: str | None = None
    placed_by: str
    placed_us: int = Field(sa_type=BigInteger)
    state: str
    first_signer: str | None = None
    lifted_us: int | None = Field(default=None, sa_type=BigInteger)


class OutcomeBatchRow(GovernedRow, table=True):
    """See `records.OutcomeBatch`."""

    __tablename__ = "outcome_batch"
    __table_args__ = (_scope(), _month("first_month"), _month("last_month"), _flag("planted"))

    model: str = Field(index=True)
    scope: str
    rows: int
    first_month: str
    last_month: str
    planted: bool
    known_us: int = Field(sa_type=BigInteger)
    received_by: str


class MonitorRunRow(GovernedRow, table=True):
    """See `records.MonitorRun`."""

    __tablename__ = "monitor_run"
    __table_args__ = (_digest("digest"), _month("through_month"), Index(None, "model", "monitor"))

    model: str
    version: str
    monitor: str
    plan: str
    through_month: str
    through_seq: int = Field(sa_type=BigInteger)
    digest: str
    verdict: str
    run_by: str
    run_us: int = Field(sa_type=BigInteger)
    next_due_us: int = Field(sa_type=BigInteger)


class FindingRow(GovernedRow, table=True):
    """See `records.Finding`. The review that it obliges to is never missing (P10)."""

    __tablename__ = "finding"
    __table_args__ = (CheckConstraint("length(review) > 0", name="review"), Index(None, "model"))

    model: str
    version: str
    rule: str
    monitor_run: str
    review: str
    hold: str | None = None
    raised_us: int = Field(sa_type=BigInteger)


class TrailReviewRow(GovernedRow, table=True):
    """See `records.TrailReview`."""

    __tablename__ = "trail_review"
    __table_args__ = (
        _digest("first_leaf"),
        _digest("root"),
        _digest("digest"),
        _one_of("state", STATES["trail_review"]),
        CheckConstraint("first_seq >= 0 AND last_seq >= first_seq", name="range"),
        CheckConstraint("exceptions >= 0", name="exceptions"),
    )

    first_seq: int = Field(sa_type=BigInteger)
    last_seq: int = Field(sa_type=BigInteger)
    families: str
    first_leaf: str
    root: str
    digest: str
    exceptions: int = Field(sa_type=BigInteger)
    state: str
    opened_by: str
    opened_us: int = Field(sa_type=BigInteger)
    due_us: int = Field(sa_type=BigInteger)
    decided_us: int | None = Field(default=None, sa_type=BigInteger)


class ErasureRow(GovernedRow, table=True):
    """See `records.Erasure`."""

    __tablename__ = "erasure"
    __table_args__ = (
        _one_of("state", STATES["erasure"]),
        CheckConstraint("length(key_id) = 32", name="key_id"),
        CheckConstraint(
            "(state = 'erased') = (bodies IS NOT NULL) AND (bodies IS NULL) = (erased_seq IS NULL)",
            name="bodies",
        ),
        Index(None, "key_id"),
    )

    key_id: str
    basis: str
    state: str
    requested_by: str
    requested_us: int = Field(sa_type=BigInteger)
    requested_seq: int = Field(sa_type=BigInteger)
    decided_by: str | None = None
    decided_us: int | None = Field(default=None, sa_type=BigInteger)
    bodies: int | None = None
    erased_seq: int | None = Field(default=None, sa_type=BigInteger)


class LegalHoldRow(GovernedRow, table=True):
    """See `records.LegalHold`."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        _one_of("state", STATES["legal_hold"]),
        CheckConstraint("key_id IS NULL OR length(key_id) = 32", name="key_id"),
        CheckConstraint("key_id IS NULL OR model IS NULL", name="covers"),
        CheckConstraint("(state = 'lifted') = (lifted_us IS NOT NULL)", name="lifted_us"),
    )

    key_id: str | None = None
    model: str | None = None
    cause: str
    placed_by: str
    placed_us: int = Field(sa_type=BigInteger)
    state: str
    first_signer: str | None = None
    lifted_us: int | None = Field(default=None, sa_type=BigInteger)


ROW_OF: Final[dict[type[Record], type[GovernedRow]]] = {
    Person: PersonRow,
    RoleGrant: RoleGrantRow,
    ServiceClient: ServiceClientRow,
    Document: DocumentRow,
    Dataset: DatasetRow,
    Version: VersionRow,
    ChangeRequest: ChangeRequestRow,
    Evidence: EvidenceRow,
    Review: ReviewRow,
    Signature: SignatureRow,
    Release: ReleaseRow,
    Hold: HoldRow,
    OutcomeBatch: OutcomeBatchRow,
    MonitorRun: MonitorRunRow,
    Finding: FindingRow,
    TrailReview: TrailReviewRow,
    Erasure: ErasureRow,
    LegalHold: LegalHoldRow,
    SealedReport: SealedReportRow,
}


def table_of(kind: type[Record]) -> Table:
    """Return the SQL table of a record type."""
    return Row.metadata.tables[kind.TABLE]
