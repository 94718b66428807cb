"""Two audits of real data for which protocols are shipped, from entry to signed document.

Warfarin doses by race and sex under two published rules, and drugs by year of first approval split
at random and in time. The pages are looked at by people; here it is seen that they are whole.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from governance.adapters.pdf_seal import check_seal
from tests.support.small_deployment import Small, small

AUDITS = {
    "dosing": ("fairness", "dosing/iwpc_warfarin_dose.csv"),
    "screening": ("temporal", "screening/approved_drugs_L01_upto2012.csv"),
}
pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with small(tmp_path_factory.mktemp("real")) as opened:
        yield opened


def written(model: str, name: str) -> str:
    return (files(f"models.{model}") / f"{name}.yaml").read_text("utf-8")


def run(home: Small, model: str, folder: Path) -> tuple[dict[str, Any], bytes]:
    kind, path = AUDITS[model]
    for document in ("entry", f"{kind}-protocol"):
        registered = home.register(document, text=written(model, document))
        home.decide("rea", registered["review"])
    text = (folder / path).read_text(encoding="utf-8")
    home.perform("cas", "data.add_table", manifest=written(model, "dataset"), text=text)
    tables = [{"role": "test", "text": text}]
    evidence = home.perform("mo", "audit.run_table", kind=kind, ref=model, tables=tables)
    signed = home.signed(
        "reg", "audit.sign", evidence=evidence["evidence"], record_digest=evidence["digest"]
    )
    document = base64.b64decode(signed["document"])
    assert check_seal(document, root=signed["root"].encode()).holds
    again = home.perform("aud", "audit.reproduce", evidence=evidence["evidence"], tables=tables)
    assert again["identical"]
    return evidence, document


def said(document: bytes) -> str:
    pages = PdfReader(io.BytesIO(document)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_warfarin_by_race_under_two_rules(home: Small, test_data: Path) -> None:
    evidence, document = run(home, "dosing", test_data)
    assert evidence["verdict"] == "fail", "one dose for all is far from alike for all"
    text = said(document)
    for words in (
        "Fairness audit of dosing",
        "race=Asian minus race=White",
        "race=Black or African American minus race=White",
        "The margin of a tenth was chosen by the writers",
        "Reg Small",
    ):
        assert words in text
    assert "SIMULATED" not in text


def test_drugs_by_year_split_at_random_and_in_time(home: Small, test_data: Path) -> None:
    evidence, document = run(home, "screening", test_data)
    assert evidence["verdict"] == "insufficient", "no criterion was fixed, so nothing is decided"
    text = said(document)
    for words in ("random split minus time split", "time split", "window=2003-01-01"):
        assert words in text
