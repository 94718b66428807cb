"""`vigil ledger search` and `vigil ledger review`: the trail as people read and review it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from governance.cli.door import Target, perform
from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    ask_password,
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
    export: Annotated[
        Path | None,
        typer.Option(help="Write all of it to FILE.jsonl, FILE.csv or FILE.pdf; this is recorded."),
    ] = None,
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

    Example: vigil ledger search --actor mo --export trail.pdf
    """
    asked: dict[str, Any] = {
        "since": since,
        "until": until,
        "actor": actor,
        "record": record,
        "kind": kind,
        "model": model,
        "answers": answers,
    }
    if export is not None:
        if files:
            raise typer.BadParameter("an export is recorded, so it needs a sign-in: no --files")
        show(_export(target(home, server), asked, export), as_json=as_json)
        return
    params = asked | {"limit": limit, "after": after, "newest_first": newest_first}
    if files:
        from governance.operations.trail.search_trail import search_files

        page = search_files(Path(home), params).model_dump(mode="json")
    else:
        page = perform(target(home, server), "trail.search", params)
    show(page, as_json=as_json)


def _export(where: Target, asked: dict[str, Any], file: Path) -> dict[str, Any]:
    """Have the export made and recorded, and write the file."""
    form = file.suffix.removeprefix(".")
    if form not in {"jsonl", "csv", "pdf"}:
        raise typer.BadParameter("--export takes a file that ends in .jsonl, .csv or .pdf")
    exported = perform(where, "trail.export", {**asked, "form": form})
    file.write_bytes(base64.b64decode(exported.pop("content")))
    return {"file": str(file), **exported}


@reviews.command("list")
def list_reviews(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the reviews of the trail, what waits for one, and until when.

    Example: vigil ledger review list
    """
    show(perform(target(home, server), "trail_review.list", {}), as_json=as_json)


@reviews.command("open")
def open_review(
    through: Annotated[
        str, typer.Option(help="The last entry that is reviewed: its number, or now.")
    ] = "now",
    kinds: Annotated[
        str | None, typer.Option(help="Families of kinds, e.g. release,hold; all if none.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open the review of what was not reviewed yet; it begins where the last signed one ended.

    Example: vigil ledger review open

    Example: vigil ledger review open --through 5400 --kinds person,role,client
    """
    if through != "now" and not (through.isdecimal() and through.isascii()):
        raise typer.BadParameter("--through is the number of an entry, or now")
    params = {
        "through": None if through == "now" else int(through),
        "kinds": kinds.split(",") if kinds else None,
    }
    show(perform(target(home, server), "trail_review.open", params), as_json=as_json)


Review = Annotated[str, typer.Argument(help="The review, e.g. T-1.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]


@reviews.command("show")
def show_review(
    review: Review,
    after: Annotated[
        int | None, typer.Option(help="Exceptions after this entry: `next after` of the last page.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a review: its range, the counts, the exceptions, and what you may decide.

    Refused and withheld answers are counted by reason; every other exception is listed, 500 a page.

    Example: vigil ledger review show T-1
    """
    params = {"review": review, "after": after}
    show(perform(target(home, server), "trail_review.show", params), as_json=as_json)


@reviews.command("sign")
def sign(
    review: Review,
    decision: Annotated[str, typer.Option(help="accepted, or exceptions.")],
    reason: Reason = "",
    digest: Annotated[
        str | None, typer.Option(help="The digest you read; the shown one if none.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a review of the trail; you must not have acted in its range.

    Example: vigil ledger review sign T-1 --decision accepted --reason "Exceptions looked into"
    """
    where = target(home, server)
    read = digest or perform(where, "trail_review.show", {"review": review})["digest"]
    params = {
        "review": review,
        "decision": decision,
        "reason": reason,
        "record_digest": read,
        "password": ask_password(f"Password, to sign {decision} for {read[:12]}…"),
    }
    show(perform(where, "trail_review.sign", params), as_json=as_json)


@reviews.command("withdraw")
def withdraw(
    review: Review,
    reason: Reason = "",
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a review that was opened by mistake; a signed one stays.

    Example: vigil ledger review withdraw T-1 --reason "Opened too early"
    """
    params = {"review": review, "reason": reason}
    show(perform(target(home, server), "trail_review.withdraw", params), as_json=as_json)


@reviews.command("check")
def check(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """Raise a finding, with the review that it obliges to, where the trail waits for too long.

    Example: vigil ledger review check
    """
    show(perform(target(home, server), "trail_review.check_overdue", {}), as_json=as_json)
