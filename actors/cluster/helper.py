"""Who helps others with their long files: does shares, which are jobs of a queue of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from asr.actors.cluster.packing import load_share, pack_answers, unpack_samples
from asr.actors.trail import Trail, begin
from asr.pipeline.engine import ModelFolder
from asr.pipeline.errors import AsrError

if TYPE_CHECKING:
    from asr.actors.gpu import Gpu
    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.queue import Run
    from asr.actors.librarian import Librarian
    from asr.actors.receiver import Receiver
    from asr.actors.request import Heard


@dataclass(frozen=True, slots=True)
class ShareRunner:
    """The handler of shares: see ``Handler`` of ``queue.py``."""

    gpu: Gpu
    librarian: Librarian
    blobs: Blobs
    receiver: Receiver

    async def __call__(self, run: Run, /) -> bytes:
        """What is heard in the windows of a share."""
        try:
            share = load_share(run.job.work)
        except ValueError:
            raise AsrError("The share was made by another version of this server") from None
        if run.tries > 1:
            raise AsrError("Another worker crashed over these windows, or was silent for too long")
        with begin(Trail(share.request)), self.receiver.scratch(".pcm") as samples:
            windows = share.of(samples)
            async with self.blobs.open(run.job.id) as packed:
                await trio.to_thread.run_sync(unpack_samples, packed, windows)
            folder = ModelFolder(share.model, await self.librarian.fetch(share.model))
            answers: list[Heard] = []
            await self.gpu.decode(
                folder, windows, share.decoding, priority=run.job.priority, heard=answers.append
            )
        return await trio.to_thread.run_sync(pack_answers, answers)
