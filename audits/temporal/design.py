"""From a protocol to sides: the folds of its design, and random draws over the same rows.

Definition: see `splitters`; a protocol names the design, and dates become instants here.
Formula: the share of subjects drawn for a random test side is that of the time split's.
Source: the house rule that a comparison changes one thing at a time.
Assumptions: instants of the rows are microseconds UTC.
Failure modes: a held-out site that no row has, or a cut with an empty side, is refused.
Cost: a few passes over the rows a cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audits.temporal.protocol import DAY_US, TemporalRowsProtocol, instant, malformed
from audits.temporal.splitters import (
    ExpandingOrigin,
    Fold,
    RandomSplit,
    RollingOrigin,
    TemporalHoldOut,
    Timeline,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]


def folds_of(
    sample: Sample, protocol: TemporalRowsProtocol, *, ripe: bool = True
) -> tuple[Fold, ...]:
    """Return the folds of the protocol; without `ripe`, the maturity of labels is not asked for.

    Raises ProtocolMalformed for a held-out site that no row has; SplitRefused for an empty side.
    """
    import numpy as np

    sites = None
    if protocol.site is not None:
        column = sample.categories[protocol.site]
        if absent := sorted(set(protocol.held_out_sites) - set(column.levels)):
            raise malformed("held_out_sites", f"names {absent[0]!r}, which no row has")
        sites = np.array([*column.levels, ""])[column.codes]
    known = None
    if ripe and protocol.label_known is not None:
        known = sample.times[protocol.label_known]
    timeline = Timeline(
        predicted_at=sample.times[protocol.at],
        label_known_at=known,
        subjects=sample.subject,
        sites=sites,
    )
    return tuple(_splitter(timeline, protocol).folds())


def random_draws(
    sample: Sample, fold: Fold, protocol: TemporalRowsProtocol, *, place: int
) -> list[tuple[Ints, Ints]]:
    """Return random draws (training rows, test rows) over the rows of both sides of cut `place`."""
    import numpy as np

    if not protocol.random_repeats:
        return []
    rows = np.concatenate((fold.training, fold.test))
    subject = sample.subject[rows]
    # The sides share no subject, so that the share lies strictly between 0 and 1.
    share = np.unique(sample.subject[fold.test]).size / np.unique(subject).size
    split = RandomSplit(
        test_share=share, seed=protocol.seed + place, repeats=protocol.random_repeats
    )
    drawn = split.folds(rows.size, subjects=subject)
    return [(rows[one.training], rows[one.test]) for one in drawn]


def rows_at(sample: Sample, rows: Ints, *, among: Bools | None = None) -> Sample:
    """Return the rows numbered `rows`, in the order of the sample, of those in `among` (n)."""
    import numpy as np

    mask = np.zeros(sample.n, dtype=np.bool_)
    mask[rows] = True
    return sample.where(mask if among is None else mask & among)


def _splitter(
    timeline: Timeline, protocol: TemporalRowsProtocol
) -> TemporalHoldOut | ExpandingOrigin:
    cuts = tuple(instant(one, "cuts") for one in protocol.cuts)
    embargo = protocol.embargo_days * DAY_US
    horizon = None if protocol.horizon_days is None else protocol.horizon_days * DAY_US
    evaluated = None
    if protocol.evaluated_at is not None:
        evaluated = instant(protocol.evaluated_at, "evaluated_at")
    if protocol.design == "hold-out" or horizon is None:
        return TemporalHoldOut(
            timeline=timeline,
            cut=cuts[0],
            end=None if horizon is None else cuts[0] + embargo + horizon,
            embargo=embargo,
            evaluated_at=evaluated,
            returning=protocol.returning,
            held_out_sites=protocol.held_out_sites,
        )
    if protocol.design == "rolling" and protocol.window_days is not None:
        return RollingOrigin(
            timeline=timeline,
            cuts=cuts,
            horizon=horizon,
            window=protocol.window_days * DAY_US,
            embargo=embargo,
            evaluated_at=evaluated,
            returning=protocol.returning,
            held_out_sites=protocol.held_out_sites,
        )
    return ExpandingOrigin(
        timeline=timeline,
        cuts=cuts,
        horizon=horizon,
        embargo=embargo,
        evaluated_at=evaluated,
        returning=protocol.returning,
        held_out_sites=protocol.held_out_sites,
    )
