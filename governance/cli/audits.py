"""`vigil audit`: evidence."""

from __future__ import annotations

from typing import Annotated

import typer

from governance.cli.door import perform
from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    finish,
    say,
    show,
    target,
)
from governance.errors import EXIT_REFUSED, EXIT_TAMPERED

app = typer.Typer(no_args_is_help=True, help="Statistical audits and their evidence.")

Evidence = Annotated[str, typer.Argument(help="The evidence, e.g. E-1.")]


@app.command("run")
def run(
    version: Annotated[str, typer.Argument(help="The version, e.g. forecasting/1.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the plan's temporal validation of a version. Ends 10 on fail, 11 on insufficient.

    Example: vigil audit run forecasting/1
    """
    say("Evaluating …")
    finish(perform(target(home, server), "audit.run", {"version": version}), as_json=as_json)


@app.command("list")
def list_evidence(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the evidence.

    Example: vigil audit list
    """
    show(perform(target(home, server), "audit.list", {}), as_json=as_json)


@app.command("show")
def show_evidence(
    evidence: Evidence,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show evidence: criteria, estimates with intervals, verdicts, order proof.

    Example: vigil audit show E-1 --json
    """
    shown = perform(target(home, server), "audit.show", {"evidence": evidence})
    show(shown if as_json else shown["line"], as_json=as_json)


@app.command("reproduce")
def reproduce(
    evidence: Evidence,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the evidence again from the recorded bytes; ends 3 where the digest differs.

    Where other versions of the numerical libraries are installed than were recorded, a difference
    proves nothing, and it ends 1.

    Example: vigil audit reproduce E-1
    """
    say("Computing …")
    found = perform(target(home, server), "audit.reproduce", {"evidence": evidence})
    show(found, as_json=as_json)
    if not found["identical"]:
        raise typer.Exit(EXIT_TAMPERED if found["same_software"] else EXIT_REFUSED)
