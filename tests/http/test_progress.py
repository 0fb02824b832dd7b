"""Who asks for progress sees where the request stands; who does not, what was always seen."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.watch import RequestStanding
from asr.http.progress import Steps
from asr.pipeline.errors import Busy
from asr.pipeline.formats import verbose_json
from asr.pipeline.types import Progress, Word
from asr.pipeline.waveform import Waveform
from tests.http.events import HEADERS, PATH, events, named, stream
from tests.http.fakes import HELLO
from tests.http.wire import form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.http.fakes import FakeHouse

WHOLE = verbose_json(HELLO)
SHOWN = ("text", "language", "language_code", "usage", "segments")
DONE = {"type": "transcript.text.done"} | {key: WHOLE[key] for key in SHOWN}

NEWS = (
    Progress(0.0, 3.5),
    Progress(1.5, 3.5, HELLO.segments[:1]),
    Progress(3.5, 3.5, HELLO.segments[1:]),
)
STANDINGS = (
    RequestStanding("queued", 2, left_s=12.34),
    RequestStanding("reading"),
    RequestStanding("transcribing", None, 0.0, 3.5),
    Waveform(3.5, (0, 127)),
)


async def test_who_asks_for_progress_sees_where_the_request_stands(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.standings = STANDINGS
    house.news = NEWS
    told = events(await stream(client, progress="true"))
    assert [name.removeprefix("transcript.") for name, _ in told] == [
        *(["progress"] * 3),
        *("waveform", "text.delta", "text.delta", "text.done"),
    ]
    kind = {"type": "transcript.progress"}
    assert [data for _, data in told[:4]] == [
        {**kind, "state": "queued", "place": 2, "done_s": 0, "audio_s": None, "left_s": 12.3},
        {**kind, "state": "reading", "place": None, "done_s": 0, "audio_s": None, "left_s": None},
        {**kind, "state": "transcribing"}
        | {"place": None, "done_s": 0, "audio_s": 3.5, "left_s": None},
        {"type": "transcript.waveform", "duration": 3.5, "peaks": [0, 127]},
    ]


async def test_who_does_not_gets_the_stream_that_it_always_got(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.standings = STANDINGS
    house.news = NEWS
    assert await stream(client) == (
        ": transcribing\n\n"
        'event: transcript.text.delta\ndata: {"type": "transcript.text.delta", '
        '"delta": "Hello there,"}\n\n'
        'event: transcript.text.delta\ndata: {"type": "transcript.text.delta", '
        '"delta": " general."}\n\n'
        f"event: transcript.text.done\ndata: {json.dumps(DONE)}\n\n"
        "data: [DONE]\n\n"
    )


async def test_with_progress_the_answer_begins_before_anything_is_known(
    client: TestClientProtocol, house: FakeHouse, autojump_clock: trio.testing.MockClock
) -> None:
    house.answer = Busy("full", retry_after_s=3)
    house.hold()
    async with client.request(PATH, method="POST", headers=HEADERS) as connection:
        await connection.send(form({"stream": "true", "progress": "true"}))
        await connection.send_complete()
        with trio.fail_after(1):
            assert (await connection.receive()).startswith(b": ")
        house.release()
        name, data = named((await connection.receive()).decode().removesuffix("\n\n"))
    assert (name, data["error"]["code"]) == ("error", "busy")


async def test_progress_without_a_stream_is_told_to_have_changed_nothing(
    client: TestClientProtocol,
) -> None:
    answer = await client.post(PATH, data=form({"progress": "true"}), headers=HEADERS)
    assert (await answer.get_json())["warnings"] == ["progress only shows in events"]


async def test_words_are_in_the_last_event_if_they_are_asked_for(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    words = (Word(" Hello", 0.0, 0.7, 0.9, "SPEAKER_01"), Word(" there,", 0.8, 1.5, 0.9))
    first = replace(HELLO.segments[0], speaker="SPEAKER_01", words=words)
    house.answer = replace(HELLO, segments=(first, *HELLO.segments[1:]))
    asked = {"timestamp_granularities[]": "word", "diarize": "true"}
    *_, (_, done) = events(await stream(client, **asked))
    assert (house.asked[0].options.words, house.asked[0].options.diarize) == (True, True)
    assert done["words"] == [
        {"word": "Hello", "start": 0.0, "end": 0.7, "speaker": "A"},
        {"word": "there,", "start": 0.8, "end": 1.5},
    ]
    assert [segment["speaker"] for segment in done["segments"]] == ["A", "B"]
    assert "warnings" not in done


async def test_words_cost_nobody_anything_who_does_not_ask_for_them(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    *_, (_, done) = events(await stream(client, **{"timestamp_granularities[]": "segment"}))
    assert not house.asked[0].options.words
    assert "words" not in done


def at_work(done_s: float) -> RequestStanding:
    return RequestStanding("transcribing", None, done_s, 60.0)


def test_states_and_places_are_told_at_once_and_what_is_done_twice_a_second() -> None:
    steps = Steps()
    for place in (3, 2):
        steps.add(RequestStanding("queued", place))
    assert steps.take(0.0) == [RequestStanding("queued", 2)]
    steps.add(RequestStanding("queued", 1))
    steps.add(RequestStanding("reading"))
    steps.add(at_work(0.0))
    assert steps.take(0.1) == [
        RequestStanding("queued", 1),
        RequestStanding("reading"),
        at_work(0.0),
    ]
    steps.add(at_work(1.0))
    steps.add(at_work(2.0))
    assert steps.take(0.3) == []
    assert steps.held_s(0.3) == pytest.approx(0.3)
    assert steps.take(0.6) == [at_work(2.0)]
    steps.add(at_work(3.0))
    assert steps.take(0.7, ended=True) == [at_work(3.0)]
    assert steps.held_s(0.7) == inf


async def test_what_is_held_back_comes_when_its_time_has_come(
    client: TestClientProtocol, house: FakeHouse, autojump_clock: trio.testing.MockClock
) -> None:
    house.standings = (at_work(1.0), Waveform(60.0, ()), at_work(2.0))
    house.hold()
    async with client.request(PATH, method="POST", headers=HEADERS) as connection:
        await connection.send(form({"stream": "true", "progress": "true"}))
        await connection.send_complete()
        began_s = trio.current_time()
        blocks = [await connection.receive() for _ in range(4)]
        assert trio.current_time() - began_s == pytest.approx(0.5, abs=0.1)
        assert [json.loads(b.split(b"data: ")[1]).get("done_s") for b in blocks[1:]] == [1, None, 2]
        assert (await connection.receive()).startswith(b": still")
        assert trio.current_time() - began_s == pytest.approx(5.5, abs=0.1)
        house.release()
