"""The log before this one, where there is one: it holds bodies of its own under keys of its own."""

from __future__ import annotations

from governance.deployment import Deployment
from governance.storage.succession.statement import CLOSED, PREDECESSOR


def also_ask(deployment: Deployment) -> str | None:
    """Return what is to be done about a person in the log before; None in a first log."""
    facts = deployment.ledger.entry(0).facts
    before = facts.get(PREDECESSOR) if isinstance(facts, dict) else None
    if not isinstance(before, dict):
        return None
    begun = f"This log succeeds {before.get('origin')}, which keeps what it recorded until then"
    if before.get("mode") == CLOSED:
        return f"{begun}: there too, `vigil erase - --basis … --reason … --home THE-OLD-HOME`."
    return (
        f"{begun} and takes no entry, because it was recovered: nobody can be erased from it "
        "alone. `docs/guides/erase-a-subject.md` says what remains."
    )
