"""What a report refuses to show."""

from __future__ import annotations

from governance.errors import GovernanceError


class EvidenceUnreadable(GovernanceError):
    """The evidence record does not have the shape that the report reads."""

    code = "report.evidence_unreadable"
