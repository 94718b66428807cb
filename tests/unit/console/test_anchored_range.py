"""The bar is whole, in order, and shows also what is small."""

from __future__ import annotations

import pytest

from governance.console.desk import LedgerHead
from governance.console.views.anchored_range import LEAST_PERCENT, anchored_range
from governance.operations.inspect.explore_ledger import WitnessReach


def head(size: int, *, anchored: int, stored: int, reaches: tuple[int, ...] = ()) -> LedgerHead:
    return LedgerHead(
        origin="o",
        size=size,
        root="r",
        checkpoint="c",
        witnesses=(),
        anchored_size=anchored,
        stored_size=stored,
        lags=tuple(
            WitnessReach(
                name=f"w{at}", organisation="o", size=reach, lag=size - reach, cosigned_us=None,
                fault=None, since_us=None,
            )
            for at, reach in enumerate(reaches)
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "anchored", "stored", "kinds"),
    [
        (10, 0, 10, ["signed"]),
        (10, 10, 10, ["anchored"]),
        (10, 4, 10, ["anchored", "signed"]),
        (10, 4, 9, ["anchored", "signed", "waiting"]),
        (10, 0, 0, ["waiting"]),
        (2_000_000, 1_999_997, 1_999_999, ["anchored", "signed", "waiting"]),
        (0, 0, 0, []),
    ],
)
def test_parts_follow_each_other_and_fill_the_bar(
    size: int, anchored: int, stored: int, kinds: list[str]
) -> None:
    bar = anchored_range(head(size, anchored=anchored, stored=stored))
    assert [part.kind for part in bar.parts] == kinds
    entries = [(part.first, part.last) for part in bar.parts]
    assert [last + 1 for _, last in entries[:-1]] == [first for first, _ in entries[1:]]
    widths = [float(part.width.rstrip("%")) for part in bar.parts]
    assert all(width > LEAST_PERCENT * 0.9 for width in widths)
    assert sum(widths) == pytest.approx(100 if kinds else 0, abs=0.1)


def test_witnesses_at_one_place_share_a_tick_and_ends_stay_inside() -> None:
    bar = anchored_range(head(100, anchored=50, stored=100, reaches=(50, 0, 51, 100)))
    assert [(tick.label, tick.anchor) for tick in bar.ticks] == [
        ("2", "start"),
        ("1, 3", "middle"),
        ("4", "end"),
    ]
    assert "Witness 3, w2, has cosigned up to size 51" in bar.words


def test_a_witness_that_saw_more_than_is_here_stands_at_the_end() -> None:
    (tick,) = anchored_range(head(10, anchored=0, stored=10, reaches=(12,))).ticks
    assert tick.x == "100.00%"
