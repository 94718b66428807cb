"""GET /tile/…: the tree, the entries and, for readers, their facts, as static resources.

Hash tiles and entries are public as the checkpoint is: they hold commitments, kinds and times.
Facts say who did what at every site, so they need the permission `read` of a client whose scope is
the whole organisation. Bodies are never served (P15). A full tile is the same for ever; a partial
one is too, but stops being asked for, and is kept less long.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from starlette.responses import Response, StreamingResponse

from change_control.scope import Scope
from governance.api.context import ReadingCaller, context_of
from governance.errors import Forbidden
from governance.gate.ask import Caller
from governance.ledger.core.tiles import TilePath, TilePathRejected
from governance.ledger.store.tiles import LedgerTiles

router = APIRouter(tags=["ledger"])


class WholeOrganisationOnly(Forbidden):
    """A client of one site asked for what is about every site."""

    code = "identity.whole_organisation_only"


MEDIA_TYPE: Final = "application/octet-stream"
_SECONDS_FULL: Final = 365 * 24 * 3600
_SECONDS_PARTIAL: Final = 3600
_CONTENT: Final[dict[int | str, dict[str, object]]] = {
    200: {
        "description": "The tile",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}

Place = Annotated[
    str,
    Path(
        max_length=64,
        description="`<N>` or `<N>.p/<W>` as in c2sp.org/tlog-tiles, for example `x001/067.p/9`.",
    ),
]


@router.get(
    "/tile/entries/{place:path}",
    summary="A bundle of entries",
    response_class=Response,
    responses=_CONTENT,
)
def entries(request: Request, place: Place) -> Response:
    """Return up to 256 entries, each behind its length in two bytes."""
    path = TilePath.parse(f"tile/entries/{place}")
    return _cached(path, b"".join(_tiles(request).records(path)))


@router.get(
    "/tile/facts/{place:path}",
    summary="A bundle of facts",
    response_class=Response,
    responses=_CONTENT,
)
def facts(request: Request, place: Place, caller: ReadingCaller) -> Response:
    """Return the facts and salts of up to 256 entries, for readers of the whole organisation."""
    _require_every_site(request, caller)
    path = TilePath.parse(f"tile/facts/{place}")
    return StreamingResponse(
        _tiles(request).records(path),
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": _cache_control(path, "private")},
    )


@router.get(
    "/tile/{level}/{place:path}",
    summary="A tile of the Merkle tree",
    response_class=Response,
    responses=_CONTENT,
)
def hashes(request: Request, level: Annotated[str, Path(max_length=8)], place: Place) -> Response:
    """Return up to 256 consecutive node hashes of height 8 * level."""
    path = TilePath.parse(f"tile/{level}/{place}")
    if path.kind != "hashes":
        raise TilePathRejected(
            "bodies are not served",
            next_step="Ask the operator for an export with bodies: `vigil ledger export --bodies`.",
        )
    return _cached(path, _tiles(request).hashes(path))


def _require_every_site(request: Request, caller: Caller) -> None:
    """Raise WholeOrganisationOnly for a client of one site: a tile cannot be cut to it."""
    organisation = context_of(request).deployment.home.config.organisation
    if not caller.scope.covers(Scope(organisation=organisation)):
        raise WholeOrganisationOnly(
            "the facts of a tile are about every site, and this client is of one",
            next_step="ask for the receipts of your own answers, or let an administrator add a "
            "client whose scope is the whole organisation",
        )


def _tiles(request: Request) -> LedgerTiles:
    return context_of(request).deployment.ledger.tiles


def _cached(path: TilePath, content: bytes) -> Response:
    return Response(
        content,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": _cache_control(path, "public")},
    )


def _cache_control(path: TilePath, who: str) -> str:
    seconds = _SECONDS_FULL if path.is_full else _SECONDS_PARTIAL
    return f"{who}, max-age={seconds}, immutable"
