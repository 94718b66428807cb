"""Acts: what is written together stands or falls together, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from governance.errors import Conflict, NotFound
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.registry.records import Hold, Person, Review, Version
from governance.storage.ports import Body, OutcomeRow, Unit
from governance.storage.unit import outcomes_body
from tests.integration.storage.samples import HOLD, NOW_US, PERSON, RECORDS, VERSION, records_of

if TYPE_CHECKING:
    from governance.clock import FixedClock
    from governance.home import Home
    from governance.registry.records import Record
    from governance.storage.open import Storage
    from governance.storage.ports import Recorded


def add(storage: Storage, *records: Record) -> Recorded:
    return storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana", add=records))


class Refused(Exception):
    pass


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.TABLE)
def test_a_record_comes_back_as_it_was_added(storage: Storage, record: Record) -> None:
    add(storage, record)
    with storage.reader() as reader:
        assert reader.get(type(record), record.id) == record
        assert reader.find(type(record)) == [record]


def test_a_missing_record_is_none_and_required_is_not_found(storage: Storage) -> None:
    with storage.reader() as reader:
        assert reader.get(Person, "nobody") is None
        with pytest.raises(NotFound, match="there is no person"):
            reader.require(Person, "nobody")


def test_an_act_that_raises_leaves_neither_entry_nor_row_nor_blob(storage: Storage) -> None:
    before = storage.ledger.head()

    def write(unit: Unit) -> None:
        unit.put_blob(b"evidence", media_type="text/plain")
        unit.record(kind="person.added", actor="ana", add=[PERSON])
        raise Refused

    with pytest.raises(Refused):
        storage.pen.commit(write)
    assert storage.ledger.head() == before
    with storage.reader() as reader:
        assert reader.find(Person) == []
    assert storage.rebuild().rows_compared == 0


def test_entries_of_one_act_stand_together_in_order(storage: Storage) -> None:
    def write(unit: Unit) -> tuple[int, int]:
        first = unit.record(kind="person.added", actor="ana", add=[PERSON])
        assert unit.next_seq == first.seq + 1
        second = unit.record(kind="hold.placed", actor="ana", add=[HOLD])
        return first.seq, second.seq

    first, second = storage.pen.commit(write)
    assert second == first + 1
    assert [entry.kind for entry in storage.ledger.entries(first)] == [
        "person.added",
        "hold.placed",
    ]


def test_find_filters_by_columns_and_by_null_in_order_of_creation(storage: Storage) -> None:
    other = replace(HOLD, id="H-0", version="forecasting/1")
    add(storage, HOLD, other)
    with storage.reader() as reader:
        assert reader.find(Hold) == [HOLD, other]
        assert reader.find(Hold, version=None) == [HOLD]
        assert reader.find(Hold, model="forecasting", version="forecasting/1") == [other]
        assert reader.find(Hold, model="dosing") == []


def test_an_act_reads_what_it_wrote(storage: Storage) -> None:
    def write(unit: Unit) -> Version:
        unit.record(kind="version.registered", actor="ana", add=[VERSION])
        return unit.require(Version, VERSION.id)

    assert storage.pen.commit(write) == VERSION


def test_a_replacement_states_only_what_moved(storage: Storage) -> None:
    add(storage, VERSION)
    after = replace(VERSION, state="qualified")
    recorded = storage.pen.commit(
        lambda unit: unit.record(
            kind="version.qualified", actor="ana", replace=[(VERSION, after)], notes={"why": "C-1"}
        )
    )
    facts = storage.ledger.entry(recorded.seq).facts
    assert isinstance(facts, dict)
    assert facts["changes"] == [
        {
            "table": "version",
            "key": "forecasting/1",
            "op": "update",
            "set": {"state": ["candidate", "qualified"]},
        }
    ]
    assert facts["why"] == "C-1"
    with storage.reader() as reader:
        assert reader.get(Version, VERSION.id) == after


def test_a_record_that_moved_since_it_was_read_is_a_conflict(storage: Storage) -> None:
    add(storage, VERSION)
    first = replace(VERSION, state="qualified")
    second = replace(VERSION, artifact_uri="elsewhere")

    def turn(after: Version) -> Recorded:
        return storage.pen.commit(
            lambda unit: unit.record(kind="version.x", actor="ana", replace=[(VERSION, after)])
        )

    turn(first)
    size = storage.ledger.head()[0]
    with pytest.raises(Conflict, match="no longer as it was read"):
        turn(second)
    assert storage.ledger.head()[0] == size
    with storage.reader() as reader:
        assert reader.get(Version, VERSION.id) == first


def test_an_id_that_exists_is_a_conflict(storage: Storage) -> None:
    add(storage, PERSON)
    with pytest.raises(Conflict, match="person ana"):
        add(storage, PERSON)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(VERSION, state="released"),
        replace(VERSION, digest="short"),
        replace(VERSION, number=0),
        replace(HOLD, scope="acme"),
        replace(HOLD, scope="acme/north/ward"),
        replace(HOLD, state="lifted"),
    ],
    ids=["state", "digest", "number", "scope without site", "scope of three", "lifted when?"],
)
def test_a_record_outside_its_invariant_is_refused_by_the_database(
    storage: Storage, wrong: Record
) -> None:
    size = storage.ledger.head()[0]
    with pytest.raises(Conflict):
        add(storage, wrong)
    assert storage.ledger.head()[0] == size
    assert storage.rebuild().rows_compared == 0


def test_an_act_may_not_go_on_after_a_refused_entry(storage: Storage) -> None:
    add(storage, PERSON)

    def write(unit: Unit) -> None:
        with pytest.raises(Conflict):
            unit.record(kind="person.added", actor="ana", add=[PERSON])

    with pytest.raises(RuntimeError, match="went on"):
        storage.pen.commit(write)
    assert storage.rebuild().rows_compared == 1


def test_a_refused_act_does_not_spoil_its_neighbours_in_the_batch(storage: Storage) -> None:
    """One transaction holds all three; only the middle savepoint is rolled back."""
    from governance.storage.promise import Promise
    from governance.storage.queued import QueuedAct

    def person(name: str) -> Person:
        return replace(PERSON, id=name)

    def write(name: str, *, fail: bool) -> QueuedAct:
        def run(unit: Unit) -> str:
            unit.record(kind="person.added", actor="ana", add=[person(name)])
            if fail:
                raise Refused
            return name

        return QueuedAct(write=run, future=Promise())

    acts = [write("a", fail=False), write("b", fail=True), write("c", fail=False)]
    # Queued while the pen is busy with an act of ours, so that they are one batch.
    storage.pen.commit(lambda _unit: [storage.pen._queue.put(act) for act in acts])
    assert acts[0].future.result(10) == "a"
    assert acts[2].future.result(10) == "c"
    with pytest.raises(Refused):
        acts[1].future.result(10)
    with storage.reader() as reader:
        assert [person.id for person in reader.find(Person)] == ["a", "c"]
    assert storage.ledger.verify().size == 3
    assert storage.rebuild().tables["person"] == 2


def test_an_act_inside_an_act_is_refused(storage: Storage) -> None:
    with pytest.raises(RuntimeError, match="another act"):
        storage.pen.commit(lambda _unit: storage.pen.commit(lambda _inner: None))


def test_ids_are_counted_by_prefix_and_never_given_twice(storage: Storage) -> None:
    review = next(record for record in RECORDS if isinstance(record, Review))

    def write(unit: Unit) -> list[str]:
        given = [unit.next_id(Review, prefix="R"), unit.next_id(Review, prefix="R")]
        unit.record(
            kind="review.opened",
            actor="ana",
            add=[replace(review, id=name) for name in (*given, "R-old", "R-", "RX-40")],
        )
        return given

    assert storage.pen.commit(write) == ["R-1", "R-2"]
    assert storage.pen.commit(lambda unit: unit.next_id(Review, prefix="R")) == "R-3"
    assert storage.pen.commit(lambda unit: unit.next_id(Review, prefix="RX")) == "RX-41"


def test_a_blob_is_stored_once_and_named_in_the_facts(storage: Storage) -> None:
    def write(unit: Unit) -> str:
        digest = unit.put_blob(b"report", media_type="text/plain")
        assert unit.put_blob(b"report", media_type="text/plain") == digest
        unit.record(kind="document.registered", actor="ana")
        return digest

    digest = storage.pen.commit(write)
    assert storage.pen.commit(write) == digest
    with storage.reader() as reader:
        assert reader.blob(digest) == b"report"
        with pytest.raises(NotFound):
            reader.blob("0" * 64)
    named = [entry.facts.get("blobs") for entry in storage.ledger.entries() if entry.seq]  # type: ignore[union-attr]
    assert named == [[[digest, "text/plain", 6]], None]


def test_a_blob_without_an_entry_that_names_it_is_refused(storage: Storage) -> None:
    with pytest.raises(RuntimeError, match="blob"):
        storage.pen.commit(lambda unit: unit.put_blob(b"x", media_type="text/plain"))


def test_outcomes_are_stored_beside_the_entry_whose_body_holds_them(storage: Storage) -> None:
    rows = [
        OutcomeRow(
            batch="O-1",
            model="forecasting",
            series="L01",
            month=month,
            value="1.5",
            known_us=NOW_US,
        )
        for month in ("2005-07", "2005-08")
    ]

    def write(unit: Unit) -> Recorded:
        unit.put_outcomes(rows, source="register")
        return unit.record(
            kind="outcome.recorded",
            actor="ana",
            body=Body(content=outcomes_body(rows, source="register"), key_id=unit.new_key()),
        )

    recorded = storage.pen.commit(write)
    with storage.reader() as reader:
        assert reader.outcomes(model="forecasting") == rows
        assert reader.outcomes(model="forecasting", through_month="2005-07") == rows[:1]
        assert reader.outcomes(model="dosing") == []
    assert storage.ledger.body(recorded.seq) == outcomes_body(rows, source="register")
    assert storage.rebuild().tables["outcome"] == 2


def test_outcomes_that_are_not_in_the_body_are_refused(storage: Storage) -> None:
    row = OutcomeRow(
        batch="O-1", model="m", series="s", month="2005-07", value="1", known_us=NOW_US
    )

    def write(unit: Unit) -> None:
        unit.put_outcomes([row], source="register")
        body = Body(content=outcomes_body([], source="register"), key_id=unit.new_key())
        unit.record(kind="outcome.recorded", actor="ana", body=body)

    with pytest.raises(RuntimeError, match="outcomes_body"):
        storage.pen.commit(write)
    with pytest.raises(RuntimeError, match="without an entry"):
        storage.pen.commit(lambda unit: unit.put_outcomes([row], source="register"))


def test_notes_cannot_pass_as_what_the_pen_writes(storage: Storage) -> None:
    with pytest.raises(RuntimeError, match="changes"):
        storage.pen.commit(
            lambda unit: unit.record(kind="test.x", actor="ana", notes={"changes": []})
        )


def test_the_standing_epoch_moves_with_version_release_hold_and_document_only(
    storage: Storage, home: Home
) -> None:
    moved = []
    for record in records_of(home):
        before = storage.pen.standing_epoch
        add(storage, record)
        if storage.pen.standing_epoch != before:
            moved.append(record.TABLE)
    assert moved == ["document", "version", "release", "hold"]
    storage.rebuild()


def test_every_act_has_a_receipt_that_verifies_offline(storage: Storage) -> None:
    recorded = add(storage, PERSON)
    policy = Policy.parse(storage.ledger.policy_text.encode())
    verified = verify_receipt(storage.ledger.receipt(recorded.event_id), policy)
    assert (verified.seq, verified.entry.kind) == (recorded.seq, "test.added")
    with pytest.raises(NotFound):
        storage.ledger.receipt("01890000-0000-7000-8000-000000000000")


def test_time_in_the_ledger_never_runs_backwards_and_a_jump_is_an_entry(
    storage: Storage, clock: FixedClock
) -> None:
    first = add(storage, PERSON)
    clock.advance(seconds=-3600)
    second = add(storage, VERSION)
    third = add(storage, HOLD)
    assert first.t_us == second.t_us == third.t_us
    entries = storage.ledger.entries(first.seq)
    assert [e.kind for e in entries] == ["test.added", "clock.skew", "test.added", "test.added"]
    assert entries[1].facts == {
        "actor": "system",
        "before_us": NOW_US,
        "changes": [],
        "wall_us": NOW_US - 3_600_000_000,
    }


def test_a_second_backwards_is_no_jump(storage: Storage, clock: FixedClock) -> None:
    first = add(storage, PERSON)
    clock.advance(seconds=-1)
    assert add(storage, VERSION).seq == first.seq + 1


def test_a_closed_pen_refuses(storage: Storage) -> None:
    storage.pen.close()
    with pytest.raises(Exception, match="closed") as refused:
        add(storage, PERSON)
    assert refused.value.code == "gate.audit_unavailable"  # type: ignore[attr-defined]
    storage.pen.close()
