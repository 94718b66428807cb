"""Erasing a person: two people, what keeps evidence, and what is refused (P13, attack 32)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from change_control.errors import ChangeControlError, FourEyes
from governance.errors import GovernanceError
from governance.ledger.core.erased import read_statement, statement_over
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from tests.support.about_people import OTHER, REASON, RETENTION_DAYS, SUBJECT, People, people
from tests.support.small_deployment import EVERYWHERE, MODEL

pytestmark = pytest.mark.requirement("P13")


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[People]:
    """A deployment that answered twice about one person and once about another."""
    with people(tmp_path) as opened:
        for subject in (SUBJECT, OTHER, SUBJECT):
            opened.ask(subject)
        yield opened


def code_of(refused: pytest.ExceptionInfo[Exception]) -> str:
    error = refused.value
    assert isinstance(error, GovernanceError | ChangeControlError)
    assert error.next_step
    return error.code


def refused() -> pytest.RaisesExc[Exception]:
    return pytest.raises((GovernanceError, ChangeControlError))


def test_a_person_is_erased_by_two_people_and_the_chain_verifies(asked: People) -> None:
    view = asked.small.deployment.ledger
    asked.verify()
    key_id = asked.key_of()
    assert key_id is not None
    waiting = asked.request()
    assert (waiting["erasure"], waiting["bodies"], waiting["models"]) == ("E-1", 3, [MODEL])
    asked.pass_days(RETENTION_DAYS + 1)
    erased = asked.confirm()
    assert (erased["bodies"], erased["unfinished"]) == (3, None)
    asked.verify()
    assert view.verify().bodies_erased == 3
    entry = view.entry(erased["seq"])
    assert isinstance(entry.facts, dict)
    seqs = [one.seq for one in view.entries(limit=1000) if one.erased_by_seq == erased["seq"]]
    assert read_statement(entry.facts, sequence=entry.seq) == statement_over(key_id, seqs)
    said = {name: entry.facts[name] for name in ("actor", "requested_by", "basis")}
    assert said == {"actor": "reg", "requested_by": "cas", "basis": "objection"}
    policy = Policy.parse(view.policy_text.encode())
    verified = verify_receipt(erased["receipt"].encode(), policy=policy)
    assert verified.entry.kind == "subject.erased"
    shown = asked.small.perform("reg", "erasure.show", erasure="E-1")
    assert (shown["state"], shown["decided_by"], shown["reason"]) == ("erased", "reg", None)


def test_after_an_erasure_receipts_come_without_body_and_others_open(asked: People) -> None:
    ledger = asked.small.deployment.ledger
    mine, other = asked.ask(), asked.ask(OTHER)
    policy = Policy.parse(ledger.policy_text.encode())
    for one in (mine, other):
        assert json.loads(ledger.receipt(one.recorded.event_id))["body"] is not None
    asked.erase()
    receipt = ledger.receipt(mine.recorded.event_id)
    assert verify_receipt(receipt, policy=policy).entry.event_id == mine.recorded.event_id
    assert (json.loads(receipt)["body"], json.loads(receipt)["salt"]) == (None, None)
    assert ledger.body(mine.recorded.seq) is None
    body = ledger.body(other.recorded.seq)
    assert body is not None
    assert OTHER in body.decode()
    assert json.loads(ledger.receipt(other.recorded.event_id))["body"] is not None


def test_the_person_may_come_back_as_somebody_new(asked: People) -> None:
    before = asked.key_of()
    asked.erase()
    assert asked.key_of() is None
    committed = asked.ask()
    assert committed.answer.status == 200
    assert committed.answer.facts["body_key"] == asked.key_of() != before
    asked.verify()


def test_facts_and_records_never_name_the_person_or_the_reason(asked: People) -> None:
    asked.erase()
    entries = asked.small.deployment.ledger.entries(limit=1000)
    for entry in entries:
        said = orjson.dumps(entry.facts).decode()
        assert SUBJECT not in said
        assert REASON not in said


def test_a_repeated_question_gets_the_recorded_answer_until_it_is_erased(tmp_path: Path) -> None:
    with people(tmp_path, days=0) as opened:
        first, again = opened.ask(key="retry-1"), opened.ask(key="retry-1")
        assert (again.replayed, again.answer.reply) == (True, first.answer.reply)
        other = opened.ask(OTHER, key="retry-2")
        opened.request()
        opened.confirm()
        with refused() as gone:
            opened.ask(key="retry-1")
        assert code_of(gone) == "gate.answer_erased"
        assert opened.ask(OTHER, key="retry-2").recorded == other.recorded
        assert opened.ask(key="retry-3").answer.status == 200
        opened.pass_days(2)
        assert not opened.ask(key="retry-1").replayed
        opened.verify()


# --- attack 32: erasure used to destroy evidence ------------------------------------------------


def test_attack_32_one_person_alone_cannot_erase(asked: People) -> None:
    asked.small.perform("ada", "role.grant", person="cas", role="regulatory", scope=EVERYWHERE)
    asked.request()
    asked.pass_days(RETENTION_DAYS + 1)
    with refused() as stopped:
        asked.confirm(by="cas")
    assert code_of(stopped) == "change.four_eyes"
    assert asked.small.deployment.ledger.verify().bodies_erased == 0


@pytest.mark.parametrize("by", ["mo", "rea", "aud", "sam", "nils"])
def test_attack_32_roles_that_may_neither_ask_nor_confirm(asked: People, by: str) -> None:
    with refused() as asking:
        asked.request(by=by)
    assert code_of(asking) in {"change.wrong_role", "identity.forbidden"}
    asked.request()
    asked.pass_days(RETENTION_DAYS + 1)
    with refused() as confirming:
        asked.confirm(by=by)
    assert code_of(confirming) in {"change.wrong_role", "identity.forbidden"}


def test_attack_32_a_wrong_password_erases_nothing(asked: People) -> None:
    asked.request()
    asked.pass_days(RETENTION_DAYS + 1)
    with refused() as stopped:
        asked.small.perform("reg", "erasure.confirm", erasure="E-1", password="not mine at all")
    assert code_of(stopped) == "signature.reauthentication_failed"
    assert asked.key_of() is not None


@pytest.mark.parametrize("covers", ["subject", "model", "everything"])
def test_attack_32_a_legal_hold_keeps_until_two_others_lift_it(asked: People, covers: str) -> None:
    small = asked.small
    named = {"subject": {"subject": SUBJECT}, "model": {"model": MODEL}}.get(
        covers, {"everything": True}
    )
    waiting = asked.request()
    placed = small.perform(
        "sam", "legal_hold.place", cause="litigation", reason="Case 7 is open", **named
    )
    assert placed["stops"] == [waiting["erasure"]]
    asked.pass_days(RETENTION_DAYS + 1)
    for signer in (None, "rea"):
        if signer is not None:
            small.signed(signer, "legal_hold.lift", legal_hold="LH-1", reason="Case 7 is over")
        with refused() as stopped:
            asked.confirm()
        assert code_of(stopped) == "erasure.legal_hold"
        assert "LH-1" in str(stopped.value)
    for signer in ("rea", "cas"):  # the first signer again, and who asked for the erasure
        with refused() as stopped:
            small.signed(signer, "legal_hold.lift", legal_hold="LH-1", reason="Case 7 is over")
        assert code_of(stopped) in {"change.four_eyes", "change.wrong_role"}
    lifted = small.signed("reg", "legal_hold.lift", legal_hold="LH-1", reason="Case 7 is over")
    assert (lifted["state"], lifted["stops"]) == ("lifted", [])
    assert asked.confirm()["bodies"] >= 3
    asked.verify()


def test_whoever_signed_a_lift_and_then_asks_is_not_counted(asked: People) -> None:
    """The first signature is looked at again when the second one lifts."""
    small = asked.small
    small.perform("sam", "legal_hold.place", subject=SUBJECT, cause="litigation", reason="Case 7")
    lift: dict[str, Any] = {"legal_hold": "LH-1", "reason": "Case 7 is over"}
    small.signed("cas", "legal_hold.lift", **lift)
    asked.request()
    with pytest.raises(FourEyes, match="cas, who signed first"):
        small.signed("reg", "legal_hold.lift", **lift)
    withdrawn = small.perform("rea", "legal_hold.withdraw", legal_hold="LH-1")
    assert (withdrawn["state"], withdrawn["first_signer"]) == ("open", None)
    small.signed("rea", "legal_hold.lift", **lift)
    assert small.signed("reg", "legal_hold.lift", **lift)["state"] == "lifted"
    asked.verify()


def test_nobody_refuses_their_own_request(asked: People) -> None:
    asked.request()
    with pytest.raises(FourEyes):
        asked.small.perform("cas", "erasure.refuse", erasure="E-1", reason="I was wrong")


def test_a_legal_hold_on_somebody_else_keeps_nothing_here(asked: People) -> None:
    asked.small.perform(
        "sam", "legal_hold.place", cause="litigation", reason="Case 7", subject=OTHER
    )
    assert asked.erase()["bodies"] == 3


def test_a_legal_hold_says_what_it_is_on(asked: People) -> None:
    both = {"model": MODEL, "everything": True}
    for named in ({}, both):
        with refused() as stopped:
            asked.small.perform(
                "sam", "legal_hold.place", cause="litigation", reason="Case 7", **named
            )
        assert code_of(stopped) == "input.invalid"


def test_a_running_retention_keeps_and_says_until_when(asked: People) -> None:
    asked.request()
    asked.pass_days(RETENTION_DAYS - 1)
    asked.ask()  # the end is counted from the last answer
    asked.pass_days(2)
    with refused() as stopped:
        asked.confirm()
    assert code_of(stopped) == "erasure.retention"
    shown = asked.small.perform("reg", "erasure.show", erasure="E-1")
    assert shown["kept_until_us"] > asked.small.clock.now_us()
    assert shown["reason"] == REASON
    asked.pass_days(RETENTION_DAYS - 1)
    assert asked.confirm()["bodies"] == 4


def test_a_draft_of_the_entry_shortens_no_retention(asked: People) -> None:
    from tests.support.about_people import entry_about_people

    asked.request()
    registered = asked.small.register("entry", text=entry_about_people(days=0))
    with refused() as stopped:
        asked.confirm()
    assert code_of(stopped) == "erasure.retention"
    asked.small.decide("rea", registered["review"])
    assert asked.confirm()["bodies"] == 3


def test_unknown_requested_twice_refused_and_erased_twice_have_their_codes(
    asked: People,
) -> None:
    with refused() as unknown:
        asked.request("MRN-9999")
    assert code_of(unknown) == "erasure.unknown_subject"
    assert "MRN-9999" not in str(unknown.value)
    asked.request()
    with refused() as twice:
        asked.request()
    assert code_of(twice) == "erasure.already_requested"
    asked.small.perform("reg", "erasure.refuse", erasure="E-1", reason="Not this person")
    with refused() as decided:
        asked.confirm()
    assert code_of(decided) == "change.transition_refused"
    asked.pass_days(RETENTION_DAYS + 1)
    assert asked.request()["erasure"] == "E-2"
    asked.confirm("E-2")
    with refused() as erased:
        asked.confirm("E-2")
    assert code_of(erased) == "erasure.already_erased"
    with refused() as gone:
        asked.request()
    assert code_of(gone) == "erasure.unknown_subject"
    asked.verify()
