"""The end of sessions is an act, and stands in the ledger with whose hand it was."""

from __future__ import annotations

import hashlib

from audits.estimate import Json
from governance.storage import private
from governance.storage.ports import Unit


def token_digest(token: str) -> str:
    """Return what the session row and the facts hold in place of the token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def end_sessions(
    unit: Unit,
    *,
    person: str,
    actor: str,
    reason: str,
    only: str | None = None,
    spare: str | None = None,
) -> None:
    """End the person's open sessions, or `only` one, or all but `spare`; no session, no entry."""
    ended: list[Json] = [*private.end_sessions(unit, person, only=only, spare=spare)]
    if ended:
        notes: dict[str, Json] = {"person": person, "reason": reason, "sessions_sha256": ended}
        unit.record(kind="session.ended", actor=actor, notes=notes)
