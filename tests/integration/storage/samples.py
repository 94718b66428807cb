"""One plausible record of each governed type, and answers, for the storage tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from governance.registry.esignature import Statement, sign
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
from governance.storage.ports import Body, PendingAnswer

if TYPE_CHECKING:
    from governance.home import Home

DIGEST = "ab" * 32
NOW_US = 1_800_000_000_000_000
KEY = "0" * 32

PERSON = Person(
    id="ana",
    printed_name="Ana Ruiz",
    organisation="acme",
    created_us=NOW_US,
    disabled=False,
    demonstration=True,
)
VERSION = Version(
    id="forecasting/1",
    model="forecasting",
    number=1,
    kind="forecast",
    digest=DIGEST,
    artifact_uri="models:/forecasting/1",
    dataset="D-1",
    origin="2005-07",
    state="candidate",
    registered_by="ana",
    registered_us=NOW_US,
)
HOLD = Hold(
    id="H-1",
    model="forecasting",
    version=None,
    scope="acme/*",
    cause="drift",
    review=None,
    placed_by="ana",
    placed_us=NOW_US,
    state="open",
    first_signer=None,
    lifted_us=None,
)
RECORDS: tuple[Record, ...] = (
    PERSON,
    RoleGrant(
        id="ana:reviewer:acme/*",
        person="ana",
        role="reviewer",
        scope="acme/*",
        granted_by="root",
        active=True,
    ),
    ServiceClient(
        id="clinic",
        title="Clinic",
        scope="acme/north",
        permissions="read",
        secret_epoch=1,
        disabled=False,
    ),
    Document(
        id="plan:forecasting:1",
        kind="plan",
        model="forecasting",
        number=1,
        digest=DIGEST,
        source_digest=DIGEST,
        state="registered",
        author="ana",
        registered_us=NOW_US,
        in_force_us=None,
        in_force_seq=None,
    ),
    Dataset(
        id="D-1",
        title="Demand",
        source="public",
        digest=DIGEST,
        rows=204,
        first_month="1991-07",
        last_month="2008-06",
        role="training",
        simulated=False,
        licence="CC-BY",
        registered_by="ana",
        registered_us=NOW_US,
    ),
    VERSION,
    ChangeRequest(
        id="C-1",
        model="forecasting",
        version="forecasting/1",
        state="draft",
        author="ana",
        plan="plan:forecasting:1",
        modification="retrain",
        evidence=None,
        verdict=None,
        change_class=None,
        opened_us=NOW_US,
        submitted_us=None,
    ),
    Evidence(
        id="E-1",
        kind="temporal",
        model="forecasting",
        version="forecasting/1",
        dataset="D-1",
        plan="plan:forecasting:1",
        digest=DIGEST,
        verdict="pass",
        plan_seq=3,
        opened_seq=5,
        produced_by="ana",
        produced_us=NOW_US,
    ),
    Review(
        id="R-1",
        kind="finding",
        model="forecasting",
        subject_type="finding",
        subject="F-1",
        subject_digest=DIGEST,
        state="open",
        owner_role="reviewer",
        opened_by="system",
        opened_us=NOW_US,
        due_us=NOW_US + 1,
        blocks_release=True,
        reason_code="drift",
        decision=None,
        first_signer=None,
        decided_us=None,
    ),
    Signature(
        id="S-1",
        record_type="document",
        record="plan:forecasting:1",
        record_digest=DIGEST,
        meaning="approved",
        signer="ana",
        printed_name="Ana Ruiz",
        signed_us=NOW_US,
        envelope="{}",
    ),
    Release(
        id="L-1",
        model="forecasting",
        version="forecasting/1",
        digest=DIGEST,
        scope="acme/*",
        market="AU",
        purpose="planning",
        mode="full",
        from_us=NOW_US,
        until_us=None,
        state="active",
        released_by="ana",
        change="C-1",
        body_key=KEY,
    ),
    HOLD,
    OutcomeBatch(
        id="O-1",
        model="forecasting",
        scope="acme/*",
        rows=2,
        first_month="2005-07",
        last_month="2005-08",
        planted=False,
        known_us=NOW_US,
        received_by="ana",
    ),
    MonitorRun(
        id="M-1",
        model="forecasting",
        version="forecasting/1",
        monitor="accuracy",
        plan="monitoring:forecasting:1",
        through_month="2005-08",
        through_seq=9,
        digest=DIGEST,
        verdict="fail",
        run_by="system",
        run_us=NOW_US,
        next_due_us=NOW_US + 1,
    ),
    Finding(
        id="F-1",
        model="forecasting",
        version="forecasting/1",
        rule="mase",
        monitor_run="M-1",
        review="R-1",
        hold="H-1",
        raised_us=NOW_US,
    ),
    Erasure(
        id="E-1",
        key_id=KEY,
        basis="objection",
        state="requested",
        requested_by="ana",
        requested_us=NOW_US,
        requested_seq=7,
        decided_by=None,
        decided_us=None,
        bodies=None,
        erased_seq=None,
    ),
    TrailReview(
        id="T-1",
        first_seq=0,
        last_seq=4,
        families="*",
        first_leaf=DIGEST,
        root=DIGEST,
        digest=DIGEST,
        exceptions=1,
        state="open",
        opened_by="ana",
        opened_us=NOW_US,
        due_us=NOW_US,
        decided_us=None,
    ),
    LegalHold(
        id="LH-1",
        key_id=KEY,
        model=None,
        cause="litigation",
        placed_by="ana",
        placed_us=NOW_US,
        state="open",
        first_signer=None,
        lifted_us=None,
    ),
    SealedReport(
        id="P-1",
        evidence="E-1",
        evidence_digest=DIGEST,
        digest=DIGEST,
        signature="S-1",
        certificate=DIGEST,
        sealed_us=NOW_US,
    ),
)


def signed(record: Record, home: Home) -> Record:
    """Return a signature as the home's key makes it; every other record as it is."""
    if not isinstance(record, Signature):
        return record
    statement = Statement(
        record_type=record.record_type,
        record=record.record,
        record_sha256=record.record_digest,
        meaning=record.meaning,
        signer=record.signer,
        printed_name=record.printed_name,
        auth_methods=("session", "password"),
        t_us=record.signed_us,
    )
    return replace(record, envelope=sign(statement, key=home.signature_key()))


def records_of(home: Home) -> list[Record]:
    """Return the records, the signature made with the home's key."""
    return [signed(record, home) for record in RECORDS]


def answer(
    key_id: str,
    *,
    number: int = 0,
    epoch: int = 0,
    until_us: int | None = None,
    idempotency: tuple[str, str, str] | None = None,
) -> PendingAnswer:
    """Return an answer as serving gives it to the pen."""
    reply = f'{{"rows":[{number}]}}'
    body = f'{{"reply":"{{\\"rows\\":[{number}]}}","request":"{{}}","v":1}}'
    return PendingAnswer(
        kind="inference.answered",
        facts={"caller": "clinic", "model": "forecasting", "epoch": epoch, "number": number},
        body=Body(content=body.encode(), key_id=key_id),
        reply=reply.encode(),
        status=200,
        epoch=epoch,
        until_us=until_us,
        idempotency=idempotency,
        observations=(("low", "2"),),
    )
