"""`vigil ledger witness`: run a witness for another party's log, or look after one's own log's.

`init` and `serve` belong to the other party and know no home; `apply` and `status` are the log's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from governance.cli.options import JsonOption, show

app = typer.Typer(no_args_is_help=True, help="Witnesses: other parties that cosign checkpoints.")

WitnessHomeOption = Annotated[Path, typer.Option("--home", help="The witness's own folder.")]
DEFAULT_WITNESS = Path("witness-home")


@app.command("init")
def init(
    name: Annotated[
        str, typer.Option(help="The witness's key name: an address of yours without a scheme.")
    ],
    home: WitnessHomeOption = DEFAULT_WITNESS,
    as_json: JsonOption = False,
) -> None:
    """Make a witness's key and print its verifier key, which the log's operator puts in vigil.toml.

    Example: vigil ledger witness init --name witness.hospital.example --home witness-home
    """
    from governance.witness.home import create_witness

    made = create_witness(home, name=name)
    show({"home": str(made.root), "name": name, "vkey": made.vkey.text()}, as_json=as_json)


@app.command("serve")
def serve(
    log_policy: Annotated[
        Path,
        typer.Option(help="A policy file with the logs to be witnessed.", exists=True),
    ],
    home: WitnessHomeOption = DEFAULT_WITNESS,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8010,
) -> None:
    """Answer add-checkpoint (c2sp.org/tlog-witness) for the logs of the policy file.

    Example: vigil ledger witness serve --home witness-home --log-policy log.policy --port 8010
    """
    from governance.witness.server import serve_witness

    def ready(vkey: str, address: str) -> None:
        typer.echo(f"Witnessing {address} as {vkey}")

    serve_witness(home, policy=log_policy, host=host, port=port, ready=ready)
