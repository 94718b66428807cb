"""The console of the finished demonstration, served as an operator serves it, through its forms."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.support.demonstration import Demonstration, address_of, start_server

pytestmark = pytest.mark.slow

REVIEW = "/reviews/R-5"


Enter = Callable[[str], httpx.Client]


@pytest.fixture
def enter(demonstration: Demonstration) -> Iterator[Enter]:
    """Serve the home and sign people in; every connection is closed before the server ends."""
    with start_server(demonstration.home) as process, ExitStack() as open_clients:
        open_clients.callback(process.terminate)
        address = address_of(process)

        def sign_in(person: str) -> httpx.Client:
            client = open_clients.enter_context(httpx.Client(base_url=address, timeout=60))
            form = {"person": person, "password": demonstration.passwords[person]}
            assert client.post("/sign-in", data=form).status_code == 303
            return client

        yield sign_in


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def decide(client: httpx.Client, decision: str, password: str) -> httpx.Response:
    page = client.get(REVIEW).text
    digest = re.findall(r'<code class="digest" data-copy>([0-9a-f]{64})', page)[0]
    form = {
        "record_digest": digest,
        "decision": decision,
        "reason": "The fall is understood.",
        "password": password,
    }
    return client.post(f"{REVIEW}/decision", data={**fields(page), **form})


@pytest.mark.requirement("P6")
def test_two_people_reinstate_and_one_alone_does_not(
    demonstration: Demonstration, enter: Enter
) -> None:
    rea, sam = (enter(person) for person in ("rea", "sam"))
    assert "Refuses" in rea.get("/models/forecasting").text

    assert decide(rea, "reinstate", demonstration.passwords["rea"]).status_code == 303
    assert "Refuses" in rea.get("/models/forecasting").text
    page = rea.get(REVIEW).text
    assert 'value="reinstate"' not in page
    again = decide(rea, "reinstate", demonstration.passwords["rea"])
    assert again.status_code == 409

    assert decide(sam, "reinstate", demonstration.passwords["sam"]).status_code == 303
    assert "May answer" in rea.get("/models/forecasting").text
    decided = rea.get(REVIEW).text
    assert len(set(re.findall(r"\((rea|sam)\)", decided))) == 2


@pytest.mark.requirement("P6")
def test_the_owner_who_trained_it_may_not_reinstate(
    demonstration: Demonstration, enter: Enter
) -> None:
    owner = enter("mo")
    assert 'value="reinstate"' not in owner.get(REVIEW).text
    refused = decide(owner, "reinstate", demonstration.passwords["mo"])
    assert refused.status_code in {403, 409}
    assert "Refuses" in owner.get("/models/forecasting").text


@pytest.mark.requirement("P7")
@pytest.mark.parametrize("changed", ["password", "record_digest", "csrf"])
def test_a_signature_needs_the_password_the_bytes_and_the_form(
    demonstration: Demonstration, enter: Enter, changed: str
) -> None:
    rea = enter("rea")
    form = {
        **fields(rea.get(REVIEW).text),
        "decision": "keep_suspended",
        "reason": "Wait for January.",
        "password": demonstration.passwords["rea"],
    }
    form[changed] = "0" * 64
    assert rea.post(f"{REVIEW}/decision", data=form).status_code in {403, 409}
    assert "Nobody has signed this record yet" in rea.get(REVIEW).text


@pytest.mark.requirement("P8")
def test_the_reports_numbers_are_those_of_the_record(enter: Enter) -> None:
    rea = enter("rea")
    page = rea.get("/evidence/E-1").text
    record = rea.get("/evidence/E-1/record.json")
    assert hashlib.sha256(record.content).hexdigest() in page
    for judgement in json.loads(record.content)["report"]["judgements"]:
        assert judgement["reason"] in page
    first = rea.get("/evidence/E-1/report.pdf").content
    assert first == rea.get("/evidence/E-1/report.pdf").content


@pytest.mark.requirement("P3")
def test_a_reviewer_verifies_the_ledger_and_takes_a_receipt(enter: Enter) -> None:
    rea = enter("rea")
    page = rea.get("/ledger").text
    assert "No witness is configured" in page
    assert rea.post("/ledger/verify", data=fields(page)).status_code == 303
    while (told := rea.get("/ledger/verification.json").json())["state"] == "running":
        assert told["percent"] < 100
    page = rea.get("/ledger").text
    assert "The ledger verifies" in page
    assert "The counts agree" in page
    lines = re.findall(r'/ledger/entries/(\d+)">\d+</a>.*?<code>([\w.]+)</code>', page, re.DOTALL)
    answered = next(seq for seq, kind in lines if kind == "inference.answered")
    assert "lead to the signed root" in rea.get(f"/ledger/entries/{answered}").text
    assert rea.get(f"/ledger/entries/{answered}/receipt").content


def test_a_session_that_was_ended_opens_nothing(enter: Enter) -> None:
    rea = enter("rea")
    token = rea.cookies["vigil_session"]
    assert rea.post("/sign-out", data=fields(rea.get("/").text)).status_code == 303
    rea.cookies.set("vigil_session", token)
    assert rea.get("/").headers["location"] == "/sign-in"
