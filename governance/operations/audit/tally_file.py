"""A tally as a site hands it over: canonical JSON in a DSSE envelope under the deployment's key.

    payload       {"format", "organisation", "sites", "made_us", "merged_from", "tally"}
    payloadType   application/vnd.oncovigil.tally.v1+json
    signatures    one, by the key `<log origin>/tallies`

This is the organisation's signature, made by the deployment and not by a person: it says where the
counts come from, and approves nothing (P6, P7). The payload's type keeps it apart from electronic
signatures, which the same key makes. Whoever receives files pins the key of each sender, handed
over by another way. A key signs for its own organisation alone; a merged file names the SHA-256 of
each file that it was made from.
DSSE: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audits.estimate import Json
from change_control.errors import ChangeControlError
from change_control.scope import Scope
from governance.errors import GovernanceError
from governance.home import Home
from governance.ledger.core import canonical, ed25519
from governance.ledger.core.encoding import base64_bytes, base64_text
from governance.ledger.core.errors import NotCanonical, NoteRejected
from governance.ledger.core.note import ED25519, VerifierKey

FORMAT: Final = "site-tally/1"
PAYLOAD_TYPE: Final = "application/vnd.oncovigil.tally.v1+json"
KEY_SUFFIX: Final = "/tallies"


class TallyFileRejected(GovernanceError):
    """The file is no tally of ours, was changed, or is signed by nobody whose key is pinned."""

    code = "tally.file_rejected"
    http_status = 422
    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyFile:
    """What a file says. `sites` are "organisation/site", in order; `tally` is its record."""

    organisation: str
    sites: tuple[str, ...]
    made_us: int
    merged_from: tuple[str, ...]
    tally: Json

    def as_json(self) -> dict[str, Json]:
        """Return the payload's members."""
        return {
            "format": FORMAT,
            "organisation": self.organisation,
            "sites": list(self.sites),
            "made_us": self.made_us,
            "merged_from": list(self.merged_from),
            "tally": self.tally,
        }


def key_of(home: Home) -> VerifierKey:
    """Return the key that receivers of this deployment's files pin."""
    return VerifierKey.of(home.signature_key(), name=home.origin + KEY_SUFFIX)


def signed(file: TallyFile, *, key: Ed25519PrivateKey) -> str:
    """Return the envelope as canonical JSON text; raise NotCanonical where it is too large."""
    payload = canonical.dumps(file.as_json())
    envelope: dict[str, Json] = {
        "payload": base64_text(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": base64_text(key.sign(_encoded(payload)))}],
    }
    return canonical.dumps(envelope).decode()


def opened(text: str, *, pinned: Sequence[VerifierKey]) -> TallyFile:
    """Return what the file says, where a pinned key signed it; raise TallyFileRejected."""
    payload, signature = _parts(text)
    signer = _signer(payload, signature, pinned)
    try:
        record = canonical.loads(payload)
    except NotCanonical as error:
        raise rejected("its payload is not canonical JSON") from error
    file = _read(record)
    if signer.name.partition("/")[0] != file.organisation:
        raise rejected("it was signed with the key of another organisation")
    alone = file.sites == (f"{file.organisation}/{file.sites[0].partition('/')[2]}",)
    if not file.merged_from and not alone:
        raise rejected("it is no merged file, yet names other sites than one of its own")
    return file


def digest_of_file(text: str) -> str:
    """Return the SHA-256 by which the ledger and merged files name a file."""
    return sha256(text.encode()).hexdigest()


def pinned_key(text: str) -> VerifierKey:
    """Return a key that somebody wants to pin; raise TallyFileRejected."""
    try:
        key = VerifierKey.parse(text.strip())
    except NoteRejected as error:
        raise rejected("a pinned key cannot be read") from error
    if key.algorithm != ED25519 or not key.name.endswith(KEY_SUFFIX):
        raise rejected("a pinned key is not one that signs tallies")
    return key


def rejected(why: str) -> TallyFileRejected:
    """Return the refusal."""
    return TallyFileRejected(
        f"the tally file is not accepted: {why}",
        next_step="ask the site for the file again and change no byte of it; compare its key, "
        "`vigil audit tally key`, by another way",
    )


def _encoded(payload: bytes) -> bytes:
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _signer(payload: bytes, signature: bytes, pinned: Sequence[VerifierKey]) -> VerifierKey:
    for key in pinned:
        try:
            ed25519.verify(
                public_key=key.public_key, signature=signature, message=_encoded(payload)
            )
        except NoteRejected:
            continue  # not this one; where none fits the file is refused below
        return key
    raise rejected("no pinned key signed it")


def _parts(text: str) -> tuple[bytes, bytes]:
    try:
        outer = canonical.loads(text.encode())
    except NotCanonical as error:
        raise rejected("its envelope is not canonical JSON") from error
    match outer:
        case {
            "payload": str(payload),
            "payloadType": str(kind),
            "signatures": [{"sig": str(signature)}],
            **others,
        } if kind == PAYLOAD_TYPE and not others:
            parts = base64_bytes(payload), base64_bytes(signature)
            if parts[0] is not None and parts[1] is not None:
                return parts[0], parts[1]
    raise rejected("it is not an envelope of ours")


def _read(record: Json) -> TallyFile:
    match record:
        case {
            "format": str(form),
            "organisation": str(organisation),
            "sites": [_, *_] as sites,
            "made_us": int(made_us),
            "merged_from": list(merged_from),
            "tally": dict(tally),
            **others,
        } if form == FORMAT and not others:
            names = tuple(_site(one) for one in sites)
            sources = tuple(one for one in merged_from if isinstance(one, str))
            if list(names) != sorted(set(names)) or len(sources) != len(merged_from):
                raise rejected("its sites are not in order, each once")
            return TallyFile(
                organisation=organisation,
                sites=names,
                made_us=made_us,
                merged_from=sources,
                tally=tally,
            )
    raise rejected("its payload has another form")


def _site(value: Json) -> str:
    try:
        scope = Scope.parse(value if isinstance(value, str) else "")
    except ChangeControlError as error:
        raise rejected("it names no site") from error
    if scope.is_every_site:
        raise rejected("it names no single site")
    return str(scope)
