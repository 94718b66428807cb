"""A home's log as a folder: exported, continued, and verified by somebody who has nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from governance.clock import FixedClock
from governance.errors import Conflict, InvalidInput, NotFound
from governance.home import Home
from governance.ledger.core.errors import LedgerTampered, NoteRejected, PolicyRejected
from governance.ledger.core.tiles import BUNDLES, TilePath
from governance.ledger.core.verify_tiles import ExportIncomplete
from governance.ledger.store.export_folder import ExportWriter, writing
from governance.operations.inspect import export_ledger
from governance.operations.inspect.export_ledger import ExportReport, ForeignExport, export_home
from governance.operations.inspect.verify_export import ExportVerification, verify_export
from governance.storage.open import create_home, open_storage
from tests.integration.storage.samples import NOW_US, answer

ENTRIES: Final = 300
TAMPERED: Final = 3


def grow(home: Path, size: int, *, answers: int = 0) -> None:
    """Let the log grow to `size` entries, the last `answers` of them with bodies."""
    with open_storage(
        Home.open(home), clock=FixedClock(now_us=NOW_US), check_rows=False
    ) as storage:
        acts = size - answers - storage.ledger.head()[0]
        storage.pen.commit(
            lambda unit: [unit.record(kind="attempt.opened", actor="ana") for _ in range(acts)]
        )
        key = storage.pen.commit(lambda unit: unit.new_key())
        for number in range(answers):
            storage.pen.answer(answer(key, number=number)).result(30)


def make(root: Path, size: int = ENTRIES) -> Path:
    create_home(root, organisation="acme", deployment="test", clock=FixedClock(now_us=NOW_US))
    grow(root, size, answers=10)
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home and its export with bodies; nobody may change them."""
    folder = tmp_path_factory.mktemp("made")
    export_home(make(folder / "home"), folder / "exported", bodies=True)
    shutil.copy(folder / "home" / "log.policy", folder / "pinned.policy")
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "home", tmp_path / "home"))


@pytest.fixture
def exported(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "exported", tmp_path / "exported"))


@pytest.fixture
def policy(made: Path) -> Path:
    return made / "pinned.policy"


def verified(folder: Path, policy: Path) -> ExportVerification:
    report, incomplete = verify_export(folder, policy=policy)
    assert incomplete is None, incomplete
    return report


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def flip(path: Path, at: int) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])


@pytest.mark.requirement("P14")
def test_the_three_answers_about_an_export(exported: Path, policy: Path) -> None:
    report = verified(exported, policy)
    assert report.integrity.entries_checked == ENTRIES
    assert report.integrity.facts_checked == ENTRIES
    assert report.integrity.bodies_checked == 10
    assert report.integrity.root_confirmed
    assert report.completeness.complete
    assert (report.completeness.entries_missing, report.completeness.files_unknown) == (0, 0)
    assert (report.anchoring.stage, report.anchoring.anchored_size) == ("S0", 0)


def test_an_export_has_these_files_and_no_others(exported: Path) -> None:
    assert names(exported) == {
        "checkpoint",
        "log.policy",
        "manifest.json",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        *(f"tile/{kind}/000" for kind in BUNDLES),
        *(f"tile/{kind}/001.p/44" for kind in BUNDLES),
    }
    for name in ("000", "001.p/44"):
        assert (exported / "tile/bodies" / name).stat().st_mode & 0o077 == 0


@pytest.mark.requirement("P15")
def test_bodies_are_exported_only_when_asked_for(home: Path, tmp_path: Path, policy: Path) -> None:
    report = export_home(home, tmp_path / "out")
    assert not report.bodies
    assert not (tmp_path / "out" / "tile" / "bodies").exists()
    checked = verified(tmp_path / "out", policy)
    assert (checked.completeness.bodies_exported, checked.integrity.bodies_checked) == (False, 0)
    assert all(b'{"rows":[0]}' not in raw for raw in contents(tmp_path / "out").values())


# --- tampering -----------------------------------------------------------------------------------


