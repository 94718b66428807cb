"""Counts by group: the only thing that most fairness metrics need to know of the rows.

Definition: rows are cut into groups by one attribute or by the intersection of several; within a
    group each row falls into one cell of an outcome (for a decision: true negative, false positive,
    false negative, true positive), or is left out because its label or decision is missing.
Formula: group code g = sum of (level code + 1) in mixed radix, 0 standing for a missing value; cell
    (g, o) is counted at g (K + 1) + o for K outcomes, o = K where a row is left out. Where subjects
    repeat, M = sum over subjects of c c' with c the subject's own cell counts.
Source: counting; M gives the variance of every ratio of totals in a sample of clusters, Cochran
    (1977), Sampling Techniques, 3rd edition, section 9A.2.
Assumptions: attributes are as recorded. A missing attribute is a group of its own, "(missing)": a
    person without a recorded race is still a person whom the model serves.
Failure modes: an attribute with many levels leaves groups of one or two; they are counted, shown
    and get wide limits. Counts of rows that repeat subjects, without M and without the rows,
    support no interval; the metrics then say so.
Cost: one pass in blocks, temporary memory independent of the rows; where subjects repeat one sort
    of the (subject, cell) pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import ProtocolMalformed, SampleMalformed
from audits.sources.sample import Category, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Decisions: TypeAlias = NDArray[np.int8]

MISSING: Final = "(missing)"
EVERYBODY: Final = "all"
BLOCK: Final = 1 << 16
"""Rows counted at a time: the block's codes stay in the processor's cache."""
MAX_RADIX: Final = 1 << 14
"""Combinations of levels that are counted before the protocol is asked to name fewer attributes."""

DECISIONS: Final = ("true negative", "false positive", "false negative", "true positive")
DOSES: Final = ("underdosed", "within", "overdosed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is counted of a row: `codes(slice)` gives the index into `names`, or their number.

    The number of names as a code means: left out, because label or decision is missing.
    """

    names: tuple[str, ...]
    codes: Callable[[slice], Ints]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubjectPairs:
    """How often each subject is in each cell: `subject`, `cell`, `times` (p entries each).

    `subject` indexes `identity`, the numbers by which the sample knows the subjects.
    """

    identity: Ints
    subject: Ints
    cell: Ints
    times: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupCells:
    """Counts of one partition: `counts` (groups, outcomes), `left_out` and `subjects` (groups).

    `repeats` says that some subject has more than one counted row. Then `pairs` (from rows) or
    `second` (groups x outcomes squared, from a tally) carry the dependence; with neither there is
    no interval. `shared` says that some subject is in more than one group.
    """

    attributes: tuple[str, ...]
    groups: tuple[str, ...]
    outcomes: tuple[str, ...]
    counts: Ints
    left_out: Ints
    subjects: Ints
    repeats: bool
    shared: bool = False
    pairs: SubjectPairs | None = None
    second: Floats | None = None
    unit: str = "subject"

    def __post_init__(self) -> None:
        shape = (len(self.groups), len(self.outcomes))
        if self.counts.shape != shape or self.counts.dtype.kind != "i":
            raise _malformed(f"the counts of {shape[0]} groups and {shape[1]} outcomes are {shape}")
        if self.counts.size and self.counts.min() < 0:
            raise _malformed("a count is never negative")
        if len(set(self.groups)) != len(self.groups):
            raise _malformed("a group is named once")
        size = shape[0] * shape[1]
        if self.second is not None and self.second.shape != (size, size):
            raise _malformed(f"the second moments of {size} cells are {size} by {size}")

    @property
    def n(self) -> int:
        """How many rows are counted."""
        return int(self.counts.sum())

    @property
    def grounded(self) -> bool:
        """Whether the counts say how far they could have come out otherwise."""
        return not self.repeats or self.pairs is not None or self.second is not None

    def together(self) -> GroupCells:
        """Return the counts of everybody as one group."""
        import numpy as np

        width, count = len(self.outcomes), len(self.groups)
        second = self.second
        if second is not None:
            second = second.reshape(count, width, count, width).sum(axis=(0, 2))
        pairs = self.pairs
        subjects = self.subjects.sum(keepdims=True)
        if pairs is not None:
            pairs = _merged(pairs.identity, pairs.subject, pairs.cell % width, pairs.times)
            subjects = np.array([pairs.identity.size])
        return GroupCells(
            attributes=(),
            groups=(EVERYBODY,),
            outcomes=self.outcomes,
            counts=self.counts.sum(axis=0, keepdims=True),
            left_out=self.left_out.sum(keepdims=True),
            subjects=subjects,
            repeats=self.repeats,
            pairs=pairs,
            second=second,
            unit=self.unit,
        )


