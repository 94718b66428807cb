"""Nothing of an erased person is left in any file of the home, in a log or in an export (P13)."""

from __future__ import annotations

import base64
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from governance.adapters.tokens import TokenAuthority
from governance.api.app import create_app
from governance.ledger.core.bundles import read_bodies
from governance.ledger.core.tiles import tile_at
from governance.ledger.store.export_folder import ExportFolder
from governance.operations.inspect.export_ledger import export_ledger
from governance.operations.inspect.verify_export import verify_export
from tests.functional.api.support import InProcess
from tests.second_verifier.agreement import log_is_accepted, receipt_is_accepted
from tests.second_verifier.test_second_verifier import exported
from tests.support.about_people import OTHER, People, again, people
from tests.support.small_deployment import CLIENT, MODEL, PURPOSE, ROW

pytestmark = pytest.mark.requirement("P13")

MARKER = "Zq7-Kari-Nordmann-010190"
PREDICT = f"/v1/models/{MODEL}/predict"


def spellings(text: str) -> dict[str, bytes]:
    """Return every way in which a file may hold the text."""
    plain = text.encode()
    # In base64 a text has three spellings, by where it starts; the ends depend on neighbours.
    shifted = {
        f"base64+{at}": base64.b64encode(bytes(at) + plain)[at and 4 : -4] for at in range(3)
    }
    return {
        "plain": plain,
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
        "json": "".join(f"\\u{ord(letter):04x}" for letter in text).encode(),
        "url": "".join(f"%{byte:02X}" for byte in plain).encode(),
        **shifted,
    }


def found_in(folder: Path, needles: dict[str, bytes]) -> list[str]:
    """Return which needle is in which file."""
    return [
        f"{path.relative_to(folder)}: {name}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for name, needle in needles.items()
        if needle in path.read_bytes()
    ]


def stored(opened: People, key_id: str) -> dict[str, bytes]:
    """Return what the files hold of the person in sealed form: bodies, salts, the wrapped key."""
    home = opened.small.deployment.home
    found: dict[str, bytes] = {}
    connection = sqlite3.connect(home.database_path)
    query = "SELECT seq, ciphertext, salt, nonce, key_commitment FROM body WHERE key_id = ?"
    for seq, ciphertext, salt, nonce, commitment in connection.execute(query, (key_id,)):
        # A body spans pages of the file, so its parts are looked for.
        parts = {f"ciphertext {seq} at {at}": ciphertext[at : at + 40] for at in range(0, 400, 40)}
        found |= {name: part for name, part in parts.items() if len(part) == 40}
        found |= {f"salt {seq}": salt, f"commitment {seq}": commitment, f"nonce {seq}": nonce}
    connection.close()
    connection = sqlite3.connect(home.keys_dir / "keys.sqlite")
    query = "SELECT wrapped, subject FROM data_key JOIN subject_key USING (key_id) WHERE key_id = ?"
    wrapped, subject = connection.execute(query, (key_id,)).fetchone()
    connection.close()
    return found | {"wrapped key": wrapped, "subject's HMAC": subject}


