"""`vigil ledger` and `vigil receipt`: verification, with and without a home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from governance.cli import ledger_keys, trail, witness
from governance.cli.options import DEFAULT_HOME, HomeOption, JsonOption, show
from governance.errors import GovernanceError

app = typer.Typer(no_args_is_help=True, help="The audit log.")
app.add_typer(witness.app, name="witness")
trail.register(app)
ledger_keys.register(app)
receipts = typer.Typer(no_args_is_help=True, help="Receipts, checked offline.")


@app.command("verify")
def verify(
    home: HomeOption = DEFAULT_HOME,
    against_witness: Annotated[
        bool, typer.Option("--against-witness", help="Ask the configured witnesses now, too.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--from", help="An exported log, instead of a home.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="With --from: the pinned policy, never the folder's own.")
    ] = None,
    kept: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="With --from: a checkpoint that you kept or were given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify every entry, body and checkpoint; ends 3 and names the first bad entry.

    Reads only, and beside a running server too. Needs no sign-in: who can read the files may.
    A home whose end was taken away, or that was signed anew, only a witness can tell from a whole
    one: --against-witness.
    With --from it needs the exported files and a pinned policy, and no home.

    Example: vigil ledger verify --home vigil-home

    Example: vigil ledger verify --from exported --policy log.policy
    """
    if folder is None:
        from governance.operations.inspect.reconcile import difference
        from governance.operations.inspect.verify_files import verify_files

        report = verify_files(Path(home), against_witness=against_witness)
        fault = None if report.counts is None else difference(report.counts)
        _show_whole(report.model_dump(mode="json"), fault, as_json=as_json)
        return
    from governance.operations.inspect.verify_export import verify_export

    if policy is None:
        raise typer.BadParameter("--from needs --policy: whose key and which witnesses you trust")
    answers, incomplete = verify_export(folder, policy=policy, kept=kept)
    _show_whole(answers.model_dump(mode="json"), incomplete, as_json=as_json)


def _show_whole(report: dict[str, Any], fault: GovernanceError | None, *, as_json: bool) -> None:
    """Print a report that stands even with a fault, which is said beside it."""
    show(report, as_json=as_json)
    if fault is not None:
        typer.echo(f"vigil: {fault} [{fault.code}]\n  next: {fault.next_step}", err=True)
        raise typer.Exit(fault.exit_code)


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where the files go; made or continued.")],
    bodies: Annotated[
        bool, typer.Option("--bodies", help="Questions and answers too, in the clear.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Write the log as static files that others can verify; only what is new is written.

    Example: vigil ledger export exported --home vigil-home
    """
    from governance.operations.inspect.export_ledger import export_home

    exported = export_home(Path(home), folder, bodies=bodies)
    show(exported.model_dump(mode="json"), as_json=as_json)


@app.command("proof")
def proof(
    event_id: Annotated[str | None, typer.Argument(help="The event to prove.")] = None,
    consistency: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="OLD NEW", help="Prove instead that one size extends another."),
    ] = None,
    without_body: Annotated[
        bool, typer.Option("--without-body", help="Leave question and answer out.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Write to a file instead.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Print the receipt of an event, or the proof that the log was only appended to.

    Example: vigil ledger proof 0199f3a2-7c1e-7000-8000-000000000001 --output answer.receipt.json

    Example: vigil ledger proof --consistency 100 250
    """
    from governance.operations.inspect.ledger_proof import consistency_of, receipt_of

    if (event_id is None) == (consistency is None):
        raise typer.BadParameter("give an event, or --consistency OLD NEW")
    if consistency is not None:
        old, new = consistency
        text = consistency_of(Path(home), old=old, new=new).model_dump_json(indent=2)
    else:
        text = receipt_of(Path(home), str(event_id), with_body=not without_body).decode()
    if output is None:
        typer.echo(text)
    else:
        output.write_text(text, encoding="utf-8")


@app.command("reconcile")
def reconcile(
    metrics: Annotated[
        list[Path] | None,
        typer.Option(help="A saved page of GET /metrics, one for each server; may be repeated."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Compare the ledger's counts with what else counted; ends 3 and names what differs.

    Example: vigil ledger reconcile --metrics metrics.txt
    """
    from governance.operations.inspect.reconcile import difference, in_short, reconcile_home

    found = reconcile_home(Path(home), metrics=metrics or [])
    fault = difference(in_short(found))
    _show_whole(found.model_dump(mode="json"), fault, as_json=as_json)


@app.command("rebuild")
def rebuild(
    check: Annotated[bool, typer.Option("--check", help="Compare only; nothing is written.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Fold the facts again and compare every governed row; ends 3 and names a row that differs.

    Example: vigil ledger rebuild --check
    """
    from governance.operations.inspect.verify_files import rebuild_files

    del check
    show(rebuild_files(Path(home)).model_dump(mode="json"), as_json=as_json)


@app.command("checkpoint")
def checkpoint(home: HomeOption = DEFAULT_HOME) -> None:
    """Print the last signed checkpoint, a C2SP signed note.

    Example: vigil ledger checkpoint > checkpoint.txt
    """
    from governance.operations.inspect.verify_files import last_checkpoint

    typer.echo(last_checkpoint(Path(home)), nl=False)


@receipts.command("verify")
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="A *.receipt.json file.", exists=True)],
    policy: Annotated[
        Path, typer.Option(help="The pinned policy: the log's public key.", exists=True)
    ],
    as_json: JsonOption = False,
) -> None:
    """Verify a receipt offline: no home, no server, only the pinned public key.

    Example: vigil receipt verify answer.receipt.json --policy log.policy
    """
    from governance.operations.inspect.verify_receipt import verify_receipt_file

    show(verify_receipt_file(file, policy).model_dump(mode="json"), as_json=as_json)
