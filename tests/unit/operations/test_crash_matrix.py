"""Every operation that writes, against every way in which it may not: nothing is left half done.

The catalogue drives the matrix, so an operation without a case here fails. Compared are the number
of entries, every governed row, and the fold of all facts, which covers credentials too (P2, P6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from audits.errors import AuditError
from change_control.errors import ChangeControlError
from governance.errors import GovernanceError
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey
from governance.operations.actor import Actor
from governance.operations.catalogue import OPERATIONS
from governance.registry.records import RECORD_TYPES, Document
from governance.storage.unit import SqlUnit
from tests.support.rows_audit import MANIFEST, prepare, rows, rows_asked
from tests.support.small_deployment import (
    ADMINISTRATOR,
    CLIENT,
    EVERYWHERE,
    MODEL,
    ORGANISATION,
    PURPOSE,
    SITE,
    VERSION,
    Small,
    TickingClock,
    document_text,
    password_of,
)
from tests.support.tallies import tally_text
from tests.unit.ledger.sample import private_key

Params = dict[str, Any]
NEW = "a password of one's own"
WRITING = sorted(name for name, operation in OPERATIONS.items() if operation.kinds)


class Crash(Exception):
    """What the machine does when it fails."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Who performs it with what, and how what they go by becomes stale.

    `params` prepares the deployment and returns what is sent. `stale` does what makes that sending
    untimely, and may return what is sent then. `wrong` is what somebody without any role sends.
    """

    who: str
    params: Callable[[Small], Params]
    stale: Callable[[Small, Params], Params | None]
    wrong: Callable[[Params], Params] = lambda params: (
        params | {"password": password_of("nils")} if "password" in params else params
    )


def given(**params: Any) -> Callable[[Small], Params]:
    return lambda _home: dict(params)


def but(**params: Any) -> Callable[[Small, Params], Params]:
    """Name something that is not there (any more)."""
    return lambda _home, sent: sent | params


def again(who: str, name: str) -> Callable[[Small, Params], None]:
    """Somebody did the very same a moment before."""

    def stale(home: Small, params: Params) -> None:
        home.perform(who, name, **params)

    return stale


def document(_home: Small) -> Params:
    text = document_text("plan").replace("Changes to the", "Other changes to the")
    return {"kind": "plan", "text": text, "password": password_of("mo")}


def opened(home: Small) -> Params:
    version = home.candidate()
    return home.perform("mo", "change.open", version=version, modification="refit", summary="Why")


def submitted(home: Small) -> Params:
    return home.perform("mo", "change.submit", change=opened(home)["change"])


def review(home: Small) -> Params:
    text = document_text("plan").replace("Changes to the", "Other changes to the")
    waiting = home.register("plan", text=text)
    return {
        "review": waiting["review"],
        "decision": "approve",
        "record_digest": waiting["digest"],
        "password": password_of("rea"),
    }


def hold(home: Small) -> Params:
    placed = home.perform("sam", "hold.place", **HOLD)
    return {"hold": placed["hold"], "reason": "Looked into", "password": password_of("rea")}


def about(home: Small) -> Params:
    """Somebody has a key, as after an answer about them."""
    home.deployment.keys.subject_key(organisation=ORGANISATION, subject="MRN-1")
    return {"subject": "MRN-1", "basis": "objection", "reason": "A letter"}


def waiting_erasure(home: Small) -> Params:
    waiting = home.perform("cas", "erasure.request", **about(home))
    return {"erasure": waiting["erasure"], "password": password_of("reg")}


def legal_hold(home: Small) -> Params:
    placed = home.perform(
        "sam", "legal_hold.place", everything=True, cause="litigation", reason="Case 7"
    )
    return {
        "legal_hold": placed["legal_hold"], "reason": "Closed", "password": password_of("rea"),
    }  # fmt: skip


def signed_legal_hold(home: Small) -> Params:
    sent = legal_hold(home)
    home.perform("rea", "legal_hold.lift", **sent)
    return {"legal_hold": sent["legal_hold"]}


def revoked_administrator(home: Small, params: Params) -> None:
    """Whoever was to rotate is no administrator any more."""
    home.perform(ADMINISTRATOR, "role.grant", person="aud", role="administrator", scope=EVERYWHERE)
    home.perform("aud", "role.revoke", person=ADMINISTRATOR, role="administrator", scope=EVERYWHERE)
    del params


def release(home: Small) -> Params:
    return {**PLACE, "version": home.approved_version(), "password": password_of("mo")}


def retire(home: Small, params: Params) -> None:
    """The version that was to be released is retired meanwhile: a monitor fired on it."""
    home.release(params["version"], scope=SITE)
    home.compute.fires = frozenset({"error-h02"})
    runs = home.perform("sam", "monitor.run", model=MODEL)["runs"]
    found = next(one for one in runs if one["review"] and one["version"] == params["version"])
    home.decide("sam", found["review"], "retire", reason="It went wrong")


def end_release(home: Small, _params: Params) -> None:
    home.signed("sam", "release.roll_back", release="REL-1")


def witnessed(home: Small) -> Params:
    """Name a witness in the configuration, on a port where nobody listens."""
    name = "hospital.example"
    key = VerifierKey.of(private_key("hospital"), name=name, algorithm=COSIGNATURE_V1)
    config = home.deployment.home.root / "vigil.toml"
    config.write_text(
        f'{config.read_text()}\n[[witness]]\nname = "hospital"\naddress = "http://127.0.0.1:9"\n'
        f'vkey = "{key.text()}"\norganisation = "hospital"\n'
    )
    return {}


def without_witness(home: Small, _params: Params) -> None:
    config = home.deployment.home.root / "vigil.toml"
    config.write_text(config.read_text().split("\n[[witness]]")[0] + "\n")


def rotated(home: Small) -> Params:
    """The log's key is rotated and both sign."""
    if len(home.deployment.ledger.log_keys.in_force) == 1:
        home.signed("ada", "ledger.rotate_key")
        home.signed("rea", "ledger.rotate_key")
    return {"password": password_of("ada")}


