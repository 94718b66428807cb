"""The command line's root: the groups of commands, and what an error becomes."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from governance.cli import (
    audits,
    changes,
    data,
    demonstration,
    erasing,
    homes,
    ledger,
    models,
    people,
    plans,
    watch,
)
from governance.cli.door import ServerRefused
from governance.errors import EXIT_REFUSED, Problem

app = typer.Typer(
    name="vigil",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Govern the AI models of the oncology-drug lifecycle: registry, change plans, audits, "
    "monitors and a tamper-evident ledger behind a gated inference API.",
)
homes.register(app)
demonstration.register(app)
app.add_typer(homes.database, name="db")
app.add_typer(people.users, name="user")
app.add_typer(people.clients, name="client")
app.add_typer(models.app, name="model")
app.add_typer(plans.app, name="plan")
app.add_typer(data.app, name="data")
app.add_typer(changes.app, name="change")
app.add_typer(audits.app, name="audit")
app.add_typer(watch.monitors, name="monitor")
app.add_typer(watch.outcomes, name="outcome")
app.add_typer(watch.reviews, name="review")
app.add_typer(watch.holds, name="hold")
erasing.register(app)
app.add_typer(ledger.app, name="ledger")
app.add_typer(ledger.receipts, name="receipt")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("oncovigil"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that belong to no command."""
    del version


def run() -> None:
    """Run the command line; every operating error ends in its exit code and a next step."""
    try:
        app()
    except Exception as error:
        problem = _problem(error)
        if problem is None:
            raise
        _tell(*problem)
        sys.exit(problem[3])


def _tell(code: str, text: str, next_step: str, exit_code: int) -> None:
    """Say what is wrong to the person; with --json also to the program, on standard output."""
    typer.echo(f"vigil: {text} [{code}]\n  next: {next_step}", err=True)
    if "--json" in sys.argv:
        problem = {"code": code, "detail": text, "next_step": next_step, "exit_code": exit_code}
        typer.echo(json.dumps(problem, ensure_ascii=False))


def _problem(error: Exception) -> tuple[str, str, str, int] | None:
    if isinstance(error, ServerRefused):
        told = error.problem
        return (
            str(told.get("code", error.code)),
            str(error),
            error.next_step,
            int(told.get("exit_code", EXIT_REFUSED)),
        )
    known = Problem.of(error)
    if known is None:
        return None
    return known.code, known.detail, known.next_step, known.exit_code
