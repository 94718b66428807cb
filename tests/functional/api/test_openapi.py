"""The OpenAPI document against what the server does."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from governance.gate.reasons import REASONS
from tests.functional.api.support import MODEL, Api

PREDICT_PATH = "/v1/models/{name}/predict"


@pytest.fixture(scope="module")
def document(shared: Api) -> dict[str, Any]:
    found: dict[str, Any] = shared.http.get("/openapi.json").json()
    return found


def test_the_document_names_every_address(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {
        "/oauth/token", "/v1/models", "/v1/models/{name}", "/v1/models/{name}/card",
        PREDICT_PATH, "/v1/outcomes", "/v1/reviews", "/v1/receipts/{event_id}", "/checkpoint",
        "/tile/entries/{place}", "/tile/facts/{place}", "/tile/{level}/{place}",
        "/healthz", "/readyz", "/metrics",
    }  # fmt: skip


def test_the_hot_path_documents_every_status_of_the_catalogue(document: dict[str, Any]) -> None:
    responses = document["paths"][PREDICT_PATH]["post"]["responses"]
    statuses = {reason.status for reason in REASONS.values()} | {200, 500}
    assert {int(status) for status in responses} == statuses
    for reason in REASONS.values():
        assert reason.code in responses[str(reason.status)]["description"]


def test_every_problem_is_documented_as_problem_details(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and (path, status) != ("/readyz", "503"):
                    assert set(response["content"]) == {"application/problem+json"}


def _send(api: Api, case: Any) -> Any:
    """Send a generated request with a credential that may do what the address is for."""
    client = {PREDICT_PATH: "planner", "/v1/outcomes": "dispensary"}.get(case.path, "auditor")
    wanted = case.as_transport_kwargs(base_url="http://vigil.test")
    wanted.pop("timeout", None)
    request = requests.Request(**wanted).prepare()
    headers = {**request.headers, **api.bearer(client)}
    return api.http.request(
        str(request.method), str(request.url), headers=headers, content=request.body
    )


@pytest.mark.slow
@settings(
    max_examples=200,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_no_generated_request_gets_an_answer_that_is_not_documented(
    shared: Api, document: dict[str, Any], data: st.DataObject
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations()]
    mode = data.draw(st.sampled_from(list(GenerationMode)))
    operation = data.draw(st.sampled_from(operations))
    case = data.draw(operation.as_strategy(generation_mode=mode))
    if "name" in case.path_parameters and data.draw(st.booleans()):
        case.path_parameters["name"] = MODEL  # generated names are never a registered one
    response = _send(shared, case)
    assert response.status_code < 500, response.text
    case.validate_response(
        response,
        checks=[status_code_conformance, content_type_conformance, response_schema_conformance],
    )
