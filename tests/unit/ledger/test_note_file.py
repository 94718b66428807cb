"""`checkpoints.log`: a torn note is never taken for a whole one, and never for tampering."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.ledger.core.log_keys import LogKeys
from governance.ledger.store import note_file
from governance.ledger.store.note_file import NoteFile, largest_note
from tests.unit.ledger.sample import ORIGIN, SampleLog

LOG = SampleLog.of(12)
WRITE = os.write


def largest(path: Path) -> int | None:
    found = largest_note(path, keys=LogKeys.begin(ORIGIN, [LOG.key.text()]))
    return None if found is None else found.size


def torn(kept: int) -> patch:  # type: ignore[type-arg]
    return patch.object(os, "write", lambda fd, block: WRITE(fd, block[:kept]))


# For each note: how many bytes of it reach the disk (None: all), and whether the process ends then.
tears = st.lists(
    st.tuples(st.none() | st.integers(0, 300) | st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=11,
)


@given(story=tears)
def test_whatever_tears_the_largest_note_that_was_kept_is_found(
    story: list[tuple[int | None, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoints.log"
        notes, kept = NoteFile(path), 0
        notes.append(LOG.note(1))
        for size, (reach, ends) in enumerate(story, start=2):
            with torn(10_000 if reach is None else reach):
                try:
                    notes.append(LOG.note(size))
                    kept = size
                except OSError:
                    pass
            if ends:
                notes.close()
                notes = NoteFile(path)
            assert (largest(path) or 0) >= max(kept, 1)
        notes.append(LOG.note(12))
        notes.close()
        assert largest(path) == 12


def test_a_full_file_begins_anew_with_its_last_note(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.log"
    notes = NoteFile(path)
    with (
        patch.object(note_file, "_ROTATE_BYTES", 900),
        patch.object(note_file, "_TAIL_BYTES", 600),
    ):
        for size in range(1, 10):
            notes.append(LOG.note(size))
            assert largest(path) == size
            assert path.stat().st_size <= 1_200
    notes.close()


def test_a_file_that_cannot_be_opened_anew_keeps_its_descriptor(tmp_path: Path) -> None:
    """A number that is free again could be the database's, and the next note would go there."""
    path = tmp_path / "checkpoints.log"
    notes = NoteFile(path)
    with (
        patch.object(note_file, "_ROTATE_BYTES", 1),
        patch.object(NoteFile, "_open", side_effect=OSError(24, "too many open files")),
        pytest.raises(OSError, match="too many"),
    ):
        notes.append(LOG.note(1))
    os.fstat(notes._descriptor)
    assert largest(path) == 1
    notes.close()
