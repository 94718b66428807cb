"""Electronic signatures over records (21 CFR 11.50, 11.70, 11.200), as DSSE envelopes.

A signature binds a person, a meaning and an instant to the SHA-256 of a record's bytes. Moved to
another record, another version or other bytes it fails (P7). It is made with the deployment's
signing key after the person has authenticated again; never with the log's key. The reason that
the person gave is in the entry's body, not here: facts hold no free text.

DSSE: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audits.estimate import Json
from governance.errors import GovernanceError
from governance.ledger.core import canonical
from governance.ledger.core.encoding import base64_bytes, base64_text
from governance.ledger.core.errors import NotCanonical

PAYLOAD_TYPE: Final = "application/vnd.oncovigil.esig.v1+json"


class SignatureRejected(GovernanceError):
    """The signature does not belong to this record, or its bytes were changed."""

    code = "signature.rejected"
    http_status = 409
    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is signed."""

    record_type: str
    record: str
    record_sha256: str
    meaning: str
    signer: str
    printed_name: str
    auth_methods: tuple[str, ...]
    t_us: int

    def as_json(self) -> dict[str, Json]:
        """Return the payload's members."""
        return {
            "record_type": self.record_type,
            "record": self.record,
            "record_sha256": self.record_sha256,
            "meaning": self.meaning,
            "signer": self.signer,
            "printed_name": self.printed_name,
            "auth_methods": list(self.auth_methods),
            "t_us": self.t_us,
        }


def pre_authentication_encoding(payload: bytes) -> bytes:
    """Return DSSE's PAE of the payload: the bytes that the key signs."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(statement: Statement, *, key: Ed25519PrivateKey) -> str:
    """Return the envelope as canonical JSON text."""
    payload = canonical.dumps(statement.as_json())
    signature = key.sign(pre_authentication_encoding(payload))
    envelope: dict[str, Json] = {
        "payload": base64_text(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": base64_text(signature)}],
    }
    return canonical.dumps(envelope).decode()


def verify(envelope: str, *, key: Ed25519PublicKey, expected: Mapping[str, Json]) -> None:
    """Raise SignatureRejected unless the envelope is ours and says what `expected` says.

    `expected` holds payload members that must be equal, at least the record's type, id, digest
    and meaning: that is what makes a transplanted signature fail.
    """
    payload, signature = _parts(envelope)
    try:
        key.verify(signature, pre_authentication_encoding(payload))
        statement = canonical.loads(payload)
    except (InvalidSignature, NotCanonical) as error:
        raise _rejected("its bytes were changed or another key made it") from error
    if not isinstance(statement, dict):
        raise _rejected("its payload is not an object")
    for member, value in expected.items():
        if statement.get(member) != value:
            raise _rejected(f"it was made for another {member}")


def _parts(envelope: str) -> tuple[bytes, bytes]:
    """Return payload and signature of an envelope with exactly one signature."""
    try:
        outer = canonical.loads(envelope.encode())
    except NotCanonical as error:
        raise _rejected("its envelope is not canonical JSON") from error
    match outer:
        case {
            "payload": str(payload),
            "payloadType": str(kind),
            "signatures": [{"sig": str(signature)}],
        } if kind == PAYLOAD_TYPE:
            parts = (base64_bytes(payload), base64_bytes(signature))
            if parts[0] is None or parts[1] is None:
                raise _rejected("its envelope is not base64 as we write it")
            return parts[0], parts[1]
    raise _rejected("it is not an OncoVigil signature")


def _rejected(why: str) -> SignatureRejected:
    return SignatureRejected(
        f"the signature is not valid for this record: {why}",
        next_step="treat the record as unsigned and run `vigil ledger rebuild --check`",
    )
