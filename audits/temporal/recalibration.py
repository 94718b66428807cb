"""Recalibration as a governed component: fitted before a date, frozen, and judged only after it.

Definition: a recalibration maps a model's probability to another, by site or for all. It is fitted
    on rows whose labels were known before `until`, is written as canonical JSON with decimal text,
    and is estimated before and after on later rows only. A site with too few events uses the map of
    all sites, and says so.
Formula: intercept: logit q = a + logit p. logistic (Platt): logit q = a + b logit p, b > 0.
    isotonic: the least-squares nondecreasing step through the outcomes by pooling neighbours that
    violate the order, read with linear interpolation between the middles of the steps, flat beyond
    the first and last. p is cut to [1e-6, 1 - 1e-6] before its logit is taken.
Source: Steyerberg et al. (2004), Statistics in Medicine 23(16), 2567-2586 (updating); Platt (1999),
    Advances in Large Margin Classifiers, 61-74; Zadrozny and Elkan (2002), KDD, 694-699; Ayer et
    al. (1955), Annals of Mathematical Statistics 26(4), 641-647 (pooling).
Assumptions: what went wrong is the height of the probabilities, not their order: the map is
    increasing, so that the area under the ROC curve stays (isotonic may make ties).
Failure modes: a slope of zero or less, or separation, is refused. With few events the isotonic map
    follows the noise: it asks for more of them. A map fitted in one period drifts like a model.
Cost: one sort; a few Newton steps.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from audits.errors import RecalibrationRefused
from audits.estimate import Estimate, Json, decimal_text
from audits.performance.brier import brier
from audits.performance.calibration_curve import calibration, expit, logistic, logit
from audits.performance.rows import rows_of
from audits.sources.sample import MISSING_TIME, Sample
from audits.temporal.strata import events

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]

Kind: TypeAlias = Literal["intercept", "logistic", "isotonic"]

SCHEMA: Final = "recalibration/1"
ALL: Final = "*"
DIGITS: Final = 12
"""Significant digits of a map: knots nine decimals apart stay apart."""
EVENTS_MIN: Final[Mapping[str, int]] = MappingProxyType(
    {"intercept": 10, "logistic": 20, "isotonic": 100}
)
"""Subjects of the rarer label below which a map is not fitted: one, two and many parameters."""
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalibration:
    """A frozen map; `maps` holds one for all sites under "*", and those of sites with enough rows.

    Numbers are decimal text, so that the record is the map: intercept ("a"), logistic ("a", "b"),
    isotonic (knots p1, q1, p2, q2, …). `fitted` says on what.
    """

    kind: Kind
    site: str | None
    until_us: int
    maps: tuple[tuple[str, tuple[str, ...]], ...]
    fitted: tuple[tuple[str, int], ...]
    rows_sha256: str

    def __post_init__(self) -> None:
        if self.kind not in EVENTS_MIN:
            raise _refused(f"{self.kind!r} is not a kind of recalibration")
        names = [name for name, _ in self.maps]
        if names != sorted(set(names)) or ALL not in names:
            raise _refused("maps are in order of their sites, and one is for all")
        if (self.site is None) and names != [ALL]:
            raise _refused("maps by site name the category that is the site")
        if not re.fullmatch(r"[0-9a-f]{64}", self.rows_sha256):
            raise _refused("the digest of the fitted rows is 64 hexadecimal digits")
        for name, numbers in self.maps:
            if not all(_NUMBER.fullmatch(one) for one in numbers):
                raise _refused(f"the map of {name!r} holds what is not decimal text")
            fault = _fault(self.kind, [float(one) for one in numbers])
            if fault:
                raise _refused(f"the map of {name!r} {fault}")

    def as_record(self) -> dict[str, Json]:
        """Return the component in the JSON domain; `parse` reads it back."""
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "site": self.site,
            "until_us": str(self.until_us),
            "maps": {name: list(numbers) for name, numbers in self.maps},
            "fitted": dict(self.fitted),
            "rows_sha256": self.rows_sha256,
        }

    def canonical(self) -> bytes:
        """Return the bytes that a digest is taken of: sorted members, no spaces, ASCII."""
        record = json.dumps(self.as_record(), sort_keys=True, separators=(",", ":"))
        return record.encode("ascii")

    def apply(self, sample: Sample) -> Sample:
        """Return `sample` with recalibrated scores; a site without a map of its own uses "*".

        Raises RecalibrationRefused where a score is not a probability or the site is no column.
        """
        import numpy as np

        stated = _stated(sample)
        found = np.empty(sample.n)
        for name, mask in _parts(sample, self.site, [name for name, _ in self.maps]):
            numbers = [float(one) for one in dict(self.maps)[name]]
            found[mask] = _mapped(self.kind, numbers, stated[mask])
        return replace(sample, score=np.where(np.isnan(stated), np.nan, found))


def parse(record: Mapping[str, Json]) -> Recalibration:
    """Return the component of a record; RecalibrationRefused where it is not exactly one."""
    names = {"schema", "kind", "site", "until_us", "maps", "fitted", "rows_sha256"}
    if set(record) != names or record["schema"] != SCHEMA:
        raise _refused(f"a record has the members {', '.join(sorted(names))}, schema {SCHEMA}")
    maps, fitted = record["maps"], record["fitted"]
    until, site, digest = record["until_us"], record["site"], record["rows_sha256"]
    if not isinstance(until, str) or not re.fullmatch(r"-?[0-9]{1,19}", until):
        raise _refused("until_us is a whole number, written as text")
    if not isinstance(site, str | None) or not isinstance(digest, str):
        raise _refused("site and rows_sha256 are texts")
    if not isinstance(maps, dict) or not isinstance(fitted, dict):
        raise _refused("maps and fitted are mappings")
    if not all(isinstance(m, list) and all(isinstance(x, str) for x in m) for m in maps.values()):
        raise _refused("a map is a list of numbers, written as decimal text")
    if not all(type(count) is int for count in fitted.values()):
        raise _refused("fitted holds counts")
    return Recalibration(
        kind=cast("Kind", record["kind"]),
        site=site,
        until_us=int(until),
        maps=tuple(
            (name, tuple(str(x) for x in cast("list[Json]", numbers)))
            for name, numbers in sorted(maps.items())
        ),
        fitted=tuple(sorted((name, cast("int", count)) for name, count in fitted.items())),
        rows_sha256=digest,
    )


def fit(
    sample: Sample,
    *,
    kind: Kind,
    time: str,
    label_known: str | None,
    until: int,
    site: str | None = None,
) -> Recalibration:
    """Return the map fitted on the rows of `sample`, all predicted and labelled before `until`.

    Raises RecalibrationRefused where a row or its label is from `until` on (a test row), where
    events are too few for all sites together, or where the fitted map would not increase.
    """
    import numpy as np

    if kind not in EVENTS_MIN:
        raise _refused(f"{kind!r} is not a kind of recalibration")
    _refuse_later(sample, until, (time, label_known))
    kept = ~np.isnan(_stated(sample)) & ~np.isnan(np.asarray(_label(sample)))
    rows = sample.where(kept)
    maps: list[tuple[str, tuple[str, ...]]] = []
    fitted: list[tuple[str, int]] = []
    for name, part in _sites(rows, site):
        if events(part) < EVENTS_MIN[kind]:
            if name == ALL:
                raise _refused(f"{events(part)} events; {EVENTS_MIN[kind]} are needed for {kind}")
            continue
        numbers = tuple(decimal_text(x, digits=DIGITS) for x in _fitted(kind, part))
        maps.append((name, numbers))
        fitted.append((name, part.n))
    return Recalibration(
        kind=kind,
        site=site,
        until_us=until,
        maps=tuple(sorted(maps)),
        fitted=tuple(sorted(fitted)),
        rows_sha256=_digest(rows, site),
    )


def before_and_after(
    recalibration: Recalibration, later: Sample, *, time: str, level: float
) -> tuple[Estimate, ...]:
    """Return calibration and Brier score of the later rows, before and after the map.

    Populations are `before recalibration` and `after recalibration`. Raises RecalibrationRefused
    where a row is from before `until`: the map has seen that time.
    """
    at = _instants(later, time)
    early = int((at < recalibration.until_us).sum())
    if early:
        raise _refused(f"{early} rows are from before the map's end, or have no instant")
    found: list[Estimate] = []
    for name, sample in (("before", later), ("after", recalibration.apply(later))):
        rows = rows_of(sample, population=f"{name} recalibration")
        found += (*calibration(rows, level=level), *brier(rows, level=level))
    return tuple(found)


def _fitted(kind: Kind, rows: Sample) -> list[float]:
    import numpy as np

    x, y = logit(_stated(rows)), _label(rows) == 1
    if kind == "isotonic":
        return _isotonic(np.round(_stated(rows), 9), _label(rows))
    ones = np.ones((rows.n, 1))
    design = ones if kind == "intercept" else np.column_stack((ones, x))
    line = logistic(design, y, offset=x if kind == "intercept" else None)
    if line is None:
        raise _refused("the labels are separated by the score, so the map has no finite slope")
    numbers = [float(one) for one in line.beta]
    if kind == "logistic" and float(decimal_text(numbers[1], digits=DIGITS)) <= 0:
        raise _refused("the fitted slope is not positive: the score does not tell the label")
    return numbers


def _isotonic(p: Floats, y: Floats) -> list[float]:
    """Return knots (p, q) in turn: the middle of each pooled block and its share of events."""
    import numpy as np

    order = np.argsort(p, kind="stable")
    values, start = np.unique(p[order], return_index=True)
    sizes = np.diff(np.append(start, p.size)).astype(float)
    hits = np.add.reduceat(y[order], start)
    blocks: list[list[float]] = []  # [events, rows, sum of p]
    for value, size, hit in zip(values, sizes, hits, strict=True):
        blocks.append([float(hit), float(size), float(value * size)])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return [number for hit, size, total in blocks for number in (total / size, hit / size)]


def _mapped(kind: str, numbers: list[float], p: Floats) -> Floats:
    import numpy as np

    if kind == "isotonic":
        return np.interp(p, numbers[0::2], numbers[1::2])
    slope = numbers[1] if kind == "logistic" else 1.0
    return expit(numbers[0] + slope * logit(p))


def _fault(kind: str, numbers: list[float]) -> str:
    """Return why the numbers are no increasing map of the kind, or nothing."""
    if kind == "isotonic":
        p, q = numbers[0::2], numbers[1::2]
        if len(p) != len(q) or not p:
            return "has no pairs of knots"
        rising = all(a < b for a, b in pairwise(p))
        inside = all(0 <= x <= 1 for x in numbers)
        if not rising or not inside or any(a > b for a, b in pairwise(q)):
            return "is not increasing between 0 and 1"
        return ""
    if len(numbers) != (2 if kind == "logistic" else 1):
        return "has another count of numbers than its kind"
    return "is not increasing" if kind == "logistic" and numbers[1] <= 0 else ""


def _stated(sample: Sample) -> Floats:
    import numpy as np

    if sample.score is None:
        raise _refused("the rows have no score")
    if not ((sample.score >= 0) & (sample.score <= 1) | np.isnan(sample.score)).all():
        raise _refused("a score is not a probability between 0 and 1")
    return sample.score


def _label(sample: Sample) -> Floats:
    import numpy as np

    if sample.label is None or set(np.unique(sample.label[~np.isnan(sample.label)])) - {0.0, 1.0}:
        raise _refused("recalibration needs labels of 0 and 1")
    return sample.label


def _instants(sample: Sample, name: str) -> NDArray[np.int64]:
    if name not in sample.times:
        raise _refused(f"the rows have no instant {name!r}")
    return sample.times[name]


def _refuse_later(sample: Sample, until: int, names: tuple[str | None, ...]) -> None:
    for name in names:
        if name is not None:
            at = _instants(sample, name)
            late = int(((at >= until) | (at == MISSING_TIME)).sum())
            if late:
                raise _refused(f"{late} rows have {name!r} from the map's end on, or not at all")


def _sites(sample: Sample, site: str | None) -> list[tuple[str, Sample]]:
    """Return all rows under "*", then those of each site."""
    import numpy as np

    found = [(ALL, sample)]
    if site is not None:
        if site not in sample.categories:
            raise _refused(f"the rows have no category {site!r}")
        column = sample.categories[site]
        if ALL in column.levels:
            raise _refused(f"a site cannot be called {ALL!r}")
        places = (int(place) for place in np.unique(column.codes) if place >= 0)
        found += [(column.levels[k], sample.where(column.codes == k)) for k in places]
    return found


def _parts(sample: Sample, site: str | None, maps: list[str]) -> list[tuple[str, Bools]]:
    """Return which rows (n) each map is for."""
    import numpy as np

    if site is None:
        return [(ALL, np.ones(sample.n, dtype=np.bool_))]
    if site not in sample.categories:
        raise _refused(f"the rows have no category {site!r}")
    column = sample.categories[site]
    names = np.array([*(x if x in maps else ALL for x in column.levels), ALL])[column.codes]
    return [(name, names == name) for name in maps]


def _digest(rows: Sample, site: str | None) -> str:
    """Return the digest of the fitted rows: subject, score, label and site, in their order."""
    found = hashlib.sha256()
    found.update(rows.subject.astype("<i8").tobytes())
    for column in (_stated(rows), _label(rows)):
        found.update(column.astype("<f8").tobytes())
    if site is not None:
        where = rows.categories[site]
        names = json.dumps([where.levels[k] if k >= 0 else None for k in where.codes])
        found.update(names.encode("ascii"))
    return found.hexdigest()


def _refused(fault: str) -> RecalibrationRefused:
    return RecalibrationRefused(
        fault, next_step="Fit on earlier rows with enough events, and judge on later ones."
    )
