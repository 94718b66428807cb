"""From the text of the approvals table to a sample: one row a molecule, dated by its approval.

Definition: the subject is the molecule's skeleton, the first block of its InChIKey; the label is
    whether a code of group L01 (antineoplastic agents) stands in its classification; the instant is
    the first of January, UTC, of the year of first approval.
Formula: none.
Source: the columns of the table: ChEMBL's approvals with the codes of the ATC classification.
Assumptions: the label was known from approval on. Year is the resolution of time.
Failure modes: a drug whose group was changed later carries its later group: the table keeps no
    history. A salt and its parent are two rows with two skeletons.
Cost: linear in the rows.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from audits.sources.sample import Category, Sample
from models.errors import ContractRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS: Final = (
    "molecule_chembl_id",
    "pref_name",
    "smiles",
    "ik14",
    "atc",
    "first_approval",
    "antineoplastic_L01",
    "is_L02_endocrine",
)
YEARS: Final = (1900, 2100)
ROWS_MAX: Final = 1_000_000
FAULTS_NAMED: Final = 10
STRUCTURE: Final = "structure"
APPROVED: Final = "first_approval"
ENDOCRINE: Final = "endocrine"

_PATTERNS: Final = {
    "molecule_chembl_id": re.compile(r"CHEMBL[1-9][0-9]*"),
    # The characters of SMILES and no other; a formula or a name is not a structure.
    "smiles": re.compile(r"[A-Za-z0-9@+\-\[\]()=#$/\\%.:*~]{1,4000}"),
    "ik14": re.compile(r"[A-Z]{14}"),
    "atc": re.compile(r"(?:[A-Z](?:[0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?)?)(?:;[A-Z0-9]+)*"),
    "first_approval": re.compile(r"[0-9]{4}"),
    "antineoplastic_L01": re.compile(r"[01]"),
    "is_L02_endocrine": re.compile(r"[01]"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """A table that kept its contract.

    `sample` has label, the categories `structure` and `endocrine`, and the instant `first_approval`
    in microseconds UTC.
    """

    sample: Sample
    rows: int
    positives: int
    first: int
    last: int


def load_approvals(text: str) -> Approvals:
    """Read the table of approvals; raises ContractRefused listing every fault with its line."""
    import numpy as np

    records = _records(text)
    _refuse(_faults(records))
    years = [int(one["first_approval"]) for _, one in records]
    skeletons = {key: place for place, key in enumerate(sorted({r["ik14"] for _, r in records}))}
    label = np.array([float(one["antineoplastic_L01"]) for _, one in records])
    sample = Sample(
        subject=np.array([skeletons[one["ik14"]] for _, one in records], dtype=np.int64),
        label=label,
        categories={
            STRUCTURE: _category([one["smiles"] for _, one in records]),
            ENDOCRINE: _category(
                ["yes" if one["is_L02_endocrine"] == "1" else "no" for _, one in records]
            ),
        },
        times={APPROVED: np.array([new_year_us(year) for year in years], dtype=np.int64)},
        unit="molecule",
    )
    return Approvals(
        sample=sample,
        rows=len(records),
        positives=int(label.sum()),
        first=min(years),
        last=max(years),
    )


def new_year_us(year: int) -> int:
    """Return the first of January of `year` in microseconds UTC."""
    away = datetime(year, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (away.days * 86_400 + away.seconds) * 1_000_000


def _records(text: str) -> list[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, dict[str, str]]] = []
    try:
        header = tuple(next(reader, ()))
        if header != COLUMNS:
            _refuse([f"the columns are not {', '.join(COLUMNS)}"])
        for row in reader:
            if len(row) != len(COLUMNS):
                _refuse([f"line {reader.line_num}: {len(row)} fields, not {len(COLUMNS)}"])
            if len(found) == ROWS_MAX:
                _refuse([f"more than {ROWS_MAX} rows"])
            found.append((reader.line_num, dict(zip(COLUMNS, row, strict=True))))
    except csv.Error as error:
        raise _refused([f"line {reader.line_num}: not well-formed CSV"]) from error
    if not found:
        _refuse(["the table has no rows"])
    return found


def _faults(records: Sequence[tuple[int, dict[str, str]]]) -> list[str]:
    """Return every fault; the value at fault is not quoted (P15)."""
    faults: list[str] = []
    seen: dict[str, int] = {}
    for line, one in records:
        faults += [
            f"line {line}: {name} is malformed"
            for name, pattern in _PATTERNS.items()
            if not pattern.fullmatch(one[name])
        ]
        if not one["pref_name"].strip():
            faults.append(f"line {line}: pref_name is empty")
        year = one["first_approval"]
        if year.isascii() and year.isdigit() and not YEARS[0] <= int(year) <= YEARS[1]:
            faults.append(f"line {line}: first_approval is no year of an approval")
        before = seen.setdefault(one["molecule_chembl_id"], line)
        if before != line:
            faults.append(f"line {line}: the molecule stands in line {before} too")
    return faults


def _category(values: Sequence[str]) -> Category:
    import numpy as np

    levels = tuple(sorted(set(values)))
    place = {level: index for index, level in enumerate(levels)}
    return Category(codes=np.array([place[one] for one in values], dtype=np.int32), levels=levels)


def _refuse(faults: list[str]) -> None:
    if faults:
        raise _refused(faults)


def _refused(faults: list[str]) -> ContractRefused:
    more = f" and {len(faults) - FAULTS_NAMED} more" if len(faults) > FAULTS_NAMED else ""
    return ContractRefused(
        f"the table breaks its contract: {'; '.join(faults[:FAULTS_NAMED])}{more}",
        next_step="correct the source and load it again; nothing was dropped or repaired",
        faults=tuple(faults),
    )
