"""`vigil init`, `serve`, `login` and `db`: the home and its server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    ask_password,
    show,
    target,
)

database = typer.Typer(no_args_is_help=True, help="The database's schema.")


AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        envvar="VIGIL_DATABASE_OWNER",
        help="Reach the PostgreSQL database as the role that owns it.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands that stand at the root."""
    app.command("init")(init)
    app.command("serve")(serve)
    app.command("login")(login)


def init(
    organisation: Annotated[str, typer.Option(help="The organisation, e.g. st-olav.")],
    administrator: Annotated[str, typer.Option(help="The first administrator's id, e.g. ada.")],
    printed_name: Annotated[str, typer.Option(help="Their name as signatures print it.")],
    deployment: Annotated[str, typer.Option(help="A name for this deployment.")] = "main",
    database_address: Annotated[
        str, typer.Option("--database", help="sqlite, or a postgresql:// address.")
    ] = "sqlite",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Create a home: keys, ledger with its genesis entry, and the first administrator.

    Example: vigil init --organisation st-olav --administrator ada --printed-name "Ada Berg"
    """
    from governance.operations.admin.create_home import create_home

    password = ask_password(f"Password for {administrator}")
    created = create_home(
        home,
        organisation=organisation,
        deployment=deployment,
        database=database_address,
        administrator=administrator,
        printed_name=printed_name,
        password=password,
    )
    show(created.model_dump(mode="json"), as_json=as_json)


def serve(
    home: HomeOption = DEFAULT_HOME,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Serve the API and the console; the home belongs to this process until it ends.

    Example: vigil serve --home vigil-home --port 8000
    """
    from governance.api.server import serve_home

    serve_home(home, host=host, port=port, ready=lambda address: typer.echo(f"Serving {address}"))


def login(
    person: Annotated[str, typer.Argument(help="Your id.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign in, so that later commands act as you. Signing asks for the password again.

    Example: vigil login ada
    """
    from governance.cli.door import sign_in

    opened = sign_in(target(home, server), person=person, password=ask_password("Password"))
    show(opened, as_json=as_json)


@database.command("upgrade")
def upgrade(
    home: HomeOption = DEFAULT_HOME,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the database to this release's revision. Nothing does this by itself.

    Example: vigil db upgrade --home vigil-home
    """
    from governance.operations.admin.schema import upgrade_schema

    show(upgrade_schema(Path(home), address=address), as_json=as_json)


@database.command("check")
def check(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Say whether the database has this release's revision.

    Example: vigil db check --home vigil-home
    """
    from governance.operations.admin.schema import check_schema

    show(check_schema(Path(home)), as_json=as_json)


@database.command("fence")
def fence(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Stop every process that writes to the PostgreSQL database, until each is started again.

    Example: vigil db fence --home vigil-home
    """
    from governance.operations.admin.schema import fence_writers

    show(fence_writers(Path(home)), as_json=as_json)


@database.command("roles")
def roles(
    home: HomeOption = DEFAULT_HOME,
    prefix: Annotated[str, typer.Option(help="What the names of the roles begin with.")] = "vigil",
    apply: Annotated[bool, typer.Option("--apply", help="Run the SQL instead of printing it.")] = (
        False
    ),
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print or run the SQL that makes owner, writer and reader of a PostgreSQL database.

    Example: vigil db roles --home vigil-home
    """
    from governance.operations.admin.schema import database_roles

    made = database_roles(Path(home), prefix=prefix, address=address, applied=apply)
    if as_json or apply:
        show({**made, "sql": len(made["sql"])} if apply else made, as_json=as_json)
    else:
        typer.echo("\n".join(made["sql"]))
