"""The keys of a log over its life: what its entries say of them, each for a range of tree sizes.

    ledger.genesis   vkeys         the keys that it began with: good for every size until retired
    key.rotated      old, new      both sign from the size that this entry completes
    key.retired      retired,      from the size that this entry completes, the key signs no more
                     remaining
    log.closed       successor     nothing follows but what `after_closing` lists

A rotation is stated by both keys, a retirement by the one that remains:

    signature = Ed25519(PAE("application/vnd.oncovigil.log-key.v1+json", statement))
    statement = canonical JSON of {"act": kind, "origin": …, "size": entry's number, …the vkeys}

so an entry that somebody wrote without the keys gives no key any range. PAE is DSSE's. A stolen key
that was retired signs nothing that a reader of the entries accepts: a checkpoint counts only under
a key whose range holds its size (P3). A receipt shows no such entries: its reader has the policy,
and goes on accepting a retired key until the new policy is pinned, unless a quorum is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.ledger.core import canonical, ed25519
from governance.ledger.core.after_closing import AFTER_CLOSING
from governance.ledger.core.canonical import Json
from governance.ledger.core.checkpoint import Checkpoint, VerifiedCheckpoint, open_checkpoint
from governance.ledger.core.encoding import base64_bytes, base64_text
from governance.ledger.core.errors import LedgerTampered, NotCanonical, NoteRejected
from governance.ledger.core.note import ED25519, VerifierKey, parse_note

GENESIS: Final = "ledger.genesis"
KEY_ROTATED: Final = "key.rotated"
KEY_RETIRED: Final = "key.retired"
LOG_CLOSED: Final = "log.closed"
KEY_EVENTS: Final = frozenset({KEY_ROTATED, KEY_RETIRED, LOG_CLOSED})
PAYLOAD_TYPE: Final = "application/vnd.oncovigil.log-key.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpan:
    """A key and the sizes that it may sign: from `first` to `last`, None while it is in force."""

    key: VerifierKey
    first: int
    last: int | None
    since_seq: int

    def holds(self, size: int) -> bool:
        """Return whether a checkpoint of `size` may rest on this key."""
        return self.first <= size and (self.last is None or size <= self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKeys:
    """All keys that the log has had. `closed_seq` is the entry that ended it, if one did."""

    origin: str
    spans: tuple[KeySpan, ...]
    closed_seq: int | None = None

    @classmethod
    def begin(cls, origin: str, vkeys: Json) -> LogKeys:
        """Return the keys that entry 0 names; raise LedgerTampered where it names none."""
        listed = vkeys if isinstance(vkeys, list) else []
        spans = tuple(
            KeySpan(key=_named(text, origin, 0), first=0, last=None, since_seq=0) for text in listed
        )
        if not spans:
            raise LedgerTampered("it names no key of the log", sequence=0)
        return cls(origin=origin, spans=spans)

    @property
    def last_seq(self) -> int:
        """Return the number of the last entry that changed the keys."""
        return max(
            max(span.since_seq, -1 if span.last is None else span.last) for span in self.spans
        )

    @property
    def in_force(self) -> tuple[VerifierKey, ...]:
        """Return the keys that sign the log now, the oldest first; two during a rotation."""
        return tuple(span.key for span in self.spans if span.last is None)

    @property
    def newest(self) -> VerifierKey:
        """Return the key that was added last."""
        return self.in_force[-1]

    def at(self, size: int) -> tuple[VerifierKey, ...]:
        """Return the keys that may sign a checkpoint of `size`."""
        return tuple(span.key for span in self.spans if span.holds(size))

    def open(self, note: bytes, *, also: Iterable[VerifierKey] = ()) -> VerifiedCheckpoint:
        """Return the checkpoint where a key of its size signed it; raise NoteRejected.

        `also` are keys of witnesses, whose lines are verified too.
        """
        if len(self.spans) == 1:
            keys: tuple[VerifierKey, ...] = (self.spans[0].key,)
        else:
            keys = self.at(Checkpoint.parse(parse_note(note).text).size)
        return open_checkpoint(note, origin=self.origin, keys=[*keys, *also])

    def after(self, seq: int, kind: str, facts: Mapping[str, Json]) -> LogKeys:
        """Return the keys after entry `seq`; raise LedgerTampered where it may not say that."""
        self.allow(seq, kind)
        if kind == KEY_ROTATED:
            return self._rotated(seq, facts)
        if kind == KEY_RETIRED:
            return self._retired(seq, facts)
        if kind == LOG_CLOSED:
            return replace(self, closed_seq=seq)
        return self

    def allow(self, seq: int, kind: str) -> None:
        """Raise LedgerTampered where an entry of this kind may not follow the log's closing."""
        if self.closed_seq is not None and kind not in AFTER_CLOSING:
            raise LedgerTampered(
                f"it follows entry {self.closed_seq}, which closed the log, and is of kind {kind}",
                sequence=seq,
            )

    def _rotated(self, seq: int, facts: Mapping[str, Json]) -> LogKeys:
        old, new = (_named(facts.get(name), self.origin, seq) for name in ("old", "new"))
        if self.in_force != (old,):
            raise LedgerTampered("it rotates a key that was not in force alone", sequence=seq)
        if any(span.key.public_key == new.public_key for span in self.spans):
            raise LedgerTampered("it brings a key back that the log has had", sequence=seq)
        said = rotation_statement(origin=self.origin, size=seq, old=old, new=new)
        _check(facts, said, {"old": old, "new": new}, seq)
        added = KeySpan(key=new, first=seq + 1, last=None, since_seq=seq)
        return replace(self, spans=(*self.spans, added))

    def _retired(self, seq: int, facts: Mapping[str, Json]) -> LogKeys:
        retired, remaining = (
            _named(facts.get(name), self.origin, seq) for name in ("retired", "remaining")
        )
        if self.in_force != (retired, remaining):
            raise LedgerTampered("it retires a key outside a rotation", sequence=seq)
        said = retirement_statement(
            origin=self.origin, size=seq, retired=retired, remaining=remaining
        )
        _check(facts, said, {"remaining": remaining}, seq)
        spans = tuple(replace(s, last=seq) if s.key == retired else s for s in self.spans)
        return replace(self, spans=spans)


