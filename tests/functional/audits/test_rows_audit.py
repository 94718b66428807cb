"""An audit of rows from a frozen protocol to a signed document, and what is refused on the way."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

from change_control.errors import AuditProtocolInvalid, FourEyes, WrongRole
from governance.adapters.pdf_seal import SEAL_NAME, SealUnusable, check_seal
from governance.errors import Conflict, Forbidden, InvalidInput
from models.errors import ContractRefused
from tests.support.rows_audit import MANIFEST, PROTOCOL, prepare, rows
from tests.support.small_deployment import Small, small

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Small]:
    with small(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Small, dict[str, Any]]]:
    with small(tmp_path_factory.mktemp("audited")) as opened:
        yield opened, opened.perform("mo", "audit.run_table", **prepare(opened))


def kinds(home: Small, first: int) -> list[str]:
    """Return the kinds of entry from `first` on, apart from people who signed in."""
    found = (home.deployment.ledger.entry(seq).kind for seq in range(first, home.size()))
    return [kind for kind in found if not kind.startswith("session.")]


def test_the_rules_stand_in_the_ledger_before_a_row_is_read(
    audited: tuple[Small, dict[str, Any]],
) -> None:
    home, evidence = audited
    assert evidence["verdict"] == "pass"
    assert evidence["plan"] == "discrimination-protocol:forecasting:1"
    assert evidence["plan_seq"] < evidence["opened_seq"]
    opened = home.deployment.ledger.entry(evidence["opened_seq"])
    assert opened.kind == "attempt.opened"
    tables = opened.facts["attempt"]["tables"]
    assert [one["file_sha256"] for one in tables] == [hashlib.sha256(rows().encode()).hexdigest()]


def test_no_row_of_the_table_is_kept(audited: tuple[Small, dict[str, Any]]) -> None:
    home, _ = audited
    row = rows().splitlines()[5].encode()
    for path in home.deployment.home.root.rglob("*"):
        if path.is_file():
            assert row not in path.read_bytes(), path.name


def test_no_score_of_a_patient_stands_in_the_evidence(
    audited: tuple[Small, dict[str, Any]],
) -> None:
    """A curve with a point a row would be the rows: score and outcome of everybody (P15)."""
    home, evidence = audited
    report = home.perform("aud", "audit.show", evidence=evidence["evidence"])["content"]["report"]
    curves = [
        table
        for section in report["sections"]
        for table in section["tables"]
        if table["id"] in {"roc_table", "precision_recall_table"}
    ]
    assert len(curves) == 2
    assert all("threshold" not in table["columns"] for table in curves)
    assert all(len(table["rows"]) <= 1 + 240 // 5 for table in curves)


def test_the_same_file_reproduces_the_same_digest_and_another_file_is_refused(
    audited: tuple[Small, dict[str, Any]],
) -> None:
    home, evidence = audited
    again = home.perform(
        "aud",
        "audit.reproduce",
        evidence=evidence["evidence"],
        tables=[{"role": "test", "text": rows()}],
    )
    assert again["identical"]
    assert again["same_software"]
    with pytest.raises(Conflict):
        home.perform(
            "aud",
            "audit.reproduce",
            evidence=evidence["evidence"],
            tables=[{"role": "test", "text": rows().replace("p0,", "q0,")}],
        )
    with pytest.raises(InvalidInput):
        home.perform("aud", "audit.reproduce", evidence=evidence["evidence"])


def test_a_reader_signs_and_the_sealed_document_shows_it(
    audited: tuple[Small, dict[str, Any]],
) -> None:
    home, evidence = audited
    signed = home.signed(
        "rea", "audit.sign", evidence=evidence["evidence"], record_digest=evidence["digest"]
    )
    document = base64.b64decode(signed["document"])
    assert check_seal(document, root=signed["root"].encode()).holds
    pages = PdfReader(io.BytesIO(document)).pages
    text = " ".join(" ".join(page.extract_text() for page in pages).split())
    for said in ("Rea Small", "SIMULATED", "What is missing", evidence["digest"], "auroc"):
        assert said in text
    with home.deployment.reader() as reader:
        assert reader.blob(signed["digest"]) == document
    home.deployment.rebuild()


def test_two_pieces_of_evidence_are_put_side_by_side(
    audited: tuple[Small, dict[str, Any]],
) -> None:
    home, evidence = audited
    other = rows(seed=12)
    home.perform("cas", "data.add_table", manifest=MANIFEST, text=other)
    second = home.perform(
        "mo",
        "audit.run_table",
        kind="discrimination",
        ref="forecasting",
        tables=[{"role": "test", "text": other}],
    )
    compared = home.perform(
        "aud", "audit.compare", first=evidence["evidence"], second=second["evidence"]
    )
    assert compared["different"] == [f"dataset: {evidence['dataset']} and {second['dataset']}"]
    assert {one["metric"] for one in compared["estimates"]} >= {"auroc"}
    assert not compared["only_first"]
    same = home.perform(
        "aud", "audit.compare", first=evidence["evidence"], second=evidence["evidence"]
    )
    assert {one["change"] for one in same["estimates"]} <= {"0", None}
    with pytest.raises(Conflict):
        home.perform("aud", "audit.compare", first="E-1", second=evidence["evidence"])


def test_whoever_produced_it_does_not_sign_it_and_neither_does_an_auditor(
    audited: tuple[Small, dict[str, Any]],
) -> None:
    home, evidence = audited
    before = home.size()
    for person, error in (("mo", Forbidden), ("aud", Forbidden)):
        with pytest.raises(error):
            home.signed(person, "audit.sign", evidence=evidence["evidence"])
    with pytest.raises(Conflict):
        home.signed("reg", "audit.sign", evidence=evidence["evidence"], record_digest="0" * 64)
    assert kinds(home, before) == []


def test_a_reviewer_who_ran_the_audit_needs_another_reader(home: Small) -> None:
    evidence = home.perform("rea", "audit.run_table", **prepare(home))
    with pytest.raises(FourEyes):
        home.signed("rea", "audit.sign", evidence=evidence["evidence"])


def test_whoever_produced_the_same_bytes_under_another_number_is_no_reader(home: Small) -> None:
    asked = prepare(home)
    home.perform("olga", "audit.run_table", **asked)
    second = home.perform("mo", "audit.run_table", **asked)
    with pytest.raises(FourEyes):
        home.signed("olga", "audit.sign", evidence=second["evidence"])


def test_a_file_that_evidence_rests_on_keeps_its_meaning(home: Small) -> None:
    asked = prepare(home)
    corrected = MANIFEST.replace("As registered", "As corrected")
    home.perform("cas", "data.add_table", manifest=corrected, text=rows())
    evidence = home.perform("mo", "audit.run_table", **asked)
    other = MANIFEST.replace("simulated: true", "simulated: false")
    with pytest.raises(Conflict):
        home.perform("cas", "data.add_table", manifest=other, text=rows())
    again = home.perform(
        "aud", "audit.reproduce", evidence=evidence["evidence"], tables=asked["tables"]
    )
    assert again["identical"]


def test_a_broken_seal_leaves_no_signature(home: Small) -> None:
    evidence = home.perform("mo", "audit.run_table", **prepare(home))
    (home.deployment.home.keys_dir / SEAL_NAME).write_text("broken")
    before = home.size()
    with pytest.raises(SealUnusable):
        home.signed("rea", "audit.sign", evidence=evidence["evidence"])
    assert kinds(home, before) == []


def test_an_unregistered_file_opens_no_attempt(home: Small) -> None:
    asked = prepare(home)
    before = home.size()
    for table in (rows(seed=3), rows() + " "):
        with pytest.raises(Conflict):
            home.perform(
                "mo", "audit.run_table", **asked | {"tables": [{"role": "test", "text": table}]}
            )
    assert kinds(home, before) == []


def test_without_a_protocol_in_force_nothing_is_opened(home: Small) -> None:
    home.register("discrimination-protocol", text=PROTOCOL)
    home.perform("cas", "data.add_table", manifest=MANIFEST, text=rows())
    with pytest.raises(Conflict):
        home.perform(
            "mo",
            "audit.run_table",
            kind="discrimination",
            ref="forecasting",
            tables=[{"role": "test", "text": rows()}],
        )


def test_the_author_of_a_protocol_does_not_approve_it(home: Small) -> None:
    registered = home.register("discrimination-protocol", text=PROTOCOL, by="olga")
    with pytest.raises(FourEyes):
        home.decide("olga", registered["review"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  replicates: 200", "  replicates: 200\n  surprise: 1", "surprise"),
        ("  minimum_events: 10\n", "", "minimum_events"),
        ("    floor: 0.6\n", "", "floor"),
        ("seed: 7", "seed: -7", "seed"),
        ("metric: auroc", "metric: AUROC!", "metric"),
        ("kind: discrimination", "kind: divination", "kind"),
    ],
)
def test_a_protocol_that_cannot_be_run_is_refused_when_it_is_registered(
    home: Small, old: str, new: str, said: str
) -> None:
    assert old in PROTOCOL
    with pytest.raises(AuditProtocolInvalid) as refused:
        home.register("discrimination-protocol", text=PROTOCOL.replace(old, new, 1))
    assert said in str(refused.value)


def test_a_protocol_of_one_kind_is_not_registered_as_another(home: Small) -> None:
    with pytest.raises(AuditProtocolInvalid):
        home.register("fairness-protocol", text=PROTOCOL)


def test_a_column_that_the_table_lacks_ends_the_attempt_without_evidence(home: Small) -> None:
    asked = prepare(home)
    registered = home.register(
        "discrimination-protocol", text=PROTOCOL.replace("score: risk", "score: odds")
    )
    home.decide("rea", registered["review"])
    before = home.size()
    with pytest.raises(ContractRefused):
        home.perform("mo", "audit.run_table", **asked)
    assert kinds(home, before) == ["attempt.opened"]


def test_a_table_of_another_role_than_the_protocol_reads_is_refused(home: Small) -> None:
    asked = prepare(home)
    asked["tables"][0]["role"] = "reference"
    with pytest.raises(InvalidInput):
        home.perform("mo", "audit.run_table", **asked)


def test_who_may_neither_register_nor_run(home: Small) -> None:
    asked = prepare(home)
    with pytest.raises(Forbidden):
        home.perform("aud", "data.add_table", manifest=MANIFEST, text=rows())
    with pytest.raises(Forbidden):
        home.perform("aud", "audit.run_table", **asked)
    with pytest.raises(WrongRole):
        home.register("discrimination-protocol", text=PROTOCOL + "# by another\n", by="aud")
