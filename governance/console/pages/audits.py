"""The audit report as a page, as a document and as the record itself; and the charts."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from change_control.scope import Scope
from governance.console.visit import Visit
from governance.errors import NotFound, Problem
from governance.operations.audit.sign_report import SIGNERS
from governance.operations.inspect.audit_view import AuditView, audit_view, document_of_view
from governance.registry.records import SealedReport
from governance.reports.audit_charts import charts_of
from governance.reports.rows_report import SIMULATED, RowsReport
from governance.storage.ports import Reader


def report(visit: Visit) -> Response:
    """Show the report."""
    return _page(visit, problem=None, status=200)


def sign(visit: Visit) -> Response:
    """Sign the report as its reader, or show the page again with why it was refused."""
    name = visit.path("evidence")
    try:
        visit.desk.perform(
            visit.actor,
            "audit.sign",
            {
                "evidence": name,
                "password": visit.form.get("password", ""),
                "record_digest": visit.form.get("record_digest", ""),
            },
        )
    except Exception as error:
        problem = Problem.of(error)
        if problem is None or problem.status == 404:
            raise
        # A wrong password at signing does not end the session: it is told beside the form.
        return _page(
            visit, problem=problem, status=403 if problem.status == 401 else problem.status
        )
    return RedirectResponse(f"/evidence/{name}#signatures", status_code=303)


def sealed_pdf(visit: Visit) -> Response:
    """Give a sealed document: exactly the bytes that were sealed."""
    with visit.desk.reader() as reader:
        sealed = reader.require(SealedReport, visit.path("report"))
        if sealed.evidence != visit.path("evidence"):
            raise NotFound(
                "this document is about other evidence", next_step="open the evidence's own page"
            )
        content = reader.blob(sealed.digest)
    return _download(content, "application/pdf", f"{sealed.evidence}-{sealed.id}.pdf")


def _page(visit: Visit, *, problem: Problem | None, status: int) -> Response:
    with visit.desk.reader() as reader:
        view = _view(visit, reader)
    everywhere = Scope(organisation=visit.desk.organisation)
    may_sign = (
        bool(visit.actor.roles(everywhere) & SIGNERS)
        and view.evidence.produced_by != visit.actor.person
    )
    if isinstance(view.report, RowsReport):
        template, charts = "rows_audit.html", view.report.charts
    else:
        template, charts = "audit.html", charts_of(view.report)
    return visit.show(
        template,
        status=status,
        view=view,
        charts=charts,
        pictures={chart.name: visit.picture(chart) for chart in charts},
        simulated=SIMULATED,
        may_sign=may_sign,
        problem=problem,
    )


def report_pdf(visit: Visit) -> Response:
    """Give the report as a document; the same bytes every time."""
    with visit.desk.reader() as reader:
        view = _view(visit, reader)
    document = document_of_view(view)
    return _download(document, "application/pdf", f"{view.evidence.id}.pdf")


def record(visit: Visit) -> Response:
    """Give the evidence record: exactly the bytes that its digest names."""
    with visit.desk.reader() as reader:
        view = _view(visit, reader)
        content = reader.blob(view.evidence.digest)
    return _download(content, "application/json", f"{view.evidence.id}.json")


def chart(visit: Visit) -> Response:
    """Give a chart that a page has drawn."""
    svg = visit.console.gallery.svg(visit.path("digest"))
    response = Response(svg, media_type="image/svg+xml")
    # The address holds the digest of what was drawn, so that it never changes; it stays private.
    response.headers["Cache-Control"] = "private, max-age=3600, immutable"
    return response


def _view(visit: Visit, reader: Reader) -> AuditView:
    return audit_view(
        reader,
        visit.path("evidence"),
        organisation=visit.desk.organisation,
        deployment=visit.desk.deployment,
        before=visit.log_before,
    )


def _download(content: bytes, media_type: str, name: str) -> Response:
    response = Response(content, media_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
