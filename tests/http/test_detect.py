"""/detect-language, in the words that Bazarr reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr.http.app import create_app
from asr.http.detect import bytes_listened_to
from asr.http.fields import Fields
from asr.pipeline.errors import UnreadableAudio
from asr.pipeline.types import Detected, Options
from tests.http.fakes import Asked, as_house
from tests.http.wire import AUDIO, FORM_TYPE, asr_form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse

HEADERS = {"Content-Type": FORM_TYPE}


@pytest.mark.parametrize(
    ("code", "answered", "name"), [("de", "de", "german"), ("yue", "zh", "chinese")]
)
async def test_the_language_has_a_code_and_a_name(
    client: TestClientProtocol, house: FakeHouse, code: str, answered: str, name: str
) -> None:
    house.detected = Detected(code, 0.98765)
    answer = await client.post("/detect-language", data=asr_form(), headers=HEADERS)
    assert await answer.get_json() == {
        "detected_language": name,
        "language_code": answered,
        "confidence": 0.9877,
    }
    assert "Asr-Warnings" not in answer.headers


async def test_the_house_hears_how_the_file_is_to_be_read(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    path = "/detect-language?encode=false&video_file=film.mkv"
    body = asr_form({"audio_track": "2", "model": "org/name"})
    await client.post(path, data=body, headers=HEADERS)
    assert house.asked == [Asked(AUDIO, Options("org/name", audio_track=2), raw=True)]


async def test_only_the_beginning_of_bare_samples_is_kept(
    house: FakeHouse, settings: HttpSettings
) -> None:
    house.receiver.max_bytes = 30_000_000
    client = create_app(as_house(house), settings).test_client()
    film = bytes(25_000_000)
    body = asr_form(audio=film)
    headers = HEADERS | {"Content-Length": str(len(body))}
    for query in ("encode=false", "encode=true"):
        await client.post(f"/detect-language?{query}", data=body, headers=headers)
    ten_minutes = 600 * 16_000 * 2
    assert [len(asked.audio) for asked in house.asked] == [ten_minutes, len(film)]
    # What the spool makes room for: of a container, the body's frame, too.
    assert house.receiver.declared == [ten_minutes, len(body)]


def test_of_a_container_all_is_kept() -> None:
    assert bytes_listened_to(Fields({})) is None


@pytest.mark.parametrize("query", ["encode=perhaps", "model=none-such", "audio_track=0"])
async def test_a_refusal_is_plain_text_because_json_would_be_taken_for_a_language(
    client: TestClientProtocol, query: str
) -> None:
    answer = await client.post(f"/detect-language?{query}", data=asr_form(), headers=HEADERS)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert query.partition("=")[0] in await answer.get_data(as_text=True)


async def test_junk_is_refused_in_plain_text(client: TestClientProtocol, house: FakeHouse) -> None:
    house.answer = UnreadableAudio("it is junk")
    answer = await client.post("/detect-language", data=asr_form(), headers=HEADERS)
    assert await answer.get_data(as_text=True) == "failed to decode audio: it is junk\n"
    missing = await client.post("/detect-language", data=b"", headers=HEADERS)
    assert missing.status_code == 400


async def test_a_model_that_only_knows_english_says_so(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.models.names = ("tiny.en",)
    answer = await client.post("/detect-language", data=asr_form(), headers=HEADERS)
    assert "tiny.en only knows English" in answer.headers["Asr-Warnings"]


async def test_what_is_not_known_is_named_in_a_header(client: TestClientProtocol) -> None:
    path = "/detect-language?detector=x"
    answer = await client.post(path, data=asr_form(), headers=HEADERS)
    assert answer.headers["Asr-Warnings"] == "[\"the parameter 'detector' is not known here\"]"
