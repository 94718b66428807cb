from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from console_samples import records, report
from console_samples.desk import CSRF, PASSWORD, SampleDesk
from starlette.testclient import TestClient

from governance.console.app import PAGES, PUBLIC_PAGES, STATIC_FILES, console_of
from governance.errors import Conflict

ADDRESSES = (
    "/", "/models", "/models/forecasting", "/documents/plan:forecasting:1", "/evidence/E-1",
    "/evidence/E-2", "/reviews/R-1", "/reviews/R-6", "/reviews/R-7", "/reviews/R-8",
    "/monitors/M-3", "/findings/F-1", "/ledger", "/ledger?before=10", "/ledger/entries/0",
    "/ledger/entries/5", "/ledger/entries/30", "/ledger/checkpoints", "/ledger/checkpoints/24",
    "/ledger/checkpoints/32", "/ledger/keys", "/people", "/trail",
    "/trail?kind=release.*&answers=yes", "/trail/reviews", "/trail/reviews/T-1",
)  # fmt: skip


@pytest.fixture
def desk() -> SampleDesk:
    return SampleDesk()


def client_of(desk: SampleDesk, *, https: bool = False) -> TestClient:
    scheme = "https" if https else "http"
    return TestClient(console_of(desk), base_url=f"{scheme}://console.test", follow_redirects=False)


@pytest.fixture
def stranger(desk: SampleDesk) -> Iterator[TestClient]:
    with client_of(desk) as client:
        yield client


@pytest.fixture
def reviewer(stranger: TestClient) -> TestClient:
    sign_in(stranger, "ingrid.dahl")
    return stranger


def sign_in(client: TestClient, person: str, password: str = PASSWORD) -> httpx.Response:
    return client.post("/sign-in", data={"person": person, "password": password})


def decision(**changed: str) -> dict[str, str]:
    digest = re.sub("[^0-9a-f]", "", report.DIGEST)
    form = {
        "csrf": CSRF,
        "decision": "reject",
        "reason": "too little data",
        "password": PASSWORD,
        "record_digest": digest,
    }
    return {**form, **changed}


# --- who may see -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path, method, _ in PAGES if method == "GET"])
def test_nobody_sees_a_page_without_signing_in(stranger: TestClient, path: str) -> None:
    address = re.sub(r"\{(seq|size):int\}", "1", path)
    address = re.sub(r"\{\w+\}", "x", address)
    answer = stranger.get(address)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize("path", [path for path, method, _ in PAGES if method == "POST"])
def test_nobody_posts_without_signing_in(stranger: TestClient, desk: SampleDesk, path: str) -> None:
    answer = stranger.post(path.replace("{review}", "R-7"), data=decision())
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert desk.posted == []


def test_a_wrong_password_opens_no_session_and_is_not_repeated(stranger: TestClient) -> None:
    answer = sign_in(stranger, "ingrid.dahl", "wrong-and-secret")
    assert answer.status_code == 401
    assert "identity.bad_credentials" in answer.text
    assert "wrong-and-secret" not in answer.text
    assert "set-cookie" not in answer.headers


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(stranger: TestClient) -> None:
    cookie = sign_in(stranger, "ingrid.dahl").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie


def test_over_tls_the_cookie_is_secure(desk: SampleDesk) -> None:
    with client_of(desk, https=True) as client:
        assert "secure" in sign_in(client, "ingrid.dahl").headers["set-cookie"].lower()


def test_the_cookie_holds_the_token_and_nothing_else(stranger: TestClient) -> None:
    value = sign_in(stranger, "ingrid.dahl").headers["set-cookie"].split(";")[0]
    assert re.fullmatch(r"vigil_session=[0-9a-f]{64}", value)


def test_signing_out_ends_the_session_on_the_server(reviewer: TestClient) -> None:
    kept = dict(reviewer.cookies)
    assert reviewer.post("/sign-out", data={"csrf": CSRF}).status_code == 303
    reviewer.cookies.update(kept)
    assert reviewer.get("/").headers["location"] == "/sign-in"


# --- every page --------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_is_whole_and_strict(reviewer: TestClient, address: str) -> None:
    answer = reviewer.get(address)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", answer.text)
    assert not re.search(r"<script(?! src=)", answer.text)
    assert answer.text.count("<h1") == 1
    assert len(re.findall("<table", answer.text)) == len(re.findall("<caption", answer.text))


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_empty_deployment_breaks_no_page(address: str) -> None:
    with client_of(SampleDesk(empty=True)) as client:
        sign_in(client, "ingrid.dahl")
        assert client.get(address).status_code in {200, 404}


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/models/none", 404, "record.not_found"),
        ("/evidence/E-99", 404, "record.not_found"),
        ("/reviews/R-99", 404, "record.not_found"),
        ("/ledger/entries/999", 404, "record.not_found"),
        ("/ledger/entries/999/receipt", 404, "record.not_found"),
        ("/ledger/checkpoints/31", 404, "record.not_found"),
        ("/ledger/find?entry=999", 404, "record.not_found"),
        ("/ledger/find?entry=yesterday", 422, "input.invalid"),
        ("/ledger/find", 422, "input.invalid"),
        ("/console/charts/00/criteria.svg", 404, "record.not_found"),
        ("/nowhere", 404, "console.no_page"),
        ("/console/static/app.py", 404, "console.no_page"),
    ],
)
def test_what_is_not_there_says_code_and_next_step(
    reviewer: TestClient, address: str, status: int, code: str
) -> None:
    answer = reviewer.get(address)
    assert answer.status_code == status
    assert code in answer.text
    assert "Next step: " in answer.text


