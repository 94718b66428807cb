"""What the console asks of the deployment, as one port.

Pages know this and nothing of storage, keys or the committer. `deployment_desk` keeps it for a
running deployment; tests keep it for an invented one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from audits.estimate import Json
from change_control.scope import Scope
from governance.operations.actor import Actor
from governance.operations.erase.erasures import ErasureLine, ErasureShown
from governance.operations.erase.legal_holds import LegalHoldLine
from governance.operations.inspect.explore_ledger import (
    CheckpointSeen,
    Continuation,
    EntryProof,
    WitnessReach,
)
from governance.operations.inspect.key_events import KeysSeen
from governance.operations.inspect.standing_of import PlaceStanding
from governance.operations.inspect.verification import Verification
from governance.operations.inspect.worklist import WorkItem
from governance.operations.review.facts import Choice
from governance.registry.records import Review
from governance.storage.ports import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHead:
    """How long the ledger is, what its last checkpoint says, and who outside has seen it (P3).

    `instant_us` is when the last entry was written. Checkpoints up to `stored_size` are in the
    database; the newest one waits beside it for the next write. `anchored_size` entries are under a
    checkpoint that a quorum of witnesses has signed; `policy` says in words what that is.
    `stopped` says that answers are refused because none has signed for too long, `fault` is the
    code of what a verification found.
    """

    origin: str
    size: int
    root: str
    checkpoint: str
    witnesses: tuple[str, ...]
    anchored_size: int
    instant_us: int | None = None
    stored_size: int = 0
    quorum: bool = False
    policy: str = ""
    lags: tuple[WitnessReach, ...] = ()
    stopped: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One entry with its facts. `body` is "none", "held" or "erased"; it is never decrypted."""

    seq: int
    event_id: str
    kind: str
    t_us: int
    facts: Mapping[str, Json]
    facts_commitment: str
    body_commitment: str | None
    body: str
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session just opened. The token goes into the cookie and nowhere else."""

    token: str


class Desk(Protocol):
    """One deployment, as the console meets it."""

    @property
    def organisation(self) -> str:
        """The organisation whose deployment this is."""
        ...

    @property
    def deployment(self) -> str:
        """The name of this deployment."""
        ...

    def now_us(self) -> int:
        """The present instant."""
        ...

    def reader(self) -> AbstractContextManager[Reader]:
        """Read one consistent state for the length of the block."""
        ...

    def sign_in(self, *, person: str, password: str, peer: str) -> Session:
        """Open a session for a try from `peer`, or raise a GovernanceError."""
        ...

    def actor_of_session(self, token: str) -> tuple[Actor, str]:
        """Return who is signed in and the session's CSRF token; raise Unauthenticated."""
        ...

    def sign_out(self, token: str) -> None:
        """End the session."""
        ...

    def perform(
        self, actor: Actor, operation: str, params: Mapping[str, Json]
    ) -> Mapping[str, Any]:
        """Perform an operation of the catalogue and return its result as plain values.

        Raises why it was refused.
        """
        ...

    def reviews_waiting(self, reader: Reader, *, actor: Actor, now_us: int) -> Sequence[WorkItem]:
        """Return every undecided review, the most urgent first."""
        ...

    def erasures(self, *, actor: Actor) -> Sequence[ErasureLine]:
        """Return every erasure as it stands for this person."""
        ...

    def erasure(self, name: str, *, actor: Actor) -> ErasureShown:
        """Return one erasure with its reason, where this person may read it; raise NotFound."""
        ...

    def legal_holds(self, *, actor: Actor) -> Sequence[LegalHoldLine]:
        """Return every legal hold."""
        ...

    def choices(self, reader: Reader, *, review: Review, actor: Actor) -> Sequence[Choice]:
        """Return the decisions that the review's table knows now, each with its refusal."""
        ...

    def standings(
        self, reader: Reader, *, model: str, scope: Scope, now_us: int
    ) -> Sequence[PlaceStanding]:
        """Return whether the model may answer in the scope, for each purpose and market."""
        ...

    def ledger_head(self) -> LedgerHead:
        """Return the ledger's size, root and last checkpoint."""
        ...

    def ledger_entry(self, seq: int) -> LedgerEntry:
        """Return one entry, or raise NotFound."""
        ...

    def ledger_entries(self, *, before: int, limit: int) -> Sequence[LedgerEntry]:
        """Return up to `limit` entries before position `before`, the latest first."""
        ...

    def find_entry(self, wanted: str) -> int:
        """Return the entry named by number, event or instant; raise NotFound or InvalidInput."""
        ...

    def entry_proof(self, seq: int) -> EntryProof:
        """Prove an entry under the best checkpoint that covers it; raise NotFound."""
        ...

    def receipt(self, entry: LedgerEntry, *, actor: Actor, with_body: bool) -> bytes:
        """Return the receipt; with the body raise Forbidden: bodies are not for everybody."""
        ...

    def may_read_body(self, entry: LedgerEntry, *, actor: Actor) -> bool:
        """Whether this person may have the receipt with the body."""
        ...

    def checkpoints(self, *, before: int | None, limit: int) -> Sequence[CheckpointSeen]:
        """Return up to `limit` stored checkpoints smaller than `before`, the largest first."""
        ...

    def log_keys(self) -> KeysSeen:
        """Return the keys of the log with their ranges and events."""
        ...

    def checkpoint(self, size: int) -> CheckpointSeen:
        """Return the checkpoint of this size, or raise NotFound."""
        ...

    def continuation(self, *, old: int, new: int) -> Continuation:
        """Prove that the log only grew between two sizes, or raise NoSuchProof."""
        ...

    def start_verification(self, actor: Actor) -> None:
        """Start verifying the whole ledger, or join who has."""
        ...

    def verification(self) -> Verification | None:
        """Return the verification that runs, or the last one of this process."""
        ...
