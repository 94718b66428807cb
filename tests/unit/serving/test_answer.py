"""One question's way to a recorded answer, against a pen that keeps the committer's promises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from governance.codecs import json_v1
from governance.gate.ask import Question
from governance.gate.reasons import Refusal
from governance.serving import answer as module
from governance.serving.answer import ANSWERED, REFUSED, WITHHELD
from governance.serving.artifacts import LOOK_US
from governance.storage.errors import AuditUnavailable
from governance.storage.ports import CommittedAnswer
from tests.unit.serving.fakes import (
    CALLER,
    GOOD_BODY,
    GOOD_ROW,
    HOUR_US,
    NOW_US,
    PURPOSE,
    FakeReader,
    Registry,
    World,
    ask,
    hold_record,
    make_world,
    release_record,
)

GOOD = Question(rows=[GOOD_ROW], purpose=PURPOSE)


def put(
    world: World, question: Question | Refusal = GOOD, *, now_us: int = NOW_US, **fields: object
) -> CommittedAnswer:
    """Ask and return what was committed."""
    asked = ask(question, **fields)
    return world.answers.submit(asked, json_v1, now_us=now_us).result(timeout=0)


def codes(committed: CommittedAnswer) -> object:
    return committed.answer.facts["reasons"]


@pytest.mark.requirement("P2")
def test_an_answer_is_recorded_with_the_exact_texts_of_request_and_reply(world: World) -> None:
    committed = put(world)
    entry = world.pen.entries[-1]
    assert entry.kind == ANSWERED
    assert entry.body is not None
    body = orjson.loads(entry.body.content)
    assert body == {"v": 1, "request": GOOD_BODY.decode(), "reply": entry.reply.decode()}
    assert orjson.dumps(body, option=orjson.OPT_SORT_KEYS) == entry.body.content
    assert orjson.loads(committed.answer.reply)["rows"][0]["disposition"] == "answered"


def test_the_facts_of_an_answer_hold_no_text_of_the_request(world: World) -> None:
    put(world)
    facts = world.pen.entries[-1].facts
    assert facts["caller"] == "planner"
    assert facts["scope"] == "st-olav/pharmacy"
    assert (facts["model"], facts["version"]) == ("forecasting", "forecasting/1")
    assert facts["release"] == "REL-1"
    assert facts["dispositions"] == {"answered": 1, "abstained": 0}
    assert facts["body_key"] == "0" * 32
    assert facts["epoch"] == world.registry.epoch
    assert "L01" not in repr(facts)


@pytest.mark.requirement("P1")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**GOOD_ROW, "horizon": 13}, "row.horizon_out_of_range"),
        ({**GOOD_ROW, "horizon": 0}, "row.horizon_out_of_range"),
        ({**GOOD_ROW, "horizon": 7}, "row.outside_use"),
        ({**GOOD_ROW, "horizon": "3"}, "row.mistyped"),
        ({**GOOD_ROW, "horizon": 3.5}, "row.mistyped"),
        ({**GOOD_ROW, "horizon": True}, "row.mistyped"),
        ({**GOOD_ROW, "horizon": None}, "row.mistyped"),
        ({**GOOD_ROW, "product_class": "Z99"}, "row.unknown_class"),
        ({**GOOD_ROW, "product_class": []}, "row.mistyped"),
        ({**GOOD_ROW, "name": "Kari"}, "row.extra_field"),
        ({"product_class": "L01", "horizon": 3}, "row.missing_field"),
        ({}, "row.missing_field"),
    ],
)
def test_a_row_outside_contract_or_use_abstains_inside_a_200(
    world: World, row: dict[str, object], reason: str
) -> None:
    committed = put(world, Question(rows=[GOOD_ROW, row, GOOD_ROW], purpose=PURPOSE))
    assert committed.answer.status == 200
    reply = orjson.loads(committed.answer.reply)
    assert [item["disposition"] for item in reply["rows"]] == ["answered", "abstained", "answered"]
    assert reason in reply["rows"][1]["reasons"]
    assert reply["rows"][1]["prediction"] is None
    assert reply["fallback"] == "Order as last year"
    assert committed.answer.facts["dispositions"] == {"answered": 2, "abstained": 1}


def test_the_name_of_an_undeclared_field_does_not_come_back(world: World) -> None:
    committed = put(world, Question(rows=[{**GOOD_ROW, "Kari": 1}], purpose=PURPOSE))
    assert b"Kari" not in committed.answer.reply


def test_a_refusal_of_a_known_caller_is_recorded_without_a_body(world: World) -> None:
    committed = put(world, Refusal(code="gate.envelope", detail="`rows` is missing"))
    assert committed.answer.status == 422
    assert world.pen.entries[-1].kind == REFUSED
    assert world.pen.entries[-1].body is None
    problem = orjson.loads(committed.answer.reply)
    assert problem["code"] == "gate.envelope"
    assert "`rows` is missing" in problem["detail"]
    assert problem["fallback"] == "Order as last year"


def test_a_model_that_is_not_registered_is_named_in_no_record(world: World) -> None:
    committed = put(world, model="Kari Nordmann")
    assert committed.answer.status == 404
    assert codes(committed) == ["gate.unknown_model"]
    assert "Kari" not in repr(world.pen.entries[-1].facts)
    assert b"Kari" not in committed.answer.reply


def test_a_purpose_that_is_not_registered_is_refused_and_not_repeated(world: World) -> None:
    committed = put(world, Question(rows=[GOOD_ROW], purpose="Kari"))
    assert codes(committed) == ["gate.purpose"]
    assert b"Kari" not in committed.answer.reply
    assert "Kari" not in repr(committed.answer.facts)


def test_a_caller_without_the_permission_is_refused(world: World) -> None:
    nobody = replace(CALLER, permissions=frozenset({"read", "infer:dosing"}))
    committed = put(world, caller=nobody)
    assert (committed.answer.status, codes(committed)) == (403, ["identity.forbidden"])


@pytest.mark.requirement("P13")
def test_an_answer_about_a_person_is_sealed_under_that_persons_key(tmp_path: Path) -> None:
    world = make_world(tmp_path, about_people=True)
    committed = [
        put(world, Question(rows=[GOOD_ROW], purpose=PURPOSE, subject=subject))
        for subject in ("p-17", "p-18", "p-17")
    ]
    keys = [entry.body.key_id if entry.body else None for entry in world.pen.entries]
    assert keys[0] == keys[2] != keys[1]
    assert keys[0] == world.keys.find_subject(organisation="st-olav", subject="p-17")
    assert all(entry.body and entry.body.of_subject for entry in world.pen.entries)
    for one, key in zip(committed, keys, strict=True):
        assert one.answer.facts["body_key"] == key
        assert "p-17" not in repr(one.answer.facts)


@pytest.mark.requirement("P13")
def test_a_refusal_about_a_person_makes_no_key_and_has_no_body(tmp_path: Path) -> None:
    world = make_world(tmp_path, about_people=True)
    assert codes(put(world)) == ["gate.subject_required"]
    world.registry.add(hold_record())
    named = Question(rows=[GOOD_ROW], purpose=PURPOSE, subject="p-17")
    assert codes(put(world, named)) == ["gate.suspended"]
    assert world.pen.entries[-1].body is None
    assert world.keys.find_subject(organisation="st-olav", subject="p-17") is None


def test_a_subject_is_refused_where_rows_are_not_about_people(world: World) -> None:
    named = Question(rows=[GOOD_ROW], purpose=PURPOSE, subject="p-17")
    committed = put(world, named)
    assert codes(committed) == ["gate.subject_unexpected"]
    assert b"p-17" not in committed.answer.reply


@pytest.mark.requirement("P1")
def test_a_tampered_artifact_stops_the_model_at_the_next_look(world: World) -> None:
    assert put(world).answer.status == 200
    world.artifact.write_bytes(world.artifact.read_bytes().replace(b'"102"', b'"103"'))
    committed = put(world, now_us=NOW_US + LOOK_US)
    assert (committed.answer.status, codes(committed)) == (409, ["gate.digest_mismatch"])


@pytest.mark.requirement("P1")
def test_a_missing_artifact_stops_the_model(world: World) -> None:
    world.artifact.unlink()
    assert codes(put(world)) == ["gate.digest_mismatch"]


@pytest.mark.requirement("P1")
def test_a_release_that_names_another_digest_than_its_version_answers_nothing(
    world: World,
) -> None:
    world.registry.change(type(release_record(digest="")), "REL-1", digest="f" * 64)
    assert codes(put(world)) == ["gate.digest_mismatch"]


def test_an_artifact_of_another_kind_than_the_entry_names_answers_nothing(world: World) -> None:
    from governance.registry.records import Version

    world.registry.change(Version, "forecasting/1", kind="forecasting/other/1")
    assert codes(put(world)) == ["gate.digest_mismatch"]


@pytest.mark.requirement("P11")
def test_a_hold_refuses_the_next_question_and_lifting_it_answers_again(world: World) -> None:
    from governance.registry.records import Hold

    world.registry.add(hold_record())
    assert codes(put(world)) == ["gate.suspended"]
    world.registry.change(Hold, "H-1", state="lifted", lifted_us=NOW_US)
    assert put(world).answer.status == 200


@pytest.mark.requirement("P11")
def test_a_recalled_version_refuses_and_says_so_first(world: World) -> None:
    from governance.registry.records import Version

    world.registry.add(hold_record())
    world.registry.change(Version, "forecasting/1", state="recalled")
    committed = put(world)
    assert codes(committed) == ["gate.recalled", "gate.suspended"]
    assert orjson.loads(committed.answer.reply)["code"] == "gate.recalled"


@pytest.mark.requirement("P11")
@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda world: world.registry.add(hold_record()), "gate.suspended"),
        (
            lambda world: world.registry.change(
                type(release_record(digest="")), "REL-1", state="rolled_back", until_us=NOW_US
            ),
            "gate.not_released",
        ),
    ],
)
def test_an_answer_in_flight_is_withheld_when_its_standing_moves(
    world: World, act: object, code: str
) -> None:
    put(world)
    world.pen.waiting = True
    future = world.answers.submit(ask(GOOD), json_v1, now_us=NOW_US)
    assert not future.done()
    act(world)  # type: ignore[operator]
    world.pen.release_held()
    committed = future.result(timeout=0)
    assert committed.answer.kind == WITHHELD
    assert (committed.answer.status, codes(committed)) == (409, [code])
    assert committed.answer.facts["release"] == "REL-1"
    assert committed.answer.facts["epoch"] == world.registry.epoch
    assert committed.answer.body is None
    assert b"prediction" not in committed.answer.reply


@pytest.mark.requirement("P11")
def test_an_answer_in_flight_is_withheld_when_another_release_takes_over(world: World) -> None:
    put(world)
    world.pen.waiting = True
    future = world.answers.submit(ask(GOOD), json_v1, now_us=NOW_US)
    digest = world.registry.rows[type(release_record(digest=""))][0].digest
    world.registry.add(release_record(digest=digest, key="REL-2", from_us=NOW_US - 1))
    world.pen.release_held()
    committed = future.result(timeout=0)
    assert (committed.answer.kind, codes(committed)) == (WITHHELD, ["gate.standing_moved"])


def test_an_answer_in_flight_stands_when_the_act_concerned_another_model(world: World) -> None:
    put(world)
    world.pen.waiting = True
    future = world.answers.submit(ask(GOOD), json_v1, now_us=NOW_US)
    world.registry.add(hold_record(model="dosing"))
    world.pen.release_held()
    committed = future.result(timeout=0)
    assert (committed.answer.kind, committed.answer.status) == (ANSWERED, 200)
    assert committed.answer.facts["epoch"] == committed.answer.epoch == world.registry.epoch


@pytest.mark.requirement("P1")
def test_an_answer_is_withheld_when_the_release_ends_while_it_is_written(world: World) -> None:
    kind = type(release_record(digest=""))
    world.registry.change(kind, "REL-1", until_us=NOW_US + 1)
    world.pen.now_us = NOW_US + 1
    committed = put(world)
    assert (committed.answer.kind, codes(committed)) == (WITHHELD, ["gate.expired"])


@pytest.mark.requirement("P1")
def test_a_kept_standing_is_not_used_beyond_its_end(world: World) -> None:
    kind = type(release_record(digest=""))
    world.registry.change(kind, "REL-1", until_us=NOW_US + HOUR_US)
    assert put(world).answer.status == 200
    world.pen.now_us = NOW_US + HOUR_US
    later = world.answers.submit(ask(GOOD), json_v1, now_us=NOW_US + HOUR_US).result(timeout=0)
    assert (later.answer.kind, codes(later)) == (REFUSED, ["gate.expired"])


def test_a_release_of_another_organisation_does_not_answer(world: World) -> None:
    kind = type(release_record(digest=""))
    world.registry.change(kind, "REL-1", scope="other/*")
    assert codes(put(world)) == ["gate.not_released"]


@pytest.mark.requirement("P1")
@pytest.mark.requirement("P11")
def test_what_a_lost_transaction_decided_on_is_not_kept(world: World) -> None:
    """The committer's reader saw a hold lifted, and the database lost that act again."""
    from governance.registry.records import Hold

    world.registry.add(hold_record())
    prepared = module.Answers(state=world.state, pen=world.pen, keys=world.keys)._prepare(
        ask(GOOD), json_v1, now_us=NOW_US
    )
    assert prepared.redecide is not None
    lifted = Registry(
        rows={kind: [*rows] for kind, rows in world.registry.rows.items()},
        blobs=world.registry.blobs,
        epoch=world.registry.epoch,
    )
    lifted.change(Hold, "H-1", state="lifted", lifted_us=NOW_US)
    decided = prepared.redecide(FakeReader(lifted), lifted.epoch, NOW_US)
    assert decided.epoch == lifted.epoch
    world.registry.add(hold_record("H-2", scope="st-olav/elsewhere"))
    assert world.registry.epoch == lifted.epoch
    assert codes(put(world)) == ["gate.suspended"]


