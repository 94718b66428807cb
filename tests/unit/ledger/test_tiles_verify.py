"""An exported log under its checkpoint: what is changed is named, what is missing is listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from governance.ledger.core.bundles import ExportedBody, body_record, entry_record
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.erased import ERASED_KIND
from governance.ledger.core.errors import LedgerTampered, NoteRejected
from governance.ledger.core.manifest import MAX_MANIFEST_BYTES, Manifest, check_manifest
from governance.ledger.core.merkle import EMPTY_ROOT, Tree, leaf_hash
from governance.ledger.core.record import decode_entry, encode_entry
from governance.ledger.core.tiles import TilePath, hash_tile
from governance.ledger.core.verify_tiles import (
    MAX_MISSING,
    ExportIncomplete,
    trusted_checkpoint,
    verify_tiles,
)
from tests.unit.ledger.exported import Files, body_of, files_of, head_of, verify
from tests.unit.ledger.sample import ORIGIN, SampleLog, policy

SMALL: Final = SampleLog.of(9)
LOG: Final = SampleLog.of(520)
FILES: Final = files_of(LOG)
LABELS: Final = ("0", "entries", "facts", "bodies")


def tampered(files: Files, log: SampleLog = LOG, *, bodies: bool = True) -> LedgerTampered:
    with pytest.raises(LedgerTampered) as caught:
        verify(files, log, bodies=bodies)
    return caught.value


def changed(name: str, raw: bytes) -> Files:
    return Files({**FILES, name: raw})


def without(*names: str) -> Files:
    return Files({name: raw for name, raw in FILES.items() if name not in names})


def flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def ends_of(name: str) -> list[int]:
    """Return where each entry's bytes end in a file of the sample, for files of level 0."""
    path = TilePath.parse(name)
    ends, at = [], 0
    for seq in range(path.first, path.first + path.width):
        row = LOG.rows[seq]
        at += {
            "hashes": 32,
            "entries": 2 + len(row.env),
            "facts": 36 + len(row.facts),
            "bodies": len(body_record(body_of(LOG, seq))),
        }[path.kind]
        ends.append(at)
    return ends


def test_an_untouched_export_verifies() -> None:
    verified = verify(FILES, LOG)
    assert verified.root_confirmed
    assert (verified.size, verified.entries_checked, verified.facts_checked) == (520, 520, 520)
    assert verified.bodies_checked == sum(row.has_body for row in LOG.rows)
    assert verified.missing == ()


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513])
def test_an_export_of_every_shape_verifies(size: int) -> None:
    verified = verify_tiles(files_of(LOG, size), checkpoint=head_of(LOG, size), bodies=True)
    assert (verified.entries_checked, verified.root_confirmed) == (size, True)


def test_without_bodies_none_is_expected_or_read() -> None:
    files = without("tile/bodies/000", "tile/bodies/001", "tile/bodies/002.p/8")
    verified = verify(files, LOG, bodies=False)
    assert (verified.bodies_checked, verified.missing) == (0, ())


@pytest.mark.requirement("P3")
def test_every_changed_byte_of_every_file_is_found() -> None:
    small = files_of(SMALL)
    for name, raw in small.items():
        for at in range(len(raw)):
            tampered(Files({**small, name: flipped(raw, at)}), SMALL)


