"""POST /v1/models/{name}/predict over a real home: every way in which it may end."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from governance.api.authentication import RECORD_SECONDS_MAX
from governance.clock import MICROSECONDS
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import VerifiedReceipt, verify_receipt
from governance.registry.records import ServiceClient
from governance.serving.artifacts import LOOK_US
from governance.storage.errors import audit_unavailable
from tests.functional.api.support import (
    MODEL,
    PREDICT,
    QUESTION,
    Api,
    ShiftedClock,
    running,
    set_limits,
)
from tests.unit.serving.fakes import GOOD_ROW, PURPOSE, hold_record

GOOD = orjson.dumps(QUESTION)


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """Check the form of a refusal and return its members."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    members: dict[str, Any] = response.json()
    assert members["code"] == code
    assert members["status"] == status
    assert members["detail"]
    assert members["next_step"]
    return members


def proven(api: Api, response: Any) -> VerifiedReceipt:
    """Verify the receipt in a response as an outsider would, with the policy alone."""
    receipt = response.json()["receipt"]
    raw = orjson.dumps(receipt, option=orjson.OPT_SORT_KEYS)
    return verify_receipt(raw, Policy.parse(api.deployment.ledger.policy_text.encode()))


@pytest.mark.requirement("P2")
def test_an_answer_comes_with_a_receipt_that_proves_its_entry(shared: Api) -> None:
    response = shared.ask()
    assert response.status_code == 200
    reply = response.json()
    assert list(reply) == ["model", "rows", "event_id", "receipt"]
    assert reply["model"]["name"] == MODEL
    assert reply["model"]["version"] == "forecasting/1"
    assert reply["rows"][0]["prediction"]["quantiles"]["0.5"] == "102"

    receipt = proven(shared, response)
    assert receipt.entry.kind == "inference.answered"
    assert receipt.entry.event_id == reply["event_id"]
    assert isinstance(receipt.facts, dict)
    assert receipt.facts["caller"] == "planner"
    assert receipt.body is not None
    body = orjson.loads(receipt.body)
    sent = response.request.content.decode()
    assert body["request"] == sent
    assert response.text.startswith(body["reply"][:-1])


@pytest.mark.requirement("P1")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"horizon": 13}, "row.horizon_out_of_range"),
        ({"horizon": 8}, "row.outside_use"),
        ({"horizon": "3"}, "row.mistyped"),
        ({"product_class": "Z99"}, "row.unknown_class"),
        ({"extra": 1}, "row.extra_field"),
    ],
)
def test_a_row_that_may_not_be_answered_abstains(
    shared: Api, change: dict[str, object], reason: str
) -> None:
    rows = [GOOD_ROW, {**GOOD_ROW, **change}]
    response = shared.ask({**QUESTION, "rows": rows})
    assert response.status_code == 200
    good, bad = response.json()["rows"]
    assert (good["disposition"], bad["disposition"]) == ("answered", "abstained")
    assert bad["reasons"] == [reason]
    assert response.json()["fallback"] == "Order as last year"


REFUSED_BODIES = {
    "not JSON": (b"rows=1", 422, "gate.not_json"),
    "NaN": (GOOD.replace(b":3", b":NaN"), 422, "gate.not_json"),
    "a member twice": (GOOD.replace(b"{", b'{"rows":[],', 1), 422, "gate.not_json"),
    "empty": (b"", 422, "gate.not_json"),
    "an extra member": (GOOD.replace(b"{", b'{"x":1,', 1), 422, "gate.envelope"),
    "a missing member": (b'{"rows":[{}]}', 422, "gate.envelope"),
    "a mistyped member": (b'{"rows":7,"context":{"purpose":"x"}}', 422, "gate.envelope"),
    "too many rows": (
        orjson.dumps({**QUESTION, "rows": [GOOD_ROW] * 6}), 422, "gate.too_many_rows",
    ),
    "another purpose": (
        orjson.dumps({**QUESTION, "context": {"purpose": "x"}}), 422, "gate.purpose",
    ),
    "a subject": (
        orjson.dumps({**QUESTION, "subject": "p-1"}), 422, "gate.subject_unexpected",
    ),
    "too large": (GOOD + b" " * 20_000, 413, "gate.too_large"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "status", "code"), REFUSED_BODIES.values(), ids=REFUSED_BODIES.keys()
)
def test_a_question_that_cannot_be_answered_is_refused_on_the_record(
    shared: Api, content: bytes, status: int, code: str
) -> None:
    before = shared.size()
    response = shared.ask(content=content)
    members = problem(response, status, code)
    assert shared.size() == before + 1
    receipt = proven(shared, response)
    assert receipt.entry.kind == "inference.refused"
    assert receipt.entry.event_id == members["event_id"]
    assert receipt.body is None
    assert isinstance(receipt.facts, dict)
    assert receipt.facts["reasons"] == [code]


