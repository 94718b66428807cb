"""Whose signature lines stand under a checkpoint, each judged by itself.

A verifier refuses a note at the first bad signature of a known key (`note.verified_signatures`).
People who look at a stored note want to know which line that is; here each is named.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from governance.ledger.core.errors import NoteRejected
from governance.ledger.core.note import Signature, VerifierKey, parse_note
from governance.ledger.core.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerLine:
    """One line. `name` is the policy's for a witness, else the one that the line itself gives.

    `who` is "unknown" for a key that is neither the log's nor in the policy: it counts for nothing.
    `valid` is None there, because nothing could be verified. `time_s` is a witness's own clock.
    """

    who: Literal["log", "witness", "unknown"]
    name: str
    key_id: str
    valid: bool | None
    time_s: int | None
    text: str


def signer_lines(
    note: bytes, *, log_keys: Iterable[VerifierKey], policy: Policy
) -> tuple[SignerLine, ...]:
    """Return every signature line of the note, in its order; raise NoteRejected for no note."""
    parsed = parse_note(note)
    texts = note.decode("utf-8").rpartition("\n\n")[2][:-1].split("\n")
    logs = {(key.name, key.key_id): key for key in log_keys}
    witnesses = {(one.key.name, one.key.key_id): one for one in policy.witnesses}
    lines = []
    for line, text in zip(parsed.signatures, texts, strict=True):
        place = (line.name, line.key_id)
        witness = witnesses.get(place)
        if place in logs:
            lines.append(_known("log", line.name, logs[place], line, (parsed.text, text)))
        elif witness is not None:
            lines.append(_known("witness", witness.name, witness.key, line, (parsed.text, text)))
        else:
            lines.append(
                SignerLine(
                    who="unknown",
                    name=line.name,
                    key_id=line.key_id.hex(),
                    valid=None,
                    time_s=None,
                    text=text,
                )
            )
    return tuple(lines)


def _known(
    who: Literal["log", "witness"],
    name: str,
    key: VerifierKey,
    line: Signature,
    note: tuple[str, str],
) -> SignerLine:
    signed, text = note
    valid, time_s = True, None
    try:
        time_s = key.verify(text=signed, signature=line.signature)
    except NoteRejected:
        valid = False
    return SignerLine(
        who=who, name=name, key_id=key.key_id.hex(), valid=valid, time_s=time_s, text=text
    )
