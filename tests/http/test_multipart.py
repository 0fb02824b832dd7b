"""A form reads the same however it is split, and is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr.http.multipart import CLIP_BYTES_MAX, FIELD_BYTES_MAX, MultipartForm, UrlEncodedForm
from asr.pipeline.errors import InvalidRequest
from tests.http.wire import AUDIO, BOUNDARY, END, form, part

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = part('form-data; name="file"; filename="a.wav"', AUDIO)


def parse(chunks: Iterable[bytes]) -> tuple[bytes, str, list[tuple[str, str]]]:
    parser = MultipartForm(BOUNDARY.encode(), "file")
    audio = b"".join(bytes(piece) for chunk in chunks for piece in parser.feed(chunk))
    fields = parser.finish()
    return audio, parser.file_name, fields


def test_a_form_reads_the_same_however_it_is_split() -> None:
    body = form({"language": "de", "prompt": "Grüße"})
    whole = (AUDIO, "talk.mp3", [("language", "de"), ("prompt", "Grüße")])
    assert parse([body]) == whole
    assert parse(bytes([byte]) for byte in body) == whole
    for cut in range(1, len(body)):
        assert parse([body[:cut], body[cut:]]) == whole


@pytest.mark.parametrize(
    "disposition",
    [
        'form-data; name="file"; filename="a.wav"',
        'form-data; name="file"',
        "form-data; name=file; filename*=UTF-8''a.wav",
        'Form-Data; name="file"; filename=""',
    ],
)
def test_the_file_is_known_by_its_field_name(disposition: str) -> None:
    audio, _, fields = parse([part(disposition, AUDIO) + END])
    assert (audio, fields) == (AUDIO, [])


@pytest.mark.parametrize(
    "preamble", [b"\r\n", b"This is a form.\r\n", b"\r\nmulti-part\n", b"--\n"]
)
def test_a_preamble_means_nothing(preamble: bytes) -> None:
    body = preamble + FILE + END
    for cut in range(len(body)):
        assert parse([body[:cut], body[cut:]]) == (AUDIO, "a.wav", [])


def test_a_preamble_is_bounded() -> None:
    with pytest.raises(InvalidRequest, match="malformed"):
        parse([b"\r\n" * 3000 + FILE + END])
    with pytest.raises(InvalidRequest, match="malformed"):
        MultipartForm(BOUNDARY.encode(), "file").feed(b"\r\n" * 3000)


def test_an_epilogue_means_nothing() -> None:
    assert parse([FILE + END, FILE, b"junk"]) == (AUDIO, "a.wav", [])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (FILE + FILE + END, "The form has more than one file"),
        (FILE, "The multipart body ends before its last boundary"),
        (b"", "The multipart body is malformed"),
        (b"junk" * 20, "The multipart body is malformed"),
        (FILE + part('form-data; name="n"') * 64 + END, "The form has more than 64 parts"),
        (part('form-data; name="n"', b"\xff") + FILE + END, "n is not UTF-8 text"),
        (
            part('form-data; name="n"', b"x" * FIELD_BYTES_MAX) + FILE + END,
            "The form's fields have more than 65536 bytes",
        ),
        (
            part('form-data; name="f"; filename="a"') + END,
            "Unknown file field 'f'; the file goes into 'file'",
        ),
    ],
)
def test_a_form_is_refused_by_name(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse([body])
    assert caught.value.message == message


def test_a_form_that_is_too_rich_is_refused_before_its_end() -> None:
    with pytest.raises(InvalidRequest, match="more than 64 parts"):
        MultipartForm(BOUNDARY.encode(), "file").feed(part('form-data; name="n"') * 65)


def test_a_form_of_one_line_has_a_bound_too() -> None:
    form = UrlEncodedForm()
    form.feed(b"x" * FIELD_BYTES_MAX)
    with pytest.raises(InvalidRequest, match="more than 65536 bytes"):
        form.feed(b"x")


CLIP = part('form-data; name="known_speaker_references[]"', b"x" * CLIP_BYTES_MAX)


def test_the_clips_of_known_voices_may_be_larger_than_words() -> None:
    _, _, fields = parse([CLIP * 4 + FILE + END])
    assert [len(value) for _, value in fields] == [CLIP_BYTES_MAX] * 4


@pytest.mark.parametrize(
    "body",
    [
        CLIP * 5,
        part('form-data; name="known_speaker_references"', b"x" * (CLIP_BYTES_MAX + 1)),
    ],
)
def test_there_is_a_bound_to_clips_too(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse([body + FILE + END])
    assert caught.value.param == "known_speaker_references"


def test_malformed_forms_leave_nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The parser's own warnings would be as many as a client likes."""
    with pytest.raises(InvalidRequest, match="malformed"):
        parse([b"junk" * 20])
    assert caplog.messages == []


@pytest.mark.parametrize("headers", [b"X: y\r\n" * 8, b"X: " + b"y" * 4300 + b"\r\n"])
def test_headers_of_a_part_are_bounded(headers: bytes) -> None:
    body = FILE.replace(b"\r\n\r\n", b"\r\n" + headers + b"\r\n", 1)
    with pytest.raises(InvalidRequest, match="malformed"):
        parse([body + END])
