"""A second verifier, which knows docs/reference/ledger-format.md and nothing else.

It imports nothing of the project, shares no helper with it and is as plain as possible: when the
format page and the product drift apart, the golden test fails here. Raises Refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    """The bytes do not prove what they claim."""


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def need(holds: object, what: str) -> None:
    if not holds:
        raise Refused(what)


def unb64(text: object) -> bytes:
    need(isinstance(text, str), "base64 is text")
    try:
        raw = base64.b64decode(str(text), validate=True)
    except ValueError as error:
        raise Refused("base64") from error
    need(base64.b64encode(raw).decode() == text, "base64 spelling")
    return raw


def canonical(value: object) -> bytes:
    """Section 2."""
    need(not isinstance(value, float), "floats")
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def read_canonical(raw: bytes) -> object:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise Refused("not JSON") from error
    need(canonical(value) == raw, "not canonical")
    return value


ENVELOPE = re.compile(
    rb'\{"body_c":(?:null|"[0-9a-f]{64}"),"event_id":"[0-9a-f-]{36}","facts_c":"[0-9a-f]{64}",'
    rb'"kind":"[a-z0-9_.]{3,64}","prev":"[0-9a-f]{64}","seq":[0-9]+,"t_us":[0-9]+,"v":1\}'
)


def read_entry(raw: bytes) -> dict[str, object]:
    """Section 3."""
    need(ENVELOPE.fullmatch(raw), "envelope")
    entry = read_canonical(raw)
    assert isinstance(entry, dict)
    return entry


def commitment(domain: bytes, salt: bytes, content: bytes) -> str:
    need(len(salt) == 32, "salt")
    return sha(domain + salt + content).hex()


def merkle_root(leaves: list[bytes]) -> bytes:
    """Section 5, by the recursive definition."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:]))


def root_from_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Section 5, by recursion from the top: the last hash is the sibling of the largest half."""
    if size == 1:
        need(not path, "path too long")
        return leaf
    need(path, "path too short")
    split = 1
    while split * 2 < size:
        split *= 2
    if index < split:
        return sha(b"\x01" + root_from_path(leaf, index, split, path[:-1]) + path[-1])
    return sha(b"\x01" + path[-1] + root_from_path(leaf, index - split, size - split, path[:-1]))


def read_vkey(text: str) -> tuple[str, bytes, int, bytes]:
    name, key_id, encoded = text.split("+", 2)
    raw = unb64(encoded)
    need(sha(name.encode() + b"\n" + raw)[:4].hex() == key_id, "key id")
    return name, bytes.fromhex(key_id), raw[0], raw[1:]


def read_policy(text: str) -> tuple[list, dict, dict, str]:
    logs, witnesses, groups, quorum = [], {}, {}, ""
    for line in text.splitlines():
        words = line.split()
        if words[0] == "log":
            logs.append(read_vkey(words[1]))
        elif words[0] == "witness":
            witnesses[words[1]] = read_vkey(words[2])
        elif words[0] == "group":
            groups[words[1]] = (words[2], words[3:])
        elif words[0] == "quorum":
            quorum = words[1]
    return logs, witnesses, groups, quorum


def signed_by(text: str, lines: list[str], key: tuple[str, bytes, int, bytes]) -> bool:
    """Section 6: False when the key did not sign, Refused when it signed badly."""
    name, key_id, kind, public = key
    found = False
    for line in lines:
        dash, line_name, encoded = line.split(" ")
        need(dash == "\u2014", "dash")
        raw = unb64(encoded)
        if (line_name, raw[:4]) != (name, key_id):
            continue
        signature, message = raw[4:], text.encode()
        if kind == 4:
            time_s = int.from_bytes(signature[:8], "big")
            signature, message = signature[8:], f"cosignature/v1\ntime {time_s}\n{text}".encode()
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature as error:
            raise Refused("signature") from error
        found = True
    return found


def quorum_met(policy: tuple[list, dict, dict, str], text: str, lines: list[str]) -> bool:
    _, witnesses, groups, quorum = policy
    met = {name for name, key in witnesses.items() if signed_by(text, lines, key)}
    for name, (threshold, members) in groups.items():
        needed = {"all": len(members), "any": 1}.get(threshold) or int(threshold)
        if sum(member in met for member in members) >= needed:
            met.add(name)
    return quorum == "none" or quorum in met


def verify_receipt(raw: bytes, policy_text: str) -> dict[str, object]:
    """Section 8, in its order."""
    receipt = read_canonical(raw)
    need(isinstance(receipt, dict), "object")
    names = {"v", "entry", "facts", "facts_salt", "body", "salt", "proof"}
    need(set(receipt) == names and receipt["v"] == 1, "fields")
    env = unb64(receipt["entry"])
    entry = read_entry(env)
    head, _, checkpoint = receipt["proof"].partition("\n\n")
    header, *rest = head.split("\n")
    need(header == "c2sp.org/tlog-proof@v1", "proof header")
    if rest[0].startswith("extra "):
        rest.pop(0)
    index = int(rest.pop(0).removeprefix("index "))
    text, _, signatures = checkpoint.rpartition("\n\n")
    text += "\n"
    origin, size, root, empty = text.split("\n")
    need(not empty and signatures.endswith("\n"), "checkpoint")
    lines = signatures[:-1].split("\n")

    facts = unb64(receipt["facts"])
    facts_c = commitment(b"oncovigil/facts/v1\n", unb64(receipt["facts_salt"]), facts)
    need(facts_c == entry["facts_c"], "facts_c")
    if receipt["body"] is not None:
        body_c = commitment(b"oncovigil/body/v1\n", unb64(receipt["salt"]), unb64(receipt["body"]))
        need(body_c == entry["body_c"], "body_c")
    need(index == entry["seq"], "leaf")
    policy = read_policy(policy_text)
    keys = [key for key in policy[0] if key[0] == origin]
    need(keys, "origin")
    signatures_of_log = [signed_by(text, lines, key) for key in keys]  # all: one bad one rejects
    need(any(signatures_of_log), "log signature")
    need(quorum_met(policy, text, lines), "quorum")
    reached = root_from_path(sha(b"\x00" + env), index, int(size), [unb64(line) for line in rest])
    need(reached == unb64(root), "inclusion")
    return {"seq": index, "size": int(size), "facts": read_canonical(facts)}


def verify_rows(rows: list[dict[str, object]], origin: str, *, size: int, root: bytes) -> None:
    """Section 9."""
    prev = sha(b"oncovigil/genesis/v1\n" + origin.encode())
    last_t_us, leaves = 0, []
    for seq, row in enumerate(rows):
        env = str(row["env"]).encode("ascii")
        entry = read_entry(env)
        leaf = sha(b"\x00" + env)
        need(row["seq"] == entry["seq"] == seq, f"seq {seq}")
        need(row["event_id"] == entry["event_id"], f"event id {seq}")
        need(row["leaf"] == leaf.hex(), f"leaf {seq}")
        need(entry["prev"] == prev.hex(), f"prev {seq}")
        need(int(str(entry["t_us"])) >= last_t_us, f"time {seq}")
        salt, facts = bytes.fromhex(str(row["facts_salt"])), str(row["facts"]).encode()
        need(commitment(b"oncovigil/facts/v1\n", salt, facts) == entry["facts_c"], f"facts {seq}")
        prev, last_t_us = leaf, int(str(entry["t_us"]))
        leaves.append(leaf)
    need(len(leaves) >= size, "cut tail")
    need(merkle_root(leaves[:size]) == root, "root")
