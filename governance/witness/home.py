"""The folder of a witness: `witness.pem` (0600), `witness.vkey` to hand out, `witness.sqlite`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.errors import EXIT_USAGE, Conflict, GovernanceError
from governance.ledger.core.errors import NoteRejected
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey

_KEY: Final = "witness.pem"
_VKEY: Final = "witness.vkey"
_DATABASE: Final = "witness.sqlite"


class WitnessHomeInvalid(GovernanceError):
    """The folder is not one of a witness, or its key cannot be read."""

    code = "witness.home_invalid"
    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessHome:
    """A witness's key and where it keeps what it has seen."""

    root: Path
    vkey: VerifierKey
    key: Ed25519PrivateKey

    @property
    def database_path(self) -> Path:
        """The file of what it has seen."""
        return self.root / _DATABASE


def create_witness(root: Path, *, name: str) -> WitnessHome:
    """Make a witness's folder with a new key under the key name `name`.

    The name is a schema-less address of the party, e.g. "witness.hospital.example". Raises Conflict
    where the folder holds a key already: a witness that lost its memory is another witness.
    """
    if (root / _KEY).exists():
        raise Conflict(
            f"{root} holds the key of a witness already",
            next_step="Serve it, or choose another folder; a key is never made over another.",
        )
    key = Ed25519PrivateKey.generate()
    vkey = VerifierKey.of(key, name=name, algorithm=COSIGNATURE_V1)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor = os.open(root / _KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    (root / _VKEY).write_text(vkey.text() + "\n", encoding="utf-8")
    return WitnessHome(root=root, vkey=vkey, key=key)


def open_witness(root: Path) -> WitnessHome:
    """Return the witness in the folder; raise WitnessHomeInvalid."""
    try:
        key = serialization.load_pem_private_key((root / _KEY).read_bytes(), password=None)
        vkey = VerifierKey.parse((root / _VKEY).read_text(encoding="utf-8").removesuffix("\n"))
    except (OSError, ValueError, TypeError, NoteRejected) as error:
        raise _invalid(f"{root} holds no witness whose key can be read") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _invalid(f"{_KEY} is not an Ed25519 key")
    if vkey != VerifierKey.of(key, name=vkey.name, algorithm=COSIGNATURE_V1):
        raise _invalid(f"{_VKEY} is not the public half of {_KEY}")
    return WitnessHome(root=root, vkey=vkey, key=key)


def _invalid(message: str) -> WitnessHomeInvalid:
    return WitnessHomeInvalid(
        message, next_step="Make one with `vigil ledger witness init`, or restore the folder."
    )
