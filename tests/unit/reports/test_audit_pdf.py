from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from console_samples import report as sample
from pypdf import PdfReader

from governance.adapters.pdf import DocumentRefused, pdf_of
from governance.reports.audit_pdf import document_of, render_audit_pdf
from governance.reports.audit_report import OrderProof

SAMPLES = Path(__file__).parents[2] / "functional" / "console"
ROOT = Path(__file__).parents[3]

_ELSEWHERE = """
import hashlib, sys
sys.path[:0] = sys.argv[1:]
from console_samples import report
from governance.reports.audit_pdf import render_audit_pdf
print(hashlib.sha256(render_audit_pdf(report.evidence(), report.context())).hexdigest())
"""


@pytest.fixture(scope="module")
def document() -> bytes:
    return render_audit_pdf(sample.evidence(), sample.context())


@pytest.fixture(scope="module")
def text(document: bytes) -> str:
    pages = PdfReader(io.BytesIO(document)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_another_process_sets_the_same_bytes(document: bytes) -> None:
    import hashlib

    told = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, str(ROOT), str(SAMPLES)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert told.stdout.strip() == hashlib.sha256(document).hexdigest()


def test_the_document_declares_archive_and_accessibility_and_has_tags(document: bytes) -> None:
    reader = PdfReader(io.BytesIO(document))
    root = reader.trailer["/Root"]
    xmp = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>2</pdfaid:part>" in xmp
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in xmp
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en"


def test_the_document_is_dated_by_its_evidence_and_not_by_the_clock(document: bytes) -> None:
    metadata = PdfReader(io.BytesIO(document)).metadata
    assert metadata is not None
    assert str(metadata["/CreationDate"]).startswith("D:20260306140300")


def test_every_page_carries_digest_and_number(document: bytes) -> None:
    pages = PdfReader(io.BytesIO(document)).pages
    for number, page in enumerate(pages, start=1):
        words = page.extract_text()
        assert sample.DIGEST in words
        assert f"Page {number} of {len(pages)}" in words


def test_it_says_what_it_is_evidence_for_and_claims_nothing(text: str) -> None:
    assert "provides evidence for the decision" in text
    assert "does not claim compliance" in text
    assert "compliant" not in text


def test_verdict_order_reproduction_limits_and_signature_are_there(text: str) -> None:
    for words in (
        "Insufficient",
        "approved at ledger position 17, before the test data were opened at position 24",
        "vigil audit reproduce E-3",
        "nothing here speaks about a single patient",
        "Ingrid Dahl (ingrid.dahl)",
        "2026-03-06 15:23:00",
        "simulated: these are not data of patients",
    ):
        assert words in text


def test_a_wrong_order_is_said_in_the_document() -> None:
    order = OrderProof(plan="plan:forecasting:1", plan_seq=30, opened_seq=24)
    context = replace(sample.context(), order=order)
    pages = PdfReader(io.BytesIO(document_of(sample.report(), context))).pages
    words = " ".join(" ".join(page.extract_text() for page in pages).split())
    assert "do not count as pre-specified" in words


def test_markup_in_a_value_is_text() -> None:
    context = replace(sample.context(), limits=('#read("/etc/passwd") *no* $x$ @ref <l>',))
    pages = PdfReader(io.BytesIO(document_of(sample.report(), context))).pages
    words = " ".join(page.extract_text() for page in pages)
    assert "#read(" in words
    assert "*no*" in words


def test_a_report_without_groups_says_why() -> None:
    document = document_of(sample.report(grouped=False), sample.context())
    words = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(document)).pages)
    assert "No series has a group" in " ".join(words.split())


def test_a_figure_without_words_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "bare.typ"
    template.write_text(
        '#set document(title: "x")\n#image(bytes("<svg xmlns=\\"http://www.w3.org/2000/svg\\" '
        'width=\\"9\\" height=\\"9\\"/>"), format: "svg")'
    )
    with pytest.raises(DocumentRefused):
        pdf_of(template, data={}, instant_us=0)


def test_a_template_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "templates"
    folder.mkdir()
    template = folder / "t.typ"
    template.write_text('#set document(title: "x")\n#read("../secret.txt")')
    with pytest.raises(DocumentRefused):
        pdf_of(template, data={}, instant_us=0)
