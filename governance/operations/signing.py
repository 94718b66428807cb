"""How a person signs: authenticate again, then bind name, time and meaning to the record's bytes.

21 CFR 11.200(a)(1): two components, here the open session and the password given once more for
each signature. The password is checked before the transaction, because the check is slow on
purpose and the pen must not wait for it; inside, the credential must still be the one that it was
checked with. A password that somebody else chose signs nothing (11.100(a), P6).
"""

from __future__ import annotations

from dataclasses import dataclass

from change_control.lifecycle import SignatureMeaning
from governance.deployment import Deployment
from governance.errors import Unauthenticated
from governance.operations.actor import Actor, password_must_change
from governance.operations.admin.password_tries import Checked, check_own_password
from governance.registry.esignature import Statement, sign
from governance.registry.records import Signature
from governance.storage.ports import Unit


class SignatureRefused(Unauthenticated):
    """The password given for a signature is not the person's."""

    code = "signature.reauthentication_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A person who has just authenticated again, good for the signatures of one act."""

    actor: Actor
    checked: Checked


def authenticate_again(deployment: Deployment, actor: Actor, password: str) -> Signer:
    """Return the signer; raise SignatureRefused, and after repeated failures TooManyFailures.

    Failures are few: at the limit the person's sessions end (`password_tries`).
    """
    actor.require_own_password()
    checked = check_own_password(deployment, actor, password)
    if checked is None:
        raise _refused()
    if checked.credential.must_change:
        raise password_must_change()
    return Signer(actor=actor, checked=checked)


def _refused() -> SignatureRefused:
    return SignatureRefused(
        "the password is not yours, so nothing was signed",
        next_step="give your own password again; a session alone cannot sign, and after five "
        "failures it ends",
    )


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
    if not signer.checked.still_holds(unit):
        raise _refused()
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
