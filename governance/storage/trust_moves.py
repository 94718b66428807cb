"""The log's keys and policy while a batch is made: what no reader would accept is not written.

A step of a rotation is decided on what was committed when its operation began. Another act of the
same batch may have taken that step already, so each act is judged here once more, in its savepoint,
by what the entries before it would make of the log (P3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.ledger.core.errors import LedgerTampered, PolicyRejected
from governance.ledger.core.log_keys import KEY_EVENTS, LogKeys
from governance.ledger.core.policy import Policy
from governance.storage.trust import CHANGED_FROM, CHANGED_TO, POLICY_CHANGED

TRUST_KINDS: Final = KEY_EVENTS | {POLICY_CHANGED}
"""Kinds of entries that change the log's keys or its policy."""


class TrustMoved(Conflict):
    """The log's keys or its policy are no longer those that the act was decided on."""

    code = "ledger.trust_moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The log's keys and the text of its policy, as entries state them."""

    keys: LogKeys
    policy: str

    def after(self, seq: int, kind: str, raw: bytes) -> Trust:
        """Return them after entry `seq`; raise TrustMoved where no reader would accept it there."""
        facts = canonical.loads(raw)
        if not isinstance(facts, dict):
            raise _moved("an entry about keys or policy states nothing")
        if kind == POLICY_CHANGED:
            old, new = facts.get(CHANGED_FROM), facts.get(CHANGED_TO)
            if old != self.policy or not isinstance(new, str):
                raise _moved("the policy has been changed meanwhile")
            return self._with_policy(new)
        try:
            return replace(self, keys=self.keys.after(seq, kind, facts))
        except LedgerTampered as error:
            raise _moved(f"the log's keys have changed meanwhile: {error}") from error

    def _with_policy(self, text: str) -> Trust:
        try:
            named = Policy.parse(text.encode()).log_keys(self.keys.origin)
        except PolicyRejected as error:
            raise _moved(f"the new policy cannot be read: {error}") from error
        if named != self.keys.in_force:
            raise _moved("the new policy names other keys than the log has in force")
        return replace(self, policy=text)


def _moved(what: str) -> TrustMoved:
    return TrustMoved(
        what, next_step="Look at the log's keys and policy as they are now, and decide again."
    )
