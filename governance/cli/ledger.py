"""`vigil ledger` and `vigil receipt`: verification, with and without a home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from governance.cli import witness
from governance.cli.options import DEFAULT_HOME, HomeOption, JsonOption, show

app = typer.Typer(no_args_is_help=True, help="The audit log.")
app.add_typer(witness.app, name="witness")
receipts = typer.Typer(no_args_is_help=True, help="Receipts, checked offline.")


@app.command("verify")
def verify(
    home: HomeOption = DEFAULT_HOME,
    against_witness: Annotated[
        bool, typer.Option("--against-witness", help="Ask the configured witnesses now, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify every entry, body and checkpoint; ends 3 and names the first bad entry.

    Reads only, and beside a running server too. Needs no sign-in: who can read the files may.
    A home whose end was taken away, or that was signed anew, only a witness can tell from a whole
    one: --against-witness.

    Example: vigil ledger verify --home vigil-home
    """
    from governance.operations.inspect.verify_files import verify_files

    report = verify_files(Path(home), against_witness=against_witness)
    show(report.model_dump(mode="json"), as_json=as_json)


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
