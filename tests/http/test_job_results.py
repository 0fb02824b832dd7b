"""A job's transcript in any format, and what is answered where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from asr.http.answers import AT_ONCE_MAX
from asr.http.fields import Fields
from asr.http.job_results import Writer
from asr.http.jobs import RESULTS_MAX
from asr.http.reference.examples import transcript
from asr.pipeline.cues import AS_SEGMENTS
from asr.pipeline.errors import UnreadableAudio
from asr.pipeline.types import Token
from tests.http.fakes import HELLO
from tests.http.wire import made

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol
    from quart.wrappers import Response

    from tests.http.promises import Promises
    from tests.http.registers import FakeRegister


async def asked(
    desk: TestClientProtocol, register: FakeRegister, query: str = "", **fields: str
) -> Response:
    """The result of a job that is done."""
    register.answer = transcript() if register.answer is HELLO else register.answer
    job_id = await made(desk, **fields)
    register.end(job_id, "done")
    return await desk.get(f"/v1/jobs/{job_id}/result?{query}")


@pytest.mark.parametrize(
    ("query", "content_type", "start"),
    [
        ("", "application/json", '{"text":"Hello there. General Kenobi.","language":"en"'),
        ("format=txt", "text/plain", "[SPEAKER_00] Hello there.\n[SPEAKER_01] Gen"),
        ("format=txt&speakers=false", "text/plain", "Hello there.\nGeneral Kenobi."),
        ("format=srt", "text/plain", "1\n00:00:00,000 --> 00:00:01,500\n[SPEAKER_00] Hello"),
        ("format=srt&max_words_per_line=1", "text/plain", "1\n00:00:00,000 --> 00:00:00,600\n["),
        ("format=vtt", "text/vtt", "WEBVTT\n\n00:00:00.000 --> "),
        ("format=tsv", "text/plain", "start\tend\ttext\n0\t1500\t"),
        ("format=verbose_json", "application/json", '{"task":"transcribe","language":"english"'),
        ("format=diarized_json", "application/json", '{"task":"transcribe","duration":3.5'),
    ],
)
async def test_the_result_has_the_wanted_format(
    desk: TestClientProtocol,
    register: FakeRegister,
    promises: Promises,
    query: str,
    content_type: str,
    start: str,
) -> None:
    answer = await asked(desk, register, query)
    assert (answer.status_code, answer.mimetype) == (200, content_type)
    assert (await answer.get_data(as_text=True)).startswith(start)
    await promises.check_answer("GET", "/v1/jobs/x/result", answer)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("", {"words", "segments"}),
        ("&timestamp_granularities[]=word", {"words"}),
        ("&timestamp_granularities[]=segment", {"segments"}),
    ],
)
async def test_verbose_json_has_the_times_that_are_wanted(
    desk: TestClientProtocol, register: FakeRegister, query: str, keys: set[str]
) -> None:
    answer = await asked(desk, register, f"format=verbose_json{query}")
    assert {"words", "segments"} & set(await answer.get_json()) == keys


@pytest.mark.parametrize(
    ("format", "query", "name", "formats"),
    [
        ("json", "max_line_width=42", "max_line_width", "srt and vtt"),
        ("srt", "return_speaker_embeddings=true", "return_speaker_embeddings", "json"),
        ("json", "timestamp_granularities[]=word", "timestamp_granularities", "verbose_json"),
    ],
)
async def test_what_changes_nothing_is_told(
    desk: TestClientProtocol,
    register: FakeRegister,
    promises: Promises,
    format: str,
    query: str,
    name: str,
    formats: str,
) -> None:
    answer = await asked(desk, register, f"format={format}&{query}&fromat=vtt")
    await promises.check_answer("GET", "/v1/jobs/x/result", answer)
    told = (
        json.loads(answer.headers["Asr-Warnings"])
        if format == "srt"
        else (await answer.get_json())["warnings"]
    )
    assert [line for line in told if line not in transcript().warnings] == [
        "the parameter 'fromat' is not known here",
        f"{name} only shows in {formats}",
    ]


async def test_segments_of_diarized_json_have_one_speaker_each(
    desk: TestClientProtocol, register: FakeRegister
) -> None:
    one, other = transcript().segments
    both = replace(one, text=one.text + other.text, words=one.words + other.words, end_s=3.5)
    register.answer = replace(transcript(), segments=(both,))
    answer = await asked(desk, register, "format=diarized_json")
    segments = (await answer.get_json())["segments"]
    assert [(part["speaker"], part["text"]) for part in segments] == [
        ("A", " Hello there."),
        ("B", " General Kenobi."),
    ]
    whole = await asked(desk, register, "format=srt")
    assert (await whole.get_data(as_text=True)).count("-->") == 1


async def test_voices_are_shown_to_who_asked_for_them_first_or_last(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    first = await asked(desk, register, return_speaker_embeddings="true")
    last = await asked(desk, register, "return_speaker_embeddings=true")
    for answer in (first, last):
        assert set((await answer.get_json())["speaker_embeddings"]) == {"SPEAKER_00", "SPEAKER_01"}
        await promises.check_answer("GET", "/v1/jobs/x/result", answer)
    assert "speaker_embeddings" not in await (await asked(desk, register)).get_json()


async def test_log_probabilities_are_there_if_they_were_kept(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    said = tuple(replace(one, said=(Token(b" a", -0.5),)) for one in transcript().segments)
    register.answer = replace(transcript(), segments=said)
    answer = await asked(desk, register)
    assert len((await answer.get_json())["logprobs"]) == 2
    await promises.check_answer("GET", "/v1/jobs/x/result", answer)


@pytest.mark.parametrize(
    "query",
    ["format=doc", "speakers=maybe", "max_line_width=0", "timestamp_granularities[]=letter"],
)
async def test_a_format_that_cannot_be_is_refused_whatever_becomes_of_the_job(
    desk: TestClientProtocol, query: str
) -> None:
    answer = await desk.get(f"/v1/jobs/{await made(desk)}/result?{query}")
    assert answer.status_code == 400
    assert (await answer.get_json())["error"]["param"] == query.partition("=")[0].rstrip("[]")


async def test_a_job_that_is_not_done_has_no_result(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    job_id = await made(desk)
    for state in ("queued", "running", "cancelled"):
        answer = await desk.get(f"/v1/jobs/{job_id}/result")
        error = (await answer.get_json())["error"]
        assert (answer.status_code, error["code"]) == (409, "job_not_done")
        assert state in error["message"]
        await promises.check_answer("GET", "/v1/jobs/x/result", answer)
        if state == "queued":
            register.begin(job_id)
        else:
            register.end(job_id, "cancelled")


async def test_a_job_that_failed_answers_with_its_own_error(
    desk: TestClientProtocol, register: FakeRegister
) -> None:
    job_id = await made(desk)
    register.end(job_id, "failed", UnreadableAudio("there is no audio in it"))
    answer = await desk.get(f"/v1/jobs/{job_id}/result")
    error = (await answer.get_json())["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_audio", "file")


async def test_hours_of_audio_are_written_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[Any] = []
    real = trio.to_thread.run_sync

    async def noted(work: Any, **more: Any) -> Any:
        threads.append(work)
        return await real(work, **more)

    monkeypatch.setattr(trio.to_thread, "run_sync", noted)
    line = HELLO.segments[0]
    for count, expected in ((AT_ONCE_MAX, 0), (AT_ONCE_MAX + 1, 1)):
        long = replace(HELLO, segments=(line,) * count)
        await Writer(AS_SEGMENTS).answer(long, Fields({}), embeddings=False)
        assert len(threads) == expected


async def test_few_transcripts_are_in_memory_at_once(
    desk: TestClientProtocol, register: FakeRegister
) -> None:
    job_id = await made(desk)
    register.end(job_id, "done")
    register.hold()
    answers: list[int] = []

    async def ask() -> None:
        answers.append((await desk.get(f"/v1/jobs/{job_id}/result")).status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(RESULTS_MAX + 2):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert (register.reading, answers) == (RESULTS_MAX, [])
        register.release()
    assert answers == [200] * (RESULTS_MAX + 2)
