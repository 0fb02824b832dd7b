"""The whole house on real weights, in this process."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from asr.actors.fetcher import Fetcher, UrlSettings
from asr.actors.house import House, Machine, open_house
from asr.actors.metrics import Metrics
from asr.actors.settings import HouseSettings
from asr.pipeline.engine import EngineSettings
from asr.pipeline.speakers import SpeakerSettings
from asr.pipeline.whisper import WhisperEngine

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from asr.actors.tools import Tools
    from asr.pipeline.models import ModelStore


def open_real_house(
    store: ModelStore, *, tools: Tools, spool: Path
) -> AbstractAsyncContextManager[House]:
    """In float32 on the CPU."""
    return open_house(
        HouseSettings(),
        engine=partial(WhisperEngine, EngineSettings(compute_type="float32")),
        tools=tools,
        models=store,
        metrics=Metrics(),
        machine=Machine("cpu", "float32"),
        spool=spool,
        fetcher=Fetcher(UrlSettings()),
        speakers=SpeakerSettings(),
    )