@pytest.mark.requirement("P3")
def test_a_changed_byte_in_any_exported_file_is_found(
    made: Path, policy: Path, tmp_path: Path
) -> None:
    for name in sorted(names(made / "exported")):
        folder = tmp_path / name.replace("/", "-")
        shutil.copytree(made / "exported", folder)
        size = (folder / name).stat().st_size
        flip(folder / name, size // 2)
        with pytest.raises((LedgerTampered, NoteRejected)) as caught:
            verify_export(folder, policy=policy)
        if name.startswith("tile/"):
            path = TilePath.parse(name)
            assert isinstance(caught.value, LedgerTampered)
            assert caught.value.sequence is not None
            assert path.first <= caught.value.sequence < ENTRIES
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["checkpoint", "log.policy", "manifest.json"])
def test_every_changed_byte_beside_the_tiles_is_found(
    exported: Path, policy: Path, name: str
) -> None:
    path = exported / name
    raw = path.read_bytes()
    for at in range(len(raw)):
        flip(path, at)
        with pytest.raises((LedgerTampered, NoteRejected)):
            verify_export(exported, policy=policy)
        path.write_bytes(raw)


def test_a_missing_file_is_reported_beside_what_was_verified(exported: Path, policy: Path) -> None:
    for name in sorted(names(exported) - {"checkpoint"}):
        raw = (exported / name).read_bytes()
        (exported / name).unlink()
        report, incomplete = verify_export(exported, policy=policy)
        assert incomplete is not None
        assert name in str(incomplete)
        assert report.completeness.missing == [name]
        assert not report.completeness.complete
        assert report.integrity.root_confirmed
        (exported / name).write_bytes(raw)


def test_without_a_checkpoint_nothing_is_shown(exported: Path, policy: Path) -> None:
    (exported / "checkpoint").unlink()
    with pytest.raises(ExportIncomplete, match="checkpoint"):
        verify_export(exported, policy=policy)


def test_a_file_of_no_tile_is_counted(exported: Path, policy: Path) -> None:
    (exported / "tile" / "0" / "002").write_bytes(b"?")
    assert verified(exported, policy).completeness.files_unknown == 1


def test_what_is_no_regular_file_is_refused(exported: Path, policy: Path, tmp_path: Path) -> None:
    place = exported / "tile" / "entries" / "000"
    saved = place.rename(tmp_path / "saved")

    def as_pipe() -> None:
        os.mkfifo(place)

    def as_link() -> None:
        place.symlink_to(saved)

    def as_folder() -> None:
        place.mkdir()

    acts: list[Callable[[], None]] = [as_pipe, as_link, as_folder]
    for act in acts:
        act()
        with pytest.raises(LedgerTampered, match="file") as caught:
            verify_export(exported, policy=policy)
        assert caught.value.sequence == 0
        place.rmdir() if act is as_folder else place.unlink()


