"""Signed notes and verifier keys (c2sp.org/signed-note).

    note = text, ending in a newline || newline || one or more signature lines
    line = EM DASH, space, key name, space, base64(key id (4 bytes) || signature), newline
    key id = SHA-256(name || newline || type byte || public key)[:4]
    verifier key = name "+" key id in 8 hex digits "+" base64(type byte || public key)

Signatures of unknown keys are ignored, so that keys can rotate and witnesses be added. A bad
signature of a known key rejects the whole note: it is never noise. The text means nothing until
`open_note` returned it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.ledger.core import cosignature, ed25519
from governance.ledger.core.encoding import base64_bytes, base64_text
from governance.ledger.core.errors import NoteRejected

ED25519: Final = 0x01
COSIGNATURE_V1: Final = 0x04

# 64 kB hold the text and the signatures of any policy that one can read, and bound the work that
# an unauthenticated sender can cause. The specification demands at least 16 signatures.
MAX_NOTE_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 64

_DASH: Final = "\N{EM DASH} "
_KEY_ID_BYTES: Final = 4

_NEXT_KEY: Final = "Copy the verifier key again from its owner: name+keyid+base64."
_NEXT_NOTE: Final = "Fetch the note again from its source and change no byte of it."


# Control characters and lone surrogates; in a name any space and the plus sign as well.
_NOT_TEXT: Final = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_NOT_NAME: Final = re.compile("[\\s\x00-\x1f+\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key under a name: what a reader pins. Construction refuses unusable keys."""

    name: str
    algorithm: int
    public_key: bytes
    key_id: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.algorithm not in (ED25519, COSIGNATURE_V1):
            raise NoteRejected(
                f"signature type 0x{self.algorithm:02x} is not supported", next_step=_NEXT_KEY
            )
        ed25519.check_public_key(self.public_key)
        identified = self.name.encode() + b"\n" + bytes((self.algorithm,)) + self.public_key
        object.__setattr__(self, "key_id", sha256(identified).digest()[:_KEY_ID_BYTES])

    @classmethod
    def of(
        cls, private_key: Ed25519PrivateKey, *, name: str, algorithm: int = ED25519
    ) -> VerifierKey:
        """Return the verifier key of `private_key`."""
        return cls(name=name, algorithm=algorithm, public_key=ed25519.public_bytes(private_key))

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Return the key written as name+keyid+base64; raise NoteRejected."""
        name, plus, rest = text.partition("+")
        key_id, second, encoded = rest.partition("+")
        raw = base64_bytes(encoded)
        if not (plus and second and raw):
            raise NoteRejected("a verifier key is name+keyid+base64", next_step=_NEXT_KEY)
        key = cls(name=name, algorithm=raw[0], public_key=raw[1:])
        if key.key_id.hex() != key_id:
            raise NoteRejected("the key id does not belong to the key", next_step=_NEXT_KEY)
        return key

    def text(self) -> str:
        """Return name+keyid+base64."""
        encoded = base64_text(bytes((self.algorithm,)) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def verify(self, *, text: str, signature: bytes) -> int | None:
        """Return the time of a cosignature, None for a plain signature; raise NoteRejected."""
        if self.algorithm == COSIGNATURE_V1:
            return cosignature.verify(public_key=self.public_key, signature=signature, text=text)
        ed25519.verify(public_key=self.public_key, signature=signature, message=text.encode())
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line, not verified."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note that has the right form; nothing about it is verified."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """A signature that verified. `time_s` is the POSIX second of a cosignature, else None."""

    key: VerifierKey
    time_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedNote:
    """A text and the known keys that signed it (at least one)."""

    text: str
    signatures: tuple[VerifiedSignature, ...]


def sign(text: str, *, name: str, private_key: Ed25519PrivateKey) -> bytes:
    """Return the note of `text` with one Ed25519 signature under the key name `name`."""
    key = _own_key(private_key, name)
    signature = private_key.sign(_checked_text(text).encode())
    return f"{text}\n{signature_line(key=key, signature=signature)}".encode()


def cosign(note: bytes, *, name: str, private_key: Ed25519PrivateKey, time_s: int) -> str:
    """Return the line by which the witness `name` cosigns the text of `note` (key type 0x04).

    The caller is the witness and has verified signature and consistency before.
    """
    key = VerifierKey.of(private_key, name=name, algorithm=COSIGNATURE_V1)
    text = parse_note(note).text
    return signature_line(
        key=key, signature=cosignature.sign(text=text, time_s=time_s, private_key=private_key)
    )


@lru_cache(maxsize=16)
def _own_key(private_key: Ed25519PrivateKey, name: str) -> VerifierKey:
    """Return the key's public half; deriving it costs as much as the signature."""
    return VerifierKey.of(private_key, name=name)


