"""The program with an engine and networks that a test can get into trouble: see ``rig.py``.

    python -m tests.real.rigged FOLDER real|fake

Everything else is as people run it. ``fake`` has an engine that says "word" of each window at once
and networks to match, where not they are the subject: it is ready in two seconds.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import asr.run
from asr.actors.tools import Tools
from asr.pipeline.speakers import Diarization
from tests.actors.fake_engine import FakeEngine, Script
from tests.actors.fake_tools import FakeAligner, FakeDiarizer
from tests.actors.fakes import FakeFinder, said
from tests.real.rig import Rig, Rigged

NOBODY = Diarization((), (), {}, "fake")


def main() -> int:
    folder, kind = sys.argv[1:]
    rig = Rig(Path(folder))
    make: Any = asr.run.load_engine if kind == "real" else fake_engine
    tools: Any = asr.run.tools if kind == "real" else fake_tools
    setattr(asr.run, "load_engine", partial(rigged, rig, "engine", make))  # noqa: B010 - as a test
    setattr(asr.run, "tools", partial(rigged_tools, rig, tools))  # noqa: B010
    return asr.run.main(["serve"])


def rigged(rig: Rig, who: str, make: Any, *arguments: Any) -> Any:
    """What is made, behind the rig."""
    return Rigged(make(*arguments), who, rig)


def rigged_tools(rig: Rig, make: Any, *arguments: Any) -> Tools:
    tools: Tools = make(*arguments)
    return Tools(
        finder=partial(rigged, rig, "finder", tools.finder),
        diarizer=partial(rigged, rig, "diarizer", tools.diarizer) if tools.diarizer else None,
        aligner=partial(rigged, rig, "aligner", tools.aligner) if tools.aligner else None,
        fetch_letters=tools.fetch_letters,
    )


def fake_engine(_settings: object) -> FakeEngine:
    says = partial(said, text="word")
    return FakeEngine(Script(rows_max=8, says=says, speaks="en", reads_files=True))


def fake_tools(_settings: object, _device: str) -> Tools:
    return Tools(
        finder=partial(FakeFinder, block_s=30.0),
        diarizer=partial(FakeDiarizer, steps=3, says=NOBODY),
        aligner=FakeAligner,
    )


if __name__ == "__main__":
    sys.exit(main())
