"""Seals on documents: PAdES baseline B-B signatures by the deployment, checked by any PDF reader.

The certificate comes from a demonstration authority of the home's own, which nobody else trusts: it
shows that the bytes are those that left this deployment, not who the deployment is. An operator
puts a key and a chain of a real authority in its place (`seal.pem`: the key, the seal's
certificate, then the authorities above it).

Source: ETSI EN 319 142-1, clause 6 (PAdES baseline B-B); ISO 32000-2, 12.8 (signatures as
incremental updates). A seal is not a person's signature: that stands in the ledger, bound to the
evidence's digest, and its manifestation is on the sealed page (P7).
"""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from governance.errors import GovernanceError

SEAL_NAME: Final = "seal.pem"
"""Key and certificates in one file, so that there is never half a seal."""
FIELD: Final = "Seal"
_YEARS: Final = 10


class SealUnusable(GovernanceError):
    """The key or the chain of the document seal cannot be used."""

    code = "report.seal_unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The deployment's document key (PEM) and its certificates (PEM, the seal's own first)."""

    key: bytes
    chain: tuple[bytes, ...]

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the seal's certificate."""
        certificate = x509.load_pem_x509_certificate(self.chain[0])
        return certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def root(self) -> bytes:
        """Return the certificate (PEM) that a checker has to trust."""
        return self.chain[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealChecked:
    """What a check of a sealed document found."""

    intact: bool
    """The signed bytes are as they were signed."""
    trusted: bool
    """The certificate leads to the root that was given."""
    whole: bool
    """Nothing was added to the document after the seal."""
    signer: str

    @property
    def holds(self) -> bool:
        """Whether the document is what was sealed, all of it."""
        return self.intact and self.trusted and self.whole


def seal_of(folder: Path, *, organisation: str, now_us: int) -> Seal:
    """Return the seal kept in `folder`, made there by a demonstration authority where none is.

    Raises SealUnusable where the files are there and cannot be used.
    """
    path = folder / SEAL_NAME
    if not path.exists():
        made = demonstration_seal(organisation=organisation, now_us=now_us)
        _write(path, made.key + b"".join(made.chain))
    try:
        content = path.read_bytes()
        chain = x509.load_pem_x509_certificates(content)
        key = serialization.load_pem_private_key(content, password=None)
        same = _public_bytes(key.public_key()) == _public_bytes(chain[0].public_key())
    except (OSError, ValueError, TypeError) as error:
        raise _unusable() from error
    if not same:
        raise _unusable()
    return Seal(
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        chain=tuple(one.public_bytes(serialization.Encoding.PEM) for one in chain),
    )


def demonstration_seal(*, organisation: str, now_us: int) -> Seal:
    """Return a new seal under a new authority of its own, both good for ten years."""
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _name(organisation, "OncoVigil demonstration authority")
    own = _name(organisation, "OncoVigil document seal")
    now = datetime.fromtimestamp(now_us // 1_000_000, tz=UTC)
    root = _certificate(issuer, issuer, authority.public_key(), now=now, authority=True)
    leaf = _certificate(own, issuer, key.public_key(), now=now, authority=False)
    return Seal(
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        chain=tuple(
            one.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            for one in (leaf, root)
        ),
    )


def seal_pdf(document: bytes, seal: Seal, *, reason: str) -> bytes:
    """Return the document with a PAdES seal appended; the bytes before it stay as they are.

    Raises SealUnusable where the key does not belong to the certificate or cannot be read.
    """
    from asn1crypto import keys
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import signers
    from pyhanko.sign.fields import SigSeedSubFilter
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    chain = [_asn1(one) for one in seal.chain]
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple(chain)
    try:
        private = serialization.load_pem_private_key(seal.key, password=None)
        own = x509.load_pem_x509_certificate(seal.chain[0]).public_key()
        same = _public_bytes(private.public_key()) == _public_bytes(own)
    except (ValueError, TypeError) as error:
        raise _unusable() from error
    if not same:
        raise _unusable()
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signer = signers.SimpleSigner(
        signing_cert=chain[0], signing_key=keys.PrivateKeyInfo.load(der), cert_registry=store
    )
    metadata = signers.PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        reason=reason,
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
    )
    output = io.BytesIO()
    signers.PdfSigner(metadata, signer, timestamper=None).sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(document)), output=output
    )
    return output.getvalue()


def check_seal(document: bytes, *, root: bytes) -> SealChecked:
    """Check the seal of a document against the certificate (PEM) that the checker trusts.

    Raises SealUnusable where there is no seal or the file is not a PDF that can be read; with
    documents of strangers any doubt is a refusal.
    """
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko_certvalidator import ValidationContext

    try:
        signatures = PdfFileReader(io.BytesIO(document)).embedded_signatures
        if len(signatures) != 1:
            raise _not_sealed()
        status: Any = validate_pdf_signature(
            signatures[0], ValidationContext(trust_roots=[_asn1(root)], allow_fetching=False)
        )
    except (PdfError, SignatureValidationError, ValueError, KeyError, IndexError) as error:
        raise _not_sealed() from error
    from pyhanko.sign.validation.status import SignatureCoverageLevel

    return SealChecked(
        intact=bool(status.intact and status.valid),
        trusted=bool(status.trusted),
        whole=status.coverage is SignatureCoverageLevel.ENTIRE_FILE,
        signer=str(status.signing_cert.subject.human_friendly),
    )


def _name(organisation: str, what: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, what),
        ]
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    authority: bool,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(
            x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                content_commitment=not authority,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority,
                crl_sign=authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )


def _public_bytes(key: Any) -> bytes:
    content: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return content


def _asn1(certificate: bytes) -> Any:
    from asn1crypto import x509 as asn1_x509

    parsed = x509.load_pem_x509_certificate(certificate)
    return asn1_x509.Certificate.load(parsed.public_bytes(serialization.Encoding.DER))


def _write(path: Path, content: bytes) -> None:
    """Put a private file in its place whole; one that is there already stays."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".seal-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process made it first: that one is read
            os.link(name, path)
    finally:
        Path(name).unlink()


def _unusable() -> SealUnusable:
    return SealUnusable(
        "the document seal has no readable key and certificate that belong together",
        next_step=f"put back keys/{SEAL_NAME}, or take it away for a new demonstration seal",
    )


def _not_sealed() -> SealUnusable:
    return SealUnusable(
        "this is no document with exactly one seal that can be checked",
        next_step="ask for the document again from where it was sealed",
    )
