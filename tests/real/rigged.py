"""The program with an engine and networks that a test can get into trouble: see ``rig.py``.

    python -m tests.real.rigged FOLDER real|fake [COMMAND...]

Everything else is as people run it. ``fake`` has an engine that says "word" of each window at once
and networks to match, where not they are the subject: it is ready in two seconds.
"""

import sys
from functools import partial
from pathlib import Path

import asr.building
import asr.run
from asr.actors.tools import Tools
from asr.pipeline.speakers import Diarization
from tests.actors.fake_engine import FakeEngine, Script
from tests.actors.fake_tools import FakeAligner, FakeDiarizer
from tests.actors.fakes import FakeFinder, said
from tests.real.rig import Rig
from tests.real.watched import watch

NOBODY = Diarization((), (), {}, "fake")


def main() -> int:
    folder, kind, *command = sys.argv[1:]
    rig = Rig(Path(folder))
    if kind == "real":
        watch(rig.around, engine=asr.building.load_engine, tools=asr.building.tools)
    else:
        watch(rig.around, engine=fake_engine, tools=fake_tools)
    return asr.run.main(command or ["serve"])


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
