"""`vigil ledger witness`: run a witness for another party's log, or look after one's own log's.

`init` and `serve` belong to the other party and know no home; `apply` and `status` are the log's.
"""

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
    show,
    target,
)

app = typer.Typer(no_args_is_help=True, help="Witnesses: other parties that cosign checkpoints.")

WitnessHomeOption = Annotated[Path, typer.Option("--home", help="The witness's own folder.")]
DEFAULT_WITNESS = Path("witness-home")
LogPolicyOption = Annotated[
    Path, typer.Option(help="The policy file that the witness serves.", exists=True)
]


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


@app.command("add-key")
def add_key(
    vkey: Annotated[str, typer.Argument(help="The log's new verifier key, from its operator.")],
    log_policy: LogPolicyOption,
    as_json: JsonOption = False,
) -> None:
    """At the witness: accept a further key of a log that is known, while its keys are rotated.

    What was seen of the log stays; a running witness reads the file again by itself.

    Example: vigil ledger witness add-key VKEY --log-policy log.policy
    """
    from governance.witness.known_logs import add_log_key

    show(add_log_key(log_policy, vkey), as_json=as_json)


@app.command("retire-key")
def retire_key(
    vkey: Annotated[str, typer.Argument(help="The log's old verifier key.")],
    log_policy: LogPolicyOption,
    as_json: JsonOption = False,
) -> None:
    """At the witness: accept a key of a log no more; it must have another one.

    Example: vigil ledger witness retire-key VKEY --log-policy log.policy
    """
    from governance.witness.known_logs import retire_log_key

    show(retire_log_key(log_policy, vkey), as_json=as_json)


@app.command("apply")
def apply(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """Put the witnesses and the quorum of vigil.toml in force: an entry, then a new log.policy.

    Example: vigil ledger witness apply
    """
    show(perform(target(home, server), "witness.apply", {}), as_json=as_json)


@app.command("status")
def status(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """Say how far each witness has come, and up to where a quorum has seen the ledger.

    Example: vigil ledger witness status
    """
    show(perform(target(home, server), "witness.status", {}), as_json=as_json)
