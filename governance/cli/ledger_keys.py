"""`vigil ledger rotate-key`, `close` and `recover`: the log's own keys, and its end."""

from __future__ import annotations

from typing import Annotated

import typer

from governance.cli.door import perform
from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    ask_password,
    show,
    target,
)


def register(app: typer.Typer) -> None:
    """Add the commands to `vigil ledger`."""
    app.command("rotate-key")(rotate_key)


def rotate_key(
    finish: Annotated[
        bool, typer.Option("--finish", help="End the overlap: retire and destroy the old key.")
    ] = False,
    although_unknown: Annotated[
        bool,
        typer.Option(help="With --finish: although too few witnesses show the new key."),
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give the log a new key: an administrator begins, a reviewer or regulatory signs.

    From then on both keys sign, until an administrator ends it with --finish.

    Example: vigil ledger rotate-key

    Example: vigil ledger rotate-key --finish
    """
    where, password = target(home, server), ask_password("Your password, to sign")
    if finish:
        params = {"password": password, "although_unknown": although_unknown}
        show(perform(where, "ledger.retire_key", params), as_json=as_json)
        return
    show(perform(where, "ledger.rotate_key", {"password": password}), as_json=as_json)
