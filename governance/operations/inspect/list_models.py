"""The registry as a command or a program reads it: models, documents, standing."""

from __future__ import annotations

from typing import Any

from change_control.change.documents import DocumentKind
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.errors import NotFound
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.inspect.standing_of import standing_together, standings_of
from governance.operations.operation import Operation, Request, Result
from governance.registry.records import Document, Version
from governance.storage.ports import Reader


class ListModels(Request):
    """Every governed model."""


class NameModel(Request):
    """One model; the standing is told for `scope`, or for the whole organisation."""

    model: str
    scope: str | None = None


class PlaceLine(Result):
    """The standing for one purpose in one market, as the gate has it."""

    purpose: str | None
    market: str | None
    standing: str
    reasons: list[str]
    release: str | None


class ModelLine(Result):
    """A model with its standing in the whole organisation.

    `places` holds each purpose and market in service; `standing` is what of them must not be
    missed, so that one market that is stopped shows though another answers.
    """

    model: str
    entry: str
    entry_state: str
    versions: int
    standing: str
    reasons: list[str]
    release: str | None
    places: list[PlaceLine]


class Models(Result):
    """Models by name."""

    models: list[ModelLine]


class DocumentLine(Result):
    """A governed document."""

    document: str
    kind: str
    state: str
    digest: str
    author: str
    registered_us: int


class ModelShown(Result):
    """A model with its documents and its registry entry."""

    line: ModelLine
    documents: list[DocumentLine]
    entry: dict[str, Any]


class NameDocument(Request):
    """One document, e.g. plan:forecasting:1."""

    document: str


class DocumentShown(Result):
    """A document with its content."""

    line: DocumentLine
    content: dict[str, Any]


def list_models(deployment: Deployment, actor: Actor, _request: ListModels) -> Models:
    """List the models."""
    del actor
    scope = Scope(organisation=deployment.home.config.organisation)
    with deployment.reader() as reader:
        entries = reader.find(Document, kind=DocumentKind.ENTRY.value)
        latest = {entry.model: entry for entry in entries}
        return Models(
            models=[
                model_line(reader, latest[name], scope, deployment.clock.now_us())
                for name in sorted(latest)
            ]
        )


def show_model(deployment: Deployment, actor: Actor, request: NameModel) -> ModelShown:
    """Show one model."""
    del actor
    organisation = deployment.home.config.organisation
    scope = Scope.parse(request.scope) if request.scope else Scope(organisation=organisation)
    with deployment.reader() as reader:
        documents = reader.find(Document, model=request.model)
        entries = [one for one in documents if one.kind == DocumentKind.ENTRY.value]
        if not entries:
            raise NotFound("there is no model of this name", next_step="see `vigil model list`")
        return ModelShown(
            line=model_line(reader, entries[-1], scope, deployment.clock.now_us()),
            documents=[_document(one) for one in documents],
            entry=_content(reader, entries[-1]),
        )


def show_document(deployment: Deployment, actor: Actor, request: NameDocument) -> DocumentShown:
    """Show one document."""
    del actor
    with deployment.reader() as reader:
        document = reader.require(Document, request.document)
        return DocumentShown(line=_document(document), content=_content(reader, document))


def model_line(reader: Reader, entry: Document, scope: Scope, now_us: int) -> ModelLine:
    """Return the model as listed, with its standing for `scope` in each place."""
    places = standings_of(reader, model=entry.model, scope=scope, now_us=now_us)
    now = standing_together(places)
    return ModelLine(
        model=entry.model,
        entry=entry.id,
        entry_state=entry.state,
        versions=len(reader.find(Version, model=entry.model)),
        standing=now.verdict,
        reasons=[reason.value for reason in now.reasons],
        release=now.release.id if now.release else None,
        places=[
            PlaceLine(
                purpose=place.purpose,
                market=place.market,
                standing=place.standing.verdict,
                reasons=[reason.value for reason in place.standing.reasons],
                release=place.standing.release.id if place.standing.release else None,
            )
            for place in places
        ],
    )


def _content(reader: Reader, document: Document) -> dict[str, Any]:
    content = canonical.loads(reader.blob(document.digest))
    if not isinstance(content, dict):
        raise RuntimeError("a governed document is always an object")
    return content


def _document(document: Document) -> DocumentLine:
    return DocumentLine(
        document=document.id,
        kind=document.kind,
        state=document.state,
        digest=document.digest,
        author=document.author,
        registered_us=document.registered_us,
    )


LIST_MODELS = Operation(
    name="model.list", request=ListModels, kinds=(), run=list_models, repeated="reads only"
)
SHOW_MODEL = Operation(
    name="model.show", request=NameModel, kinds=(), run=show_model, repeated="reads only"
)
SHOW_DOCUMENT = Operation(
    name="document.show", request=NameDocument, kinds=(), run=show_document, repeated="reads only"
)
