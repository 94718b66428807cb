"""The manifest of a table of rows (`dataset.yaml`): what each column means, before anybody looks.

A table stays where its custodian keeps it. What is registered is the manifest and the digest of
the file, so that an audit can say exactly which bytes it read, and no row has to be kept to say it
(P13, P15). A `csv` table is described column by column; the formats of public sources have a reader
of their own, which knows its columns.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from audits.estimate import Json
from models.documents import first_fault, parse_document, part_record
from models.entry import DataRole
from models.errors import ManifestInvalid
from models.values import DocumentPart, Flag, Month, Name, Slug, Text, unique

CSV: Slug = "csv"


class ColumnKind(StrEnum):
    """What the texts of a column stand for."""

    KEY = "key"
    """An identifier, compared and never shown."""
    NUMBER = "number"
    """A decimal number."""
    CATEGORY = "category"
    """One of the levels named."""
    TIME = "time"
    """An instant, a day, a month or a year, in UTC: the first instant of it counts."""


class Column(DocumentPart):
    """One column of a `csv` table; `missing` are the texts that mean that there is no value."""

    name: Name
    kind: ColumnKind
    description: Text
    levels: tuple[Name, ...] = ()
    """Of a category: every level there is. A text beyond them is a fault of the file."""
    missing: tuple[str, ...] = ("",)

    @model_validator(mode="after")
    def _levels_belong_to_categories(self) -> Self:
        if (self.kind is ColumnKind.CATEGORY) != bool(self.levels):
            raise ValueError("`levels` are named for a category, and only there")
        unique(list(self.levels), what="level")
        return self


class Manifest(DocumentPart):
    """A table of rows. `unit` is the word for the subject that rows belong to, such as patient."""

    format: Literal["dataset/1"]
    title: Text
    source: Text
    licence: Text
    role: DataRole
    simulated: Flag
    unit: Slug
    from_month: Month
    to_month: Month
    reader: Slug = CSV
    columns: tuple[Column, ...] = Field(default=(), max_length=500)

    @model_validator(mode="after")
    def _columns_where_nobody_knows_them(self) -> Self:
        if (self.reader == CSV) != bool(self.columns):
            raise ValueError("`columns` are described for the reader csv, and only there")
        unique([column.name for column in self.columns], what="column")
        if self.from_month > self.to_month:
            raise ValueError("`from_month` is after `to_month`")
        return self

    def as_record(self) -> dict[str, Json]:
        """Return the hashable form."""
        return part_record(self)


def parse_manifest(text: str) -> Manifest:
    """Read a `dataset.yaml`; DocumentUnreadable or ManifestInvalid with the field at fault."""
    return manifest_from_record(parse_document(text))


def manifest_from_record(record: object) -> Manifest:
    """Validate parsed values, or the record of a registered manifest."""
    try:
        return Manifest.model_validate(record)
    except ValidationError as error:
        path, message = first_fault(error)
        raise ManifestInvalid(
            f"{path or 'manifest'}: {message}",
            next_step="correct the field; docs/reference/dataset.schema.json lists every field",
            path=path,
        ) from error


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of `dataset.yaml`, as committed in `docs/reference/`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "dataset.schema.json",
        **Manifest.model_json_schema(),
    }
