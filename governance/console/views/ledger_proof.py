"""An entry's envelope in plain words, its place in the chain, and the drawn proof of it."""

from __future__ import annotations

from dataclasses import dataclass

from governance.console.desk import LedgerEntry, LedgerHead
from governance.console.views.kinds import KINDS
from governance.operations.inspect.explore_ledger import EntryProof, WitnessReach


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the envelope: its name there, its value, and what it is for."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step from the leaf to the root: the two hashes that are joined, and what comes of it."""

    ours: str
    ours_covers: str
    sibling: str
    sibling_covers: str
    sibling_first: bool
    result: str
    result_covers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofView:
    """The proof as drawn. `missing` are the witnesses that have not cosigned far enough for S1."""

    proof: EntryProof
    kind_words: str
    fields: tuple[Field, ...]
    rungs: tuple[Rung, ...]
    quorum_wanted: bool
    policy: str
    reached: tuple[WitnessReach, ...]
    missing: tuple[WitnessReach, ...]


def proof_view(entry: LedgerEntry, proof: EntryProof, *, head: LedgerHead) -> ProofView:
    """Return the proof of an entry as its page draws it."""
    return ProofView(
        proof=proof,
        kind_words=KINDS.get(entry.kind, ""),
        fields=_fields(entry),
        rungs=_rungs(proof),
        quorum_wanted=head.quorum,
        policy=head.policy,
        reached=tuple(one for one in head.lags if one.size > entry.seq),
        missing=tuple(one for one in head.lags if one.size <= entry.seq),
    )


def _rungs(proof: EntryProof) -> tuple[Rung, ...]:
    rungs = []
    ours, covers = proof.leaf, _covers(proof.seq, proof.seq)
    for step in proof.steps:
        together = _covers(step.covers_first, step.covers_last)
        rungs.append(
            Rung(
                ours=ours,
                ours_covers=covers,
                sibling=step.sibling.hex(),
                sibling_covers=_covers(step.first, step.last),
                sibling_first=step.on_the_left,
                result=step.result.hex(),
                result_covers=together,
            )
        )
        ours, covers = step.result.hex(), together
    return tuple(rungs)


def _covers(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"


def _fields(entry: LedgerEntry) -> tuple[Field, ...]:
    before = "the entry before it" if entry.seq else "the name of this log, for the first entry"
    return (
        Field(name="v", value="1", meaning="The form of the entry."),
        Field(
            name="seq",
            value=str(entry.seq),
            meaning="Its place. Places are counted from 0 without gaps, so a missing one shows.",
        ),
        Field(
            name="event_id",
            value=entry.event_id,
            meaning="The name of the event. Receipts and other systems use it.",
        ),
        Field(name="kind", value=entry.kind, meaning=KINDS.get(entry.kind, "What happened.")),
        Field(
            name="t_us",
            value=str(entry.t_us),
            meaning="This server's clock in microseconds, never before that of the entry before. "
            "Time that does not rest on this server comes from the witnesses.",
        ),
        Field(
            name="prev",
            value=entry.previous,
            meaning=f"The hash of {before}. It binds this entry to its place.",
        ),
        Field(
            name="facts_c",
            value=entry.facts_commitment,
            meaning="Binds the permanent facts above, mixed with a random salt.",
        ),
        Field(
            name="body_c",
            value=entry.body_commitment or "null",
            meaning="Binds the encrypted body, and stays where the body is erased."
            if entry.body_commitment
            else "There is no body.",
        ),
    )
