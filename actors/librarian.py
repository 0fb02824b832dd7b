"""The librarian: brings the folders of models, each once, however many ask for it at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import trio

# Downloads at once: more only share the same line. And models at once that are looked for on the
# disk, and read to see whether they are whole: these do not wait for those.
FETCHES_MAX = 2
LOOKS_MAX = 2

T = TypeVar("T")

Find: TypeAlias = Callable[[str], Path | None]
Fetch: TypeAlias = Callable[[str], Path]
Brought: TypeAlias = Path | Exception


@dataclass(slots=True, eq=False)
class Errand:
    """One model being brought, and who waits for it."""

    began_s: float
    waiting: int = 0
    done: trio.Event = field(default_factory=trio.Event)
    outcome: Brought | None = None


@dataclass(frozen=True, slots=True)
class Fetching:
    """A model being brought: for how long already, and for how many."""

    name: str
    for_s: float
    waiting: int


class Librarian:
    """Where to ask for a model's folder. Made by ``run_librarian``."""

    def __init__(self, find: Find, fetch: Fetch, nursery: trio.Nursery) -> None:
        self._find = find
        self._fetch = fetch
        self._nursery = nursery  # the actor's: an errand outlives who asked for it
        self._looks = trio.CapacityLimiter(LOOKS_MAX)
        self._fetches = trio.CapacityLimiter(FETCHES_MAX)
        self._errands: dict[str, Errand] = {}
        self._known: dict[str, Path] = {}

    async def fetch(self, name: str) -> Path:
        """The folder of a model, brought if need be; whoever leaves leaves the errand to others.

        A failure reaches all who wait, and the next one who asks tries again.
        """
        known = self._known.get(name)
        if known is not None and known.exists():
            return known
        errand = self._errands.get(name) or self._send_for(name)
        errand.waiting += 1
        try:
            await errand.done.wait()
        finally:
            errand.waiting -= 1
        assert errand.outcome is not None
        if isinstance(errand.outcome, Exception):
            raise errand.outcome
        return errand.outcome

    def stats(self) -> tuple[Fetching, ...]:
        """The models being brought, the oldest errand first."""
        now_s = trio.current_time()
        return tuple(
            Fetching(name, now_s - errand.began_s, errand.waiting)
            for name, errand in self._errands.items()
        )

    def _send_for(self, name: str) -> Errand:
        errand = self._errands[name] = Errand(trio.current_time())
        self._nursery.start_soon(self._bring, name, errand)
        return errand

    async def _bring(self, name: str, errand: Errand) -> None:
        errand.outcome = await self._brought(name)
        if isinstance(errand.outcome, Path):
            self._known[name] = errand.outcome
        del self._errands[name]
        errand.done.set()

    async def _brought(self, name: str) -> Brought:
        try:
            if found := await _in_thread(self._find, name, self._looks):
                return found
            return await _in_thread(self._fetch, name, self._fetches)
        except Exception as error:  # handed on, not dealt with
            return error


async def _in_thread(work: Callable[[str], T], name: str, limiter: trio.CapacityLimiter) -> T:
    # Only the end of the house cancels this, and that cannot wait for a download. What is half done
    # stays half done on the disk: models are put in their place whole.
    return await trio.to_thread.run_sync(work, name, limiter=limiter, abandon_on_cancel=True)


async def run_librarian(
    find: Find,
    fetch: Fetch,
    *,
    task_status: trio.TaskStatus[Librarian] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Be there for errands until cancelled; ``started`` with the librarian's address.

    ``find`` looks at the disk only, and says None for what ``fetch`` has to bring. Both block.
    """
    async with trio.open_nursery() as errands:
        task_status.started(Librarian(find, fetch, errands))
        await trio.sleep_forever()
