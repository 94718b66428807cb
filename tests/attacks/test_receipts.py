"""Rows 12 to 17, 22, 23, 34, 35: hostile receipts, proofs, keys and spellings (P14)."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from governance.clock import FixedClock
from governance.errors import GovernanceError
from governance.home import Home
from governance.ledger.core import canonical
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.ed25519 import check_public_key
from governance.ledger.core.errors import (
    NoteRejected,
    PolicyRejected,
    ProofRejected,
    ReceiptRejected,
)
from governance.ledger.core.merkle import Tree, node_hash, verify_consistency
from governance.ledger.core.note import COSIGNATURE_V1, ED25519, VerifierKey, cosign, with_lines
from governance.ledger.core.policy import Policy
from governance.ledger.core.proof import TlogProof
from governance.ledger.core.receipt import build_receipt, verify_receipt
from governance.ledger.core.witness import parse_add_checkpoint, parse_size
from governance.storage.open import create_home, inspect_storage, open_storage
from tests.attacks.support import ANSWER, SIZE, found, refused, written
from tests.integration.storage.samples import NOW_US
from tests.integration.storage.test_tampering import tampering
from tests.integration.witness.outside import Outside

if TYPE_CHECKING:
    from governance.ledger.store.view import LedgerView

pytestmark = pytest.mark.requirement("P14")
THREE = ("hospital", "vendor", "body")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a second home with the same people, the same answers, and keys of its own."""
    clock = FixedClock(now_us=NOW_US)
    root = tmp_path_factory.mktemp("other") / "home"
    home = create_home(root, organisation="acme", deployment="test", clock=clock)
    written(home, clock)
    return home


def receipt_of(home: Home, seq: int = ANSWER) -> bytes:
    with inspect_storage(home) as inspected:
        return inspected.ledger.receipt(inspected.ledger.entry(seq).event_id)


def pinned(home: Home) -> Policy:
    return Policy.parse(home.policy_path.read_bytes())


def rejected(raw: bytes, policy: Policy) -> ReceiptRejected:
    with pytest.raises(ReceiptRejected) as caught:
        verify_receipt(raw, policy)
    return caught.value


def edited(raw: bytes, **members: Any) -> bytes:
    document: Any = canonical.loads(raw)
    return canonical.dumps({**document, **members})


def proof_of(raw: bytes) -> TlogProof:
    document: Any = canonical.loads(raw)
    return TlogProof.parse(document["proof"].encode())


def with_proof(raw: bytes, proof: TlogProof) -> bytes:
    return edited(raw, proof=proof.encode().decode())


# --- who counts -------------------------------------------------------------------------------


def test_12_the_same_witness_twice_is_one_witness(home: Home, clock: FixedClock) -> None:
    outside = Outside.of(home, clock, *THREE)
    outside.door("hospital").down = outside.door("body").down = True
    with outside.opened() as storage:
        storage.cosigner.round()
        raw = storage.ledger.receipt(storage.ledger.entry(ANSWER).event_id)
        policy = storage.ledger.policy
    vendor = outside.homes["vendor"]
    proof = proof_of(raw)
    lines = [
        cosign(proof.checkpoint, name=vendor.vkey.name, private_key=vendor.key, time_s=second)
        for second in (1_900_000_000, 1_900_000_001, 1_900_000_002)
    ]
    twice = with_proof(raw, replace(proof, checkpoint=with_lines(proof.checkpoint, lines)))
    refusal = rejected(twice, policy)
    assert refusal.step == "quorum"
    assert "too few distinct witnesses cosigned the checkpoint" in str(refusal)
    assert verify_receipt(twice, policy.without_quorum()).stage == "S0"


def test_12_one_key_under_two_names_is_no_policy(home: Home, clock: FixedClock) -> None:
    vendor = Outside.of(home, clock, "vendor").homes["vendor"]
    again = VerifierKey.of(vendor.key, name="another.example", algorithm=COSIGNATURE_V1)
    log = home.policy_path.read_text().splitlines()[0]
    lines = [
        log,
        f"witness one {vendor.vkey.text()}",
        f"witness two {again.text()}",
        "group both all one two",
        "quorum both",
    ]
    with pytest.raises(PolicyRejected, match="line 3: the public key is in the file already"):
        Policy.parse("\n".join([*lines, ""]).encode())


