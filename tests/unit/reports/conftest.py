"""Invented evidence, shared with the console's tests in the functional folder."""

from __future__ import annotations

import sys
from pathlib import Path

# Test folders are no packages; the samples stand beside the pages that show them.
sys.path.insert(0, str(Path(__file__).parents[2] / "functional" / "console"))
