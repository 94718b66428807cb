"""Disclosed tallies: counts that were suppressed or noised on purpose, and what they still say.

Definition: a disclosed tally holds the counts of a tally's tables after small cells were hidden
    (None) or noise was added. Sums, moments, replicates and, where there is noise, the number of
    rows stay at the site. It is no Tally: nothing merges it, no function that takes exact counts
    accepts it, and no record of it reads as one.
Formula: Suppression: see `suppression`. Noise: each count gets an independent two-sided geometric
    number of scale t = T L / epsilon, T tables, L the most rows of one subject: adding or removing
    a subject changes all counts together by at most T L, so that everything that is disclosed is
    epsilon-differentially private. A share of k cells among k + r with noisy counts x and y has
    p = x / (x + y) and noise variance v ((1 - p)^2 k + p^2 r) / (x + y)^2, v that of one number;
    its interval is Wilson's for the effective n (x + y) s / (s + noise variance (x + y)), s the
    binomial p (1 - p), p taken at least 1 / (2 (x + y)) from 0 and 1.
    Suppressed: `least` and `most` are the shares at the two ends of what the hidden counts may be;
    a claim must hold for both.
Source: Dwork, McSherry, Nissim and Smith (2006), TCC, LNCS 3876, 265-284; the sampler: `noise`.
Assumptions: a subject has at most `row_bound` rows. The exact tally is refused where one has more;
    that refusal itself tells that there is such a subject, so the bound is set beforehand.
Failure modes: each further release of the same rows adds its epsilon; the ledger has every one.
    Counts that noise made negative stay negative: cutting them would bias every sum. Where the
    noisy total is small beside its noise, or rows repeat subjects, the share is undefined (P8).
Cost: linear in the cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

from audits.errors import TallyMismatch, TallyNotDisclosable
from audits.estimate import Estimate, Json, undefined
from audits.intervals.proportion import normal_quantile, wilson
from audits.sources.noise import Dice, RandomBytes, variance_of
from audits.sources.suppression import suppressed_counts
from audits.sources.tally import WHY_NOTHING, Tally
from audits.sources.tally_spec import TallySpec, digest_of

SCHEMA: Final = "disclosed-tally/1"
MAX_NOISED_CELLS: Final = 100_000
MINIMUM_SIGNAL: Final = 10.0
"""How many standard deviations of its noise a denominator must have to be divided by."""

NOISE_METHOD: Final = "Wilson interval widened by two-sided geometric noise, v1"
SUPPRESSION_METHOD: Final = "Wilson interval at the ends that suppression allows, v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Counts from 1 to `below` - 1 are hidden, and as many others as keep them hidden."""

    below: int

    def as_record(self) -> dict[str, Json]:
        """Return the method in the JSON domain."""
        return {"method": "suppression", "below": self.below}


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Two-sided geometric noise for `epsilon`, with at most `row_bound` rows a subject."""

    epsilon: Fraction
    row_bound: int

    def scale(self, spec: TallySpec) -> Fraction:
        """Return the scale of the noise of one count."""
        return len(spec.tables) * self.row_bound / self.epsilon

    def as_record(self) -> dict[str, Json]:
        """Return the method in the JSON domain."""
        return {
            "method": "two-sided geometric noise",
            "epsilon": str(self.epsilon),
            "row_bound": self.row_bound,
        }


Disclosure: TypeAlias = Suppression | Noise


@dataclass(frozen=True, kw_only=True, eq=False)
class DisclosedTally:
    """Counts by table, cell by cell; None is hidden. `rows` is None where there is noise."""

    spec: TallySpec
    disclosure: Disclosure
    rows: int | None
    independent: bool
    tables: Mapping[str, tuple[int | None, ...]]

    def as_record(self) -> dict[str, Json]:
        """Return the disclosed tally in the JSON domain."""
        return {
            "schema": SCHEMA,
            "spec": self.spec.as_record(),
            "disclosure": self.disclosure.as_record(),
            "rows": self.rows,
            "independent": self.independent,
            "tables": {name: list(counts) for name, counts in sorted(self.tables.items())},
        }

    @property
    def digest(self) -> str:
        """The SHA-256 of the disclosed tally's canonical JSON."""
        return digest_of(self.as_record())


def suppress(tally: Tally, *, below: int) -> DisclosedTally:
    """Return the tally with small counts hidden; raise TallyNotDisclosable where they show."""
    if below < 2:
        raise TallyNotDisclosable(
            "a threshold below 2 hides nothing", next_step="Name a threshold of at least 2."
        )
    return DisclosedTally(
        spec=tally.spec,
        disclosure=Suppression(below=below),
        rows=tally.rows,
        independent=tally.independent,
        tables=suppressed_counts(tally, below=below),
    )


def add_noise(
    tally: Tally, *, epsilon: Fraction, row_bound: int, random_bytes: RandomBytes
) -> DisclosedTally:
    """Return the tally with noise in every count, empty cells too.

    Raises TallyNotDisclosable where the bound on a subject's rows is not known to hold.
    """
    noise = Noise(epsilon=epsilon, row_bound=row_bound)
    _check_noise(tally, noise)
    dice, scale = Dice(random_bytes), noise.scale(tally.spec)
    return DisclosedTally(
        spec=tally.spec,
        disclosure=noise,
        rows=None,
        independent=row_bound == 1,
        tables={
            table.id: tuple(
                count + dice.two_sided_geometric(scale)
                for count in tally.counts(table.id).ravel().tolist()
            )
            for table in tally.spec.tables
        },
    )


