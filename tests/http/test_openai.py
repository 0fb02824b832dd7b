"""OpenAI's audio endpoints, as its SDKs and their imitators read them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from asr.http.app import create_app
from asr.pipeline.types import KnownSpeaker, Options, Token
from tests.http.fakes import HELLO, Asked, as_house, segment
from tests.http.wire import AUDIO, FORM_TYPE, form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse

HEADERS = {"Content-Type": FORM_TYPE}
PATH = "/v1/audio/transcriptions"

# Who is to blame where it is not the field itself.
PARAMS = {"include[]": "include", "known_speaker_names": "known_speaker_references"}


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
        ("response_format", "pdf"),
        ("temperature", "1.5"),
        ("temperature", "nan"),
        ("language", "klingon"),
        ("stream", "perhaps"),
        ("include[]", "everything"),
        ("chunking_strategy", "manual"),
        ("known_speaker_names", "Ada"),
        ("num_speakers", "0"),
        ("max_line_width", "wide"),
        ("max_cue_seconds", "0"),
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
    assert (error["type"], error["param"]) == ("invalid_request_error", PARAMS.get(field, field))


async def test_diarized_json_asks_for_speakers(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    body = form({"response_format": "diarized_json", "num_speakers": "2"})
    answer = await (await client.post(PATH, data=body, headers=HEADERS)).get_json()
    assert house.asked[0].options == Options("base", diarize=True, num_speakers=2, resegment=True)
    assert {segment["speaker"] for segment in answer["segments"]} == {"A"}


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        ("verbose_json", '"text":" general.","speaker":"SPEAKER_01"'),
        ("text", "[SPEAKER_01] general."),
        ("srt", "[SPEAKER_01] general."),
        ("vtt", "[SPEAKER_01] general."),
        ("json", '"warnings":["diarize only shows in '),
    ],
)
async def test_speakers_are_told_in_other_formats_if_they_are_asked_for(
    client: TestClientProtocol, house: FakeHouse, format: str, shown: str
) -> None:
    named = (replace(s, speaker=f"SPEAKER_0{at}") for at, s in enumerate(HELLO.segments))
    house.answer = replace(HELLO, segments=tuple(named))
    body = form({"response_format": format, "diarize": "true", "max_speakers": "2"})
    answer = await client.post(PATH, data=body, headers=HEADERS)
    assert shown in await answer.get_data(as_text=True)
    assert house.asked[0].options == Options("base", diarize=format != "json", max_speakers=2)


async def test_diarized_json_has_speakers_whatever_else_is_said(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    body = form({"response_format": "diarized_json", "diarize": "false"})
    answer = await (await client.post(PATH, data=body, headers=HEADERS)).get_json()
    assert house.asked[0].options.diarize
    assert answer["warnings"] == [
        "diarize=false changed nothing: diarized_json tells speakers apart"
    ]


async def test_known_voices_are_listened_for_where_speakers_are_told_apart(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    clip = "data:audio/wav;base64,UklGRg=="
    voice = {"known_speaker_names[]": "Ada", "known_speaker_references[]": clip}
    for format in ("json", "diarized_json"):
        body = form({"response_format": format, **voice})
        await client.post(PATH, data=body, headers=HEADERS)
    assert [asked.options.known_speakers for asked in house.asked] == [
        (),
        (KnownSpeaker("Ada", b"RIFF"),),
    ]


async def test_json_has_the_probabilities_of_tokens_if_they_are_asked_for(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    spoken = replace(HELLO.segments[0], said=(Token(b" Hello", -0.5),))
    house.answer = replace(HELLO, segments=(spoken,))
    body = form({"include[]": "logprobs"})
    answer = await (await client.post(PATH, data=body, headers=HEADERS)).get_json()
    assert [token["token"] for token in answer["logprobs"]] == [" Hello"]
    assert house.asked[0].options.logprobs


async def test_words_are_made_for_subtitles_whose_lines_are_broken(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    for fields in (
        {"response_format": "srt"},
        {"response_format": "srt", "max_cue_seconds": "7"},
        {"response_format": "json", "max_cue_seconds": "7"},
        {"response_format": "srt", "max_cue_seconds": "7", "stream": "1"},
    ):
        await client.post(PATH, data=form(fields), headers=HEADERS)
    assert [asked.options.words for asked in house.asked] == [False, True, False, False]


async def test_lines_are_as_wide_as_asked_for(client: TestClientProtocol) -> None:
    body = form({"response_format": "srt", "max_line_width": "8", "max_line_count": "1"})
    answer = await client.post(PATH, data=body, headers=HEADERS)
    lines = (await answer.get_data(as_text=True)).splitlines()
    assert max(len(line) for line in lines if "-->" not in line) <= 8
    assert "were estimated" in answer.headers["Asr-Warnings"]


async def test_an_operator_may_have_readable_subtitles_for_all(
    house: FakeHouse, settings: HttpSettings
) -> None:
    long = replace(HELLO, segments=(segment(0, 10, " word" * 40),))
    house.answer = long
    client = create_app(as_house(house), replace(settings, readable_subtitles=True)).test_client()
    body = form({"response_format": "srt"})
    answer = await client.post(PATH, data=body, headers=HEADERS)
    assert max(map(len, (await answer.get_data(as_text=True)).splitlines())) <= 42


@pytest.mark.parametrize("kind", ["transcriptions", "translations"])
async def test_azures_path_names_the_model(
    client: TestClientProtocol, house: FakeHouse, kind: str
) -> None:
    path = f"/openai/deployments/org/name/audio/{kind}?api-version=2024-06-01"
    answers = [
        await client.post(path, data=form({"model": name}), headers=HEADERS)
        for name in ("", "org/name", "whisper-1")
    ]
    assert [(await answer.get_json()).get("warnings") for answer in answers] == [
        *(None, None, ["model changed nothing: the address names one"]),
    ]
    assert [asked.options.model for asked in house.asked] == ["org/name"] * 3
    wrong = await client.post(path.replace("org/name", "none-such"), data=form(), headers=HEADERS)
    assert (await wrong.get_json())["error"]["code"] == "model_not_found"


async def test_what_was_skipped_is_said_where_there_is_room(client: TestClientProtocol) -> None:
    remark = "the parameter 'best_of' is not known here"
    as_json = await client.post(PATH, data=form({"best_of": "5"}), headers=HEADERS)
    body = form({"best_of": "5", "response_format": "text"})
    as_text = await client.post(PATH, data=body, headers=HEADERS)
    assert (await as_json.get_json())["warnings"] == [remark]
    assert json.loads(as_text.headers["Asr-Warnings"]) == [remark]


async def test_many_warnings_do_not_make_a_header_that_proxies_refuse(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.answer = replace(HELLO, warnings=("x" * 1000, "\u00e9\n" * 500, "y" * 3000))
    answer = await client.post(PATH, data=form({"response_format": "text"}), headers=HEADERS)
    assert json.loads(answer.headers["Asr-Warnings"]) == ["x" * 1000, "and more"]


async def test_the_models_and_their_usual_names_are_listed(client: TestClientProtocol) -> None:
    answer = await (await client.get("/v1/models")).get_json()
    assert answer["object"] == "list"
    names = {model["id"] for model in answer["data"]}
    assert {"whisper-1", "gpt-4o-transcribe", "base", "org/name"} <= names


async def test_a_model_has_a_card_even_with_a_slash_in_its_name(
    client: TestClientProtocol,
) -> None:
    answer = await client.get("/v1/models/org/name")
    assert (await answer.get_json())["id"] == "org/name"


async def test_an_unknown_model_has_no_card(client: TestClientProtocol) -> None:
    answer = await client.get("/v1/models/none-such")
    assert answer.status_code == 404
    assert (await answer.get_json())["error"]["code"] == "model_not_found"
