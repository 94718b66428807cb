"""The fold gives facts one meaning, and refuses facts that have none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from change_control.release.version import VersionState
from governance.ledger.core.canonical import dumps
from governance.ledger.core.errors import LedgerTampered
from governance.registry.records import Version
from governance.storage.projection import (
    Insert,
    Update,
    apply_changes,
    changes_digest,
    changes_of,
    touches_standing,
)

VERSION = Version(
    id="m/1",
    model="m",
    number=1,
    kind="k",
    digest="a" * 64,
    artifact_uri="u",
    dataset="d",
    origin="o",
    state="candidate",
    registered_by="ana",
    registered_us=1,
)


class Recorded:
    def __init__(self) -> None:
        self.seen: list[Insert | Update] = []

    def insert(self, change: Insert) -> None:
        self.seen.append(change)

    def update(self, change: Update) -> None:
        self.seen.append(change)


def test_an_update_holds_only_what_moved_with_the_old_value() -> None:
    changes = changes_of([], [(VERSION, replace(VERSION, state="qualified"))])
    assert changes == [
        {
            "table": "version",
            "key": "m/1",
            "op": "update",
            "set": {"state": ["candidate", "qualified"]},
        }
    ]
    target = Recorded()
    apply_changes(changes, target, seq=7)
    update = target.seen[0]
    assert isinstance(update, Update)
    assert (update.old, update.new, update.seq) == (
        {"state": "candidate"},
        {"state": "qualified"},
        7,
    )


def test_a_member_of_an_enumeration_is_its_text_in_the_facts() -> None:
    changes = changes_of([replace(VERSION, state=VersionState.CANDIDATE)], [])
    assert dumps(changes) == dumps(changes_of([VERSION], []))
    assert changes_digest(changes) == changes_digest(changes_of([VERSION], []))


def test_a_record_cannot_become_another() -> None:
    with pytest.raises(RuntimeError, match="cannot become"):
        changes_of([], [(VERSION, replace(VERSION, id="m/2"))])


def test_only_changes_that_standing_is_computed_from_touch_it() -> None:
    assert touches_standing(changes_of([VERSION], []))
    assert not touches_standing([{"table": "person"}, None])


ROW = {name: getattr(VERSION, name) for name in VERSION.__slots__} | {"id": "m/1"}
INSERT = {"table": "version", "key": "m/1", "op": "insert", "row": ROW}
UPDATE = {"table": "version", "key": "m/1", "op": "update", "set": {"state": ["a", "b"]}}


@pytest.mark.parametrize(
    "changes",
    [
        None,
        {},
        [None],
        [{**INSERT, "op": "delete"}],
        [{**INSERT, "table": "no_such"}],
        [{**INSERT, "key": "m/2"}],
        [{**INSERT, "row": {**ROW, "extra": 1}}],
        [{**INSERT, "row": {k: v for k, v in ROW.items() if k != "state"}}],
        [{**INSERT, "row": {**ROW, "state": ["candidate"]}}],
        [{**UPDATE, "set": {"no_such": ["a", "b"]}}],
        [{**UPDATE, "set": {"id": ["m/1", "m/2"]}}],
        [{**UPDATE, "set": {"state": ["a"]}}],
        [{**UPDATE, "set": {"state": "b"}}],
        [{**UPDATE, "set": {"state": ["a", {}]}}],
    ],
)
def test_facts_of_another_shape_are_tampering_at_their_entry(changes: object) -> None:
    with pytest.raises(LedgerTampered) as found:
        apply_changes(changes, Recorded(), seq=3)  # type: ignore[arg-type]
    assert found.value.sequence == 3


def test_the_forms_that_the_cases_above_bend_are_good() -> None:
    target = Recorded()
    apply_changes([INSERT, UPDATE], target, seq=3)  # type: ignore[list-item]
    assert len(target.seen) == 2
