"""The GPU actor with a fake engine under it, and callers around it."""

from functools import partial

import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.gpu import open_gpu
from asr.actors.gpu_actor import run_gpu
from asr.actors.metrics import Metrics
from asr.actors.supervisor import Restarts, supervise
from asr.actors.turns import Priority
from asr.pipeline.engine import ModelFolder
from asr.pipeline.errors import AsrError
from asr.pipeline.types import Decoding, Window
from tests.actors.fake_engine import Script
from tests.actors.fakes import BASE, ENGLISH, name, windows
from tests.fakes import FakeThread


class Room:
    """The actor under supervision, and what each of its callers heard at last."""

    def __init__(self, script: Script, thread: FakeThread) -> None:
        self.script = script
        self.metrics = Metrics()
        self.heard: dict[str, str] = {}
        self._thread = thread

    async def open(self, nursery: trio.Nursery) -> None:
        self.gpu, intake = open_gpu()
        self.start = partial(
            run_gpu, intake, self.script.engine, self._thread, self.gpu.board, self.metrics
        )
        await nursery.start(partial(supervise, "gpu", self.start, restarts=Restarts(pause_s=1)))

    async def decode(
        self,
        who: str,
        count: int,
        model: ModelFolder = BASE,
        decoding: Decoding = ENGLISH,
        priority: Priority = Priority.INTERACTIVE,
    ) -> None:
        """Ask for so many windows; how that ended is put down when it has."""
        await self.decode_all(who, windows(who, count), model, decoding, priority)

    async def decode_all(
        self,
        who: str,
        asked: tuple[Window, ...],
        model: ModelFolder = BASE,
        decoding: Decoding = ENGLISH,
        priority: Priority = Priority.INTERACTIVE,
    ) -> None:
        try:
            answers = await self.gpu.decode(model, asked, decoding, priority=priority)
            self.heard[who] = " ".join(name(answer.window) for answer in answers)
        except AsrError as error:
            self.heard[who] = type(error).__name__

    async def detect(self, who: str, model: ModelFolder = BASE) -> None:
        await self.detect_in(who, windows(who, 1)[0], model)

    async def detect_in(self, who: str, window: Window, model: ModelFolder = BASE) -> None:
        try:
            self.heard[who] = (await self.gpu.detect(model, window)).language
        except AsrError as error:
            self.heard[who] = type(error).__name__

    def number(self, name: str) -> float:
        """A number from the operator's dashboard, 0 if it has not been told yet."""
        lines = self.metrics.render()[0].decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), 0)


async def at_work(nursery: trio.Nursery, room: Room, *asked: tuple[str, int]) -> None:
    """Have callers ask, one after the other, of a thread that is held."""
    for who, count in asked:
        nursery.start_soon(room.decode, who, count)
        await wait_all_tasks_blocked()
