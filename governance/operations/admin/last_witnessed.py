"""Up to where others vouch for a log whose key was stolen: its policies, folded forward (P3).

Whoever has the key and the database writes a change of the policy that names witnesses of their
own. So the policy at the end of the stored log judges nothing. From the first one on, a change
counts only where its entry is under a checkpoint that a quorum of the policy before it cosigned;
before anybody had to watch, the log's word is all there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from governance.ledger.core.errors import LedgerTampered, PolicyRejected
from governance.ledger.core.note import with_lines
from governance.ledger.core.policy import Policy
from governance.ledger.core.record import decode_entry, facts_commitment
from governance.ledger.store.view import LedgerView
from governance.storage.trust import CHANGED_TO, POLICY_CHANGED, STATED
from governance.storage.witnessing import Asked

_ALL = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A size that a quorum cosigned: its note with their lines, and the policy that judged it."""

    size: int
    note: bytes
    policy: str


def last_witnessed(ledger: LedgerView, seen: list[Asked]) -> Witnessed | None:
    """Return the last size that a quorum cosigned, by the stored lines and by what is shown now.

    Raises LedgerTampered where a policy is not what its entry commits to.
    """
    found: Witnessed | None = None
    before: str | None = None
    for since, text in _stated(ledger):
        if before is not None and _parsed(before, since).quorum is not None:
            covering = _under(ledger, before, seen, since=since, first=True)
            if covering is None:
                return found
            found = covering
        found = _under(ledger, text, seen, since=since, first=False) or found
        before = text
    return found


def _under(
    ledger: LedgerView, text: str, seen: list[Asked], *, since: int, first: bool
) -> Witnessed | None:
    """Return the first or the last size that the policy's quorum cosigned and entry `since` is in.

    Of what witnesses show they are joined by size, where the storage leads to it.
    """
    policy = _parsed(text, since)
    if policy.quorum is None:
        return None
    stored = ledger.anchor_under(policy, above=since, first=first)
    notes = [] if stored is None else [(stored.size, stored.note)]
    notes += [one for one in _shown_together(ledger, policy, seen) if one[0] > since]
    if not notes:
        return None
    size, note = min(notes) if first else max(notes)
    return Witnessed(size=size, note=note, policy=text)


def _shown_together(
    ledger: LedgerView, policy: Policy, seen: list[Asked]
) -> list[tuple[int, bytes]]:
    """Join what witnesses show of one size that the storage leads to; keep where a quorum does."""
    found = []
    for size in {last.size for _one, last in seen if last is not None}:
        if not 0 < size <= ledger.tree.size:
            continue
        alike = [
            (one, last)
            for one, last in seen
            if last is not None and last.size == size and last.root == ledger.tree.root(size)
        ]
        if policy.satisfied(one.key for one, _last in alike):
            first, *others = (last.checkpoint.note for _one, last in alike)
            lines = [line for note in others for line in _lines(note) if line not in first.decode()]
            found.append((size, with_lines(first, dict.fromkeys(lines))))
    return found


def _lines(note: bytes) -> list[str]:
    return note.decode().rpartition("\n\n")[2].splitlines(keepends=True)


def _stated(ledger: LedgerView) -> Iterator[tuple[int, str]]:
    """Yield the policies in the order in which entries state them, with the entry's number."""
    for seq in (0, *reversed(ledger.numbers_of([POLICY_CHANGED], limit=_ALL))):
        entry = ledger.entry(seq)
        stored, facts = entry.stored, entry.facts
        committed = facts_commitment(salt=stored.facts_salt, facts=stored.facts)
        text = facts.get(CHANGED_TO if seq else STATED) if isinstance(facts, dict) else None
        if committed != decode_entry(stored.env).facts_c or not isinstance(text, str):
            raise LedgerTampered("it does not state the log's policy", sequence=seq)
        yield seq, text


def _parsed(text: str, seq: int) -> Policy:
    try:
        return Policy.parse(text.encode())
    except PolicyRejected as error:
        raise LedgerTampered("it states no policy that can be read", sequence=seq) from error
