"""The complete minimal documents of `examples/`, as text and as something to spoil."""

from __future__ import annotations

from typing import Any, Final

from models.documents import parse_document
from tests.support.project import ROOT

_FOLDER: Final = ROOT / "tests/unit/change_control/examples"
PLAN_TEXT: Final = (_FOLDER / "plan.yaml").read_text(encoding="utf-8")
MONITORING_TEXT: Final = (_FOLDER / "monitoring.yaml").read_text(encoding="utf-8")


def plan_record() -> Any:
    """Return the parsed plan anew, to be spoilt by the caller."""
    return parse_document(PLAN_TEXT)


def monitoring_record() -> Any:
    """Return the parsed monitoring plan anew, to be spoilt by the caller."""
    return parse_document(MONITORING_TEXT)


def put(record: Any, path: str, value: object) -> Any:
    """Set the value at a dotted path and return the record; a new last key is added."""
    *parents, last = path.split(".")
    place = record
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(last) if isinstance(place, list) else last] = value
    return record


def drop(record: Any, path: str) -> Any:
    """Remove what is at a dotted path and return the record."""
    *parents, last = path.split(".")
    place = record
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    del place[int(last) if isinstance(place, list) else last]
    return record
