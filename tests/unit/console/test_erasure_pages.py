"""The console's pages of erasures over a small deployment: what is shown, and what forms do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from governance.console.deployment_desk import create_console
from tests.support.about_people import OTHER, REASON, SUBJECT, People, people
from tests.support.small_deployment import MODEL, password_of

pytestmark = pytest.mark.requirement("P13")
Enter = Callable[[str], TestClient]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[People]:
    with people(tmp_path, days=0) as deployment:
        for subject in (SUBJECT, OTHER, SUBJECT):
            deployment.ask(subject)
        yield deployment


@pytest.fixture
def enter(opened: People) -> Iterator[Enter]:
    console = create_console(opened.small.deployment)
    with ExitStack() as stack:

        def sign_in(person: str) -> TestClient:
            client = TestClient(console, base_url="http://console.test", follow_redirects=False)
            stack.enter_context(client)
            form = {"person": person, "password": password_of(person)}
            assert client.post("/sign-in", data=form).status_code == 303
            return client

        yield sign_in


def send(client: TestClient, page: str, address: str, **form: str) -> int:
    """Post a form of the page with its token."""
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(page).text)
    assert found is not None
    return client.post(address, data={"csrf": found[1], **form}).status_code


def ask(client: TestClient, subject: str = SUBJECT) -> int:
    form = {"subject": subject, "basis": "objection", "reason": REASON}
    return send(client, "/erasures", "/erasures", **form)


def test_two_people_erase_through_the_forms(opened: People, enter: Enter) -> None:
    cas, reg = enter("cas"), enter("reg")
    assert ask(cas) == 303
    page = cas.get("/erasures").text
    assert "E-1" in page
    assert SUBJECT not in page
    mine = cas.get("/erasures/E-1").text
    assert "Sign and erase" not in mine
    assert "nobody decides on their own work" in mine
    shown = reg.get("/erasures/E-1").text
    assert REASON in shown
    assert "3\N{NO-BREAK SPACE}bodies" in shown
    wrong = {"decision": "confirm", "password": "something else"}
    assert send(reg, "/erasures/E-1", "/erasures/E-1/decision", **wrong) == 403
    right = {"decision": "confirm", "password": password_of("reg")}
    assert send(reg, "/erasures/E-1", "/erasures/E-1/decision", **right) == 303
    shown = reg.get("/erasures/E-1").text
    assert "erased with the person" in shown
    assert REASON not in shown
    opened.verify()
    entry = opened.small.perform("reg", "erasure.show", erasure="E-1")["erased_seq"]
    assert f"/ledger/entries/{entry}/receipt" in shown
    assert reg.get(f"/ledger/entries/{entry}/receipt").status_code == 200


def test_a_legal_hold_is_shown_and_lifted_by_two(opened: People, enter: Enter) -> None:
    opened.request()
    opened.small.perform(
        "sam", "legal_hold.place", model=MODEL, cause="litigation", reason="Case 7"
    )
    cas, rea, reg = enter("cas"), enter("rea"), enter("reg")
    assert "Sign and erase" not in reg.get("/erasures/E-1").text
    assert "a legal hold keeps what would be erased: LH-1" in reg.get("/erasures/E-1").text
    page = "/legal-holds/LH-1"
    form = {"reason": "Case 7 is closed"}
    assert send(cas, page, f"{page}/lift", **form, password=password_of("cas")) == 409
    assert send(rea, page, f"{page}/lift", **form, password=password_of("rea")) == 303
    assert "Second signature" in reg.get(page).text
    assert send(reg, page, f"{page}/lift", **form, password=password_of("reg")) == 303
    assert "It is lifted" in reg.get(page).text
    assert "Sign and erase" in reg.get("/erasures/E-1").text


def test_a_refusal_needs_a_reason_and_leaves_everything(opened: People, enter: Enter) -> None:
    opened.request()
    reg = enter("reg")
    address = "/erasures/E-1/decision"
    assert send(reg, "/erasures/E-1", address, decision="refuse", reason="") == 422
    assert send(reg, "/erasures/E-1", address, decision="refuse", reason="Not this one") == 303
    assert "Refused" in reg.get("/erasures").text
    assert opened.key_of() is not None


def test_who_may_not_ask_gets_no_form_and_no_reason(opened: People, enter: Enter) -> None:
    opened.request()
    owner = enter("mo")
    page = owner.get("/erasures").text
    assert 'name="subject"' not in page
    assert REASON not in owner.get("/erasures/E-1").text
    assert owner.get("/erasures/E-9").status_code == 404
    assert owner.get("/legal-holds/LH-9").status_code == 404


def test_an_unknown_subject_is_not_repeated(enter: Enter) -> None:
    cas = enter("cas")
    found = re.search(r'name="csrf" value="([^"]+)"', cas.get("/erasures").text)
    assert found is not None
    form = {"csrf": found[1], "subject": "MRN-9999", "basis": "objection", "reason": REASON}
    answer = cas.post("/erasures", data=form)
    assert answer.status_code == 404
    assert "erasure.unknown_subject" in answer.text
    assert "MRN-9999" not in answer.text