@pytest.mark.parametrize("before", ["-1", "x", "99999999999999999999", "1e3", ""])
def test_a_strange_position_shows_the_newest_entries(reviewer: TestClient, before: str) -> None:
    assert "/ledger/entries/31" in reviewer.get(f"/ledger?before={before}").text


def test_a_defect_is_shown_without_its_inside(desk: SampleDesk, monkeypatch: Any) -> None:
    def fail() -> Any:
        raise RuntimeError("inside of the program")

    monkeypatch.setattr(desk, "ledger_head", fail)
    client = TestClient(console_of(desk), raise_server_exceptions=False, follow_redirects=False)
    with client:
        sign_in(client, "ingrid.dahl")
        answer = client.get("/ledger")
    assert answer.status_code == 500
    assert "console.defect" in answer.text
    assert "inside of the program" not in answer.text


@pytest.mark.parametrize("name", STATIC_FILES)
def test_static_files_are_the_listed_ones_and_strict(stranger: TestClient, name: str) -> None:
    answer = stranger.get(f"/console/static/{name}")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]


# --- what a reviewer reads ---------------------------------------------------------------------


def test_home_shows_what_waits_what_is_late_and_what_is_suspended(reviewer: TestClient) -> None:
    page = reviewer.get("/").text
    mine, rest = page.split('id="overdue"')
    assert "R-7" in mine
    assert "R-8" in mine
    assert "R-6" not in mine
    assert "Silence is not an all-clear" in rest
    assert "H-1" in rest
    assert "opened the review, and does not decide it too" in rest


def test_a_model_under_hold_refuses_and_says_why(reviewer: TestClient) -> None:
    page = reviewer.get("/models/forecasting").text
    assert "Refuses" in page
    assert "gate.suspended" in page
    assert "Must not be used for" in page
    assert "Any decision on a single patient" in page


def test_the_report_shows_interval_in_the_cell_and_the_order_proof(reviewer: TestClient) -> None:
    page = reviewer.get("/evidence/E-2").text.replace("\u00a0", " ")
    assert "0.958  (0.922 to 0.995)" in page
    assert 'Position <a href="/ledger/entries/7">7</a>' in page
    assert 'Position <a href="/ledger/entries/29">29</a>' in page
    assert "does not claim compliance" in page


def test_charts_are_given_by_digest_and_are_svg(reviewer: TestClient) -> None:
    page = reviewer.get("/evidence/E-2").text
    addresses = re.findall(r'src="(/console/charts/[^"]+)"', page)
    assert len(addresses) == 4
    for address in addresses:
        answer = reviewer.get(address)
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.text.startswith("<svg")


def test_the_record_is_given_as_the_bytes_that_the_digest_names(reviewer: TestClient) -> None:
    import hashlib

    content = reviewer.get("/evidence/E-2/record.json").content
    assert hashlib.sha256(content).hexdigest() in reviewer.get("/evidence/E-2").text


def test_the_document_is_a_pdf_and_the_same_twice(reviewer: TestClient) -> None:
    first = reviewer.get("/evidence/E-2/report.pdf")
    assert first.headers["content-type"] == "application/pdf"
    assert first.content.startswith(b"%PDF-")
    assert first.content == reviewer.get("/evidence/E-2/report.pdf").content


def test_an_entry_shows_old_and_new(reviewer: TestClient) -> None:
    page = reviewer.get("/ledger/entries/31").text
    assert re.search(r'class="old">registered</td><td class="new">in_force<', page)


def test_what_people_wrote_is_text(desk: SampleDesk) -> None:

    from dataclasses import replace

    from governance.registry.records import ChangeRequest

    planted = "<script>alert(1)</script>"
    desk._reader._stored = [
        replace(one, modification=planted) if isinstance(one, ChangeRequest) else one
        for one in desk._reader._stored
    ]
    with client_of(desk) as client:
        sign_in(client, "ingrid.dahl")
        page = client.get("/models/forecasting").text
    assert planted not in page
    assert "&lt;script&gt;" in page


# --- decisions ---------------------------------------------------------------------------------


def buttons(page: str) -> list[str]:
    return re.findall(r'name="decision" value="(\w+)"', page)


def test_buttons_are_the_commands_that_the_table_allows(reviewer: TestClient) -> None:
    page = reviewer.get("/reviews/R-7").text
    assert buttons(page) == ["approve", "reject", "return"]
    assert "Signed as “approved”" in page


