"""The page of an audit of rows, and signing on it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from governance.console.app import console_of
from governance.console.deployment_desk import DeploymentDesk
from governance.operations.inspect.verification import Verifications
from tests.support.rows_audit import prepare
from tests.support.small_deployment import Small, password_of, small


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with small(tmp_path_factory.mktemp("page")) as opened:
        opened.perform("mo", "audit.run_table", **prepare(opened))
        yield opened


def enter(home: Small, person: str) -> TestClient:
    desk = DeploymentDesk(running=home.deployment, verifications=Verifications(home.deployment))
    client = TestClient(console_of(desk), follow_redirects=False)
    form = {"person": person, "password": password_of(person)}
    assert client.post("/sign-in", data=form).status_code == 303
    return client


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def test_the_page_says_what_was_asked_found_and_is_missing(home: Small) -> None:
    client = enter(home, "aud")
    page = client.get("/evidence/E-2")
    assert page.status_code == 200
    for words in (
        "Discrimination audit of forecasting",
        "Does the score separate patients",
        "SIMULATED DATA",
        "What is missing",
        "the rows are opened",
        "The rows are invented",
    ):
        assert words in page.text
    assert 'action="/evidence/E-2/signature"' not in page.text
    pictures = re.findall(r'src="(/console/charts/[^"]+)"', page.text)
    assert len(pictures) >= 3
    assert client.get(pictures[0]).text.startswith("<svg")


def test_a_reader_signs_on_the_page_and_gets_the_document_that_was_sealed(home: Small) -> None:
    client = enter(home, "rea")
    form = fields(client.get("/evidence/E-2").text)
    wrong = client.post("/evidence/E-2/signature", data={**form, "password": "not mine"})
    assert wrong.status_code == 403
    assert "Next step" in wrong.text
    assert (
        client.post("/evidence/E-2/signature", data={"password": password_of("rea")}).status_code
        == 403
    ), "without the token of the form"
    done = client.post("/evidence/E-2/signature", data={**form, "password": password_of("rea")})
    assert done.status_code == 303
    page = client.get("/evidence/E-2").text
    assert "Rea Small" in page
    address = re.findall(r'href="(/evidence/E-2/sealed/[^"]+)"', page)[0]
    assert client.get(address).content.startswith(b"%PDF")
    assert client.get(address.replace("E-2", "E-1")).status_code == 404


def test_whoever_ran_it_is_offered_no_form_and_refused(home: Small) -> None:
    client = enter(home, "mo")
    page = client.get("/evidence/E-2").text
    assert 'action="/evidence/E-2/signature"' not in page
    token = fields(client.get("/").text)
    refused = client.post("/evidence/E-2/signature", data={**token, "password": password_of("mo")})
    assert refused.status_code == 403
