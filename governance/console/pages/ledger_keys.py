"""The keys that sign the log: those in force, their ranges, and what happened to them."""

from __future__ import annotations

from starlette.responses import Response

from governance.console.views.ledger_keys import keys_page
from governance.console.visit import Visit


def keys(visit: Visit) -> Response:
    """Show the keys and their events."""
    return visit.show("ledger_keys.html", view=keys_page(visit.desk.log_keys()))