def test_another_content_type_is_refused_on_the_record(shared: Api) -> None:
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ):
        response = shared.ask(content=GOOD, headers=headers)
        problem(response, 415, "gate.content_type")
        assert proven(shared, response).entry.kind == "inference.refused"


def test_a_content_type_with_a_charset_is_json(shared: Api) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert shared.ask(content=GOOD, headers=headers).status_code == 200


def test_an_unknown_model_is_refused_and_its_name_is_kept_nowhere(shared: Api) -> None:
    for name in ("Kari%20Nordmann", "dosing", "..", "a/b", "%00", "%F0%9F%92%8A"):
        response = shared.ask(path=f"/v1/models/{name}/predict")
        assert response.status_code == 404
    response = shared.ask(path="/v1/models/Kari%20Nordmann/predict")
    problem(response, 404, "gate.unknown_model")
    assert "Kari" not in response.text
    assert b"Kari" not in base64.b64decode(response.json()["receipt"]["facts"])


def test_a_caller_without_the_permission_is_refused_on_the_record(shared: Api) -> None:
    before = shared.size()
    problem(shared.ask(headers=shared.bearer("auditor")), 403, "identity.forbidden")
    narrowed = shared.bearer("planner", scopes="read")
    problem(shared.ask(headers=narrowed), 403, "identity.forbidden")
    assert shared.size() == before + 2


def test_a_token_cannot_widen_what_the_client_may(shared: Api) -> None:
    widened = shared.bearer("auditor", scopes="read infer:forecasting")
    problem(shared.ask(headers=widened), 403, "identity.forbidden")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "identity.unauthenticated"),
        ("Basic cGxhbm5lcjp4", "identity.unauthenticated"),
        ("Bearer", "identity.unauthenticated"),
        ("Bearer nonsense", "identity.token_invalid"),
        ("bearer e30.e30.e30", "identity.token_invalid"),
        ("Bearer " + "a" * 5000, "identity.token_invalid"),
    ],
)
def test_a_wrong_credential_is_counted_and_not_recorded(shared: Api, value: str, code: str) -> None:
    before = shared.size()
    response = shared.ask(headers={"Authorization": value})
    problem(response, 401, code)
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "receipt" not in response.json()
    assert shared.size() == before


def test_two_credentials_in_one_request_are_none(shared: Api) -> None:
    token = shared.token()
    pairs = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    headers = [*pairs, ("Content-Type", "application/json")]
    response = shared.http.post(PREDICT, content=GOOD, headers=headers)
    problem(response, 401, "identity.unauthenticated")


def test_an_expired_token_is_refused(shared: Api) -> None:
    past = shared.deployment.clock.now_us() - 3600 * MICROSECONDS
    problem(shared.ask(headers=shared.bearer(now_us=past)), 401, "identity.token_expired")


def test_a_token_of_an_earlier_secret_or_of_nobody_is_refused(shared: Api) -> None:
    earlier = shared.bearer(secret_epoch=0)
    problem(shared.ask(headers=earlier), 401, "identity.client_disabled")
    nobody = shared.bearer("nobody", scopes="read")
    problem(shared.ask(headers=nobody), 401, "identity.client_disabled")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_refused_and_the_right_one_is_named(shared: Api, method: str) -> None:
    response = shared.http.request(method, PREDICT)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_security_headers_stand_on_every_answer(shared: Api) -> None:
    for response in (
        shared.ask(),
        shared.ask(content=b"x"),
        shared.http.post(PREDICT),
        shared.http.get("/healthz"),
        shared.http.get("/nowhere"),
    ):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in response.headers["content-security-policy"]


def test_the_same_key_gives_the_same_answer_once(shared: Api) -> None:
    before = shared.size()
    headers = {"Idempotency-Key": "5b9f7d0e"}
    first = shared.ask(headers=headers)
    again = shared.ask(headers=headers)
    assert first.json()["event_id"] == again.json()["event_id"]
    assert first.json()["rows"] == again.json()["rows"]
    assert proven(shared, again).entry == proven(shared, first).entry
    assert shared.size() == before + 1


