from __future__ import annotations

import pytest
from console_samples import records
from console_samples.desk import SampleDesk

from governance.console.desk import LedgerEntry, LedgerHead
from governance.console.views.home import late_monitors
from governance.console.views.kinds import KINDS
from governance.console.views.ledger import entry_view, ledger_page
from governance.console.views.models import model_view
from governance.errors import NotFound
from governance.operations.catalogue import OPERATIONS


def entry(facts: dict[str, object], kind: str = "review.decided", seq: int = 3) -> LedgerEntry:
    return LedgerEntry(
        seq=seq, event_id="e", kind=kind, t_us=0, facts=facts,  # type: ignore[arg-type]
        facts_commitment="f", body_commitment=None, body="none", previous="p",
    )  # fmt: skip


def head(size: int, anchored: int) -> LedgerHead:
    return LedgerHead(
        origin="o", size=size, root="r", checkpoint="c", witnesses=(), anchored_size=anchored
    )


def test_an_update_shows_old_and_new_and_keeps_the_rest_as_facts() -> None:
    change = {"table": "t", "key": "k", "op": "update", "set": {"state": [None, "open"]}}
    view = entry_view(entry({"actor": "a", "changes": [change], "decision": "approve"}))
    (row,) = view.changes
    assert (row.inserted, row.fields[0].old, row.fields[0].new) == (False, "nothing", "open")
    assert view.facts == {"actor": "a", "decision": "approve"}


def test_an_insert_has_no_old_values_even_where_a_value_is_a_pair() -> None:
    change = {"table": "t", "key": "k", "op": "insert", "row": {"months": ["a", "b"]}}
    (row,) = entry_view(entry({"changes": [change]})).changes
    assert row.inserted
    assert row.fields[0].old is None


@pytest.mark.parametrize("changes", [None, "x", [1, "x"], [{}], [{"op": "update", "set": 3}]])
def test_strange_changes_break_no_page(changes: object) -> None:
    entry_view(entry({"changes": changes}))


def test_the_first_entry_has_nothing_older() -> None:
    page = ledger_page(head(1, 0), [entry({}, seq=0)])
    assert page.older is None
    assert page.lines[0].actor == "the product itself"


def test_what_no_witness_has_seen_is_counted() -> None:
    assert ledger_page(head(10, 4), []).unanchored == 6


def test_a_monitor_is_late_only_after_its_promise() -> None:
    with SampleDesk().reader() as reader:
        (late,) = late_monitors(reader, now_us=records.NOW_US)
        assert late.last_run == "M-3"
        assert late_monitors(reader, now_us=late.next_due_us) == ()


def test_an_unknown_model_is_not_an_empty_page() -> None:
    def never(_scope: object) -> object:
        raise AssertionError

    with SampleDesk().reader() as reader, pytest.raises(NotFound):
        model_view(reader, "none", standing_in=never)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, 10**18, True, "soon", None])
def test_an_instant_that_is_none_is_shown_as_it_stands(value: object) -> None:
    change = {"table": "t", "key": "k", "op": "insert", "row": {"due_us": value}}
    (row,) = entry_view(entry({"changes": [change]})).changes
    assert "UTC" not in row.fields[0].new


def test_an_instant_is_shown_as_the_number_that_is_hashed_and_for_reading() -> None:
    change = {"table": "t", "key": "k", "op": "update", "set": {"due_us": [None, 0]}}
    (row,) = entry_view(entry({"changes": [change]})).changes
    assert row.fields[0].new.replace("\u00a0", " ") == "0 (1970-01-01 00:00:00 UTC)"


def test_the_kinds_that_operations_record_have_words() -> None:
    recorded = {kind for one in OPERATIONS.values() for kind in one.kinds}
    assert recorded <= KINDS.keys()
    assert all(words.endswith(".") for words in KINDS.values())
