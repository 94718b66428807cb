"""The governed records. Each is a projection of the ledger's facts and can be rebuilt from them.

Every field is a string, an integer, a boolean or None, because each one stands in an entry's
facts as it stands in its column (docs/adr/0003). Instants are integer microseconds, UTC. Digests
are SHA-256, 64 lower-case hex characters. `scope` is "organisation/site", site "*" meaning all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of a governed table; `id` is its primary key and is never used again."""

    TABLE: ClassVar[str]

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Record):
    """Somebody who can sign in. The password hash is kept elsewhere (not a fact)."""

    TABLE = "person"

    printed_name: str
    organisation: str
    created_us: int
    disabled: bool
    demonstration: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGrant(Record):
    """A role that a person holds within a scope; `id` is "person:role:scope"."""

    TABLE = "role_grant"

    person: str
    role: str
    scope: str
    granted_by: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceClient(Record):
    """A calling system. `permissions` are space-separated, e.g. "infer:forecasting read"."""

    TABLE = "service_client"

    title: str
    scope: str
    permissions: str
    secret_epoch: int
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Record):
    """A frozen entry, change plan or monitoring plan; `id` is "plan:forecasting:1".

    `digest` names the canonical bytes in the blob store; `source_digest` the YAML as it came.
    """

    TABLE = "document"

    kind: str
    model: str
    number: int
    digest: str
    source_digest: str
    state: str
    author: str
    registered_us: int
    in_force_us: int | None
    in_force_seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(Record):
    """A registered dataset; `digest` names its normalised bytes in the blob store."""

    TABLE = "dataset"

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
    registered_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Record):
    """One candidate or better of a model; `id` is "forecasting/1", `digest` the artifact's."""

    TABLE = "version"

    model: str
    number: int
    kind: str
    digest: str
    artifact_uri: str
    dataset: str
    origin: str
    state: str
    registered_by: str
    registered_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest(Record):
    """The request to bring one version into service, judged under the plan in force."""

    TABLE = "change_request"

    model: str
    version: str
    state: str
    author: str
    plan: str
    modification: str
    evidence: str | None
    verdict: str | None
    change_class: str | None
    opened_us: int
    submitted_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Record):
    """The result of one audit; `digest` names its canonical bytes in the blob store.

    `plan_seq` and `opened_seq` are the ledger positions that prove P4: the plan's approval
    stands before the opening of the test data.
    """

    TABLE = "evidence"

    kind: str
    model: str
    version: str
    dataset: str
    plan: str
    digest: str
    verdict: str
    plan_seq: int
    opened_seq: int
    produced_by: str
    produced_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedReport(Record):
    """A report as it was signed and sealed; `digest` names the document's bytes in the blob store.

    `signature` is the person's over the evidence; `certificate` is the SHA-256 of the seal's.
    """

    TABLE = "sealed_report"

    evidence: str
    evidence_digest: str
    digest: str
    signature: str
    certificate: str
    sealed_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Record):
    """A human decision that is waited for, with an owner and a due time."""

    TABLE = "review"

    kind: str
    model: str
    subject_type: str
    subject: str
    subject_digest: str
    state: str
    owner_role: str
    opened_by: str
    opened_us: int
    due_us: int
    blocks_release: bool
    reason_code: str
    decision: str | None
    first_signer: str | None
    decided_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature(Record):
    """An electronic signature with its manifestation; `envelope` is the DSSE JSON text."""

    TABLE = "signature"

    record_type: str
    record: str
    record_digest: str
    meaning: str
    signer: str
    printed_name: str
    signed_us: int
    envelope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Record):
    """A version in service for a scope, market, purpose and mode, from-until.

    `until_us` is the end that was planned, None where none was; `ended_us` is when it ended early.
    """

    TABLE = "release"

    model: str
    version: str
    digest: str
    scope: str
    market: str
    purpose: str
    mode: str
    from_us: int
    until_us: int | None
    state: str
    released_by: str
    change: str
    body_key: str
    ended_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Record):
    """An open hold suspends; lifting one leaves the others. `version` None means every version."""

    TABLE = "hold"

    model: str
    version: str | None
    scope: str
    cause: str
    review: str | None
    placed_by: str
    placed_us: int
    state: str
    first_signer: str | None
    lifted_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeBatch(Record):
    """One delivery of outcomes for a scope; its rows and source are in the entry's body."""

    TABLE = "outcome_batch"

    model: str
    scope: str
    rows: int
    first_month: str
    last_month: str
    planted: bool
    known_us: int
    received_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRun(Record):
    """One run of a monitor up to a ledger position, with what it found."""

    TABLE = "monitor_run"

    model: str
    version: str
    monitor: str
    plan: str
    through_month: str
    through_seq: int
    digest: str
    verdict: str
    run_by: str
    run_us: int
    next_due_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Record):
    """What a rule raised, with the obligation that was stored in the same transaction (P10)."""

    TABLE = "finding"

    model: str
    version: str
    rule: str
    monitor_run: str
    review: str
    hold: str | None
    raised_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailReview(Record):
    """A reading of the entries `first_seq` to `last_seq` of some families of kinds ("*": all).

    `digest` binds the range: origin, both ends, the leaf of the first entry and the root of the
    tree that ends with the last one. It is what gets signed. `exceptions` counts the entries of the
    range that need a word; `due_us` is when the range had to be reviewed.
    """

    TABLE = "trail_review"

    first_seq: int
    last_seq: int
    families: str
    first_leaf: str
    root: str
    digest: str
    exceptions: int
    state: str
    opened_by: str
    opened_us: int
    due_us: int
    decided_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure(Record):
    """The request to erase a person, named by the random id of the person's key alone (P13).

    `bodies` is how many were destroyed by the entry `erased_seq`, None until they were; the
    identifier is nowhere. `requested_seq` is the entry of the request, whose body has the reason.
    """

    TABLE = "erasure"

    key_id: str
    basis: str
    state: str
    requested_by: str
    requested_us: int
    requested_seq: int
    decided_by: str | None
    decided_us: int | None
    bodies: int | None
    erased_seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold(Record):
    """What keeps bodies from being erased: a person's, a model's, or with neither named all.

    `key_id` is the random id of the person's key.
    """

    TABLE = "legal_hold"

    key_id: str | None
    model: str | None
    cause: str
    placed_by: str
    placed_us: int
    state: str
    first_signer: str | None
    lifted_us: int | None


RECORD_TYPES: tuple[type[Record], ...] = (
    Person,
    RoleGrant,
    ServiceClient,
    Document,
    Dataset,
    Version,
    ChangeRequest,
    Evidence,
    Review,
    Signature,
    Release,
    Hold,
    OutcomeBatch,
    MonitorRun,
    Finding,
    TrailReview,
    Erasure,
    LegalHold,
    SealedReport,
)
