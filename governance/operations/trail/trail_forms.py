"""The machine forms of an exported trail: JSON lines and CSV.

JSON lines: the first line says what the file is, each further one is an entry. CSV: one line for
each changed field, or one for an entry that changed none, so that a spreadsheet can filter old and
new values. A cell that a spreadsheet would take for a formula begins with an apostrophe; so does
one that began with an apostrophe before, and taking one away gives the value back. Where semicolons
or tabs part cells, as in much of Europe, the parts of a cell are cells: inside a cell the same
holds after each semicolon, tab and new line.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from audits.estimate import Json
from governance.clock import iso_text
from governance.operations.trail.hits import FieldChange, TrailHit

COLUMNS: Final = (
    "seq", "time", "kind", "actor", "actor_name", "model", "record", "field", "old", "new",
    "records", "notes", "event_id",
)  # fmt: skip

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
# What spreadsheets begin a formula with, in both widths, and what they skip in front of it.
_BEGINS: Final = "[=+\\-@'\uff1d\uff0b\uff0d\uff20]"
_FORMULA: Final = re.compile(f"[\\s\\x00-\\x1f\ufeff]*{_BEGINS}|[\\t\\r\\n]")
# What parts a cell elsewhere, in front of a formula; a quotation mark may stand between.
_PART: Final = re.compile(f'[;\\t\\r\\n](?=[\\s\\x00-\\x1f\ufeff"]*{_BEGINS})')


def json_lines(about: Mapping[str, Json], hits: Iterable[TrailHit]) -> bytes:
    """Return the trail as JSON lines, UTF-8."""
    lines = [_line(about), *(_line(hit.model_dump(mode="json") | _time(hit)) for hit in hits)]
    return "".join(lines).encode()


def csv_text(hits: Iterable[TrailHit]) -> bytes:
    """Return the trail as CSV (RFC 4180), UTF-8; no cell of it is a formula."""
    told = io.StringIO(newline="")
    writer = csv.writer(told, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for hit in hits:
        for row in _rows(hit):
            writer.writerow([plain_cell(str(cell)) for cell in row])
    return told.getvalue().encode()


def plain_cell(text: str) -> str:
    """Return the text as a cell that no spreadsheet evaluates; a number stays a number."""
    if _NUMBER.fullmatch(text):
        return text
    text = _PART.sub(r"\g<0>'", text)
    return f"'{text}" if _FORMULA.match(text) else text


def _rows(hit: TrailHit) -> Iterator[tuple[object, ...]]:
    none = FieldChange(record="", field="", old=None, new="")
    for change in hit.changes or [none]:
        yield (
            hit.seq,
            iso_text(hit.t_us),
            hit.kind,
            hit.actor,
            hit.actor_name,
            hit.model,
            change.record,
            change.field,
            "" if change.old is None else change.old,
            change.new,
            " ".join(hit.records),
            json.dumps(hit.notes, ensure_ascii=False, sort_keys=True) if hit.notes else "",
            hit.event_id,
        )


def _line(value: Mapping[str, Json]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def _time(hit: TrailHit) -> dict[str, Json]:
    return {"time": iso_text(hit.t_us)}
