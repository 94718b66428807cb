"""A server owns the home; people act through its socket and its console, systems through the gate.

One story of a suspended model: the request is refused on the record, one signature from the command
line changes nothing for the caller, the second from the console reinstates.
"""

from __future__ import annotations

import json
import re
import signal

import httpx

from tests.support.demonstration import (
    Demonstration,
    address_of,
    ask,
    result,
    run_vigil,
    start_server,
    token,
)

HTTP_REFUSED = 409


def _secret(demonstration: Demonstration) -> str:
    """Give the demonstration's client a new secret: the first one was shown to nobody here."""
    demonstration.login("ada")
    rotated = result(demonstration.vigil("client", "rotate", "pharmacy-orders", "--json"))
    return str(rotated["secret"])


def test_a_second_server_on_the_same_home_is_refused(demonstration: Demonstration) -> None:
    with demonstration.served():
        second = demonstration.vigil("serve", "--port", "0")
    assert second.returncode == 1
    assert "home.owned" in second.stderr
    assert "next:" in second.stderr


def test_a_hold_is_lifted_by_two_people_at_two_doors(demonstration: Demonstration) -> None:
    with demonstration.served() as address:
        bearer = token(address, "pharmacy-orders", _secret(demonstration), "infer:forecasting")
        refused = ask(address, bearer)
        assert refused.status_code == HTTP_REFUSED
        assert refused.json()["code"] == "gate.suspended"
        _on_the_record(address, refused)

        demonstration.login("rea")
        signed = demonstration.vigil(
            "review", "decide", "R-5", "reinstate", "--reason", "Price change, known", "--json",
            password=demonstration.passwords["rea"],
        )  # fmt: skip
        assert result(signed)["waits_for"] == "a second, different person"
        assert ask(address, bearer).status_code == HTTP_REFUSED

        again = demonstration.vigil(
            "review", "decide", "R-5", "reinstate", "--reason", "Once more",
            password=demonstration.passwords["rea"],
        )  # fmt: skip
        assert again.returncode == 1
        assert "change.four_eyes" in again.stderr

        _reinstate_in_the_console(address, demonstration, review="R-5")
        assert ask(address, bearer).status_code == httpx.codes.OK
    assert result(demonstration.vigil("ledger", "verify", "--json"))["size"] > 0


def _on_the_record(address: str, refused: httpx.Response) -> None:
    problem = refused.json()
    assert problem["receipt"]
    assert problem["event_id"]


def _reinstate_in_the_console(address: str, demonstration: Demonstration, *, review: str) -> None:
    """Use the pages as a browser without scripts does."""
    with httpx.Client(base_url=address, follow_redirects=True, timeout=30) as browser:
        form = browser.get("/sign-in")
        landed = browser.post(
            "/sign-in",
            data=_hidden(form.text) | {"person": "sam", "password": demonstration.passwords["sam"]},
        )
        assert landed.status_code == httpx.codes.OK
        page = browser.get(f"/reviews/{review}")
        decided = browser.post(
            f"/reviews/{review}/decision",
            data=_hidden(page.text)
            | {
                "decision": "reinstate",
                "reason": "Agreed",
                "password": demonstration.passwords["sam"],
            },
        )
        assert decided.status_code == httpx.codes.OK
        assert "Sam Demonstration" in decided.text


def _hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of a page's forms."""
    fields = {}
    for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page):
        name = re.search(r"name=\"([^\"]+)\"", tag)
        value = re.search(r"value=\"([^\"]*)\"", tag)
        if name and value:
            fields[name.group(1)] = value.group(1)
    return fields


def test_a_server_that_is_told_to_end_closes_what_it_opened(demonstration: Demonstration) -> None:
    with start_server(demonstration.home) as process:
        address_of(process)
        process.send_signal(signal.SIGTERM)
        _out, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors == ""
    assert not (demonstration.home / "vigil.sock").exists()


def test_socket_access_is_no_identity(demonstration: Demonstration) -> None:
    with demonstration.served():
        done = demonstration.vigil("review", "list")
    assert done.returncode == 1
    assert "identity.unauthenticated" in done.stderr


def test_a_wrong_password_signs_nothing(demonstration: Demonstration) -> None:
    with demonstration.served():
        demonstration.login("rea")
        before = result(demonstration.vigil("review", "show", "R-5", "--json"))
        done = demonstration.vigil(
            "review", "decide", "R-5", "keep_suspended", "--reason", "no", password="not-it"
        )
        assert done.returncode == 1
        assert "signature.reauthentication_failed" in done.stderr
        assert result(demonstration.vigil("review", "show", "R-5", "--json")) == before


def test_the_author_does_not_approve_their_own_work(demonstration: Demonstration) -> None:
    demonstration.login("ada")
    granted = demonstration.vigil(
        "user", "roles", "mo", "--scope", "demo-hospital/*", "--grant", "reviewer"
    )
    assert granted.returncode == 0, granted.stderr
    demonstration.login("mo")
    done = demonstration.vigil(
        "review", "decide", "R-5", "reinstate", "--reason", "mine",
        password=demonstration.passwords["mo"],
    )  # fmt: skip
    assert done.returncode == 1
    assert "change.four_eyes" in done.stderr


def test_a_decision_over_other_bytes_than_were_read_is_refused(
    demonstration: Demonstration,
) -> None:
    demonstration.login("rea")
    done = demonstration.vigil(
        "review", "decide", "R-5", "keep_suspended", "--reason", "x", "--digest", "0" * 64,
        password=demonstration.passwords["rea"],
    )  # fmt: skip
    assert done.returncode == 1
    assert "other bytes" in done.stderr


def test_verification_runs_beside_a_server(demonstration: Demonstration) -> None:
    with demonstration.served():
        report = result(demonstration.vigil("ledger", "verify", "--json"))
    assert report["size"] > 0


def test_outcomes_are_taken_all_or_none(demonstration: Demonstration) -> None:
    bad = demonstration.home.parent / "outcomes.csv"
    bad.write_text("series,month,value\nA10/total,2006-01,1000\nH02/total,2006-01,NaN\n")
    demonstration.login("sam")
    before = result(demonstration.vigil("ledger", "verify", "--json"))["size"]
    done = demonstration.vigil("outcome", "import", "forecasting", str(bad), "--source", "a test")
    assert done.returncode == 2
    assert "rows.1.value" in done.stderr
    after = result(demonstration.vigil("ledger", "verify", "--json"))["size"]
    assert after == before + 0


def test_every_document_fault_is_named_with_its_line() -> None:
    from importlib.resources import files

    text = (files("models.forecasting") / "plan.yaml").read_text("utf-8")
    broken = re.sub(r"(?m)^title: .*$", "titel: misspelt", text, count=1)
    path = _written(broken)
    done = run_vigil("plan", "check", path)
    assert done.returncode == 2
    assert "titel" in done.stderr
    assert "line" in done.stderr


def _written(text: str) -> str:
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        file.write(text)
    return file.name


def test_a_json_answer_is_only_json(demonstration: Demonstration) -> None:
    demonstration.login("rea")
    done = demonstration.vigil("model", "list", "--json")
    assert json.loads(done.stdout)["models"][0]["reasons"] == ["gate.suspended"]
