"""What programs do with the SDK on a server that is open to everybody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai

from tests.clients.sdk.case import SECONDS, WORDS, raised

if TYPE_CHECKING:
    from tests.clients.sdk.case import Case


def json_has_text_and_usage(case: Case) -> None:
    answer = case.create()
    assert WORDS in answer.text.lower(), answer
    assert answer.usage.to_dict() == {"type": "duration", "seconds": SECONDS}, answer


def json_takes_granularities_and_options(case: Case) -> None:
    answer = case.create(
        response_format="json",
        timestamp_granularities=["word", "segment"],
        language="en",
        prompt="A speech.",
        temperature=0.2,
        extra_body={"hotwords": "country"},
    )
    assert "country" in answer.text.lower(), answer


def text_srt_and_vtt_are_strings(case: Case) -> None:
    begins = {"text": "and so", "srt": "1\n00:00:0", "vtt": "webvtt\n\n00:00:0"}
    for response_format, begin in begins.items():
        answer = case.create(response_format=response_format)
        assert isinstance(answer, str)
        assert answer.lower().startswith(begin), answer
        assert "fellow americans" in answer.lower(), answer


def verbose_json_has_segments(case: Case) -> None:
    answer = case.create(response_format="verbose_json", timestamp_granularities=["segment"])
    assert (answer.language, float(answer.duration)) == ("english", SECONDS), answer
    assert answer.words is None, answer
    assert "".join(segment.text for segment in answer.segments).strip() == answer.text, answer
    for at, segment in enumerate(answer.segments):
        assert segment.id == at
        assert 0 <= segment.start < segment.end <= SECONDS, segment
        assert segment.avg_logprob < 0 <= segment.no_speech_prob <= 1, segment
        assert segment.compression_ratio > 0, segment
        assert all(isinstance(token, int) for token in segment.tokens), segment


def verbose_json_has_words_alone(case: Case) -> None:
    answer = case.create(response_format="verbose_json", timestamp_granularities=["word"])
    assert WORDS in " ".join(word.word.strip(" ,.") for word in answer.words).lower(), answer
    assert "segments" not in answer.to_dict(), answer


def verbose_json_has_both(case: Case) -> None:
    answer = case.create(
        response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    times = [time for word in answer.words for time in (word.start, word.end)]
    assert times == sorted(times), times
    assert answer.segments, answer


def diarized_json_names_its_speakers(case: Case) -> None:
    answer = case.create(
        model="gpt-4o-transcribe-diarize", response_format="diarized_json", chunking_strategy="auto"
    ).to_dict()
    assert answer["task"] == "transcribe", answer
    assert answer["duration"] == SECONDS, answer
    assert answer["segments"], answer
    for segment in answer["segments"]:
        assert segment["type"] == "transcript.text.segment", segment
        assert isinstance(segment["id"], str), segment
        assert isinstance(segment["speaker"], str), segment


def translations_are_english(case: Case) -> None:
    answer = case.client.audio.translations.create(
        model="base", file=case.file, response_format="verbose_json"
    )
    assert WORDS in answer.text.lower(), answer
    assert (answer.language, answer.task) == ("english", "translate"), answer


def a_stream_tells_the_text_in_deltas(case: Case) -> None:
    check_events(list(case.create(stream=True)))


def a_stream_is_read_asynchronously_too(case: Case) -> None:
    async def events() -> list[Any]:
        client: Any = openai.AsyncOpenAI(**case.settings)
        stream = await client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=case.file, stream=True, response_format="text"
        )
        return [event async for event in stream]

    check_events(asyncio.run(events()))


def check_events(events: list[Any]) -> None:
    *begun, done = events
    assert done.type == "transcript.text.done", events
    assert {event.type for event in begun} == {"transcript.text.delta"}, events
    assert "".join(event.delta for event in begun) == done.text, events
    assert WORDS in done.text.lower(), events


def a_streams_tokens_have_probabilities(case: Case) -> None:
    *begun, done = case.create(model="gpt-4o-transcribe", stream=True, include=["logprobs"])
    check_logprobs(done.text, done.logprobs)
    check_logprobs(done.text, [each for event in begun for each in event.logprobs or ()])


def tokens_have_probabilities(case: Case) -> None:
    answer = case.create(model="gpt-4o-transcribe", include=["logprobs"])
    check_logprobs(answer.text, answer.logprobs)


def check_logprobs(text: str, logprobs: Any) -> None:
    assert all(each.logprob <= 0 for each in logprobs), logprobs
    # Outside of streams the SDK makes floats of the bytes.
    spelled = bytes(int(byte) for each in logprobs for byte in each.bytes).decode()
    assert spelled.strip() == text, (spelled, text)


def it_works_asynchronously_too(case: Case) -> None:
    async def ask() -> Any:
        client: Any = openai.AsyncOpenAI(**case.settings)
        return await client.audio.transcriptions.create(model="whisper-1", file=case.file)

    assert WORDS in asyncio.run(ask()).text.lower()


def a_file_may_be_a_handle_or_bytes(case: Case) -> None:
    content = case.file.read_bytes()
    with case.file.open("rb") as handle:
        for file in (handle, ("a.mp3", content, "audio/mpeg")):
            assert WORDS in case.create(file=file).text.lower()


def models_are_listed_and_shown(case: Case) -> None:
    names = [model.id for model in case.client.models.list()]
    assert {"whisper-1", "gpt-4o-transcribe", "base", "tiny.en"} <= set(names), names
    model = case.client.models.retrieve("whisper-1")
    assert (model.id, model.object) == ("whisper-1", "model"), model
    assert isinstance(model.created, int), model


def a_model_that_is_not_there_is_not_found(case: Case) -> None:
    error = raised(openai.NotFoundError, case.client.models.retrieve, model="none/such")
    assert error.code == "model_not_found", error.body


def an_unknown_model_is_a_bad_request(case: Case) -> None:
    error = raised(openai.BadRequestError, case.create, model="none-such")
    assert (error.code, error.param) == ("model_not_found", "model"), error.body
    assert error.type == "invalid_request_error", error.body


def what_is_refused_names_the_parameter(case: Case) -> None:
    wrong: dict[str, Any] = {"temperature": 7, "language": "klingon", "response_format": "docx"}
    for param, value in wrong.items():
        error = raised(openai.BadRequestError, case.create, **{param: value})
        assert error.param == param, error.body


def junk_is_a_bad_request(case: Case) -> None:
    error = raised(openai.BadRequestError, case.create, file=("a.mp3", b"no sound" * 99))
    assert "failed to decode audio" in error.message.lower(), error.body


def streamed_requests_are_refused_the_same_way(case: Case) -> None:
    error = raised(openai.BadRequestError, case.create, model="none-such", stream=True)
    assert error.code == "model_not_found", error.body


OPEN = (
    json_has_text_and_usage,
    json_takes_granularities_and_options,
    text_srt_and_vtt_are_strings,
    verbose_json_has_segments,
    verbose_json_has_words_alone,
    verbose_json_has_both,
    diarized_json_names_its_speakers,
    translations_are_english,
    a_stream_tells_the_text_in_deltas,
    a_stream_is_read_asynchronously_too,
    a_streams_tokens_have_probabilities,
    tokens_have_probabilities,
    it_works_asynchronously_too,
    a_file_may_be_a_handle_or_bytes,
    models_are_listed_and_shown,
    a_model_that_is_not_there_is_not_found,
    an_unknown_model_is_a_bad_request,
    what_is_refused_names_the_parameter,
    junk_is_a_bad_request,
    streamed_requests_are_refused_the_same_way,
)
