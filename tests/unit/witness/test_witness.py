"""A witness cosigns what extends everything it saw before, and nothing else (attack rows 7, 10)."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.clock import FixedClock
from governance.errors import Conflict
from governance.ledger.core.checkpoint import sign_checkpoint
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import EMPTY_ROOT
from governance.ledger.core.note import VerifierKey, with_lines
from governance.ledger.core.policy import Policy
from governance.ledger.core.witness import (
    SIZE_TYPE,
    open_seen,
    parse_cosignatures,
    parse_size,
    seen_path,
)
from governance.witness.home import WitnessHomeInvalid, create_witness, open_witness
from governance.witness.store import Seen, SeenStore, WitnessStoreFailed
from governance.witness.witness import Reply, Witness
from tests.unit.ledger.sample import (
    ORIGIN,
    START_US,
    SampleLog,
    policy_text,
    private_key,
    witness_key,
)
from tests.unit.witness.parties import (
    LOG,
    START_S,
    forked,
    make_witness,
    request,
    submit,
    witness_home,
)

pytestmark = pytest.mark.requirement("P3")
KEY = witness_key("hospital")
LOG_KEYS = LogKeys.begin(ORIGIN, [LOG.key.text()])
DIGEST = seen_path(ORIGIN).split("/")[1]


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return make_witness(tmp_path)


def times(reply: Reply, size: int) -> list[int]:
    """Return the times of the witness's cosignatures over the checkpoint at `size`."""
    assert reply.status == 200, reply.body
    note = LOG.note(size)
    lines = parse_cosignatures(reply.body, checkpoint=note, key=KEY)
    seen = open_seen(with_lines(note, lines), keys=LOG_KEYS, witness=KEY)
    return [seen.time_s]


def size_of(witness: Witness) -> int:
    reply = witness.seen(DIGEST)
    if reply.status == 204:
        return 0
    seen = open_seen(reply.body, keys=LOG_KEYS, witness=KEY)
    return seen.size


def test_the_first_checkpoint_is_cosigned_with_the_time(tmp_path: Path) -> None:
    clock = FixedClock(now_us=START_US)
    witness = make_witness(tmp_path, clock=clock)
    assert times(submit(witness, 3), 3) == [START_S]
    clock.advance(seconds=7.9)
    assert times(submit(witness, 9, old=3), 9) == [START_S + 7]


def test_what_it_saw_is_shown_with_both_signatures(witness: Witness) -> None:
    assert witness.seen(DIGEST).status == 204
    submit(witness, 3)
    assert size_of(witness) == 3
    assert witness.seen("0" * 64).status == 404


def test_the_same_checkpoint_is_cosigned_again(witness: Witness) -> None:
    submit(witness, 5)
    assert submit(witness, 5, old=5).status == 200
    assert size_of(witness) == 5


def test_an_unknown_log_is_404(witness: Witness) -> None:
    other = SampleLog.of(3, origin="example.org/other")
    assert submit(witness, 3, log=other).status == 404


def test_a_log_is_known_by_its_key_and_not_only_by_its_name(witness: Witness) -> None:
    assert submit(witness, 3, log=SampleLog.of(3, key_name="evil")).status == 403


def test_a_bad_signature_of_the_logs_key_is_403(witness: Witness) -> None:
    text = LOG.note(4).decode().rpartition("\n\n")[0]
    lines = LOG.note(5).decode().rpartition("\n\n")[2]
    note = f"{text}\n\n{lines}".encode()
    assert witness.add_checkpoint(request(4, note=note)).status == 403
    assert size_of(witness) == 0


def test_a_checkpoint_that_only_a_witness_signed_is_403(witness: Witness) -> None:
    text, _, lines = LOG.note(4, witnesses=("vendor",)).decode().rpartition("\n\n")
    cosigned = "".join(one for one in lines.splitlines(keepends=True) if "vendor" in one)
    note = f"{text}\n\n{cosigned}".encode()
    assert witness.add_checkpoint(request(4, note=note)).status == 403


def test_strangers_signatures_are_ignored_and_not_kept(witness: Witness) -> None:
    note = LOG.note(4, witnesses=("vendor", "notified-body"))
    assert witness.add_checkpoint(request(4, note=note)).status == 200
    kept = witness.seen(DIGEST).body.decode()
    assert "vendor" not in kept
    assert size_of(witness) == 4


def test_sixty_four_signatures_do_not_crowd_out_our_own(witness: Witness) -> None:
    stranger = LOG.note(4, witnesses=("vendor",)).decode().splitlines(keepends=True)[-1]
    note = with_lines(LOG.note(4), [stranger] * 63)
    assert witness.add_checkpoint(request(4, note=note)).status == 200
    assert size_of(witness) == 4


def test_an_old_size_beyond_the_new_is_400(witness: Witness) -> None:
    submit(witness, 5)
    assert submit(witness, 4, old=5).status == 400


