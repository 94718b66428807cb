"""The ledger's pages over an invented ledger with real hashes and signatures."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from console_samples.desk import CSRF, PASSWORD, SampleDesk
from starlette.testclient import TestClient

from governance.console.app import console_of
from governance.ledger.core.errors import LedgerTampered


def client_of(desk: SampleDesk, person: str = "ingrid.dahl") -> TestClient:
    client = TestClient(console_of(desk), base_url="http://console.test", follow_redirects=False)
    client.post("/sign-in", data={"person": person, "password": PASSWORD})
    return client


def text_of(answer: httpx.Response) -> str:
    """Return the page's words in one line, without its tags."""
    words = html.unescape(re.sub(r"<[^>]+>", " ", answer.text))
    return re.sub(r"\s+", " ", words)


@pytest.fixture
def alone() -> SampleDesk:
    return SampleDesk()


@pytest.fixture
def witnessed() -> SampleDesk:
    return SampleDesk(witnessed=True)


@pytest.fixture
def reader(witnessed: SampleDesk) -> Iterator[TestClient]:
    with client_of(witnessed) as client:
        yield client


# --- three answers -----------------------------------------------------------------------------


def test_nobody_asked_nothing_counted_nobody_outside(alone: SampleDesk) -> None:
    with client_of(alone) as client:
        page = text_of(client.get("/ledger"))
    assert "Nobody has asked yet" in page
    assert "Not counted yet" in page
    assert "Nobody outside has to have seen it" in page
    assert "rests on this deployment alone" in page


@pytest.mark.requirement("P3")
def test_how_far_each_witness_has_come_is_drawn_and_told(reader: TestClient) -> None:
    answer = reader.get("/ledger")
    page = text_of(answer)
    assert "All but 8 entries" in page
    assert "Degraded: 1 of 3 witnesses does not cosign" in page
    assert "2 of 3 organisations (hospital-it-org, regulator-org, vendor-org) have to" in page
    assert "24 entries (entries 0 to 23) under a checkpoint that a quorum" in page
    assert "3 entries (entries 29 to 31) signed by this log alone, in a note that waits" in page
    assert "Witness 3, regulator, has cosigned up to size 9" in page
    assert re.search(r"3 regulator regulator-org 9 23 [\d-]+ [\d:]+ UTC ◇ Silent since", page)
    assert re.search(r'<text class="tick-label"[^>]*>1, 2</text>', answer.text)
    assert " style=" not in answer.text


