"""Who may act as what, and where.

A person holds roles by grants, each within a scope. Two roles that must check each other are never
held by one person over the same place (P6): who trains or owns a model is not the custodian of the
sequestered test data, and who can change accounts is not either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from change_control.scope import Scope


class Role(StrEnum):
    """What a person or pipeline acts as."""

    MODEL_OWNER = "model_owner"
    REVIEWER = "reviewer"
    REGULATORY = "regulatory"
    CUSTODIAN = "custodian"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    SAFETY_OFFICER = "safety_officer"


INCOMPATIBLE: Final[frozenset[frozenset[Role]]] = frozenset(
    {
        frozenset({Role.MODEL_OWNER, Role.CUSTODIAN}),
        frozenset({Role.ADMINISTRATOR, Role.CUSTODIAN}),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One role of one person within one scope."""

    person: str
    role: Role
    scope: Scope


def holds(grants: Iterable[Grant], role: Role, scope: Scope) -> bool:
    """Whether one of the grants gives `role` over the whole of `scope`.

    The grants are those of one person; two sites do not add up to an organisation.
    """
    return any(grant.role is role and grant.scope.covers(scope) for grant in grants)


def conflicts(grants: Iterable[Grant], wanted: Grant) -> tuple[Grant, ...]:
    """Return the person's present grants that forbid `wanted` (P6); empty where it may be given."""
    return tuple(
        grant
        for grant in grants
        if grant.person == wanted.person
        and grant.scope.overlaps(wanted.scope)
        and frozenset({grant.role, wanted.role}) in INCOMPATIBLE
    )
