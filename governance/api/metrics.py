"""Counters and one histogram in the Prometheus text format, 0.0.4; nothing leaves by itself (P15).

Every label value comes from a closed set of our own (a route's name, a status, a reason code, a
registered model), never from a request, so a metric can hold no patient data and no scan of
addresses can make the series grow.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Final

_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """What this process counted since it started."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._refusals: Counter[str] = Counter()
        self._durations = [0] * (len(_BOUNDS_S) + 1)
        self._seconds = 0.0
        self._recorded = 0
        self._recorded_first: int | None = None
        self._recorded_last = 0

    def request(self, route: str, status: int) -> None:
        """Count a response."""
        self._requests[route, status] += 1

    def predicted(self, seconds: float) -> None:
        """Count a prediction's time from the head of the request to its recorded answer."""
        self._durations[bisect_left(_BOUNDS_S, seconds)] += 1
        self._seconds += seconds

    def recorded(self, seq: int) -> None:
        """Count an answer or refusal that became entry `seq`; a repeated reply is none."""
        self._recorded += 1
        self._recorded_last = max(self._recorded_last, seq)
        if self._recorded_first is None or seq < self._recorded_first:
            self._recorded_first = seq

    def rows(self, model: str, disposition: str, count: int) -> None:
        """Count answered rows of a registered model."""
        self._answers[model, disposition] += count

    def refusal(self, code: str) -> None:
        """Count a refusal, recorded or not."""
        self._refusals[code] += 1

    def text(self, gauges: Mapping[str, int], *, lags: Mapping[str, int] | None = None) -> str:
        """Return the page; `gauges` and the witnesses' `lags` are read now, by the caller."""
        lines: list[str] = []
        _head(lines, "vigil_requests_total", "counter", "Responses by route and status.")
        for (route, status), count in sorted(self._requests.items()):
            lines.append(f'vigil_requests_total{{route="{route}",status="{status}"}} {count}')
        _head(lines, "vigil_rows_total", "counter", "Rows by model and disposition.")
        for (model, disposition), count in sorted(self._answers.items()):
            labels = f'model="{model}",disposition="{disposition}"'
            lines.append(f"vigil_rows_total{{{labels}}} {count}")
        _head(lines, "vigil_refusals_total", "counter", "Refusals by reason code.")
        for code, count in sorted(self._refusals.items()):
            lines.append(f'vigil_refusals_total{{code="{code}"}} {count}')
        self._recorded_lines(lines)
        self._histogram(lines)
        for name, value in sorted(gauges.items()):
            _head(lines, name, "gauge", "Read when this page was made.")
            lines.append(f"{name} {value}")
        if lags:
            name = "vigil_witness_lag_entries"
            _head(lines, name, "gauge", "Entries that the witness has not cosigned.")
            lines += [f'{name}{{witness="{one}"}} {lag}' for one, lag in sorted(lags.items())]
        return "\n".join(lines) + "\n"

    def _recorded_lines(self, lines: list[str]) -> None:
        """Say which entries are this process's: `vigil ledger reconcile` compares them."""
        _head(lines, "vigil_recorded_total", "counter", "Answers and refusals that are entries.")
        lines.append(f"vigil_recorded_total {self._recorded}")
        if self._recorded_first is None:
            return
        for name, seq in (
            ("vigil_recorded_first_seq", self._recorded_first),
            ("vigil_recorded_last_seq", self._recorded_last),
        ):
            _head(lines, name, "gauge", "The number of an entry counted above.")
            lines.append(f"{name} {seq}")

    def _histogram(self, lines: list[str]) -> None:
        name = "vigil_predict_seconds"
        _head(lines, name, "histogram", "Seconds to a recorded answer or refusal.")
        total = 0
        for bound, count in zip(_BOUNDS_S, self._durations, strict=False):
            total += count
            lines.append(f'{name}_bucket{{le="{bound:g}"}} {total}')
        total += self._durations[-1]
        lines.append(f'{name}_bucket{{le="+Inf"}} {total}')
        lines.append(f"{name}_sum {self._seconds:.6f}")
        lines.append(f"{name}_count {total}")


def _head(lines: list[str], name: str, kind: str, text: str) -> None:
    lines.append(f"# HELP {name} {text}")
    lines.append(f"# TYPE {name} {kind}")
