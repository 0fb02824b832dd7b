"""The program from its start to its end: signals, exit codes, files, and how much memory."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from tests.real import process, sounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),  # a busy machine takes its time
    # A server that was killed in the middle of an answer leaves the client's socket to the garbage
    # collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

JFK = "what your country can do for you"


async def ask(url: str, answers: list[httpx.Response], file: Path = sounds.AUSTEN) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=100) as client:
        answers.append(await client.post("/asr?output=txt", files=process.upload(file)))


async def begun(url: str) -> None:
    """Return when the server is at a request."""
    async with process.client(url) as client:

        async def busy() -> bool:
            return await process.in_flight(client) == 1

        await process.until(busy)


@pytest.fixture(scope="module")
def compiled(environment: dict[str, str], log: Path) -> dict[str, str]:
    """The environment once a first start has compiled what it imports, and was told to stop."""
    with log.open("ab") as stderr, process.serving(environment, stderr) as server:
        server.signal(signal.SIGINT)
        assert server.exit_code() == 0
    return environment


@pytest.fixture
def server(compiled: dict[str, str], log: Path) -> Iterator[process.Server]:
    with log.open("ab") as stderr, process.serving(compiled, stderr) as server:
        yield server


async def test_it_is_soon_ready_and_at_sigterm_finishes_what_it_was_asked(
    server: process.Server, record_property: Callable[[str, object], None]
) -> None:
    assert server.model == "base"
    record_property("ready", f"{server.ready_s:.1f} s")
    assert server.ready_s < 60
    answers: list[httpx.Response] = []
    async with trio.open_nursery() as asking:
        asking.start_soon(ask, server.url, answers, sounds.JFK)
        await begun(server.url)
        server.signal(signal.SIGTERM)
    assert [answer.status_code for answer in answers] == [200]
    assert JFK in answers[0].text.lower()
    assert await trio.to_thread.run_sync(server.exit_code) == 0
    assert server.scratch() == []


async def test_a_second_sigterm_ends_it_at_once(server: process.Server) -> None:
    answers: list[httpx.Response] = []
    async with trio.open_nursery() as asking:
        asking.start_soon(ask_in_vain, server.url, answers)
        await begun(server.url)
        server.signal(signal.SIGTERM)
        await closing(server.url)
        server.signal(signal.SIGTERM)
        with trio.fail_after(20):
            assert await trio.to_thread.run_sync(server.exit_code) == 128 + signal.SIGTERM
    assert answers == []


async def ask_in_vain(url: str, answers: list[httpx.Response]) -> None:
    with pytest.raises(httpx.TransportError):
        await ask(url, answers)


async def closing(url: str) -> None:
    """Return when the server takes no new requests."""
    async with process.client(url) as client:

        async def refused() -> bool:
            return (await client.get("/v1/models")).status_code == 503

        await process.until(refused)


def test_files_become_texts_in_their_order(compiled: Mapping[str, str], tmp_path: Path) -> None:
    again = sounds.as_file(sounds.JFK, tmp_path / "again.ogg")
    files = (str(again), str(tmp_path / "missing.mp3"), str(sounds.JFK))
    own = {**compiled, "TMPDIR": str(tmp_path)}
    done = process.run(
        own, "transcribe", "--model", "tiny.en", "--format", "srt", "-o", str(tmp_path), *files
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert not (tmp_path / "mlx").exists()  # nothing is compiled where others might put programs
    assert done.stderr == f"{tmp_path / 'missing.mp3'}: there is no such file\n"
    texts = [(tmp_path / name).read_text() for name in ("again.srt", "jfk.srt")]
    assert all(text.startswith("1\n00:00:00,") and JFK in text.lower() for text in texts)
    assert not (tmp_path / "missing.srt").exists()


def test_a_model_that_cannot_be_had_is_told_by_the_exit_code(compiled: Mapping[str, str]) -> None:
    done = process.run(compiled, "transcribe", "--model", "large-v3", str(sounds.JFK))
    assert (done.returncode, done.stdout) == (69, "")
    assert "whisper-large-v3" in done.stderr
    done = process.run(compiled, "transcribe", "--model", "none-such", str(sounds.JFK))
    assert (done.returncode, done.stdout) == (2, "")
    assert "'none-such' does not exist" in done.stderr


def test_the_models_that_are_there_are_listed(compiled: Mapping[str, str]) -> None:
    done = process.run(compiled, "models")
    rows = {row.split()[0]: row.rstrip() for row in done.stdout.splitlines()}
    assert done.returncode == 0
    assert [rows[name].split()[-2:] for name in ("base", "tiny.en")] == [["on", "disk"]] * 2
    assert rows["large-v3"].endswith("fetched at first use")
