"""Small valid documents and parameters, to be broken one field at a time."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from models.documents import parse_document
from models.forecasting import DOCUMENTS
from tests.support.project import ROOT

PATHS = ("10", "11", "12")


def document_text(name: str) -> str:
    return (ROOT / "models/forecasting" / DOCUMENTS[name]).read_text(encoding="utf-8")


def entry_record() -> dict[str, Any]:
    return deepcopy(parse_document(document_text("entry")))


def changed(record: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return the record with the value at a dotted path replaced; `...` removes it."""
    *parents, last = path.split(".")
    node: Any = record
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node[part]
    if value is ...:
        del node[last]
    elif isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    return record


def series_row(*, parts: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "group": None,
        "from": "1991-07",
        "months": 60,
        "median": ["100", "110", "120"],
        "quantiles": {
            "0.025": ["80", "81.5", "82"],
            "0.1": ["90", "91", "92"],
            "0.9": ["130", "131", "132"],
            "0.975": ["140", "141", "142"],
        },
        "parts": list(parts),
        "members": {"AutoETS": ["99", "109", "119"], "AutoCES": ["101", "111", "121"]},
        "seasonal_naive": ["90", "0", "130"],
        "calibration_errors": [24, 24, 24],
    }


def parameters() -> dict[str, Any]:
    return {
        "kind": "forecasting/path-table/1",
        "origin": "2005-11",
        "horizon": 3,
        "unit": "prescriptions",
        "method": "median, v1",
        "intervals": "split conformal, v1",
        "levels": ["0.8", "0.95"],
        "members": ["AutoETS", "AutoCES"],
        "series": {
            "L01/General": series_row(),
            "L01/Concessional": series_row(),
            "L01/total": series_row(parts=("L01/General", "L01/Concessional")),
            "A10/total": series_row(),
        },
    }
