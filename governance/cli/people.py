"""`vigil user` and `vigil client`: people with roles, and calling systems."""

from __future__ import annotations

from typing import Annotated

import typer

from governance.cli.door import perform
from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    ask_new_password,
    ask_password,
    show,
    target,
)

users = typer.Typer(no_args_is_help=True, help="People and their roles.")
clients = typer.Typer(no_args_is_help=True, help="Calling systems.")

Person = Annotated[str, typer.Argument(help="The person's id.")]
Client = Annotated[str, typer.Argument(help="The client's id.")]


@users.command("add")
def add_user(
    person: Person,
    printed_name: Annotated[str, typer.Option(help="The name as signatures print it.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a person; asks for their first password, which only signs in to be changed.

    Example: vigil user add rea --printed-name "Rea Lindqvist"
    """
    params = {
        "person": person,
        "printed_name": printed_name,
        "password": ask_password(f"First password for {person}"),
    }
    show(perform(target(home, server), "person.add", params), as_json=as_json)


@users.command("password")
def change_password(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """Change your own password; your other sessions end. A new account begins with this.

    Example: vigil user password
    """
    params = {
        "old": ask_password("Present password"),
        "new": ask_new_password("New password"),
    }
    show(perform(target(home, server), "person.change_password", params), as_json=as_json)


@users.command("reset")
def reset_password(
    person: Person,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give somebody another first password; it only signs in to be changed.

    Example: vigil user reset rea
    """
    params = {"person": person, "password": ask_password(f"First password for {person}")}
    show(perform(target(home, server), "person.reset_password", params), as_json=as_json)


@users.command("list")
def list_users(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List everybody with their roles.

    Example: vigil user list
    """
    show(perform(target(home, server), "person.list", {}), as_json=as_json)


@users.command("disable")
def disable_user(
    person: Person,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Disable a person: no sign-in any more, signatures stay valid, the id stays taken.

    Example: vigil user disable rea
    """
    show(perform(target(home, server), "person.disable", {"person": person}), as_json=as_json)


@users.command("roles")
def roles(
    person: Person,
    scope: Annotated[str, typer.Option(help="organisation/site, or organisation/*.")],
    grant: Annotated[list[str] | None, typer.Option(help="A role to grant.")] = None,
    revoke: Annotated[list[str] | None, typer.Option(help="A role to revoke.")] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Grant and revoke roles within a scope.

    Example: vigil user roles rea --scope st-olav/* --grant reviewer
    """
    where = target(home, server)
    changed = []
    for name, wanted in (("role.grant", grant), ("role.revoke", revoke)):
        for role in wanted or []:
            params = {"person": person, "role": role, "scope": scope}
            changed.append(perform(where, name, params))
    show({"person": person, "changed": changed}, as_json=as_json)


@clients.command("add")
def add_client(
    client: Client,
    title: Annotated[str, typer.Option(help="What the system is.")],
    scope: Annotated[str, typer.Option(help="organisation/site.")],
    allow: Annotated[list[str], typer.Option(help="infer:MODEL, outcomes:write or read.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a calling system and print its secret, once.

    Example: vigil client add ward-3 --title "Ward 3" --scope org/ward-3 --allow infer:forecasting
    """
    params = {"client": client, "title": title, "scope": scope, "permissions": allow}
    show(perform(target(home, server), "client.add", params), as_json=as_json)


@clients.command("list")
def list_clients(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the calling systems.

    Example: vigil client list
    """
    show(perform(target(home, server), "client.list", {}), as_json=as_json)


@clients.command("rotate")
def rotate_client(
    client: Client,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a client a new secret; tokens under the old one end.

    Example: vigil client rotate ward-3
    """
    show(perform(target(home, server), "client.rotate", {"client": client}), as_json=as_json)


@clients.command("disable")
def disable_client(
    client: Client,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Disable a client: its tokens end at once.

    Example: vigil client disable ward-3
    """
    show(perform(target(home, server), "client.disable", {"client": client}), as_json=as_json)
