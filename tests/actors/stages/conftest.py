from collections.abc import AsyncIterator
from functools import partial

import pytest

from asr.actors.jobs.local.journal import memory_journal
from asr.actors.stages.cache import Cache, NetworkNames
from asr.actors.stages.sqlite_keep import SqliteKeep, open_sqlite_keep
from tests.actors.fake_engine import Script
from tests.actors.fakes import said
from tests.actors.walk import Walk

NETWORKS = NetworkNames("finder", "diarizer", voice_model="fake")


@pytest.fixture
def script() -> Script:
    """An engine that decodes one window after the other."""
    return Script(rows_max=1)


@pytest.fixture
async def keep() -> AsyncIterator[SqliteKeep]:
    with memory_journal() as journal:
        async with open_sqlite_keep(journal, 1_000_000) as keep:
            yield keep


@pytest.fixture
def kept_walk(walk: Walk, keep: SqliteKeep) -> Walk:
    """A walk where results are kept; what is said does not depend on where the samples lie."""
    walk.script.says = partial(said, text="word")
    walk.cache = Cache(keep, NETWORKS, "float32")
    return walk
