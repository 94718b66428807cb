"""What `vigil monitor run` ends with: the worst verdict of its runs."""

from __future__ import annotations

import pytest
import typer

from governance.cli.options import end_in


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ({"pass", "insufficient", "fail"}, 10),
        ({"fail"}, 10),
        ({"pass", "insufficient"}, 11),
    ],
)
def test_the_worst_verdict_decides_the_exit_code(verdicts: set[str], code: int) -> None:
    with pytest.raises(typer.Exit) as ended:
        end_in(verdicts)
    assert ended.value.exit_code == code


@pytest.mark.parametrize("verdicts", [set(), {"pass"}])
def test_nothing_worse_than_a_pass_ends_as_ever(verdicts: set[str]) -> None:
    end_in(verdicts)
