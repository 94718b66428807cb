"""GET /v1/models…, /v1/reviews: the registry as a calling system with the scope `read` sees it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from change_control.release.standing import Standing
from governance.api.context import Context, ReadingCaller, context_of
from governance.errors import NotFound
from governance.gate.ask import Caller
from governance.registry.records import Document, Evidence, Review
from governance.serving.snapshot import GovernedModel, Snapshot
from models.documents import part_record

router = APIRouter(prefix="/v1", tags=["registry"])


class ModelSummary(BaseModel):
    """A model with its standing where the caller is, for each registered purpose."""

    name: str
    title: str
    kind: str
    owner: str
    entry_digest: str
    standing: dict[str, Any]


class ModelList(BaseModel):
    """Every registered model, by name."""

    models: list[ModelSummary]


class ModelDetail(ModelSummary):
    """A model with what a caller needs in order to ask it, and what is on record about it."""

    purposes: list[dict[str, str]]
    input: dict[str, Any]
    limits_of_use: list[dict[str, Any]]
    rows_are_about_people: bool
    fallback: str
    versions: list[dict[str, Any]]
    releases: list[dict[str, Any]]
    documents: list[dict[str, Any]]


class ModelCard(BaseModel):
    """The registry entry with the evidence on record. Every part names where it comes from."""

    model: ModelSummary
    entry: dict[str, Any]
    evidence: list[dict[str, Any]]
    statement: str


class ReviewList(BaseModel):
    """Reviews in order of their due time."""

    reviews: list[dict[str, Any]]


STATEMENT = (
    "This card repeats what is on record under the digests that it names. It provides evidence "
    "for an assessment; it is no claim of compliance with any rule."
)


@router.get("/models", summary="List the registered models")
def list_models(request: Request, caller: ReadingCaller) -> ModelList:
    """List the models with their standing in the caller's scope."""
    context = context_of(request)
    snapshot = context.state.current()
    return ModelList(
        models=[
            _summary(context, snapshot.models[name], caller) for name in sorted(snapshot.models)
        ]
    )


@router.get("/models/{name}", summary="Show one model")
def show_model(request: Request, name: str, caller: ReadingCaller) -> ModelDetail:
    """Show purposes, input contract, versions and releases."""
    context = context_of(request)
    model = _model(context.state.current(), name)
    use = model.in_use.entry.use
    with context.deployment.reader() as reader:
        documents = reader.find(Document, model=model.name)
    return ModelDetail(
        **_summary(context, model, caller).model_dump(),
        purposes=[{"name": one.name, "description": one.description} for one in use.purposes],
        input=part_record(model.in_use.entry.input),
        limits_of_use=[part_record(limit) for limit in use.limits],
        rows_are_about_people=use.rows_are_about_people,
        fallback=model.in_use.entry.fallback,
        versions=[asdict(version) for version in model.versions.values()],
        releases=[asdict(release) for release in model.releases.values()],
        documents=[asdict(document) for document in documents],
    )


@router.get("/models/{name}/card", summary="Show a model's card")
def show_card(request: Request, name: str, caller: ReadingCaller) -> ModelCard:
    """Show the whole entry and every piece of evidence, with its verdict, also the failed ones."""
    context = context_of(request)
    model = _model(context.state.current(), name)
    with context.deployment.reader() as reader:
        evidence = reader.find(Evidence, model=model.name)
    return ModelCard(
        model=_summary(context, model, caller),
        entry=model.in_use.entry.as_record(),
        evidence=[asdict(item) for item in evidence],
        statement=STATEMENT,
    )


@router.get("/reviews", summary="List reviews")
def list_reviews(
    request: Request,
    _caller: ReadingCaller,
    state: Annotated[str | None, Query(max_length=40)] = None,
) -> ReviewList:
    """List reviews, or those in one state; deciding them is for people, in the console."""
    with context_of(request).deployment.reader() as reader:
        found = reader.find(Review)
    wanted = [review for review in found if state in {None, review.state}]
    wanted.sort(key=lambda review: (review.due_us, review.id))
    return ReviewList(reviews=[asdict(review) for review in wanted])


def _model(snapshot: Snapshot, name: str) -> GovernedModel:
    model = snapshot.models.get(name)
    if model is None:
        raise NotFound("no model of this name is registered", next_step="GET /v1/models lists them")
    return model


def _summary(context: Context, model: GovernedModel, caller: Caller) -> ModelSummary:
    entry = model.in_use.entry
    now_us = context.deployment.clock.now_us()

    def standing(purpose: str, market: str | None) -> dict[str, Any]:
        return _standing(
            model.standing(scope=caller.scope, purpose=purpose, market=market, now_us=now_us)
        )

    return ModelSummary(
        name=model.name,
        title=entry.title,
        kind=entry.kind.value,
        owner=entry.owner,
        entry_digest=model.in_use.digest,
        standing={
            purpose: {
                **standing(purpose, None),
                "markets": {market: standing(purpose, market) for market in markets},
            }
            for purpose, markets in model.facts.items()
        },
    )


def _standing(now: Standing | None) -> dict[str, Any]:
    """Return what a question gets; None is one that names no market where several can be meant."""
    if now is None:
        return {"verdict": "refuse", "reasons": ["gate.market"], "release": None, "version": None}
    return {
        "verdict": now.verdict,
        "reasons": [str(reason) for reason in now.reasons],
        "release": None if now.release is None else now.release.id,
        "version": None if now.release is None else now.release.version,
        "until_us": now.until_us,
    }
