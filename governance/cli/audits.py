"""`vigil audit`: evidence."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated

import typer

from governance.cli import tallies
from governance.cli.door import perform
from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    ask_password,
    finish,
    say,
    show,
    target,
    text_of,
)
from governance.cli.protocols import app as protocols
from governance.errors import EXIT_REFUSED, EXIT_TAMPERED, Conflict

app = typer.Typer(no_args_is_help=True, help="Statistical audits and their evidence.")
app.add_typer(protocols, name="protocol")
app.add_typer(tallies.app, name="tally")

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


@app.command("sign")
def sign(
    evidence: Evidence,
    output: Annotated[Path, typer.Option("-o", "--output", help="The sealed PDF to write.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign evidence that you have read, and write its report as a sealed PDF.

    Beside it stands the certificate to check the seal with, FILE.root.pem.

    Example: vigil audit sign E-1 -o report.pdf
    """
    root = output.with_name(f"{output.name}.root.pem")
    for path in (output, root):
        if path.exists() or not path.parent.is_dir():
            raise Conflict(
                f"{path} exists already, or its folder does not",
                next_step="name another file; nothing was signed",
            )
    params = {"evidence": evidence, "password": ask_password("Password, to sign as the reader")}
    signed = perform(target(home, server), "audit.sign", params)
    output.write_bytes(base64.b64decode(signed.pop("document")))
    root.write_text(signed.pop("root"), encoding="ascii")
    show(signed, as_json=as_json)


@app.command("check-seal")
def check_seal(
    file: Annotated[Path, typer.Argument(help="The sealed PDF.", exists=True, dir_okay=False)],
    root: Annotated[
        Path, typer.Option(help="The certificate that you trust.", exists=True, dir_okay=False)
    ],
    as_json: JsonOption = False,
) -> None:
    """Check a sealed report, without a home or a server. Ends 3 where the seal does not hold.

    Example: vigil audit check-seal report.pdf --root report.pdf.root.pem
    """
    from governance.adapters import pdf_seal

    found = pdf_seal.check_seal(file.read_bytes(), root=root.read_bytes())
    shown = {
        "holds": found.holds,
        "bytes_as_sealed": found.intact,
        "certificate_trusted": found.trusted,
        "nothing_added": found.whole,
        "sealed_by": found.signer,
    }
    show(shown, as_json=as_json)
    if not found.holds:
        raise typer.Exit(EXIT_TAMPERED)


def tables_of(data: list[str] | None) -> list[dict[str, str]]:
    """Read the files of `--data`; one without a role is the test data."""
    tables = []
    for given in data or []:
        role, separator, name = given.partition("=")
        text = text_of(Path(name if separator else given))
        tables.append({"role": role if separator else "test", "text": text})
    return tables
