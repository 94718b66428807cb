"""The desk of a running deployment: each question goes to the operation that answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from audits.estimate import Json
from change_control.scope import Scope
from governance.console.app import console_of
from governance.console.desk import LedgerEntry, LedgerHead, Session
from governance.deployment import Deployment
from governance.errors import Forbidden
from governance.ledger.core.record import decode_entry
from governance.ledger.store import view as store
from governance.operations import catalogue
from governance.operations.actor import Actor
from governance.operations.admin import sign_in
from governance.operations.erase.erasures import (
    ErasureLine,
    ErasureShown,
    ListErasures,
    NameErasure,
    list_erasures,
    show_erasure,
)
from governance.operations.erase.legal_holds import (
    LegalHoldLine,
    ListLegalHolds,
    list_legal_holds,
)
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
from governance.operations.inspect.key_events import KeysSeen, keys_seen
from governance.operations.inspect.ledger_proof import without_body
from governance.operations.inspect.standing_of import PlaceStanding, standings_of
from governance.operations.inspect.verification import Verification, Verifications
from governance.operations.inspect.worklist import WorkItem, worklist
from governance.operations.review.facts import Choice, choices
from governance.registry.records import Review
from governance.storage.ports import Reader


def create_console(deployment: Deployment) -> ASGIApp:
    """Return the console of a deployment, to be mounted at "/" after every other route."""
    return console_of(DeploymentDesk(running=deployment, verifications=Verifications(deployment)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentDesk:
    """Keeps `governance.console.desk.Desk`."""

    running: Deployment
    verifications: Verifications

    @property
    def organisation(self) -> str:
        """The organisation whose deployment this is."""
        return self.running.home.config.organisation

    @property
    def deployment(self) -> str:
        """The name of this deployment."""
        return self.running.home.config.deployment

    def now_us(self) -> int:
        """The present instant."""
        return self.running.clock.now_us()

    def reader(self) -> AbstractContextManager[Reader]:
        """Read one consistent state for the length of the block."""
        return self.running.reader()

    def sign_in(self, *, person: str, password: str, peer: str) -> Session:
        """Open a session."""
        opened = sign_in.sign_in(self.running, person=person, password=password, peer=peer)
        return Session(token=opened.token)

    def actor_of_session(self, token: str) -> tuple[Actor, str]:
        """Return who is signed in and the session's CSRF token."""
        return sign_in.actor_of_session(self.running, token=token)

    def sign_out(self, token: str) -> None:
        """End the session."""
        sign_in.sign_out(self.running, token=token)

    def perform(
        self, actor: Actor, operation: str, params: Mapping[str, Json]
    ) -> Mapping[str, Any]:
        """Perform an operation of the catalogue."""
        result = catalogue.perform(self.running, actor, operation, params)
        return result.model_dump(mode="json")

    def reviews_waiting(self, reader: Reader, *, actor: Actor, now_us: int) -> Sequence[WorkItem]:
        """Return every undecided review, the one that is due first in front."""
        return worklist(reader, actor=actor, organisation=self.organisation, now_us=now_us)

    def erasures(self, *, actor: Actor) -> Sequence[ErasureLine]:
        """Return every erasure as it stands for this person."""
        return list_erasures(self.running, actor, ListErasures()).erasures

    def erasure(self, name: str, *, actor: Actor) -> ErasureShown:
        """Return one erasure with its reason, where this person may read it."""
        return show_erasure(self.running, actor, NameErasure(erasure=name))

    def legal_holds(self, *, actor: Actor) -> Sequence[LegalHoldLine]:
        """Return every legal hold."""
        return list_legal_holds(self.running, actor, ListLegalHolds()).legal_holds

    def choices(self, reader: Reader, *, review: Review, actor: Actor) -> Sequence[Choice]:
        """Return the decisions that the review's table knows now, each with its refusal."""
        return choices(reader, review, actor=actor, organisation=self.organisation)

    def standings(
        self, reader: Reader, *, model: str, scope: Scope, now_us: int
    ) -> Sequence[PlaceStanding]:
        """Return the standing for each purpose and market."""
        return standings_of(reader, model=model, scope=scope, now_us=now_us)

    def ledger_head(self) -> LedgerHead:
        """Return the ledger's size, root and last checkpoint, and what the witnesses have seen."""
        ledger = self.running.ledger
        size, root = ledger.head()
        outside = self.running.cosigner.report()
        return LedgerHead(
            origin=ledger.origin,
            size=size,
            root=root.hex(),
            checkpoint=ledger.checkpoint(),
            witnesses=tuple(one.name for one in outside.witnesses),
            anchored_size=min(outside.anchored_size, size),
            instant_us=ledger.entry(size - 1).t_us if size else None,
            stored_size=min(ledger.checkpoints.largest(), size),
            quorum=outside.quorum,
            policy=policy_words(ledger.policy),
            lags=witness_reaches(ledger, outside),
            stopped=outside.stopped,
            fault=self.running.verifier.code,
        )

    def ledger_entry(self, seq: int) -> LedgerEntry:
        """Return one entry."""
        return _shown(self.running.ledger.entry(seq))

    def ledger_entries(self, *, before: int, limit: int) -> Sequence[LedgerEntry]:
        """Return up to `limit` entries before position `before`, the latest first."""
        first = max(before - limit, 0)
        entries = self.running.ledger.entries(first, before - first) if before else []
        return [_shown(entry) for entry in reversed(entries)]

    def find_entry(self, wanted: str) -> int:
        """Return the entry named by number, event or instant."""
        return find_entry(self.running.ledger, wanted)

    def entry_proof(self, seq: int) -> EntryProof:
        """Prove an entry under the best checkpoint that covers it."""
        return prove_entry(self.running.ledger, seq)

    def receipt(self, entry: LedgerEntry, *, actor: Actor, with_body: bool) -> bytes:
        """Return the receipt of an entry; the body only to somebody who may read it."""
        if with_body:
            require_body_reader(actor, entry.facts, organisation=self.organisation)
            return self.running.ledger.receipt(entry.event_id)
        return without_body(self.running.ledger.receipt(entry.event_id))

    def may_read_body(self, entry: LedgerEntry, *, actor: Actor) -> bool:
        """Whether this person may have the receipt with the body."""
        try:
            require_body_reader(actor, entry.facts, organisation=self.organisation)
        except Forbidden:
            return False
        return True

    def checkpoints(self, *, before: int | None, limit: int) -> Sequence[CheckpointSeen]:
        """Return up to `limit` stored checkpoints smaller than `before`, the largest first."""
        ledger = self.running.ledger
        size = ledger.head()[0] + 1 if before is None else before
        return [
            checkpoint_seen(ledger, one) for one in ledger.checkpoints.before(size, limit=limit)
        ]

    def log_keys(self) -> KeysSeen:
        """Return the keys of the log with their ranges and events."""
        return keys_seen(self.running.ledger)

    def checkpoint(self, size: int) -> CheckpointSeen:
        """Return the checkpoint of this size."""
        return checkpoint_of(self.running.ledger, size)

    def continuation(self, *, old: int, new: int) -> Continuation:
        """Prove that the log only grew between two sizes."""
        return continuation(self.running.ledger, old=old, new=new)

    def start_verification(self, actor: Actor) -> None:
        """Start verifying the whole ledger, or join who has."""
        self.verifications.start(by=f"{actor.printed_name} ({actor.person})")

    def verification(self) -> Verification | None:
        """Return the verification that runs, or the last one of this process."""
        return self.verifications.latest()


def _shown(read: store.LedgerEntry) -> LedgerEntry:
    envelope = decode_entry(read.stored.env)
    body = "none" if envelope.body_c is None else "held"
    if read.erased_by_seq is not None:
        body = "erased"
    return LedgerEntry(
        seq=read.seq,
        event_id=read.event_id,
        kind=read.kind,
        t_us=read.t_us,
        facts=read.facts if isinstance(read.facts, dict) else {},
        facts_commitment=envelope.facts_c.hex(),
        body_commitment=envelope.body_c.hex() if envelope.body_c else None,
        body=body,
        previous=envelope.prev.hex(),
    )
