"""The question as the gate sees it, whatever codec it came through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from change_control.scope import Scope
from governance.gate.reasons import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated client. The scope comes from its credential, never from the request."""

    client: str
    scope: Scope
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        """Whether the client holds the permission, and asked for it in its token."""
        return permission in self.permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a codec read from a body: rows as they came, and what they are for.

    `references` are pseudonymous (encounter, order, requester), so that a recall reaches whoever
    acts on the answer. `market` None leaves the choice to the gate (`governance.gate.market`).
    """

    rows: Sequence[Mapping[str, object]]
    purpose: str
    market: str | None = None
    subject: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question of a caller to a model: a `question`, or the refusal that reading it gave.

    `raw` is the body exactly as it was sent; it is what the record keeps.
    """

    model: str
    caller: Caller
    question: Question | Refusal
    raw: bytes = b""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The model version that answers, as a reply names it."""

    name: str
    version: str
    digest: str
