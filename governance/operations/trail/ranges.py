"""A range of the trail as it is reviewed: what binds it, what is in it, who acted in it.

All of it is computed from the entries themselves, each held against the tree, and not from the
index. A range never changes, so it is read once in a process.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from weakref import WeakKeyDictionary

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
from governance.storage.trail.facets import ANSWERS, Facets, Models, facets_of
from governance.storage.trail.reading import TrailEntry, read_entries

LISTED: Final = 500
"""How many exceptions are listed one by one; all of them are counted."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRead:
    """What a range holds of the reviewed families. `acts` are the entries of each actor's acts."""

    entries: int
    kinds: Mapping[str, int]
    answers: tuple[AnswerLine, ...]
    exceptions: tuple[TrailException, ...]
    exceptional: Mapping[str, int]
    acts: Mapping[str, tuple[int, ...]]

    @property
    def exceptions_counted(self) -> int:
        """How many entries need a word."""
        return sum(self.exceptional.values())


_READ: WeakKeyDictionary[LedgerView, dict[tuple[int, int, str], RangeRead]] = WeakKeyDictionary()


def read_range(deployment: Deployment, *, first: int, last: int, families: str) -> RangeRead:
    """Read the entries `first` to `last` of the families; raise LedgerTampered at a false one."""
    known = _READ.setdefault(deployment.ledger, {})
    place = (first, last, families)
    if place not in known:
        office = deployment.home.config.trail_review
        known[place] = _read(deployment.ledger, first, last, families, office)
    return known[place]


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
    exceptional: Counter[str] = Counter()
    exceptions: list[TrailException] = []
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
            acts[facets.actor].append(entry.seq)
        why = why_exceptional(entry.kind, entry.facts, entry.t_us, office)
        if why is not None:
            exceptional[why] += 1
            if len(exceptions) < LISTED:
                exceptions.append(_exception(entry, facets.actor, why))
    return RangeRead(
        entries=kinds.total(),
        kinds=dict(sorted(kinds.items())),
        answers=tuple(_answer_lines(answers)),
        exceptions=tuple(exceptions),
        exceptional=dict(sorted(exceptional.items())),
        acts={actor: tuple(seqs) for actor, seqs in acts.items()},
    )


def _is_act(kind: str) -> bool:
    return family_of(kind) not in _NO_ACTS and kind != _OWN_PASSWORD


def _exception(entry: TrailEntry, actor: str, why: str) -> TrailException:
    return TrailException(seq=entry.seq, t_us=entry.t_us, kind=entry.kind, actor=actor, why=why)


def _answer_lines(answers: Counter[Facets]) -> list[AnswerLine]:
    counted: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
    for facets, count in answers.items():
        counted[facets.kind, facets.model, facets.release, facets.reasons] += count
    return [
        AnswerLine(kind=kind, model=model, release=release, reasons=list(reasons), count=count)
        for (kind, model, release, reasons), count in sorted(counted.items())
    ]
