"""Tables repeat the records, and their CHECKs the lifecycles, field by field."""

from __future__ import annotations

from dataclasses import fields

import pytest
from sqlalchemy.types import TypeEngine
from sqlmodel import AutoString

from change_control.change.documents import DocumentState
from change_control.change.request import ChangeState
from change_control.erase.erasure import ErasureState
from change_control.erase.legal_hold import LegalHoldState
from change_control.release.hold import HoldState
from change_control.release.release import ReleaseMode, ReleaseState
from change_control.release.version import VersionState
from change_control.watch.review import ReviewState
from change_control.watch.trail_review import TrailReviewState
from governance.registry.records import RECORD_TYPES, Record
from governance.storage.tables import MODES, ROW_OF, STATES, table_of

TYPES = {"str": str, "int": int, "bool": bool}


def _python_type(spec: TypeEngine[object]) -> type:
    # SQLModel decorates String, and a decorator does not say what it decorates.
    return str if isinstance(spec, AutoString) else spec.python_type


def test_every_record_has_one_table() -> None:
    assert set(ROW_OF) == set(RECORD_TYPES)


@pytest.mark.parametrize("kind", RECORD_TYPES, ids=lambda kind: kind.TABLE)
def test_a_table_has_exactly_the_records_fields_and_its_place(kind: type[Record]) -> None:
    table = table_of(kind)
    columns = {c.name: (_python_type(c.type), c.nullable) for c in table.columns}
    assert columns.pop("created_seq") == (int, False)
    assert columns.pop("created_pos") == (int, False)
    wanted = {}
    for field in fields(kind):
        name, _, optional = str(field.type).partition(" | ")
        wanted[field.name] = (TYPES[name], optional == "None")
    assert columns == wanted


@pytest.mark.parametrize(
    ("table", "states"),
    [
        ("document", DocumentState),
        ("change_request", ChangeState),
        ("review", ReviewState),
        ("version", VersionState),
        ("release", ReleaseState),
        ("hold", HoldState),
        ("trail_review", TrailReviewState),
        ("erasure", ErasureState),
        ("legal_hold", LegalHoldState),
    ],
)
def test_the_checks_list_the_states_of_the_lifecycle(table: str, states: type) -> None:
    assert list(STATES[table]) == [state.value for state in states]  # type: ignore[attr-defined]


def test_the_checks_list_the_modes_of_a_release() -> None:
    assert list(MODES) == [mode.value for mode in ReleaseMode]
