"""README is executed: help blocks are the program's, commands run, links lead somewhere."""

from __future__ import annotations

import re

import pytest

from tests.architecture.readme import README, commands, rendered
from tests.support.demonstration import Demonstration, run_vigil
from tests.support.project import ROOT

TEXT = README.read_text("utf-8")


def test_help_blocks_are_what_the_program_prints() -> None:
    assert rendered(TEXT) == TEXT


def test_there_are_commands_to_run() -> None:
    assert len(commands(TEXT)) >= 3


@pytest.mark.parametrize("words", commands(TEXT), ids=" ".join)
def test_each_command_of_the_tour_succeeds(words: list[str], finished: Demonstration) -> None:
    here = [word.replace("demo-home", str(finished.home)) for word in words]
    done = run_vigil(*here)
    assert done.returncode == 0, done.stderr


def test_every_link_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / target).exists(), target
