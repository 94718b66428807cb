"""Counting rows that are in memory, and observations that are coded already.

Definition: values are coded by the axes and fixed by the sums of a specification, and rows with
    equal codes are counted. An engine that counts elsewhere gives the same integers.
Formula: see `tally_spec` and `tally`. A subject that is a text is counted under
    `subject_number(text)`: the first 60 bits of the MD5 of its UTF-8 bytes, which every engine can
    compute. MD5 spreads the numbers here; it hides nobody, and pseudonyms stay the site's duty.
Source: RFC 1321 (MD5); Knuth, The Art of Computer Programming 3, section 6.1 (counting by key).
Assumptions: two texts with one number are one subject: at 10^6 subjects the chance is below 10^-6.
Failure modes: SampleMalformed for columns of different lengths, TallyMismatch for a column that is
    not there, TallyOverflow.
Cost: one pass a table; a sort by subject and cell where a table has a subject term, and one pass
    over those for each replicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import SampleMalformed, TallyMismatch
from audits.intervals.bootstrap import poisson_weights
from audits.sources.counts import Counts, Moments, moments_of
from audits.sources.exact import sum_by
from audits.sources.sample import Category, Sample
from audits.sources.tally import Tally
from audits.sources.tally_spec import SumColumn, TallySpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

MISSING_SUM: Final = -(2**63)
OUTSIDE_SUM: Final = -(2**63) + 1
"""What stands for a value that is not there, or not within the limits of its sum."""

SUBJECT_DIGITS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedRows:
    """Observations: the code on each axis (n), the fixed point of each sum (n), the subject (n).

    A fixed point may be MISSING_SUM or OUTSIDE_SUM. `subject` is None where nobody is named.
    """

    codes: Mapping[str, Ints]
    fixed: Mapping[str, Ints]
    subject: Ints | None
    n: int


def subject_number(text: str) -> int:
    """Return the number, 0 to 2^60 - 1, under which a subject named by a text is counted."""
    digest = md5(text.encode(), usedforsecurity=False).hexdigest()
    return int(digest[:SUBJECT_DIGITS], 16)


def fixed_point(column: Floats | Ints, of: SumColumn) -> Ints:
    """Return the column (n) in steps of 10^-scale, MISSING_SUM or OUTSIDE_SUM where it has none."""
    import numpy as np

    values = column.astype(np.float64)
    missing = np.isnan(values)
    inside = (values >= float(of.low)) & (values <= float(of.high))
    fixed = np.full(values.shape, OUTSIDE_SUM, dtype=np.int64)
    fixed[inside] = np.floor(values[inside] * of.factor + 0.5).astype(np.int64)
    fixed[missing] = MISSING_SUM
    return fixed


def tally_of_sample(sample: Sample, spec: TallySpec) -> Tally:
    """Return the tally of a sample's rows; `label`, `score`, `decision` are columns as well."""
    columns = _columns(sample)

    def column(name: str) -> Category | Floats | Ints:
        if name not in columns:
            raise TallyMismatch(
                f"the sample has no column {name!r}",
                next_step="Name a column of the sample in the specification.",
            )
        return columns[name]

    codes = {axis.id: axis.codes_of(column(axis.column)) for axis in spec.axes}  # type: ignore[arg-type]
    fixed = {one.id: fixed_point(_numeric(column(one.column), one), one) for one in spec.sums}
    subject = None if spec.subject is None else sample.subject
    return tally_of_codes(CodedRows(codes=codes, fixed=fixed, subject=subject, n=sample.n), spec)


