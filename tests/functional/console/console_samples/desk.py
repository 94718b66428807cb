"""An invented deployment behind the console's port: records in memory, and no ledger to write to.

It refuses what it does not know. `posted` holds what was asked of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from audits.estimate import Json
from change_control import lifecycle
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
from console_samples import records, report, trail
from console_samples.ledger import InventedLedger, rotated_keys
from governance.console.desk import LedgerEntry, LedgerHead, Session
from governance.errors import Conflict, GovernanceError, NotFound, Problem, Unauthenticated
from governance.operations.actor import Actor
from governance.operations.admin.passwords import PasswordRefused
from governance.operations.admin.sign_in import BadCredentials
from governance.operations.inspect.bodies import require_body_reader
from governance.operations.inspect.explore_ledger import (
    CheckpointSeen,
    Continuation,
    EntryProof,
    checkpoint_of,
    checkpoint_seen,
    continuation,
    find_entry,
    policy_words,
    prove_entry,
    witness_reaches,
)
from governance.operations.inspect.key_events import KeysSeen
from governance.operations.inspect.reconcile import CANNOT_SHOW, Counted
from governance.operations.inspect.standing_of import PlaceStanding, standings_of
from governance.operations.inspect.verification import Verification
from governance.operations.inspect.verify_ledger import VerifyReport
from governance.operations.inspect.worklist import WorkItem
from governance.operations.review.facts import Choice
from governance.registry.records import Record, Review
from governance.storage.ports import OutcomeRow, Reader

R = TypeVar("R", bound=Record)
ORGANISATION = "st-olav"
PASSWORD = "a long invented password"
READS = frozenset({"trail.search", "trail_review.list", "trail_review.show"})
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

    def __init__(self, *, empty: bool = False, witnessed: bool = False) -> None:
        stored, blobs = ([], {}) if empty else records.everything()
        self._reader = MemoryReader(stored, blobs)
        self._entries, envelopes = ([], []) if empty else _entries()
        self.ledger: Any = InventedLedger(self._entries, envelopes, witnessed=witnessed)
        self._sessions: dict[str, str] = {}
        self.posted: list[tuple[str, str, Mapping[str, Json]]] = []
        self.refuse_with: GovernanceError | None = None
        self.tampered: GovernanceError | None = None
        self.slow = False
        self.differs: list[str] = []
        self._verification: Verification | None = None

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

    def perform(
        self, actor: Actor, operation: str, params: Mapping[str, Json]
    ) -> Mapping[str, Any]:
        if operation in trail.RESULTS and not (self.refuse_with and "record_digest" in params):
            self.posted += [] if operation in READS else [(actor.person, operation, params)]
            return trail.RESULTS[operation]
        if self.refuse_with is not None:
            raise self.refuse_with
        if operation == "person.change_password":
            if params["old"] != PASSWORD:
                raise PasswordRefused("it is not yours", next_step="type it again")
            self.posted.append((actor.person, operation, params))
            return {}
        if operation != "review.decide":
            raise Conflict(f"{operation} is not known here", next_step="use a known one")
        if params["password"] != PASSWORD:
            raise BadCredentials("the password is not yours", next_step="type it again")
        self.posted.append((actor.person, operation, params))
        return {}

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

    def standings(
        self, reader: Reader, *, model: str, scope: Scope, now_us: int
    ) -> Sequence[PlaceStanding]:
        """Return the standing for each purpose and market."""
        return standings_of(reader, model=model, scope=scope, now_us=now_us)

    def ledger_head(self) -> LedgerHead:
        ledger, outside = self.ledger, self.ledger.report()
        return LedgerHead(
            origin=ledger.origin,
            size=ledger.tree.size,
            root=ledger.tree.root().hex(),
            checkpoint=ledger.checkpoint(),
            witnesses=tuple(one.name for one in outside.witnesses),
            anchored_size=outside.anchored_size,
            instant_us=self._entries[-1].t_us if self._entries else None,
            stored_size=ledger.checkpoints.largest(),
            quorum=outside.quorum,
            policy=policy_words(ledger.policy),
            lags=witness_reaches(ledger, outside),
        )

    def ledger_entry(self, seq: int) -> LedgerEntry:
        if not 0 <= seq < len(self._entries):
            raise NotFound(f"the ledger has no entry {seq}", next_step="ask for a smaller number")
        return self._entries[seq]

    def ledger_entries(self, *, before: int, limit: int) -> Sequence[LedgerEntry]:
        return list(reversed(self._entries[max(before - limit, 0) : before]))

    def find_entry(self, wanted: str) -> int:
        return find_entry(self.ledger, wanted)

    def entry_proof(self, seq: int) -> EntryProof:
        return prove_entry(self.ledger, seq)

    def receipt(self, entry: LedgerEntry, *, actor: Actor, with_body: bool) -> bytes:
        if with_body:
            require_body_reader(actor, entry.facts, organisation=ORGANISATION)
        return json.dumps({"event_id": entry.event_id, "body": with_body}).encode()

    def may_read_body(self, entry: LedgerEntry, *, actor: Actor) -> bool:
        return actor.person == "ingrid.dahl"

    def checkpoints(self, *, before: int | None, limit: int) -> Sequence[CheckpointSeen]:
        found = self.ledger.checkpoints.before(before or 10**9, limit=limit)
        return [checkpoint_seen(self.ledger, one) for one in found]

    def log_keys(self) -> KeysSeen:
        return rotated_keys(self.ledger.log_keys)

    def checkpoint(self, size: int) -> CheckpointSeen:
        return checkpoint_of(self.ledger, size)

    def continuation(self, *, old: int, new: int) -> Continuation:
        return continuation(self.ledger, old=old, new=new)

    def start_verification(self, actor: Actor) -> None:
        """End at once, as `tampered` says; where `slow`, go on for ever."""
        if self._verification is not None and self._verification.running:
            return
        size = len(self._entries)
        begun = Verification(
            started_us=records.NOW_US,
            started_by=f"{actor.printed_name} ({actor.person})",
            size=size,
        )
        ended_us = records.NOW_US + 142_000
        if self.slow:
            self._verification = replace(begun, phase="rows", done=size // 2)
        elif self.tampered is not None:
            self._verification = replace(
                begun,
                done=12,
                ended_us=ended_us,
                problem=Problem.of(self.tampered),
                tampered=True,
                bad_entry=getattr(self.tampered, "sequence", None),
            )
        else:
            self._verification = replace(
                begun, phase="counts", done=size, ended_us=ended_us, report=self._report()
            )

    def go_on(self) -> None:
        """Let the slow verification come to its end."""
        self.slow, self._verification = False, None
        self.start_verification(ACTORS["ingrid.dahl"])

    def verification(self) -> Verification | None:
        return self._verification

    def _report(self) -> VerifyReport:
        return VerifyReport(
            origin=self.ledger.origin,
            size=self.ledger.tree.size,
            root=self.ledger.tree.root().hex(),
            bodies_checked=11,
            bodies_erased=1,
            rows_compared=38,
            witnesses=len(self.ledger.policy.witnesses),
            anchored_size=self.ledger.report().anchored_size,
            duration_ms=142,
            counts=Counted(
                agrees=not self.differs, compared=13, differs=self.differs, cannot_show=CANNOT_SHOW
            ),
        )


def _entries() -> tuple[list[LedgerEntry], list[bytes]]:
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
    entries, envelopes = [], []
    previous = hashlib.sha256(b"genesis")
    for seq, (kind, facts) in enumerate(kinds):
        envelope = f"{seq} {kind} {previous.hexdigest()}".encode()
        own = hashlib.sha256(envelope).hexdigest()
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
                previous=previous.hexdigest(),
            )
        )
        envelopes.append(envelope)
        previous = hashlib.sha256(b"\x00" + envelope)
    return entries, envelopes


def _insert(table: str, key: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"table": table, "key": key, "op": "insert", "row": row}