@pytest.mark.parametrize("old", [0, 3, 4, 6, 8])
def test_another_old_size_than_the_last_is_409_and_states_it(witness: Witness, old: int) -> None:
    submit(witness, 5)
    reply = submit(witness, 8, old=old)
    assert (reply.status, reply.content_type, reply.body) == (409, SIZE_TYPE, b"5\n")
    assert size_of(witness) == 5


def test_without_any_checkpoint_the_last_size_is_zero(witness: Witness) -> None:
    reply = submit(witness, 5, old=3)
    assert (reply.status, parse_size(reply.body)) == (409, 0)


def test_a_proof_that_leads_elsewhere_is_422(witness: Witness) -> None:
    submit(witness, 5)
    good = LOG.tree.consistency_proof(5, 9)
    bad = {
        "empty": [],
        "one short": good[:-1],
        "one long": [*good, bytes(32)],
        "reversed": good[::-1],
        "another pair of sizes": LOG.tree.consistency_proof(4, 9),
        "a changed hash": [bytes(32), *good[1:]],
    }
    for name, proof in bad.items():
        assert witness.add_checkpoint(request(9, old=5, proof=proof)).status == 422, name
    assert size_of(witness) == 5
    assert submit(witness, 9, old=5).status == 200


def test_a_proof_from_nothing_or_from_the_same_size_is_empty(witness: Witness) -> None:
    assert witness.add_checkpoint(request(5, proof=[bytes(32)])).status == 422
    submit(witness, 5)
    assert witness.add_checkpoint(request(5, old=5, proof=[bytes(32)])).status == 422


def test_a_fork_signed_with_the_stolen_key_is_422_and_409(witness: Witness) -> None:
    """Attack row 7: everything is rewritten and signed anew with the log's own key."""
    submit(witness, 9)
    fork = forked(4, 12)
    assert submit(witness, 12, old=9, log=fork).status == 422
    assert submit(witness, 12, old=0, log=fork).status == 409
    assert submit(witness, 9, old=9, log=fork).status == 409  # the same size, another root
    assert size_of(witness) == 9
    assert submit(witness, 12, old=9).status == 200


def test_a_log_that_lost_its_end_is_not_followed_back(witness: Witness) -> None:
    submit(witness, 9)
    assert submit(witness, 7, old=7).status == 409
    assert submit(witness, 7, old=0).status == 409
    assert submit(witness, 7, old=9).status == 400
    assert size_of(witness) == 9


def test_an_empty_log_may_be_witnessed(witness: Witness) -> None:
    assert submit(witness, 0).status == 200
    assert LOG.tree.root(0) == EMPTY_ROOT
    assert submit(witness, 3).status == 200


def test_two_logs_are_remembered_apart(tmp_path: Path) -> None:
    other = SampleLog.of(8, origin="example.org/other", key_name="other")
    witness = make_witness(tmp_path, policy=f"log {other.key.text()}\n" + policy_text())
    submit(witness, 5)
    assert submit(witness, 7, log=other).status == 200
    assert size_of(witness) == 5


def test_what_was_cosigned_survives_the_process(tmp_path: Path) -> None:
    submit(make_witness(tmp_path), 9)
    assert submit(make_witness(tmp_path), 12).status == 409
    assert size_of(make_witness(tmp_path)) == 9


@pytest.mark.parametrize("extension", ["more\n", "a\nb\n", "\n"])
def test_a_checkpoint_with_extension_lines_is_400(witness: Witness, extension: str) -> None:
    from governance.ledger.core.note import sign

    text = LOG.checkpoint(4).checkpoint.text() + extension
    note = sign(text, name=ORIGIN, private_key=private_key("log"))
    assert witness.add_checkpoint(request(4, note=note)).status == 400


