"""With real threads: so no mock clock here."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.librarian import FETCHES_MAX, Librarian, run_librarian
from asr.pipeline.errors import ModelUnavailable


class Shelf:
    """Brings models into a folder; hold() keeps all errands under way until release()."""

    def __init__(self, folder: Path) -> None:
        self.brought: list[str] = []
        self.broken = False
        self.most_at_once = 0
        self._folder = folder
        self.at_once = 0
        self._free = threading.Event()
        self._free.set()

    def hold(self) -> None:
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    def find(self, name: str) -> Path | None:
        return (self._folder / name) if (self._folder / name).exists() else None

    def fetch(self, name: str) -> Path:
        self.brought.append(name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self._free.wait(10)
        self.at_once -= 1
        if self.broken:
            raise ModelUnavailable(f"The model {name!r} cannot be had at the moment")
        (self._folder / name).mkdir(exist_ok=True)
        return self._folder / name


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.release()


@pytest.fixture
async def librarian(nursery: trio.Nursery, shelf: Shelf) -> Librarian:
    librarian: Librarian = await nursery.start(partial(run_librarian, shelf.find, shelf.fetch))
    return librarian


class Askers:
    """Callers who ask for a model, and what each of them heard."""

    def __init__(self, librarian: Librarian) -> None:
        self.heard: list[str] = []
        self._librarian = librarian

    async def ask(self, name: str) -> None:
        try:
            self.heard.append((await self._librarian.fetch(name)).name)
        except ModelUnavailable as error:
            self.heard.append(error.message)


async def under_way(shelf: Shelf, errands: int) -> None:
    """Return once so many errands have reached their threads."""
    while shelf.at_once < errands:
        await trio.lowlevel.checkpoint()


async def test_callers_at_the_same_time_share_one_errand(
    librarian: Librarian, shelf: Shelf
) -> None:
    askers = Askers(librarian)
    shelf.hold()
    async with trio.open_nursery() as callers:
        for _ in range(3):
            callers.start_soon(askers.ask, "base")
        await wait_all_tasks_blocked()
        (fetching,) = librarian.stats()
        assert (fetching.name, fetching.waiting) == ("base", 3)
        shelf.release()
    assert (askers.heard, shelf.brought) == (["base"] * 3, ["base"])
    assert librarian.stats() == ()


async def test_a_caller_who_leaves_does_not_stop_it_for_others(
    librarian: Librarian, shelf: Shelf
) -> None:
    askers = Askers(librarian)
    shelf.hold()
    async with trio.open_nursery() as patient:
        async with trio.open_nursery() as hasty:
            hasty.start_soon(askers.ask, "base")
            await wait_all_tasks_blocked()
            patient.start_soon(askers.ask, "base")
            await wait_all_tasks_blocked()
            hasty.cancel_scope.cancel()
        (fetching,) = librarian.stats()
        assert fetching.waiting == 1
        shelf.release()
    assert (askers.heard, shelf.brought) == (["base"], ["base"])


async def test_what_is_on_the_disk_does_not_wait_for_downloads(
    librarian: Librarian, shelf: Shelf, tmp_path: Path
) -> None:
    askers = Askers(librarian)
    shelf.hold()
    (tmp_path / "base").mkdir()
    async with trio.open_nursery() as callers:
        for number in range(FETCHES_MAX + 1):
            callers.start_soon(askers.ask, f"far {number}")
        await under_way(shelf, FETCHES_MAX)
        await askers.ask("base")
        assert askers.heard == ["base"]
        shelf.release()


async def test_a_failure_reaches_all_who_wait_and_is_not_remembered(
    librarian: Librarian, shelf: Shelf
) -> None:
    askers = Askers(librarian)
    shelf.broken = True
    shelf.hold()
    async with trio.open_nursery() as callers:
        for _ in range(2):
            callers.start_soon(askers.ask, "base")
        await wait_all_tasks_blocked()
        shelf.release()
    assert askers.heard == ["The model 'base' cannot be had at the moment"] * 2
    shelf.broken = False
    assert (await librarian.fetch("base")).name == "base"
    assert shelf.brought == ["base", "base"]


async def test_a_folder_once_found_is_known_as_long_as_it_is_there(
    librarian: Librarian, shelf: Shelf
) -> None:
    folder = await librarian.fetch("base")
    shelf.hold()  # errands for other models do not hold up those that are here
    assert await librarian.fetch("base") == folder
    shelf.release()
    folder.rmdir()
    assert await librarian.fetch("base") == folder
    assert shelf.brought == ["base", "base"]


async def test_two_models_are_brought_at_a_time(librarian: Librarian, shelf: Shelf) -> None:
    askers = Askers(librarian)
    shelf.hold()
    async with trio.open_nursery() as callers:
        for name in ("tiny", "base", "small", "medium"):
            callers.start_soon(askers.ask, name)
        await wait_all_tasks_blocked()
        assert len(librarian.stats()) == 4
        await under_way(shelf, 2)
        shelf.release()
    assert sorted(askers.heard) == ["base", "medium", "small", "tiny"]
    assert shelf.most_at_once == 2


async def test_the_end_of_the_house_does_not_wait_for_a_download(shelf: Shelf) -> None:
    shelf.hold()
    async with trio.open_nursery() as house:
        librarian: Librarian = await house.start(partial(run_librarian, shelf.find, shelf.fetch))
        house.start_soon(librarian.fetch, "base")
        await under_way(shelf, 1)
        house.cancel_scope.cancel()
    assert shelf.at_once == 1  # still under way in its thread
