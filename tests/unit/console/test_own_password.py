"""The console's password page, and what a session may open before it (P6, P15)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from console_samples.desk import CSRF, PASSWORD, SampleDesk
from starlette.testclient import TestClient

from governance.console.app import PAGES, console_of

NEW = "four unrelated words here"


@pytest.fixture
def desk() -> SampleDesk:
    return SampleDesk()


@pytest.fixture
def client(desk: SampleDesk) -> Iterator[TestClient]:
    with TestClient(
        console_of(desk), base_url="http://console.test", follow_redirects=False
    ) as opened:
        yield opened


def enter(client: TestClient, person: str) -> None:
    client.post("/sign-in", data={"person": person, "password": PASSWORD})


def form(**changed: str) -> dict[str, str]:
    return {"csrf": CSRF, "old": PASSWORD, "new": NEW, "again": NEW, **changed}


def filled(path: str) -> str:
    for name in ("model", "document", "evidence", "review", "run", "finding", "digest", "name"):
        path = path.replace(f"{{{name}}}", "x")
    return path.replace("{seq:int}", "5").replace("{size:int}", "24")


@pytest.mark.parametrize(("path", "method"), [(path, method) for path, method, _ in PAGES])
def test_a_first_password_leads_every_page_to_its_change(
    client: TestClient, path: str, method: str
) -> None:
    enter(client, "nora.ny")
    answer = client.request(method, filled(path), data={"csrf": CSRF} if method == "POST" else None)
    assert (answer.status_code, answer.headers["location"]) == (303, "/password")


@pytest.mark.parametrize(("path", "method"), [(path, method) for path, method, _ in PAGES])
def test_nobody_without_a_role_opens_a_page(client: TestClient, path: str, method: str) -> None:
    enter(client, "otto.uten")
    answer = client.request(method, filled(path), data={"csrf": CSRF} if method == "POST" else None)
    assert answer.status_code == 403
    assert "identity.forbidden" in answer.text


@pytest.mark.parametrize("person", ["nora.ny", "otto.uten", "ingrid.dahl"])
def test_everybody_signed_in_changes_their_own_password(
    client: TestClient, desk: SampleDesk, person: str
) -> None:
    enter(client, person)
    assert "New password again" in client.get("/password").text
    answer = client.post("/password", data=form())
    assert desk.posted == [(person, "person.change_password", {"old": PASSWORD, "new": NEW})]
    assert answer.status_code == (303 if person == "nora.ny" else 200)


def test_a_new_password_that_is_not_typed_twice_alike_is_not_sent(
    client: TestClient, desk: SampleDesk
) -> None:
    enter(client, "ingrid.dahl")
    answer = client.post("/password", data=form(again=f"{NEW}!"))
    assert answer.status_code == 422
    assert desk.posted == []
    assert NEW not in answer.text


def test_a_wrong_present_password_is_told_beside_the_form(
    client: TestClient, desk: SampleDesk
) -> None:
    enter(client, "ingrid.dahl")
    answer = client.post("/password", data=form(old="not-the-password"))
    assert answer.status_code == 403
    assert "identity.password_refused" in answer.text
    assert "not-the-password" not in answer.text
    assert desk.posted == []


def test_a_password_is_not_changed_by_a_form_of_another_page(
    client: TestClient, desk: SampleDesk
) -> None:
    enter(client, "ingrid.dahl")
    assert client.post("/password", data=form(csrf="")).status_code == 403
    assert desk.posted == []


def test_a_stranger_has_no_password_page(client: TestClient) -> None:
    assert client.get("/password").headers["location"] == "/sign-in"


def test_an_owner_downloads_no_receipt_and_a_reviewer_does(client: TestClient) -> None:
    enter(client, "jonas.berg")
    assert client.get("/ledger/entries/5/receipt").status_code == 403
    enter(client, "ingrid.dahl")
    assert client.get("/ledger/entries/5/receipt").status_code == 200
