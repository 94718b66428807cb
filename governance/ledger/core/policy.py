"""Trust policies: which logs are known and how many witnesses must agree (c2sp.org/tlog-policy).

    log <verifier key> [<url>]
    witness <name> <verifier key, type 0x04> [<url>]
    group <name> all|any|<k> <member>...
    quorum <name>|none

A policy is pinned by whoever verifies, never taken from the server that is being verified. What
counts is distinct public keys: one witness under two names, or signing twice, is one witness.
Stricter than the specification where a deviation is a mistake in a pinned file: the text is
UTF-8, and a log's own key is not accepted as its witness.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from governance.ledger.core.encoding import decimal
from governance.ledger.core.errors import NoteRejected, PolicyRejected
from governance.ledger.core.note import COSIGNATURE_V1, ED25519, VerifierKey

NO_QUORUM: Final = "none"

# The specification asks for room for 32 logs, witnesses and groups; this is several times that.
MAX_POLICY_BYTES: Final = 64 * 1024
MAX_LINES: Final = 512

_BLANK: Final = re.compile(r"[ \t]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_NEXT: Final = "Correct the policy file; docs/reference/ledger-format.md shows one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A witness: the name that groups use, and its key."""

    name: str
    key: VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """`threshold` of `members` (witnesses or earlier groups) must have seen the checkpoint."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Known logs, known witnesses, and the quorum (None: the log's word alone)."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str | None

    @classmethod
    def parse(cls, raw: bytes) -> Policy:
        """Return the policy of a file; raise PolicyRejected naming the line."""
        if len(raw) > MAX_POLICY_BYTES:
            raise _rejected(f"the file has more than {MAX_POLICY_BYTES} bytes")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _rejected("the file is not UTF-8") from error
        if not text.endswith("\n"):
            raise _rejected("the last line does not end in a newline: the file may be cut")
        lines = text[:-1].split("\n")
        if len(lines) > MAX_LINES:
            raise _rejected(f"the file has more than {MAX_LINES} lines")
        draft = _Draft()
        for number, line in enumerate(lines, start=1):
            draft.read(line, number)
        return draft.finish()

    def log_keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys under which the log `origin` is known; empty for an unknown log."""
        return tuple(key for key in self.logs if key.name == origin)

    def witness_keys(self) -> tuple[VerifierKey, ...]:
        """Return the keys of all known witnesses."""
        return tuple(witness.key for witness in self.witnesses)

    def satisfied(self, cosigners: Iterable[VerifierKey]) -> bool:
        """Return whether the distinct public keys among `cosigners` form the quorum."""
        if self.quorum is None:
            return True
        public_keys = {key.public_key for key in cosigners if key.algorithm == COSIGNATURE_V1}
        met = {w.name for w in self.witnesses if w.key.public_key in public_keys}
        for group in self.groups:  # members are defined before, so one pass is enough
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum in met

    def without_quorum(self) -> Policy:
        """Return the policy that takes the log's word alone: an explicit step down to stage S0."""
        return replace(self, quorum=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A witness to be written into a policy, with the organisation that runs it."""

    name: str
    vkey: str
    organisation: str


def compose_policy(*, log: VerifierKey, witnesses: Sequence[Member], quorum: int) -> str:
    """Return the policy of a log that `quorum` organisations must have cosigned.

    Several witnesses of one organisation count as one. `quorum` 0 is more than half of the
    organisations. Raises PolicyRejected where it asks for more than there are, or a key is no
    witness's key or stands there twice.
    """
    lines = [f"log {log.text()}", *(f"witness {one.name} {one.vkey}" for one in witnesses)]
    organisations = sorted({one.organisation for one in witnesses})
    if not organisations:
        return "\n".join([*lines, f"quorum {NO_QUORUM}"]) + "\n"
    needed = quorum or len(organisations) // 2 + 1
    for organisation in organisations:
        members = [one.name for one in witnesses if one.organisation == organisation]
        lines.append(f"group org:{organisation} any {' '.join(members)}")
    # No witness's or organisation's name has a colon in our configuration, so this one is free.
    top = f"quorum:{needed}-of-{len(organisations)}"
    lines.append(f"group {top} {needed} {' '.join(f'org:{name}' for name in organisations)}")
    text = "\n".join([*lines, f"quorum {top}"]) + "\n"
    Policy.parse(text.encode())
    return text


def with_log_keys(text: str, keys: Iterable[VerifierKey]) -> str:
    """Return the policy with these keys of the log, one or several; nothing else of it changes.

    Raises PolicyRejected where the text is no policy, or a key stands in it as a witness's.
    """
    Policy.parse(text.encode())
    rest = [line for line in text.splitlines() if _BLANK.split(line.strip(" \t"))[0] != "log"]
    lines = [*(f"log {key.text()}" for key in keys), *rest]
    changed = "\n".join(lines) + "\n"
    Policy.parse(changed.encode())
    return changed


@dataclass(slots=True)
class _Draft:
    """A policy while its lines are read."""

    logs: list[VerifierKey] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: str | None = None
    names: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    public_keys: set[bytes] = field(default_factory=set)
    key_ids: set[tuple[str, bytes]] = field(default_factory=set)

    def read(self, line: str, number: int) -> None:
        if _CONTROL.search(line):
            raise _rejected("a control character", number)
        words = _BLANK.split(line.strip(" \t"))
        if words == [""] or words[0].startswith("#"):
            return
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(self._key(vkey, ED25519, number))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._define(name, number)
                key = self._key(vkey, COSIGNATURE_V1, number)
                self.witnesses.append(Witness(name=name, key=key))
            case ["group", name, threshold, *members] if members:
                self._group(name, threshold, members, number)
            case ["quorum", name]:
                self._set_quorum(name, number)
            case _:
                raise _rejected("neither log, witness, group nor quorum as specified", number)

    def finish(self) -> Policy:
        if self.quorum is None:
            raise _rejected("there is no quorum line")
        return Policy(
            logs=tuple(self.logs),
            witnesses=tuple(self.witnesses),
            groups=tuple(self.groups),
            quorum=None if self.quorum == NO_QUORUM else self.quorum,
        )

    def _key(self, vkey: str, algorithm: int, number: int) -> VerifierKey:
        try:
            key = VerifierKey.parse(vkey)
        except NoteRejected as error:
            raise _rejected(str(error), number) from error
        if key.algorithm != algorithm:
            raise _rejected(f"the key must be of signature type 0x{algorithm:02x}", number)
        if key.public_key in self.public_keys:
            raise _rejected("the public key is in the file already", number)
        if (key.name, key.key_id) in self.key_ids:
            raise _rejected("another key has this name and key id", number)
        self.public_keys.add(key.public_key)
        self.key_ids.add((key.name, key.key_id))
        return key

    def _define(self, name: str, number: int) -> None:
        if name == NO_QUORUM or name in self.names:
            raise _rejected("the name is reserved or defined already", number)
        self.names.add(name)

    def _group(self, name: str, threshold: str, members: list[str], number: int) -> None:
        for member in members:
            if member not in self.names:
                raise _rejected("a member is not defined on an earlier line", number)
            if member in self.used:
                raise _rejected("a member already belongs to a group", number)
            self.used.add(member)
        count = {"any": 1, "all": len(members)}.get(threshold, decimal(threshold))
        if count is None or not 1 <= count <= len(members):
            raise _rejected("the threshold is not all, any or 1..n", number)
        self._define(name, number)
        self.groups.append(Group(name=name, threshold=count, members=tuple(members)))

    def _set_quorum(self, name: str, number: int) -> None:
        if self.quorum is not None:
            raise _rejected("a second quorum line", number)
        if name != NO_QUORUM and name not in self.names:
            raise _rejected("the quorum is not defined on an earlier line", number)
        self.quorum = name


def _rejected(message: str, number: int | None = None) -> PolicyRejected:
    where = "policy" if number is None else f"policy line {number}"
    return PolicyRejected(f"{where}: {message}", next_step=_NEXT)
