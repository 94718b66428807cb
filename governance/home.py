"""The home: one folder that holds a deployment, and the lock of the process that owns it.

    vigil.toml       configuration          vigil.sqlite     ledger and governed records
    log.policy       what verifiers pin     checkpoints.log  signed notes, newest last
    keys/ (0700)     log, signature, token keys (0600), the KEK and keys.sqlite
    artifacts/       the model registry     owner.lock, vigil.sock

A home is made under another name beside its place and renamed when it is complete, so a crash
leaves nothing that looks like a home.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from governance import ids
from governance.clock import Clock
from governance.errors import Conflict, GovernanceError, InvalidInput, NotFound
from governance.ledger.core.note import VerifierKey
from governance.ledger.core.policy import Member, compose_policy

SQLITE: Final = "sqlite"
CONFIG_NAME: Final = "vigil.toml"
KEK_EPOCH: Final = 1

# Parts of the log's origin, which is also a key name in notes and policies: no space, no plus.
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?", re.ASCII)
_LOCK_FAILED: Final = (BlockingIOError, PermissionError)

T = TypeVar("T", bound=BaseModel)


class HomeOwned(Conflict):
    """Another process owns the home."""

    code = "home.owned"


class HomeInvalid(GovernanceError):
    """The folder is not a home, or its configuration cannot be read."""

    code = "home.invalid"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerConfig(_Section):
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)


class Limits(_Section):
    """What one request and one client may cost, and how long a session may last."""

    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=2 * 1024 * 1024)
    rows_per_request: int = Field(default=1000, ge=1)
    requests_per_minute: int = Field(default=6000, ge=1)
    session_idle_minutes: int = Field(default=30, ge=1)
    session_hours: int = Field(default=12, ge=1)


class VerificationConfig(_Section):
    """`[verification]`: when a running server verifies itself again; it cannot be turned off (P3).

    Governed rows are folded from the facts every so many minutes; entries, bodies, checkpoints and
    rows are verified once a day, in this hour of UTC.
    """

    rows_every_minutes: int = Field(default=60, ge=1, le=24 * 60)
    everything_at_utc_hour: int = Field(default=2, ge=0, le=23)


class WitnessConfig(_Section):
    """One `[[witness]]`: another party that cosigns our checkpoints, and where it is reached."""

    name: str = Field(pattern=f"^{_NAME.pattern}$")
    address: str = Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=512)
    vkey: str = Field(pattern=r"^[^\s+]+\+[0-9a-f]{8}\+\S+$", max_length=512)
    organisation: str = Field(pattern=f"^{_NAME.pattern}$")


class WitnessingConfig(_Section):
    """`[witnessing]`: how many organisations must cosign, how often we ask, and what silence costs.

    `quorum` 0 is more than half of the organisations, `stop_after_minutes` 0 never stops answers.
    `start_unanswered` allows a start at which no witness could be asked (P3).
    """

    quorum: int = Field(default=0, ge=0, le=64)
    interval_seconds: int = Field(default=30, ge=1, le=86_400)
    stop_after_minutes: int = Field(default=0, ge=0)
    start_unanswered: bool = True

    @model_validator(mode="after")
    def _stops_later_than_it_asks(self) -> Self:
        """An entry waits up to an interval for its cosignatures; that is not silence yet."""
        if 0 < self.stop_after_minutes * 60 < 2 * self.interval_seconds:
            raise ValueError("stop_after_minutes is below two intervals")
        return self


class TrailReviewConfig(_Section):
    """`[trail_review]`: how often the trail is reviewed, and which hours of UTC are office hours.

    An administrator's act outside the hours, or on a Saturday or Sunday, is an exception that the
    review lists. The first period is counted from entry 0.
    """

    every_days: int = Field(default=30, ge=1, le=366)
    office_from: int = Field(default=6, ge=0, le=23)
    office_to: int = Field(default=20, ge=1, le=24)


class HomeConfig(_Section):
    """`vigil.toml`. `database` is "sqlite" or the address of a PostgreSQL database."""

    organisation: str = Field(pattern=f"^{_NAME.pattern}$")
    deployment: str = Field(pattern=f"^{_NAME.pattern}$")
    log_uuid: str = Field(pattern=r"^[0-9a-f-]{36}$")
    database: str = Field(default=SQLITE, pattern=r"^(sqlite|postgres(ql)?://.*)$")
    server: ServerConfig = ServerConfig()
    limits: Limits = Limits()
    verification: VerificationConfig = VerificationConfig()
    trail_review: TrailReviewConfig = TrailReviewConfig()
    witness: tuple[WitnessConfig, ...] = Field(default=(), max_length=32)
    witnessing: WitnessingConfig = WitnessingConfig()

    @property
    def origin(self) -> str:
        """The log's name, by which verifiers know it."""
        return f"{self.organisation}/{self.deployment}/audit/{self.log_uuid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A home folder and its configuration. Making the value touches nothing on the disk."""

    root: Path
    config: HomeConfig

    @property
    def database(self) -> Path | str:
        """The SQLite file, or the address of the PostgreSQL database."""
        return self.database_path if self.is_sqlite else self.config.database

    @property
    def is_sqlite(self) -> bool:
        """Whether the home holds its database itself, and so has one owner."""
        return self.config.database == SQLITE

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self.root / "vigil.sqlite"

    @property
    def keys_dir(self) -> Path:
        """The folder of private keys, mode 0700."""
        return self.root / "keys"

    @property
    def artifacts_dir(self) -> Path:
        """The model registry's folder."""
        return self.root / "artifacts"

    @property
    def checkpoints_log(self) -> Path:
        """The signed notes as they left the process."""
        return self.root / "checkpoints.log"

    @property
    def socket_path(self) -> Path:
        """The Unix socket of the owner."""
        return self.root / "vigil.sock"

    @property
    def lock_path(self) -> Path:
        """The file whose lock makes a process the owner."""
        return self.root / "owner.lock"

    @property
    def policy_path(self) -> Path:
        """The trust policy that verifiers copy and pin."""
        return self.root / "log.policy"

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.config.origin

    def configured_policy(self) -> str:
        """Return the trust policy that the configuration asks for; raise PolicyRejected.

        The policy in force is the one that the ledger records (`storage.trust`).
        """
        return compose_policy(
            log=VerifierKey.of(self.log_key(), name=self.origin),
            witnesses=[
                Member(name=one.name, vkey=one.vkey, organisation=one.organisation)
                for one in self.config.witness
            ],
            quorum=self.config.witnessing.quorum,
        )

    def write_policy(self, text: str) -> None:
        """Put the policy in force into `log.policy`, whole or not at all."""
        fresh = self.policy_path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        flush(fresh)
        fresh.replace(self.policy_path)
        flush(self.root)

    def log_key(self) -> Ed25519PrivateKey:
        """Return the key that signs checkpoints and nothing else."""
        return load_key(self.keys_dir / "log.pem")

    def signature_key(self) -> Ed25519PrivateKey:
        """Return the key behind electronic signatures; never the log's (P7)."""
        return load_key(self.keys_dir / "signature.pem")

    def token_key(self) -> Ed25519PrivateKey:
        """Return the key that signs access tokens."""
        return load_key(self.keys_dir / "token.pem")

    @classmethod
    def create(
        cls,
        root: Path,
        *,
        organisation: str,
        deployment: str,
        clock: Clock,
        database: str = SQLITE,
        populate: Callable[[Home], None],
    ) -> Home:
        """Make a home at `root` and return it; `populate` fills it before it appears there.

        Raises Conflict where the folder exists and is not empty, InvalidInput for a bad name.
        """
        root = root.absolute()
        config = _checked(
            HomeConfig,
            {
                "organisation": organisation,
                "deployment": deployment,
                "log_uuid": ids.event_id(now_us=clock.now_us()),
                "database": database,
            },
            InvalidInput,
        )
        _refuse_occupied(root)
        building = root.parent / f".{root.name}.{config.log_uuid}"
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            building.mkdir(mode=0o700)
            draft = cls(root=building, config=config)
            _fill(draft)
            populate(draft)
            _flush_tree(building)
            building.rename(root)
            building = root  # what a failure takes away: told that it failed, nobody has a home
            flush(root.parent)
        except OSError as error:
            shutil.rmtree(building, ignore_errors=True)
            _refuse_occupied(root)
            raise HomeInvalid(
                f"the home at {root} cannot be written: {error.strerror}",
                next_step="Choose a folder on a local disk that you may write.",
            ) from error
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        return cls(root=root, config=config)

    @classmethod
    def open(cls, root: Path) -> Home:
        """Return the home at `root`; raise NotFound or HomeInvalid."""
        root = root.absolute()
        try:
            document = tomllib.loads((root / CONFIG_NAME).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NotFound(
                f"there is no home at {root}",
                next_step="Make one with `vigil init`, or name another with --home.",
            ) from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise HomeInvalid(
                f"{CONFIG_NAME} cannot be read: {error}",
                next_step="Correct the file; the reference shows every setting.",
            ) from error
        return cls(root=root, config=_checked(HomeConfig, document, HomeInvalid))


class OwnerLock:
    """The right to write in a SQLite home: one process at a time, gone when it ends.

    `flock` is released by the kernel however a process dies, so nothing stale is ever cleaned up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Become the owner; raise HomeOwned naming the process that is."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except _LOCK_FAILED:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise HomeOwned(
                f"the home is owned by process {owner}",
                next_step="Send the command to the running server with `vigil login`, or stop it.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the home up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        """Acquire."""
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release."""
        self.release()


def policy_text(log_key: Ed25519PrivateKey, origin: str) -> str:
    """Return the trust policy of a log without witnesses (c2sp.org/tlog-policy)."""
    return compose_policy(log=VerifierKey.of(log_key, name=origin), witnesses=(), quorum=0)


def _fill(home: Home) -> None:
    home.keys_dir.mkdir(mode=0o700)
    home.artifacts_dir.mkdir()
    log_key = Ed25519PrivateKey.generate()
    for name, key in (
        ("log.pem", log_key),
        ("signature.pem", Ed25519PrivateKey.generate()),
        ("token.pem", Ed25519PrivateKey.generate()),
    ):
        write_private(home.keys_dir / name, pem_of(key))
    write_private(home.keys_dir / f"kek-{KEK_EPOCH}.bin", ids.key())
    home.policy_path.write_text(policy_text(log_key, home.origin), encoding="utf-8")
    (home.root / CONFIG_NAME).write_text(_toml(home.config), encoding="utf-8")


def _toml(config: HomeConfig) -> str:
    """Write the configuration; a JSON string of these values is a TOML basic string."""
    lines: list[str] = []
    tables: list[str] = []
    for name, value in config.model_dump().items():
        if isinstance(value, dict):
            tables.append(f"\n[{name}]")
            tables.extend(f"{key} = {json.dumps(item)}" for key, item in value.items())
        elif value != ():  # an empty `witness = []` would be in the way of [[witness]]
            lines.append(f"{name} = {json.dumps(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def pem_of(key: Ed25519PrivateKey) -> bytes:
    """Return the private key as PKCS #8 text."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key in the file; raise HomeInvalid."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise HomeInvalid(
            f"the key {path.name} cannot be read",
            next_step="Restore the home's keys folder from its own backup.",
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise HomeInvalid(
            f"the key {path.name} is not an Ed25519 key",
            next_step="Restore the home's keys folder from its own backup.",
        )
    return key


def write_private(path: Path, content: bytes) -> None:
    """Make a file that only its owner reads; raise FileExistsError where there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _checked(kind: type[T], document: dict[str, Any], error: type[GovernanceError]) -> T:
    try:
        return kind.model_validate(document)
    except ValidationError as fault:
        named = ", ".join(".".join(map(str, item["loc"])) for item in fault.errors())
        raise error(
            f"the configuration is not valid: {named}",
            next_step="Names are lower-case letters, digits, dots and dashes; see the reference.",
        ) from None


def _refuse_occupied(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise Conflict(
            f"{root} exists and is not empty",
            next_step="Choose another folder; a home is never made over something else.",
        )


def _flush_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        flush(path)
    flush(folder)


def flush(path: Path) -> None:
    """Make a file or a folder's entries durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
