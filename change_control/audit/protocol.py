"""The audit protocol (`audit.yaml`): one question to rows, its criteria and its method, frozen.

It is a governed document as a plan is: registered, signed by its author, approved by somebody else,
and in the ledger before the rows that it is about are opened (P4). One protocol of a kind is in
force for a model at a time. The part `protocol` belongs to the method; its own reader in `audits`
checks it, so that an unknown member is refused here and not at midnight.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from audits.criteria import Criterion, Pairing, Reading
from audits.errors import AuditError
from audits.estimate import Json
from change_control.audit.kinds import AuditKind, check_method
from change_control.change.documents import DocumentKind
from change_control.change.plan_protocol import Seed
from change_control.errors import AuditProtocolInvalid
from change_control.reading import Fault, read_record, read_text
from models.documents import part_record, value_record
from models.errors import ModelError
from models.tasks import Direction
from models.values import Count, DocumentPart, Name, Number, Slug, Text, unique


class SampleRole(StrEnum):
    """What a table is there for. There is no "validation set"."""

    TEST = "test"
    TRAINING = "training"
    TUNING = "tuning"
    REFERENCE = "reference"


class Columns(DocumentPart):
    """Which column of the tables plays which part; one that is not named is not read.

    Without `subject` each row is a subject of its own, which has to be true (P8).
    """

    subject: Name | None = None
    label: Name | None = None
    score: Name | None = None
    decision: Name | None = None
    numbers: tuple[Name, ...] = ()
    categories: tuple[Name, ...] = ()
    times: tuple[Name, ...] = ()


Metric = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_ ]{0,119}(?:@[0-9.]{1,12})?$")
]
"""A metric as estimates name it: "auroc", "sensitivity@0.5", "overdosed under fixed"."""
Population = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[A-Za-z0-9(][A-Za-z0-9 .,:%+/()_=&<>\[\]-]{0,199}$"),
]
"""A population, a pair or a ratio as estimates name it: "race=Black minus race=White"."""


class AuditCriterion(DocumentPart):
    """A criterion about one estimate of the audit; see `audits.criteria` for how it is read."""

    id: Slug
    metric: Metric
    population: Population = "all"
    direction: Direction
    floor: Number | None = None
    low: Number | None = None
    high: Number | None = None
    reading: Reading
    baseline: Number | None = None
    margin: Number | None = None
    comparator: Name | None = None
    """Of the readings `superior` and `non_inferior`: what the gap is to."""
    pairing: Pairing | None = None
    minimum_n: Count
    """Fewer independent units than this are the verdict insufficient."""
    minimum_events: Count | None = None
    maximum_width: Number | None = None
    why: Text

    def as_criterion(self) -> Criterion:
        """Return what an audit judges an estimate by; CriterionMalformed where it contradicts."""
        return Criterion(
            id=self.id,
            metric=self.metric,
            population=self.population,
            direction=self.direction.value,
            floor=_float(self.floor),
            low=_float(self.low),
            high=_float(self.high),
            reading=self.reading,
            baseline=_float(self.baseline),
            margin=_float(self.margin),
            comparator=self.comparator,
            pairing=self.pairing,
            minimum_n=self.minimum_n,
            minimum_events=self.minimum_events,
            maximum_width=_float(self.maximum_width),
        )


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)


class AuditProtocol(DocumentPart):
    """An audit protocol. Read it with `parse_protocol`, which also checks the method's part."""

    format: Literal["audit-protocol/1"]
    model: Slug
    """Name of the registry entry that the audit is about."""
    kind: AuditKind
    title: Text
    question: Text
    samples: tuple[SampleRole, ...] = (SampleRole.TEST,)
    columns: Columns
    seed: Seed
    criteria: tuple[AuditCriterion, ...] = Field(max_length=200)
    """What decides. Without any the audit explores, and its verdict is insufficient."""
    protocol: dict[str, object] = Field(max_length=60)
    """What the method needs to know; docs/reference/methods.md says what each kind reads."""
    limits: tuple[Text, ...] = ()
    """What the reader of the report must know that the numbers do not say."""

    @field_validator("protocol", mode="after")
    @classmethod
    def _plain(cls, value: dict[str, object]) -> dict[str, object]:
        return {name: value_record(item) for name, item in value.items()}

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        unique([one.id for one in self.criteria], what="criterion")
        unique([role.value for role in self.samples], what="sample")
        if SampleRole.TEST not in self.samples:
            raise ValueError("an audit reads test data: `samples` names test")
        return self

    def method_record(self) -> dict[str, Json]:
        """Return the method's part in the JSON domain."""
        record = value_record(self.protocol)
        if not isinstance(record, dict):
            raise AssertionError("a mapping has a mapping for its record")
        return record

    def as_record(self) -> dict[str, Json]:
        """Return the hashable form: every field, decimals as strings in one spelling."""
        return part_record(self)


def document_kind(kind: AuditKind) -> DocumentKind:
    """Return the kind of document that a protocol of this kind of audit is."""
    return DocumentKind(f"{kind.value}-protocol")


def require_protocol_kind(protocol: AuditProtocol, kind: DocumentKind) -> None:
    """Raise AuditProtocolInvalid where the protocol is another kind of document than said."""
    own = document_kind(protocol.kind)
    if own is not kind:
        raise AuditProtocolInvalid(
            f"this is a {own.value}, not a {kind.value}",
            next_step="register it as what its member `kind` says",
        )


def parse_protocol(text: str) -> AuditProtocol:
    """Read an `audit.yaml`.

    Raises:
        AuditProtocolInvalid: with every problem, its path and its line.
    """
    return read_text(
        text, AuditProtocol, rules=_faults, invalid=AuditProtocolInvalid, what="the audit protocol"
    )


def protocol_from_record(record: object) -> AuditProtocol:
    """Read the record of a registered protocol; AuditProtocolInvalid as `parse_protocol`."""
    return read_record(
        record, AuditProtocol, rules=_faults, invalid=AuditProtocolInvalid, what="the record"
    )


def criteria(protocol: AuditProtocol) -> tuple[Criterion, ...]:
    """Return the criteria in the order in which they are written."""
    return tuple(item.as_criterion() for item in protocol.criteria)


def _faults(protocol: AuditProtocol) -> Iterable[Fault]:
    try:
        check_method(protocol.kind, protocol.method_record())
    except (AuditError, ModelError) as error:
        yield "protocol", str(error)
    for at, criterion in enumerate(protocol.criteria):
        try:
            criterion.as_criterion()
        except AuditError as error:
            yield f"criteria.{at}", str(error)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of `audit.yaml`, as committed in `docs/reference/`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "audit.schema.json",
        **AuditProtocol.model_json_schema(),
    }
