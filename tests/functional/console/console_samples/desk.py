"""An invented deployment behind the console's port: records in memory, and no ledger to write to.

It refuses what it does not know. `posted` holds what was asked of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from audits.estimate import Json
from change_control import lifecycle
from change_control.release.standing import Standing
from change_control.roles import Grant, Role
from change_control.scope import Scope
from change_control.watch.review import (
    DECISIONS,
    REVIEWS,
    ReviewCommand,
    ReviewFacts,
    ReviewKind,
    ReviewState,
)
from console_samples import records, report
from governance.console.desk import LedgerEntry, LedgerHead, Session, Verified
from governance.errors import Conflict, GovernanceError, NotFound, Unauthenticated
from governance.operations.actor import Actor
from governance.operations.admin.passwords import PasswordRefused
from governance.operations.admin.sign_in import BadCredentials
from governance.operations.inspect.bodies import require_body_reader
from governance.operations.inspect.standing_of import standing_of
from governance.operations.inspect.worklist import WorkItem
from governance.operations.review.facts import Choice
from governance.registry.records import Record, Review
from governance.storage.ports import OutcomeRow, Reader

R = TypeVar("R", bound=Record)
ORGANISATION = "st-olav"
PASSWORD = "a long invented password"
CSRF = "form-token-of-this-session"


class MemoryReader:
    """Keeps `governance.storage.ports.Reader` over a list of records."""

    def __init__(self, stored: Sequence[Record], blobs: Mapping[str, bytes]) -> None:
        self._stored = list(stored)
        self._blobs = dict(blobs)

    def get(self, kind: type[R], key: str) -> R | None:
        return next((one for one in self.find(kind) if one.id == key), None)

    def require(self, kind: type[R], key: str) -> R:
        found = self.get(kind, key)
        if found is None:
            raise NotFound(f"there is no {kind.TABLE} {key}", next_step="check the identifier")
        return found

    def find(self, kind: type[R], /, **equals: str | int | bool | None) -> list[R]:
        return [
            one
            for one in self._stored
            if isinstance(one, kind)
            and all(getattr(one, column) == value for column, value in equals.items())
        ]

    def blob(self, digest: str) -> bytes:
        if digest not in self._blobs:
            raise NotFound("there are no such bytes", next_step="check the digest")
        return self._blobs[digest]

    def last_seq(self) -> int:
        raise AssertionError("not asked here")

    def outcomes(self, *, model: str, through_month: str | None = None) -> list[OutcomeRow]:
        return []


ACTORS = {
    "ingrid.dahl": Actor(
        person="ingrid.dahl",
        printed_name="Ingrid Dahl",
        grants=(
            Grant(person="ingrid.dahl", role=Role.REVIEWER, scope=Scope(organisation=ORGANISATION)),
        ),
    ),
    "jonas.berg": Actor(
        person="jonas.berg",
        printed_name="Jonas Berg",
        grants=(
            Grant(
                person="jonas.berg", role=Role.MODEL_OWNER, scope=Scope(organisation=ORGANISATION)
            ),
        ),
    ),
}


# One who was just added and has not chosen a password, and one who holds no role.
ACTORS |= {
    "nora.ny": Actor(
        person="nora.ny",
        printed_name="Nora Ny",
        grants=(
            Grant(person="nora.ny", role=Role.REVIEWER, scope=Scope(organisation=ORGANISATION)),
        ),
        must_change=True,
    ),
    "otto.uten": Actor(person="otto.uten", printed_name="Otto Uten", grants=()),
}


class SampleDesk:
    """Keeps `governance.console.desk.Desk`."""

    organisation = ORGANISATION
    deployment = "pharmacy-demand"

    def __init__(self, *, empty: bool = False) -> None:
        stored, blobs = ([], {}) if empty else records.everything()
        self._reader = MemoryReader(stored, blobs)
        self._entries = [] if empty else _entries()
        self._sessions: dict[str, str] = {}
        self.posted: list[tuple[str, str, Mapping[str, Json]]] = []
        self.refuse_with: GovernanceError | None = None
        self.tampered: GovernanceError | None = None

    def now_us(self) -> int:
        return records.NOW_US

    def reader(self) -> AbstractContextManager[Reader]:
        @contextmanager
        def reading() -> Iterator[Reader]:
            yield self._reader

        return reading()

    def sign_in(self, *, person: str, password: str, peer: str) -> Session:
        if person not in ACTORS or password != PASSWORD:
            raise BadCredentials(
                "the name and the password do not belong together", next_step="type both again"
            )
        token = hashlib.sha256(f"{person}{len(self._sessions)}".encode()).hexdigest()
        self._sessions[token] = person
        return Session(token=token)

    def actor_of_session(self, token: str) -> tuple[Actor, str]:
        if token not in self._sessions:
            raise Unauthenticated("nobody is signed in", next_step="sign in")
        return ACTORS[self._sessions[token]], CSRF

    def sign_out(self, token: str) -> None:
        self._sessions.pop(token, None)

    def perform(self, actor: Actor, operation: str, params: Mapping[str, Json]) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with
        if operation == "person.change_password":
            if params["old"] != PASSWORD:
                raise PasswordRefused("it is not yours", next_step="type it again")
            self.posted.append((actor.person, operation, params))
            return
        if operation != "review.decide":
            raise Conflict(f"{operation} is not known here", next_step="use a known one")
        if params["password"] != PASSWORD:
            raise BadCredentials("the password is not yours", next_step="type it again")
        self.posted.append((actor.person, operation, params))

    def reviews_waiting(self, reader: Reader, *, actor: Actor, now_us: int) -> Sequence[WorkItem]:
        undecided = [one for one in reader.find(Review) if one.state != "decided"]
        return [
            WorkItem(
                review=one,
                choices=tuple(self.choices(reader, review=one, actor=actor)),
                overdue=one.due_us < now_us,
            )
            for one in sorted(undecided, key=lambda one: one.due_us)
        ]

    def choices(self, reader: Reader, *, review: Review, actor: Actor) -> Sequence[Choice]:
        scope = Scope(organisation=ORGANISATION)
        known = lifecycle.options(
            REVIEWS[ReviewKind(review.kind)],
            ReviewState(review.state),
            lifecycle.Actor(person=actor.person, roles=actor.roles(scope)),
            ReviewFacts(
                authors=frozenset({records.AUTHOR}),
                opened_by=review.opened_by,
                hold_open=review.kind == "finding",
                reason_given=True,
                first_signer=review.first_signer,
            ),
        )
        offered = {*DECISIONS[ReviewKind(review.kind)], ReviewCommand.WITHDRAW_SIGNATURE}
        offered -= {ReviewCommand.RESTRICT}
        return [
            Choice(
                command=one.command,
                meaning=one.signature_meaning,
                refusal=one.refusal.reason if one.refusal else None,
            )
            for one in known
            if one.command in offered
        ]

    def standing(self, reader: Reader, *, model: str, scope: Scope, now_us: int) -> Standing:
        return standing_of(reader, model=model, scope=scope, purpose=None, now_us=now_us)

    def ledger_head(self) -> LedgerHead:
        return LedgerHead(
            origin="oncovigil.st-olav/pharmacy-demand",
            size=len(self._entries),
            root=report.DIGEST,
            checkpoint=(
                f"oncovigil.st-olav/pharmacy-demand\n{len(self._entries)}\n"
                "XwyNm+HSd4TGofDim9TFin5vECk4R1avvs0Bkoc3RlU=\n\n"
                "— oncovigil.st-olav/pharmacy-demand bm90IGEgcmVhbCBzaWduYXR1cmU="
                "\n"
            ),
            witnesses=(),
            anchored_size=0,
        )

    def ledger_entry(self, seq: int) -> LedgerEntry:
        if not 0 <= seq < len(self._entries):
            raise NotFound(f"the ledger has no entry {seq}", next_step="ask for a smaller number")
        return self._entries[seq]

    def ledger_entries(self, *, before: int, limit: int) -> Sequence[LedgerEntry]:
        return list(reversed(self._entries[max(before - limit, 0) : before]))

    def receipt(self, entry: LedgerEntry, *, actor: Actor) -> bytes:
        event_id = entry.event_id
        require_body_reader(actor, entry.facts, organisation=ORGANISATION)
        if not entry.kind.startswith("inference."):
            raise NotFound("this entry is no answer", next_step="choose an answer")
        return json.dumps({"event_id": event_id}).encode()

    def verify_ledger(self) -> Verified:
        if self.tampered is not None:
            raise self.tampered
        return Verified(
            size=len(self._entries),
            root=report.DIGEST,
            bodies_checked=11,
            bodies_erased=1,
            rows_compared=38,
            duration_ms=142,
        )


def _entries() -> list[LedgerEntry]:
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("ledger.genesis", {}),
        (
            "person.added",
            {
                "actor": "ingrid.dahl",
                "changes": [
                    _insert(
                        "person", "jonas.berg", {"printed_name": "Jonas Berg", "disabled": False}
                    )
                ],
            },
        ),
        *[
            (
                "inference.answered",
                {
                    "caller": "pharmacy-portal",
                    "model": "forecasting",
                    "version": "forecasting/1",
                    "dispositions": {"answered": 12, "abstained": 0},
                    "reasons": [],
                    "purpose": "ordering",
                },
            )
        ]
        * 26,
        (
            "version.registered",
            {
                "actor": "jonas.berg",
                "changes": [
                    _insert(
                        "version",
                        "forecasting/2",
                        {"kind": "forecast-table/1", "state": "candidate", "digest": report.DIGEST},
                    )
                ],
            },
        ),
        ("attempt.opened", {"actor": "jonas.berg", "plan": "plan:forecasting:1", "attempt": 1}),
        (
            "monitor.ran",
            {
                "actor": "jonas.berg",
                "changes": [
                    _insert("monitor_run", "M-3", {"verdict": "fail", "through_month": "2008-05"}),
                    _insert("finding", "F-1", {"review": "R-8", "hold": "H-1"}),
                    _insert("hold", "H-1", {"cause": "monitor.error", "state": "open"}),
                ],
            },
        ),
        (
            "review.decided",
            {
                "actor": "ingrid.dahl",
                "decision": "approve",
                "changes": [
                    {
                        "table": "review",
                        "key": "R-2",
                        "op": "update",
                        "set": {"state": ["open", "decided"], "decision": [None, "approve"]},
                    },
                    {
                        "table": "document",
                        "key": "plan:forecasting:1",
                        "op": "update",
                        "set": {"state": ["registered", "in_force"]},
                    },
                ],
            },
        ),
    ]
    entries = []
    previous = hashlib.sha256(b"genesis").hexdigest()
    for seq, (kind, facts) in enumerate(kinds):
        own = hashlib.sha256(f"{seq}{kind}".encode()).hexdigest()
        answered = kind.startswith("inference.")
        entries.append(
            LedgerEntry(
                seq=seq,
                event_id=f"01957f3a-{seq:04x}-7b2c-9d1e-4f6a8c0b2d4e",
                kind=kind,
                t_us=records.NOW_US - (len(kinds) - seq) * 5_700_000_000,
                facts=facts,
                facts_commitment=own,
                body_commitment=own[::-1] if answered else None,
                body="none" if not answered else "erased" if seq == 5 else "held",
                previous=previous,
            )
        )
        previous = own
    return entries


def _insert(table: str, key: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"table": table, "key": key, "op": "insert", "row": row}