def decided(sample: Sample, *, decision: Decisions | None = None) -> Outcome:
    """Return the outcome of a 0/1 decision against a 0/1 label.

    `decision` (n, int8; -1 = none) replaces the sample's own. Raises SampleMalformed where the
    sample has no label or nothing was decided, and, while counting, for a label other than 0 or 1.
    """
    import numpy as np

    label = sample.label
    given = sample.decision if decision is None else decision
    if label is None or given is None:
        raise _malformed("a decision is compared with a label: the sample needs both")

    def codes(rows: slice) -> Ints:
        truth, act = label[rows], given[rows]
        positive = truth == 1.0
        known = positive | (truth == 0.0)
        if not known.all() and not np.isnan(truth[~known]).all():
            raise _malformed("a label is 0 or 1, or missing")
        code: Ints = positive.astype(np.int64)
        code <<= 1
        code += act
        code[~known | (act < 0)] = len(DECISIONS)
        return code

    return Outcome(names=DECISIONS, codes=codes)


def thresholded(score: Floats, *, threshold: float) -> Decisions:
    """Return 1 where the score is at least `threshold`, 0 below, -1 where there is no score."""
    import numpy as np

    decision = (score >= threshold).astype(np.int8)
    decision[np.isnan(score)] = -1
    return decision


def dosed(sample: Sample, *, dose: Floats, tolerance: float) -> Outcome:
    """Return the outcome of a dose against the label, the dose that turned out right.

    Over: dose > (1 + tolerance) label; under: dose < (1 - tolerance) label; either missing: left
    out. Raises SampleMalformed for a right dose that is not positive.
    """
    import numpy as np

    label = sample.label
    if label is None:
        raise _malformed("a dose is compared with the one that turned out right: a label is needed")

    def codes(rows: slice) -> Ints:
        truth, given = label[rows], dose[rows]
        if (truth <= 0).any() or np.isinf(truth).any() or np.isinf(given).any():
            raise _malformed("a dose is a positive, finite number")
        code = np.ones(truth.shape, dtype=np.int64)
        code[given < (1 - tolerance) * truth] = 0
        code[given > (1 + tolerance) * truth] = 2
        code[np.isnan(truth) | np.isnan(given)] = len(DOSES)
        return code

    return Outcome(names=DOSES, codes=codes)


def paired(before: Outcome, after: Outcome) -> Outcome:
    """Return both outcomes of each row: cell i K + j is `before` i and `after` j."""
    width = len(before.names)

    def codes(rows: slice) -> Ints:
        first, second = before.codes(rows), after.codes(rows)
        code = first * width + second
        code[(first == width) | (second == width)] = width * width
        return code

    return Outcome(
        names=tuple(f"{one} then {two}" for one in before.names for two in after.names),
        codes=codes,
    )


def count_cells(sample: Sample, *, attributes: Sequence[str], outcome: Outcome) -> GroupCells:
    """Count the rows of `sample` by the groups of `attributes` and the cells of `outcome`.

    Groups with at least one row are kept, in alphabetical order, whether or not their rows could be
    counted. Raises ProtocolMalformed for an unknown attribute or too many combinations of levels.
    """
    import numpy as np

    columns = columns_of(sample, attributes)
    radix = [len(column.levels) + 1 for column in columns]
    width = len(outcome.names) + 1
    table = np.zeros(_product(radix) * width, dtype=np.int64)
    for start in range(0, sample.n, BLOCK):
        rows = slice(start, start + BLOCK)
        cell = group_codes(columns, rows) * width + outcome.codes(rows)
        table += np.bincount(cell, minlength=table.size)
    by_code = table.reshape(-1, width)
    present = np.flatnonzero(by_code.sum(axis=1))
    names = [_name(attributes, columns, radix, int(code)) for code in present]
    order = sorted(range(len(names)), key=names.__getitem__)
    kept = present[order]
    counts = np.ascontiguousarray(by_code[kept, :-1])
    pairs, subjects, shared = None, counts.sum(axis=1), False
    if not _one_row_each(sample):
        pairs = _subject_pairs(sample, columns, outcome, kept)
        subjects, shared = _subjects(pairs, groups=len(kept), width=width - 1)
    repeats = pairs is not None and bool(counts.sum() > pairs.identity.size)
    return GroupCells(
        attributes=tuple(attributes),
        groups=tuple(names[i] for i in order),
        outcomes=outcome.names,
        counts=counts,
        left_out=by_code[kept, -1],
        subjects=subjects,
        repeats=repeats,
        shared=shared,
        pairs=pairs if repeats else None,
        unit=sample.unit,
    )


