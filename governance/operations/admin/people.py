"""People and their roles: add, disable, list, grant, revoke. The administrator is in the trail."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from pydantic import Field, SecretStr

from change_control.roles import Grant, Role, conflicts
from change_control.scope import Scope
from governance.adapters.passwords import hash_password
from governance.deployment import Deployment
from governance.errors import Conflict, Forbidden, InvalidInput
from governance.operations.actor import Actor
from governance.operations.admin.sessions import end_sessions
from governance.operations.operation import Operation, Request, Result
from governance.registry.machines import refuse_reserved
from governance.registry.records import Person, RoleGrant, ServiceClient
from governance.storage import private
from governance.storage.ports import Reader, Unit

PASSWORD_LENGTH_MIN: Final = 12
PERSON_ID: Final = re.compile(r"[a-z][a-z0-9.-]{1,31}")
_ADMINISTRATORS: Final = frozenset({Role.ADMINISTRATOR})


class AddPerson(Request):
    """A person to be added, with a first password that opens nothing but its own change."""

    person: str
    printed_name: str = Field(min_length=2, max_length=100)
    password: SecretStr
    demonstration: bool = False


class PersonAdded(Result):
    """The person's id."""

    person: str


class DisablePerson(Request):
    """A person who may no longer sign in. Their signatures stay valid, their id stays taken."""

    person: str


class ChangeRole(Request):
    """One role of one person within one scope, granted or revoked."""

    person: str
    role: Role
    scope: str


class RoleChanged(Result):
    """The grant's id and whether it is active."""

    grant: str
    active: bool


class ListPeople(Request):
    """Everybody."""


class PersonLine(Result):
    """One person as listed."""

    person: str
    printed_name: str
    disabled: bool
    roles: list[str]


class People(Result):
    """Everybody, in order of creation."""

    people: list[PersonLine]


def new_person(unit: Unit, request: AddPerson, *, organisation: str) -> Person:
    """Return the person as a record and store the password's hash; raise on a bad id."""
    if not PERSON_ID.fullmatch(request.person):
        raise InvalidInput(
            "a person's id is 2 to 32 lower-case letters, digits, dots or hyphens",
            next_step="choose another id, e.g. the part of the mail address before the @",
        )
    refuse_reserved(request.person)
    if unit.get(Person, request.person) is not None:
        raise Conflict(
            "there is already a person of this id; ids are never used again",
            next_step="choose another id",
        )
    if unit.get(ServiceClient, request.person) is not None:
        raise Conflict(
            "there is a calling system of this id, and the trail would take both for one",
            next_step="choose another id",
        )
    return Person(
        id=request.person,
        printed_name=request.printed_name,
        organisation=organisation,
        created_us=unit.now_us,
        disabled=False,
        demonstration=request.demonstration,
    )


def checked_hash(password: SecretStr) -> str:
    """Return the password's hash; raise InvalidInput where it is too short."""
    if len(password.get_secret_value()) < PASSWORD_LENGTH_MIN:
        raise InvalidInput(
            f"a password has at least {PASSWORD_LENGTH_MIN} characters",
            next_step="choose a longer one; four unrelated words are easy to keep",
        )
    return hash_password(password.get_secret_value())


def add_person(deployment: Deployment, actor: Actor, request: AddPerson) -> PersonAdded:
    """Add a person to the home's organisation."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_ADMINISTRATORS, scope, act="add people")
    hashed = checked_hash(request.password)

    def write(unit: Unit) -> PersonAdded:
        person = new_person(unit, request, organisation=scope.organisation)
        notes = private.put_credential(unit, person.id, hashed, must_change=True)
        unit.record(kind="person.added", actor=actor.person, add=[person], notes=notes)
        return PersonAdded(person=person.id)

    return deployment.pen.commit(write)


def disable_person(deployment: Deployment, actor: Actor, request: DisablePerson) -> PersonAdded:
    """Disable a person; their open sessions end with it."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_ADMINISTRATORS, scope, act="disable people")
    if request.person == actor.person:
        raise Forbidden(
            "you cannot disable yourself",
            next_step="ask another administrator",
        )

    def write(unit: Unit) -> PersonAdded:
        person = unit.require(Person, request.person)
        unit.record(
            kind="person.disabled",
            actor=actor.person,
            replace=[(person, replace(person, disabled=True))],
        )
        end_sessions(unit, person=person.id, actor=actor.person, reason="person_disabled")
        return PersonAdded(person=person.id)

    return deployment.pen.commit(write)


