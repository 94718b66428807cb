"""Seals on documents: what they say of bytes, and what they refuse to say."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader, PdfWriter

from governance.adapters.pdf_seal import (
    SEAL_NAME,
    Seal,
    SealUnusable,
    check_seal,
    demonstration_seal,
    seal_of,
    seal_pdf,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW_US = 1_790_000_000_000_000


@pytest.fixture(scope="module")
def seal() -> Seal:
    # Validity counts from the clock of whoever checks, so it begins well before today.
    return demonstration_seal(organisation="st-olav", now_us=NOW_US - 10**13)


@pytest.fixture(scope="module")
def document() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(width=200, height=200)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


@pytest.fixture(scope="module")
def sealed(document: bytes, seal: Seal) -> bytes:
    return seal_pdf(document, seal, reason="Reviewed by Rea")


def test_a_sealed_document_holds_under_its_root_and_keeps_the_bytes_before_it(
    document: bytes, sealed: bytes, seal: Seal
) -> None:
    found = check_seal(sealed, root=seal.root)
    assert found.holds
    assert "st-olav" in found.signer
    assert sealed.startswith(document)
    assert len(PdfReader(io.BytesIO(sealed)).pages) == 1


def test_another_deployments_root_does_not_trust_it(sealed: bytes) -> None:
    other = demonstration_seal(organisation="st-olav", now_us=NOW_US - 10**13)
    found = check_seal(sealed, root=other.root)
    assert found.intact
    assert not found.trusted
    assert not found.holds


def test_a_flipped_byte_anywhere_outside_the_signature_itself_is_found(
    sealed: bytes, seal: Seal
) -> None:
    """The signature's own place holds padding that says nothing; all else is covered."""
    start = sealed.index(b"/Contents <") + len(b"/Contents ")
    end = sealed.index(b">", start) + 1
    outside = [*range(0, start, 37), *range(end, len(sealed), 37)]
    assert len(outside) > 30
    for at in outside:
        changed = bytearray(sealed)
        changed[at] ^= 1
        try:
            found = check_seal(bytes(changed), root=seal.root)
        except SealUnusable:
            continue
        assert not found.holds, at


def test_something_appended_after_the_seal_is_not_covered(sealed: bytes, seal: Seal) -> None:
    writer = PdfWriter(io.BytesIO(sealed), incremental=True)
    writer.add_blank_page(width=50, height=50)
    output = io.BytesIO()
    writer.write(output)
    try:
        found = check_seal(output.getvalue(), root=seal.root)
    except SealUnusable:
        return
    assert not found.holds


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"not a document" * 100])
def test_what_is_no_sealed_document_is_refused(content: bytes, seal: Seal) -> None:
    with pytest.raises(SealUnusable) as refused:
        check_seal(content, root=seal.root)
    assert refused.value.code == "report.seal_unusable"
    assert refused.value.next_step


def test_an_unsealed_document_is_refused(document: bytes, seal: Seal) -> None:
    with pytest.raises(SealUnusable):
        check_seal(document, root=seal.root)


def test_the_seal_of_a_folder_is_made_once_and_private(tmp_path: Path) -> None:
    first = seal_of(tmp_path, organisation="st-olav", now_us=NOW_US)
    assert seal_of(tmp_path, organisation="st-olav", now_us=NOW_US + 1) == first
    assert {path.name for path in tmp_path.iterdir()} == {SEAL_NAME}
    assert (tmp_path / SEAL_NAME).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", [0, 100, 400])
def test_half_a_seal_is_refused_and_not_replaced(tmp_path: Path, kept: int) -> None:
    seal_of(tmp_path, organisation="st-olav", now_us=NOW_US)
    path = tmp_path / SEAL_NAME
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SealUnusable):
        seal_of(tmp_path, organisation="st-olav", now_us=NOW_US)
    assert len(path.read_bytes()) == kept


def test_a_key_beside_another_certificate_is_refused_before_anybody_signs(tmp_path: Path) -> None:
    one, other = (demonstration_seal(organisation="st-olav", now_us=NOW_US) for _ in range(2))
    (tmp_path / SEAL_NAME).write_bytes(one.key + b"".join(other.chain))
    with pytest.raises(SealUnusable):
        seal_of(tmp_path, organisation="st-olav", now_us=NOW_US)


def test_a_key_of_another_certificate_seals_nothing(document: bytes, seal: Seal) -> None:
    other = demonstration_seal(organisation="st-olav", now_us=NOW_US)
    with pytest.raises(SealUnusable):
        seal_pdf(document, Seal(key=other.key, chain=seal.chain), reason="x")
