"""The trail's pages: what was typed is asked, what was refused is told, files come as files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from console_samples.desk import CSRF, PASSWORD, SampleDesk
from starlette.testclient import TestClient

from governance.console.app import console_of
from governance.errors import Conflict, InvalidInput
from governance.operations.trail.review_trail import OPEN_TRAIL_REVIEW


@pytest.fixture
def desk() -> SampleDesk:
    return SampleDesk()


@pytest.fixture
def reviewer(desk: SampleDesk) -> Iterator[TestClient]:
    with TestClient(
        console_of(desk), base_url="http://console.test", follow_redirects=False
    ) as client:
        client.post("/sign-in", data={"person": "ingrid.dahl", "password": PASSWORD})
        yield client


def test_old_and_new_values_stand_beside_each_other_and_are_escaped(reviewer: TestClient) -> None:
    page = reviewer.get("/trail").text
    assert "<del>active</del>" in page
    assert "<ins>rolled_back</ins>" in page
    assert "&lt;b&gt;approved" in page
    assert "812" in page
    assert 'href="/ledger/entries/30"' in page
    assert "order=oldest" not in page
    assert 'href="/trail?after=5"' in page


def test_what_was_asked_goes_on_to_the_next_page_and_into_the_export(reviewer: TestClient) -> None:
    page = reviewer.get(
        "/trail", params={"kind": "release.*", "actor": '"><script>', "order": "oldest"}
    ).text
    assert "kind=release.%2A" in page
    assert 'name="kind" value="release.*"' in page
    assert "<script>" not in page.replace('<script src="/console/static/console.js" defer>', "")


def test_a_filter_that_cannot_be_understood_is_told_beside_the_form(
    reviewer: TestClient, desk: SampleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InvalidInput("a time is a day", next_step="write a day")

    monkeypatch.setattr(desk, "perform", refuse)
    answer = reviewer.get("/trail", params={"since": "yesterday"})
    assert answer.status_code == 422
    assert "write a day" in answer.text
    assert 'value="yesterday"' in answer.text


def test_an_export_is_a_file_to_be_kept(reviewer: TestClient, desk: SampleDesk) -> None:
    answer = reviewer.post("/trail/export", data={"csrf": CSRF, "form": "csv", "actor": "mo"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="trail-33-ab')
    assert answer.content == b"seq\r\n"
    assert desk.posted[-1][2] == {"actor": "mo", "answers": False, "form": "csv"}


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/trail/export", {"form": "csv"}),
        ("/trail/reviews", {"through": "9"}),
        ("/trail/reviews/T-1/signature", {"decision": "accepted"}),
        ("/trail/reviews/T-1/withdrawal", {"reason": "x"}),
    ],
)
def test_nothing_is_done_without_the_forms_token(
    reviewer: TestClient, desk: SampleDesk, address: str, form: dict[str, str]
) -> None:
    assert reviewer.post(address, data=form).status_code == 403
    assert desk.posted == []


@pytest.mark.parametrize("through", ["5O", "\u0665", "1e2", "-1", "all"])
def test_what_is_no_entry_never_opens_a_review_of_everything(
    reviewer: TestClient, desk: SampleDesk, through: str
) -> None:
    reviewer.post("/trail/reviews", data={"csrf": CSRF, "through": through})
    params = desk.posted[-1][2]
    with pytest.raises(InvalidInput):
        OPEN_TRAIL_REVIEW.checked(params)


def test_a_review_continues_its_exceptions(reviewer: TestClient) -> None:
    page = reviewer.get("/trail/reviews/T-1").text
    assert "an answer was refused" in page.lower()
    assert 'href="/ledger/entries/29"' in page


def test_a_signature_is_over_the_digest_that_was_shown(
    reviewer: TestClient, desk: SampleDesk
) -> None:
    assert f'name="record_digest" value="{"ab" * 32}"' in reviewer.get("/trail/reviews/T-1").text
    form = {
        "csrf": CSRF, "decision": "accepted", "reason": "seen", "password": PASSWORD,
        "record_digest": "ab" * 32,
    }  # fmt: skip
    answer = reviewer.post("/trail/reviews/T-1/signature", data=form)
    assert answer.headers["location"] == "/trail/reviews/T-1"
    person, operation, params = desk.posted[-1]
    assert (person, operation) == ("ingrid.dahl", "trail_review.sign")
    assert params["record_digest"] == "ab" * 32


def test_a_refused_signature_is_told_beside_the_form_with_the_reason_kept(
    reviewer: TestClient, desk: SampleDesk
) -> None:
    desk.refuse_with = Conflict("it is of another range", next_step="read it again")
    form = {"csrf": CSRF, "decision": "accepted", "reason": "my words", "record_digest": "0" * 64}
    answer = reviewer.post("/trail/reviews/T-1/signature", data=form)
    assert answer.status_code == 409
    assert "read it again" in answer.text
    assert "my words" in answer.text


def test_a_trail_that_is_late_stands_on_the_first_page(reviewer: TestClient) -> None:
    page = reviewer.get("/").text
    assert "review of the trail</a> is overdue by" in page
    assert "finding F-9" in page
    assert '<a href="/trail/reviews/T-1">T-1</a> Review of the trail' in page


def test_the_first_page_stands_where_the_trail_cannot_be_read(
    reviewer: TestClient, desk: SampleDesk
) -> None:
    from console_samples import trail

    original = desk.perform

    def refuse(actor: object, operation: str, params: object) -> object:
        if operation in trail.RESULTS:
            raise Conflict("an entry is missing", next_step="verify")
        return original(actor, operation, params)  # type: ignore[arg-type]

    desk.perform = refuse  # type: ignore[assignment,method-assign]
    page = reviewer.get("/")
    assert page.status_code == 200
    assert "The trail cannot be read" in page.text
