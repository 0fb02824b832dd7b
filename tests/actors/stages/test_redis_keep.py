from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from asr.actors.jobs.queue import QueueUnavailable
from asr.actors.jobs.redis.client import connect
from asr.actors.jobs.redis.library import Library
from asr.actors.stages import redis_keep
from asr.actors.stages.redis_keep import VALUE_BYTES_MAX, RedisKeep, open_redis_keep
from tests.redis_server import needs_redis, running

pytestmark = needs_redis

ENTRY = 400 + 700  # what one of the test's entries takes
ROOM = 2 * ENTRY + 500


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("keep")
    with running(folder):
        yield f"unix://{folder / 's'}"


@pytest.fixture
async def keep(url: str) -> AsyncIterator[RedisKeep]:
    name = token_hex(8)
    async with connect(url) as client, open_redis_keep(client, bytes_max=ROOM, name=name) as keep:
        yield keep


@pytest.fixture
async def large(url: str) -> AsyncIterator[RedisKeep]:
    name = token_hex(8)
    async with connect(url) as client, open_redis_keep(client, bytes_max=10**6, name=name) as keep:
        yield keep


async def kept(keep: RedisKeep, *keys: str) -> list[str]:
    await keep.flush()
    return sorted(await keep.get(keys))


async def test_what_was_put_is_there_whether_it_has_been_sent_or_not(keep: RedisKeep) -> None:
    keep.put("a", b"\x00one")
    assert await keep.get(["a", "b"]) == {"a": b"\x00one"}
    await keep.flush()
    assert await keep.get(["a", "b"]) == {"a": b"\x00one"}


async def test_more_are_asked_for_than_fit_into_a_question(large: RedisKeep) -> None:
    keys = [str(number) for number in range(200)]
    for key in keys:
        large.put(key, key.encode())
    await large.flush()
    assert await large.get(keys) == {key: key.encode() for key in keys}


async def test_those_that_were_not_used_for_the_longest_make_room(keep: RedisKeep) -> None:
    for key in ("a", "b", "c"):
        keep.put(key, b"x" * 400)
        if key == "b":
            assert await kept(keep, "a") == ["a"]
    assert await kept(keep, "a", "b", "c") == ["a", "c"]


async def test_what_belongs_to_a_job_stays_until_that_is_over(keep: RedisKeep) -> None:
    for key in ("a", "b", "c"):
        keep.put(key, b"x" * 400, job="j")
    keep.put("d", b"x" * 400)
    assert await kept(keep, "a", "b", "c", "d") == ["a", "b", "c"]
    await keep.get(["a"], job="k")
    await keep.release("j")
    assert await kept(keep, "a") == ["a"]
    assert len(await kept(keep, "a", "b", "c")) == 2


async def test_a_jobs_entries_are_dropped_but_those_of_another(keep: RedisKeep) -> None:
    keep.put("a", b"x", job="j")
    keep.put("b", b"x", job="j")
    await keep.flush()
    await keep.get(["b"], job="k")
    await keep.drop_job("j")
    assert await kept(keep, "a", "b") == ["b"]
    await keep.drop_job("k")
    assert await kept(keep, "a", "b") == []


async def test_what_a_job_had_is_dropped_after_its_end_as_well(keep: RedisKeep) -> None:
    keep.put("a", b"x", job="j")
    keep.put("b", b"x", job="j")
    await keep.flush()
    await keep.release("j")
    await keep.get(["b"], job="k")
    await keep.drop_job("j")
    assert await kept(keep, "a", "b") == ["b"]


async def test_what_is_over_for_good_leaves_nothing_but_its_entries(url: str) -> None:
    async with connect(url) as client, open_redis_keep(client, bytes_max=ROOM, name="g") as keep:
        keep.put("a", b"x", job="j")
        await keep.release("j", for_good=True)
        assert await kept(keep, "a") == ["a"]
        keys = [key async for key in client.scan_iter("asr:{g}:*")]
        assert sorted(key.decode().partition("}:")[2] for key in keys) == [
            *("bytes", "entry:a", "loose", "sizes")
        ]


async def test_that_a_job_is_over_is_said_however_long_it_takes(
    keep: RedisKeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    real = Library.call

    async def call(library: Library, function: str, *arguments: str | bytes | float) -> object:
        said.append(function)
        if said.count("keep_release") in {1, 2} and function == "keep_release":
            raise QueueUnavailable
        return await real(library, function, *arguments)

    monkeypatch.setattr(redis_keep, "AGAIN_S", 0.0)
    monkeypatch.setattr(Library, "call", call)
    keep.put("a", b"x", job="j")
    keep.put("b", b"x")
    await keep.release("j")
    assert said == ["keep_put", "keep_put", *["keep_release"] * 3]


async def test_what_is_put_again_takes_the_place_of_what_was_there(keep: RedisKeep) -> None:
    keep.put("a", b"damaged")
    await keep.flush()
    keep.put("a", b"whole")
    await keep.flush()
    assert await keep.get(["a"]) == {"a": b"whole"}


async def test_without_room_only_what_has_a_job_is_kept(url: str) -> None:
    async with connect(url) as client, open_redis_keep(client, bytes_max=0) as keep:
        assert (keep.wants(""), keep.wants("j")) == (False, True)
        keep.put("a", b"x")
        keep.put("b", b"x", job="j")
        assert await kept(keep, "a", "b") == ["b"]
        await keep.release("j")
        assert await kept(keep, "a", "b") == []
        assert not await client.exists(["asr:{keep}:sizes", "asr:{keep}:of:j"])


async def test_what_is_large_is_left_out(keep: RedisKeep) -> None:
    keep.put("a", bytes(VALUE_BYTES_MAX + 1))
    assert await kept(keep, "a") == []


async def test_a_server_that_is_away_keeps_nothing_and_holds_nobody_up(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as server:
        async with (
            connect(f"unix://{tmp_path / 's'}") as client,
            open_redis_keep(client, bytes_max=ROOM) as keep,
        ):
            keep.put("a", b"x")
            await keep.flush()
            server.kill()
            server.wait()
            assert await keep.get(["a"]) == {}
            keep.put("b", b"x")
            assert await keep.get(["b"]) == {"b": b"x"}
            await keep.release("j")
