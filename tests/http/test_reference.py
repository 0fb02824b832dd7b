"""The API's description says what is true: of what is read, and of what is answered."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import validate
from werkzeug.exceptions import RequestTimeout

from asr.http.app import create_app
from asr.http.errors import FAULTS, OF_JOBS
from asr.http.fields import Fields
from asr.http.reference.document import openapi
from asr.http.reference.examples import NEWS, errors, transcript
from asr.pipeline.formats import asr_json, diarized_json, openai_json, verbose_json
from asr.pipeline.types import Progress, Token, Transcript, Word
from tests.http.fakes import as_house, segment
from tests.http.promises import Promises, events
from tests.http.wire import FORM_TYPE, form

if TYPE_CHECKING:
    from collections.abc import Callable

    from quart.typing import TestClientProtocol

    from asr.http.fields import Parameter
    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse

HEADERS = {"Content-Type": FORM_TYPE}
FILES = {
    "/asr": "audio_file",
    "/detect-language": "audio_file",
    "/v1/audio/transcriptions": "file",
    "/v1/audio/translations": "file",
    "/openai/deployments/{name}/audio/transcriptions": "file",
    "/openai/deployments/{name}/audio/translations": "file",
}
V1 = "/v1/audio/transcriptions"

HEARD = (
    *(error for kind, error in errors().items() if kind not in OF_JOBS),
    *(RequestTimeout(), RuntimeError("a bug")),
)
EMPTY = Transcript("en", "transcribe", 0.0, ())
RICH = replace(
    transcript(),
    warnings=("something was skipped",),
    segments=tuple(replace(s, said=(Token(b"\xc3", -0.1),)) for s in transcript().segments),
)
UNSURE = Transcript(
    "de",
    "translate",
    1e9 / 3,
    (
        replace(segment(0, 1, ""), avg_logprob=float("nan"), compression_ratio=float("inf")),
        replace(segment(1, 2, " a"), words=(Word(" a"),), said=(Token(b"a", float("-inf")),)),
    ),
)


def post_to(client: TestClientProtocol, path: str, **fields: str | list[str]) -> Any:
    body = form(fields, file_field=FILES[path])
    return client.post(path.format(name="base"), data=body, headers=HEADERS)


@pytest.mark.parametrize("keyed", [True, False])
def test_the_document_is_openapi(keyed: bool) -> None:
    validate(openapi("1", keyed=keyed))


async def test_the_document_is_served_as_it_is_made(client: TestClientProtocol) -> None:
    answer = await client.get("/openapi.json")
    document = await answer.get_json()
    assert answer.mimetype == "application/json"
    assert document == openapi(document["info"]["version"], keyed=False)


def test_every_path_is_described_and_no_other(
    house: FakeHouse, settings: HttpSettings, promises: Promises
) -> None:
    rules = create_app(as_house(house), settings).url_map.iter_rules()
    served = {
        (method.lower(), re.sub("<.+?>", "{}", rule.rule))
        for rule in rules
        for method in rule.methods or ()
    }
    described = {
        (method, re.sub(r"\{\w+\}", "{}", path)) for path, method, _ in promises.operations()
    }
    undescribed = {
        path for method, path in served - described if method in {"get", "post", "delete"}
    }
    assert undescribed == {"/docs/", "/docs/{}", "/openapi.json", "/page/{}"}
    assert described <= served


def test_every_name_that_is_referred_to_exists(promises: Promises) -> None:
    for where in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(promises.document)):
        found = promises.document
        for name in where.split("/"):
            found = found[name]


@pytest.mark.parametrize("path", FILES)
async def test_the_described_parameters_are_those_that_are_read(
    client: TestClientProtocol,
    promises: Promises,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    seen = set[str]()
    for name in ("read", "read_all", "given"):
        monkeypatch.setattr(Fields, name, noting(seen, getattr(Fields, name)))
    answers = [await post_to(client, path), await post_to(client, path, output="srt")]
    answers.append(await post_to(client, path, response_format="srt", max_line_width="9"))
    assert {answer.status_code for answer in answers} == {200}
    described = promises.parameters(path)
    unread = {name for name in described if name not in seen}
    assert seen <= set(described)
    assert all("Changes nothing." in described[name]["description"] for name in unread)


def noting(
    seen: set[str], method: Callable[[Fields, Parameter[Any]], Any]
) -> Callable[[Fields, Parameter[Any]], Any]:
    """The method, which notes what it was asked for, too."""

    def noted(fields: Fields, parameter: Parameter[Any]) -> Any:
        seen.add(parameter.name)
        return method(fields, parameter)

    return noted


@pytest.mark.parametrize(
    "name",
    ["timestamp_granularities", "include", "known_speaker_names", "known_speaker_references"],
)
def test_what_may_be_sent_several_times_is_a_list(promises: Promises, name: str) -> None:
    assert promises.parameters(V1)[name]["type"] == "array"
    assert f"`{name}[]`" in promises.parameters(V1)[name]["description"]


@pytest.mark.parametrize("path", FILES)
async def test_what_has_a_kind_refuses_other_values_by_its_name(
    client: TestClientProtocol, promises: Promises, path: str
) -> None:
    kinds = {
        name: schema.get("items", schema) for name, schema in promises.parameters(path).items()
    }
    named = [name for name, kind in kinds.items() if kind["type"] != "string" or "enum" in kind]
    assert named
    for name in named:
        answer = await post_to(client, path, **{name: "perhaps"})
        assert answer.status_code == 400, name
        assert f"{name} must be" in await answer.get_data(as_text=True)


@pytest.mark.parametrize("path", FILES)
async def test_the_ends_of_what_is_described_are_taken(
    client: TestClientProtocol, promises: Promises, path: str
) -> None:
    for name, described in promises.parameters(path).items():
        schema = described.get("items", described)
        ends = [schema[end] for end in ("minimum", "maximum") if end in schema]
        for value in schema.get("enum", []) or ends:
            answer = await post_to(client, path, **{name: str(value)})
            assert answer.status_code == 200, (name, value)


@pytest.mark.parametrize("heard", [EMPTY, RICH, UNSURE], ids=["empty", "rich", "unsure"])
def test_the_formatters_keep_to_the_schemas(promises: Promises, heard: Transcript) -> None:
    check = promises.check_named
    check("ClassicTranscript", asr_json(heard, listed=False, embeddings=True))
    check("WrappedTranscript", asr_json(heard, listed=True))
    check("Json", openai_json(heard, logprobs=True))
    check("Json", openai_json(heard))
    check("VerboseJson", verbose_json(heard, ("word", "segment")))
    check("VerboseJson", verbose_json(heard, ["word"]))
    check("VerboseJson", verbose_json(heard))
    check("DiarizedJson", diarized_json(heard))


def test_the_examples_keep_to_their_schemas(promises: Promises) -> None:
    count = 0
    for _, _, operation in promises.operations():
        for answer in operation["responses"].values():
            for kind, content in answer.get("content", {}).items():
                for example in content.get("examples", {}).values():
                    value = example["value"]
                    text = json.dumps(value) if kind == "application/json" else value
                    promises.check_body(content["schema"], kind, text)
                    count += 1
    assert count > 50


@pytest.mark.parametrize("path", FILES)
async def test_answers_in_every_format_are_as_described(
    client: TestClientProtocol, house: FakeHouse, promises: Promises, path: str
) -> None:
    described = promises.parameters(path)
    wishes = [
        {name: value}
        for name in ("output", "output_format", "response_format")
        for value in described.get(name, {}).get("enum", ())
    ]
    for heard in (EMPTY, RICH, UNSURE):
        house.answer = heard
        for wish in [*wishes, {}, {"strange": "1"}]:
            answer = await post_to(client, path, **wish)
            assert answer.status_code == 200
            await promises.check_answer("POST", path.format(name="base"), answer)


@pytest.mark.parametrize("format", ["json", "diarized_json"])
@pytest.mark.parametrize("include", ["", "logprobs"])
@pytest.mark.parametrize("watched", ["true", ""])
async def test_a_streams_events_are_as_described(
    client: TestClientProtocol,
    house: FakeHouse,
    promises: Promises,
    format: str,
    include: str,
    watched: str,
) -> None:
    house.answer = RICH
    house.news = (Progress(3, 3, RICH.segments),)
    house.standings = NEWS[2:]  # the client in memory has room for ten events
    asked = {"progress": watched, "timestamp_granularities[]": "word" if watched else ""}
    wish = {"stream": "true", "response_format": format, "include[]": include, **asked}
    answer = await post_to(client, V1, **wish)
    await promises.check_answer("POST", V1, answer)
    *told, last = events(await answer.get_data(as_text=True))
    assert last == {"data": "[DONE]"}
    for event in told:
        name = "".join(word.title() for word in event["event"].split("."))
        promises.check_named(name, json.loads(event["data"]))
    more = {"transcript.text.segment"} if format == "diarized_json" else set()
    more |= {"transcript.progress", "transcript.waveform"} if watched else set()
    told_of = {event["event"] for event in told}
    assert told_of == {"transcript.text.delta", "transcript.text.done"} | more


def test_each_row_of_the_table_of_faults_has_an_example() -> None:
    assert set(errors()) == set(FAULTS)


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("error", HEARD, ids=repr)
async def test_every_error_is_described_on_every_path(
    client: TestClientProtocol,
    house: FakeHouse,
    promises: Promises,
    path: str,
    error: Exception,
) -> None:
    house.answer = error
    answer = await post_to(client, path)
    assert answer.status_code >= 400
    await promises.check_answer("POST", path.format(name="base"), answer)
