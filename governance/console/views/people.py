"""Who can act here, as what and where; read-only, changes are made from the command line."""

from __future__ import annotations

from dataclasses import dataclass

from governance.registry.records import Person, RoleGrant, ServiceClient
from governance.storage.ports import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonShown:
    """A person with every role that was ever granted and is still held."""

    person: Person
    grants: tuple[RoleGrant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleView:
    """People and calling systems."""

    people: tuple[PersonShown, ...]
    clients: tuple[ServiceClient, ...]


def people_view(reader: Reader) -> PeopleView:
    """Return everybody who can sign in and every system that can call."""
    return PeopleView(
        people=tuple(
            PersonShown(
                person=person,
                grants=tuple(reader.find(RoleGrant, person=person.id, active=True)),
            )
            for person in reader.find(Person)
        ),
        clients=tuple(reader.find(ServiceClient)),
    )
