"""`vigil ledger search` and `vigil ledger review`: the trail as people read and review it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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

reviews = typer.Typer(no_args_is_help=True, help="Reviews of the trail.")


def register(app: typer.Typer) -> None:
    """Put the commands under `vigil ledger`."""
    app.command("search")(search)
    app.add_typer(reviews, name="review")


def search(
    since: Annotated[
        str | None, typer.Option("--from", help="A day in UTC, or an instant with its offset.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="The last day, counted whole, or an instant.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="A person or a calling system, by id.")] = None,
    record: Annotated[
        str | None, typer.Option(help="What the entry is about, e.g. version:forecasting/1.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="A kind of entry, or a prefix, e.g. 'release.*'.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model's name.")] = None,
    answers: Annotated[
        bool, typer.Option("--answers", help="List answers and refusals one by one.")
    ] = False,
    limit: Annotated[int, typer.Option(help="Entries on a page.", min=1, max=500)] = 50,
    after: Annotated[
        int | None, typer.Option(help="Go on after this entry: `next after` of the last page.")
    ] = None,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Latest in front.")] = False,
    files: Annotated[
        bool, typer.Option("--files", help="Read the home's files; needs no sign-in.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search the trail, in order, with old and new values; answers are counted.

    Example: vigil ledger search --from 2026-11-01 --to 2026-11-24 --kind 'release.*'

    Example: vigil ledger search --record version:forecasting/1
    """
    params: dict[str, Any] = {
        "since": since,
        "until": until,
        "actor": actor,
        "record": record,
        "kind": kind,
        "model": model,
        "answers": answers,
        "limit": limit,
        "after": after,
        "newest_first": newest_first,
    }
    if files:
        from governance.operations.trail.search_trail import search_files

        page = search_files(Path(home), params).model_dump(mode="json")
    else:
        page = perform(target(home, server), "trail.search", params)
    show(page, as_json=as_json)