@pytest.mark.requirement("P3")
@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("tile", ["000", "001", "002.p/8"])
def test_a_changed_byte_is_found_at_the_entry_that_it_belongs_to(label: str, tile: str) -> None:
    name = f"tile/{label}/{tile}"
    first = TilePath.parse(name).first
    ends = ends_of(name)
    assert ends[-1] == len(FILES[name])
    for offset in {0, len(ends) // 2, len(ends) - 1}:
        start = ends[offset - 1] if offset else 0
        for at in {start, (start + ends[offset]) // 2, ends[offset] - 1}:
            files = changed(name, flipped(FILES[name], at))
            assert tampered(files).sequence == first + offset, (name, at)


def test_a_changed_hash_above_the_leaves_is_found_at_the_first_entry_below_it() -> None:
    name = "tile/1/000.p/2"
    for at in (0, 31, 32, 63):
        error = tampered(changed(name, flipped(FILES[name], at)))
        assert (error.sequence, name in error.what) == (256 * (at // 32), True)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_is_cut_or_goes_on_is_found(name: str) -> None:
    path = TilePath.parse(name)
    covered = range(path.first, min(path.first + (path.width << 8 * path.level), 520))
    for raw in (b"", FILES[name][:-1], FILES[name] + b"\0"):
        assert tampered(changed(name, raw)).sequence in covered


def test_an_entry_with_the_leaf_that_fits_it_breaks_the_link_of_the_next() -> None:
    """Somebody changes an entry, and the tile so that it agrees."""
    forged = SampleLog.of(520)
    row = forged.rows[300]
    env = row.env.replace(b'"kind":"model.registered"', b'"kind":"model.removed"')
    assert env != row.env
    name = "tile/entries/001"
    start = ends_of(name)[300 - 257]
    raw = FILES[name]
    entries = raw[:start] + entry_record(env) + raw[start + 2 + len(row.env) :]
    hashes = FILES["tile/0/001"]
    at = 32 * (300 - 256)
    files = changed(name, entries)
    files["tile/0/001"] = hashes[:at] + leaf_hash(env) + hashes[at + 32 :]
    assert tampered(files).sequence == 301


def test_a_rewritten_log_is_not_the_signed_one() -> None:
    """Everything is made anew and agrees with itself; only the signed root tells."""
    other = SampleLog()
    for row in LOG.rows:
        other.append(kind="model.removed", facts={"n": row.seq}, body=None)
    with pytest.raises(LedgerTampered, match="root at size 520") as caught:
        verify_tiles(files_of(other), checkpoint=head_of(LOG), bodies=True)
    assert caught.value.sequence == 0


def test_the_files_of_another_log_are_found_at_once() -> None:
    other = SampleLog.of(520, origin="example.org/demo/audit/other")
    with pytest.raises(LedgerTampered) as caught:
        verify_tiles(files_of(other), checkpoint=head_of(LOG), bodies=True)
    assert caught.value.sequence == 0


def test_time_that_runs_backwards_is_found() -> None:
    log = SampleLog.of(3)
    late = SampleLog.of(5)
    row = late.rows[4]
    swapped = files_of(log)
    # A signed log whose writer let time run backwards: built by hand, one entry behind the others.
    entry = decode_entry(row.env)
    env = encode_entry(replace(entry, seq=3, prev=log.rows[2].leaf, t_us=0))
    leaves = [one.leaf for one in log.rows] + [leaf_hash(env)]
    files = Files(
        {
            "tile/entries/000.p/4": swapped["tile/entries/000.p/3"] + entry_record(env),
            "tile/0/000.p/4": b"".join(leaves),
        }
    )
    head = Checkpoint(origin=ORIGIN, size=4, root=Tree(leaves).root())
    with pytest.raises(LedgerTampered, match="time") as caught:
        verify_tiles(files, checkpoint=head, bodies=False)
    assert caught.value.sequence == 3


# --- what is missing -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FILES))
def test_one_missing_file_is_listed_and_the_rest_is_verified(name: str) -> None:
    verified = verify(without(name), LOG)
    assert [path.text() for path in verified.missing] == [name]
    assert verified.root_confirmed
    gone = TilePath.parse(name).width if "entries" in name else 0
    assert verified.entries_checked == 520 - gone


@pytest.mark.parametrize("label", ["facts", "bodies"])
def test_missing_facts_and_bodies_hide_nothing_but_themselves(label: str) -> None:
    name = f"tile/{label}/001"
    files = without(name)
    files["tile/entries/001"] = flipped(FILES["tile/entries/001"], 100)
    assert tampered(files).sequence == 256


def test_leaves_stand_in_for_missing_entries_and_a_node_for_both() -> None:
    for names in (["tile/entries/001"], ["tile/entries/001", "tile/0/001"]):
        verified = verify(without(*names), LOG)
        assert (verified.root_confirmed, len(verified.missing)) == (True, len(names))
        changed_later = without(*names)
        later = "tile/entries/002.p/8"
        changed_later[later] = flipped(FILES[later], 50)
        assert tampered(changed_later).sequence == 512


@pytest.mark.parametrize(
    "names",
    [
        ["tile/entries/001", "tile/0/001", "tile/1/000.p/2"],
        ["tile/entries/002.p/8", "tile/0/002.p/8"],
    ],
)
def test_where_nothing_leads_to_the_root_that_is_said(names: list[str]) -> None:
    verified = verify(without(*names), LOG)
    assert not verified.root_confirmed
    assert {path.text() for path in verified.missing} == set(names)


def test_a_huge_signed_size_over_an_empty_folder_ends_soon() -> None:
    head = Checkpoint(origin=ORIGIN, size=2**62, root=bytes(32))
    with pytest.raises(ExportIncomplete, match=str(MAX_MISSING)) as caught:
        verify_tiles(Files(), checkpoint=head, bodies=False)
    assert caught.value.sequence == 0


# --- erased bodies -------------------------------------------------------------------------------


def erased_log(kind: str = ERASED_KIND) -> tuple[SampleLog, Files]:
    """Return a log whose entry 1 was erased by entry 9."""
    log = SampleLog.of(9)
    log.append(kind=kind, facts={"seqs": [1]}, body=None)
    files = files_of(log)
    bodies = [body_of(log, seq) for seq in range(10)]
    bodies[1] = ExportedBody(state="erased", erased_by=9)
    files["tile/bodies/000.p/10"] = b"".join(map(body_record, bodies))
    return log, files


@pytest.mark.requirement("P13")
def test_an_erased_body_is_counted_where_an_entry_says_so() -> None:
    log, files = erased_log()
    verified = verify(files, log)
    assert (verified.bodies_erased, verified.erasures_unproven) == (1, 0)


def test_an_erased_body_that_no_entry_speaks_of_is_found() -> None:
    log, files = erased_log(kind="model.registered")
    assert tampered(files, log).sequence == 1


def test_an_erasure_that_cannot_be_looked_up_is_counted_apart() -> None:
    log, files = erased_log()
    name = "tile/bodies/000.p/10"
    mark = body_record(ExportedBody(state="erased", erased_by=9))
    beyond = body_record(ExportedBody(state="erased", erased_by=10))
    files[name] = files[name].replace(mark, beyond)
    verified = verify(files, log)
    assert (verified.bodies_erased, verified.erasures_unproven) == (1, 1)


def test_a_body_cannot_be_erased_by_an_entry_before_it() -> None:
    log, files = erased_log()
    name = "tile/bodies/000.p/10"
    mark = body_record(ExportedBody(state="erased", erased_by=9))
    files[name] = files[name].replace(mark, body_record(ExportedBody(state="erased", erased_by=0)))
    assert tampered(files, log).sequence == 1


def test_a_body_cannot_be_left_out_as_if_there_were_none() -> None:
    name = "tile/bodies/000"
    present, none = (body_record(body_of(LOG, seq)) for seq in (1, 0))
    assert FILES[name].startswith(none + present)
    error = tampered(changed(name, FILES[name].replace(present, none, 1)))
    assert (error.sequence, "missing" in error.what) == (1, True)


def test_a_body_cannot_be_given_to_an_entry_without_one() -> None:
    name = "tile/bodies/000"
    present = body_record(body_of(LOG, 1))
    error = tampered(changed(name, present + FILES[name][1:]))
    assert (error.sequence, "does not commit" in error.what) == (0, True)


# --- the checkpoint, and one that was kept -------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 256, 300, 512, 520])
def test_a_checkpoint_that_was_kept_agrees(size: int) -> None:
    verify_tiles(FILES, checkpoint=head_of(LOG), kept=head_of(LOG, size), bodies=True)


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (Checkpoint(origin=ORIGIN, size=300, root=bytes(32)), "root at size 300"),
        (Checkpoint(origin=ORIGIN, size=521, root=bytes(32)), "covers 521"),
        (Checkpoint(origin="example.org/other", size=0, root=EMPTY_ROOT), "another log"),
    ],
)
def test_a_checkpoint_that_was_kept_shows_another_history(kept: Checkpoint, said: str) -> None:
    with pytest.raises(LedgerTampered, match=said):
        verify_tiles(FILES, checkpoint=head_of(LOG), kept=kept, bodies=True)


def test_tiles_that_lead_to_a_kept_checkpoint_may_be_missing() -> None:
    with pytest.raises(ExportIncomplete, match="tile/0/001"):
        verify_tiles(
            without("tile/0/001"), checkpoint=head_of(LOG), kept=head_of(LOG, 300), bodies=True
        )


def test_a_policy_accepts_a_checkpoint_by_the_logs_word_or_by_its_quorum() -> None:
    alone = trusted_checkpoint(LOG.note(), policy())
    assert (alone.stage, alone.cosigned_by) == ("S0", ())
    seen = trusted_checkpoint(LOG.note(witnesses=("hospital", "vendor")), policy(quorum="2"))
    assert seen.stage == "S1"
    assert [one.name for one in seen.cosigned_by] == [
        "witness.example/hospital",
        "witness.example/vendor",
    ]


def test_a_checkpoint_that_the_policy_does_not_accept_is_refused() -> None:
    two = policy(quorum="2")
    twice = ("hospital", "hospital")
    foreign = SampleLog.of(3, origin="example.org/demo/audit/other")
    stolen = SampleLog.of(3, key_name="thief")
    for note, asked in (
        (LOG.note(), two),
        (LOG.note(witnesses=("hospital",)), two),
        (LOG.note(witnesses=twice), two),
        (foreign.note(), policy()),
        (stolen.note(), policy()),
        (LOG.note()[:-3], policy()),
        (b"", policy()),
    ):
        with pytest.raises(NoteRejected):
            trusted_checkpoint(note, asked)


# --- the manifest --------------------------------------------------------------------------------

POLICY = b"log key\nquorum none\n"
MANIFEST = Manifest(checkpoint=head_of(LOG), policy=POLICY, bodies=False)


def test_a_manifest_is_read_as_it_was_written() -> None:
    for bodies in (True, False):
        manifest = replace(MANIFEST, bodies=bodies)
        raw = manifest.encode()
        assert check_manifest(raw, checkpoint=head_of(LOG), policy=POLICY) == manifest
    assert b'"files":{"bodies":0,"entries":3,"facts":3,"hashes":4}' in MANIFEST.encode()


def test_every_changed_byte_of_a_manifest_is_found() -> None:
    raw = MANIFEST.encode()
    for at in range(len(raw)):
        with pytest.raises(LedgerTampered):
            check_manifest(flipped(raw, at), checkpoint=head_of(LOG), policy=POLICY)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"entries":[]}',
        b'{"entries":{"size":"x"}}',
        b"[" * 10_000,
        b" " * (MAX_MANIFEST_BYTES + 1),
        MANIFEST.encode() + b"\n",
        MANIFEST.encode().replace(b'"v":1', b'"v":1,"w":2'),
        replace(MANIFEST, policy=POLICY + b"#").encode(),
        replace(MANIFEST, checkpoint=head_of(LOG, 519)).encode(),
        replace(MANIFEST, checkpoint=replace(head_of(LOG), origin="example.org/x")).encode(),
    ],
)
def test_a_hostile_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(LedgerTampered, match=r"manifest\.json"):
        check_manifest(raw, checkpoint=head_of(LOG), policy=POLICY)


def test_an_interrupted_export_says_what_its_manifest_is_for() -> None:
    older = replace(MANIFEST, checkpoint=head_of(LOG, 300)).encode()
    with pytest.raises(LedgerTampered, match="it is for 300 entries"):
        check_manifest(older, checkpoint=head_of(LOG), policy=POLICY)


def test_the_sample_is_what_the_tree_says() -> None:
    path = TilePath(level=1, index=0, width=2)
    assert FILES[path.text()] == hash_tile(LOG.tree, path)