def late(home: Small) -> Params:
    """No monitor ran for longer than the plan allows."""
    assert isinstance(home.clock, TickingClock)
    home.clock.advance(seconds=90 * 86_400)
    return {"model": MODEL}


def other_series(home: Small) -> Params:
    home.compute.series += 1
    return {"source": "fpp2", "title": "Other series", "licence": "none"}


def trail_review(home: Small) -> Params:
    """Kinds in which the reviewer did nothing."""
    opened = home.perform("rea", "trail_review.open", kinds=["client"])
    return {
        "review": opened["review"],
        "decision": "accepted",
        "record_digest": opened["digest"],
        "reason": "Looked into",
        "password": password_of("rea"),
    }


def rows_audit(home: Small) -> Params:
    """A protocol is in force and its table is registered."""
    with home.deployment.reader() as reader:
        there = reader.find(Document, kind="discrimination-protocol", state="in_force")
    return rows_asked() if there else prepare(home)


def audited(home: Small) -> Params:
    evidence = home.perform("mo", "audit.run_table", **rows_audit(home))
    return {
        "evidence": evidence["evidence"],
        "record_digest": evidence["digest"],
        "password": password_of("rea"),
    }


def unreviewed(home: Small) -> Params:
    """Nobody reviewed the trail for longer than the configuration allows."""
    late(home)
    return {}


def exported(home: Small) -> Params:
    """Two sites hand over their counts."""
    made = [
        home.perform("cas", "tally.export", site=site, tally=tally_text())
        for site in ("pharmacy", "ward")
    ]
    return {"files": [one["content"] for one in made], "keys": [made[0]["key"]]}


def one_twice(_home: Small, params: Params) -> Params:
    """The same site's file comes a second time."""
    return params | {"files": [params["files"][0]] * 2}


HOLD: Params = {
    "model": MODEL, "scope": EVERYWHERE, "cause": "safety.signal", "reason": "A report came in",
}  # fmt: skip
PLACE: Params = {"scope": EVERYWHERE, "market": "NO", "purpose": PURPOSE}
DELIVERY: Params = {
    "model": MODEL, "source": "Register",
    "rows": [{"series": "A10/total", "month": "2004-07", "value": "101"}],
}  # fmt: skip
PERSON: Params = {"person": "petra", "printed_name": "Petra Small", "password": NEW}
ROLE: Params = {"person": "nils", "role": "custodian", "scope": EVERYWHERE}
THE_OTHER: Params = {
    "client": "other", "title": "Other", "scope": SITE, "permissions": ["read"],
}  # fmt: skip

