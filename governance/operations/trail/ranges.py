"""A range of the trail as it is reviewed: what binds it, what is in it, who acted in it.

All of it is computed from the entries themselves, each held against the tree, and not from the
index. A range never changes, so the few that were read last are kept.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary

from audits.estimate import Json
from change_control.watch.trail_review import covers, family_of
from governance.deployment import Deployment
from governance.home import TrailReviewConfig
from governance.ledger.core import canonical
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.view import LedgerView
from governance.operations.operation import Result
from governance.operations.trail.exceptions import why_exceptional
from governance.operations.trail.search_trail import AnswerLine
from governance.registry.records import TrailReview
from governance.storage.trail.facets import ANSWERS, Facets, Models, actor_of, facets_of
from governance.storage.trail.reading import read_entries, read_entry

LISTED: Final = 500
"""How many exceptions are on a page."""
KEPT: Final = 4
"""How many ranges that were read are kept."""

# What a reviewer does in order to review is no act on what is reviewed: signing in, choosing one's
# own password, and opening, signing or exporting the trail.
_NO_ACTS: Final = frozenset({"session", "trail"})
_OWN_PASSWORD: Final = "person.password_changed"  # noqa: S105 - a kind of entry


class TrailException(Result):
    """An entry that needs a word, and why."""

    seq: int
    t_us: int
    kind: str
    actor: str
    why: str


class ExceptionalLine(Result):
    """Exceptions for one reason: how many, and the numbers of the first and the last.

    `listed` says whether they stand in the list, too. Refused and withheld answers do not, because
    whoever may ask could hide other exceptions behind thousands of them.
    """

    why: str
    count: int
    first_seq: int
    last_seq: int
    listed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRead:
    """What a range holds of the reviewed families. `acts` are the entries of each actor's acts.

    `exceptional` has every exception, by its reason; `listed` the numbers of those that are shown
    one by one, which are all but refused and withheld answers.
    """

    entries: int
    kinds: Mapping[str, int]
    answers: tuple[AnswerLine, ...]
    exceptional: tuple[ExceptionalLine, ...]
    listed: Sequence[int]
    acts: Mapping[str, tuple[int, ...]]

    @property
    def exceptions_counted(self) -> int:
        """How many entries need a word."""
        return sum(line.count for line in self.exceptional)


_Kept = OrderedDict[tuple[int, int, str], RangeRead]
_READ: WeakKeyDictionary[LedgerView, _Kept] = WeakKeyDictionary()
_LOCK: Final = Lock()


def read_range(deployment: Deployment, *, first: int, last: int, families: str) -> RangeRead:
    """Read the entries `first` to `last` of the families; raise LedgerTampered at a false one."""
    place = (first, last, families)
    with _LOCK:
        known = _READ.setdefault(deployment.ledger, OrderedDict())
        read = known.get(place)
    if read is None:
        office = deployment.home.config.trail_review
        read = _read(deployment.ledger, first, last, families, office)
    with _LOCK:
        known[place] = read
        known.move_to_end(place)
        while len(known) > KEPT:
            known.popitem(last=False)
    return read


def exceptions_after(
    deployment: Deployment, read: RangeRead, after: int | None
) -> tuple[list[TrailException], int | None]:
    """Return a page of the listed exceptions, and the number after which the next one begins."""
    begin = 0 if after is None else bisect_right(read.listed, after)
    page = read.listed[begin : begin + LISTED]
    more = begin + LISTED < len(read.listed)
    shown = [_exception(deployment, seq) for seq in page]
    return shown, page[-1] if more else None


def range_digest(
    ledger: LedgerView, *, first: int, last: int, families: str
) -> tuple[str, str, str]:
    """Return digest, leaf of the first entry and root after the last one, in hexadecimal.

    The root commits to every entry up to the last one, so the digest binds the range and all that
    stands before it; anybody with an export of the log can compute it again.
    """
    leaf, root = ledger.tree.leaf(first).hex(), ledger.tree.root(last + 1).hex()
    bound = canonical.dumps(
        {
            "families": families,
            "first_leaf": leaf,
            "first_seq": first,
            "last_seq": last,
            "origin": ledger.origin,
            "root": root,
            "v": 1,
        }
    )
    return sha256(bound).hexdigest(), leaf, root


def require_same_range(ledger: LedgerView, review: TrailReview) -> None:
    """Raise LedgerTampered unless the review's digest is that of the entries of this log."""
    bound = range_digest(
        ledger, first=review.first_seq, last=review.last_seq, families=review.families
    )
    if bound != (review.digest, review.first_leaf, review.root):
        raise LedgerTampered(f"the range of {review.id} is not the one that was opened")


def _read(
    ledger: LedgerView, first: int, last: int, families: str, office: TrailReviewConfig
) -> RangeRead:
    kinds: Counter[str] = Counter()
    answers: Counter[Facets] = Counter()
    why_not: dict[str, ExceptionalLine] = {}
    listed = array("Q")
    acts: defaultdict[str, list[int]] = defaultdict(list)
    models = Models()
    for entry in read_entries(ledger, first, last + 1):
        if not covers(families, family_of(entry.kind)):
            continue
        kinds[entry.kind] += 1
        facets = facets_of(entry.kind, entry.facts, models)
        if entry.kind.startswith(ANSWERS):
            answers[facets] += 1
        elif _is_act(entry.kind):
            for actor in _actors(facets, entry.facts):
                acts[actor].append(entry.seq)
        why = why_exceptional(entry.kind, entry.facts, entry.t_us, office)
        if why is not None:
            why_not[why] = _one_more(why_not.get(why), why, entry.seq, answer=facets.is_answer)
            if not facets.is_answer:
                listed.append(entry.seq)
    return RangeRead(
        entries=kinds.total(),
        kinds=dict(sorted(kinds.items())),
        answers=tuple(_answer_lines(answers)),
        exceptional=tuple(why_not[why] for why in sorted(why_not)),
        listed=listed,
        acts={actor: tuple(seqs) for actor, seqs in acts.items()},
    )


def _is_act(kind: str) -> bool:
    return family_of(kind) not in _NO_ACTS and kind != _OWN_PASSWORD


def _actors(facets: Facets, facts: Mapping[str, Json]) -> set[str]:
    """Return who acted: what the product did because a person demanded it is that person's, too."""
    demanded_by = facts.get("demanded_by")
    return {facets.actor} | ({demanded_by} if isinstance(demanded_by, str) else set())


def _one_more(line: ExceptionalLine | None, why: str, seq: int, *, answer: bool) -> ExceptionalLine:
    if line is None:
        return ExceptionalLine(why=why, count=1, first_seq=seq, last_seq=seq, listed=not answer)
    return line.model_copy(update={"count": line.count + 1, "last_seq": seq})


def _exception(deployment: Deployment, seq: int) -> TrailException:
    entry = read_entry(deployment.ledger, seq)
    office = deployment.home.config.trail_review
    why = why_exceptional(entry.kind, entry.facts, entry.t_us, office)
    return TrailException(
        seq=entry.seq,
        t_us=entry.t_us,
        kind=entry.kind,
        actor=actor_of(entry.facts),
        why=why or "it was an exception when the range was read",
    )


def _answer_lines(answers: Counter[Facets]) -> list[AnswerLine]:
    counted: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
    for facets, count in answers.items():
        counted[facets.kind, facets.model, facets.release, facets.reasons] += count
    return [
        AnswerLine(kind=kind, model=model, release=release, reasons=list(reasons), count=count)
        for (kind, model, release, reasons), count in sorted(counted.items())
    ]
