"""Calling systems: add, rotate the secret, disable, list. A client asks; it never signs (P6)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from pydantic import Field

from change_control.roles import Role
from change_control.scope import Scope
from governance import ids
from governance.adapters.passwords import hash_password
from governance.deployment import Deployment
from governance.errors import Conflict, InvalidInput
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.registry.machines import refuse_reserved
from governance.registry.records import Person, ServiceClient
from governance.storage import private
from governance.storage.ports import Unit

CLIENT_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,62}")
PERMISSION: Final = re.compile(r"infer:[a-z][a-z0-9-]{0,62}|outcomes:write|read")
_ADMINISTRATORS: Final = frozenset({Role.ADMINISTRATOR})


class AddClient(Request):
    """A calling system with what it may do, within one scope."""

    client: str
    title: str = Field(min_length=2, max_length=100)
    scope: str
    permissions: list[str] = Field(min_length=1)


class NameClient(Request):
    """A calling system."""

    client: str


class ClientSecret(Result):
    """The client's secret. It is shown now and kept only as a hash."""

    client: str
    secret: str


class ClientState(Result):
    """One client as listed."""

    client: str
    title: str
    scope: str
    permissions: list[str]
    disabled: bool


class ListClients(Request):
    """Every client."""


class Clients(Result):
    """Every client, in order of creation."""

    clients: list[ClientState]


def add_client(deployment: Deployment, actor: Actor, request: AddClient) -> ClientSecret:
    """Add a calling system and return its secret, once."""
    scope = Scope.parse(request.scope)
    actor.require(_ADMINISTRATORS, scope, act="add clients")
    _check(request)
    secret = ids.token()
    hashed = hash_password(secret)

    def write(unit: Unit) -> ClientSecret:
        if unit.get(ServiceClient, request.client) is not None:
            raise Conflict(
                "there is already a client of this id; ids are never used again",
                next_step="choose another id, or rotate the secret of this one",
            )
        if unit.get(Person, request.client) is not None:
            raise Conflict(
                "there is a person of this id, and the trail would take both for one",
                next_step="choose another id, such as the name of the system",
            )
        client = ServiceClient(
            id=request.client,
            title=request.title,
            scope=str(scope),
            permissions=" ".join(sorted(set(request.permissions))),
            secret_epoch=1,
            disabled=False,
        )
        notes = private.put_client_secret(unit, client.id, hashed, client.secret_epoch)
        unit.record(kind="client.added", actor=actor.person, add=[client], notes=notes)
        return ClientSecret(client=client.id, secret=secret)

    return deployment.pen.commit(write)


def rotate_client(deployment: Deployment, actor: Actor, request: NameClient) -> ClientSecret:
    """Give the client a new secret; tokens that were issued under the old one end with it."""
    secret = ids.token()
    hashed = hash_password(secret)

    def write(unit: Unit) -> ClientSecret:
        client = unit.require(ServiceClient, request.client)
        actor.require(_ADMINISTRATORS, Scope.parse(client.scope), act="rotate secrets")
        after = replace(client, secret_epoch=client.secret_epoch + 1)
        notes = private.put_client_secret(unit, client.id, hashed, after.secret_epoch)
        unit.record(
            kind="client.rotated", actor=actor.person, replace=[(client, after)], notes=notes
        )
        return ClientSecret(client=client.id, secret=secret)

    return deployment.pen.commit(write)


def disable_client(deployment: Deployment, actor: Actor, request: NameClient) -> ClientState:
    """Disable the client: its tokens end at once and its id stays taken."""

    def write(unit: Unit) -> ClientState:
        client = unit.require(ServiceClient, request.client)
        actor.require(_ADMINISTRATORS, Scope.parse(client.scope), act="disable clients")
        after = replace(client, disabled=True)
        if after != client:
            unit.record(kind="client.disabled", actor=actor.person, replace=[(client, after)])
        return _state(after)

    return deployment.pen.commit(write)


def list_clients(deployment: Deployment, actor: Actor, _request: ListClients) -> Clients:
    """List every client; secrets are not kept, so none is shown."""
    del actor
    with deployment.reader() as reader:
        return Clients(clients=[_state(client) for client in reader.find(ServiceClient)])


def _check(request: AddClient) -> None:
    if not CLIENT_ID.fullmatch(request.client):
        raise InvalidInput(
            "a client's id is 2 to 63 lower-case letters, digits or hyphens",
            next_step="choose another id, e.g. ward-3-pharmacy",
        )
    refuse_reserved(request.client)
    for permission in request.permissions:
        if not PERMISSION.fullmatch(permission):
            raise InvalidInput(
                "a permission is infer:MODEL, outcomes:write or read",
                next_step="name the model that the client asks, e.g. infer:forecasting",
            )


def _state(client: ServiceClient) -> ClientState:
    return ClientState(
        client=client.id,
        title=client.title,
        scope=client.scope,
        permissions=client.permissions.split(),
        disabled=client.disabled,
    )


ADD_CLIENT = Operation(
    name="client.add",
    request=AddClient,
    kinds=("client.added",),
    run=add_client,
    repeated="refused: the id is taken",
)
ROTATE_CLIENT = Operation(
    name="client.rotate",
    request=NameClient,
    kinds=("client.rotated",),
    run=rotate_client,
    repeated="makes another secret; the last one counts",
)
DISABLE_CLIENT = Operation(
    name="client.disable",
    request=NameClient,
    kinds=("client.disabled",),
    run=disable_client,
    repeated="changes nothing",
)
LIST_CLIENTS = Operation(
    name="client.list", request=ListClients, kinds=(), run=list_clients, repeated="reads only"
)
