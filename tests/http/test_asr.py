"""Two dialects on one path: the names of the parameters choose, and each answers in its way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from asr.http.app import create_app
from asr.pipeline.types import Options
from tests.http.fakes import HELLO, Asked, as_house
from tests.http.wire import AUDIO, FORM_TYPE, asr_form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse

HEADERS = {"Content-Type": FORM_TYPE, "Accept": "application/json"}
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

SRT = """1
00:00:00,000 --> 00:00:01,500
Hello there,

2
00:00:01,500 --> 00:00:03,500
general.

"""


@pytest.mark.parametrize(
    ("query", "content_type", "file_name"),
    [
        ("output=txt", TEXT, "talk.mp3.txt"),
        ("output=text", TEXT, "talk.mp3.txt"),
        ("output=srt", TEXT, "talk.mp3.srt"),
        ("output=tsv", TEXT, "talk.mp3.tsv"),
        ("output=json", JSON, "talk.mp3.json"),
        ("encode=true", TEXT, "talk.mp3.txt"),
        ("vad_filter=true", TEXT, "talk.mp3.txt"),
        ("video_file=film.mkv", TEXT, "talk.mp3.txt"),
        ("output_format=srt", JSON, None),
        ("output_format=srt&output=srt", JSON, None),
        ("language=en", JSON, None),
        ("output=", JSON, None),  # an empty value was not given
        ("", JSON, None),
    ],
)
async def test_the_names_of_the_parameters_choose_the_dialect(
    client: TestClientProtocol, query: str, content_type: str, file_name: str | None
) -> None:
    answer = await client.post(f"/asr?{query}", data=asr_form(), headers=HEADERS)
    named = f'attachment; filename="{file_name}"' if file_name else None
    engine = "whispermlx" if file_name else None
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers.get("Content-Disposition") == named
    assert answer.headers.get("Asr-Engine") == engine


async def test_a_classic_client_gets_the_file_itself(client: TestClientProtocol) -> None:
    answer = await client.post("/asr?output=srt", data=asr_form(), headers=HEADERS)
    assert await answer.get_data(as_text=True) == SRT


@pytest.mark.parametrize(
    ("asked", "name"),
    [("srt", "srt"), ("text", "text"), ("txt", "text"), ("vtt", "vtt"), ("tsv", "tsv")],
)
async def test_a_wrapped_client_gets_an_object(
    client: TestClientProtocol, asked: str, name: str
) -> None:
    body = asr_form({"output_format": asked})
    answer = await client.post("/asr", data=body, headers=HEADERS)
    assert list(await answer.get_json()) == [name]


async def test_the_text_of_json_is_a_string_or_the_list_of_segments(
    client: TestClientProtocol,
) -> None:
    classic = await client.post("/asr?output=json", data=asr_form(), headers=HEADERS)
    wrapped = await client.post("/asr", data=asr_form(), headers=HEADERS)
    one, other = await classic.get_json(), await wrapped.get_json()
    assert one["text"] == "Hello there, general."
    assert other["text"] == one["segments"]
    assert {**one, "text": other["text"]} == other


@pytest.mark.parametrize(
    ("fields", "options", "raw"),
    [
        ({"output": "txt"}, Options(), False),
        ({"output": "txt", "encode": "false"}, Options(), True),
        ({"output": "txt", "task": "translate"}, Options(task="translate"), False),
        ({"output": "txt", "language": "de-DE"}, Options(language="de"), False),
        ({"output": "txt", "language": "Auto"}, Options(), False),
        ({"output": "txt", "initial_prompt": "Ada"}, Options(prompt="Ada"), False),
        ({"output": "json", "word_timestamps": "True"}, Options(words=True), False),
        ({"output": "srt", "word_timestamps": "True"}, Options(), False),  # it shows none
        ({"output": "srt", "highlight_words": "True"}, Options(words=True), False),
        ({"output": "json", "audio_track": "2"}, Options(audio_track=2), False),
        (
            {"output": "json", "return_speaker_embeddings": "1"},
            Options(diarize=True, embeddings=True),  # voices are those of speakers
            False,
        ),
        (
            {"output": "json", "return_speaker_embeddings": "1", "diarize": "0"},
            Options(embeddings=True),
            False,
        ),
        ({"output": "srt", "return_speaker_embeddings": "1"}, Options(), False),  # it shows none
        ({"output": "tsv", "diarize": "1"}, Options(), False),  # nor does this
        ({"output_format": "tsv"}, Options(diarize=True), False),
        ({"output": "txt", "enable_diarization": "1"}, Options(diarize=True), False),
        ({"hotwords": "Ada, Bob"}, Options(hotwords="Ada, Bob", words=True, diarize=True), False),
        ({"diarize": "false", "word_timestamps": "no"}, Options(), False),
        (
            {"diarize": "false", "enable_diarization": "true", "word_timestamps": "off"},
            Options(diarize=True),
            False,
        ),
        (
            {"num_speakers": "2", "min_speakers": "1", "max_speakers": "3"},
            Options(words=True, diarize=True, num_speakers=2, min_speakers=1, max_speakers=3),
            False,
        ),
        ({"model": "org/name", "output": "txt"}, Options(model="org/name"), False),
    ],
)
async def test_the_house_hears_what_the_form_says(
    client: TestClientProtocol,
    house: FakeHouse,
    fields: dict[str, str],
    options: Options,
    raw: bool,
) -> None:
    await client.post("/asr", data=asr_form(fields), headers=HEADERS)
    wanted = replace(options, model=options.model or "base")
    assert house.asked == [Asked(AUDIO, wanted, raw)]


async def test_nobody_is_promised_speakers_that_cannot_be_told_apart(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.diarizes = False
    await client.post("/asr", data=asr_form(), headers=HEADERS)
    await client.post("/asr?diarize=true", data=asr_form(), headers=HEADERS)
    assert [asked.options.diarize for asked in house.asked] == [False, True]


async def test_the_query_wins_over_the_form(client: TestClientProtocol, house: FakeHouse) -> None:
    body = asr_form({"language": "de", "output": "srt", "initial_prompt": "from the form"})
    await client.post("/asr?language=fr&initial_prompt=", data=body, headers=HEADERS)
    assert house.asked[0].options == Options("base", "fr", prompt="from the form")


@pytest.mark.parametrize(
    "query",
    [
        "task=sing",
        "language=klingon",
        "output=pdf",
        "output_format=pdf",
        "model=distil-none",
        "diarize=perhaps",
        "encode=perhaps",
        "num_speakers=0",
        "num_speakers=two",
        "min_speakers=-1",
        "num_speakers=101",
        "max_speakers=1e9",
        "min_speakers=3&max_speakers=2",
    ],
)
async def test_a_bad_value_is_refused_by_its_name(client: TestClientProtocol, query: str) -> None:
    answer = await client.post(f"/asr?{query}", data=asr_form(), headers=HEADERS)
    assert answer.status_code == 400
    assert query.partition("=")[0] in (await answer.get_json())["detail"]


@pytest.mark.parametrize(("forced", "content_type"), [("classic", TEXT), ("wrapped", JSON)])
@pytest.mark.parametrize("query", ["output=srt", "output_format=srt"])
async def test_the_operator_may_force_a_dialect(
    house: FakeHouse, settings: HttpSettings, forced: Any, content_type: str, query: str
) -> None:
    client = create_app(as_house(house), replace(settings, asr_dialect=forced)).test_client()
    answer = await client.post(f"/asr?{query}", data=asr_form(), headers=HEADERS)
    assert answer.headers["Content-Type"] == content_type
    assert "-->" in await answer.get_data(as_text=True)


async def test_speakers_are_shown_where_they_were_asked_for(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    segments = tuple(replace(segment, speaker="SPEAKER_00") for segment in HELLO.segments)
    house.answer = replace(HELLO, segments=segments)
    asked = await client.post("/asr?output=txt&diarize=1", data=asr_form(), headers=HEADERS)
    unasked = await client.post("/asr?output=txt", data=asr_form(), headers=HEADERS)
    assert "[SPEAKER_00]" in await asked.get_data(as_text=True)
    assert "[SPEAKER_00]" not in await unasked.get_data(as_text=True)


async def test_of_an_endless_file_name_the_beginning_is_said_back(
    client: TestClientProtocol,
) -> None:
    body = asr_form(name="ä" * 1000)
    answer = await client.post("/asr?output=txt", data=body, headers=HEADERS)
    name = "%C3%A4" * 100
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.txt"'


async def test_a_file_name_cannot_write_headers(client: TestClientProtocol) -> None:
    body = asr_form(name='a"; x=\r\nSet-Cookie: y/../é')
    answer = await client.post("/asr?output=txt", data=body, headers=HEADERS)
    named = answer.headers["Content-Disposition"]
    assert named.startswith('attachment; filename="a%')
    assert not set(named[22:-1]) & set('";/ \r\n')


async def test_a_transcript_says_what_was_skipped(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.answer = replace(HELLO, warnings=("no speakers: there is no diarizer",))
    answer = await client.post("/asr", data=asr_form(), headers=HEADERS)
    assert (await answer.get_json())["warnings"] == ["no speakers: there is no diarizer"]


async def test_a_table_without_room_for_speakers_says_so(client: TestClientProtocol) -> None:
    answer = await client.post("/asr?output=tsv&diarize=1", data=asr_form(), headers=HEADERS)
    assert "no place for them" in answer.headers["Asr-Warnings"]


async def test_embeddings_have_a_place_once_they_are_asked_for(client: TestClientProtocol) -> None:
    asked = await client.post(
        "/asr?return_speaker_embeddings=true", data=asr_form(), headers=HEADERS
    )
    unasked = await client.post("/asr", data=asr_form(), headers=HEADERS)
    assert (await asked.get_json())["speaker_embeddings"] == {}
    assert "speaker_embeddings" not in await unasked.get_json()


@pytest.mark.parametrize("query", ["output=txt", "output_format=srt"])
async def test_what_was_skipped_is_in_a_header_where_the_body_has_no_place(
    client: TestClientProtocol, query: str
) -> None:
    answer = await client.post(f"/asr?{query}&beam_size=5", data=asr_form(), headers=HEADERS)
    assert "beam_size" in answer.headers["Asr-Warnings"]


@pytest.mark.parametrize("query", ["output=srt", "output_format=srt"])
async def test_subtitles_are_laid_out_in_either_dialect(
    client: TestClientProtocol, query: str
) -> None:
    path = f"/asr?{query}&max_words_per_line=1&max_line_width=9&max_line_count=1"
    answer = await client.post(path, data=asr_form(), headers=HEADERS)
    body = await answer.get_data(as_text=True)
    assert body.count("-->") == 3