def test_the_same_key_for_another_question_is_refused(shared: Api) -> None:
    headers = {"Idempotency-Key": "0d1c"}
    shared.ask(headers=headers)
    other = {**QUESTION, "rows": [{**GOOD_ROW, "horizon": 1}]}
    problem(shared.ask(other, headers=headers), 422, "gate.idempotency_mismatch")


@pytest.mark.parametrize("key", ["", "a b", "k" * 129, "\x7f", "é".encode().decode("latin-1")])
def test_a_key_of_another_form_is_refused(shared: Api, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    response = shared.ask(headers=headers)
    problem(response, 422, "gate.idempotency_key")


@pytest.mark.requirement("P11")
def test_a_hold_stops_the_very_next_question(own: Api) -> None:
    assert own.ask().status_code == 200
    own.act(hold_record())
    members = problem(own.ask(), 409, "gate.suspended")
    assert members["fallback"] == "Order as last year"
    assert members["event_id"]


@pytest.mark.requirement("P1")
def test_a_tampered_artifact_is_refused_at_the_next_look_and_after_a_restart(home: Path) -> None:
    clock = ShiftedClock()
    with running(home, clock=clock) as api:
        assert api.ask().status_code == 200
        path = api.deployment.home.artifacts_dir / "forecasting" / "parameters.json"
        path.write_bytes(path.read_bytes().replace(b'"102"', b'"999"'))
        clock.shift_us += LOOK_US
        problem(api.ask(), 409, "gate.digest_mismatch")
        ready = api.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"] == {
            "ledger": "ok",
            "artifacts": "gate.digest_mismatch",
            "verification": "ok",
        }
    with running(home) as api:
        problem(api.ask(), 409, "gate.digest_mismatch")


@pytest.mark.requirement("P2")
def test_without_a_record_there_is_no_answer(own: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pending: object) -> object:
        raise audit_unavailable("the disk is full")

    before = own.size()
    monkeypatch.setattr(own.deployment.pen, "answer", refuse)
    members = problem(own.ask(), 503, "gate.audit_unavailable")
    assert "receipt" not in members
    assert "prediction" not in repr(members)
    monkeypatch.undo()
    assert own.size() == before
    assert own.ask().status_code == 200


@pytest.mark.requirement("P15")
def test_a_fault_of_the_program_shows_and_logs_no_data(
    own: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_pending: object) -> object:
        raise KeyError("Kari Nordmann")

    monkeypatch.setattr(own.deployment.pen, "answer", fail)
    response = own.ask()
    problem(response, 500, "internal.fault")
    assert "Kari" not in response.text
    assert "KeyError" in caplog.text
    assert "Kari" not in caplog.text


@pytest.mark.parametrize("change", [{"disabled": True}, {"secret_epoch": 2}])
def test_a_disabled_or_rotated_client_is_refused_within_a_second(
    home: Path, change: dict[str, Any]
) -> None:
    clock = ShiftedClock()
    with running(home, clock=clock) as api:
        headers = api.bearer()
        assert api.ask(headers=headers).status_code == 200
        client = ServiceClient(
            id="planner", title="planner", scope="st-olav/pharmacy",
            permissions="infer:forecasting", secret_epoch=1, disabled=False,
        )  # fmt: skip
        pair = (client, replace(client, **change))
        api.deployment.pen.commit(
            lambda unit: unit.record(kind="client.disabled", actor="quinn", replace=[pair])
        )
        clock.shift_us += RECORD_SECONDS_MAX * MICROSECONDS
        problem(api.ask(headers=headers), 401, "identity.client_disabled")


def test_over_its_rate_a_client_waits_and_nothing_is_recorded(home: Path) -> None:
    set_limits(home, {"requests_per_minute": 3})
    with running(home) as api:
        token = api.bearer()
        assert [api.ask(headers=token).status_code for _ in range(3)] == [200, 200, 200]
        before = api.size()
        response = api.ask(headers=token)
        problem(response, 429, "gate.rate_limited")
        assert 1 <= int(response.headers["retry-after"]) <= 20
        assert api.size() == before
        other = api.http.get("/v1/models", headers=api.bearer("auditor"))
        assert other.status_code == 200


def test_questions_that_come_together_are_all_answered_and_recorded(shared: Api) -> None:
    before = shared.size()
    responses = shared.http.together(40, PREDICT, json=QUESTION, headers=shared.bearer())
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["event_id"] for response in responses}) == 40
    assert shared.size() == before + 40


def test_the_purpose_of_the_record_is_the_releases(shared: Api) -> None:
    facts = proven(shared, shared.ask()).facts
    assert isinstance(facts, dict)
    assert facts["purpose"] == PURPOSE