def test_a_release_in_another_market_does_not_answer(world: World) -> None:
    assert put(world, replace(GOOD, market="no")).answer.status == 200
    committed = put(world, replace(GOOD, market="Kari"))
    assert codes(committed) == ["gate.not_released"]
    assert "Kari" not in repr(committed.answer.facts)
    assert b"Kari" not in committed.answer.reply


def test_the_facts_name_the_market_and_the_entry_that_an_answer_rests_on(world: World) -> None:
    facts = put(world).answer.facts
    assert facts["market"] == "no"
    assert facts["entry"] == world.state.current().models["forecasting"].in_use.digest


def test_without_a_market_a_question_is_refused_where_two_are_in_service(world: World) -> None:
    digest = world.registry.rows[type(release_record(digest=""))][0].digest
    world.registry.add(release_record(digest=digest, key="REL-2", market="se"))
    assert codes(put(world)) == ["gate.market"]
    for market, release in (("no", "REL-1"), ("se", "REL-2")):
        assert put(world, replace(GOOD, market=market)).answer.facts["release"] == release


def test_without_a_market_the_only_one_in_service_is_taken(world: World) -> None:
    kind = type(release_record(digest=""))
    digest = world.registry.rows[kind][0].digest
    world.registry.add(release_record(digest=digest, key="REL-2", market="se"))
    world.registry.change(kind, "REL-1", state="rolled_back", until_us=NOW_US)
    assert put(world).answer.facts["release"] == "REL-2"


