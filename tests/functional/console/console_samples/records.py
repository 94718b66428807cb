"""The invented deployment's records, a Friday at five before an inspection."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from change_control.watch.monitoring import parse_monitoring_plan
from console_samples import report
from governance.registry.records import (
    ChangeRequest,
    Dataset,
    Document,
    Evidence,
    Finding,
    Hold,
    MonitorRun,
    Person,
    Record,
    Release,
    Review,
    RoleGrant,
    ServiceClient,
    Signature,
    Version,
)
from tests.support.project import ROOT

NOW_US = 1_772_816_400_000_000  # 2026-03-06 17:00 UTC
DAY_US = 86_400_000_000
AUTHOR = "jonas.berg"
MODEL = "forecasting"
SCOPE = "st-olav/*"

ENTRY = {
    "format": "entry/1",
    "name": MODEL,
    "kind": "forecasting",
    "title": "Monthly demand for antineoplastic and endocrine medicines",
    "owner": AUTHOR,
    "context_of_use": {
        "statement": "Forecasts how many prescriptions a month will be dispensed in each class of "
        "medicine, up to twelve months ahead, so that the pharmacy can plan its orders.",
        "question_of_interest": "How much of each class will be needed, and how sure is that?",
        "purposes": [{"name": "ordering", "description": "Plan monthly orders of a region"}],
        "population": "Prescriptions dispensed in a region in a month",
        "setting": "Hospital pharmacy, planning office",
        "users": ["Pharmacists who plan orders"],
        "decision_role": "inform",
        "excluded_uses": [
            "Any decision on a single patient",
            "Orders below the level of a region",
            "Medicines in their first two years on the market",
        ],
    },
    "limits": [
        "Monthly aggregates only: nothing here speaks about a single patient.",
        "A change of subsidy rules is not known to the model before it shows in the data.",
    ],
    "hazards": [
        {
            "id": "shortage",
            "hazard": "Demand is forecast too low",
            "situation": "A rise that was not there before",
            "harm": "Delayed treatment until a delivery comes",
            "severity": "serious",
            "controls": [],
            "residual_risk": "Acceptable: stock for one month is kept apart",
        }
    ],
    "fallback": "Order what was dispensed in the same month last year.",
}

PLAN = {
    "format": "plan/1",
    "model": MODEL,
    "modifications": [{"id": "refit", "what": "Fit again on later months", "execution": "manual"}],
    "protocol": {"origins": 5, "horizon": 12, "step": 12, "seed": 11},
    "on_insufficient": "block",
}


def monitor_record() -> dict[str, Any]:
    months = [f"{2007 + at // 12}-{at % 12 + 1:02d}" for at in range(17)]
    path, up, down = [], 0.0, 0.0
    for at, month in enumerate(months):
        error = 0.4 * math.sin(at * 1.7) + (1.35 if at > 11 else 0.0)
        up, down = max(0.0, up + error - 0.5), max(0.0, down - error - 0.5)
        path.append(
            {
                "month": month,
                "standardised": f"{error:.4g}",
                "up": f"{up:.4g}",
                "down": f"{down:.4g}",
            }
        )
    fired = next(step["month"] for step in path if float(step["up"]) > 3.1)
    return {
        "about": {"monitor": "forecast-error", "scope": SCOPE, "planted": True},
        "run": {
            "path": path,
            "fired_at": fired,
            "direction": "up",
            "limit": "3.1",
            "verdict": "fail",
            "reason": "More was dispensed than forecast: the upper sum passed its limit.",
        },
    }


def monitoring_plan() -> dict[str, Any]:
    text = (ROOT / "tests/unit/change_control/examples/monitoring.yaml").read_text("utf-8")
    return parse_monitoring_plan(text).as_record()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _bytes(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()


def everything() -> tuple[list[Record], dict[str, bytes]]:
    contents = {
        name: _bytes(record)
        for name, record in (
            ("entry", ENTRY),
            ("plan", PLAN),
            ("evidence", report.evidence()),
            ("first", report.evidence(grouped=False)),
            ("monitor", monitor_record()),
            ("monitoring", monitoring_plan()),
        )
    }
    digests = {name: _digest(content) for name, content in contents.items()}
    blobs = {digests[name]: content for name, content in contents.items()}
    return [*_people(), *_governed(digests), *_watched(digests)], blobs


def _people() -> list[Record]:
    return [
        Person(
            id="ingrid.dahl",
            printed_name="Ingrid Dahl",
            organisation="st-olav",
            created_us=NOW_US - 200 * DAY_US,
            disabled=False,
            demonstration=True,
        ),
        Person(
            id="jonas.berg",
            printed_name="Jonas Berg",
            organisation="st-olav",
            created_us=NOW_US - 190 * DAY_US,
            disabled=False,
            demonstration=True,
        ),
        RoleGrant(
            id="ingrid.dahl:reviewer:st-olav/*",
            person="ingrid.dahl",
            role="reviewer",
            scope=SCOPE,
            granted_by="admin",
            active=True,
        ),
        RoleGrant(
            id="jonas.berg:model_owner:st-olav/*",
            person="jonas.berg",
            role="model_owner",
            scope=SCOPE,
            granted_by="admin",
            active=True,
        ),
        ServiceClient(
            id="pharmacy-portal",
            title="Pharmacy planning portal",
            scope=SCOPE,
            permissions="infer:forecasting read",
            secret_epoch=1,
            disabled=False,
        ),
    ]


def _document(kind: str, number: int, digest: str, state: str, *, days: int) -> Document:
    return Document(
        id=f"{kind}:{MODEL}:{number}",
        kind=kind,
        model=MODEL,
        number=number,
        digest=digest,
        source_digest=_digest(digest.encode()),
        state=state,
        author=AUTHOR,
        registered_us=NOW_US - days * DAY_US,
        in_force_us=NOW_US - (days - 1) * DAY_US if state == "in_force" else None,
        in_force_seq=7 if state == "in_force" else None,
    )


def _signature(name: str, *, kind: str, record: str, digest: str, days: int) -> Signature:
    return Signature(
        id=name,
        record_type=kind,
        record=record,
        record_digest=digest,
        meaning="approved",
        signer="ingrid.dahl",
        printed_name="Ingrid Dahl",
        signed_us=NOW_US - days * DAY_US + 4_711_000_000,
        envelope="{}",
    )


def _review(
    name: str, kind: str, subject_type: str, subject: str, digest: str, **rest: Any
) -> Review:
    known: dict[str, Any] = {
        "state": "open",
        "owner_role": "reviewer",
        "opened_by": AUTHOR,
        "opened_us": NOW_US - 3 * DAY_US,
        "due_us": NOW_US + 11 * DAY_US,
        "blocks_release": False,
        "reason_code": "approval.wanted",
        "decision": None,
        "first_signer": None,
        "decided_us": None,
    }
    known.update(rest)
    return Review(
        id=name,
        kind=kind,
        model=MODEL,
        subject_type=subject_type,
        subject=subject,
        subject_digest=digest,
        **known,
    )


def _governed(digests: Mapping[str, str]) -> list[Record]:
    return [
        _document("entry", 1, digests["entry"], "in_force", days=120),
        _document("plan", 1, digests["plan"], "in_force", days=119),
        _document("monitoring", 1, digests["monitoring"], "in_force", days=118),
        _document("plan", 2, _digest(b"plan 2"), "registered", days=3),
        _signature(
            "S-1", kind="document", record="entry:forecasting:1", digest=digests["entry"], days=119
        ),
        _signature(
            "S-2", kind="document", record="plan:forecasting:1", digest=digests["plan"], days=118
        ),
        Dataset(
            id="prescriptions:3",
            title="Prescriptions by class of patient (invented)",
            source="invented",
            digest=report.DIGEST,
            rows=672,
            first_month="1994-07",
            last_month="2008-06",
            role="test",
            simulated=True,
            licence="none",
            registered_by=AUTHOR,
            registered_us=NOW_US - 118 * DAY_US,
        ),
        _version(1, "qualified", 110),
        _version(2, "candidate", 4),
        ChangeRequest(
            id="C-1",
            model=MODEL,
            version="forecasting/1",
            state="approved",
            author=AUTHOR,
            plan="plan:forecasting:1",
            evidence="E-1",
            verdict="pass",
            opened_us=NOW_US - 109 * DAY_US,
            change_class="in_plan",
            modification="refit",
            submitted_us=NOW_US - 109 * DAY_US,
        ),
        ChangeRequest(
            id="C-2",
            model=MODEL,
            version="forecasting/2",
            state="under_review",
            author=AUTHOR,
            plan="plan:forecasting:1",
            evidence="E-2",
            verdict="insufficient",
            opened_us=NOW_US - 3 * DAY_US,
            change_class="in_plan",
            modification="refit",
            submitted_us=NOW_US - 3 * DAY_US,
        ),
        _evidence("E-1", "forecasting/1", digests["first"], "pass", days=108, opened_seq=11),
        _evidence(
            "E-2", "forecasting/2", digests["evidence"], "insufficient", days=2, opened_seq=29
        ),
        _review(
            "R-1",
            "release_approval",
            "change_request",
            "C-1",
            digests["first"],
            state="decided",
            decision="approve",
            decided_us=NOW_US - 105 * DAY_US,
        ),
        _signature("S-3", kind="change_request", record="C-1", digest=digests["first"], days=105),
        _review(
            "R-7",
            "release_approval",
            "change_request",
            "C-2",
            digests["evidence"],
            due_us=NOW_US + 2 * DAY_US,
        ),
        _review(
            "R-6",
            "document_approval",
            "document",
            "plan:forecasting:2",
            _digest(b"plan 2"),
            opened_by="ingrid.dahl",
        ),
        Release(
            id="L-1",
            model=MODEL,
            version="forecasting/1",
            digest=_digest(b"v1"),
            scope=SCOPE,
            market="no",
            purpose="ordering",
            mode="full",
            from_us=NOW_US - 104 * DAY_US,
            until_us=NOW_US + 261 * DAY_US,
            state="active",
            released_by=AUTHOR,
            change="C-1",
            body_key="k1",
        ),
    ]


def _version(number: int, state: str, days: int) -> Version:
    return Version(
        id=f"{MODEL}/{number}",
        model=MODEL,
        number=number,
        kind="forecast-table/1",
        digest=_digest(f"v{number}".encode()),
        artifact_uri="",
        dataset="prescriptions:2",
        origin="2008-06",
        state=state,
        registered_by=AUTHOR,
        registered_us=NOW_US - days * DAY_US,
    )


def _evidence(
    name: str, version: str, digest: str, verdict: str, *, days: int, opened_seq: int
) -> Evidence:
    return Evidence(
        id=name,
        kind="temporal_validation",
        model=MODEL,
        version=version,
        dataset="prescriptions:3",
        plan="plan:forecasting:1",
        digest=digest,
        verdict=verdict,
        plan_seq=7,
        opened_seq=opened_seq,
        produced_by=AUTHOR,
        produced_us=NOW_US - days * DAY_US,
    )


def _watched(digests: Mapping[str, str]) -> list[Record]:
    return [
        MonitorRun(
            id="M-3",
            model=MODEL,
            version="forecasting/1",
            monitor="forecast-error",
            plan="monitoring:forecasting:1",
            through_month="2008-05",
            through_seq=28,
            digest=digests["monitor"],
            verdict="fail",
            run_by=AUTHOR,
            run_us=NOW_US - 16 * DAY_US,
            next_due_us=NOW_US - DAY_US - 7_200_000_000,
        ),
        Finding(
            id="F-1",
            model=MODEL,
            version="forecasting/1",
            rule="forecast-error",
            monitor_run="M-3",
            review="R-8",
            hold="H-1",
            raised_us=NOW_US - 16 * DAY_US,
        ),
        _review(
            "R-8",
            "finding",
            "finding",
            "F-1",
            digests["monitor"],
            opened_by="monitor",
            opened_us=NOW_US - 16 * DAY_US,
            due_us=NOW_US - 2 * DAY_US,
            blocks_release=True,
            reason_code="monitor.error",
        ),
        Hold(
            id="H-1",
            model=MODEL,
            version="forecasting/1",
            scope=SCOPE,
            cause="monitor.error",
            review="R-8",
            placed_by="monitor",
            placed_us=NOW_US - 16 * DAY_US,
            state="open",
            lifted_us=None,
            first_signer=None,
        ),
    ]