def test_a_stop_is_said_before_everything_else(
    witnessed: SampleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = replace(witnessed.ledger_head(), stopped=True)
    monkeypatch.setattr(witnessed, "ledger_head", lambda: head)
    with client_of(witnessed) as client:
        page = client.get("/ledger").text
    assert page.index("Answers are refused") < page.index('id="integrity"')
    assert "Degraded" not in page


def test_what_a_verification_found_ends_the_service_and_is_said(
    witnessed: SampleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = replace(witnessed.ledger_head(), fault="ledger.tampered")
    monkeypatch.setattr(witnessed, "ledger_head", lambda: head)
    with client_of(witnessed) as client:
        page = text_of(client.get("/ledger"))
    assert "the ledger do not verify ledger.tampered" in page


def test_what_a_witness_says_is_text(
    witnessed: SampleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = witnessed.ledger_head()
    planted = replace(head.lags[0], fault="<script>alert(1)</script>")
    monkeypatch.setattr(witnessed, "ledger_head", lambda: replace(head, lags=(planted,)))
    with client_of(witnessed) as client:
        page = client.get("/ledger").text
    assert "<script>alert" not in page


# --- verification ------------------------------------------------------------------------------


def verify(client: TestClient) -> httpx.Response:
    answer = client.post("/ledger/verify", data={"csrf": CSRF})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ledger#integrity")
    return client.get("/ledger")


def test_a_verification_tells_its_result_who_and_when(reader: TestClient) -> None:
    page = text_of(verify(reader))
    assert "The ledger verifies" in page
    assert "The counts agree" in page
    assert "started by Ingrid Dahl (ingrid.dahl)" in page
    assert reader.get("/ledger/verification.json").json()["state"] == "verified"


def test_one_that_runs_shows_how_far_and_is_joined(
    witnessed: SampleDesk, reader: TestClient
) -> None:
    witnessed.slow = True
    answer = verify(reader)
    assert '<noscript><meta http-equiv="refresh"' in answer.text
    page = text_of(answer)
    assert "Governed rows against the facts now 16 of 32" in page
    assert "Verify the whole ledger" not in page
    told = reader.get("/ledger/verification.json").json()
    assert (told["state"], told["percent"]) == ("running", 50)
    assert [one["state"] for one in told["phases"]] == ["done", "done", "done", "now", "waits"]
    with client_of(witnessed, "jonas.berg") as second:
        assert "by Ingrid Dahl (ingrid.dahl)" in text_of(verify(second))


@pytest.mark.requirement("P3")
def test_a_ledger_that_does_not_verify_is_said_loudly(
    witnessed: SampleDesk, reader: TestClient
) -> None:
    witnessed.tampered = LedgerTampered("its facts are not those that were signed", sequence=12)
    answer = verify(reader)
    page = text_of(answer)
    assert 'role="alert"' in answer.text
    assert '<a href="/ledger/entries/12">12</a>' in answer.text
    assert "are not those that were signed" in page
    assert "Stop writing, keep the storage as it is" in page
    assert "ledger.tampered" in page
    assert "The ledger verifies" not in page
    assert "was not" not in reader.get("/ledger/verification.json").text


def test_counts_that_differ_are_an_answer_of_their_own(
    witnessed: SampleDesk, reader: TestClient
) -> None:
    witnessed.differs = ["person.added and rows of person: the ledger has 4, beside it are 5"]
    page = text_of(verify(reader))
    assert "The ledger verifies" in page
    assert "Counts differ" in page
    assert "beside it are 5" in page


def test_progress_is_not_for_strangers(alone: SampleDesk) -> None:
    with TestClient(console_of(alone), follow_redirects=False) as stranger:
        assert stranger.get("/ledger/verification.json").headers["location"] == "/sign-in"


# --- one entry ---------------------------------------------------------------------------------


@pytest.mark.requirement("P14")
@pytest.mark.parametrize("seq", [0, 5, 23, 24, 31])
def test_each_entry_is_proved_now_and_every_hash_can_be_taken(
    reader: TestClient, witnessed: SampleDesk, seq: int
) -> None:
    answer = reader.get(f"/ledger/entries/{seq}")
    proof = witnessed.entry_proof(seq)
    page = text_of(answer)
    assert proof.recomputed
    size = 24 if seq < 24 else 32
    assert f"lead to the signed root of {size} entries" in page
    for hashed in (proof.leaf, proof.checkpoint.root, *(one.sibling.hex() for one in proof.steps)):
        assert f'data-copy="{hashed}"' in answer.text
    assert "it matches" in page or seq == 0


def test_a_stage_is_told_with_what_is_missing(reader: TestClient) -> None:
    assert "Stage S1: seen by a quorum" in text_of(reader.get("/ledger/entries/5"))
    page = text_of(reader.get("/ledger/entries/30"))
    assert "Stage S0: signed by this log alone" in page
    assert "a quorum must cosign a checkpoint of size 31 or more" in page
    assert "Missing: hospital-it, vendor, regulator" in page


def test_a_leaf_that_leads_elsewhere_is_said(reader: TestClient, witnessed: SampleDesk) -> None:
    witnessed.ledger._envelopes[7] = b"another entry"
    page = text_of(reader.get("/ledger/entries/7"))
    assert "It does not lead to the signed root" in page
    assert "Not reached" in page
    assert "Stage S1" not in page


def test_an_entry_that_names_another_before_it_is_said(
    reader: TestClient, witnessed: SampleDesk
) -> None:
    witnessed._entries[7] = replace(witnessed._entries[7], previous="0" * 64)
    assert "names another hash than the one before" in text_of(reader.get("/ledger/entries/7"))


@pytest.mark.parametrize(
    ("wanted", "seq"),
    [
        ("12", 12), (" 12 ", 12), ("01957f3a-0007-7b2c-9d1e-4f6a8c0b2d4e", 7),
        ("1999-01-01", 0), ("2999-01-01 00:00", 31), ("2999-01-01T00:00:00Z", 31),
    ],
)  # fmt: skip
def test_an_entry_is_found_by_number_event_or_instant(
    reader: TestClient, wanted: str, seq: int
) -> None:
    answer = reader.get("/ledger/find", params={"entry": wanted})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/ledger/entries/{seq}")


def test_an_instant_means_the_first_entry_at_it_or_after(
    reader: TestClient, witnessed: SampleDesk
) -> None:
    from governance.reports.wording import machine_instant

    at = machine_instant(witnessed._entries[9].t_us + 1_000_000)
    answer = reader.get("/ledger/find", params={"entry": at})
    assert answer.headers["location"] == "/ledger/entries/10"


@pytest.mark.requirement("P15")
def test_the_body_is_for_those_who_may_read_it(witnessed: SampleDesk, reader: TestClient) -> None:
    whole = "/ledger/entries/6/receipt"
    assert f'href="{whole}"' in reader.get("/ledger/entries/6").text
    assert reader.get(whole).json()["body"] is True
    with client_of(witnessed, "jonas.berg") as owner:
        page = owner.get("/ledger/entries/6").text
        assert f'href="{whole}"' not in page
        assert f'href="{whole}?without-body"' in page
        assert owner.get(whole).status_code == 403
        assert owner.get(f"{whole}?without-body").json()["body"] is False


# --- checkpoints -------------------------------------------------------------------------------


def test_checkpoints_are_listed_with_who_cosigned_them(reader: TestClient) -> None:
    page = text_of(reader.get("/ledger/checkpoints"))
    assert re.search(r"24 \w+…\w+ hospital-it [\d-]+ [\d:]+ UTC vendor", page)
    assert "✓ A quorum" in page
    assert "This log alone" in page
    assert "The newest one, of size 32" in page
    assert "24" not in text_of(reader.get("/ledger/checkpoints?before=24")).split("State")[1][:9]


def test_a_checkpoint_names_each_signature(reader: TestClient) -> None:
    page = text_of(reader.get("/ledger/checkpoints/24"))
    assert "The log's key" in page
    assert page.count("A witness's key") == 2
    assert page.count("✓ Verifies") == 3
    note = reader.get("/ledger/checkpoints/24/note")
    assert note.text.startswith("st-olav/pharmacy-demand/audit/")
    assert "attachment" in note.headers["content-disposition"]


def test_a_cosignature_that_was_changed_is_said(
    reader: TestClient, witnessed: SampleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    note: Any = witnessed.ledger._note
    monkeypatch.setattr(witnessed.ledger, "_note", lambda size: note(9 if size == 24 else size))
    page = text_of(reader.get("/ledger/checkpoints/24"))
    assert "Not as it was signed" in page
    assert "✕ Not as signed" in text_of(reader.get("/ledger/checkpoints"))


@pytest.mark.parametrize("old", [1, 9, 16, 24])
def test_growth_from_an_earlier_size_is_proved_now(
    reader: TestClient, witnessed: SampleDesk, old: int
) -> None:
    answer = reader.get(f"/ledger/checkpoints/24?from={old}")
    assert "Only added to" in text_of(answer)
    assert f'data-copy="{witnessed.ledger.tree.root(old).hex()}"' in answer.text


@pytest.mark.parametrize("old", ["0", "25", "x", "-1", "9" * 30])
def test_a_size_that_is_none_is_refused_beside_the_form(reader: TestClient, old: str) -> None:
    answer = reader.get(f"/ledger/checkpoints/24?from={old}")
    assert answer.status_code in {404, 422}
    assert "Next step:" in answer.text
    assert "Only added to" not in answer.text