def disclosed_share(
    disclosed: DisclosedTally,
    *,
    table: str,
    of: Iterable[int],
    among: Iterable[int],
    metric: str,
    level: float,
    population: str = "all",
) -> tuple[Estimate, Estimate]:
    """Return the least and the most that the share of the cells `of` among `among` may be.

    With noise both are the same estimate. A claim has to hold for both.
    """
    chosen, base = frozenset(of), frozenset(among)
    counts = disclosed.tables[disclosed.spec.table(table).id]
    if not chosen <= base or not all(0 <= cell < len(counts) for cell in base):
        raise TallyMismatch(
            "the cells of a share are among the cells that it is a share of",
            next_step="Name cells of the table, the numerator within the denominator.",
        )
    about = _About(metric=metric, level=level, population=population, unit=disclosed.spec.unit)
    if not disclosed.independent:
        nothing = about.undefined(WHY_NOTHING)
        return nothing, nothing
    rest = base - chosen
    if isinstance(disclosed.disclosure, Noise):
        share = _noisy(counts, chosen, rest, about, disclosed.disclosure.scale(disclosed.spec))
        return share, share
    assert disclosed.rows is not None, "only noise hides the rows"
    return _suppressed(counts, chosen, rest, about, disclosed.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    metric: str
    level: float
    population: str
    unit: str

    def undefined(self, note: str) -> Estimate:
        return undefined(
            metric=self.metric, note=note, level=self.level, n=0, unit=self.unit,
            method="disclosed tally", population=self.population,
        )  # fmt: skip

    def estimate(
        self, value: float, limits: tuple[float, float], *, n: int, method: str, note: str
    ) -> Estimate:
        return Estimate(
            metric=self.metric, value=value, low=limits[0], high=limits[1], level=self.level, n=n,
            unit=self.unit, method=method, source="disclosed tally", population=self.population,
            note=note,
        )  # fmt: skip


def _noisy(
    counts: tuple[int | None, ...],
    chosen: frozenset[int],
    rest: frozenset[int],
    about: _About,
    scale: Fraction,
) -> Estimate:
    one = variance_of(scale)
    x, y = (sum(counts[cell] or 0 for cell in cells) for cells in (chosen, rest))
    total = x + y
    spread = math.sqrt(one * (len(chosen) + len(rest)))
    if total <= 0 or total < MINIMUM_SIGNAL * spread:
        return about.undefined(
            f"the noisy total {total} is not ten standard deviations of its noise"
        )
    p = min(max(x / total, 0.0), 1.0)
    inner = min(max(p, 0.5 / total), 1 - 0.5 / total)
    noise = one * ((1 - p) ** 2 * len(chosen) + p**2 * len(rest)) / total**2
    effective = inner * (1 - inner) / (inner * (1 - inner) / total + noise)
    limits = _wilson_at(p, effective, level=about.level)
    return about.estimate(
        p, limits, n=total, method=NOISE_METHOD, note=f"n is noisy; effective n {effective:.0f}"
    )


def _suppressed(
    counts: tuple[int | None, ...],
    chosen: frozenset[int],
    rest: frozenset[int],
    about: _About,
    rows: int,
) -> tuple[Estimate, Estimate]:
    hidden = [cell for cell, count in enumerate(counts) if count is None]
    spare = rows - sum(count for count in counts if count is not None) - len(hidden)

    def known(cells: frozenset[int]) -> int:
        return sum(1 if (count := counts[cell]) is None else count for cell in cells)

    def reach(cells: frozenset[int]) -> int:
        """Return the most that the cells hold: a hidden one holds 1 and what is to spare."""
        return known(cells) + (spare if cells & set(hidden) else 0)

    ends = ((known(chosen), reach(rest)), (reach(chosen), known(rest)))
    if hidden and not (chosen | rest) >= set(hidden):
        note = "some hidden counts may lie outside what is asked for"
    else:
        note = "exact" if spare == 0 or not hidden else "hidden counts at one end of their range"
    found = []
    for x, y in ends:
        if x + y == 0:
            found.append(about.undefined("there are no rows"))
            continue
        limits = wilson(x, x + y, level=about.level)
        found.append(
            about.estimate(x / (x + y), limits, n=x + y, method=SUPPRESSION_METHOD, note=note)
        )
    return found[0], found[1]


def _wilson_at(p: float, n: float, *, level: float) -> tuple[float, float]:
    """Return Wilson's limits for a share p of an n that need not be whole."""
    z = normal_quantile((1 + level) / 2)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def _check_noise(tally: Tally, noise: Noise) -> None:
    cells = sum(tally.spec.cells(table.id) for table in tally.spec.tables)
    fault = ""
    if not 0 < noise.epsilon <= 100 or noise.row_bound < 1:
        fault = "epsilon lies above 0 and up to 100, and a subject has at least one row"
    elif tally.most_rows is None:
        fault = "nobody knows how many rows a subject has"
    elif tally.most_rows > noise.row_bound:
        fault = f"a subject has more than {noise.row_bound} rows"
    elif cells > MAX_NOISED_CELLS:
        fault = f"there are more than {MAX_NOISED_CELLS} cells"
    if fault:
        raise TallyNotDisclosable(
            f"noise would not protect as stated: {fault}",
            next_step="Name the subject in the specification, state a bound that holds for every "
            "subject, or count fewer cells.",
        )
