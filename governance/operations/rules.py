"""Where the shell meets the transition tables: its records as the facts that the tables read."""

from __future__ import annotations

from change_control import lifecycle
from change_control.change.documents import DocumentKind, DocumentState
from change_control.scope import Scope
from change_control.tier import controls_of, tier_of
from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.registry import machines
from governance.registry.records import Document
from governance.storage.ports import Reader
from models.entry import Entry, entry_from_record

MONITOR = lifecycle.Actor(person=machines.MONITOR, roles=frozenset(), is_service=True)
EVALUATOR = lifecycle.Actor(person=machines.EVALUATOR, roles=frozenset(), is_service=True)


def rule_actor(actor: Actor, scope: Scope) -> lifecycle.Actor:
    """Return the person as the transition tables see them, with the roles held over `scope`."""
    return lifecycle.Actor(person=actor.person, roles=actor.roles(scope))


def document_in_force(reader: Reader, *, kind: DocumentKind, model: str) -> Document | None:
    """Return the model's document of this kind that is in force, if one is."""
    found = reader.find(Document, kind=kind.value, model=model, state=DocumentState.IN_FORCE.value)
    return found[-1] if found else None


def require_in_force(reader: Reader, *, kind: DocumentKind, model: str) -> Document:
    """Return the document in force, or raise Conflict saying what to do (P4)."""
    document = document_in_force(reader, kind=kind, model=model)
    if document is None:
        raise Conflict(
            f"the model has no {kind.value} in force",
            next_step=f"register the {kind.value} and have a reviewer approve it: "
            "`vigil review list` shows what waits",
        )
    return document


def entry_of(reader: Reader, document: Document) -> Entry:
    """Return the registry entry that the document holds."""
    return entry_from_record(canonical.loads(reader.blob(document.digest)))


def entry_in_force(reader: Reader, model: str) -> Entry:
    """Return the model's registry entry in force, or raise Conflict."""
    return entry_of(reader, require_in_force(reader, kind=DocumentKind.ENTRY, model=model))


def approvers_needed(entry: Entry) -> int:
    """Return how many different people approve, by the assurance tier."""
    return controls_of(tier_of(entry)).approvers


def approvers_of_document(reader: Reader, document: Document) -> int:
    """Return how many different people approve the document.

    The entry in force counts, so an entry of a lighter tier takes as many people to come into force
    as the one that it replaces (P6). A plan of a model without one counts by the newest entry.
    """
    in_force = document_in_force(reader, kind=DocumentKind.ENTRY, model=document.model)
    entries = [in_force] if in_force is not None else []
    if document.kind == DocumentKind.ENTRY.value:
        entries.append(document)
    elif not entries:
        entries = reader.find(Document, kind=DocumentKind.ENTRY.value, model=document.model)[-1:]
    return max(approvers_needed(entry_of(reader, entry)) for entry in entries)
