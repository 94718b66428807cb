"""Who acts. Only a person's session makes an Actor, so a service can never sign (P6)."""

from __future__ import annotations

from dataclasses import dataclass

from change_control.roles import Grant, Role, holds
from change_control.scope import Scope
from governance.errors import Forbidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A signed-in person with the roles that were granted, each within a scope."""

    person: str
    printed_name: str
    grants: tuple[Grant, ...]

    def roles(self, scope: Scope) -> frozenset[Role]:
        """Return the roles that this person holds over the whole of `scope`."""
        return frozenset(role for role in Role if holds(self.grants, role, scope))

    def require(self, roles: frozenset[Role], scope: Scope, *, act: str) -> None:
        """Raise Forbidden unless this person holds one of `roles` over `scope`."""
        if self.roles(scope) & roles:
            return
        needed = " or ".join(sorted(role.value for role in roles))
        raise Forbidden(
            f"{self.person} may not {act} in {scope}: it needs the role {needed} there",
            next_step="ask an administrator for the role, or ask somebody who holds it",
        )
