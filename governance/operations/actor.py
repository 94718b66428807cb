"""Who acts. Only a person's session makes an Actor, so a service can never sign (P6)."""

from __future__ import annotations

from dataclasses import dataclass

from change_control.roles import Grant, Role, holds
from change_control.scope import Scope
from governance.errors import Forbidden


class PasswordMustChange(Forbidden):
    """Somebody else chose the password, so it opens nothing but its own change (P6, P7)."""

    code = "identity.password_must_change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A signed-in person with the roles that were granted, each within a scope.

    `session` is the digest of the session's token. `must_change` says that somebody else chose the
    password: whoever acts is then not known to be the person.
    """

    person: str
    printed_name: str
    grants: tuple[Grant, ...]
    session: str | None = None
    must_change: bool = False

    def roles(self, scope: Scope) -> frozenset[Role]:
        """Return the roles that this person holds over the whole of `scope`."""
        if self.must_change:
            return frozenset()
        return frozenset(role for role in Role if holds(self.grants, role, scope))

    def require(self, roles: frozenset[Role], scope: Scope, *, act: str) -> None:
        """Raise Forbidden unless this person holds one of `roles` over `scope`."""
        self.require_own_password()
        if self.roles(scope) & roles:
            return
        needed = " or ".join(sorted(role.value for role in roles))
        raise Forbidden(
            f"{self.person} may not {act} there: it needs the role {needed} over the whole scope",
            next_step="ask an administrator for the role, or ask somebody who holds it",
        )

    def require_some_role(self) -> None:
        """Raise Forbidden unless this person holds a role somewhere: what anybody reads needs it.

        Grants are within the home's own organisation only.
        """
        self.require_own_password()
        if not self.grants:
            raise Forbidden(
                f"{self.person} holds no role here, so there is nothing to be shown",
                next_step="ask an administrator for a role",
            )

    def require_own_password(self) -> None:
        """Raise PasswordMustChange where somebody else chose this person's password."""
        if self.must_change:
            raise password_must_change()


def password_must_change() -> PasswordMustChange:
    """Return the refusal of whatever a password does that somebody else chose."""
    return PasswordMustChange(
        "your password was chosen by somebody else; it can only be used to change it",
        next_step="choose your own: `vigil user password`, or the console's password page",
    )
