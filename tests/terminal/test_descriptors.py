"""Descriptors are enough for whoever is let in."""

from __future__ import annotations

import subprocess
import sys

import pytest

from asr.terminal.descriptors import Need, fitting

NEED = Need(connections=1000, uploads=128, running=8)

ASKED = """
import resource, sys
from asr.terminal import descriptors
soft, hard, wanted = map(int, sys.argv[2:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(getattr(descriptors, sys.argv[1])(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def asked(function: str, soft: int, hard: int, wanted: int) -> str:
    """What a function says in a process of such limits, and the limits then."""
    argv = [sys.executable, "-c", ASKED, function, str(soft), str(hard), str(wanted)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "said"),
    [
        (256, 2000, 1384, "1384 1384 2000"),
        (256, 1000, 1384, "1000 1000 1000"),
        (1500, 2000, 1384, "1384 1500 2000"),
    ],
)
def test_the_limit_is_raised_as_far_as_it_is_needed_and_may_be(
    soft: int, hard: int, wanted: int, said: str
) -> None:
    assert asked("raise_limit", soft, hard, wanted) == said


@pytest.mark.parametrize(
    ("soft", "hard", "said"),
    [
        (256, 2000, "64 480 2000"),
        (256, 256, "26 256 256"),
        (90, 90, "1 90 90"),
    ],
)
def test_as_many_files_are_at_work_as_there_are_descriptors_for(
    soft: int, hard: int, said: str
) -> None:
    assert asked("running_allowed", soft, hard, 64) == said


def test_with_enough_descriptors_there_may_be_as_many_connections_as_are_wanted() -> None:
    assert fitting(NEED, NEED.descriptors(1000)) == 1000
    assert fitting(NEED, NEED.descriptors(1000) - 1) == 999


@pytest.mark.parametrize("have", [128, 256, 512, 1024])
def test_what_the_allowed_connections_do_never_takes_more_than_there_are(have: int) -> None:
    allowed = fitting(NEED, have)
    assert NEED.descriptors(allowed) <= have < NEED.descriptors(allowed + 1)


def test_a_server_with_next_to_no_descriptors_still_takes_one_connection() -> None:
    assert fitting(NEED, 10) == 1
