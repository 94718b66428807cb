"""A second verifier of the audit ledger, from `docs/reference/ledger-format.md` and nothing else.

One file, the standard library and `cryptography`; it imports nothing of the project, so that an
error there is not repeated here. The numbers in the comments are the sections of that page.

    python verifier.py receipt FILE --policy FILE [--accept-s0]
    python verifier.py chain DUMP --policy FILE [--checkpoint FILE ...] [--accept-s0]
                                                [--without-bodies]

It prints one sentence and ends with 0 (holds), 1 (refused) or 2 (wrong usage).

A dump has one canonical JSON object a line, every line ended by a newline. Bytes are base64.

    {"env":…,"event_id":"…","facts":…,"facts_salt":…,"leaf":…,"seq":0}     a row, in order of `seq`
    {"checkpoint":"<note>"}                                           a checkpoint that is known

An entry that commits to a body has `body_salt` and either `body`, the plaintext, or `"sealed":true`
for one that could not be opened; or it has `"erased":true` and none of these. A dump that leaves
all bodies out is read with `--without-bodies`. `--checkpoint` adds one that was kept elsewhere:
only such a one shows a cut tail.
"""

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

DOCUMENT_BYTES = 4_194_304
FACTS_BYTES = 524_288
BODY_BYTES = 2_097_152
ENTRY_BYTES = 65_535
NOTE_BYTES = 65_536
POLICY_BYTES = 65_536
PROOF_HASHES = 63
SIGNED, COSIGNED = 0x01, 0x04
ENTRY_NAMES = ["body_c", "event_id", "facts_c", "kind", "prev", "seq", "t_us", "v"]
RECEIPT_NAMES = ["body", "entry", "facts", "facts_salt", "proof", "salt", "v"]
ROW_NAMES = {"env", "event_id", "facts", "facts_salt", "leaf", "seq"}
ROW_EXTRAS = {"body", "body_salt", "erased", "sealed"}

HASH_TEXT = re.compile(r"[0-9a-f]{64}")
KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
DECIMAL = re.compile(r"0|[1-9][0-9]*")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

FIELD = 2**255 - 19
_ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
# The y coordinates of the eight points of small order; the sign of x makes five of them eight.
SMALL_ORDER = {0, 1, FIELD - 1, _ORDER_8, FIELD - _ORDER_8}


class Refused(Exception):
    """What was checked does not hold; `row` is the first of a log for which it does not."""

    def __init__(self, check: str, why: str, *, row: int | None = None) -> None:
        super().__init__(f"{check}: {why}")
        self.check = check
        self.row = row


def refuse(check: str, why: str) -> NoReturn:
    raise Refused(check, why)


# --- spellings and hashes -----------------------------------------------------------------------


def digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def base64_bytes(value: object, what: str, *, check: str = "parse") -> bytes:
    """Return the bytes of strict base64: the one spelling that encodes to the same text."""
    if not isinstance(value, str) or not value.isascii():
        refuse(check, f"{what} is not base64")
    try:
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        refuse(check, f"{what} is not base64")
    if base64.b64encode(found).decode() != value:
        refuse(check, f"{what} is not the one base64 spelling of its bytes")
    return found


def exactly(value: object, size: int, what: str, *, check: str = "parse") -> bytes:
    found = base64_bytes(value, what, check=check)
    if len(found) != size:
        refuse(check, f"{what} has {len(found)} bytes, not {size}")
    return found


def decimal(text: str, what: str, *, below: int, check: str = "parse") -> int:
    if len(text) > 19 or not DECIMAL.fullmatch(text) or int(text) >= below:
        refuse(check, f"{what} is not a decimal below {below}")
    return int(text)


def commitment(label: str, salt: bytes, content: bytes) -> str:
    return digest(f"oncovigil/{label}/v1\n".encode(), salt, content).hex()


def genesis(origin: str) -> str:
    return digest(b"oncovigil/genesis/v1\n", origin.encode()).hex()


# --- 2. canonical JSON --------------------------------------------------------------------------


def _no_float(text: str) -> NoReturn:
    raise ValueError(text)


