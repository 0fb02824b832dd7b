"""Events come while the audio is still being decoded, and say what went wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import trio

from asr.http.streams import Deltas
from asr.pipeline.errors import Busy, EngineRestarted, UnreadableAudio
from asr.pipeline.types import Progress, Token, Transcript
from tests.http.events import HEADERS, PATH, events, named, stream
from tests.http.fakes import HELLO, segment
from tests.http.wire import form, post, until

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server

BEGUN = Progress(0.0, 3.5)
FIRST = Progress(1.5, 3.5, HELLO.segments[:1])
SECOND = Progress(3.5, 3.5, HELLO.segments[1:])


@pytest.mark.parametrize("format", ["json", "text", "srt", "vtt", "verbose_json"])
async def test_a_stream_ends_with_the_whole(
    client: TestClientProtocol, house: FakeHouse, format: str
) -> None:
    house.news = (BEGUN, FIRST, SECOND)
    body = await stream(client, response_format=format)
    assert "id:" not in body
    *deltas, (last, done) = events(body)
    assert deltas == [
        ("transcript.text.delta", {"type": "transcript.text.delta", "delta": "Hello there,"}),
        ("transcript.text.delta", {"type": "transcript.text.delta", "delta": " general."}),
    ]
    assert (last, done["type"]) == ("transcript.text.done", "transcript.text.done")
    assert done["text"] == "Hello there, general."
    assert [segment["id"] for segment in done["segments"]] == [0, 1]
    assert done["usage"] == {"type": "duration", "seconds": 4}
    assert ("warnings" in done) == (format in ("srt", "vtt"))  # no event is a subtitle


async def test_text_never_ends_a_line_of_the_stream(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    text = " a\x85b\u2028c\u2029d\r\n\x0b\x0c\x1c\x1d\x1ee é"
    house.answer = replace(HELLO, segments=(segment(0.0, 1.5, text),))
    body = await stream(client)
    assert body.splitlines() == body.removesuffix("\n").split("\n")
    assert events(body)[-1][1]["text"] == text.strip()


async def test_what_was_skipped_stands_in_the_last_event(client: TestClientProtocol) -> None:
    (*_, (_, done)) = events(await stream(client, best_of="5", max_line_width="42"))
    assert done["warnings"] == [
        "the parameter 'best_of' is not known here",
        "max_line_width only shows in srt and vtt",
    ]


async def test_tokens_have_their_probabilities_if_they_are_asked_for(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    spoken = replace(HELLO.segments[0], said=(Token(b" Hello", -0.5), Token(b"\xc3", -1.0)))
    house.news = (BEGUN, Progress(3.5, 3.5, (spoken,)))
    house.answer = replace(HELLO, segments=(spoken,))
    (_, delta), (_, done) = events(await stream(client, **{"include[]": "logprobs"}))
    assert house.asked[0].options.logprobs
    assert delta["logprobs"] == done["logprobs"]
    assert delta["logprobs"][0] == {
        "token": " Hello",
        "logprob": -0.5,
        "bytes": [32, 72, 101, 108, 108, 111],
    }


async def test_speakers_are_told_at_the_end_if_they_are_asked_for(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.answer = replace(
        HELLO, segments=tuple(replace(s, speaker="SPEAKER_00") for s in HELLO.segments)
    )
    house.news = (BEGUN, FIRST, SECOND)
    asked: tuple[dict[str, str], ...] = ({"response_format": "diarized_json"}, {"diarize": "1"})
    for fields in asked:
        told = events(await stream(client, **fields))
        assert [name.rpartition(".")[2] for name, _ in told] == [
            *("delta", "delta", "segment", "segment", "done"),
        ]
        *_, (_, one), (_, other), (_, done) = told
        assert [one["id"], other["id"]] == ["seg_001", "seg_002"]
        assert [data["speaker"] for data in (one, other, *done["segments"])] == ["A"] * 4
    assert [asked.options.diarize and asked.options.resegment for asked in house.asked] == [
        True
    ] * 2


@pytest.mark.parametrize(
    "texts", [(), (" one",), (" one", " "), ("\u2028line\n", " two "), (" ", " one", " two")]
)
def test_the_deltas_of_any_transcript_make_its_text(texts: tuple[str, ...]) -> None:
    segments = tuple(segment(i, i + 1, text) for i, text in enumerate(texts))
    deltas = Deltas(logprobs=False)
    blocks = filter(None, map(deltas.of, segments))
    joined = "".join(named(block.removesuffix("\n\n"))[1]["delta"] for block in blocks)
    assert joined == Transcript("en", "transcribe", 9, segments).text


async def test_deltas_come_while_the_audio_is_still_being_decoded(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.news = (BEGUN, FIRST)
    house.hold()
    async with client.request(PATH, method="POST", headers=HEADERS) as connection:
        await connection.send(form({"stream": "true"}))
        await connection.send_complete()
        with trio.fail_after(5):
            comment, delta = await connection.receive(), await connection.receive()
        assert house.running == 1
        assert comment.startswith(b": ")
        assert b"Hello there," in delta
        house.release()
        with trio.fail_after(5):
            assert b"transcript.text.done" in await connection.receive()


async def test_comments_come_while_nothing_else_does(
    client: TestClientProtocol, house: FakeHouse, autojump_clock: trio.testing.MockClock
) -> None:
    house.hold()  # it waits for its turn: nothing at all is told
    async with client.request(PATH, method="POST", headers=HEADERS) as connection:
        await connection.send(form({"stream": "true"}))
        await connection.send_complete()
        began_s = trio.current_time()
        said = [await connection.receive() for _ in range(4)]
        assert trio.current_time() - began_s == pytest.approx(5 + 3 * 5, abs=0.1)
        assert all(block.startswith(b": ") for block in said)
        house.release()
        assert b"transcript.text.done" in await connection.receive()


async def test_comments_come_while_what_happens_is_nothing_to_tell(
    client: TestClientProtocol, house: FakeHouse, autojump_clock: trio.testing.MockClock
) -> None:
    """Speakers are told apart for minutes after the last word."""
    house.news = (BEGUN,) * 9
    house.pause_s = 2.0
    async with client.request(PATH, method="POST", headers=HEADERS) as connection:
        await connection.send(form({"stream": "true"}))
        await connection.send_complete()
        said = []
        while b"done" not in (block := await connection.receive()):
            said.append(trio.current_time())
            assert block.startswith(b": ")
    assert [after - before for before, after in pairwise(said)] == pytest.approx([5.0] * 3)


@pytest.mark.parametrize(
    ("error", "status"),
    [(Busy("full", retry_after_s=3), 503), (UnreadableAudio("junk"), 400), (ValueError("x"), 500)],
)
async def test_what_fails_before_the_audio_was_read_has_a_status_of_its_own(
    client: TestClientProtocol, house: FakeHouse, error: Exception, status: int
) -> None:
    house.answer = error
    answer = await client.post(PATH, data=form({"stream": "true"}), headers=HEADERS)
    assert answer.status_code == status
    assert set(await answer.get_json()) == {"error"}


@pytest.mark.parametrize(
    ("error", "code"),
    [(EngineRestarted(), "engine_restarted"), (ValueError("x"), "internal_error")],
)
async def test_what_fails_later_is_an_event(
    client: TestClientProtocol, house: FakeHouse, error: Exception, code: str
) -> None:
    house.news = (BEGUN, FIRST)
    house.answer = error
    house.hold()
    async with client.request(PATH, method="POST", headers=HEADERS) as connection:
        await connection.send(form({"stream": "true"}))
        await connection.send_complete()
        await connection.receive()
        house.release()
        await connection.receive()
        last = (await connection.receive()).decode()
    name, data = named(last.removesuffix("\n\n"))
    assert (name, data["error"]["code"], data["error"]["type"]) == ("error", code, "server_error")
    assert set(data) == {"error"}


async def test_a_client_that_leaves_a_stream_leaves_nothing(
    server: Server, house: FakeHouse
) -> None:
    house.news = (BEGUN, FIRST)
    house.hold()
    async with await server.connect() as connection:
        await connection.send_all(post(PATH, form({"stream": "true"})))
        await until(lambda: house.running == 1)
        assert b"200" in await connection.receive_some()
    await until(lambda: house.running == 0)
    assert list(house.receiver.folder.iterdir()) == []
    assert await server.healthy()


@pytest.mark.parametrize("error", [None, Busy("full", retry_after_s=3)])
async def test_a_stream_that_has_ended_leaves_no_file(
    client: TestClientProtocol, house: FakeHouse, error: Exception | None
) -> None:
    house.answer = error or HELLO
    await client.post(PATH, data=form({"stream": "true"}), headers=HEADERS)
    assert house.receiver.uploads == 1
    assert list(house.receiver.folder.iterdir()) == []
