"""The kinds of audit that this room answers for, each with `parse` and `run`.

Definition: "discrimination" (`discrimination`) and "calibration" (`calibration`).
Formula: none. Source: none. Assumptions: none. Failure modes: none.
Cost: constant.
"""

from __future__ import annotations

from typing import Final

from audits.performance import calibration, discrimination

KINDS: Final = {discrimination.KIND: discrimination, calibration.KIND: calibration}
"""By kind the module with `KIND`, `parse(record)` and `run(samples, protocol=…, …)`."""
