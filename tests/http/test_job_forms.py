"""What a job is to do comes from the fields of either dialect; what changes nothing is told."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from werkzeug.datastructures import Headers

from asr.actors.jobs.settings import JobSettings
from asr.actors.turns import Priority
from asr.http import job_parameters as of_jobs
from asr.http.fields import Fields
from asr.http.job_forms import Wish, id_for, idempotency_key, last_event, read_wish
from asr.http.reference.document import openapi
from asr.pipeline.errors import InvalidRequest, UnknownModel
from asr.pipeline.types import KnownSpeaker, Options
from tests.http.fakes import FakeModels
from tests.http.promises import Promises
from tests.http.wire import FORM_TYPE, form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

SIGNING = JobSettings(webhook_secret=SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
CLIP = "data:audio/wav;base64," + b64encode(b"RIFF").decode()


def wish(*fields: tuple[str, str], settings: JobSettings | None = None, **more: str) -> Wish:
    given = Fields.gather((), [*fields, *more.items()])
    known = FakeModels().resolve
    return read_wish(given, name="a.mp3", resolve=known, settings=settings or SIGNING)


def options(*fields: tuple[str, str], **more: str) -> Options:
    return wish(*fields, *more.items()).order.options


def remarks(*fields: tuple[str, str], **more: str) -> tuple[str, ...]:
    return wish(*fields, *more.items()).order.remarks


def test_who_says_nothing_gets_words_and_no_speakers() -> None:
    asked = wish()
    assert asked.order.options == Options(words=True)
    assert (asked.order.model, asked.order.raw, asked.order.remarks) == ("base", False, ())
    assert (asked.priority, asked.webhook) == (Priority.BATCH, None)


def test_the_words_of_both_dialects_are_understood() -> None:
    openai = options(prompt="Ada", temperature="0.5", language="de-DE", hotwords="Metal")
    assert (openai.prompt, openai.temperature) == ("Ada", 0.5)
    assert (openai.language, openai.hotwords) == ("de", "Metal")
    asr = wish(initial_prompt="Ada", task="translate", encode="false", audio_track="2")
    assert (asr.order.options.prompt, asr.order.options.task) == ("Ada", "translate")
    assert (asr.order.raw, asr.order.options.audio_track) == (True, 2)
    assert options(temperature="0").temperature is None
    assert options(word_timestamps="no").words is False
    assert options(("include", "logprobs")).logprobs


@pytest.mark.parametrize(
    ("fields", "diarize"),
    [
        ({"diarize": "true"}, True),
        ({"enable_diarization": "true"}, True),
        ({"diarize": "false", "enable_diarization": "false"}, False),
        ({"response_format": "diarized_json"}, True),
        ({"response_format": "diarized_json", "diarize": "false"}, False),
        ({"return_speaker_embeddings": "true"}, True),
        ({"return_speaker_embeddings": "true", "diarize": "false"}, False),
        ({"response_format": "srt"}, False),
    ],
)
def test_speakers_are_told_apart_for_who_wants_to_see_them(
    fields: dict[str, str], diarize: bool
) -> None:
    assert options(**fields).diarize is diarize


def test_known_voices_go_along_if_speakers_are_told_apart() -> None:
    voice = (("known_speaker_names[]", "Ada"), ("known_speaker_references[]", CLIP))
    assert options(*voice, diarize="true").known_speakers == (KnownSpeaker("Ada", b"RIFF"),)
    assert options(*voice).known_speakers == ()
    assert remarks(*voice) == ("known_speaker_names changed nothing: speakers are not told apart",)


@pytest.mark.parametrize("parameter", of_jobs.LATER, ids=lambda parameter: parameter.name)
def test_how_an_answer_is_written_is_for_later(parameter: Any) -> None:
    values = {"string": "srt", "boolean": "true", "integer": "2", "number": "2"}
    schema = parameter.schema
    value = schema["enum"][-1] if "enum" in schema else values[schema["type"]]
    said = f"{parameter.name} changed nothing: a job's result has every format"
    assert remarks((parameter.name, value)) == (said,)


def test_other_things_that_change_nothing_are_told() -> None:
    assert remarks(vad_filter="false") == (
        "vad_filter=false changed nothing: audio is always cut where nobody speaks",
    )
    assert remarks(colour="red") == ("the parameter 'colour' is not known here",)
    assert remarks(response_format="srt") == (
        "response_format changed nothing: a job's result has every format",
    )
    assert remarks(response_format="diarized_json") == ()
    assert remarks(prompt="a", initial_prompt="b") == (
        "initial_prompt changed nothing: prompt was followed",
    )
    assert remarks(video_file="film.mkv", chunking_strategy="auto", priority="batch") == ()


@pytest.mark.parametrize(
    "parameter",
    [p for p in of_jobs.JOB if p.schema["type"] != "string" or "enum" in p.schema],
    ids=lambda parameter: parameter.name,
)
def test_what_has_a_kind_refuses_other_values_by_its_name(parameter: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        wish((parameter.name, "perhaps"))
    assert refusal.value.param == parameter.name


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UnknownModel):
        wish(model="none-such")


def test_a_files_name_is_for_people_only() -> None:
    assert named("../a\r\nb\0.mp3") == "../ab.mp3"
    assert len(named("x" * 1000)) == 255


def named(name: str) -> str:
    """What a file of that name is called."""
    known = FakeModels().resolve
    return read_wish(Fields({}), name=name, resolve=known, settings=SIGNING).order.name


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.org/", "The webhook_url must begin with http:// or https://"),
        ("https://me:pw@example.org/", "The webhook_url must not hold a user name or a password"),
        ("https://", "The webhook_url names no host"),
        ("http://127.0.0.1/", "webhook_url must have a public address"),
        ("http://[::1]:80/", "webhook_url must have a public address"),
        ("http://169.254.169.254/", "webhook_url must have a public address"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(url: str, why: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        wish(webhook_url=url)
    assert (refusal.value.message, refusal.value.param) == (why, "webhook_url")


def test_webhooks_of_this_network_are_allowed_by_the_operator() -> None:
    private = JobSettings(
        webhook_secret=SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), webhooks_private=True
    )
    assert wish(webhook_url="http://127.0.0.1/", settings=private).webhook == "http://127.0.0.1/"


def test_without_a_secret_there_are_no_webhooks() -> None:
    with pytest.raises(InvalidRequest, match="has not set ASR_WEBHOOK_SECRET") as refusal:
        wish(webhook_url="https://example.org/", settings=JobSettings())
    assert refusal.value.param == "webhook_url"


def test_ids_are_of_the_queues_letters_and_those_of_keys_stay_the_same() -> None:
    assert id_for(None, None) != id_for(None, None)
    assert id_for("a", "b") == id_for("a", "b") != id_for("b", "a")
    assert id_for("a", None) != id_for("a", "key-1")
    for job_id in (id_for(None, None), id_for("a" * 255, "key-1")):
        assert len(job_id) <= 64
        assert job_id.replace("_", "").isalnum()


def test_headers_are_read_as_they_are_meant() -> None:
    assert idempotency_key(Headers()) is None
    assert idempotency_key(Headers({"idempotency-key": " a b "})) == "a b"
    with pytest.raises(InvalidRequest):
        idempotency_key(Headers([("Idempotency-Key", "a"), ("Idempotency-Key", "b")]))
    assert last_event(Headers()) == 0
    assert last_event(Headers({"Last-Event-ID": "17"})) == 17
    for wrong in ("-1", "x", "1" * 16, "١"):
        with pytest.raises(InvalidRequest) as refusal:
            last_event(Headers({"Last-Event-ID": wrong}))
        assert refusal.value.param == "Last-Event-ID"


async def test_the_described_parameters_are_those_that_are_read(
    desk: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set[str]()
    for name in ("read", "read_all", "given"):
        method = getattr(Fields, name)

        def noted(fields: Fields, parameter: Any, method: Any = method) -> Any:
            seen.add(parameter.name)
            return method(fields, parameter)

        monkeypatch.setattr(Fields, name, noted)
    answer = await desk.post("/v1/jobs", data=form(), headers={"Content-Type": FORM_TYPE})
    assert answer.status_code == 202
    described = Promises(openapi("1", keyed=False)).parameters("/v1/jobs")
    unread = {name for name in described if name not in seen}
    assert seen <= set(described)
    assert all("Changes nothing." in described[name]["description"] for name in unread)
