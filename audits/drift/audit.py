"""The drift audit: have rows, answers or outcomes moved away from the reference, and how far.

Definition: each column is compared by each method against its limit. A column has drifted by a
    method when the whole interval lies beyond the limit, has not when it lies within, and otherwise
    the rows do not say. Further sections as the protocol asks.
Formula: the methods' own modules. With `bonferroni` each interval of a column has the level
    1 - (1 - level) / (columns x (methods + 1)), missingness being one more comparison a column.
Source: as the methods; Holm (1979), Scandinavian Journal of Statistics 6(2), 65-70 (Bonferroni).
Assumptions: the current rows are a sample of what the model is asked now.
Failure modes: a drifted column need not hurt the model, and a model may fail on columns that have
    not moved; drift asks for a look at performance, it does not replace it.
Cost: one pass over the rows a column; the learners as in their modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audits.criteria import Criterion, judge
from audits.drift.applicability import outside_share
from audits.drift.columns import ColumnDrift, compare_columns
from audits.drift.protocol import DriftProtocol, malformed, parse
from audits.drift.reference import Reference, reference_of
from audits.drift.sections import (
    METHODS_OF_PARTS,
    columns_section,
    late_section,
    missing_section,
    without_labels_section,
)
from audits.drift.two_sample import two_sample_auroc
from audits.estimate import Estimate
from audits.report import AuditReport, Progress, Section, judged, quiet

if TYPE_CHECKING:
    import numpy as np

    from audits.sources.sample import Sample

__all__ = ["KIND", "DriftProtocol", "parse", "run"]

KIND: Final = "drift"
QUESTION: Final = "Are rows, answers and known outcomes still like those of the reference?"


@dataclass(slots=True)
class _Found:
    """What the parts of the audit add to the report."""

    sections: list[Section]
    estimates: list[Estimate]
    missing: list[str]


def run(
    samples: Mapping[str, Sample],
    *,
    protocol: DriftProtocol,
    criteria: Sequence[Criterion],
    rng: np.random.Generator,
    progress: Progress = quiet,
    stored: Reference | None = None,
) -> AuditReport:
    """Return the report on the sample "test" against "reference", or against a `stored` reference.

    Raises ProtocolMalformed where a sample or column is not there, or a criterion is about an
    estimate that the protocol does not ask for.
    """
    test, reference = samples.get("test"), samples.get("reference")
    if test is None or (reference is None and stored is None):
        raise malformed("a drift audit needs the samples `test` and `reference`")
    parts = _parts(protocol)
    progress(0, len(parts) + 1, "columns")
    kept = stored or reference_of(_given(reference), columns=protocol.columns, bins=protocol.bins)
    columns = compare_columns(kept, test, protocol=protocol)
    found = _Found(sections=[], estimates=[], missing=[])
    _columns(found, columns, protocol)
    for done, (name, part) in enumerate(parts, start=1):
        progress(done, len(parts) + 1, name)
        part(found, _given(reference), test, protocol, rng)
    progress(len(parts) + 1, len(parts) + 1, "done")
    judgements = [judge(one, _about(one, found.estimates)) for one in criteria]
    ordered, answers = judged(criteria, judgements)
    return AuditReport(
        kind=KIND,
        question=QUESTION,
        protocol=protocol.as_record(),
        criteria=ordered,
        judgements=answers,
        sections=tuple(found.sections),
        methods=tuple(
            METHODS_OF_PARTS[name] for name in (*protocol.limits, "missing", *dict(parts))
        ),
        data=(
            ("reference rows", kept.rows),
            (f"reference {kept.unit}s", kept.subjects),
            ("current rows", test.n),
            (f"current {test.unit}s", test.subjects),
            ("intervals that hold together", protocol.comparisons),
        ),
        limits=LIMITS,
        missing=tuple(found.missing),
    )


LIMITS: Final = (
    "A column that moved need not hurt the model; one that did not move may. Performance decides.",
    (
        "Distances compare one column at a time; only the two-sample test and the share outside "
        "see columns together."
    ),
    (
        "Performance without labels holds only while calibration does; nothing without labels can "
        "show that it does not."
    ),
)


def _columns(found: _Found, columns: Sequence[ColumnDrift], protocol: DriftProtocol) -> None:
    found.sections.append(columns_section(columns, protocol=protocol))
    found.sections.append(missing_section(columns, protocol=protocol))
    for one in columns:
        found.estimates += one.estimates
        found.missing += one.missing
    found.estimates += found.sections[0].estimates


def _two_sample(
    found: _Found,
    reference: Sample,
    test: Sample,
    protocol: DriftProtocol,
    rng: np.random.Generator,
) -> None:
    asked = protocol.two_sample
    assert asked is not None
    estimate = two_sample_auroc(
        reference,
        test,
        columns=protocol.columns,
        learner=asked.learner,
        folds=asked.folds,
        most=asked.rows,
        level=protocol.level,
        rng=rng,
    )
    _told(found, "two-sample", "Can the rows be told apart?", estimate)


def _applicability(
    found: _Found,
    reference: Sample,
    test: Sample,
    protocol: DriftProtocol,
    rng: np.random.Generator,
) -> None:
    asked = protocol.applicability
    assert asked is not None
    estimate = outside_share(
        reference,
        test,
        columns=protocol.columns,
        kind=asked.kind,
        quantile=asked.quantile,
        level=protocol.level,
        rng=rng,
    )
    _told(found, "applicability", "How many rows lie outside the reference?", estimate)


def _without_labels(
    found: _Found,
    reference: Sample,
    test: Sample,
    protocol: DriftProtocol,
    rng: np.random.Generator,
) -> None:
    section = without_labels_section(
        reference, test, protocol=protocol, seed=int(rng.integers(2**31))
    )
    found.sections.append(section)
    found.estimates += section.estimates


def _late(
    found: _Found,
    _reference: Sample,
    test: Sample,
    protocol: DriftProtocol,
    rng: np.random.Generator,
) -> None:
    section, missing = late_section(test, protocol=protocol, seed=int(rng.integers(2**31)))
    found.sections.append(section)
    found.estimates += section.estimates
    found.missing += missing


def _told(found: _Found, id_: str, title: str, estimate: Estimate) -> None:
    found.sections.append(Section(id=id_, title=title, estimates=(estimate,)))
    found.estimates.append(estimate)


Part = Callable[["_Found", "Sample", "Sample", DriftProtocol, "np.random.Generator"], None]


def _parts(protocol: DriftProtocol) -> list[tuple[str, Part]]:
    asked: list[tuple[str, object, Part]] = [
        ("two_sample", protocol.two_sample, _two_sample),
        ("applicability", protocol.applicability, _applicability),
        ("without_labels", protocol.without_labels, _without_labels),
        ("late_labels", protocol.late_labels, _late),
    ]
    return [(name, part) for name, setting, part in asked if setting is not None]


def _given(reference: Sample | None) -> Sample:
    if reference is None:
        raise malformed("this part of the protocol needs the rows of the sample `reference`")
    return reference


def _about(criterion: Criterion, estimates: Sequence[Estimate]) -> Estimate:
    for one in estimates:
        if (one.metric, one.population) == (criterion.metric, criterion.population):
            return one
    raise malformed(
        f"criterion {criterion.id!r} is about {criterion.metric} of {criterion.population}, "
        "which this audit did not estimate"
    )
