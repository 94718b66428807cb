"""The keys of the log and what happened to them, for people who look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audits.estimate import Json
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.store.view import LedgerEntry, LedgerView

KINDS: Final = (
    "ledger.genesis",
    "ledger.policy_changed",
    "key.rotation_started",
    "key.rotated",
    "key.retired",
    "key.epoch_rotated",
    "log.closed",
)
MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvent:
    """One entry about keys, the policy, or the beginning or end of the log."""

    seq: int
    t_us: int
    kind: str
    actor: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysSeen:
    """The keys with their ranges, and the last events, the latest first."""

    keys: LogKeys
    events: tuple[KeyEvent, ...]


def keys_seen(ledger: LedgerView) -> KeysSeen:
    """Return the log's keys, and up to `MOST` entries about them."""
    entries = [ledger.entry(seq) for seq in ledger.numbers_of(KINDS, limit=MOST)]
    return KeysSeen(keys=ledger.log_keys, events=events_of(entries))


def events_of(entries: Sequence[LedgerEntry]) -> tuple[KeyEvent, ...]:
    """Return the entries as people read them."""
    return tuple(
        KeyEvent(
            seq=one.seq,
            t_us=one.t_us,
            kind=one.kind,
            actor=str(_members(one.facts).get("actor", "")),
            says=what_it_says(one.kind, _members(one.facts)),
        )
        for one in entries
    )


def what_it_says(kind: str, facts: Mapping[str, Json]) -> str:
    """Return an event as a sentence."""
    match kind:
        case "key.rotation_started":
            return f"A rotation to {_short(facts.get('new'))} waits for a second signature."
        case "key.rotated":
            begun = facts.get("begun_by")
            by = f", begun by {begun}" if isinstance(begun, str) else ""
            return (
                f"From here {_short(facts.get('new'))} signs beside {_short(facts.get('old'))}{by}."
            )
        case "key.retired":
            return (
                f"From here {_short(facts.get('retired'))} signs no more; "
                f"{_short(facts.get('remaining'))} remains."
            )
        case "key.epoch_rotated":
            return (
                "The keys of bodies were wrapped again: epoch "
                f"{facts.get('old')} to {facts.get('new')}."
            )
        case "log.closed":
            return f"The log was closed; {facts.get('successor')} succeeds it."
        case "ledger.policy_changed":
            return "Keys, witnesses or quorum that verifiers pin were changed."
    before = facts.get("predecessor")
    if isinstance(before, dict):
        lost = before.get("lost")
        what = f", entries {lost[0]} and on are lost" if isinstance(lost, list) and lost else ""
        return f"The log begins as the successor of {before.get('origin')}{what}."
    return "The log begins."


def _members(facts: Json) -> Mapping[str, Json]:
    return facts if isinstance(facts, dict) else {}


def _short(vkey: Json) -> str:
    """Return the key id of a verifier key, which is how lines of checkpoints name it."""
    parts = vkey.split("+", 2) if isinstance(vkey, str) else []  # base64 may hold more of them
    return f"key {parts[1]}" if len(parts) == 3 else "an unreadable key"