def test_13_a_receipt_does_not_answer_for_another_request(home: Home) -> None:
    """It verifies, and says in hashed bytes which request and which event it is about."""
    mine, others = (verify_receipt(receipt_of(home, seq), pinned(home)) for seq in (6, 7))
    assert mine.entry.event_id != others.entry.event_id
    assert mine.body is not None
    assert others.body is not None
    assert json.loads(mine.body)["reply"] == '{"rows":[6]}'
    assert json.loads(others.body)["reply"] == '{"rows":[7]}'
    raw = receipt_of(home, 6)
    swapped: Any = canonical.loads(receipt_of(home, 7))
    for members, step in (
        (("body", "salt"), "body_c"),
        (("facts", "facts_salt"), "facts_c"),
        (("proof",), "leaf"),
        (("entry",), "facts_c"),
        (("entry", "facts", "facts_salt", "body", "salt"), "leaf"),
    ):
        refusal = rejected(edited(raw, **{name: swapped[name] for name in members}), pinned(home))
        assert refusal.step == step


def test_14_a_receipt_does_not_move_to_another_log(home: Home, other: Home) -> None:
    assert rejected(receipt_of(other), pinned(home)).step == "origin"
    own, foreign = receipt_of(home), receipt_of(other)
    moved = edited(foreign, proof=_proof_text(own))
    assert rejected(moved, pinned(home)).step == "inclusion"


def test_14_entries_do_not_move_to_another_log(home: Home, other: Home, clock: FixedClock) -> None:
    """Rows with bodies are copied whole; the first differs already, and so does every link."""
    with tampering(other) as source:
        rows = [dict(row) for row in source.execute(text("SELECT * FROM entry")).mappings()]
        bodies = [dict(row) for row in source.execute(text("SELECT * FROM body")).mappings()]
    with tampering(home) as connection:
        _replace(connection, "entry", [row for row in rows if row["seq"] == ANSWER])
        _replace(connection, "body", [row for row in bodies if row["seq"] == ANSWER])
    assert found(home).sequence == ANSWER
    assert refused(home, clock).what == "the entry does not follow the one before it"
    with tampering(home) as connection:
        _replace(connection, "entry", rows)
    assert refused(home, clock).sequence == 0  # its genesis names the other origin


