"""One request's way past real actors with fakes in them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import trio

from asr.actors.aligner import Aligner
from asr.actors.detector import detect_language
from asr.actors.diarizer import Diarizer
from asr.actors.fetcher import Fetcher, UrlSettings
from asr.actors.listener import Listener
from asr.actors.receiver import Limits, run_receiver
from asr.actors.stages.cache import Cache
from asr.actors.supervisor import Startable, supervise
from asr.actors.tools import Employer
from asr.actors.transcriber import Stations, transcribe
from asr.actors.turns import Priority
from asr.actors.watch import Watcher
from asr.pipeline.audio import Wanted
from asr.pipeline.speakers import SpeakerSettings
from asr.pipeline.types import Detected, Options, Progress, Transcript
from tests.actors.fake_tools import FakeAligner, FakeDiarizer
from tests.actors.fakes import FakeDecoder, FakeFinder
from tests.actors.room import Room
from tests.fakes import FakeThread, Gate

if TYPE_CHECKING:
    from asr.actors.librarian import Librarian

ENGLISH = Options(language="en")

LIMITS = Limits(upload_bytes_max=1000, all_bytes_max=1000, free_min_bytes=1000)


class FakeLibrarian(Gate):
    """Has every model, in a folder of its name; hold() keeps all who ask until release()."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.faults: list[Exception] = []

    async def fetch(self, name: str) -> Path:
        self.asked.append(name)
        await self._free.wait()
        if self.faults:
            raise self.faults.pop(0)
        return Path(name)


async def start(
    nursery: trio.Nursery,
    name: str,
    run: Startable,
    *,
    refuse: Callable[[], None],
    vital: bool,
) -> None:
    """An actor that is started again after a crash, vital or not."""
    await nursery.start(partial(supervise, name, run))


class Walk:
    """A request for a transcript, or for a language."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.room = room
        self.script = room.script
        self.decoder = FakeDecoder()
        self.finder = FakeFinder()
        self.diarizer, self.diarizer_thread = FakeDiarizer(), FakeThread()
        self.aligner, self.aligner_thread = FakeAligner(), FakeThread()
        self.letters = FakeLibrarian()
        self.aligns = True
        self.speakers = SpeakerSettings()
        self.cache = Cache()
        self.free_bytes = [1_000_000]  # each time that somebody looks; the last one stays
        self.progress: list[Progress] = []
        self._spool = folder / "spool"
        self._source = folder / "speech.mp3"

    async def open(self, nursery: trio.Nursery, thread: FakeThread) -> None:
        employ = Employer(partial(start, nursery), mail_max=1).employ
        receive = partial(run_receiver, in_thread=thread, free_bytes=self._free_bytes)
        self._stations = Stations(
            read=self.decoder,
            fetcher=Fetcher(UrlSettings()),
            receiver=await nursery.start(receive, self._spool, LIMITS),
            listener=await employ("listener", Listener, lambda: self.finder, thread),
            librarian=cast("Librarian", FakeLibrarian()),
            letters=cast("Librarian", self.letters),
            gpu=self.room.gpu,
            metrics=self.room.metrics,
            speakers=self.speakers,
            diarizer=await employ(
                "diarizer", Diarizer, lambda: self.diarizer, self.diarizer_thread
            ),
            aligner=await employ("aligner", Aligner, lambda: self.aligner, self.aligner_thread),
        )

    async def transcribe(
        self,
        options: Options = ENGLISH,
        *,
        raw: bool = False,
        watcher: Watcher | None = None,
        live: bool = False,
        priority: Priority = Priority.INTERACTIVE,
        job: str = "",
    ) -> Transcript:
        self._source.write_bytes(bytes(250_000))
        stations = replace(self._stations, speakers=self.speakers, cache=self.cache)
        return await transcribe(
            self._source,
            options,
            model="base",
            raw=raw,
            stations=stations if self.aligns else replace(stations, aligner=None),
            notify=watcher.hear if watcher else self.progress.append,
            watcher=watcher,
            live=live,
            priority=priority,
            job=job,
        )

    async def detect(self) -> Detected:
        self._source.write_bytes(bytes(250_000))
        return await detect_language(
            self._source, model="base", wanted=Wanted(), stations=self._stations
        )

    def _free_bytes(self, _spool: Path) -> int:
        return self.free_bytes.pop(0) if len(self.free_bytes) > 1 else self.free_bytes[0]

    def looks(self) -> list[tuple[float, float]]:
        """The windows that the model saw, in order."""
        return [(row.window.start_s, row.window.end_s) for row in self.script.admitted]

    def scratch_files(self) -> list[Path]:
        return list(self._spool.glob("*/*"))
