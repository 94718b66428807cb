"""What the first entry of a successor says of its predecessor, signed by two people (P3, P6, P7).

    mode         closed        the predecessor's last entry, number `kept`, is `log.closed`
                 behind        its storage lost what a witness saw: `lost` is that range
                 compromised   its log key may sign for a stranger: `lost` is all behind the last
                               size that a quorum of its witnesses cosigned
                 key_lost      its private key is gone: `lost` is what came behind the last
                               checkpoint that it signed, if anything did
    carried      the digest of the state that the entries behind the first one carry over
    checkpoint   the predecessor's note of size `kept`, with the cosignatures that there are
    erased       runs of entries whose bodies no key opens any more, although no entry that is kept
                 says that they were erased: their keys were destroyed behind what is kept
    seen         behind: the note that the witness showed, which proves that entries are lost; or
                 one that the log signed, where its policy asks for no witness

The statement stands in the facts as `predecessor`, its two electronic signatures as `signed`. Both
are verified whenever the first entry is, with the keys that they name and nothing from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from change_control.lifecycle import SignatureMeaning
from change_control.roles import Role
from governance.ledger.core.canonical import Json
from governance.ledger.core.checkpoint import VerifiedCheckpoint, open_checkpoint
from governance.ledger.core.errors import LedgerTampered, NoteRejected, PolicyRejected
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey
from governance.ledger.core.policy import Policy
from governance.registry.digest import json_digest
from governance.registry.esignature import SignatureRejected, Statement, sign, verify

PREDECESSOR: Final = "predecessor"
SIGNED: Final = "signed"
CLOSED, BEHIND, COMPROMISED = "closed", "behind", "compromised"
KEY_LOST: Final = "key_lost"
RECORD_TYPE: Final = "log_succession"
BEGIN: Final = frozenset({Role.ADMINISTRATOR})
CONFIRM: Final = frozenset({Role.REVIEWER, Role.REGULATORY})
_MEANINGS: Final = (SignatureMeaning.RESPONSIBLE, SignatureMeaning.APPROVED)
_NAMES: Final = frozenset(
    {
        "carried", "checkpoint", "erased", "kept", "lost", "mode", "origin", "policy", "reason",
        "seen",
        "successor", "successor_vkey", "vkeys",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """One of the two who sign, and as what."""

    person: str
    printed_name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """A verified statement: which log this one succeeds, and what of it is lost.

    `carried` is the digest of the state that it goes on with.
    """

    carried: str
    mode: str
    origin: str
    kept: int
    lost: tuple[int, int] | None
    reason: str
    signed_by: tuple[Signatory, Signatory]


def signed_facts(
    predecessor: Mapping[str, Json],
    people: tuple[Signatory, Signatory],
    *,
    key: Ed25519PrivateKey,
    now_us: int,
) -> dict[str, Json]:
    """Return the facts of a successor's first entry: the statement, signed by both people."""
    stated = dict(predecessor)
    signed: list[Json] = []
    for who, meaning in zip(people, _MEANINGS, strict=True):
        statement = Statement(
            record_type=RECORD_TYPE,
            record=str(stated["successor"]),
            record_sha256=json_digest(stated),
            meaning=meaning.value,
            signer=who.person,
            printed_name=who.printed_name,
            auth_methods=("identifier", "password"),
            t_us=now_us,
        )
        signed.append(
            {
                "person": who.person,
                "printed_name": who.printed_name,
                "role": who.role,
                "t_us": now_us,
                "envelope": sign(statement, key=key),
            }
        )
    return {PREDECESSOR: stated, SIGNED: signed}


def succession_of(facts: Mapping[str, Json], *, key: Ed25519PublicKey) -> Succession | None:
    """Return what the first entry says of a predecessor, verified; None where it has none.

    Raises LedgerTampered where statement or signatures do not verify.
    """
    if PREDECESSOR not in facts and SIGNED not in facts:
        return None
    try:
        return _verified(facts, key)
    except (NoteRejected, PolicyRejected, SignatureRejected) as error:
        raise _wrong(f"does not verify: {error}") from error


def check_signatories(
    succession: Succession | None, rows: Mapping[str, Mapping[str, Mapping[str, object]]]
) -> None:
    """Raise LedgerTampered unless both who signed are people on record who were given that role.

    A grant that was revoked since still shows that it was given; rows are never deleted.
    """
    for who in () if succession is None else succession.signed_by:
        granted = any(
            grant["person"] == who.person and grant["role"] == who.role
            for grant in rows["role_grant"].values()
        )
        if who.person not in rows["person"] or not granted:
            raise _wrong(f"is signed by {who.person}, who never had the role {who.role}")


