"""The keys of the log as this process knows them now: one place that pen, view and cosigner share.

The pen alone replaces `keys`, when it has committed or met an entry that changes them.
"""

from __future__ import annotations

from governance.ledger.core.log_keys import LogKeys


class KeyRing:
    """Holds the present `LogKeys`; replaced as a whole, so readers need no lock."""

    def __init__(self, keys: LogKeys) -> None:
        self.keys = keys
