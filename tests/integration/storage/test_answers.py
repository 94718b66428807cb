"""Answers: nothing leaves before it is durable, signed and still allowed (P1, P2, P11)."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from governance.ledger.core.canonical import loads
from governance.ledger.core.errors import NotCanonical
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.store.keys import KeyDestroyed, KeyUnknown
from governance.storage.answers import QueuedAnswer
from governance.storage.errors import IdempotencyMismatch, RepeatSuperseded
from governance.storage.ports import Body, PendingAnswer
from governance.storage.promise import Promise
from tests.integration.storage.samples import HOLD, NOW_US, answer

if TYPE_CHECKING:
    from governance.clock import FixedClock
    from governance.storage.open import Storage
    from governance.storage.ports import CommittedAnswer, Reader, Unit

DIGEST_A, DIGEST_B = "a" * 64, "b" * 64


@pytest.fixture
def key_id(storage: Storage) -> str:
    return storage.pen.commit(lambda unit: unit.new_key())


def place_hold(unit: Unit) -> None:
    unit.record(kind="hold.placed", actor="ana", add=[HOLD])


def withheld(pending: PendingAnswer) -> PendingAnswer:
    def redecide(reader: Reader, epoch: int, now_us: int) -> PendingAnswer:
        return PendingAnswer(
            kind="inference.withheld",
            facts={"caller": "clinic", "epoch": epoch, "now_us": now_us},
            body=None,
            reply=b'{"code":"gate.suspended"}',
            status=409,
            epoch=epoch,
            until_us=None,
        )

    return replace(pending, redecide=redecide)


def test_an_answer_carries_a_receipt_that_verifies_offline(storage: Storage, key_id: str) -> None:
    committed = storage.pen.answer(answer(key_id)).result(10)
    policy = Policy.parse(storage.ledger.policy_text.encode())
    verified = verify_receipt(committed.receipt, policy)
    assert (verified.seq, verified.entry.event_id) == (
        committed.recorded.seq,
        committed.recorded.event_id,
    )
    assert verified.facts == {**committed.answer.facts, "body_key": key_id}
    assert verified.body is not None
    assert loads(verified.body) == {"reply": '{"rows":[0]}', "request": "{}", "v": 1}
    assert storage.ledger.receipt(committed.recorded.event_id) == committed.receipt


def test_the_answers_of_many_threads_all_verify(storage: Storage, key_id: str) -> None:
    committed: list[CommittedAnswer] = []

    def ask(thread: int) -> None:
        for number in range(4):
            pending = answer(key_id, number=10 * thread + number)
            committed.append(storage.pen.answer(pending).result(60))

    threads = [threading.Thread(target=ask, args=(thread,)) for thread in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(c.recorded.seq for c in committed) == list(range(1, 257))
    policy = Policy.parse(storage.ledger.policy_text.encode())
    for one in committed:
        verified = verify_receipt(one.receipt, policy)
        assert isinstance(verified.facts, dict)
        assert one.answer.reply == f'{{"rows":[{verified.facts["number"]}]}}'.encode()
    verified_log = storage.ledger.verify()
    assert (verified_log.size, verified_log.bodies_checked) == (257, 256)


def test_a_body_is_stored_sealed(storage: Storage, key_id: str) -> None:
    secret = "pseudonym-4711"
    content = f'{{"reply":"{{}}","request":"{secret}","v":1}}'.encode()
    pending = replace(answer(key_id), body=Body(content=content, key_id=key_id))
    recorded = storage.pen.answer(pending).result(10).recorded
    assert storage.ledger.body(recorded.seq) == content
    for row in raw(storage, "SELECT ciphertext FROM body"):
        assert secret.encode() not in bytes(row[0])


def raw(storage: Storage, statement: str) -> list[tuple[object, ...]]:
    with storage.reader() as reader:
        return [tuple(row) for row in reader.connection.execute(text(statement))]  # type: ignore[attr-defined]


def test_observations_are_stored_beside_the_answer_under_its_key(
    storage: Storage, key_id: str
) -> None:
    pending = replace(answer(key_id), observations=(("low", "2"), ("high", "")))
    seq = storage.pen.answer(pending).result(10).recorded.seq
    assert raw(
        storage, "SELECT seq, position, codes, key_id FROM observation ORDER BY position"
    ) == [
        (seq, 0, '["low","2"]', key_id),
        (seq, 1, '["high",""]', key_id),
    ]


def test_an_answer_without_a_redecision_is_recorded_as_it_was_given(
    storage: Storage, key_id: str
) -> None:
    storage.pen.commit(place_hold)
    assert storage.pen.answer(answer(key_id)).result(10).answer.kind == "inference.answered"


def test_an_answer_in_flight_is_withheld_when_the_standing_moved(
    storage: Storage, key_id: str
) -> None:
    epoch = storage.pen.standing_epoch
    pending = withheld(answer(key_id, epoch=epoch))
    assert storage.pen.answer(pending).result(10).answer.kind == "inference.answered"
    storage.pen.commit(place_hold)
    committed = storage.pen.answer(pending).result(10)
    assert committed.answer.kind == "inference.withheld"
    entry = storage.ledger.entry(committed.recorded.seq)
    assert (entry.kind, entry.body_key) == ("inference.withheld", None)
    assert entry.facts == {"caller": "clinic", "epoch": epoch + 1, "now_us": NOW_US}


def test_a_recall_in_the_same_batch_withholds_the_answers_beside_it(
    storage: Storage, key_id: str
) -> None:
    """The answer was queued first; the act is looked at first."""
    from governance.storage.queued import QueuedAct

    pending = withheld(answer(key_id, epoch=storage.pen.standing_epoch))
    sealer = storage.pen._sealer
    queued = QueuedAnswer(
        pending=pending,
        prepared=sealer.prepare(
            kind=pending.kind, facts=pending.facts, body=pending.body, now_us=NOW_US
        ),
        future=Promise(),
    )
    act = QueuedAct(write=place_hold, future=Promise())
    storage.pen.commit(lambda _unit: [storage.pen._queue.put(item) for item in (queued, act)])
    assert act.future.result(10) is None
    assert queued.future.result(10).answer.kind == "inference.withheld"


@pytest.mark.parametrize(("until", "kind"), [(0, "withheld"), (1, "answered")])
def test_an_answer_is_withheld_from_the_instant_at_which_its_decision_ends(
    storage: Storage, key_id: str, clock: FixedClock, until: int, kind: str
) -> None:
    epoch = storage.pen.standing_epoch
    pending = withheld(answer(key_id, epoch=epoch, until_us=NOW_US + 1_000_000 + until))
    clock.advance(seconds=1)
    assert storage.pen.answer(pending).result(10).answer.kind == f"inference.{kind}"


def test_a_redecision_that_fails_fails_its_own_answer_only(storage: Storage, key_id: str) -> None:
    def redecide(reader: Reader, epoch: int, now_us: int) -> PendingAnswer:
        raise LookupError

    storage.pen.commit(place_hold)
    bad = storage.pen.answer(replace(answer(key_id, epoch=0), redecide=redecide))
    good = storage.pen.answer(answer(key_id, epoch=1))
    with pytest.raises(LookupError):
        bad.result(10)
    assert good.result(10).answer.kind == "inference.answered"
    assert storage.ledger.verify().size == 3


def test_an_answer_of_no_valid_kind_fails_alone(storage: Storage, key_id: str) -> None:
    bad = storage.pen.answer(replace(answer(key_id), kind="Not A Kind"))
    with pytest.raises(NotCanonical):
        bad.result(10)
    assert storage.pen.answer(answer(key_id)).result(10).recorded.seq == 1


def test_an_answer_under_an_unknown_or_destroyed_key_is_refused_at_once(
    storage: Storage, key_id: str
) -> None:
    with pytest.raises(KeyUnknown):
        storage.pen.answer(answer("f" * 32))
    storage.keys.destroy(key_id, now_us=NOW_US)
    with pytest.raises(KeyDestroyed):
        storage.pen.answer(answer(key_id))
    assert storage.ledger.head()[0] == 1


def test_the_same_request_under_the_same_key_is_the_stored_answer(
    storage: Storage, key_id: str
) -> None:
    first = storage.pen.answer(
        answer(key_id, number=1, idempotency=("clinic", "k-1", DIGEST_A))
    ).result(10)
    size = storage.ledger.head()[0]
    again = storage.pen.answer(
        answer(key_id, number=2, idempotency=("clinic", "k-1", DIGEST_A))
    ).result(10)
    assert (first.replayed, again.replayed) == (False, True)
    assert (again.answer.reply, again.answer.status) == (first.answer.reply, 200)
    assert again.recorded == first.recorded
    policy = Policy.parse(storage.ledger.policy_text.encode())
    assert verify_receipt(again.receipt, policy).entry.event_id == first.recorded.event_id
    assert storage.ledger.head()[0] == size


def test_another_request_under_the_same_key_is_refused(storage: Storage, key_id: str) -> None:
    storage.pen.answer(answer(key_id, idempotency=("clinic", "k-1", DIGEST_A))).result(10)
    with pytest.raises(IdempotencyMismatch) as refused:
        storage.pen.answer(answer(key_id, idempotency=("clinic", "k-1", DIGEST_B))).result(10)
    assert (refused.value.code, refused.value.http_status) == ("gate.idempotency_mismatch", 422)
    other = answer(key_id, idempotency=("other", "k-1", DIGEST_B))
    assert storage.pen.answer(other).result(10).replayed is False


def test_the_same_key_twice_in_one_batch_is_recorded_once(storage: Storage, key_id: str) -> None:
    sealer = storage.pen._sealer
    queued = []
    for number, digest in enumerate((DIGEST_A, DIGEST_A, DIGEST_B)):
        pending = answer(key_id, number=number, idempotency=("clinic", "k", digest))
        prepared = sealer.prepare(
            kind=pending.kind, facts=pending.facts, body=pending.body, now_us=NOW_US
        )
        queued.append(QueuedAnswer(pending=pending, prepared=prepared, future=Promise()))
    storage.pen.commit(lambda _unit: [storage.pen._queue.put(item) for item in queued])
    first, second = queued[0].future.result(10), queued[1].future.result(10)
    assert (second.replayed, second.recorded) == (True, first.recorded)
    assert second.answer.reply == first.answer.reply
    with pytest.raises(IdempotencyMismatch):
        queued[2].future.result(10)


@pytest.mark.requirement("P11")
def test_a_repetition_prepared_before_a_hold_and_written_after_it_is_withheld(
    storage: Storage, key_id: str
) -> None:
    asked = ("clinic", "k", DIGEST_A)
    epoch = storage.pen.standing_epoch
    storage.pen.answer(answer(key_id, epoch=epoch, idempotency=asked)).result(10)
    prepared = withheld(answer(key_id, epoch=epoch, idempotency=asked))
    storage.pen.commit(place_hold)
    committed = storage.pen.answer(prepared).result(10)
    assert (committed.answer.kind, committed.replayed) == ("inference.withheld", False)
    assert committed.answer.reply == b'{"code":"gate.suspended"}'


def test_what_was_withheld_uses_no_key_up(storage: Storage, key_id: str) -> None:
    asked = ("clinic", "k", DIGEST_A)
    epoch = storage.pen.standing_epoch
    storage.pen.commit(place_hold)
    stopped = withheld(answer(key_id, epoch=epoch, idempotency=asked))
    assert storage.pen.answer(stopped).result(10).answer.kind == "inference.withheld"
    assert raw(storage, "SELECT count(*) FROM idempotency") == [(0,)]
    later = answer(key_id, epoch=storage.pen.standing_epoch, idempotency=asked)
    committed = storage.pen.answer(later).result(10)
    assert (committed.answer.kind, committed.replayed) == ("inference.answered", False)


@pytest.mark.requirement("P11")
@pytest.mark.parametrize("fact", ["model", "release", "entry"])
def test_an_answer_is_not_repeated_once_something_else_governs(
    storage: Storage, key_id: str, fact: str
) -> None:
    def under(name: str) -> PendingAnswer:
        pending = answer(key_id, idempotency=("clinic", "k", DIGEST_A))
        return replace(pending, facts={**pending.facts, fact: name})

    storage.pen.answer(under("one")).result(10)
    assert storage.pen.answer(under("one")).result(10).replayed
    size = storage.ledger.head()[0]
    with pytest.raises(RepeatSuperseded) as refused:
        storage.pen.answer(under("another")).result(10)
    assert (refused.value.code, refused.value.http_status) == ("gate.repeat_superseded", 409)
    assert storage.ledger.head()[0] == size


def test_an_answer_is_not_repeated_for_another_request_whatever_its_row_says(
    storage: Storage, key_id: str
) -> None:
    """The row beside the ledger says which request it was; the sealed body says it too."""
    storage.pen.answer(answer(key_id, idempotency=("clinic", "k", DIGEST_A))).result(10)
    other = answer(key_id, idempotency=("clinic", "k", DIGEST_A))
    assert other.body is not None
    content = other.body.content.replace(b'"request":"{}"', b'"request":"[]"')
    with pytest.raises(IdempotencyMismatch):
        storage.pen.answer(replace(other, body=Body(content=content, key_id=key_id))).result(10)


@pytest.mark.parametrize(("hours", "replayed"), [(23.9, True), (24, False)])
def test_a_key_stands_for_its_answer_for_a_day(
    storage: Storage, key_id: str, clock: FixedClock, hours: float, replayed: bool
) -> None:
    asked = ("clinic", "k", DIGEST_A)
    storage.pen.answer(answer(key_id, idempotency=asked)).result(10)
    clock.advance(seconds=hours * 3600)
    assert storage.pen.answer(answer(key_id, idempotency=asked)).result(10).replayed is replayed
    assert storage.pen.answer(answer(key_id, idempotency=asked)).result(10).replayed
    assert raw(storage, "SELECT count(*) FROM idempotency") == [(1,)]


def test_a_repetition_of_an_erased_answer_says_so(storage: Storage, key_id: str) -> None:
    asked = ("clinic", "k", DIGEST_A)
    storage.pen.answer(answer(key_id, idempotency=asked)).result(10)
    other = storage.pen.commit(lambda unit: unit.new_key())
    storage.keys.destroy(key_id, now_us=NOW_US)
    with pytest.raises(KeyDestroyed):
        storage.pen.answer(answer(other, idempotency=asked)).result(10)
