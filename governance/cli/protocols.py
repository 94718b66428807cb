"""`vigil audit protocol`: what an audit of rows will ask, frozen before the rows are read."""

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
    ask_password,
    show,
    target,
    text_of,
)

app = typer.Typer(no_args_is_help=True, help="Audit protocols, frozen before the rows are read.")

ProtocolFile = Annotated[Path, typer.Argument(help="The audit protocol, audit.yaml.", exists=True)]


@app.command("check")
def check(file: ProtocolFile, as_json: JsonOption = False) -> None:
    """Check a protocol without registering it; every fault is named with its line.

    Example: vigil audit protocol check audit.yaml
    """
    from change_control.audit.protocol import parse_protocol

    protocol = parse_protocol(text_of(file))
    show({"model": protocol.model, "kind": protocol.kind.value, "faults": []}, as_json=as_json)


@app.command("register")
def register(
    file: ProtocolFile,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Freeze and sign an audit protocol; a reviewer then approves it.

    Example: vigil audit protocol register audit.yaml
    """
    from change_control.audit.protocol import document_kind, parse_protocol

    text = text_of(file)
    params = {
        "kind": document_kind(parse_protocol(text).kind).value,
        "text": text,
        "password": ask_password("Password, to sign as the author"),
    }
    show(perform(target(home, server), "document.register", params), as_json=as_json)
