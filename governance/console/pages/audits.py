"""The audit report as a page, as a document and as the record itself; and the charts."""

from __future__ import annotations

from starlette.responses import Response

from governance.console.views.audit import AuditView, audit_view
from governance.console.visit import Visit
from governance.reports.audit_charts import charts_of
from governance.reports.audit_pdf import document_of
from governance.reports.rows_pdf import rows_document_of
from governance.reports.rows_report import SIMULATED, RowsReport
from governance.storage.ports import Reader


def report(visit: Visit) -> Response:
    """Show the report."""
    with visit.desk.reader() as reader:
        view = _view(visit, reader)
    if isinstance(view.report, RowsReport):
        pictures = {chart.name: visit.picture(chart) for chart in view.report.charts}
        return visit.show("rows_audit.html", view=view, pictures=pictures, simulated=SIMULATED)
    charts = [(chart, visit.picture(chart)) for chart in charts_of(view.report)]
    return visit.show("audit.html", view=view, charts=charts)


def report_pdf(visit: Visit) -> Response:
    """Give the report as a document; the same bytes every time."""
    with visit.desk.reader() as reader:
        view = _view(visit, reader)
    document = document_of_view(view)
    return _download(document, "application/pdf", f"{view.evidence.id}.pdf")


def document_of_view(view: AuditView) -> bytes:
    """Return the document of either kind of report."""
    if isinstance(view.report, RowsReport):
        return rows_document_of(view.report, view.context)
    return document_of(view.report, view.context)


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
