"""Create a home: keys, schema, genesis, and the first administrator, who is in the trail too.

All of it is there before the home appears: without its administrator nobody could act in it, and
no command could add one.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from change_control.roles import Role
from change_control.scope import Scope
from governance.clock import Clock, SystemClock
from governance.ledger.core.note import VerifierKey
from governance.operations.admin.people import AddPerson, checked_hash, new_person
from governance.operations.operation import Result
from governance.registry.records import RoleGrant
from governance.storage import private
from governance.storage.open import create_home as create_storage
from governance.storage.ports import Unit


class HomeCreated(Result):
    """Where the home is and what verifiers pin."""

    home: str
    origin: str
    log_key: str
    policy_file: str
    administrator: str


def create_home(
    root: Path,
    *,
    organisation: str,
    deployment: str,
    database: str,
    administrator: str,
    printed_name: str,
    password: str,
    clock: Clock | None = None,
) -> HomeCreated:
    """Create the home and its first administrator; a home is never made over something else."""
    hashed = checked_hash(SecretStr(password))
    request = AddPerson(
        person=administrator, printed_name=printed_name, password=SecretStr(password)
    )
    home = create_storage(
        root,
        organisation=organisation,
        deployment=deployment,
        database=database,
        clock=clock or SystemClock(),
        first=lambda unit: _first_administrator(unit, organisation, request, hashed),
    )
    return HomeCreated(
        home=str(root),
        origin=home.origin,
        log_key=VerifierKey.of(home.log_key(), name=home.origin).text(),
        policy_file=str(home.policy_path),
        administrator=administrator,
    )


def _first_administrator(unit: Unit, organisation: str, request: AddPerson, hashed: str) -> None:
    person = new_person(unit, request, organisation=organisation)
    scope = Scope(organisation=organisation)
    grant = RoleGrant(
        id=f"{person.id}:{Role.ADMINISTRATOR.value}:{scope}",
        person=person.id,
        role=Role.ADMINISTRATOR.value,
        scope=str(scope),
        granted_by=person.id,
        active=True,
    )
    notes = private.put_credential(unit, person.id, hashed, must_change=False)
    unit.record(kind="person.added", actor=person.id, add=[person, grant], notes=notes)
