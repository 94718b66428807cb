"""Pages that only read: home, models, documents, people, monitor runs and findings."""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from change_control.scope import Scope
from change_control.watch.trail_review import SIGNERS
from governance.console.pages.trail import trail_state
from governance.console.views.home import home_view
from governance.console.views.models import StandingIn, model_lines, model_view
from governance.console.views.people import people_view
from governance.console.views.watch import WatchView, finding_view, run_view
from governance.console.visit import Visit
from governance.operations.inspect.standing_of import PlaceStanding
from governance.operations.trail.list_trail_reviews import TRAIL_OVERDUE
from governance.registry.records import Document, Finding, Signature
from governance.reports.monitor_report import trigger_chart
from governance.storage.ports import Reader


def home(visit: Visit) -> Response:
    """Show what waits."""
    trail, everywhere = trail_state(visit), Scope(organisation=visit.desk.organisation)
    with visit.desk.reader() as reader:
        waiting = visit.desk.reviews_waiting(reader, actor=visit.actor, now_us=visit.now_us)
        view = home_view(
            reader,
            waiting=waiting,
            head=visit.desk.ledger_head(),
            trail=trail,
            may_review_trail=bool(visit.actor.roles(everywhere) & SIGNERS),
            now_us=visit.now_us,
        )
    return visit.show("home.html", view=view)


def models(visit: Visit) -> Response:
    """List the models."""
    with visit.desk.reader() as reader:
        lines = model_lines(reader, standing_in=lambda name: _standing_in(visit, reader, name))
    return visit.show("models.html", lines=lines)


def model(visit: Visit) -> Response:
    """Show one model."""
    name = visit.path("model")
    with visit.desk.reader() as reader:
        view = model_view(reader, name, standing_in=_standing_in(visit, reader, name))
    return visit.show("model.html", view=view, before=visit.log_before)


def document(visit: Visit) -> Response:
    """Show a document's content and the signatures over it."""
    with visit.desk.reader() as reader:
        shown = reader.require(Document, visit.path("document"))
        content = json.loads(reader.blob(shown.digest))
        signatures = reader.find(Signature, record_digest=shown.digest)
    return visit.show("document.html", document=shown, content=content, signatures=signatures)


def people(visit: Visit) -> Response:
    """Show who can act."""
    with visit.desk.reader() as reader:
        view = people_view(reader)
    return visit.show("people.html", view=view)


def run(visit: Visit) -> Response:
    """Show one run of a monitor."""
    with visit.desk.reader() as reader:
        view = run_view(reader, visit.path("run"), now_us=visit.now_us)
    return _watch(visit, view)


def finding(visit: Visit) -> Response:
    """Show one finding with the run that raised it."""
    with visit.desk.reader() as reader:
        found = reader.require(Finding, visit.path("finding"))
        if found.rule == TRAIL_OVERDUE:  # it is of the deployment, and its review is of the trail
            return RedirectResponse(f"/trail/reviews/{found.review}", status_code=303)
        view = finding_view(reader, visit.path("finding"), now_us=visit.now_us)
    return _watch(visit, view)


def _watch(visit: Visit, view: WatchView) -> Response:
    chart = trigger_chart(view.report) if view.report and view.report.path else None
    address = visit.picture(chart) if chart else None
    return visit.show(
        "watch.html", view=view, chart=chart, address=address, before=visit.log_before
    )


def _standing_in(visit: Visit, reader: Reader, name: str) -> StandingIn:
    def standings(scope: Scope) -> Sequence[PlaceStanding]:
        return visit.desk.standings(reader, model=name, scope=scope, now_us=visit.now_us)

    return standings
