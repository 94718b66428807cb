"""`vigil erase`, `erasure`, `legal-hold` and `keys`: what must be gone, and what must be kept."""

from __future__ import annotations

import sys
from pathlib import Path
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

erasures = typer.Typer(no_args_is_help=True, help="Requests to erase a person.")
legal_holds = typer.Typer(no_args_is_help=True, help="What keeps bodies from being erased.")
keys = typer.Typer(no_args_is_help=True, help="The keys of bodies.")

Erasure = Annotated[str, typer.Argument(help="The erasure, e.g. E-1.")]
LegalHold = Annotated[str, typer.Argument(help="The legal hold, e.g. LH-1.")]


def given(text: str) -> str:
    """Return what was typed, or for - the next line of standard input: no process list shows it."""
    return sys.stdin.readline().rstrip("\n") if text == "-" else text


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command("erase")(erase)
    app.add_typer(erasures, name="erasure")
    app.add_typer(legal_holds, name="legal-hold")
    app.add_typer(keys, name="keys")


def erase(
    subject: Annotated[
        str, typer.Argument(help="The identifier that callers send; - reads it from input.")
    ],
    basis: Annotated[str, typer.Option(help="A code, e.g. consent_withdrawn, objection.")],
    reason: Annotated[
        str, typer.Option(help="Why, in a sentence; it is erased too. - reads it from input.")
    ],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask that a person be erased; another person confirms it.

    A shell keeps what is typed: give - for both, and on standard input the identifier in the first
    line and the reason in the second.

    Example: vigil erase - --basis objection --reason - < letter.txt
    """
    params = {"subject": given(subject), "basis": basis, "reason": given(reason)}
    show(perform(target(home, server), "erasure.request", params), as_json=as_json)


@erasures.command("list")
def list_erasures(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the erasures, and what keeps those that wait.

    Example: vigil erasure list
    """
    show(perform(target(home, server), "erasure.list", {}), as_json=as_json)


@erasures.command("show")
def show_erasure(
    erasure: Erasure,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an erasure, what it would destroy, and what you may decide.

    Example: vigil erasure show E-1
    """
    show(perform(target(home, server), "erasure.show", {"erasure": erasure}), as_json=as_json)


@erasures.command("confirm")
def confirm(
    erasure: Erasure,
    receipt: Annotated[
        Path | None, typer.Option(help="Write the receipt of the erasing entry to a file.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign, and destroy everything that was recorded of the person. It cannot be undone.

    Example: vigil erasure confirm E-1 --receipt E-1.receipt.json
    """
    params = {"erasure": erasure, "password": ask_password(f"Password, to sign {erasure}")}
    erased = perform(target(home, server), "erasure.confirm", params)
    if receipt is not None:
        receipt.write_text(str(erased.pop("receipt")), encoding="utf-8")
        erased["receipt_file"] = str(receipt)
    show(erased, as_json=as_json)


@erasures.command("refuse")
def refuse(
    erasure: Erasure,
    reason: Annotated[str, typer.Option(help="Why, in a sentence; - reads it from input.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse an erasure; everything stays.

    Example: vigil erasure refuse E-1 --reason "Retention of medical records applies"
    """
    params = {"erasure": erasure, "reason": given(reason)}
    show(perform(target(home, server), "erasure.refuse", params), as_json=as_json)


@erasures.command("finish")
def finish(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """Destroy keys and sweep files where an erasure could not, because something long was reading.

    Example: vigil erasure finish
    """
    show(perform(target(home, server), "erasure.finish", {}), as_json=as_json)


@legal_holds.command("place")
def place(
    cause: Annotated[str, typer.Option(help="A code, e.g. litigation.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence; - reads it from input.")],
    subject: Annotated[
        str | None, typer.Option(help="One person's bodies; - reads the identifier from input.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Everything that one model answered.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All bodies.")] = False,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep bodies from being erased, at once.

    Example: vigil legal-hold place --model dosing --cause litigation --reason "Case 7"
    """
    params = {
        "subject": None if subject is None else given(subject),
        "model": model,
        "everything": everything,
        "cause": cause,
        "reason": given(reason),
    }
    show(perform(target(home, server), "legal_hold.place", params), as_json=as_json)


@legal_holds.command("lift")
def lift(
    legal_hold: LegalHold,
    reason: Annotated[str, typer.Option(help="Why, in a sentence; - reads it from input.")] = "",
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign for lifting a legal hold; two different people must.

    Example: vigil legal-hold lift LH-1 --reason "Case 7 is closed"
    """
    params = {
        "legal_hold": legal_hold,
        "reason": given(reason),
        "password": ask_password("Password, to sign"),
    }
    show(perform(target(home, server), "legal_hold.lift", params), as_json=as_json)


@legal_holds.command("withdraw")
def withdraw(
    legal_hold: LegalHold,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the first signature for lifting a legal hold back; two others may sign then.

    Example: vigil legal-hold withdraw LH-1
    """
    params = {"legal_hold": legal_hold}
    show(perform(target(home, server), "legal_hold.withdraw", params), as_json=as_json)


@legal_holds.command("list")
def list_legal_holds(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the legal holds, and the erasures that each stops.

    Example: vigil legal-hold list
    """
    show(perform(target(home, server), "legal_hold.list", {}), as_json=as_json)


@keys.command("rotate-epoch")
def rotate_epoch(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """Wrap every key again under a new key-encryption key; older copies of the store open nothing.

    Example: vigil keys rotate-epoch
    """
    show(perform(target(home, server), "keys.rotate_epoch", {}), as_json=as_json)
