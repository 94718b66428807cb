"""How a person signs: authenticate again, then bind name, time and meaning to the record's bytes.

21 CFR 11.200(a)(1): two components, here the open session and the password given once more for
each signature. The password is checked before the transaction, because the check is slow on
purpose and the pen must not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from change_control.lifecycle import SignatureMeaning
from governance.adapters.passwords import password_matches
from governance.deployment import Deployment
from governance.errors import Unauthenticated
from governance.operations.actor import Actor
from governance.registry.esignature import Statement, sign
from governance.registry.records import Signature
from governance.storage import private
from governance.storage.ports import Unit


class SignatureRefused(Unauthenticated):
    """The password given for a signature is not the person's."""

    code = "signature.reauthentication_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A person who has just authenticated again, good for the signatures of one act."""

    actor: Actor


def authenticate_again(deployment: Deployment, actor: Actor, password: str) -> Signer:
    """Return the signer, or raise SignatureRefused and count the failure."""
    with deployment.reader() as reader:
        hashed = private.credential(reader, actor.person)
    if not password_matches(hashed, password):
        deployment.pen.commit(lambda unit: private.note_failure(unit, actor.person, unit.now_us))
        raise SignatureRefused(
            "the password is not yours, so nothing was signed",
            next_step="give your own password again; a session alone cannot sign",
        )
    return Signer(actor=actor)


def signature_of(
    unit: Unit,
    deployment: Deployment,
    signer: Signer,
    *,
    record_type: str,
    record: str,
    record_digest: str,
    meaning: SignatureMeaning,
) -> Signature:
    """Return the signature as a record to be added in the act that it belongs to."""
    statement = Statement(
        record_type=record_type,
        record=record,
        record_sha256=record_digest,
        meaning=meaning.value,
        signer=signer.actor.person,
        printed_name=signer.actor.printed_name,
        auth_methods=("session", "password"),
        t_us=unit.now_us,
    )
    return Signature(
        id=unit.next_id(Signature, prefix="S"),
        record_type=record_type,
        record=record,
        record_digest=record_digest,
        meaning=meaning.value,
        signer=signer.actor.person,
        printed_name=signer.actor.printed_name,
        signed_us=unit.now_us,
        envelope=sign(statement, key=deployment.home.signature_key()),
    )