def _in_domain(value: Json, depth: int = 0) -> bool:
    if isinstance(value, (dict, list)):
        if depth == 64:
            return False
        if isinstance(value, list):
            return all(_in_domain(item, depth + 1) for item in value)
        return all(k.isascii() and _in_domain(item, depth + 1) for k, item in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**53
    return True


def canonical_json(raw: bytes, what: str, *, check: str = "parse") -> Json:
    """Return the value, after comparing `raw` with the one spelling that the value has."""
    if len(raw) > DOCUMENT_BYTES:
        refuse(check, f"{what} has more than {DOCUMENT_BYTES} bytes")
    try:
        value: Json = json.loads(
            raw.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float
        )
        if not _in_domain(value):
            refuse(check, f"{what} holds a value outside the domain")
        again = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        same = again.encode("utf-8") == raw
    except (ValueError, RecursionError):
        refuse(check, f"{what} is not JSON of the ledger's domain")
    if not same:
        refuse(check, f"{what} is not spelt canonically")
    return value


def named_object(raw: bytes, names: Sequence[str], what: str) -> dict[str, Json]:
    value = canonical_json(raw, what)
    if not isinstance(value, dict) or list(value) != list(names):
        refuse("parse", f"{what} has not exactly the names {', '.join(names)}")
    return value


# --- 3. entry -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: the bytes, and what a verifier compares."""

    raw: bytes
    seq: int
    event_id: str
    kind: str
    t_us: int
    prev: str
    facts_c: str
    body_c: str | None

    @property
    def leaf(self) -> bytes:
        return digest(b"\x00", self.raw)


def _hash_text(value: Json, name: str) -> str:
    if not isinstance(value, str) or not HASH_TEXT.fullmatch(value):
        refuse("parse", f"the entry's {name} is not 64 hexadecimal digits")
    return value


def _count(value: Json, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        refuse("parse", f"the entry's {name} is not a number from 0 and below 2^53")
    return value


def read_entry(raw: bytes) -> Entry:
    if len(raw) > ENTRY_BYTES or not raw.isascii():
        refuse("parse", "the entry is not ASCII of at most 65,535 bytes")
    found = named_object(raw, ENTRY_NAMES, "the entry")
    event_id, kind, body_c = found["event_id"], found["kind"], found["body_c"]
    if not isinstance(event_id, str) or not UUID7.fullmatch(event_id):
        refuse("parse", "the entry's event_id is not a UUIDv7 in lower case")
    if not isinstance(kind, str) or len(kind) > 64 or not KIND.fullmatch(kind):
        refuse("parse", "the entry's kind is not two or more words joined by dots")
    if _count(found["v"], "v") != 1:
        refuse("parse", "the entry is not of version 1")
    return Entry(
        raw=raw,
        seq=_count(found["seq"], "seq"),
        event_id=event_id,
        kind=kind,
        t_us=_count(found["t_us"], "t_us"),
        prev=_hash_text(found["prev"], "prev"),
        facts_c=_hash_text(found["facts_c"], "facts_c"),
        body_c=None if body_c is None else _hash_text(body_c, "body_c"),
    )


def check_facts(entry: Entry, facts: bytes, salt: bytes) -> None:
    if len(facts) > FACTS_BYTES:
        refuse("facts_c", f"the facts have more than {FACTS_BYTES} bytes")
    if commitment("facts", salt, facts) != entry.facts_c:
        refuse("facts_c", "the facts are not those that the entry commits to")
    canonical_json(facts, "the facts", check="facts_c")


def check_body(entry: Entry, body: bytes, salt: bytes) -> None:
    if entry.body_c is None:
        refuse("body_c", "the entry has no body, but one is shown")
    if len(body) > BODY_BYTES:
        refuse("body_c", f"the body has more than {BODY_BYTES} bytes")
    if commitment("body", salt, body) != entry.body_c:
        refuse("body_c", "the body is not the one that the entry commits to")


# --- 4. sealed body -----------------------------------------------------------------------------


def open_body(
    *, dek: bytes, origin: str, event_id: str, nonce: bytes, key_commitment: bytes, sealed: bytes
) -> bytes:
    """Return the plaintext of a sealed body, or refuse."""
    okm = HKDF(
        algorithm=SHA256(), length=64, salt=event_id.encode(), info=b"oncovigil/body/v1"
    ).derive(dek)
    if not hmac.compare_digest(okm[32:], key_commitment):
        refuse("sealed", "the key commitment is not of this key")
    if len(nonce) != 12:
        refuse("sealed", "the nonce has not 12 bytes")
    try:
        return AESGCM(okm[:32]).decrypt(nonce, sealed, (origin + event_id).encode())
    except InvalidTag:
        refuse("sealed", "the ciphertext does not open")


# --- 5. tree ------------------------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    return digest(b"\x01", left, right)


def root_from_path(*, leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion path leads to; refuse a path of another shape."""
    if not 0 <= index < size:
        refuse("inclusion", f"a tree of {size} has no leaf {index}")
    f, last, r = index, size - 1, leaf
    for p in path:
        if last == 0:
            refuse("inclusion", "the path is too long")
        if f % 2 or f == last:
            r = node(p, r)
            while f % 2 == 0 and f:
                f, last = f // 2, last // 2
        else:
            r = node(r, p)
        f, last = f // 2, last // 2
    if last:
        refuse("inclusion", "the path is too short")
    return r


def check_consistency(
    *, old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Refuse unless `path` shows that the tree of `new` extends the tree of `old`."""
    if not 0 <= old <= new:
        refuse("consistency", "the older tree is the larger")
    if old in {0, new}:
        if path or old_root != (new_root if old else digest()):
            refuse("consistency", "the roots are not equal, or the proof is not empty")
        return
    steps = list(path) if old & (old - 1) else [old_root, *path]
    if not steps:
        refuse("consistency", "the proof is too short")
    older, newer, last = _climb(old - 1, new - 1, steps)
    if last or older != old_root or newer != new_root:
        refuse("consistency", "the proof does not lead to both roots")


def _climb(f: int, last: int, steps: Sequence[bytes]) -> tuple[bytes, bytes, int]:
    """Return the older and newer root that the steps build, and what is left of the way up."""
    while f % 2:
        f, last = f // 2, last // 2
    older = newer = steps[0]
    for c in steps[1:]:
        if last == 0:
            refuse("consistency", "the proof is too long")
        if f % 2 or f == last:
            older, newer = node(c, older), node(c, newer)
            while f % 2 == 0 and f:
                f, last = f // 2, last // 2
        else:
            newer = node(newer, c)
        f, last = f // 2, last // 2
    return older, newer, last


class Frontier:
    """The roots of the complete subtrees of a growing log, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        carry, size = leaf, self.size
        while size % 2:
            carry, size = node(self.peaks.pop(), carry), size // 2
        self.peaks.append(carry)
        self.size += 1

    def root(self) -> bytes:
        if not self.peaks:
            return digest()
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node(peak, found)
        return found

    def stored(self) -> bytes:
        return self.size.to_bytes(8, "big") + b"".join(self.peaks)


# --- 6. signed note, checkpoint, cosignature ----------------------------------------------------


def is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A verifier key: its name, its type byte and its 32 public bytes."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        return digest(self.name.encode(), b"\n", bytes([self.kind]), self.public)[:4]


def read_key(text: str, *, kind: int) -> Key:
    name, _, rest = text.partition("+")
    key_id, _, coded = rest.partition("+")
    blob = exactly(coded, 33, "a verifier key", check="policy")
    key = Key(name=name, kind=blob[0], public=blob[1:])
    if not is_key_name(name) or key.kind != kind or key.key_id.hex() != key_id:
        refuse("policy", f"{text!r} is not a verifier key of type {kind}")
    y = int.from_bytes(key.public, "little") % 2**255
    if y >= FIELD or y in SMALL_ORDER:
        refuse("policy", f"{text!r} is not an admissible public key")
    return key


def _signed(key: Key, signature: bytes, text: bytes) -> bool:
    """Tell whether one line's signature is the key's over the note's text."""
    if key.kind == COSIGNED:
        second = int.from_bytes(signature[:8], "big")
        if len(signature) != 72 or second >= 2**63:
            return False
        text = f"cosignature/v1\ntime {second}\n".encode() + text
        signature = signature[8:]
    if len(signature) != 64:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint in the right form; nothing is verified yet."""

    origin: str
    size: int
    root: bytes
    text: bytes
    lines: tuple[tuple[str, bytes, bytes], ...]


def _signature_line(line: str) -> tuple[str, bytes, bytes]:
    words = line.split(" ")
    if len(words) != 3 or words[0] != "—" or not is_key_name(words[1]):
        refuse("parse", "a signature line is not: dash, key name, base64")
    blob = base64_bytes(words[2], "a signature")
    if len(blob) < 5:
        refuse("parse", "a signature line holds no key id, or no signature after it")
    return words[1], blob[:4], blob[4:]


def read_checkpoint(note: str) -> Checkpoint:
    try:
        raw = note.encode("utf-8")
    except UnicodeEncodeError:
        refuse("parse", "the note is not Unicode text")
    if len(raw) > NOTE_BYTES:
        refuse("parse", f"the note has more than {NOTE_BYTES} bytes")
    if any(c < " " and c != "\n" for c in note):
        refuse("parse", "the note has a control character")
    body, gap, tail = note.rpartition("\n\n")
    if not gap or not tail.endswith("\n"):
        refuse("parse", "the note is not a text, an empty line and signature lines")
    signatures = tail[:-1].split("\n")
    if len(signatures) > 64:
        refuse("parse", "the note has more than 64 signature lines")
    fields = body.split("\n")
    if len(fields) != 3 or not fields[0]:
        refuse("parse", "the checkpoint has not exactly three lines")
    found = Checkpoint(
        origin=fields[0],
        size=decimal(fields[1], "the checkpoint's size", below=2**63),
        root=exactly(fields[2], 32, "the checkpoint's root"),
        text=f"{body}\n".encode(),
        lines=tuple(_signature_line(line) for line in signatures),
    )
    if found.size == 0 and found.root != digest():
        refuse("parse", "the checkpoint of size 0 has another root than H('')")
    return found


# --- 7. trust policy ----------------------------------------------------------------------------


class Policy:
    """The keys that a verifier pinned and the quorum that it wants."""

    def __init__(self) -> None:
        self.keys: dict[tuple[str, bytes], Key] = {}
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.members: set[str] = set()
        self.quorum: str | None = None

    def add_key(self, key: Key) -> None:
        if any(key.public == other.public for other in self.keys.values()):
            refuse("policy", "a public key occurs twice")
        if (key.name, key.key_id) in self.keys:
            refuse("policy", "two keys have one name and one key id")
        self.keys[key.name, key.key_id] = key

    def define(self, name: str) -> None:
        if name == "none" or name in self.witnesses or name in self.groups:
            refuse("policy", f"the name {name!r} is taken")

    def known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            refuse("policy", f"the name {name!r} is not defined before it is used")

    def add_group(self, name: str, threshold: str, members: list[str]) -> None:
        self.define(name)
        for member in members:
            self.known(member)
            if member in self.members:
                refuse("policy", f"{member!r} is a member twice")
            self.members.add(member)
        words = {"all": len(members), "any": 1}
        k = words.get(threshold)
        if k is None:
            k = decimal(threshold, "a group's number", below=2**53, check="policy")
        if not 1 <= k <= len(members):
            refuse("policy", f"the group {name!r} cannot have {k} of {len(members)} members")
        self.groups[name] = (k, members)

    def origins(self) -> list[str]:
        return sorted({key.name for key in self.keys.values() if key.kind == SIGNED})

    def seen(self, name: str, signers: set[bytes]) -> bool:
        """Tell whether the witness or group has seen what `signers` (public keys) signed."""
        if name in self.witnesses:
            return self.witnesses[name].public in signers
        k, members = self.groups[name]
        return sum(self.seen(member, signers) for member in members) >= k


def _policy_words(raw: bytes) -> list[list[str]]:
    if len(raw) > POLICY_BYTES:
        refuse("policy", f"the policy has more than {POLICY_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        refuse("policy", "the policy is not UTF-8")
    if any((c < " " and c not in "\t\n") or c == "\x7f" for c in text):
        refuse("policy", "the policy has a control character")
    if not text.endswith("\n"):
        refuse("policy", "the policy's last line is not ended by a newline")
    lines = text[:-1].split("\n")
    if len(lines) > 512:
        refuse("policy", "the policy has more than 512 lines")
    words = [re.findall(r"[^ \t]+", line) for line in lines]
    return [line for line in words if line and not line[0].startswith("#")]


def read_policy(raw: bytes) -> Policy:
    policy = Policy()
    quorums = 0
    for words in _policy_words(raw):
        match words:
            case ["log", key] | ["log", key, _]:
                policy.add_key(read_key(key, kind=SIGNED))
            case ["witness", name, key] | ["witness", name, key, _]:
                policy.define(name)
                policy.witnesses[name] = read_key(key, kind=COSIGNED)
                policy.add_key(policy.witnesses[name])
            case ["group", name, threshold, *members]:
                policy.add_group(name, threshold, members)
            case ["quorum", "none"]:
                quorums += 1
            case ["quorum", name]:
                policy.known(name)
                quorums += 1
                policy.quorum = name
            case _:
                refuse("policy", f"a line cannot be read: {' '.join(words)!r}")
    if quorums != 1:
        refuse("policy", f"the policy has {quorums} quorum lines, not one")
    return policy


def check_checkpoint(point: Checkpoint, policy: Policy, *, accept_s0: bool) -> str:
    """Return the stage ("S0" or "S1") that the checkpoint reaches under the policy, or refuse."""
    if point.origin not in policy.origins():
        refuse("origin", f"no log line of the policy is named {point.origin!r}")
    signers: set[bytes] = set()
    of_the_log = False
    for name, key_id, signature in point.lines:
        key = policy.keys.get((name, key_id))
        if key is None:
            continue
        if not _signed(key, signature, point.text):
            check = "quorum" if key.kind == COSIGNED else "log_signature"
            refuse(check, f"a line of the known key {name!r} does not verify")
        if key.kind == COSIGNED:
            signers.add(key.public)
        of_the_log = of_the_log or (key.kind == SIGNED and name == point.origin)
    if not of_the_log:
        refuse("log_signature", "the log did not sign the checkpoint")
    if policy.quorum is None or accept_s0:
        return "S0"
    if policy.seen(policy.quorum, signers):
        return "S1"
    refuse("quorum", "the witnesses that signed do not satisfy the policy")


# --- 8. receipt ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The parts of a proof's text."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


def read_proof(text: Json) -> Proof:
    if not isinstance(text, str):
        refuse("parse", "the proof is not a text")
    head, gap, note = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines.pop(0) != "c2sp.org/tlog-proof@v1":
        refuse("parse", "the proof does not begin as one")
    if lines and lines[0].startswith("extra "):
        extra = base64_bytes(lines.pop(0)[6:], "the extra line")
        if not 1 <= len(extra) <= 4096:
            refuse("parse", "the extra line holds no bytes, or more than 4,096")
    if not lines or not lines[0].startswith("index "):
        refuse("parse", "the proof has no index line")
    index = decimal(lines.pop(0)[6:], "the proof's index", below=2**63)
    if len(lines) > PROOF_HASHES:
        refuse("parse", f"the proof has more than {PROOF_HASHES} hashes")
    path = tuple(exactly(line, 32, "a hash of the proof") for line in lines)
    return Proof(index=index, path=path, checkpoint=read_checkpoint(note))


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a receipt shows: which entry, in which log, at which stage."""

    stage: str
    origin: str
    size: int
    seq: int
    event_id: str


def verify_receipt(raw: bytes, policy: Policy, *, accept_s0: bool = False) -> Accepted:
    """Return what the receipt shows under the policy, or refuse at the first failure."""
    found = named_object(raw, RECEIPT_NAMES, "the receipt")
    if isinstance(found["v"], bool) or found["v"] != 1:
        refuse("parse", "the receipt is not of version 1")
    entry = read_entry(base64_bytes(found["entry"], "the entry"))
    facts = base64_bytes(found["facts"], "the facts")
    facts_salt = exactly(found["facts_salt"], 32, "the facts' salt")
    if (found["body"] is None) != (found["salt"] is None):
        refuse("parse", "a body and its salt come together or not at all")
    body = None if found["body"] is None else base64_bytes(found["body"], "the body")
    proof = read_proof(found["proof"])
    point = proof.checkpoint
    check_facts(entry, facts, facts_salt)
    if body is not None:
        check_body(entry, body, exactly(found["salt"], 32, "the body's salt"))
    if proof.index != entry.seq:
        refuse("leaf", "the proof is of another entry's number")
    if point.origin in policy.origins() and entry.seq == 0 and entry.prev != genesis(point.origin):
        refuse("origin", "the first entry does not begin this log")
    stage = check_checkpoint(point, policy, accept_s0=accept_s0)
    reached = root_from_path(leaf=entry.leaf, index=entry.seq, size=point.size, path=proof.path)
    if reached != point.root:
        refuse("inclusion", "the path does not lead to the checkpoint's root")
    return Accepted(
        stage=stage,
        origin=point.origin,
        size=point.size,
        seq=entry.seq,
        event_id=entry.event_id,
    )


# --- 9.3 the log's keys -------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Held:
    """A key of the log and the sizes that it may sign."""

    key: Key
    first: int
    last: int | None = None


AFTER_CLOSING = {
    "key.epoch_rotated", "legal_hold.lift_signed", "legal_hold.lift_withdrawn",
    "legal_hold.lifted", "legal_hold.placed", "session.ended", "session.opened", "subject.erased",
    "subject.erasure_refused", "subject.erasure_requested",
    "trail.exported", "trail.overdue", "trail.review_opened", "trail.review_withdrawn",
    "trail.reviewed",
}  # fmt: skip


class Keys:
    """What the entries say of the log's keys; `held` is None where they say nothing."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.held: list[Held] | None = None
        self.closed = False

    def read(self, entry: Entry, facts: bytes) -> None:
        if self.closed and self.held is not None and entry.kind not in AFTER_CLOSING:
            refuse("keys", "the log was closed before it")
        self.closed = self.closed or (entry.seq > 0 and entry.kind == "log.closed")
        if entry.seq == 0 and entry.kind == "ledger.genesis":
            told = canonical_json(facts, "the facts", check="facts_c")
            if isinstance(told, dict) and "vkeys" in told:
                listed = told["vkeys"]
                if not isinstance(listed, list) or not listed:
                    refuse("keys", "the first entry names no key")
                self.held = [Held(key=self.named(text), first=0) for text in listed]
        elif self.held is not None and entry.kind in {"key.rotated", "key.retired"}:
            told = canonical_json(facts, "the facts", check="facts_c")
            if not isinstance(told, dict):
                refuse("keys", "its facts are no object")
            names = ("old", "new") if entry.kind == "key.rotated" else ("retired", "remaining")
            self.change(entry, told, names)

    def change(self, entry: Entry, told: dict[str, Json], names: tuple[str, str]) -> None:
        assert self.held is not None
        rotates = names[0] == "old"
        one, other = (self.named(told.get(name)) for name in names)
        in_force = [held.key for held in self.held if held.last is None]
        if in_force != ([one] if rotates else [one, other]):
            refuse("keys", "the keys in force are not those that it changes")
        if rotates and any(held.key.public == other.public for held in self.held):
            refuse("keys", "the new key is one that the log has had")
        said = self.statement(
            entry, dict(zip(names, (told[names[0]], told[names[1]]), strict=True))
        )
        signatures = told.get("signatures")
        for name, key in zip(names, (one, other), strict=True):
            if name == "retired":
                continue
            signature = signatures.get(name) if isinstance(signatures, dict) else None
            blob = base64_bytes(signature, "a signature", check="keys")
            if not _signed(key, blob, said):
                refuse("keys", f"the {name} key did not sign it")
        if rotates:
            self.held.append(Held(key=other, first=entry.seq + 1))
        else:
            next(held for held in self.held if held.key == one).last = entry.seq

    def statement(self, entry: Entry, named: dict[str, Json]) -> bytes:
        members = {"act": entry.kind, "origin": self.origin, "size": entry.seq, **named}
        text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        kind, payload = b"application/vnd.oncovigil.log-key.v1+json", text.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)

    def named(self, text: Json) -> Key:
        if not isinstance(text, str):
            refuse("keys", "a key is not a text")
        try:
            key = read_key(text, kind=SIGNED)
        except Refused as e:
            raise Refused("keys", str(e)) from e
        if key.name != self.origin:
            refuse("keys", "a key is not the log's")
        return key

    def check(self, point: Checkpoint, policy: Policy) -> None:
        """Refuse a checkpoint under keys that the log does not have for its size."""
        if self.held is None:
            return
        good = {
            (held.key.name, held.key.key_id)
            for held in self.held
            if held.first <= point.size and (held.last is None or point.size <= held.last)
        }
        if not any((name, key_id) in good & policy.keys.keys() for name, key_id, _ in point.lines):
            refuse("keys", f"no key that the log has for size {point.size} signed the checkpoint")


# --- 9. whole log -------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a whole log showed."""

    entries: int = 0
    anchored: int = 0
    compared: int = 0
    unopened: int = 0
    erased: int = 0


@dataclass(slots=True, kw_only=True)
class Walk:
    """Where the walk over the rows stands."""

    prev: str
    bodies: bool
    keys: Keys
    t_us: int = 0


def _check_row(row: Mapping[str, Json], at: int, walk: Walk, tally: Tally) -> Entry:
    """Do the checks 1 to 6 on row `at`; the genesis value stands in `walk.prev` at row 0."""
    if isinstance(row["seq"], bool) or row["seq"] != at:
        refuse("number", f"its number is {row['seq']!r}")
    entry = read_entry(base64_bytes(row["env"], "the entry"))
    if entry.seq != at or entry.event_id != row["event_id"]:
        refuse("columns", "the columns do not agree with the entry")
    if exactly(row["leaf"], 32, "the leaf") != entry.leaf:
        refuse("leaf", "the stored leaf is not the hash of the entry")
    if entry.prev != walk.prev:
        refuse("prev", "it does not follow the row before")
    if entry.t_us < walk.t_us:
        refuse("t_us", "its time is below that of the row before")
    facts_salt = exactly(row["facts_salt"], 32, "the facts' salt")
    facts = base64_bytes(row["facts"], "the facts")
    check_facts(entry, facts, facts_salt)
    walk.keys.read(entry, facts)
    if walk.bodies:
        _check_row_body(row, entry, tally)
    elif ROW_EXTRAS & row.keys():
        refuse("body_c", "it shows something of a body, in a dump that leaves bodies out")
    elif entry.body_c is not None:
        tally.unopened += 1
    walk.prev, walk.t_us = entry.leaf.hex(), entry.t_us
    return entry


def _check_row_body(row: Mapping[str, Json], entry: Entry, tally: Tally) -> None:
    """Do check 7."""
    body, salt = row.get("body"), row.get("body_salt")
    erased, sealed = row.get("erased", False), row.get("sealed", False)
    if not isinstance(erased, bool) or not isinstance(sealed, bool):
        refuse("parse", "erased or sealed is not a boolean")
    nothing = body is None and salt is None and not sealed
    if entry.body_c is None:
        if not nothing or erased:
            refuse("body_c", "the entry has no body, but the row shows something of one")
    elif erased:
        if not nothing:
            refuse("body_c", "it is marked as erased, but something of its body is left")
        tally.erased += 1
    elif sealed == (body is not None):
        refuse("body_c", "its body is neither there nor marked as erased, or is there twice")
    else:
        salt_bytes = exactly(salt, 32, "the body's salt")
        if body is not None:
            check_body(entry, base64_bytes(body, "the body"), salt_bytes)
        tally.compared += body is not None
        tally.unopened += sealed


def _read_dump(raw: bytes) -> tuple[list[dict[str, Json]], list[str]]:
    rows: list[dict[str, Json]] = []
    notes: list[str] = []
    if raw and not raw.endswith(b"\n"):
        refuse("dump", "the last line is not ended by a newline")
    for number, line in enumerate(raw.split(b"\n")[:-1], start=1):
        found = canonical_json(line, f"line {number}", check="dump")
        if not isinstance(found, dict):
            refuse("dump", f"line {number} is not an object")
        note = found.get("checkpoint")
        if isinstance(note, str) and len(found) == 1:
            notes.append(note)
        elif found.keys() >= ROW_NAMES and found.keys() - ROW_NAMES <= ROW_EXTRAS:
            rows.append(found)
        else:
            refuse("dump", f"line {number} is neither a row nor a checkpoint")
    return rows, notes


@contextmanager
def _row(at: int) -> Iterator[None]:
    """Name the row in what is refused inside."""
    try:
        yield
    except Refused as e:
        raise Refused("chain", f"row {at}: {e}", row=at) from e


def _origin_of(rows: Sequence[Mapping[str, Json]], policy: Policy) -> str:
    """Return the origin of the policy whose log these rows begin."""
    origins = policy.origins()
    if not origins:
        refuse("policy", "the policy names no log")
    if not rows:
        return origins[0]
    with _row(0):
        first = read_entry(base64_bytes(rows[0]["env"], "the entry"))
    return next((o for o in origins if genesis(o) == first.prev), origins[0])


def verify_chain(
    dump: bytes,
    policy: Policy,
    *,
    held: Sequence[str] = (),
    accept_s0: bool = False,
    bodies: bool = True,
) -> Tally:
    """Return what the log shows, or refuse with its first row that fails."""
    rows, notes = _read_dump(dump)
    origin = _origin_of(rows, policy)
    roots: dict[int, set[bytes]] = {}
    points = [read_checkpoint(note) for note in [*notes, *held]]
    for point in points:
        if rows and point.origin != origin:
            refuse("origin", f"a checkpoint is of another log, {point.origin!r}")
        check_checkpoint(point, policy, accept_s0=accept_s0)
        roots.setdefault(point.size, set()).add(point.root)
    tally, tree, keys = Tally(), Frontier(), Keys(origin)
    walk = Walk(prev=genesis(origin), bodies=bodies, keys=keys)
    for at, row in enumerate(rows):
        with _row(at):
            tree.add(_check_row(row, at, walk, tally).leaf)
        signed = roots.get(tree.size, set())
        if signed - {tree.root()}:
            first = tally.anchored
            why = f"row {first}, or one from there to row {at}, was rewritten"
            raise Refused("chain", why, row=first)
        if signed:
            tally.anchored = tree.size
    tally.entries = tree.size
    for point in points:
        keys.check(point, policy)
    if tree.size < max(roots, default=0):
        why = f"the log has {tree.size} entries, a checkpoint has {max(roots)}"
        raise Refused("chain", why, row=tree.size)
    return tally


# --- command line -------------------------------------------------------------------------------


def _receipt(options: argparse.Namespace, policy: Policy) -> str:
    found = verify_receipt(
        Path(options.file).read_bytes(), policy, accept_s0=bool(options.accept_s0)
    )
    return (
        f"The receipt holds at stage {found.stage}: entry {found.seq} ({found.event_id})"
        f" is in the log {found.origin} of {found.size} entries."
    )


def _chain(options: argparse.Namespace, policy: Policy) -> str:
    held = [Path(name).read_bytes().decode("utf-8") for name in options.checkpoint]
    found = verify_chain(
        Path(options.file).read_bytes(),
        policy,
        held=held,
        accept_s0=bool(options.accept_s0),
        bodies=not options.without_bodies,
    )
    return (
        f"The log of {found.entries} entries holds: {found.anchored} lie under a matching"
        f" checkpoint, {found.entries - found.anchored} are not anchored;"
        f" bodies: {found.compared} compared, {found.unopened} not opened, {found.erased} erased."
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="verifier.py", description="Verify a receipt or a log.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("receipt", "chain"):
        command = commands.add_parser(name)
        command.add_argument("file")
        command.add_argument("--policy", required=True)
        command.add_argument("--accept-s0", action="store_true")
        if name == "chain":
            command.add_argument("--checkpoint", action="append", default=[])
            command.add_argument("--without-bodies", action="store_true")
    options = parser.parse_args(arguments)
    try:
        policy = read_policy(Path(options.policy).read_bytes())
        run = _receipt if options.command == "receipt" else _chain
        sys.stdout.write(f"{run(options, policy)}\n")
    except (Refused, OSError, UnicodeDecodeError) as e:
        sys.stdout.write(f"Refused: {e}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