CASES: dict[str, Case] = {
    "person.add": Case(who="ada", params=given(**PERSON), stale=again("ada", "person.add"),
                       wrong=dict),
    "person.disable": Case(who="ada", params=given(person="rea"), stale=but(person="nobody")),
    "role.grant": Case(
        who="ada", params=given(**ROLE),
        stale=lambda home, _: again("ada", "role.grant")(home, ROLE | {"role": "model_owner"}),
    ),
    "role.revoke": Case(
        who="ada", params=given(person="mo", role="model_owner", scope=EVERYWHERE),
        stale=again("ada", "role.revoke"),
    ),
    "person.change_password": Case(
        who="mo", params=given(old=password_of("mo"), new=NEW),
        stale=but(old="a password of long ago"), wrong=dict,
    ),
    "person.reset_password": Case(
        who="ada", params=given(person="mo", password=NEW), stale=but(person="nobody"),
        wrong=dict,
    ),
    "client.add": Case(who="ada", params=given(**THE_OTHER), stale=again("ada", "client.add")),
    "client.rotate": Case(who="ada", params=given(client=CLIENT), stale=but(client="other")),
    "client.disable": Case(who="ada", params=given(client=CLIENT), stale=but(client="other")),
    "witness.apply": Case(who="ada", params=witnessed, stale=without_witness),
    "ledger.rotate_key": Case(
        who="ada",
        params=given(password=password_of("ada")),
        stale=again("ada", "ledger.rotate_key"),
    ),
    "ledger.retire_key": Case(who="ada", params=rotated, stale=again("ada", "ledger.retire_key")),
    "document.register": Case(who="mo", params=document, stale=again("mo", "document.register")),
    "data.add": Case(
        who="mo",
        params=other_series,
        stale=again("mo", "data.add"),
    ),
    "model.wrap": Case(
        who="mo", params=given(model=MODEL, dataset="D-1", horizon=6), stale=but(dataset="D-9")
    ),
    "change.open": Case(
        who="mo", stale=but(modification="rewrite"),
        params=lambda home: {
            "version": home.candidate(), "modification": "refit", "summary": "A later fit",
        },
    ),
    "change.submit": Case(
        who="mo", params=lambda home: {"change": opened(home)["change"]},
        stale=again("mo", "change.submit"),
    ),
    "change.evaluate": Case(
        who="mo", params=lambda home: {"change": submitted(home)["change"]},
        stale=again("mo", "change.evaluate"),
    ),
    "change.run": Case(
        who="mo", stale=but(version="forecasting/9"),
        params=lambda home: {
            "version": home.candidate(), "modification": "refit", "summary": "A later fit",
        },
    ),
    "audit.run": Case(who="mo", params=given(version=VERSION), stale=but(version="forecasting/9")),
    "data.add_table": Case(
        who="cas", params=given(manifest=MANIFEST, text=rows()),
        stale=again("cas", "data.add_table"),
    ),
    "audit.run_table": Case(
        who="mo", params=rows_audit, stale=but(ref="forecasting/9"),
    ),
    "audit.sign": Case(
        who="rea", params=audited, stale=but(record_digest="0" * 64),
    ),
    "tally.export": Case(
        who="cas", params=lambda _home: {"site": "ward", "tally": tally_text()},
        stale=but(tally="{}"),
    ),
    "tally.merge": Case(who="rea", params=exported, stale=one_twice),
    "release.open": Case(who="mo", params=release, stale=retire),
    "release.roll_back": Case(
        who="sam", params=given(release="REL-1", password=password_of("sam")),
        stale=again("sam", "release.roll_back"),
    ),
    "review.decide": Case(who="rea", params=review, stale=again("rea", "review.decide")),
    "outcome.import": Case(
        who="sam", params=given(**DELIVERY),
        stale=but(rows=[{"series": "L01/total", "month": "2004-07", "value": "101"}]),
    ),
    "monitor.run": Case(who="sam", params=given(model=MODEL), stale=end_release),
    "monitor.check_overdue": Case(
        who="sam", params=late, stale=again("sam", "monitor.check_overdue")
    ),
    "hold.place": Case(who="sam", params=given(**HOLD), stale=but(version="forecasting/9")),
    "erasure.request": Case(
        who="cas", params=about, stale=again("cas", "erasure.request"),
    ),
    "erasure.confirm": Case(
        who="reg", params=waiting_erasure, stale=again("reg", "erasure.confirm"),
    ),
    "erasure.refuse": Case(
        who="reg", stale=again("reg", "erasure.refuse"),
        params=lambda home: {
            "erasure": waiting_erasure(home)["erasure"], "reason": "Not this person",
        },
    ),
    "legal_hold.place": Case(
        who="sam", params=given(model=MODEL, cause="litigation", reason="Case 7"),
        stale=but(model="dosing"),
    ),
    "legal_hold.lift": Case(
        who="rea", params=legal_hold, stale=again("rea", "legal_hold.lift"),
    ),
    "legal_hold.withdraw": Case(
        who="sam", params=signed_legal_hold, stale=again("sam", "legal_hold.withdraw"),
    ),
    "keys.rotate_epoch": Case(who="ada", params=given(), stale=revoked_administrator),
    "hold.lift": Case(who="rea", params=hold, stale=again("rea", "hold.lift")),
    "trail.export": Case(
        who="reg", params=given(form="csv", kind="release.*"), stale=but(form="xlsx")
    ),
    "trail_review.open": Case(
        who="rea", params=given(kinds=["client"]), stale=again("rea", "trail_review.open")
    ),
    "trail_review.sign": Case(
        who="rea", params=trail_review, stale=again("rea", "trail_review.sign")
    ),
    "trail_review.withdraw": Case(
        who="rea", stale=again("rea", "trail_review.withdraw"),
        params=lambda home: {"review": trail_review(home)["review"], "reason": "Opened too early"},
    ),
    "trail_review.check_overdue": Case(
        who="reg", params=unreviewed, stale=again("reg", "trail_review.check_overdue")
    ),
}  # fmt: skip