def _verified(facts: Mapping[str, Json], key: Ed25519PublicKey) -> Succession:
    stated = facts.get(PREDECESSOR)
    if not isinstance(stated, dict) or set(stated) != _NAMES:
        raise _wrong("has another form")
    if stated["successor"] != facts.get("origin") or [stated["successor_vkey"]] != facts.get(
        "vkeys"
    ):
        raise _wrong("was made for another log")
    match stated:
        case {
            "origin": str(origin), "mode": str(mode), "kept": int(kept), "reason": str(reason),
            "checkpoint": str(checkpoint), "policy": str(policy_text), "vkeys": list(vkeys),
            "carried": str(carried),
        } if kept >= 1 and origin != facts.get("origin"):  # fmt: skip
            policy = Policy.parse(policy_text.encode())
            keys = [VerifierKey.parse(text) for text in vkeys if isinstance(text, str)]
            known = [*keys, *policy.witness_keys()]
            final = open_checkpoint(checkpoint.encode(), origin=origin, keys=known)
        case _:
            raise _wrong("has another form")
    if not set(keys) & set(policy.log_keys(origin)):
        raise _wrong("states a policy that does not know the log before it")
    if final.size != kept:
        raise _wrong("names another size than its checkpoint")
    if stated["erased"] != runs(_listed(stated["erased"], kept)):
        raise _wrong("lists erased bodies in no known form")
    lost = _lost(stated, mode, policy, final, known)
    return Succession(
        carried=carried,
        mode=mode,
        origin=origin,
        kept=kept,
        lost=lost,
        reason=reason,
        signed_by=_signatures(facts, stated, key),
    )


def runs(numbers: Iterable[int]) -> list[Json]:
    """Return ascending numbers as runs: [[first, last], …]."""
    found: list[list[Json]] = []
    last = None
    for number in numbers:
        if last is not None and number == last + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
        last = number
    return [*found]


def _listed(stated: Json, kept: int) -> Iterator[int]:
    """Yield the numbers of runs, and nothing behind the first that is not as `runs` makes it."""
    for run in stated if isinstance(stated, list) else []:
        match run:
            case [int(first), int(last)] if 0 < first <= last < kept:
                yield from range(first, last + 1)
            case _:
                return


def _lost(
    stated: Mapping[str, Json],
    mode: str,
    policy: Policy,
    final: VerifiedCheckpoint,
    known: list[VerifierKey],
) -> tuple[int, int] | None:
    """Return the lost range, held against what proves it."""
    lost, seen = stated["lost"], stated["seen"]
    if mode in {CLOSED, KEY_LOST} and lost is None and seen is None:
        return None
    match lost:
        case [int(first), int(end)] if first == final.size and end >= first:
            pass
        case _:
            raise _wrong("names no range that was lost")
    if mode == COMPROMISED and seen is None:
        if policy.quorum is None or not policy.satisfied(_cosigners(final)):
            raise _wrong("rests on a checkpoint that no quorum of witnesses cosigned")
        return first, end
    if mode == KEY_LOST and seen is None and end > first:
        return first, end
    if mode == BEHIND and isinstance(seen, str):
        shown = open_checkpoint(seen.encode(), origin=final.origin, keys=known)
        if policy.quorum is not None and not _cosigners(shown):
            raise _wrong("rests on what no witness of its policy cosigned")
        if shown.size != end or end == first:
            raise _wrong("names another range than the witness's checkpoint proves")
        return first, end
    raise _wrong("has no known mode")


def _cosigners(opened: VerifiedCheckpoint) -> list[VerifierKey]:
    return [s.key for s in opened.signatures if s.key.algorithm == COSIGNATURE_V1]


def _signatures(
    facts: Mapping[str, Json], stated: dict[str, Json], key: Ed25519PublicKey
) -> tuple[Signatory, Signatory]:
    listed = facts.get(SIGNED)
    if not isinstance(listed, list) or len(listed) != len(_MEANINGS):
        raise _wrong("is not signed by two people")
    people = []
    for one, meaning, roles in zip(listed, _MEANINGS, (BEGIN, CONFIRM), strict=True):
        match one:
            case {
                "person": str(person), "printed_name": str(name), "role": str(role),
                "t_us": int(t_us), "envelope": str(envelope),
            } if role in {allowed.value for allowed in roles}:  # fmt: skip
                verify(
                    envelope,
                    key=key,
                    expected={
                        "record_type": RECORD_TYPE,
                        "record": stated["successor"],
                        "record_sha256": json_digest(stated),
                        "meaning": meaning.value,
                        "signer": person,
                        "printed_name": name,
                        "t_us": t_us,
                    },
                )
                people.append(Signatory(person=person, printed_name=name, role=role))
            case _:
                raise _wrong("has a signature of no known form")
    first, second = people
    if first.person == second.person:
        raise _wrong("is signed by one person twice")
    return first, second


def _wrong(what: str) -> LedgerTampered:
    return LedgerTampered(f"its statement about the log before it {what}", sequence=0)