def test_who_may_not_decide_sees_the_reason_and_no_form(reviewer: TestClient) -> None:
    page = reviewer.get("/reviews/R-6").text
    assert buttons(page) == []
    assert 'name="password"' not in page
    assert "You cannot decide this review" in page
    assert "opened the review, and does not decide it too" in page


def test_the_author_sees_no_button(desk: SampleDesk) -> None:
    with client_of(desk) as client:
        sign_in(client, records.AUTHOR)
        page = client.get("/reviews/R-7").text
    assert buttons(page) == []
    assert "holds none of the roles" in page


def test_a_decided_review_offers_nothing_and_shows_its_signature(reviewer: TestClient) -> None:
    page = reviewer.get("/reviews/R-1").text
    assert buttons(page) == []
    assert "Ingrid Dahl" in page
    assert "nothing more can be decided here" in page


def test_a_decision_is_performed_over_the_digest_on_the_page(
    reviewer: TestClient, desk: SampleDesk
) -> None:
    page = reviewer.get("/reviews/R-7").text
    digest = re.findall(r'name="record_digest" value="([0-9a-f]{64})"', page)[0]
    answer = reviewer.post("/reviews/R-7/decision", data=decision(record_digest=digest))
    assert (answer.status_code, answer.headers["location"]) == (303, "/reviews/R-7")
    ((person, operation, params),) = desk.posted
    assert (person, operation) == ("ingrid.dahl", "review.decide")
    assert params["record_digest"] == digest
    assert params["decision"] == "reject"


def test_a_wrong_password_at_signing_decides_nothing_and_keeps_the_reason(
    reviewer: TestClient, desk: SampleDesk
) -> None:
    answer = reviewer.post("/reviews/R-7/decision", data=decision(password="wrong-and-secret"))
    assert answer.status_code == 403
    assert desk.posted == []
    assert "too little data</textarea>" in answer.text
    assert "wrong-and-secret" not in answer.text


def test_a_refused_decision_is_shown_beside_the_form(
    reviewer: TestClient, desk: SampleDesk
) -> None:
    desk.refuse_with = Conflict("R-7 is about other bytes", next_step="open the review again")
    answer = reviewer.post("/reviews/R-7/decision", data=decision())
    assert answer.status_code == 409
    assert "R-7 is about other bytes" in answer.text
    assert "record.conflict" in answer.text


# --- whose form it is --------------------------------------------------------------------------

POSTS = [path for path, method, _ in (*PAGES, *PUBLIC_PAGES) if method == "POST"]


@pytest.mark.parametrize("token", ["", "x", CSRF.upper(), CSRF + "x", "ü"])
def test_a_form_without_the_sessions_token_does_nothing(
    reviewer: TestClient, desk: SampleDesk, token: str
) -> None:
    answer = reviewer.post("/reviews/R-7/decision", data=decision(csrf=token))
    assert answer.status_code == 403
    assert "console.foreign_form" in answer.text
    assert desk.posted == []


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.test"},
        {"origin": "null"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_a_form_of_another_site_does_nothing(
    reviewer: TestClient, desk: SampleDesk, path: str, headers: dict[str, str]
) -> None:
    answer = reviewer.post(
        path.replace("{review}", "R-7"), data=decision(person="ingrid.dahl"), headers=headers
    )
    assert answer.status_code == 403
    assert "console.foreign_form" in answer.text
    assert desk.posted == []


def test_our_own_origin_is_taken(reviewer: TestClient, desk: SampleDesk) -> None:
    headers = {"origin": "http://console.test", "sec-fetch-site": "same-origin"}
    assert reviewer.post("/reviews/R-7/decision", data=decision(), headers=headers).is_redirect
    assert len(desk.posted) == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"csrf": "x"}', "application/json"),
        (b"csrf=x", "text/plain"),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
        (b"&".join(b"f%d=1" % at for at in range(40)), "application/x-www-form-urlencoded"),
        (b"csrf=\xff\xfe", "application/x-www-form-urlencoded"),
        (b"csrf=%ff", "application/x-www-form-urlencoded"),
        (b"nonsense", "application/x-www-form-urlencoded"),
    ],
    ids=["json", "plain", "too large", "too many", "not ascii", "not utf-8", "no fields"],
)
def test_what_is_no_form_is_refused_before_anything_else(
    reviewer: TestClient, desk: SampleDesk, body: bytes, content_type: str
) -> None:
    answer = reviewer.post(
        "/reviews/R-7/decision", content=body, headers={"content-type": content_type}
    )
    assert answer.status_code == 422
    assert "console.form_refused" in answer.text
    assert desk.posted == []


def test_a_page_does_not_take_a_post_that_it_has_no_form_for(reviewer: TestClient) -> None:
    answer = reviewer.post("/models", data={"csrf": CSRF})
    assert answer.status_code == 405
    assert "console.wrong_method" in answer.text