def _replace(connection: Any, table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        sets = ", ".join(f"{name} = :{name}" for name in row if name != "seq")
        connection.execute(text(f"UPDATE {table} SET {sets} WHERE seq = :seq"), row)


def _proof_text(raw: bytes) -> str:
    document: Any = canonical.loads(raw)
    return str(document["proof"])


def test_15_a_server_that_takes_another_identity_is_refused(home: Home, other: Home) -> None:
    """Name and key come from the pinned file, never from what is being verified."""
    raw = receipt_of(home)
    proof = proof_of(raw)
    opened = Checkpoint.parse(proof.checkpoint.decode().partition("\n\n")[0] + "\n")
    # Another key under the pinned name.
    forged = sign_checkpoint(opened, private_key=other.log_key())
    assert rejected(with_proof(raw, replace(proof, checkpoint=forged)), pinned(home)).step == (
        "log_signature"
    )
    # Another name under its own key, offered together with a policy of its own.
    renamed = replace(opened, origin=other.origin)
    note = sign_checkpoint(renamed, private_key=other.log_key())
    offered = with_proof(raw, replace(proof, checkpoint=note))
    assert verify_receipt(offered, pinned(other)).origin == other.origin
    assert rejected(offered, pinned(home)).step == "origin"


def test_15_a_home_that_is_given_another_name_is_refused(home: Home, clock: FixedClock) -> None:
    config = home.root / "vigil.toml"
    config.write_text(config.read_text().replace("acme", "acmf"))
    assert refused(Home.open(home.root), clock).exit_code == 3


# --- shapes -----------------------------------------------------------------------------------


def test_16_a_proof_cannot_choose_its_own_shape(home: Home) -> None:
    """Sides and length follow from index and size; every reordering and every lie is refused."""
    raw = receipt_of(home)
    proof = proof_of(raw)
    hashes = proof.hashes
    forged = [hashes[::-1], hashes[1:], (*hashes, hashes[0]), hashes[:-1], (), hashes * 2]
    forged += [(*hashes[:at], bytes(32), *hashes[at + 1 :]) for at in range(len(hashes))]
    for path in forged:
        refusal = rejected(with_proof(raw, replace(proof, hashes=path)), pinned(home))
        assert refusal.step == "inclusion"
    for index in range(SIZE):
        if index != ANSWER:
            refusal = rejected(with_proof(raw, replace(proof, index=index)), pinned(home))
            assert refusal.step == "leaf"


def test_16_a_consistency_proof_between_unrelated_trees_is_refused(home: Home) -> None:
    """The forgery that pymerkle 6.1 accepted: a path that says by itself how it is to be read."""
    tree = _tree(home)
    alien = Tree(bytes([number]) * 32 for number in range(6))
    attempts = [
        [],
        [tree.root()],
        [alien.root(), tree.root()],
        [alien.root(), *tree.consistency_proof(6)],
        [alien.root(), *tree.consistency_proof(6)[1:]],
        list(alien.consistency_proof(4)),
        [node_hash(alien.root(), tree.root())],
    ]
    for proof in attempts:
        with pytest.raises(ProofRejected):
            verify_consistency(
                old_size=6, old_root=alien.root(), new_size=SIZE, new_root=tree.root(), proof=proof
            )
    verify_consistency(
        old_size=6,
        old_root=tree.root(6),
        new_size=SIZE,
        new_root=tree.root(),
        proof=tree.consistency_proof(6),
    )


def _tree(home: Home) -> Tree:
    with inspect_storage(home) as inspected:
        return inspected.ledger.tree


def test_17_an_inner_node_is_no_leaf(home: Home) -> None:
    """Its 64 bytes are no entry, and as a leaf they hash to something else than the node."""
    with inspect_storage(home) as inspected:
        ledger: LedgerView = inspected.ledger
        node = ledger.tree.leaf(ANSWER) + ledger.tree.leaf(ANSWER + 1)
        raw = ledger.receipt(ledger.entry(ANSWER).event_id)
    proof = proof_of(raw)
    shorter = replace(proof, index=ANSWER // 2, hashes=proof.hashes[1:])
    forged = edited(with_proof(raw, shorter), entry=base64.b64encode(node).decode())
    assert rejected(forged, pinned(home)).step == "parse"
    from governance.ledger.core.merkle import leaf_hash

    assert leaf_hash(node) != node_hash(node[:32], node[32:])


# --- spellings --------------------------------------------------------------------------------

CONFUSING = {
    "a doubled name": b'{"a":1,"a":2}',
    "NaN": b'{"a":NaN}',
    "one point zero": b'{"a":1.0}',
    "an exponent": b'{"a":1e0}',
    "minus zero": b'{"a":-0}',
    "an integer beyond the domain": b'{"a":10000000000000000000000}',
    "a lone surrogate": b'{"a":"\\ud800"}',
    "an escape that is not needed": b'{"\\u0061":1}',
    "names in another order": b'{"b":1,"a":1}',
    "a space": b'{"a": 1}',
    "a byte-order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("raw", CONFUSING.values(), ids=CONFUSING)
def test_22_a_second_spelling_of_a_document_is_refused(home: Home, raw: bytes) -> None:
    with pytest.raises(GovernanceError):
        canonical.loads(raw)
    encoded = base64.b64encode(raw).decode()
    refusal = rejected(edited(receipt_of(home), facts=encoded), pinned(home))
    assert refusal.step == "facts_c"


LENIENT = ["-5", "+5", " 5", "5 ", "05", "1_0", "\u0665", "5.0", "0x5", "", "1e1", "9" * 20]


@pytest.mark.parametrize("number", LENIENT)
def test_23_a_lenient_number_is_refused_in_every_text(home: Home, number: str) -> None:
    raw = receipt_of(home)
    proof = _proof_text(raw)
    for old, new in (
        (f"\nindex {ANSWER}\n", f"\nindex {number}\n"),
        (f"\n{SIZE}\n", f"\n{number}\n"),
    ):
        refusal = rejected(edited(raw, proof=proof.replace(old, new)), pinned(home))
        assert refusal.step == "parse"
    log = home.policy_path.read_text()
    key = VerifierKey.of(home.log_key(), name="w.example", algorithm=COSIGNATURE_V1).text()
    with pytest.raises(PolicyRejected):
        Policy.parse(f"witness w {key}\ngroup g {number} w\nquorum g\n{log}".encode())
    with pytest.raises(GovernanceError):
        parse_size(f"{number}\n".encode())
    with pytest.raises(GovernanceError):
        parse_add_checkpoint(f"old {number}\n\n".encode() + proof.encode())


# --- keys and sizes ---------------------------------------------------------------------------

# The encodings of points whose order divides eight, and of y coordinates beyond the field: the
# classes of the C2SP CCTV Ed25519 vectors. Computed from RFC 8032 below, not copied.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


def _small_order_y() -> set[int]:
    """Return y of every point P with 8P = 0.

    Order 1, 2 and 4: y is 1, -1 and 0. A point of order 8 doubles to one with y = 0, so
    x^2 = -y^2, and the curve -x^2 + y^2 = 1 + d x^2 y^2 becomes d y^4 + 2 y^2 - 1 = 0.
    """
    found_y = {0, 1, _P - 1}
    for sign in (1, -1):
        root = _sqrt((1 + _D) % _P)
        if root is None:
            continue
        square = (-1 + sign * root) * pow(_D, -1, _P) % _P
        y = _sqrt(square)
        if y is not None:
            found_y |= {y, _P - y}
    return found_y


def _sqrt(value: int) -> int | None:
    root = pow(value, (_P + 3) // 8, _P)
    for candidate in (root, root * pow(2, (_P - 1) // 4, _P) % _P):
        if candidate * candidate % _P == value % _P:
            return candidate
    return None


ODD_Y = [*sorted(_small_order_y()), _P, _P + 1, _P + 18, 2**255 - 1]


def test_34_the_small_order_points_are_five_y_coordinates() -> None:
    assert len(_small_order_y()) == 5


@pytest.mark.parametrize("sign", [0, 1 << 255], ids=["even", "odd"])
@pytest.mark.parametrize("y", ODD_Y, ids=lambda y: f"{y % 10**6}")
def test_34_a_small_order_or_odd_key_is_refused_at_registration(
    home: Home, y: int, sign: int
) -> None:
    point = (y | sign).to_bytes(32, "little")
    with pytest.raises(NoteRejected, match=r"small order|canonically"):
        check_public_key(point)
    for algorithm in (ED25519, COSIGNATURE_V1):
        with pytest.raises(NoteRejected):
            VerifierKey(name="w.example", algorithm=algorithm, public_key=point)
    from hashlib import sha256

    blob = bytes((COSIGNATURE_V1,)) + point
    key_id = sha256(b"w.example\n" + blob).hexdigest()[:8]
    line = f"witness w w.example+{key_id}+{base64.b64encode(blob).decode()}\nquorum w\n"
    with pytest.raises(PolicyRejected, match="line 3"):
        Policy.parse((home.policy_path.read_text() + line).encode())


def test_35_a_note_with_thousands_of_signatures_is_refused_unread(home: Home) -> None:
    raw = receipt_of(home)
    proof = proof_of(raw)
    line = f"— w.example {base64.b64encode(bytes(68)).decode()}\n".encode()
    for count in (64, 5_000):
        note = proof.checkpoint + line * count
        refusal = rejected(with_proof(raw, replace(proof, checkpoint=note)), pinned(home))
        assert refusal.step == "parse"
        assert "signature" in str(refusal) or "bytes" in str(refusal)
    note = proof.checkpoint + line * 16
    assert verify_receipt(with_proof(raw, replace(proof, checkpoint=note)), pinned(home)).seq == 6


def test_35_a_huge_proof_is_refused_unread(home: Home) -> None:
    raw = receipt_of(home)
    text_of_proof = _proof_text(raw)
    head, _, note = text_of_proof.partition("\n\n")
    for count in (64, 50_000):
        lines = "\n".join([head.partition("\n")[0], f"index {ANSWER}", *["A" * 43 + "="] * count])
        refusal = rejected(edited(raw, proof=f"{lines}\n\n{note}"), pinned(home))
        assert refusal.step == "parse"
    with pytest.raises(GovernanceError):
        parse_add_checkpoint(b"old 0\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + note.encode())
    assert rejected(b"[" * 5_000_000, pinned(home)).step == "parse"


def test_35_no_receipt_is_built_that_no_verifier_would_read(home: Home, clock: FixedClock) -> None:
    with open_storage(home, clock=clock) as storage:
        entry = storage.ledger.entry(ANSWER)
        with pytest.raises(GovernanceError):
            build_receipt(
                entry=entry.stored.env,
                facts=bytes(4_000_000),
                facts_salt=entry.stored.facts_salt,
                body=None,
                body_salt=None,
                proof=proof_of(storage.ledger.receipt(entry.event_id)),
            )


def test_the_other_home_is_a_log_of_its_own(home: Home, other: Home) -> None:
    assert home.origin != other.origin
    assert verify_receipt(receipt_of(other), pinned(other)).seq == ANSWER