def test_the_folders_own_policy_gives_no_trust(exported: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", 5)
    with pytest.raises(NoteRejected, match="does not know the log"):
        verify_export(exported, policy=other / "log.policy")


def test_a_policy_with_a_quorum_is_not_met_by_the_log_alone(exported: Path, tmp_path: Path) -> None:
    from tests.unit.ledger.sample import witness_key

    pinned = tmp_path / "pinned"
    text = (exported / "log.policy").read_text().replace("quorum none\n", "")
    pinned.write_text(f"{text}witness w {witness_key('vendor').text()}\nquorum w\n")
    with pytest.raises(NoteRejected, match="witnesses"):
        verify_export(exported, policy=pinned)


def test_arguments_that_are_no_such_files_are_refused(
    exported: Path, tmp_path: Path, policy: Path
) -> None:
    with pytest.raises(NotFound):
        verify_export(tmp_path / "nowhere", policy=policy)
    with pytest.raises(InvalidInput):
        verify_export(exported, policy=tmp_path / "nowhere")
    with pytest.raises(PolicyRejected):
        verify_export(exported, policy=exported / "checkpoint")


# --- continuing ----------------------------------------------------------------------------------


def test_a_second_export_writes_only_what_is_new(home: Path, exported: Path, policy: Path) -> None:
    before = contents(exported)
    kept_at = (exported / "tile/entries/000").stat().st_ino
    again = export_home(home, exported)
    assert contents(exported) == before
    assert (again.size, again.bodies) == (ENTRIES, True)
    grow(home, 600, answers=5)
    grown = export_home(home, exported)
    assert (grown.size, grown.files_kept) == (600, 4)  # one full tile of hashes and of each bundle
    assert (exported / "tile/entries/000").stat().st_ino == kept_at
    report = verified(exported, policy)
    assert (report.completeness.size, report.integrity.bodies_checked) == (600, 15)


def test_partial_tiles_are_replaced_by_full_ones(home: Path, exported: Path, policy: Path) -> None:
    grow(home, 310)
    export_home(home, exported)
    assert (exported / "tile/0/001.p").is_dir()
    assert {p.name for p in (exported / "tile/0/001.p").iterdir()} == {"54"}
    grow(home, 600)
    export_home(home, exported)
    for label in ("0", "entries", "facts", "bodies"):
        assert (exported / "tile" / label / "001").is_file()
        assert not (exported / "tile" / label / "001.p").exists()
    assert verified(exported, policy).completeness.files_unknown == 0


def test_a_full_tile_that_was_lost_is_written_again(
    home: Path, exported: Path, policy: Path
) -> None:
    (exported / "tile/facts/000").unlink()
    export_home(home, exported)
    verified(exported, policy)


@pytest.mark.parametrize("stop_at", range(1, 13))
def test_an_interrupted_export_still_holds_the_log_before_and_is_continued(
    home: Path, exported: Path, policy: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    grow(home, 600, answers=3)
    written = 0
    write = ExportWriter.write

    def failing(self: ExportWriter, name: str, *arguments: object, **options: object) -> None:
        nonlocal written
        written += 1
        if written == stop_at:
            (self.root / ".drafts" / "file").write_bytes(b"half of")
            raise OSError(28, "no space")
        write(self, name, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(ExportWriter, "write", failing)
        with pytest.raises(OSError, match="no space"):
            export_home(home, exported)
    if (exported / "manifest.json").read_bytes().find(b'"size":300') >= 0:
        assert verified(exported, policy).completeness.size == ENTRIES
    else:  # between the manifest and the checkpoint
        with pytest.raises(LedgerTampered, match="it is for 600 entries"):
            verify_export(exported, policy=policy)
    export_home(home, exported)
    report = verified(exported, policy)
    assert (report.completeness.size, report.completeness.files_unknown) == (600, 0)
    assert not (exported / ".drafts").exists()


def test_a_first_export_that_was_interrupted_is_continued(
    home: Path, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> Iterator[TilePath]:
        raise OSError(28, "no space")

    with monkeypatch.context() as patched:
        patched.setattr(export_ledger, "tiles_of", failing)
        with pytest.raises(OSError, match="no space"):
            export_home(home, tmp_path / "out")
    export_home(home, tmp_path / "out")
    verified(tmp_path / "out", policy)


def test_two_exports_into_one_folder_do_not_meet(home: Path, exported: Path) -> None:
    with writing(exported), pytest.raises(Conflict, match="another process"):
        export_home(home, exported)


# --- what an export refuses, and what it finds ---------------------------------------------------


def test_a_folder_of_something_else_is_refused_and_left_alone(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(ForeignExport):
        export_home(home, folder)
    assert (folder / "letter.txt").read_text() == "dear"
    with pytest.raises(Conflict):
        export_home(home, folder / "letter.txt")


def test_the_export_of_another_log_is_refused_and_left_alone(
    exported: Path, tmp_path: Path
) -> None:
    before = contents(exported)
    other = make(tmp_path / "other", 20)
    with pytest.raises(ForeignExport):
        export_home(other, exported)
    assert contents(exported) == before


@pytest.mark.requirement("P3")
def test_a_restored_backup_is_found_by_the_export(
    home: Path, exported: Path, tmp_path: Path
) -> None:
    backup = Path(shutil.copytree(home, tmp_path / "backup"))
    grow(home, 310)
    export_home(home, exported)
    with pytest.raises(LedgerTampered, match="tail is cut") as caught:
        export_home(backup, exported)
    assert caught.value.sequence == ENTRIES


@pytest.mark.requirement("P3")
def test_a_rewritten_log_is_found_by_the_export(home: Path, exported: Path, tmp_path: Path) -> None:
    """A backup that went on differently: signed with the same key, two histories."""
    backup = Path(shutil.copytree(home, tmp_path / "backup"))
    grow(home, 310)
    export_home(home, exported)
    grow(backup, 320, answers=4)
    before = contents(exported)
    with pytest.raises(LedgerTampered, match="rewritten since it was exported"):
        export_home(backup, exported)
    assert contents(exported) == before


def test_a_checkpoint_kept_elsewhere_shows_a_rewritten_log(
    home: Path, exported: Path, tmp_path: Path, policy: Path
) -> None:
    backup = Path(shutil.copytree(home, tmp_path / "backup"))
    grow(home, 310)
    export_home(home, exported)
    kept = Path(shutil.copy(exported / "checkpoint", tmp_path / "kept"))
    report, _ = verify_export(exported, policy=policy, kept=kept)
    assert report.anchoring.kept_checkpoint_size == 310
    grow(backup, 320, answers=4)
    export_home(backup, tmp_path / "other")
    verified(tmp_path / "other", policy)
    with pytest.raises(LedgerTampered, match="root at size 310"):
        verify_export(tmp_path / "other", policy=policy, kept=kept)


# --- by themselves -------------------------------------------------------------------------------


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command where there is no home, no HOME and no state."""
    keep = ("PATH", "VIRTUAL_ENV", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    return subprocess.run(
        [sys.executable, "-P", "-m", "governance.cli", *words],
        check=False, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300,
    )  # fmt: skip


@pytest.mark.requirement("P14")
def test_the_command_verifies_without_a_home(exported: Path, policy: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    words = ("ledger", "verify", "--from", str(exported), "--policy", str(policy), "--json")
    done = run(*words, cwd=nowhere)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["completeness"]["complete"] is True
    assert list(nowhere.iterdir()) == []

    flip(exported / "tile/facts/000", 40)
    done = run(*words, cwd=nowhere)
    assert (done.returncode, json.loads(done.stdout)["code"]) == (TAMPERED, "ledger.tampered")
    assert "entry 0" in done.stderr

    (exported / "tile/facts/000").unlink()
    done = run(*words, cwd=nowhere)
    assert done.returncode == TAMPERED
    assert json.loads(done.stdout)["completeness"]["missing"] == ["tile/facts/000"]
    assert "tile/facts/000 is missing" in done.stderr

    done = run("ledger", "verify", "--from", str(exported), cwd=nowhere)
    assert done.returncode == 2


@pytest.mark.slow
def test_the_commands_export_and_prove(home: Path, tmp_path: Path, policy: Path) -> None:
    done = run("ledger", "export", "out", "--home", str(home), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ExportReport(**json.loads(done.stdout)).size == ENTRIES
    with open_storage(Home.open(home), clock=FixedClock(now_us=NOW_US)) as storage:
        event = storage.ledger.entry(ENTRIES - 1).event_id
    for extra in ([], ["--without-body"]):
        words = ("ledger", "proof", event, "--output", "a.json", "--home", str(home), *extra)
        assert run(*words, cwd=tmp_path).returncode == 0
        checked = run(
            "receipt", "verify", "a.json", "--policy", str(policy), "--json", cwd=tmp_path
        )
        assert checked.returncode == 0, checked.stderr
        assert (json.loads(checked.stdout)["body"] is None) == bool(extra)
    done = run("ledger", "proof", "--consistency", "5", "300", "--home", str(home), cwd=tmp_path)
    assert json.loads(done.stdout)["old_size"] == 5
    for wrong in ([], [event, "--consistency", "1", "2"]):
        assert run("ledger", "proof", *wrong, "--home", str(home), cwd=tmp_path).returncode == 2
    done = run("ledger", "proof", "--consistency", "5", "301", "--home", str(home), cwd=tmp_path)
    assert (done.returncode, "ledger.no_such_proof" in done.stderr) == (1, True)
