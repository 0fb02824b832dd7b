"""A decoder that misbehaves, in front of the real one on PATH: who hears what, and what is left."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.ffmpeg import find_ffmpeg
from tests.real import process
from tests.real.faulty import Caller, caller
from tests.real.rig import Rig, serving_fake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are not told"),
]

DEADLINE_S = 10
BOUNDS = {"ASR_REQUEST_DEADLINE_S": str(DEADLINE_S), "ASR_AUDIO_MAX_S": "60"}

# What each does when it is to decode; what it is asked about the file it tells truly.
MISBEHAVIOURS = {
    "hangs": 'trap "" INT TERM HUP; while :; do sleep 1000; done',
    "floods": 'trap "" INT TERM HUP; while :; do echo "Error while decoding" >&2; done',
    "writes garbage": 'cat /dev/zero > "${target#file:}"; exit 1',
    "forks": "sleep 1000 & sleep 1000 & exit 1",
    "forks and decodes": 'sleep 1000 & exec {ffmpeg} "$@"',
    "dies": "kill -SEGV $$",
    "says nothing": "exit 0",
    "lies": 'printf x > "${target#file:}"; exit 0',
}
SCRIPT = """#!/bin/sh
for target; do :; done
case "$target" in *.pcm) ;; *) exec {ffmpeg} "$@" ;; esac
misbehaviour=$(cat "{folder}/misbehaviour" 2> /dev/null)
rm -f "{folder}/misbehaviour"
case "$misbehaviour" in
{cases}
esac
exec {ffmpeg} "$@"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has the script called ffmpeg, and what it is to do next."""
    folder = tmp_path_factory.mktemp("bin")
    ffmpeg = find_ffmpeg()
    told = {name: does.replace("{ffmpeg}", ffmpeg) for name, does in MISBEHAVIOURS.items()}
    cases = "\n".join(f'"{name}") {does} ;;' for name, does in told.items())
    script = folder / "ffmpeg"
    script.write_text(SCRIPT.format(ffmpeg=ffmpeg, folder=folder, cases=cases))
    script.chmod(stat.S_IRWXU)
    return folder


@pytest.fixture(scope="module")
def server(
    environment: dict[str, str],
    log: Path,
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[process.Server]:
    path = f"{folder}{os.pathsep}{environment['PATH']}"
    settings = {"PATH": path, "MARK": str(folder)} | BOUNDS
    with serving_fake(environment, log, Rig(tmp_path_factory.mktemp("rig")), **settings) as server:
        yield server


@pytest.fixture
async def asking(server: process.Server) -> AsyncIterator[Caller]:
    async with caller(server) as asking:
        yield asking


def left_over(server: process.Server, folder: Path) -> list[int]:
    """What the server started and what that started, whoever its parent is by now."""
    found: list[int] = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has just ended
            if f"MARK={folder}".encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
    return [number for number in found if number != server.process.pid]


@pytest.mark.parametrize(
    ("misbehaviour", "status", "reason"),
    [
        ("hangs", 504, "not done within"),
        ("floods", 504, "not done within"),
        ("writes garbage", 400, "failed to decode audio"),
        ("forks", 400, "failed to decode audio"),
        ("forks and decodes", 200, ""),
        ("dies", 400, "failed to decode audio"),
        ("says nothing", 400, "failed to decode audio"),
        ("lies", 400, "failed to decode audio"),
    ],
)
async def test_it_costs_its_own_request_and_leaves_nothing(
    asking: Caller,
    server: process.Server,
    folder: Path,
    misbehaviour: str,
    status: int,
    reason: str,
) -> None:
    (folder / "misbehaviour").write_text(misbehaviour)
    beside: list[int] = []

    async def ask_others() -> None:
        async def taken() -> bool:
            return not (folder / "misbehaviour").exists()

        await process.until(taken)
        beside.extend(answer.status_code for answer in await asking.ask_beside(3))
        assert (await asking.health())[0] == 200

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_others)
        answer = await asking.ask()
    assert answer.status_code == status
    assert reason in answer.text
    assert beside == [200] * 3

    async def nothing_left() -> bool:
        return server.scratch() == [] and left_over(server, folder) == []

    await process.until(nothing_left)