def test_every_operation_that_writes_has_a_case() -> None:
    assert sorted(CASES) == WRITING


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything that an act can leave behind."""

    size: int
    rows: list[Any]


def state_of(home: Small) -> State:
    home.deployment.rebuild()
    with home.deployment.reader() as reader:
        rows = [record for kind in RECORD_TYPES for record in reader.find(kind)]
    return State(size=home.size(), rows=rows)


def attempt(home: Small, actor: Actor, name: str, params: Params) -> bool:
    """Perform it; return whether it was refused."""
    try:
        home.as_actor(actor, name, **params)
    except (AuditError, GovernanceError, ChangeControlError):
        return True
    return False


@pytest.mark.parametrize("name", WRITING)
def test_a_failure_before_the_commit_leaves_nothing_and_the_next_try_succeeds(
    home: Small, name: str
) -> None:
    case = CASES[name]
    params = case.params(home)
    actor = home.actor(case.who)
    crashes, before = 0, state_of(home)
    while True:
        written, kept = crash_at(home, actor, name, params, number=crashes + 1)
        if not written:
            break
        crashes += 1
        after = state_of(home)
        assert after.size == before.size + kept
        assert kept or after.rows == before.rows
        if kept:  # an earlier commit of it stands, so begin with what is the case now
            params = case.params(home)
            actor = home.actor(case.who)
        before = state_of(home)
    assert crashes > 0, "it wrote nothing, so nothing was tested"
    assert home.size() > before.size, "the try after the last crash went through"


def crash_at(
    home: Small, actor: Actor, name: str, params: Params, *, number: int
) -> tuple[bool, int]:
    """Fail right after the operation's entry of this number was written, before its commit.

    Return whether it came so far, and how many entries earlier commits of it had kept.
    """
    units: list[SqlUnit] = []
    record = SqlUnit.record

    def failing(unit: SqlUnit, **act: Any) -> Any:
        recorded = record(unit, **act)
        units.append(unit)
        if len(units) == number:
            raise Crash
        return recorded

    with patch.object(SqlUnit, "record", failing):
        try:
            home.as_actor(actor, name, **params)
        except Crash:
            return True, sum(unit is not units[-1] for unit in units)
    return False, len(units)


@pytest.mark.parametrize("name", WRITING)
def test_somebody_without_a_role_leaves_nothing(home: Small, name: str) -> None:
    case = CASES[name]
    params = case.wrong(case.params(home))
    actor = home.actor("nils")
    before = state_of(home)
    assert attempt(home, actor, name, params)
    assert state_of(home) == before


@pytest.mark.parametrize("name", WRITING)
def test_what_is_not_as_it_was_read_leaves_nothing(home: Small, name: str) -> None:
    case = CASES[name]
    params = case.params(home)
    changed = case.stale(home, dict(params))
    actor = home.actor(case.who)
    before = state_of(home)
    refused = attempt(home, actor, name, changed or params)
    repeated = OPERATIONS[name].repeated
    assert refused or "nothing" in repeated or "returns" in repeated
    assert state_of(home) == before


@pytest.mark.parametrize("name", WRITING)
def test_somebody_who_was_disabled_meanwhile_leaves_nothing(home: Small, name: str) -> None:
    case = CASES[name]
    params = case.params(home)
    actor = home.actor(case.who)
    home.perform(
        ADMINISTRATOR, "role.grant", person="aud", role="administrator", scope=f"{ORGANISATION}/*"
    )
    home.perform("aud", "person.disable", person=case.who)
    before = state_of(home)
    assert attempt(home, actor, name, params)
    assert state_of(home) == before
