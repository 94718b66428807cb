"""A disk that is really full (attack 36), in a mount namespace of its own.

Nothing is answered, everything stays readable, and room is all that it takes to go on (P2).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.functional.api.support import make_home
from tests.support.project import ROOT

MOUNT = 'mount -t tmpfs -o size=8m tmpfs "$1" && shift && exec "$@"'
NAMESPACES = (["unshare", "-m"], ["unshare", "-Urm"])


@cache
def _namespace() -> tuple[list[str], str]:
    """Return how a file system can be mounted here, or nothing and why."""
    if shutil.which("unshare") is None:
        return [], "unshare is not installed"
    said = ""
    with tempfile.TemporaryDirectory() as folder:
        for namespace in NAMESPACES:
            mounted = [*namespace, "sh", "-c", MOUNT, "sh", folder, "true"]
            probe = subprocess.run(mounted, capture_output=True, text=True, check=False)
            if probe.returncode == 0:
                return namespace, ""
            said = probe.stderr.strip()
    return [], f"no file system can be mounted here: {said}"


def why_not() -> str | None:
    """Return why no disk can be full here, None where one can."""
    return _namespace()[1] or None


def in_small_file_system(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run the command where `folder` is a file system of 8 MB; see `why_not`."""
    mounted = [*_namespace()[0], "sh", "-c", MOUNT, "sh", str(folder)]
    return subprocess.run(
        [*mounted, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def run_story(tmp_path: Path) -> dict[str, Any]:
    """Return what the story on a full disk saw."""
    home = make_home(tmp_path / "home", limits={"requests_per_minute": 100_000})
    (tmp_path / "small").mkdir()
    module = "tests.integration.faults.full_disk"
    done = in_small_file_system(
        tmp_path / "small", sys.executable, "-m", module, str(home), str(tmp_path / "small")
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def judge(seen: dict[str, Any]) -> None:
    """Assert that nothing was answered while the disk was full, and nothing was lost."""
    assert seen["refused"] == 503
    assert seen["problem"]["code"] == "gate.audit_unavailable"
    assert "same idempotency key" in seen["problem"]["next_step"]
    assert seen["again"] == [503] * 3
    assert seen["verified"] == [seen["size"]] * 2 or max(seen["verified"]) <= seen["size"] + 1
    assert seen["checkpoint"] == 200
    assert (seen["recovered"], seen["same"], seen["known"]) == (200, True, True)
    assert seen["after"] <= seen["reopened"] <= seen["after"] + 1
    assert seen["after"] >= seen["size"] + 1