def columns_of(sample: Sample, attributes: Sequence[str]) -> list[Category]:
    """Return the columns of `attributes`; raises ProtocolMalformed for one that is not there."""
    unknown = [name for name in attributes if name not in sample.categories]
    if unknown or not attributes:
        raise ProtocolMalformed(
            f"the sample has no attribute {', '.join(unknown)}"
            if unknown
            else "no attribute named",
            next_step=f"Name some of: {', '.join(sorted(sample.categories)) or '(none)'}.",
        )
    columns = [sample.categories[name] for name in attributes]
    for name, column in zip(attributes, columns, strict=True):
        if MISSING in column.levels:
            raise _malformed(f"{name} has a level {MISSING!r}, which is the word for no value")
    if _product([len(column.levels) + 1 for column in columns]) > MAX_RADIX:
        raise ProtocolMalformed(
            f"{' & '.join(attributes)} has more than {MAX_RADIX} combinations of levels",
            next_step="Intersect fewer attributes, or join levels before the protocol is frozen.",
        )
    return columns


def group_codes(columns: Sequence[Category], rows: slice) -> Ints:
    """Return the mixed radix code of the group of each row; a missing value counts as 0."""
    import numpy as np

    code = columns[0].codes[rows].astype(np.int64)
    code += 1
    for column in columns[1:]:
        code *= len(column.levels) + 1
        code += column.codes[rows]
        code += 1
    return code


def memberships(sample: Sample, *, attributes: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """Return the names of the groups with rows, alphabetical, and the group of each row (n)."""
    import numpy as np

    columns = columns_of(sample, attributes)
    radix = [len(column.levels) + 1 for column in columns]
    codes = group_codes(columns, slice(0, sample.n))
    present, inverse = np.unique(codes, return_inverse=True)
    names = [_name(attributes, columns, radix, int(code)) for code in present]
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return tuple(names[i] for i in order), rank[inverse]


def second_moments(cells: GroupCells) -> Floats:
    """Return the sum over subjects of c c' (cells squared), c a subject's counts by cell.

    Rows of one subject each give the counts on the diagonal. Raises SampleMalformed where subjects
    repeat and nothing says how.
    """
    import numpy as np

    if not cells.repeats:
        return np.diag(cells.counts.ravel().astype(np.float64))
    if cells.second is not None:
        return cells.second
    if cells.pairs is None:
        raise _malformed("counts of repeated subjects without second moments have no variance")
    from scipy.sparse import csr_array

    pairs = cells.pairs
    matrix = csr_array(
        (pairs.times.astype(np.float64), (pairs.subject, pairs.cell)),
        shape=(pairs.identity.size, cells.counts.size),
    )
    return np.asarray((matrix.T @ matrix).todense())


def _one_row_each(sample: Sample) -> bool:
    """Return whether no subject has two rows, without a sort where subjects are in order."""
    subject = sample.subject
    for start in range(0, sample.n, BLOCK):
        part = subject[start : start + BLOCK + 1]
        if not (part[1:] > part[:-1]).all():
            return not sample.repeats
    return True


def _subject_pairs(
    sample: Sample, columns: Sequence[Category], outcome: Outcome, kept: Ints
) -> SubjectPairs:
    import numpy as np

    everything = slice(0, sample.n)
    result = outcome.codes(everything)
    counted = result < len(outcome.names)
    order = np.argsort(kept)
    group = order[np.searchsorted(kept[order], group_codes(columns, everything)[counted])]
    identity, subject = np.unique(sample.subject[counted], return_inverse=True)
    cell = group * len(outcome.names) + result[counted]
    return _merged(identity, subject, cell, np.ones(cell.size, dtype=np.int64))


def _merged(identity: Ints, subject: Ints, cell: Ints, times: Ints) -> SubjectPairs:
    import numpy as np

    width = int(cell.max(initial=0)) + 1
    keys, inverse = np.unique(subject * width + cell, return_inverse=True)
    return SubjectPairs(
        identity=identity,
        subject=(keys // width).astype(np.int64),
        cell=(keys % width).astype(np.int64),
        times=np.bincount(inverse, weights=times, minlength=keys.size).astype(np.int64),
    )


def _subjects(pairs: SubjectPairs, *, groups: int, width: int) -> tuple[Ints, bool]:
    import numpy as np

    keys = np.unique(pairs.subject * groups + pairs.cell // width)
    counted = np.bincount(keys % groups, minlength=groups).astype(np.int64)
    return counted, keys.size > pairs.identity.size


def _name(
    attributes: Sequence[str], columns: Sequence[Category], radix: Sequence[int], code: int
) -> str:
    parts = []
    for attribute, column, size in zip(
        reversed(attributes), reversed(columns), reversed(radix), strict=True
    ):
        code, digit = divmod(code, size)
        parts.append(f"{attribute}={column.levels[digit - 1] if digit else MISSING}")
    return " & ".join(reversed(parts))


def _product(sizes: Sequence[int]) -> int:
    import math

    return math.prod(sizes)


def _malformed(fault: str) -> SampleMalformed:
    return SampleMalformed(fault, next_step="Correct the table or the manifest that describes it.")
