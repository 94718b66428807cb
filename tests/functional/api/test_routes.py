"""The ordinary routes over a real home."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from governance.api import token_route
from governance.api.app import create_app
from governance.api.token_route import TRIES_PER_MINUTE
from governance.deployment import open_deployment
from tests.functional.api.support import MODEL, SECRET, Api, InProcess, running

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def get_token(api: Api, **fields: str) -> Any:
    known = {
        "grant_type": "client_credentials", "client_id": "planner", "client_secret": SECRET,
    }  # fmt: skip
    return api.http.post("/oauth/token", data={**known, **fields})


# --- tokens --------------------------------------------------------------------------------------


def test_a_client_gets_a_token_that_the_gate_takes(shared: Api) -> None:
    response = get_token(shared)
    assert response.status_code == 200
    granted = response.json()
    assert granted["token_type"] == "Bearer"
    assert granted["scope"] == "infer:forecasting"
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    assert shared.ask(headers=headers).status_code == 200


def test_a_client_may_send_its_secret_by_http_basic(shared: Api) -> None:
    pair = base64.b64encode(f"planner:{SECRET.replace(' ', '+')}".encode()).decode()
    response = shared.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {pair}"},
    )
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "identity.invalid_client"),
        ({"client_secret": ""}, 401, "identity.invalid_client"),
        ({"client_id": "nobody"}, 401, "identity.invalid_client"),
        ({"client_id": ""}, 401, "identity.invalid_client"),
        ({"scope": "infer:forecasting read"}, 400, "identity.invalid_scope"),
        ({"scope": " "}, 400, "identity.invalid_scope"),
        ({"grant_type": "password"}, 400, "identity.unsupported_grant_type"),
    ],
)
def test_no_token_without_the_secret_and_a_scope_that_is_held(
    own: Api, fields: dict[str, str], status: int, code: str
) -> None:
    response = get_token(own, **fields)
    assert response.status_code == status, response.text
    assert response.json()["code"] == code
    assert response.json()["error"] == code.removeprefix("identity.")
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert SECRET not in response.text


@pytest.mark.parametrize(
    "content",
    [b"", b"grant_type", b"\xff\xfe", b"a=1&a=2", b"grant_type=client_credentials&" * 20],
)
def test_a_form_that_cannot_be_read_is_refused(own: Api, content: bytes) -> None:
    response = own.http.post("/oauth/token", content=content, headers=FORM)
    assert (response.status_code, response.json()["error"]) == (400, "unsupported_grant_type")


def test_guessing_a_secret_is_stopped_for_the_peer(
    own: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_route, "password_matches", lambda _hashed, _secret: False)
    tries = [get_token(own, client_id=f"guess-{number}") for number in range(2 * TRIES_PER_MINUTE)]
    assert {response.status_code for response in tries[:TRIES_PER_MINUTE]} == {401}
    assert tries[-1].status_code == 429
    assert tries[-1].json()["code"] == "identity.rate_limited"
    assert int(tries[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize("client", ["planner", "nobody", ""])
def test_an_unknown_client_costs_the_same_check(
    own: Api, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    checks: list[bool] = []

    def check(hashed: str | None, _secret: str) -> bool:
        checks.append(hashed is not None)
        return False

    monkeypatch.setattr(token_route, "password_matches", check)
    assert get_token(own, client_id=client).status_code == 401
    assert checks == [client == "planner"]


# --- registry ------------------------------------------------------------------------------------


def test_the_registry_shows_a_model_with_its_standing(shared: Api) -> None:
    headers = shared.bearer("auditor")
    listed = shared.http.get("/v1/models", headers=headers).json()["models"]
    assert [model["name"] for model in listed] == [MODEL]
    assert listed[0]["standing"]["supply-planning"]["verdict"] == "may_answer"
    shown = shared.http.get(f"/v1/models/{MODEL}", headers=headers).json()
    assert shown["purposes"][0]["name"] == "supply-planning"
    assert shown["versions"][0]["id"] == "forecasting/1"
    assert shown["releases"][0]["id"] == "REL-1"
    assert {field["name"] for field in shown["input"]["fields"]} == {
        "product_class", "concession", "horizon",
    }  # fmt: skip


@pytest.mark.requirement("P16")
def test_a_card_repeats_the_record_and_claims_nothing(shared: Api) -> None:
    card = shared.http.get(f"/v1/models/{MODEL}/card", headers=shared.bearer("auditor")).json()
    assert card["entry"]["limits"] == ["Knows nothing of tenders"]
    assert "no claim of compliance" in card["statement"]
    assert card["evidence"] == []


def test_reviews_are_listed(shared: Api) -> None:
    response = shared.http.get("/v1/reviews?state=open", headers=shared.bearer("auditor"))
    assert response.json() == {"reviews": []}


@pytest.mark.parametrize(
    "path", ["/v1/models", f"/v1/models/{MODEL}", f"/v1/models/{MODEL}/card", "/v1/reviews"]
)
def test_reading_needs_a_token_with_the_scope_read(shared: Api, path: str) -> None:
    missing = shared.http.get(path)
    assert (missing.status_code, missing.json()["code"]) == (401, "identity.unauthenticated")
    assert missing.headers["www-authenticate"].startswith("Bearer")
    wrong = shared.http.get(path, headers=shared.bearer("planner"))
    assert (wrong.status_code, wrong.json()["code"]) == (403, "identity.forbidden")


def test_a_model_that_is_not_registered_is_a_problem(shared: Api) -> None:
    response = shared.http.get("/v1/models/Kari", headers=shared.bearer("auditor"))
    assert (response.status_code, response.json()["code"]) == (404, "record.not_found")
    assert "Kari" not in response.text


# --- outcomes ------------------------------------------------------------------------------------

DELIVERY: dict[str, Any] = {
    "model": MODEL,
    "source": "Dispensing register",
    "rows": [{"series": "L01/General", "month": "2005-07", "value": "101"}],
}


def test_outcomes_are_recorded_with_the_client_as_their_source(own: Api) -> None:
    before = own.size()
    response = own.http.post("/v1/outcomes", json=DELIVERY, headers=own.bearer("dispensary"))
    assert response.status_code == 201, response.text
    assert response.json()["rows"] == 1
    assert own.size() == before + 1
    assert own.deployment.ledger.entry(before).kind == "outcome.recorded"


@pytest.mark.parametrize(
    "change",
    [
        {"rows": []},
        {"rows": [{"series": "L01/General", "month": "2005-07"}]},
        {"rows": [{"series": "L01/General", "month": "2005-13", "value": "1"}]},
        {"rows": [{"series": "L01/General", "month": "2005-07", "value": "NaN"}]},
        {"rows": [{"series": "L01/General", "month": "2005-07", "value": "-1"}]},
        {"Kari": "Nordmann"},
    ],
)
def test_a_delivery_that_is_not_right_records_nothing(own: Api, change: dict[str, Any]) -> None:
    before = own.size()
    body = {**DELIVERY, **change}
    response = own.http.post("/v1/outcomes", json=body, headers=own.bearer("dispensary"))
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert "Kari" not in response.text
    assert "Nordmann" not in response.text
    assert own.size() == before


def test_outcomes_need_their_own_scope(shared: Api) -> None:
    response = shared.http.post("/v1/outcomes", json=DELIVERY, headers=shared.bearer("auditor"))
    assert (response.status_code, response.json()["code"]) == (403, "identity.forbidden")


# --- ledger --------------------------------------------------------------------------------------


def test_a_client_gets_the_receipt_of_its_own_event(shared: Api) -> None:
    event = shared.ask().json()["event_id"]
    response = shared.http.get(f"/v1/receipts/{event}", headers=shared.bearer("planner"))
    assert response.status_code == 200
    assert set(response.json()) == {
        "v", "entry", "facts", "facts_salt", "body", "salt", "proof",
    }  # fmt: skip


def test_a_reader_gets_the_receipts_of_others_and_anybody_else_does_not(shared: Api) -> None:
    event = shared.ask().json()["event_id"]
    path = f"/v1/receipts/{event}"
    assert shared.http.get(path, headers=shared.bearer("auditor")).status_code == 200
    other = shared.http.get(path, headers=shared.bearer("dispensary"))
    assert (other.status_code, other.json()["code"]) == (404, "record.not_found")
    assert shared.http.get(path).status_code == 401


def test_a_receipt_of_no_event_is_not_found(shared: Api) -> None:
    headers = shared.bearer("auditor")
    absent = "/v1/receipts/01890000-0000-7000-8000-000000000000"
    assert shared.http.get(absent, headers=headers).status_code == 404
    assert shared.http.get("/v1/receipts/x", headers=headers).status_code == 422


def test_the_checkpoint_is_public_and_is_the_ledgers(shared: Api) -> None:
    response = shared.http.get("/checkpoint")
    assert response.status_code == 200
    assert response.text == shared.deployment.ledger.checkpoint()
    assert response.text.splitlines()[0] == shared.deployment.home.origin


# --- health and the rest -------------------------------------------------------------------------


def test_the_server_says_that_it_lives_and_is_ready(shared: Api) -> None:
    assert shared.http.get("/healthz").json() == {"status": "alive"}
    before = shared.size()
    ready = shared.http.get("/readyz")
    assert ready.status_code == 200
    checks = {"ledger": "ok", "artifacts": "ok", "verification": "ok"}
    assert ready.json() == {"status": "ready", "checks": checks}
    assert shared.size() == before


@pytest.mark.requirement("P15")
def test_metrics_count_and_hold_nothing_that_a_caller_sent(own: Api) -> None:
    own.ask()
    own.ask(content=b"Kari")
    own.ask(path="/v1/models/Kari/predict")
    own.http.get("/Kari")
    text = own.http.get("/metrics").text
    assert 'vigil_rows_total{model="forecasting",disposition="answered"} 1' in text
    assert 'vigil_refusals_total{code="gate.not_json"} 1' in text
    assert 'vigil_refusals_total{code="gate.unknown_model"} 1' in text
    assert "vigil_predict_seconds_count 3" in text
    assert "vigil_ledger_size" in text
    assert "Kari" not in text


def test_no_page_of_the_api_loads_anything_from_elsewhere(shared: Api) -> None:
    assert shared.http.get("/docs").status_code == 404
    assert shared.http.get("/redoc").status_code == 404


def test_an_unknown_address_is_a_problem_that_does_not_repeat_it(shared: Api) -> None:
    response = shared.http.get("/v1/Kari")
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"]) == (404, "http.not_found")
    assert "Kari" not in response.text


def test_a_wrong_method_keeps_the_allow_header(shared: Api) -> None:
    response = shared.http.post("/v1/models", headers=shared.bearer("auditor"))
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert response.json()["code"] == "http.method_not_allowed"


def test_a_body_that_is_too_large_is_refused_on_every_route(shared: Api) -> None:
    for path in ("/v1/outcomes", "/oauth/token", "/nowhere"):
        response = shared.http.post(path, content=b"x" * 20_001)
        assert (response.status_code, response.json()["code"]) == (413, "gate.too_large")


def test_an_application_is_mounted_behind_our_own_routes(home: Path) -> None:
    console = PlainTextResponse("the console")
    with (
        open_deployment(home) as deployment,
        InProcess(create_app(deployment, mount={"/": console})) as http,
    ):
        assert http.get("/").text == "the console"
        assert http.get("/anything").text == "the console"
        assert http.get("/healthz").json() == {"status": "alive"}
        assert http.get("/v1/models").status_code == 401


def test_after_a_restart_the_same_model_answers(home: Path) -> None:
    with running(home) as api:
        event = api.ask().json()["event_id"]
    with running(home) as api:
        assert api.ask().status_code == 200
        path = f"/v1/receipts/{event}"
        assert api.http.get(path, headers=api.bearer("auditor")).status_code == 200
