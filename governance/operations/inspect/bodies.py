"""Who may read what an entry says in its body: the question, the answer, the reason, the words.

Facts are for everybody who holds a role here. Bodies can hold personal data, so they are for the
people whose work is to look into them, over the whole scope that the entry is about (P15).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from audits.estimate import Json
from change_control.errors import ScopeInvalid
from change_control.roles import Role
from change_control.scope import Scope
from governance.operations.actor import Actor

BODY_READERS: Final = frozenset({Role.AUDITOR, Role.REVIEWER, Role.REGULATORY, Role.SAFETY_OFFICER})


def scope_of_facts(facts: Mapping[str, Json]) -> Scope | None:
    """Return the place that an entry is about: its own, or that of every record it touches.

    None where the facts name no place, or more than one.
    """
    named = [facts.get("scope")] if "scope" in facts else _scopes_of_changes(facts.get("changes"))
    scopes = {_scope(text) for text in named}
    return scopes.pop() if len(scopes) == 1 else None


def require_body_reader(actor: Actor, facts: Mapping[str, Json], *, organisation: str) -> None:
    """Raise Forbidden unless the person may read the entry's body.

    An entry without a place of its own is about the whole organisation.
    """
    scope = scope_of_facts(facts) or Scope(organisation=organisation)
    actor.require(BODY_READERS, scope, act="read what this entry says")


def _scopes_of_changes(changes: Json) -> list[Json]:
    found: list[Json] = []
    for change in changes if isinstance(changes, list) else []:
        row = change.get("row") if isinstance(change, dict) else None
        if isinstance(row, dict) and "scope" in row:
            found.append(row["scope"])
    return found


def _scope(text: Json) -> Scope | None:
    try:
        return Scope.parse(text) if isinstance(text, str) else None
    except ScopeInvalid:
        return None