@given(raw=st.binary(max_size=400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_is_answered_and_changes_nothing(witness: Witness, raw: bytes) -> None:
    assert witness.add_checkpoint(raw).status == 400
    assert size_of(witness) == 0


@given(at=st.integers(0, 600), bit=st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_of_a_request_is_never_cosigned_as_another_tree(
    witness: Witness, at: int, bit: int
) -> None:
    submit(witness, 5)
    raw = bytearray(request(9, old=5))
    raw[at % len(raw)] ^= 1 << bit
    assert witness.add_checkpoint(bytes(raw)).status in (400, 403, 404, 409, 422)
    assert size_of(witness) == 5


# --- the race ------------------------------------------------------------------------------------


def test_parallel_requests_never_roll_back(tmp_path: Path) -> None:
    """The race of the specification, with a memory that both threads open for themselves."""
    proofs = {(old, new): request(new, old=old) for old in range(17) for new in range(old, 17)}
    for number in range(40):
        root = tmp_path / str(number)
        witnesses = [make_witness(root) for _ in range(4)]
        submit(witnesses[0], 1)
        start = threading.Barrier(4)
        cosigned: list[int] = []

        def race(
            witness: Witness,
            first: int,
            start: threading.Barrier = start,
            cosigned: list[int] = cosigned,
        ) -> None:
            start.wait()
            for new in range(first, 17, 4):
                reply = witness.add_checkpoint(proofs[1, new])
                if reply.status == 409:
                    size = parse_size(reply.body)
                    if size <= new:
                        reply = witness.add_checkpoint(proofs[size, new])
                if reply.status == 200:
                    cosigned.append(new)
                    assert size_of(witness) >= new, "rolled back"

        threads = [
            threading.Thread(target=race, args=(witness, first))
            for first, witness in enumerate(witnesses, start=2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert cosigned
        assert size_of(witnesses[0]) == max(cosigned)


def test_the_memory_is_held_while_it_is_compared(tmp_path: Path) -> None:
    """Without the lock from the start, the second reader would compare with an old memory."""
    store = SeenStore(tmp_path / "witness.sqlite")
    with store.exclusive(ORIGIN):
        other = sqlite3.connect(tmp_path / "witness.sqlite", isolation_level=None, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_the_memory_itself_refuses_to_go_back(tmp_path: Path) -> None:
    store = SeenStore(tmp_path / "witness.sqlite")
    with store.exclusive(ORIGIN) as slot:
        slot.put(Seen(size=5, root=bytes(32), note=b"5"))
    with pytest.raises(WitnessStoreFailed), store.exclusive(ORIGIN) as slot:
        slot.put(Seen(size=4, root=bytes(32), note=b"4"))
    seen = store.seen(ORIGIN)
    assert seen is not None
    assert seen.size == 5


def test_a_block_that_fails_remembers_nothing(tmp_path: Path) -> None:
    store = SeenStore(tmp_path / "witness.sqlite")

    def fail() -> None:
        with store.exclusive(ORIGIN) as slot:
            slot.put(Seen(size=5, root=bytes(32), note=b"5"))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert store.seen(ORIGIN) is None


def test_a_witness_that_cannot_remember_cosigns_nothing(tmp_path: Path) -> None:
    witness = make_witness(tmp_path)
    (tmp_path / "witness.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(WitnessStoreFailed) as failed:
        submit(witness, 3)
    assert failed.value.code == "witness.store_failed"


# --- its folder ----------------------------------------------------------------------------------


def test_a_witness_is_made_once_and_opens_as_it_was_made(tmp_path: Path) -> None:
    made = create_witness(tmp_path / "w", name="witness.example/w1")
    assert (made.root / "witness.pem").stat().st_mode & 0o777 == 0o600
    opened = open_witness(tmp_path / "w")
    assert opened.vkey == made.vkey
    assert VerifierKey.parse((made.root / "witness.vkey").read_text().strip()) == made.vkey
    with pytest.raises(Conflict, match="holds the key"):
        create_witness(tmp_path / "w", name="witness.example/w1")


def test_two_witnesses_never_share_a_key(tmp_path: Path) -> None:
    one = create_witness(tmp_path / "1", name="w")
    two = create_witness(tmp_path / "2", name="w")
    assert one.vkey.public_key != two.vkey.public_key


@pytest.mark.parametrize("name", ["witness.pem", "witness.vkey"])
def test_a_folder_whose_key_is_gone_or_exchanged_is_refused(tmp_path: Path, name: str) -> None:
    create_witness(tmp_path / "1", name="w")
    create_witness(tmp_path / "2", name="w")
    path = tmp_path / "1" / name
    path.chmod(0o600)
    path.write_bytes((tmp_path / "2" / name).read_bytes())
    with pytest.raises(WitnessHomeInvalid, match="public half"):
        open_witness(tmp_path / "1")
    path.write_bytes(b"no key")
    with pytest.raises(WitnessHomeInvalid):
        open_witness(tmp_path / "1")
    path.unlink()
    with pytest.raises(WitnessHomeInvalid):
        open_witness(tmp_path / "1")


def test_the_log_cannot_be_its_own_witness() -> None:
    from governance.ledger.core.errors import PolicyRejected
    from governance.ledger.core.note import COSIGNATURE_V1

    alias = VerifierKey.of(private_key("log"), name="w", algorithm=COSIGNATURE_V1)
    text = f"log {LOG.key.text()}\nwitness w {alias.text()}\nquorum w\n"
    with pytest.raises(PolicyRejected, match="already"):
        Policy.parse(text.encode())


def test_what_is_signed_is_the_log_s_text_byte_for_byte(tmp_path: Path) -> None:
    home = witness_home(tmp_path, "hospital")
    note = sign_checkpoint(LOG.checkpoint(3).checkpoint, private_key=private_key("log"))
    assert note == LOG.note(3)
    assert times(submit(make_witness(tmp_path), 3), 3)
    assert home.vkey == KEY