def grant_role(deployment: Deployment, actor: Actor, request: ChangeRole) -> RoleChanged:
    """Grant a role within a scope; P6 refuses two roles that must check each other."""
    wanted = _wanted(deployment, actor, request)

    def write(unit: Unit) -> RoleChanged:
        unit.require(Person, request.person)
        _refuse_conflicts(unit, wanted)
        grant = RoleGrant(
            id=_grant_id(wanted),
            person=wanted.person,
            role=wanted.role.value,
            scope=str(wanted.scope),
            granted_by=actor.person,
            active=True,
        )
        before = unit.get(RoleGrant, grant.id)
        if before is None:
            unit.record(kind="role.granted", actor=actor.person, add=[grant])
        elif before != grant:
            unit.record(kind="role.granted", actor=actor.person, replace=[(before, grant)])
        return RoleChanged(grant=grant.id, active=True)

    return deployment.pen.commit(write)


def revoke_role(deployment: Deployment, actor: Actor, request: ChangeRole) -> RoleChanged:
    """Revoke a role; revoking it again changes nothing."""
    wanted = _wanted(deployment, actor, request)

    def write(unit: Unit) -> RoleChanged:
        before = unit.require(RoleGrant, _grant_id(wanted))
        if before.active:
            after = replace(before, granted_by=actor.person, active=False)
            unit.record(kind="role.revoked", actor=actor.person, replace=[(before, after)])
        return RoleChanged(grant=before.id, active=False)

    return deployment.pen.commit(write)


def list_people(deployment: Deployment, actor: Actor, _request: ListPeople) -> People:
    """List everybody with their active roles."""
    del actor
    with deployment.reader() as reader:
        return People(people=[_line(reader, person) for person in reader.find(Person)])


def _line(reader: Reader, person: Person) -> PersonLine:
    grants = reader.find(RoleGrant, person=person.id, active=True)
    return PersonLine(
        person=person.id,
        printed_name=person.printed_name,
        disabled=person.disabled,
        roles=[f"{grant.role} in {grant.scope}" for grant in grants],
    )


def _wanted(deployment: Deployment, actor: Actor, request: ChangeRole) -> Grant:
    scope = Scope.parse(request.scope)
    actor.require(_ADMINISTRATORS, scope, act="change roles")
    if scope.organisation != deployment.home.config.organisation:
        raise InvalidInput(
            "the scope is not within this home's organisation",
            next_step=f"use {deployment.home.config.organisation}/SITE or …/*",
        )
    return Grant(person=request.person, role=request.role, scope=scope)


def _refuse_conflicts(unit: Unit, wanted: Grant) -> None:
    held = [
        Grant(person=row.person, role=Role(row.role), scope=Scope.parse(row.scope))
        for row in unit.find(RoleGrant, person=wanted.person, active=True)
    ]
    if clashes := conflicts(held, wanted):
        raise Conflict(
            f"the person is {clashes[0].role} in {clashes[0].scope}, and nobody is both that "
            f"and {wanted.role}",
            next_step="grant the role to somebody else, or revoke the other one first",
        )


def _grant_id(grant: Grant) -> str:
    return f"{grant.person}:{grant.role.value}:{grant.scope}"


ADD_PERSON = Operation(
    name="person.add",
    request=AddPerson,
    kinds=("person.added",),
    run=add_person,
    repeated="refused: the id is taken",
)
DISABLE_PERSON = Operation(
    name="person.disable",
    request=DisablePerson,
    kinds=("person.disabled", "session.ended"),
    run=disable_person,
    repeated="changes nothing but adds an entry",
)
GRANT_ROLE = Operation(
    name="role.grant",
    request=ChangeRole,
    kinds=("role.granted",),
    run=grant_role,
    repeated="changes nothing",
)
REVOKE_ROLE = Operation(
    name="role.revoke",
    request=ChangeRole,
    kinds=("role.revoked",),
    run=revoke_role,
    repeated="changes nothing",
)
LIST_PEOPLE = Operation(
    name="person.list", request=ListPeople, kinds=(), run=list_people, repeated="reads only"
)