def asked_about(opened: People, http: InProcess, subject: str, key: str) -> dict[str, Any]:
    """Ask over HTTP with the subject in every place where a caller may put it."""
    deployment = opened.small.deployment
    authority = TokenAuthority(key=deployment.home.token_key(), issuer=deployment.home.origin)
    token = authority.issue(
        client=CLIENT,
        scopes=frozenset({f"infer:{MODEL}"}),
        secret_epoch=1,
        now_us=deployment.clock.now_us(),
    )[0]
    response = http.post(
        PREDICT,
        json={
            "subject": subject,
            "rows": [ROW, {**ROW, "product_class": subject}, {**ROW, subject: subject}],
            "context": {"purpose": PURPOSE, "requester": subject, "encounter": subject},
        },
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": f"{subject}-{key}"},
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[People]:
    with people(tmp_path, days=0) as deployment:
        yield deployment


def test_nothing_of_an_erased_person_is_left_anywhere(
    opened: People, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    deployment = opened.small.deployment
    ledger, home = deployment.ledger, deployment.home
    with InProcess(create_app(deployment)) as http:
        mine = [asked_about(opened, http, MARKER, str(number)) for number in range(3)]
        other = asked_about(opened, http, OTHER, "x")
    key_id = opened.key_of(MARKER)
    assert key_id is not None
    sealed = stored(opened, key_id)
    assert len(sealed) > 20

    # Before: findable, through the receipt, and the sealed bytes in the files.
    receipt = ledger.receipt(mine[0]["event_id"])
    assert MARKER in base64.b64decode(orjson.loads(receipt)["body"]).decode()
    before = found_in(home.root, sealed)
    assert {name.split(": ")[1] for name in before} == set(sealed)

    opened.request(MARKER, reason=f"{MARKER} asked for it")
    erased = opened.confirm()
    assert (erased["bodies"], erased["unfinished"]) == (4, None)

    # After: while the process runs, and when it has ended.
    needles = spellings(MARKER) | sealed
    assert found_in(home.root, needles) == []
    assert MARKER not in caplog.text
    folder = tmp_path / "export"
    export_ledger(ledger, folder, bodies=True)
    assert found_in(folder, needles) == []
    assert MARKER.encode() not in ledger.receipt(mine[0]["event_id"])
    entries = ledger.entries(limit=1000)
    assert all(MARKER not in orjson.dumps(one.facts).decode() for one in entries)

    # Everybody else is as before.
    body = ledger.body(ledger.find(other["event_id"]).seq)
    assert body is not None
    assert OTHER in body.decode()
    opened.verify()
    opened.small.deployment.pen.close()
    assert found_in(home.root, needles) == []


def test_an_export_shows_what_was_erased_and_both_verifiers_agree(
    opened: People, tmp_path: Path
) -> None:
    ledger, home = opened.small.deployment.ledger, opened.small.deployment.home
    for subject in (MARKER, OTHER, MARKER):
        opened.ask(subject)
    folder = tmp_path / "export"
    export_ledger(ledger, folder, bodies=True)
    assert MARKER.encode() in b"".join(_bodies(folder))
    opened.request(MARKER)
    erased = opened.confirm()
    assert export_ledger(ledger, folder, bodies=True).bodies
    records = list(_records(folder, ledger.head()[0]))
    marked = [seq for seq, record in enumerate(records) if record.state == "erased"]
    assert [records[seq].erased_by for seq in marked] == [erased["seq"]] * 3
    assert MARKER.encode() not in b"".join(_bodies(folder))
    report, missing = verify_export(folder, policy=home.policy_path)
    assert missing is None
    assert report.integrity.bodies_erased == 3
    kept = {one.seq: ledger.body(one.seq) for one in ledger.entries(limit=1000)}
    rows, notes = exported(home, {seq: body for seq, body in kept.items() if body is not None})
    assert sum(row.erased for row in rows) == 3
    policy = home.policy_path.read_bytes()
    assert log_is_accepted(rows, notes, policy)
    assert receipt_is_accepted(erased["receipt"].encode(), policy)
    assert receipt_is_accepted(ledger.receipt(ledger.entry(marked[0]).event_id), policy)


def _bodies(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in (folder / "tile/bodies").rglob("*") if path.is_file()]


def _records(folder: Path, size: int) -> Iterator[Any]:
    source = ExportFolder(folder)
    paths = (tile_at(size, index=index, kind="bodies") for index in range(size // 256 + 1))
    for path in filter(None, paths):
        stream = source.open(path)
        assert stream is not None
        with stream as bundle:
            yield from read_bodies(bundle, path)


# --- attacks 29 to 31 -------------------------------------------------------------------------


def test_attack_29_a_body_is_bound_to_its_key(opened: People) -> None:
    """A ciphertext that also opens under another person's key is refused before it is opened."""
    from governance.ledger.core.errors import LedgerTampered

    committed = opened.ask(MARKER)
    opened.ask(OTHER)
    home, other = opened.small.deployment.home, opened.key_of(OTHER)
    connection = sqlite3.connect(home.database_path)
    with connection:
        connection.execute(
            "UPDATE body SET key_id = ? WHERE seq = ?", (other, committed.recorded.seq)
        )
    connection.close()
    with pytest.raises(LedgerTampered) as found:
        opened.small.deployment.ledger.verify()
    assert found.value.sequence == committed.recorded.seq
    from governance.ledger.core.errors import BodyUnreadable

    with pytest.raises(BodyUnreadable, match="another key"):
        opened.small.deployment.ledger.body(committed.recorded.seq)


def test_attack_30_low_entropy_data_cannot_be_guessed_from_what_is_left(opened: People) -> None:
    """Every possible body is known to the attacker, and so is the whole database."""
    from hashlib import sha256

    from governance.ledger.core.record import body_commitment, decode_entry

    committed = opened.ask(MARKER, key="guessed")
    ledger, home = opened.small.deployment.ledger, opened.small.deployment.home
    body = ledger.body(committed.recorded.seq)
    assert body is not None
    salt = base64.b64decode(orjson.loads(committed.receipt)["salt"])
    entry = decode_entry(ledger.entry(committed.recorded.seq).stored.env)
    assert body_commitment(salt=salt, body=body) == entry.body_c, "with the salt it is found"
    opened.request(MARKER)
    opened.confirm()
    connection = sqlite3.connect(home.database_path)
    left = "\n".join(connection.iterdump())
    connection.close()
    assert salt.hex() not in left.lower()
    raw = orjson.loads(body)["request"].encode()
    for guess in (
        MARKER.encode(),
        f"{ledger.origin.split('/')[0]}\x00{MARKER}".encode(),
        raw,
        MODEL.encode() + b"\n" + raw,
        b"guessed",
        body,
        b"oncovigil/body/v1\n" + body,
    ):
        assert sha256(guess).hexdigest() not in left.lower()


def test_attack_31_restoring_the_backups_opens_nothing(tmp_path: Path) -> None:
    """Backups of the database and of the key store, made before the erasure, are put back."""
    from governance.adapters.key_store import FileKeyStore, KeyStoreUnavailable, KeyUnwrapFailed

    def backup(path: Path, name: str) -> Path:
        source, target = sqlite3.connect(path), sqlite3.connect(tmp_path / name)
        source.backup(target)
        source.close()
        target.close()
        return tmp_path / name

    with people(tmp_path, days=0) as opened:
        opened.ask(MARKER)
        home, key_id = opened.small.deployment.home, opened.key_of(MARKER)
        database = backup(home.database_path, "vigil.backup")
        keys = backup(home.keys_dir / "keys.sqlite", "keys.backup")
        opened.request(MARKER)
        opened.confirm()
        rotated = opened.small.perform("ada", "keys.rotate_epoch")
        assert (rotated["old"], rotated["new"]) == (1, 2)
        opened.verify()
    assert b"wrapped" in keys.read_bytes()
    for path, kept in ((home.database_path, database), (home.keys_dir / "keys.sqlite", keys)):
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.write_bytes(kept.read_bytes())
    with pytest.raises(KeyStoreUnavailable, match="epoch 1 is not there"):
        FileKeyStore(home.keys_dir)
    # Whoever claims that the copy is of the present epoch gets no further.
    connection = sqlite3.connect(home.keys_dir / "keys.sqlite")
    with connection:
        connection.execute("UPDATE index_key SET kek_epoch = 2")
        connection.execute("UPDATE data_key SET kek_epoch = 2")
    connection.close()
    with pytest.raises(KeyUnwrapFailed):
        FileKeyStore(home.keys_dir)
    assert key_id is not None


def test_a_key_store_that_came_back_from_a_copy_loses_the_key_again(tmp_path: Path) -> None:
    from governance.ledger.store.keys import KeyDestroyed

    with people(tmp_path, days=0) as opened:
        opened.ask(MARKER)
        opened.ask(OTHER)
        key_id = opened.key_of(MARKER)
        assert key_id is not None
        opened.request(MARKER)
        path = opened.small.deployment.home.keys_dir / "keys.sqlite"
        source, target = sqlite3.connect(path), sqlite3.connect(tmp_path / "copy")
        source.backup(target)
        source.close()
        target.close()
        opened.confirm()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes((tmp_path / "copy").read_bytes())
    with again(tmp_path, days_later=2) as opened:
        with pytest.raises(KeyDestroyed):
            opened.small.deployment.keys.get(key_id)
        assert opened.key_of(MARKER) is None
        assert opened.key_of(OTHER) is not None
        opened.verify()
