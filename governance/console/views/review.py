"""A review: what is asked, about which bytes, who may decide and what each decision means.

Decisions come from change_control's table through `operations.review.facts.choices`, with the
meaning that each is signed as. What this person may not do is shown with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from audits.estimate import Json
from change_control.watch.review import ReviewState, overdue
from governance.errors import NotFound
from governance.operations.review.facts import Choice
from governance.registry.records import (
    ChangeRequest,
    Document,
    Evidence,
    Finding,
    Hold,
    Person,
    Review,
    Signature,
)
from governance.storage.ports import Reader

MEANINGS: Final = {
    "authored": "I wrote this record.",
    "reviewed": "I reviewed this record.",
    "approved": "I approve this record.",
    "rejected": "I reject this record.",
    "responsible": "I take responsibility for this decision.",
}

ASKED: Final = {
    "document_approval": "May this document come into force?",
    "release_approval": "May this version come into service?",
    "finding": "A monitor raised a finding. What follows from it?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionShown:
    """One decision: what it is signed as, and what stands in this person's way, if anything."""

    command: str
    meaning: str | None
    meaning_text: str
    refusal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewView:
    """`content` is the record itself where its bytes are JSON."""

    review: Review
    asked: str
    opened_by: str
    decisions: tuple[DecisionShown, ...]
    refused: tuple[DecisionShown, ...]
    overdue: bool
    signatures: tuple[Signature, ...]
    evidence: Evidence | None
    document: Document | None
    change: ChangeRequest | None
    finding: Finding | None
    hold: Hold | None
    content: Json
    planted: bool


def review_view(
    reader: Reader, review: Review, *, choices: Sequence[Choice], now_us: int
) -> ReviewView:
    """Return one review with the decisions that its table knows now."""
    name = review.id
    decisions = [_decision(choice) for choice in choices]
    finding = next(iter(reader.find(Finding, review=name)), None)
    change = reader.get(ChangeRequest, review.subject)
    evidence = _evidence(reader, review, change)
    is_evidence = evidence is not None and evidence.digest == review.subject_digest
    # An evidence record is long, and has a page of its own.
    content = None if is_evidence else _content(reader, review.subject_digest)
    about = content.get("about") if isinstance(content, dict) else None
    return ReviewView(
        review=review,
        asked=ASKED.get(review.kind, "A decision is wanted."),
        opened_by=printed_name(reader, review.opened_by),
        decisions=tuple(shown for shown in decisions if shown.refusal is None),
        refused=tuple(shown for shown in decisions if shown.refusal is not None),
        overdue=review.state != ReviewState.DECIDED.value and overdue(review.due_us, now_us),
        signatures=tuple(reader.find(Signature, record_digest=review.subject_digest)),
        evidence=evidence,
        document=reader.get(Document, review.subject),
        change=change,
        finding=finding,
        hold=reader.get(Hold, finding.hold) if finding and finding.hold else None,
        content=content,
        planted=isinstance(about, dict) and about.get("planted") is True,
    )


def printed_name(reader: Reader, person: str) -> str:
    """Return a person's printed name with the id, or the id of a service."""
    known = reader.get(Person, person)
    return f"{known.printed_name} ({person})" if known else person


def _decision(choice: Choice) -> DecisionShown:
    meaning = choice.meaning.value if choice.meaning else None
    return DecisionShown(
        command=choice.command.value,
        meaning=meaning,
        meaning_text=MEANINGS.get(meaning or "", "This is not signed."),
        refusal=choice.refusal,
    )


def _evidence(reader: Reader, review: Review, change: ChangeRequest | None) -> Evidence | None:
    named = change.evidence if change else None
    return reader.get(Evidence, named or review.subject)


def _content(reader: Reader, digest: str) -> Json:
    """Return the record's content; None where the digest is of something that is no JSON."""
    try:
        content: Json = json.loads(reader.blob(digest))
    except (NotFound, ValueError):
        return None
    return content
