"""Take a part of the trail along, for somebody outside (21 CFR 11.10(b) and (e)).

What is exported is read from every entry of the range and not from the index. Reading is no act,
but a copy that leaves is: the entry `trail.exported` says who took what, with the digest of the
file, so that a copy that turns up later can be held against the record.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from audits.estimate import Json
from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.errors import GovernanceError
from governance.ledger.store.view import LedgerView
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Result
from governance.operations.trail.filters import TrailFilter
from governance.operations.trail.hits import TrailHit, hit_of
from governance.operations.trail.trail_forms import csv_text, json_lines
from governance.reports.trail_pdf import TrailReport, render_trail_pdf
from governance.storage.trail.facets import Facets, Models, Wanted, facets_of
from governance.storage.trail.reading import Names, TrailEntry, first_from, read_entries

EXPORTERS: Final = frozenset(
    {Role.AUDITOR, Role.REVIEWER, Role.REGULATORY, Role.SAFETY_OFFICER, Role.ADMINISTRATOR}
)


class ExportForm(StrEnum):
    """In which form: two for machines, one for readers."""

    JSONL = "jsonl"
    CSV = "csv"
    PDF = "pdf"


MOST: Final = {ExportForm.JSONL: 100_000, ExportForm.CSV: 100_000, ExportForm.PDF: 1_000}
"""How many entries one file holds."""


UNKNOWN: Final = "names nothing in the ledger"
"""What the record of an export keeps of an id or a kind that no entry has."""


class ExportTooLarge(GovernanceError):
    """The filter finds more entries than one file of this form holds."""

    code = "trail.export_too_large"
    http_status = 422


class ExportTrail(TrailFilter):
    """What is exported, in which form."""

    form: ExportForm


class TrailExported(Result):
    """The file: `content` is base64, `sha256` its digest, as entry `seq` records it."""

    form: ExportForm
    entries: int
    size: int
    sha256: str
    seq: int
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the filter finds: the entries, and the answers that are only counted.

    `unknown` are the members of the filter that name nothing in the ledger.
    """

    size: int
    first: int
    end: int
    hits: list[TrailHit]
    answers: Counter[tuple[str, str, str, str]]
    unknown: frozenset[str]


def export_trail(deployment: Deployment, actor: Actor, request: ExportTrail) -> TrailExported:
    """Return the file; it is recorded before it leaves."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(EXPORTERS, scope, act="export the trail")
    checkpoint = deployment.ledger.checkpoint()
    taken = take(deployment.ledger, request)
    content = deployment.compute.run(
        form_of,
        form=request.form.value,
        report=_report(deployment, actor, request, taken, checkpoint),
        hits=taken.hits,
    )
    digest = sha256(content).hexdigest()
    notes: dict[str, Json] = {
        "entries": len(taken.hits),
        # What the facts keep is permanent: an id that no entry has is not put there by a typist.
        "filter": request.told() | dict.fromkeys(taken.unknown, UNKNOWN),
        "form": request.form.value,
        "sha256": digest,
        "size": taken.size,
    }
    recorded = deployment.pen.commit(
        lambda unit: unit.record(kind="trail.exported", actor=actor.person, notes=notes)
    )
    return TrailExported(
        form=request.form,
        entries=len(taken.hits),
        size=taken.size,
        sha256=digest,
        seq=recorded.seq,
        content=base64.b64encode(content).decode(),
    )


def form_of(*, form: str, report: TrailReport, hits: list[TrailHit]) -> bytes:
    """Return the file in its form; equal arguments give equal bytes."""
    if form == ExportForm.CSV:
        return csv_text(hits)
    if form == ExportForm.JSONL:
        return json_lines(report.as_record(), hits)
    return render_trail_pdf(report, [hit.model_dump(mode="json") for hit in hits])


def take(ledger: LedgerView, request: ExportTrail) -> Taken:
    """Read every entry up to the last that is asked for; raise ExportTooLarge, LedgerTampered."""
    wanted, since_us, until_us = request.wanted, request.since_us, request.until_us
    size = ledger.head()[0]
    first = 0 if since_us is None else first_from(ledger, since_us, size=size)
    end = size if until_us is None else first_from(ledger, until_us + 1, size=size)
    hits: list[TrailHit] = []
    answers: Counter[tuple[str, str, str, str]] = Counter()
    asked = {name: getattr(wanted, name) for name in ("actor", "kind", "model", "record")}
    unknown = {name: Wanted(**{name: one}) for name, one in asked.items() if one is not None}
    for entry, facets, name in _followed(ledger, end):
        for known in [one for one, alone in unknown.items() if alone.matches(facets)]:
            del unknown[known]
        if entry.seq < first or not wanted.matches(facets):
            continue
        if facets.is_answer and not request.answers:
            answers[facets.kind, facets.model, facets.release, " ".join(facets.reasons)] += 1
            continue
        if len(hits) == MOST[request.form]:
            raise _too_large(request.form)
        hits.append(hit_of(entry, facets, name))
    return Taken(
        size=size,
        first=first,
        end=max(first, end),
        hits=hits,
        answers=answers,
        unknown=frozenset(unknown),
    )


def _followed(ledger: LedgerView, end: int) -> Iterator[tuple[TrailEntry, Facets, str]]:
    """Yield every entry with its facets and its actor's name then, from the first one on.

    Entries before the range count too: they say which model a record is of, and who is called what.
    """
    models, names = Models(), Names()
    for entry in read_entries(ledger, 0, end):
        facets = facets_of(entry.kind, entry.facts, models)
        models.learn(facets)
        names.learn(entry)
        yield entry, facets, names.at(facets, entry.seq)


def _report(
    deployment: Deployment, actor: Actor, request: ExportTrail, taken: Taken, checkpoint: str
) -> TrailReport:
    return TrailReport(
        organisation=deployment.home.config.organisation,
        origin=deployment.ledger.origin,
        first=taken.first,
        end=taken.end,
        size=taken.size,
        root=deployment.ledger.tree.root(taken.size).hex(),
        checkpoint=checkpoint,
        asked=tuple((name, str(value)) for name, value in sorted(request.told().items())),
        entries=len(taken.hits),
        answers=tuple((*line, count) for line, count in sorted(taken.answers.items())),
        made_by=f"{actor.printed_name} ({actor.person})",
        made_us=deployment.clock.now_us(),
    )


def _too_large(form: ExportForm) -> ExportTooLarge:
    return ExportTooLarge(
        f"more than {MOST[form]} entries are asked for, which is what one {form.value} file holds",
        next_step="narrow the time or the kinds, and export the parts one after the other",
    )


EXPORT_TRAIL = Operation(
    name="trail.export",
    request=ExportTrail,
    kinds=("trail.exported",),
    run=export_trail,
    repeated="makes the file again, and records that too",
)