class KeyFold:
    """The keys of a log that somebody reads from its beginning; a log may state none at all."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.keys: LogKeys | None = None

    def add(self, seq: int, kind: str, facts: bytes | None) -> None:
        """Take in the next entry, whose facts were compared with their commitment.

        Facts of None are not to be had; where they would say something of keys, nothing more is
        known of these. Raises LedgerTampered where an entry may not say what it says.
        """
        if seq != 0 and kind not in KEY_EVENTS:
            if self.keys is not None:
                self.keys.allow(seq, kind)
            return
        told = None if facts is None else _members(facts, seq)
        if seq == 0:
            if told is not None and kind == GENESIS and "vkeys" in told:
                self.keys = LogKeys.begin(self._origin, told["vkeys"])
        elif told is None:
            self.keys = None
        elif self.keys is not None:
            self.keys = self.keys.after(seq, kind, told)

    def check(self, opened: VerifiedCheckpoint) -> None:
        """Raise NoteRejected unless a key signed that the log has for the checkpoint's size."""
        if self.keys is None:
            return
        valid = self.keys.at(opened.size)
        if not any(signature.key in valid for signature in opened.signatures):
            raise NoteRejected(
                f"the checkpoint of size {opened.size} is signed by no key that the log has for it",
                next_step="Pin the log's present policy; a checkpoint under a retired key proves "
                "nothing behind the key's retirement.",
            )


def _members(facts: bytes, seq: int) -> dict[str, Json]:
    try:
        told = canonical.loads(facts)
    except NotCanonical as error:
        raise LedgerTampered("its facts are not canonical JSON", sequence=seq) from error
    return told if isinstance(told, dict) else {}


def rotation_statement(*, origin: str, size: int, old: VerifierKey, new: VerifierKey) -> bytes:
    """Return what both keys sign of a rotation; `size` is the number of its entry."""
    return _statement(KEY_ROTATED, origin, size, {"old": old.text(), "new": new.text()})


def retirement_statement(
    *, origin: str, size: int, retired: VerifierKey, remaining: VerifierKey
) -> bytes:
    """Return what the remaining key signs of a retirement; `size` is the number of its entry."""
    named: dict[str, Json] = {"retired": retired.text(), "remaining": remaining.text()}
    return _statement(KEY_RETIRED, origin, size, named)


def rotation_facts(
    *, origin: str, size: int, old: Ed25519PrivateKey, new: Ed25519PrivateKey
) -> dict[str, Json]:
    """Return the facts of a rotation at entry `size`, stated by both keys."""
    keys = {"old": VerifierKey.of(old, name=origin), "new": VerifierKey.of(new, name=origin)}
    said = rotation_statement(origin=origin, size=size, **keys)
    return {
        "old": keys["old"].text(),
        "new": keys["new"].text(),
        "signatures": {"old": base64_text(old.sign(said)), "new": base64_text(new.sign(said))},
    }


def retirement_facts(
    *, origin: str, size: int, retired: VerifierKey, remaining: Ed25519PrivateKey
) -> dict[str, Json]:
    """Return the facts of a retirement at entry `size`, stated by the key that remains."""
    key = VerifierKey.of(remaining, name=origin)
    said = retirement_statement(origin=origin, size=size, retired=retired, remaining=key)
    return {
        "retired": retired.text(),
        "remaining": key.text(),
        "signatures": {"remaining": base64_text(remaining.sign(said))},
    }


def _statement(act: str, origin: str, size: int, named: Mapping[str, Json]) -> bytes:
    payload = canonical.dumps({"act": act, "origin": origin, "size": size, **named})
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _check(
    facts: Mapping[str, Json], said: bytes, signers: Mapping[str, VerifierKey], seq: int
) -> None:
    signatures = facts.get("signatures")
    for role, key in signers.items():
        text = signatures.get(role) if isinstance(signatures, dict) else None
        signature = base64_bytes(text) if isinstance(text, str) else None
        try:
            ed25519.verify(public_key=key.public_key, signature=signature or b"", message=said)
        except NoteRejected as error:
            raise LedgerTampered(
                f"the {role} key did not sign what it says of the log's keys", sequence=seq
            ) from error


def _named(text: Json, origin: str, seq: int) -> VerifierKey:
    try:
        key = VerifierKey.parse(text if isinstance(text, str) else "")
    except NoteRejected as error:
        raise LedgerTampered("it names no key that can be read", sequence=seq) from error
    if key.name != origin or key.algorithm != ED25519:
        raise LedgerTampered("it names a key that is not the log's", sequence=seq)
    return key
