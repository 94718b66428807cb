"""Evidently as a second view of drift: its numbers beside ours, never a verdict.

It sees a seeded sample of at most `MOST` rows a side, in a worker process, by methods that are
named: its default changes with the number of rows, so it is never asked for. What comes back are
numbers by column. They are an exhibit: no criterion reads them.

Erasure (P13). The exhibit holds aggregates only: methods, values, seed, counts. Which rows were
drawn is personal data, a `Drawn` by the key ids of the subjects; whoever keeps it seals each row
under its subject's key, as an observation, and drops with `without` what belongs to an erased key.
The exhibit stays; that its sample can no longer be drawn again in full is counted in `erased`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from audits.drift.reference import column_of
from audits.estimate import Json, decimal_text
from audits.sources.sample import Category, Sample
from governance.adapters.compute import Compute
from governance.errors import GovernanceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices: TypeAlias = NDArray[np.int64]

MOST: Final = 10_000
"""Rows a side: two seconds and some hundred megabytes in the worker."""
RELEASE: Final = "0.7."
"""The release line whose interface this module knows; another may compute other numbers."""
METHODS: Final = {
    "ks": ("ks", "p-value of the Kolmogorov-Smirnov test"),
    "wasserstein": ("wasserstein", "Wasserstein distance over the reference's standard deviation"),
    "psi": ("psi", "population stability index on its own bins"),
    "jensen_shannon": ("jensenshannon", "Jensen-Shannon distance on its own bins"),
    "cramers_v": ("chisquare", "p-value of the chi-square test"),
}
"""Ours, and what evidently calls the nearest and what it returns."""
CATEGORICAL: Final = ("psi", "jensen_shannon", "cramers_v")
NUMERICAL: Final = ("ks", "wasserstein", "psi", "jensen_shannon")


class ViewRefused(GovernanceError):
    """Evidently is of another release, or could not compute what was asked."""

    code = "view.refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The rows of one side by number, each with its subject's key id: personal data.

    `erased` counts rows that were drawn and have gone with their subject's key.
    """

    rows: tuple[int, ...]
    keys: tuple[str, ...]
    erased: int = 0

    def without(self, erased: Collection[str]) -> Drawn:
        """Return the list without the rows of erased keys."""
        kept = [pair for pair in zip(self.rows, self.keys, strict=True) if pair[1] not in erased]
        return replace(
            self,
            rows=tuple(row for row, _ in kept),
            keys=tuple(key for _, key in kept),
            erased=self.erased + len(self.rows) - len(kept),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondView:
    """The exhibit, without any row, and apart from it which rows were drawn."""

    exhibit: dict[str, Json]
    reference: Drawn
    test: Drawn


def second_view(
    compute: Compute,
    *,
    reference: Sample,
    test: Sample,
    keys: tuple[Sequence[str], Sequence[str]],
    columns: Sequence[str],
    methods: Sequence[str],
    ours: Mapping[tuple[str, str], str],
    seed: int,
    most: int = MOST,
) -> SecondView:
    """Return what evidently makes of seeded samples of both sides, beside our values.

    `keys` are the key ids of the rows' subjects, reference first; `ours` is decimal text by
    (column, method). Raises ViewRefused for a method that has no name here and where the library
    fails, ComputeLost where the worker ended.
    """
    unknown = sorted(set(methods) - set(METHODS))
    if unknown:
        raise _refused(f"no method of evidently is named for {', '.join(unknown)}")
    picked = [_drawn(one.n, most, seed + side) for side, one in enumerate((reference, test))]
    tables = [
        {name: _plain(sample, name, rows) for name in columns}
        for sample, rows in zip((reference, test), picked, strict=True)
    ]
    kinds = {name: isinstance(column_of(reference, name), Category) for name in columns}
    asked = [
        (name, method)
        for name in columns
        for method in methods
        if method in (CATEGORICAL if kinds[name] else NUMERICAL)
    ]
    values = compute.run(measured, tables[0], tables[1], kinds=kinds, asked=asked)
    rows: list[Json] = [
        {
            "column": name,
            "method": method,
            "ours": ours.get((name, method)),
            "evidently": value,
            "evidently_method": METHODS[method][0],
            "evidently_is": METHODS[method][1],
        }
        for (name, method), value in zip(asked, values, strict=True)
    ]
    lists = [
        Drawn(rows=tuple(rows_.tolist()), keys=tuple(ids[i] for i in rows_.tolist()))
        for rows_, ids in zip(picked, keys, strict=True)
    ]
    return SecondView(
        exhibit={
            "schema": "second-view/1",
            "engine": f"evidently {version('evidently')}",
            "seed": seed,
            "reference_rows": [len(picked[0]), reference.n],
            "test_rows": [len(picked[1]), test.n],
            "values": rows,
        },
        reference=lists[0],
        test=lists[1],
    )


def measured(
    reference: Mapping[str, Sequence[Any]],
    current: Mapping[str, Sequence[Any]],
    *,
    kinds: Mapping[str, bool],
    asked: Sequence[tuple[str, str]],
) -> list[str | None]:
    """Return evidently's value of each (column, method) as decimal text; runs in the worker."""
    if not version("evidently").startswith(RELEASE):
        raise _refused(f"evidently {version('evidently')} is not of the release line {RELEASE}x")
    import warnings

    # What the library and its parts say about themselves and about small samples.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = _report(reference, current, kinds=kinds, asked=asked)
        except Exception as error:
            raise _refused(f"evidently failed: {type(error).__name__}") from error
    if len(found) != len(asked):
        raise _refused("evidently answered another number of questions")
    return [None if x is None or not math.isfinite(x) else decimal_text(x, digits=6) for x in found]


def _report(
    reference: Mapping[str, Sequence[Any]],
    current: Mapping[str, Sequence[Any]],
    *,
    kinds: Mapping[str, bool],
    asked: Sequence[tuple[str, str]],
) -> list[float | None]:
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    definition = DataDefinition(
        numerical_columns=[name for name, category in kinds.items() if not category],
        categorical_columns=[name for name, category in kinds.items() if category],
    )
    sides = [
        Dataset.from_pandas(pd.DataFrame(dict(table)), data_definition=definition)
        for table in (current, reference)
    ]
    metrics = [ValueDrift(column=name, method=METHODS[method][0]) for name, method in asked]
    answer = Report(metrics, include_tests=False).run(*sides).dict()["metrics"]
    by_question = {(one["config"]["column"], one["config"]["method"]): one for one in answer}
    found = [by_question[name, METHODS[method][0]]["value"] for name, method in asked]
    return [None if value is None else float(value) for value in found]


def _drawn(n: int, most: int, seed: int) -> Indices:
    import numpy as np

    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=most, replace=False))


def _plain(sample: Sample, name: str, rows: Indices) -> list[Any]:
    values = column_of(sample, name)
    if values is None:
        raise _refused(f"there is no column {name!r}")
    if isinstance(values, Category):
        return [None if code < 0 else values.levels[code] for code in values.codes[rows].tolist()]
    found: list[Any] = values[rows].tolist()
    return found


def _refused(fault: str) -> ViewRefused:
    return ViewRefused(
        fault, next_step="the audit's own numbers stand; leave the second view out or repair it"
    )
