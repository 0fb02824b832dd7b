from pathlib import Path

import pytest

from bench import killed

VICTIMS = 4


@pytest.mark.timeout(180)
def test_who_kills_the_process_at_any_moment_breaks_no_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killed, "FINISH_S", 120.0)
    promises = killed.campaign(tmp_path / "jobs", VICTIMS, seed=3)
    assert promises.broken == []
    assert promises.kept
    assert promises.heard