def tally_of_codes(rows: CodedRows, spec: TallySpec) -> Tally:
    """Return the tally of coded rows, such as the observations that answers leave behind."""
    _check(rows, spec)
    subjects = most = None
    who = None
    if rows.subject is not None and spec.subject is not None:
        import numpy as np

        numbers, who, sizes = np.unique(rows.subject, return_inverse=True, return_counts=True)
        subjects, most = int(numbers.size), int(sizes.max(initial=0))
        people = _People(index=who, numbers=numbers)
    else:
        people = None
    return Tally(
        spec=spec,
        rows=rows.n,
        subjects=subjects,
        most_rows=most,
        tables={table.id: _table(rows, spec, table.id, people) for table in spec.tables},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _People:
    """Subjects: `index` (n) into `numbers` (subjects)."""

    index: Ints
    numbers: Ints


def _table(rows: CodedRows, spec: TallySpec, name: str, people: _People | None) -> Counts:
    import numpy as np

    cell = np.zeros(rows.n, dtype=np.int64)
    table, size = spec.table(name), spec.cells(name)
    for axis, stride in zip(table.axes, spec.strides(name), strict=True):
        cell += rows.codes[axis] * stride
    values = _values(rows, table.sums)
    if people is None or not table.by_subject:
        measures = np.stack([sum_by(cell, one, size=size) for one in values])
        return Counts(measures=measures)
    keys, place = np.unique(people.index * size + cell, return_inverse=True)
    each = np.stack([sum_by(place, one, size=keys.size) for one in values])
    who, cell = keys // size, keys % size
    return Counts(
        measures=np.stack([sum_by(cell, one, size=size) for one in each]),
        moments=_moments(who, cell, each[0], size=size) if table.moments else None,
        replicates=_replicates(people.numbers[who], cell, each, spec=spec, size=size)
        if table.replicated
        else None,
    )


def _values(rows: CodedRows, sums: tuple[str, ...]) -> list[Ints]:
    """Return what each measure adds up, row by row (measures of n)."""
    import numpy as np

    values = [np.ones(rows.n, dtype=np.int64)]
    for name in sums:
        fixed = rows.fixed[name]
        used = fixed > OUTSIDE_SUM
        kept = np.where(used, fixed, 0)
        outside = (fixed == OUTSIDE_SUM).astype(np.int64)
        values += [used.astype(np.int64), kept, kept * kept, outside]
    return values


def _moments(who: Ints, cell: Ints, n: Ints, *, size: int) -> Moments:
    """Return the moments from counts by subject and cell, sorted by both."""
    import numpy as np

    first, second, products = [cell], [cell], [n * n]
    step = 1
    while True:
        same = np.flatnonzero(who[step:] == who[:-step]) if step < who.size else who[:0]
        if same.size == 0:
            break
        first.append(cell[same])
        second.append(cell[same + step])
        products.append(n[same] * n[same + step])
        step += 1
    return moments_of(
        np.concatenate(first), np.concatenate(second), np.concatenate(products), cells=size
    )


def _replicates(subject: Ints, cell: Ints, each: Ints, *, spec: TallySpec, size: int) -> Ints:
    import numpy as np

    weights = poisson_weights(subject, replicates=spec.replicates, seed=spec.seed)
    return np.stack(
        [
            np.stack([sum_by(cell, one * weight.astype(np.int64), size=size) for one in each])
            for weight in weights
        ]
    )


def _columns(sample: Sample) -> dict[str, Category | Floats | Ints]:
    import numpy as np

    columns: dict[str, Category | Floats | Ints] = {
        **sample.numbers, **sample.categories, **sample.times, "subject": sample.subject,
    }  # fmt: skip
    if sample.label is not None:
        columns["label"] = sample.label
    if sample.score is not None:
        columns["score"] = sample.score
    if sample.decision is not None:
        columns["decision"] = np.where(sample.decision < 0, np.nan, sample.decision)
    return columns


def _numeric(column: Category | Floats | Ints, of: SumColumn) -> Floats | Ints:
    if isinstance(column, Category):
        raise TallyMismatch(
            f"the column of the sum {of.id!r} is a category",
            next_step="Sum numbers; count categories on an axis.",
        )
    return column


def _check(rows: CodedRows, spec: TallySpec) -> None:
    sizes = {axis.id: axis.size for axis in spec.axes}
    if set(rows.codes) != set(sizes) or set(rows.fixed) != {one.id for one in spec.sums}:
        raise _malformed("there is one column of codes for each axis, and one for each sum")
    if (rows.subject is None) != (spec.subject is None):
        raise _malformed("there is a column of subjects where the specification names one")
    columns = [*rows.codes.values(), *rows.fixed.values()]
    columns += [] if rows.subject is None else [rows.subject]
    if any(one.shape != (rows.n,) or one.dtype.kind != "i" for one in columns):
        raise _malformed(f"each column holds {rows.n} whole numbers")
    for axis, codes in rows.codes.items():
        if rows.n and not (codes.min() >= 0 and codes.max() < sizes[axis]):
            raise _malformed(f"the axis {axis!r} has no such code")
    for name, fixed in rows.fixed.items():
        limit = max(abs(spec.sum(name).low), abs(spec.sum(name).high)) * spec.sum(name).factor
        used = fixed[fixed > OUTSIDE_SUM]
        if used.size and max(-int(used.min()), int(used.max())) > limit + 1:
            raise _malformed(f"the sum {name!r} has values beyond its limits")


def _malformed(fault: str) -> SampleMalformed:
    return SampleMalformed(fault, next_step="Code the rows under the specification's own axes.")
