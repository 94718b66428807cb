"""An exported trail as a readable document: PDF/A-2a and PDF/UA-1, the same bytes for one export.

The first page says what the document is and what it rests on: the log, the range, the checkpoint,
the filter, how many entries there are, and who made it. Then each entry follows with its old and
new values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from audits.estimate import Json
from governance.adapters.pdf import pdf_of
from governance.clock import iso_text
from governance.reports import wording

TEMPLATE: Final = Path(__file__).parent / "templates" / "trail.typ"
FORMAT: Final = "oncovigil-trail/1"
LONGEST: Final = 200
"""How much of a value the document shows; the machine forms have all of it."""

_LONG_WORD: Final = re.compile(r"\S{16}(?=\S{8})")
_MAY_BREAK: Final = "\u200b"
_FILTER_WORDS: Final = {
    "since": "from",
    "until": "to",
    "answers": "answers listed one by one",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailReport:
    """What an export is and rests on. `answers` are kind, model, release, reasons and a count."""

    organisation: str
    origin: str
    first: int
    end: int
    size: int
    root: str
    checkpoint: str
    asked: tuple[tuple[str, str], ...]
    entries: int
    answers: tuple[tuple[str, str, str, str, int], ...]
    made_by: str
    made_us: int

    def as_record(self) -> dict[str, Json]:
        """Return it as the first line of a machine form."""
        return {
            "format": FORMAT,
            "organisation": self.organisation,
            "origin": self.origin,
            "first": self.first,
            "end": self.end,
            "size": self.size,
            "root": self.root,
            "checkpoint": self.checkpoint,
            "filter": dict(self.asked),
            "entries": self.entries,
            "answers": [list(line) for line in self.answers],
            "made_by": self.made_by,
            "made_at": iso_text(self.made_us),
        }


def render_trail_pdf(report: TrailReport, entries: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the document; raise DocumentRefused where it cannot be set."""
    return pdf_of(TEMPLATE, data=document_data(report, entries), instant_us=report.made_us)


def document_data(report: TrailReport, entries: Sequence[Mapping[str, Any]]) -> dict[str, Json]:
    """Return every word that the template sets."""
    asked = [
        _FILTER_WORDS.get(name, name) + ("" if name == "answers" else f" {value}")
        for name, value in report.asked
    ]
    listed = wording.count_text(report.entries, "entry", "entries")
    return {
        "title": "Audit trail",
        "subtitle": f"{report.organisation}, {wording.day_text(report.made_us)}",
        "organisation": report.organisation,
        "headline": f"{listed} of the ledger {report.origin}",
        "root": report.root,
        "about": [
            _fact("Ledger", report.origin, code=True),
            _fact("Range", _range(report)),
            _fact("Asked for", ", ".join(asked) or "everything"),
            _fact("Listed", listed),
            _fact("Made by", report.made_by),
            _fact("Made", wording.instant_text(report.made_us, seconds=True)),
        ],
        "checkpoint": report.checkpoint,
        "answers": [[str(cell) for cell in line] for line in report.answers],
        "entries": [_entry(entry) for entry in entries],
    }


def _range(report: TrailReport) -> str:
    if report.end == report.first:
        return f"no entry, of {report.size}"
    return f"entries {report.first} to {report.end - 1}, of {report.size}"


def _fact(label: str, value: str, *, code: bool = False) -> dict[str, Json]:
    return {"label": label, "value": value, "code": code}


def _entry(entry: Mapping[str, Any]) -> dict[str, Json]:
    return {
        "seq": str(entry["seq"]),
        "time": wording.instant_text(entry["t_us"], seconds=True),
        "kind": entry["kind"],
        "actor": _actor(entry),
        "records": ", ".join(entry["records"]),
        "changes": [
            [
                change["record"],
                wording.field_words(change["field"]),
                _shown(wording.field_text(change["field"], change["old"] or "")),
                _shown(wording.field_text(change["field"], change["new"])),
            ]
            for change in entry["changes"]
        ],
        "notes": [f"{name}: {_shown(str(value))}" for name, value in entry["notes"].items()],
    }


def _actor(entry: Mapping[str, Any]) -> str:
    name, actor = entry["actor_name"], entry["actor"]
    return name if not actor or name == actor else f"{name} ({actor})"


def _shown(text: str) -> str:
    """Return the text as a cell sets it: not too long, and a long word may be broken."""
    short = text if len(text) <= LONGEST else f"{text[:LONGEST]}{wording.ELLIPSIS}"
    return _LONG_WORD.sub(lambda word: f"{word.group()}{_MAY_BREAK}", short)
