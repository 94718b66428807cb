"""Who the witnesses are, and the comparison with them before the pen writes anything (P3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from governance.clock import MICROSECONDS
from governance.home import Home, HomeInvalid
from governance.ledger.core.errors import LedgerBehind, NoteRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import Tree
from governance.ledger.core.note import VerifierKey
from governance.ledger.core.policy import Policy
from governance.ledger.core.witness import SeenCheckpoint
from governance.ledger.store.witnesses import (
    KnownWitness,
    WitnessDoor,
    WitnessSawOtherKey,
    WitnessUnreachable,
    compare,
    last_seen,
)

Reach = Callable[[str], WitnessDoor]
Asked = tuple[KnownWitness, SeenCheckpoint | None]
Silent = tuple[KnownWitness, WitnessUnreachable]
T = TypeVar("T")

_MINUTE_US: Final = 60 * MICROSECONDS
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """The policy in force, and those of its witnesses that can be reached."""

    policy: Policy
    reachable: tuple[KnownWitness, ...]
    interval_s: int
    stop_after_us: int | None


def configured_witnesses(home: Home, reach: Reach) -> tuple[KnownWitness, ...]:
    """Return the witnesses that `vigil.toml` names, and no others (P15); raise HomeInvalid."""
    try:
        return tuple(
            KnownWitness(
                name=one.name,
                organisation=one.organisation,
                key=VerifierKey.parse(one.vkey),
                door=reach(one.address),
            )
            for one in home.config.witness
        )
    except NoteRejected as error:
        raise HomeInvalid(
            f"a witness in vigil.toml has no usable verifier key: {error}",
            next_step="Copy the key again from the witness's operator.",
        ) from error


def witnesses_in_force(home: Home, policy: Policy, known: Iterable[KnownWitness]) -> Witnesses:
    """Return the witnesses that are both in the policy in force and configured."""
    keys = frozenset(policy.witness_keys())
    witnessing = home.config.witnessing
    minutes = witnessing.stop_after_minutes
    return Witnesses(
        policy=policy,
        reachable=tuple(one for one in known if one.key in keys),
        interval_s=witnessing.interval_seconds,
        stop_after_us=minutes * _MINUTE_US if minutes else None,
    )


def ask_all(
    witnesses: Iterable[KnownWitness], *, keys: LogKeys
) -> tuple[list[Asked], list[Silent]]:
    """Ask every witness what it saw last; return what was seen, and who did not say."""

    def ask(one: KnownWitness) -> SeenCheckpoint | WitnessUnreachable | None:
        try:
            return last_seen(one, keys=keys)
        except WitnessUnreachable as error:
            return error

    seen: list[Asked] = []
    silent: list[Silent] = []
    for one, found in at_once(list(witnesses), ask):
        if isinstance(found, WitnessUnreachable):
            silent.append((one, found))
        else:
            seen.append((one, found))
    return seen, silent


def compare_at_start(
    home: Home,
    seen: list[Asked],
    silent: list[Silent],
    tree: Tree,
    policy: Policy,
) -> None:
    """Raise LedgerBehind where a witness saw more, WitnessUnreachable where nobody could be asked.

    The answers were asked for before the tree was read, so another process that writes meanwhile
    can only have made the tree longer. What witnesses cosigned under a key of the log that we do
    not know counts where they are a quorum: the storage is from before a rotation. A start at which
    no witness answers is allowed unless `start_unanswered` forbids it; the first round compares.
    """
    for witness, last in seen:
        compare(witness, last, tree)
    strange = [(one, error) for one, error in silent if isinstance(error, WitnessSawOtherKey)]
    if strange and policy.quorum is not None and policy.satisfied(one.key for one, _ in strange):
        raise LedgerBehind(
            "a quorum of witnesses has cosigned this log under a key that the storage does not "
            f"know, up to {max(error.size for _, error in strange)} entries"
        )
    for _witness, error in silent:
        _log.warning("started without comparing: %s", error)
    if silent and not seen and not home.config.witnessing.start_unanswered:
        raise WitnessUnreachable(
            "no witness could be asked whether this storage is the whole log",
            next_step="Reach a witness, or allow it with `start_unanswered = true` in vigil.toml.",
        )


def at_once(
    witnesses: list[KnownWitness], ask: Callable[[KnownWitness], T]
) -> list[tuple[KnownWitness, T]]:
    """Ask all of them in threads; one that is slow does not make the others late."""
    if not witnesses:
        return []
    with ThreadPoolExecutor(len(witnesses), thread_name_prefix="vigil-witness") as pool:
        return list(zip(witnesses, pool.map(ask, witnesses), strict=True))
