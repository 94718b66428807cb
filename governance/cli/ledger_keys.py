"""`vigil ledger rotate-key`, `close` and `recover`: the log's own keys, and its end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

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

if TYPE_CHECKING:
    from governance.operations.admin.succession import EndOfLog

NewHomeArgument = Annotated[Path, typer.Argument(help="The folder of the new home.")]
AdministratorOption = Annotated[str, typer.Option(help="The administrator who signs.")]
SecondOption = Annotated[str, typer.Option(help="The reviewer or regulatory who signs too.")]
ReasonOption = Annotated[str, typer.Option(help="Why, as a code; it stands in the record.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `vigil ledger`."""
    app.command("rotate-key")(rotate_key)
    app.command("close")(close)
    app.command("recover")(recover)


def close(
    new_home: NewHomeArgument,
    administrator: AdministratorOption,
    second: SecondOption,
    reason: ReasonOption = "planned",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """End this log and begin its successor in a new home; two people sign with their passwords.

    The state of governance is carried over, and the last entry here names the new log. The server
    must not run.

    Example: vigil ledger close next-home --administrator ada --second rea --home vigil-home
    """
    from governance.operations.admin.succession import close_log

    closed = close_log(home, new_home, _request(administrator, second, reason))
    show(closed.model_dump(mode="json"), as_json=as_json)


def recover(
    new_home: NewHomeArgument,
    administrator: AdministratorOption,
    second: SecondOption,
    reason: ReasonOption = "storage_lost",
    compromised: Annotated[
        bool, typer.Option("--compromised", help="The log key is in strange hands.")
    ] = False,
    key_lost: Annotated[
        bool, typer.Option("--key-lost", help="The log key is gone, and no backup has it.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Begin a successor of a log that is behind its witnesses, or whose key was stolen or lost.

    Into the old home only a mark is written, and it starts no more. The first entry of the new one
    says what is lost, with the checkpoint that proves it.

    Example: vigil ledger recover next-home --administrator ada --second rea --home vigil-home
    """
    from governance.operations.admin.succession import recover_log

    if compromised and key_lost:
        raise typer.BadParameter("a key that was stolen and is lost too is --compromised")
    begun = recover_log(
        home,
        new_home,
        _request(administrator, second, reason),
        compromised=compromised,
        key_lost=key_lost,
    )
    show(begun.model_dump(mode="json"), as_json=as_json)


def _request(administrator: str, second: str, reason: str) -> EndOfLog:
    from governance.operations.admin.succession import EndOfLog, Signing

    if re.fullmatch(r"[a-z][a-z_.]{2,60}", reason) is None:
        raise typer.BadParameter("--reason is a code, as in planned or key_compromised")
    passwords = (
        ask_password(f"Password of {administrator}"),
        ask_password(f"Password of {second}", variable="VIGIL_SECOND_PASSWORD"),
    )
    first, other = (
        Signing(person=person, password=SecretStr(password))
        for person, password in zip((administrator, second), passwords, strict=True)
    )
    return EndOfLog(administrator=first, second=other, reason=reason)


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
