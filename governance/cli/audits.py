"""`vigil audit`: evidence."""

from __future__ import annotations

from pathlib import Path
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
from governance.cli.protocols import app as protocols
from governance.errors import EXIT_REFUSED, EXIT_TAMPERED, InvalidInput

app = typer.Typer(no_args_is_help=True, help="Statistical audits and their evidence.")
app.add_typer(protocols, name="protocol")

Evidence = Annotated[str, typer.Argument(help="The evidence, e.g. E-1.")]
DataOption = Annotated[
    list[str] | None,
    typer.Option("--data", help="A registered table as FILE, or ROLE=FILE, e.g. reference=a.csv."),
]


@app.command("run")
def run(
    kind: Annotated[
        str, typer.Argument(help="temporal, discrimination, calibration, fairness or drift.")
    ],
    ref: Annotated[str, typer.Argument(help="A version, e.g. forecasting/1, or a model.")],
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run an audit as it was registered beforehand. Ends 10 on fail, 11 on insufficient.

    Without files: the temporal validation that the change plan describes, on the registered
    series. With files: the audit protocol of this kind that is in force for the model; every file
    has to be a registered table.

    Example: vigil audit run fairness dosing --data warfarin.csv
    """
    say("Evaluating …")
    where = target(home, server)
    if not data and kind == "temporal":
        finish(perform(where, "audit.run", {"version": ref}), as_json=as_json)
        return
    params = {"kind": kind, "ref": ref, "tables": tables_of(data)}
    finish(perform(where, "audit.run_table", params), as_json=as_json)


@app.command("compare")
def compare(
    first: Evidence,
    second: Annotated[str, typer.Argument(help="The other evidence, e.g. E-2.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put two pieces of evidence of one kind side by side, estimate by estimate.

    Example: vigil audit compare E-1 E-2
    """
    params = {"first": first, "second": second}
    show(perform(target(home, server), "audit.compare", params), as_json=as_json)


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
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the evidence again from the recorded bytes; ends 3 where the digest differs.

    Where other versions of the numerical libraries are installed than were recorded, a difference
    proves nothing, and it ends 1. Of an audit of rows the files have to be brought again.

    Example: vigil audit reproduce E-1
    """
    say("Computing …")
    params = {"evidence": evidence, "tables": tables_of(data)}
    found = perform(target(home, server), "audit.reproduce", params)
    show(found, as_json=as_json)
    if not found["identical"]:
        raise typer.Exit(EXIT_TAMPERED if found["same_software"] else EXIT_REFUSED)


def tables_of(data: list[str] | None) -> list[dict[str, str]]:
    """Read the files of `--data`; one without a role is the test data."""
    tables = []
    for given in data or []:
        role, separator, name = given.partition("=")
        path = Path(name if separator else given)
        try:
            text = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(
                f"{path} cannot be read as UTF-8 text",
                next_step="give --data FILE, or --data ROLE=FILE",
            ) from error
        tables.append({"role": role if separator else "test", "text": text})
    return tables
