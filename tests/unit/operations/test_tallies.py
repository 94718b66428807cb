"""Sites hand counts over: signed, under a pinned key, once a site, and exact ones only added."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audits.errors import AuditError, TallyDisclosed, TallyMismatch, TallyNotDisclosable
from audits.sources.tally_record import tally_from_record
from audits.sources.tally_spec import canonical_bytes, spec_from_record
from governance.errors import Forbidden, InvalidInput
from governance.ledger.core import canonical
from governance.ledger.core.note import VerifierKey
from governance.operations.audit.tally_file import (
    PAYLOAD_TYPE,
    TallyFile,
    TallyFileRejected,
    opened,
    pinned_key,
    signed,
)
from tests.support.small_deployment import ORGANISATION, Small
from tests.support.tallies import by_hand, rows, spec, tally_text

HERE: dict[str, Any] = {"site": "ward"}


def export(home: Small, *, who: str = "cas", **more: Any) -> dict[str, Any]:
    return home.perform(who, "tally.export", **{"tally": tally_text(), **HERE, **more})


def merge(home: Small, *made: dict[str, Any], **more: Any) -> dict[str, Any]:
    sent = {"files": [one["content"] for one in made], "keys": [made[0]["key"]], **more}
    return home.perform("rea", "tally.merge", **sent)


def payload_of(content: str) -> Any:
    return canonical.loads(base64.b64decode(json.loads(content)["payload"]))


def test_the_files_of_two_sites_add_up_to_the_tally_of_all_rows(home: Small) -> None:
    whole = rows(200, seed=6)
    apart = [[row for row in whole if row["patient"] % 2 == rest] for rest in (0, 1)]
    made = [
        export(home, site=site, tally=canonical_bytes(by_hand(part, spec()).as_record()).decode())
        for site, part in zip(("ward", "pharmacy"), apart, strict=True)
    ]
    found = merge(home, *made)
    total = tally_from_record(payload_of(found["content"])["tally"])
    assert total.as_record() == by_hand(whole, spec()).as_record()
    assert found["sites"] == [f"{ORGANISATION}/pharmacy", f"{ORGANISATION}/ward"]
    hits = home.perform("aud", "trail.search", kind="tally.*")["hits"]
    assert [one["kind"] for one in hits] == ["tally.exported", "tally.exported", "tally.merged"]
    assert found["sha256"] in json.dumps(hits[2])


def test_a_merged_file_can_be_merged_again_but_not_with_its_own_parts(home: Small) -> None:
    ward, pharmacy, clinic = (export(home, site=one) for one in ("ward", "pharmacy", "clinic"))
    both = merge(home, ward, pharmacy)
    assert len(merge(home, both, clinic)["sites"]) == 3
    with pytest.raises(TallyFileRejected):
        merge(home, both, ward)


def test_only_the_custodian_lets_exact_counts_leave(home: Small) -> None:
    for who in ("mo", "sam", "ada", "aud", "nils"):
        with pytest.raises(Forbidden):
            export(home, who=who)
    plain = coarse_text()
    assert export(home, who="mo", tally=plain, suppress_below=5)["disclosure"] == "suppression"
    with pytest.raises(Forbidden):
        export(home, who="aud", tally=plain, suppress_below=5)


def coarse_text() -> str:
    """Return a tally in which small counts can be hidden."""
    of = spec(subject=None)
    tables = [one for one in of.as_record()["tables"] if one["id"] == "grade"]  # type: ignore[union-attr,index,call-overload]
    record = {**of.as_record(), "tables": tables}
    coarse = spec_from_record(record)
    return canonical_bytes(by_hand(rows(900, seed=2), coarse).as_record()).decode()


def test_disclosed_counts_are_not_merged(home: Small) -> None:
    hidden = export(home, tally=coarse_text(), suppress_below=5)
    assert payload_of(hidden["content"])["tally"]["schema"] == "disclosed-tally/1"
    with pytest.raises(TallyDisclosed):
        merge(home, hidden)


def test_noise_needs_a_bound_that_holds(home: Small) -> None:
    with pytest.raises(InvalidInput):
        export(home, epsilon="0.5")
    with pytest.raises(InvalidInput):
        export(home, epsilon="0.5", row_bound=5, suppress_below=3)
    with pytest.raises(TallyNotDisclosable):
        export(home, epsilon="0.5", row_bound=1)
    made = export(home, epsilon="0.5", row_bound=60)
    again = export(home, epsilon="0.5", row_bound=60)
    assert payload_of(made["content"])["tally"]["rows"] is None
    assert payload_of(made["content"])["tally"] != payload_of(again["content"])["tally"]
    (hit, _) = home.perform("aud", "trail.search", kind="tally.exported")["hits"]
    assert "1/2" in json.dumps(hit)


def test_every_site_is_no_site(home: Small) -> None:
    with pytest.raises(InvalidInput):
        export(home, site="*")


def test_another_specification_is_refused(home: Small) -> None:
    other = canonical_bytes(by_hand(rows(9, seed=1), spec(replicates=1)).as_record()).decode()
    with pytest.raises(TallyMismatch):
        merge(home, export(home), export(home, site="clinic", tally=other))


def bent(content: str, change: Callable[[Any], Any]) -> str:
    outer: Any = json.loads(content)
    payload = change(canonical.loads(base64.b64decode(outer["payload"])))
    outer["payload"] = base64.b64encode(canonical.dumps(payload)).decode()
    return canonical.dumps(outer).decode()


FORGED: dict[str, Callable[[str], str]] = {
    "a count more": lambda text: bent(
        text, lambda one: {**one, "tally": {**one["tally"], "rows": one["tally"]["rows"] + 1}}
    ),
    "another site": lambda text: bent(text, lambda one: {**one, "sites": ["st-olav/clinic"]}),
    "another type": lambda text: text.replace(
        PAYLOAD_TYPE, "application/vnd.oncovigil.esig.v1+json"
    ),
    "two signatures": lambda text: text.replace('"signatures":[', '"signatures":[{"sig":"AA=="},'),
    "more members": lambda text: text.replace('{"payload"', '{"more":1,"payload"'),
    "no JSON": lambda text: text[:-1],
    "nothing": lambda _text: "",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_file_that_was_changed_is_refused(home: Small, forge: Callable[[str], str]) -> None:
    made = export(home)
    changed = forge(made["content"])
    assert changed != made["content"]
    with pytest.raises(TallyFileRejected):
        merge(home, made, files=[changed])


def file(**changes: Any) -> TallyFile:
    members: dict[str, Any] = {
        "organisation": "north",
        "sites": ("north/ward",),
        "made_us": 1,
        "merged_from": (),
        "tally": {},
    }
    return TallyFile(**(members | changes))


def test_a_key_signs_for_its_own_organisation_and_its_own_site_alone() -> None:
    private = Ed25519PrivateKey.generate()
    key = VerifierKey.of(private, name="north/main/audit/1/tallies")
    assert opened(signed(file(), key=private), pinned=[key]) == file()
    for wrong in (
        file(organisation="south", sites=("south/ward",)),
        file(sites=("south/ward",)),
        file(sites=("north/a", "north/b")),
        file(sites=("north/*",)),
        file(sites=("north/b", "north/a"), merged_from=("x",)),
    ):
        with pytest.raises(TallyFileRejected):
            opened(signed(wrong, key=private), pinned=[key])


def test_a_key_that_nobody_pinned_signs_nothing(home: Small) -> None:
    made = export(home)
    stranger = VerifierKey.of(Ed25519PrivateKey.generate(), name=f"{ORGANISATION}/x/tallies")
    with pytest.raises(TallyFileRejected):
        merge(home, made, keys=[stranger.text()])
    assert home.perform("aud", "tally.key")["key"] == made["key"]


@pytest.mark.parametrize("text", ["", "nothing", "a+b+c"])
def test_what_is_no_key_of_a_tally_is_not_pinned(text: str, home: Small) -> None:
    with pytest.raises(TallyFileRejected):
        pinned_key(text)
    log_key = VerifierKey.of(home.deployment.home.log_key(), name=home.deployment.home.origin)
    with pytest.raises(TallyFileRejected):
        pinned_key(log_key.text())


def test_counts_that_no_rows_give_do_not_leave(home: Small) -> None:
    record = json.loads(tally_text())
    record["rows"] += 1
    with pytest.raises(AuditError):
        export(home, tally=canonical.dumps(record).decode())
    with pytest.raises(InvalidInput):
        export(home, tally=json.dumps(json.loads(tally_text()), indent=1))