def test_a_market_that_comes_into_service_ends_the_choice_of_the_only_one(world: World) -> None:
    digest = world.registry.rows[type(release_record(digest=""))][0].digest
    later = release_record(digest=digest, key="REL-2", market="se", from_us=NOW_US + HOUR_US)
    world.registry.add(later)
    assert put(world).answer.status == 200
    world.pen.now_us = NOW_US + HOUR_US
    assert codes(put(world)) == ["gate.market"]


@pytest.mark.requirement("P2")
def test_nothing_is_answered_when_the_record_cannot_be_kept(world: World) -> None:
    world.pen.unavailable = True
    with pytest.raises(AuditUnavailable):
        put(world)
    assert world.pen.entries == []


def test_a_key_used_again_for_the_same_question_gives_the_first_answer(world: World) -> None:
    first = put(world, idempotency_key="k-1")
    again = put(world, idempotency_key="k-1")
    assert again.replayed
    assert again.recorded == first.recorded
    assert len(world.pen.entries) == 1


@pytest.mark.requirement("P11")
def test_a_key_used_again_after_a_hold_is_refused_not_replayed(world: World) -> None:
    put(world, idempotency_key="k-1")
    world.registry.add(hold_record())
    assert codes(put(world, idempotency_key="k-1")) == ["gate.suspended"]


def test_a_refusal_does_not_use_up_the_key(world: World) -> None:
    from governance.registry.records import Hold

    world.registry.add(hold_record())
    put(world, idempotency_key="k-1")
    world.registry.change(Hold, "H-1", state="lifted", lifted_us=NOW_US)
    assert put(world, idempotency_key="k-1").answer.status == 200


def test_the_same_key_for_another_model_is_another_question(world: World) -> None:
    put(world, idempotency_key="k-1")
    digest = world.pen.entries[-1].idempotency
    assert digest is not None
    world.pen.waiting = True
    world.answers.submit(ask(GOOD, idempotency_key="k-1"), json_v1, now_us=NOW_US)
    assert world.pen.held[-1][0].idempotency == digest
    world.answers.submit(ask(GOOD, idempotency_key="k-1", raw=b"{}"), json_v1, now_us=NOW_US)
    assert world.pen.held[-1][0].idempotency != digest


def test_an_answer_that_would_not_fit_a_receipt_is_refused_before_it_is_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BODY_BYTES_MAX", 100)
    committed = put(world)
    assert (committed.answer.status, codes(committed)) == (413, ["gate.too_large"])
    assert committed.answer.body is None
