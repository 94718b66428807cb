"""`vigil demo`: build the demonstration deployment, tell what happened, serve it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# Without VIGIL_HOME, unlike every other command: a demonstration never goes where work is kept.
DemoHomeOption = Annotated[Path, typer.Option("--home", help="The demonstration's own folder.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    home: DemoHomeOption = Path("demo-home"),
    port: Annotated[int, typer.Option(help="Port to serve on; 0 takes a free one.")] = 8000,
    check: Annotated[bool, typer.Option("--check", help="Build and verify, do not stay.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete an earlier one.")] = False,
) -> None:
    """Govern one model end to end on real data, in a home of its own, and serve the result.

    Example: vigil demo --check
    """
    from governance.cli.demo.stage import perform

    perform(home, port=port, stay=not check, fresh=fresh, write=typer.echo)
