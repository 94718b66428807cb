"""A receipt proves one entry of one log under one policy; everything else is refused by step."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from governance.ledger.core import canonical
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.errors import NotCanonical, ReceiptRejected
from governance.ledger.core.merkle import Tree, leaf_hash
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey, cosign, with_lines
from governance.ledger.core.policy import Policy
from governance.ledger.core.proof import TlogProof
from governance.ledger.core.receipt import MAX_RECEIPT_BYTES, build_receipt, verify_receipt
from governance.ledger.core.record import decode_entry, encode_entry, facts_commitment
from tests.unit.ledger.sample import (
    ORIGIN,
    WITNESSES,
    SampleLog,
    policy,
    private_key,
    secret,
)

LOG = SampleLog.of(9)
S0 = LOG.receipt(4)
S1 = LOG.receipt(4, witnesses=WITNESSES)


def edited(raw: bytes, **fields: canonical.Json) -> bytes:
    document = canonical.loads(raw)
    assert isinstance(document, dict)
    return canonical.dumps(document | fields)


def field(raw: bytes, name: str) -> bytes:
    document = canonical.loads(raw)
    assert isinstance(document, dict)
    return base64.b64decode(str(document[name]))


def with_proof(raw: bytes, proof: TlogProof) -> bytes:
    return edited(raw, proof=proof.encode().decode())


def rejected(raw: bytes, under: Policy) -> str:
    with pytest.raises(ReceiptRejected) as caught:
        verify_receipt(raw, under)
    assert caught.value.next_step
    return caught.value.step


def test_a_receipt_of_the_log_alone_reaches_stage_s0() -> None:
    verified = verify_receipt(S0, policy())
    assert (verified.stage, verified.origin, verified.seq, verified.size) == ("S0", ORIGIN, 4, 9)
    assert verified.root == LOG.tree.root()
    assert verified.entry == decode_entry(LOG.rows[4].env)
    assert verified.facts == {"actor": "u-1", "n": 4, "record": "model/forecast"}
    assert verified.body == b'{"input":{"age":"61"},"n":4}'
    assert not verified.body_withheld
    assert verified.cosigned_by == ()


def test_a_receipt_with_the_quorum_reaches_stage_s1_and_names_who_vouched() -> None:
    verified = verify_receipt(S1, policy(quorum="all"))
    assert verified.stage == "S1"
    assert [c.name for c in verified.cosigned_by] == [f"witness.example/{w}" for w in WITNESSES]
    assert [c.time_s for c in verified.cosigned_by] == [1_767_225_660 + n for n in range(3)]


def test_every_entry_at_every_later_size_has_a_receipt() -> None:
    for size in range(1, 10):
        for seq in range(size):
            verified = verify_receipt(LOG.receipt(seq, size), policy())
            assert (verified.seq, verified.size) == (seq, size)


def test_an_entry_without_a_body_and_a_body_left_out_are_told_apart() -> None:
    assert not verify_receipt(LOG.receipt(3), policy()).body_withheld
    withheld = verify_receipt(LOG.receipt(4, with_body=False), policy())
    assert withheld.body is None
    assert withheld.body_withheld


def test_a_receipt_without_the_quorum_is_refused_unless_the_reader_steps_down() -> None:
    strict = policy(quorum="2")
    assert rejected(S0, strict) == "quorum"
    assert verify_receipt(S0, strict.without_quorum()).stage == "S0"


def test_a_receipt_is_small() -> None:
    assert len(S0) < 1_250
    assert len(S1) < 1_250 + 3 * 140


# --- every byte -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "under"),
    [(S0, policy()), (S1, policy(quorum="all"))],
    ids=["S0", "S1"],
)
def test_every_changed_byte_is_refused(raw: bytes, under: Policy) -> None:
    for at in range(len(raw)):
        for bit in (1, 2, 8, 64, 128):
            mutated = raw[:at] + bytes((raw[at] ^ bit,)) + raw[at + 1 :]
            with pytest.raises(ReceiptRejected):
                verify_receipt(mutated, under)


def test_every_byte_removed_doubled_or_inserted_is_refused() -> None:
    under = policy()
    for at in range(len(S0)):
        for mutated in (
            S0[:at] + S0[at + 1 :],
            S0[: at + 1] + S0[at:],
            S0[:at] + b" " + S0[at:],
            S0[:at],
        ):
            with pytest.raises(ReceiptRejected):
                verify_receipt(mutated, under)


def test_only_the_extra_line_may_change_and_it_means_nothing() -> None:
    one, two = (LOG.receipt(4, extra=extra) for extra in (b"a", b"b"))
    assert one != two
    assert verify_receipt(one, policy()) == verify_receipt(two, policy())


def test_lines_of_unknown_keys_may_change_and_mean_nothing() -> None:
    stranger = cosign(
        LOG.note(), name="stranger.example", private_key=private_key("stranger"), time_s=1
    )
    proof = replace(LOG.proof(4), checkpoint=with_lines(LOG.note(), [stranger]))
    assert verify_receipt(with_proof(S0, proof), policy()) == verify_receipt(S0, policy())


# --- (1) parse --------------------------------------------------------------------------------

CHANGED_FORM: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a list": lambda: b"[]",
    "a missing field": lambda: canonical.dumps({"v": 1}),
    "a field too much": lambda: edited(S0, w=1),
    "version 2": lambda: edited(S0, v=2),
    "version true": lambda: edited(S0, v=True),
    "version as text": lambda: edited(S0, v="1"),
    "a number for base64": lambda: edited(S0, entry=1),
    "null facts": lambda: edited(S0, facts=None),
    "null entry": lambda: edited(S0, entry=None),
    "base64 of the web alphabet": lambda: edited(S0, facts="-_-_"),
    "a body without its salt": lambda: edited(S0, salt=None),
    "a salt without its body": lambda: edited(S0, body=None),
    "a proof that is no text": lambda: edited(S0, proof=None),
    "a proof that is another text": lambda: edited(S0, proof="c2sp.org/tlog-proof@v1\n"),
    "an entry that is another document": lambda: edited(S0, entry="e30="),
    "a checkpoint with an extension line": lambda: with_proof(
        S0,
        replace(LOG.proof(4), checkpoint=LOG.note().replace(b"\n\n", b"\nextension\n\n")),
    ),
    "indented": lambda: S0.replace(b",", b", "),
    "a newline at the end": lambda: S0 + b"\n",
    "beyond the size limit": lambda: b" " * (MAX_RECEIPT_BYTES + 1),
}


@pytest.mark.parametrize("change", CHANGED_FORM.values(), ids=CHANGED_FORM)
def test_another_form_is_refused_while_parsing(change: Callable[[], bytes]) -> None:
    assert rejected(change(), policy()) == "parse"


# --- (2) (3) commitments ----------------------------------------------------------------------


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_other_facts_or_another_salt_are_refused() -> None:
    other = canonical.dumps({"actor": "u-2"})
    assert rejected(edited(S0, facts=b64(other)), policy()) == "facts_c"
    assert rejected(edited(S0, facts_salt=b64(secret("x"))), policy()) == "facts_c"
    assert rejected(edited(S0, facts_salt=b64(b"short")), policy()) == "facts_c"


def test_facts_that_are_not_canonical_are_refused_although_they_were_committed_to() -> None:
    row, spaced = SampleLog.of(1).rows[0], b'{"n": 1}'
    committed = facts_commitment(salt=row.facts_salt, facts=spaced)
    env = encode_entry(replace(decode_entry(row.env), facts_c=committed))
    log = SampleLog(rows=[row._replace(env=env, facts=spaced)], tree=Tree([leaf_hash(env)]))
    assert rejected(log.receipt(0), policy()) == "facts_c"


def test_a_swapped_body_is_refused() -> None:
    swapped = edited(S0, body=b64(field(LOG.receipt(5), "body")))
    assert rejected(swapped, policy()) == "body_c"
    with_its_salt = edited(swapped, salt=b64(field(LOG.receipt(5), "salt")))
    assert rejected(with_its_salt, policy()) == "body_c"


def test_a_body_for_an_entry_without_one_is_refused() -> None:
    invented = edited(LOG.receipt(3), body=b64(b"{}"), salt=b64(secret("x")))
    assert rejected(invented, policy()) == "body_c"


# --- (4) leaf, (5) origin ---------------------------------------------------------------------


def test_the_proof_of_another_entry_is_refused() -> None:
    assert rejected(with_proof(S0, LOG.proof(5)), policy()) == "leaf"


def test_an_entry_at_the_place_of_another_is_refused() -> None:
    proof = replace(LOG.proof(5), index=4)
    assert rejected(with_proof(S0, proof), policy()) == "inclusion"


def test_a_receipt_of_another_log_is_refused() -> None:
    other = SampleLog.of(9, origin="example.org/other/audit/1")
    assert rejected(other.receipt(4), policy()) == "origin"


def test_a_log_that_gives_itself_the_name_of_another_is_refused() -> None:
    impostor = SampleLog.of(9, key_name="impostor")
    assert impostor.origin == ORIGIN
    assert rejected(impostor.receipt(4), policy()) == "log_signature"


def test_the_first_entry_of_one_log_does_not_start_another() -> None:
    other = SampleLog.of(1, origin="example.org/other/audit/1")
    checkpoint = Checkpoint(origin=ORIGIN, size=1, root=other.tree.root())
    note = sign_checkpoint(checkpoint, private_key=private_key("log"))  # as if the key were stolen
    proof = TlogProof(index=0, hashes=(), checkpoint=note)
    assert rejected(with_proof(other.receipt(0), proof), policy()) == "origin"


# --- (6) log signature ------------------------------------------------------------------------


def note_of(size: int, root: bytes, *, key_name: str = "log") -> bytes:
    return sign_checkpoint(
        Checkpoint(origin=ORIGIN, size=size, root=root), private_key=private_key(key_name)
    )


def test_a_checkpoint_that_only_witnesses_signed_is_refused() -> None:
    text, _, lines = LOG.note(witnesses=WITNESSES).decode().rpartition("\n\n")
    without = "".join(line for line in lines.splitlines(keepends=True) if ORIGIN not in line)
    proof = replace(LOG.proof(4), checkpoint=(text + "\n\n" + without).encode())
    assert rejected(with_proof(S0, proof), policy(quorum="all")) == "log_signature"


def test_a_signature_under_an_older_checkpoint_is_refused() -> None:
    _, _, old_line = LOG.note(5).decode().rpartition("\n\n")
    text = LOG.note(9).decode().rpartition("\n\n")[0]
    proof = replace(LOG.proof(4), checkpoint=(text + "\n\n" + old_line).encode())
    assert rejected(with_proof(S0, proof), policy()) == "log_signature"


# --- (7) quorum -------------------------------------------------------------------------------


def test_the_same_witness_twice_is_one_witness() -> None:
    note = LOG.note(witnesses=("hospital",))
    again = cosign(
        note, name="witness.example/hospital", private_key=private_key("hospital"), time_s=99
    )
    later = cosign(
        note, name="witness.example/hospital", private_key=private_key("hospital"), time_s=2**40
    )
    proof = replace(LOG.proof(4), checkpoint=with_lines(note, [again]))
    raw = with_proof(S0, proof)
    assert rejected(raw, policy(quorum="2")) == "quorum"
    verified = verify_receipt(raw, policy(quorum="any"))
    thrice = replace(proof, checkpoint=with_lines(note, [again, later]))
    latest = verify_receipt(with_proof(S0, thrice), policy(quorum="any"))
    assert [cosigner.time_s for cosigner in latest.cosigned_by] == [2**40]
    # The later of its two signatures is in front here, the earlier behind.
    assert [cosigner.time_s for cosigner in verified.cosigned_by] == [1_767_225_660]


def test_one_witness_under_another_name_is_not_a_second_one() -> None:
    alias = cosign(
        LOG.note(), name="witness.example/alias", private_key=private_key("hospital"), time_s=99
    )
    note = with_lines(LOG.note(witnesses=("hospital",)), [alias])
    raw = with_proof(S0, replace(LOG.proof(4), checkpoint=note))
    assert rejected(raw, policy(quorum="2")) == "quorum"


def test_a_cosignature_for_another_checkpoint_is_refused() -> None:
    foreign = cosign(
        LOG.note(5), name="witness.example/vendor", private_key=private_key("vendor"), time_s=99
    )
    note = with_lines(LOG.note(witnesses=("hospital",)), [foreign])
    raw = with_proof(S0, replace(LOG.proof(4), checkpoint=note))
    assert rejected(raw, policy(quorum="any")) == "quorum"


def test_witnesses_that_the_policy_does_not_know_do_not_count() -> None:
    log_only = Policy.parse(
        f"log {LOG.key.text()}\nwitness w {_stranger().text()}\nquorum w\n".encode()
    )
    assert rejected(S1, log_only) == "quorum"


def _stranger() -> VerifierKey:
    return VerifierKey.of(
        private_key("stranger"), name="stranger.example", algorithm=COSIGNATURE_V1
    )


# --- (8) inclusion ----------------------------------------------------------------------------


def test_a_node_presented_as_a_leaf_is_refused() -> None:
    # The 64 bytes under an inner node are no envelope; nor do they hash to the node as a leaf.
    node = LOG.tree.leaf(4) + LOG.tree.leaf(5)
    assert rejected(edited(S0, entry=b64(node)), policy()) == "parse"
    assert leaf_hash(node) != LOG.tree.complete_nodes(1, 2, 1)


def test_a_proof_of_another_size_is_refused() -> None:
    proof = replace(LOG.proof(4, 9), hashes=LOG.proof(4, 5).hashes)
    assert rejected(with_proof(S0, proof), policy()) == "inclusion"


@pytest.mark.parametrize("change", ["less", "more", "none"])
def test_a_proof_of_another_length_is_refused(change: str) -> None:
    hashes = LOG.proof(4).hashes
    forged = {"less": hashes[:-1], "more": (*hashes, hashes[-1]), "none": ()}[change]
    raw = with_proof(S0, replace(LOG.proof(4), hashes=forged))
    assert rejected(raw, policy()) == "inclusion"


def test_an_entry_beyond_the_signed_size_is_refused() -> None:
    proof = replace(LOG.proof(4), checkpoint=LOG.note(4))
    assert rejected(with_proof(S0, proof), policy()) == "inclusion"


def test_a_history_rewritten_with_the_stolen_log_key_does_not_reach_the_quorum() -> None:
    fork = SampleLog()
    for number in range(9):
        fork.append(kind="inference.answered", facts={"n": -number}, body=None)
    assert verify_receipt(fork.receipt(4), policy()).stage == "S0"  # S0 cannot see it: say so
    assert rejected(fork.receipt(4), policy(quorum="2")) == "quorum"
    honest = LOG.note(witnesses=WITNESSES).decode().rpartition("\n\n")[2].splitlines(keepends=True)
    proof = replace(fork.proof(4), checkpoint=with_lines(fork.note(), honest[1:]))
    assert rejected(with_proof(fork.receipt(4), proof), policy(quorum="2")) == "quorum"


# --- building ---------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"body": None}, {"body_salt": None}])
def test_a_receipt_is_not_built_from_half_a_body(change: dict[str, None]) -> None:
    row = LOG.rows[4]
    parts: dict[str, object] = {
        "entry": row.env,
        "facts": row.facts,
        "facts_salt": row.facts_salt,
        "body": b"{}",
        "body_salt": row.body_salt,
        "proof": LOG.proof(4),
    }
    with pytest.raises(NotCanonical, match="together"):
        build_receipt(**(parts | change))


def test_a_rejection_tells_no_content() -> None:
    raw = edited(S0, body=b64(b'{"name":"Ann Example"}'))
    with pytest.raises(ReceiptRejected) as caught:
        verify_receipt(raw, policy())
    assert "Ann" not in str(caught.value)
