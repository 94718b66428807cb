"""`vigil plan`: the change plan, frozen before results; `vigil monitor plan` is its sibling."""

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
)

app = typer.Typer(no_args_is_help=True, help="Pre-registered change plans.")

PlanFile = Annotated[Path, typer.Argument(help="The change plan, plan.yaml.", exists=True)]


@app.command("check")
def check(file: PlanFile, as_json: JsonOption = False) -> None:
    """Check a plan without registering it; every fault is named with its line.

    Example: vigil plan check plan.yaml
    """
    from change_control.change.documents import DocumentKind
    from governance.operations.change.register_document import check_document

    checked = check_document(DocumentKind.PLAN, file.read_text(encoding="utf-8"))
    show({"model": checked.model, "faults": []}, as_json=as_json)


@app.command("register")
def register(
    file: PlanFile,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Freeze and sign a change plan; a reviewer then approves it.

    Example: vigil plan register plan.yaml
    """
    params = {
        "kind": "plan",
        "text": file.read_text(encoding="utf-8"),
        "password": ask_password("Password, to sign as the author"),
    }
    show(perform(target(home, server), "document.register", params), as_json=as_json)


@app.command("show")
def show_plan(
    document: Annotated[str, typer.Argument(help="The document, e.g. plan:forecasting:1.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a registered document with its state and digest.

    Example: vigil plan show plan:forecasting:1
    """
    show(perform(target(home, server), "document.show", {"document": document}), as_json=as_json)


@app.command("trace")
def trace(file: PlanFile, as_json: JsonOption = False) -> None:
    """Print the plan's traceability matrix; an empty cell is a fault.

    Example: vigil plan trace plan.yaml
    """
    from governance.operations.change.trace_plan import trace_text

    show(trace_text(file.read_text(encoding="utf-8")), as_json=as_json)