def signature_line(*, key: VerifierKey, signature: bytes) -> str:
    """Return one signature line with its newline."""
    return f"{_DASH}{key.name} {base64_text(key.key_id + signature)}\n"


def with_lines(note: bytes, lines: Iterable[str]) -> bytes:
    """Return `note` with more signature lines, in the order given; raise NoteRejected.

    The text and the lines that are there keep every byte, so the log's signature stays valid.
    """
    # "surrogatepass": text that is not Unicode becomes bytes that the parser refuses by its rule.
    extended = note + "".join(lines).encode("utf-8", "surrogatepass")
    parse_note(extended)
    return extended


def parse_note(raw: bytes) -> Note:
    """Return text and signature lines of a note; raise NoteRejected for another form."""
    if len(raw) > MAX_NOTE_BYTES:
        raise _rejected(f"the note has more than {MAX_NOTE_BYTES} bytes")
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _rejected("the note is not UTF-8") from error
    # The text may hold empty lines; the last one in the note ends it.
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise _rejected("a note is a text, an empty line and signature lines")
    signatures = lines[:-1].split("\n")
    if len(signatures) > MAX_SIGNATURES:
        raise _rejected(f"the note has more than {MAX_SIGNATURES} signatures")
    return Note(
        text=_checked_text(text + "\n"),
        signatures=tuple(_parse_line(line) for line in signatures),
    )


def verified_signatures(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifiedSignature, ...]:
    """Return the signatures of known keys, in the order of the note; raise on a bad one.

    May be empty. A key that signed twice (a witness at two times) is listed twice: who counts,
    counts distinct public keys.
    """
    known = {(key.name, key.key_id): key for key in keys}
    verified = []
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is not None:
            time_s = key.verify(text=note.text, signature=line.signature)
            verified.append(VerifiedSignature(key=key, time_s=time_s))
    return tuple(verified)


def open_note(raw: bytes, keys: Iterable[VerifierKey]) -> OpenedNote:
    """Return the text of a note that a known key signed; raise NoteRejected otherwise."""
    note = parse_note(raw)
    signatures = verified_signatures(note, keys)
    if not signatures:
        raise _rejected("no known key signed the note")
    return OpenedNote(text=note.text, signatures=signatures)


def _parse_line(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    raw = base64_bytes(encoded)
    if not line.startswith(_DASH) or not space or raw is None or len(raw) <= _KEY_ID_BYTES:
        raise _rejected("a signature line is a dash, a key name and base64")
    _check_name(name)
    return Signature(name=name, key_id=raw[:_KEY_ID_BYTES], signature=raw[_KEY_ID_BYTES:])


def _check_name(name: str) -> None:
    if not name or _NOT_NAME.search(name):
        raise NoteRejected("a key name is empty or has a space or a plus", next_step=_NEXT_KEY)


def _checked_text(text: str) -> str:
    if not text.endswith("\n"):
        raise _rejected("the text of a note ends in a newline")
    if _NOT_TEXT.search(text):
        raise _rejected("the note has a control character")
    return text


def _rejected(message: str) -> NoteRejected:
    return NoteRejected(message, next_step=_NEXT_NOTE)
