from pathlib import Path

import pytest

from bench.killed import campaign

VICTIMS = 4


@pytest.mark.timeout(60)
def test_who_kills_the_process_at_any_moment_breaks_no_promise(tmp_path: Path) -> None:
    promises = campaign(tmp_path / "jobs", VICTIMS, seed=3)
    assert promises.broken == []
    assert promises.kept
    assert promises.heard
