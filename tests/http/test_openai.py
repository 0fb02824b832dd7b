"""OpenAI's audio endpoints, as its SDKs and their imitators read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from asr.http.streams import transcript_events
from asr.pipeline.types import Options, Transcript
from tests.http.fakes import Asked, segment
from tests.http.wire import AUDIO, FORM_TYPE, form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.http.fakes import FakeHouse

HEADERS = {"Content-Type": FORM_TYPE}
PATH = "/v1/audio/transcriptions"


@pytest.mark.parametrize(
    ("fields", "content_type", "start"),
    [
        ({}, "application/json", '{"text":"Hello there, general.","usage":'),
        ({"response_format": "text"}, "text/plain; charset=utf-8", "Hello there, general."),
        ({"response_format": "srt"}, "text/plain; charset=utf-8", "1\n00:00:00,000 --> "),
        ({"response_format": "vtt"}, "text/vtt; charset=utf-8", "WEBVTT\n"),
        (
            {"response_format": "verbose_json"},
            "application/json",
            '{"task":"transcribe","language":"english","language_code":"en","duration":3.5,',
        ),
    ],
)
async def test_the_answer_has_the_wanted_format(
    client: TestClientProtocol, fields: dict[str, str], content_type: str, start: str
) -> None:
    answer = await client.post(PATH, data=form(fields), headers=HEADERS)
    assert answer.headers["Content-Type"] == content_type
    assert (await answer.get_data(as_text=True)).startswith(start)


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ([], {"segments"}),
        (["segment"], {"segments"}),
        (["word"], {"words"}),
        (["word", "segment"], {"words", "segments"}),
    ],
)
async def test_verbose_json_has_only_the_granularities_asked_for(
    client: TestClientProtocol, house: FakeHouse, asked: list[str], keys: set[str]
) -> None:
    fields: dict[str, str | list[str]] = {
        "response_format": "verbose_json",
        "timestamp_granularities[]": asked,
    }
    answer = await client.post(PATH, data=form(fields), headers=HEADERS)
    assert {"words", "segments"} & set(await answer.get_json()) == keys
    assert house.asked[0].options.words == ("word" in asked)


@pytest.mark.parametrize(
    ("path", "fields", "options"),
    [
        (PATH, {"model": "whisper-1"}, Options("base")),
        (PATH, {"model": "org/name", "language": "English"}, Options("org/name", "en")),
        (
            PATH,
            {"prompt": "Ada", "temperature": "0.4"},
            Options("base", None, "transcribe", "Ada", temperature=0.4),
        ),
        (PATH, {"temperature": "0"}, Options("base")),  # 0 is "by yourself"
        ("/v1/audio/translations", {}, Options("base", task="translate")),
        (PATH, {"timestamp_granularities": "word"}, Options("base")),  # json shows no words
    ],
)
async def test_the_house_hears_what_the_form_says(
    client: TestClientProtocol,
    house: FakeHouse,
    path: str,
    fields: dict[str, str],
    options: Options,
) -> None:
    await client.post(path, data=form(fields), headers=HEADERS)
    assert house.asked == [Asked(AUDIO, options, raw=False)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_format", "diarized_json"),
        ("response_format", "pdf"),
        ("temperature", "1.5"),
        ("temperature", "nan"),
        ("language", "klingon"),
        ("stream", "perhaps"),
        ("timestamp_granularities", "letter"),
        ("model", "none-such"),
    ],
)
async def test_a_bad_value_is_refused_by_its_name(
    client: TestClientProtocol, field: str, value: str
) -> None:
    answer = await client.post(PATH, data=form({field: value}), headers=HEADERS)
    error: dict[str, Any] = (await answer.get_json())["error"]
    assert answer.status_code == 400
    assert (error["param"], error["type"]) == (field, "invalid_request_error")


async def test_a_stream_has_deltas_that_make_the_text_and_one_end(
    client: TestClientProtocol,
) -> None:
    answer = await client.post(PATH, data=form({"stream": "true"}), headers=HEADERS)
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    *events, end, rest = (await answer.get_data(as_text=True)).split("\n\n")
    assert (end, rest) == ("data: [DONE]", "")
    heads, datas = zip(*(event.split("\n") for event in events), strict=True)
    deltas, done = [json.loads(data[6:]) for data in datas[:-1]], json.loads(datas[-1][6:])
    assert heads == ("event: transcript.text.delta",) * 2 + ("event: transcript.text.done",)
    assert "".join(delta["delta"] for delta in deltas) == done["text"] == "Hello there, general."
    assert [segment["id"] for segment in done["segments"]] == [0, 1]


@pytest.mark.parametrize(
    "texts", [(), (" one",), (" one", " "), ("\u2028line\n", " two "), (" ", " one", " two")]
)
def test_the_deltas_of_any_transcript_make_its_text(texts: tuple[str, ...]) -> None:
    segments = tuple(segment(i, i + 1, text) for i, text in enumerate(texts))
    transcript = Transcript("en", "transcribe", 9, segments)
    datas = [line[6:] for line in transcript_events(transcript).split("\n") if line[:5] == "data:"]
    *deltas, done = (json.loads(data) for data in datas[:-1])
    assert "".join(delta["delta"] for delta in deltas) == done["text"] == transcript.text


async def test_the_models_and_their_usual_names_are_listed(client: TestClientProtocol) -> None:
    answer = await (await client.get("/v1/models")).get_json()
    assert answer["object"] == "list"
    names = {model["id"] for model in answer["data"]}
    assert {"whisper-1", "gpt-4o-transcribe", "base", "org/name"} <= names
    assert answer["data"][-1] == {
        "id": "org/name",
        "object": "model",
        "created": 1663718400,
        "owned_by": "org",
    }


async def test_a_model_has_a_card_even_with_a_slash_in_its_name(
    client: TestClientProtocol,
) -> None:
    answer = await client.get("/v1/models/org/name")
    assert (await answer.get_json())["id"] == "org/name"


async def test_an_unknown_model_has_no_card(client: TestClientProtocol) -> None:
    answer = await client.get("/v1/models/none-such")
    assert answer.status_code == 404
    assert (await answer.get_json())["error"]["code"] == "model_not_found"
