"""Whatever is in a form or a query, and however it is split, it is read or refused by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from asr.http import parameters as known
from asr.http.asr import read_wish as asr_wish
from asr.http.fields import Fields
from asr.http.multipart import MultipartForm, UrlEncodedForm
from asr.http.openai import read_wish as openai_wish
from asr.http.settings import HttpSettings
from asr.pipeline.errors import InvalidRequest
from tests.attack.forms import BOUNDARY, END, field, part
from tests.attack.forms_junk import JUNK

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DataObject

NAMES = sorted({parameter.name for parameter in (*known.ASR, *known.DETECT, *known.AZURE)})
WORDS = st.one_of(
    st.text(max_size=50),
    st.sampled_from([junk.decode(errors="replace") for junk in JUNK]),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["srt", "json", "events", "true", "text", "en", "word", "diarized_json"]),
)
PAIRS = st.lists(
    st.tuples(
        st.sampled_from([*NAMES, *(f"{name}[]" for name in NAMES), "chunking_strategy[type]"])
        | st.text(max_size=20),
        WORDS,
    ),
    max_size=6,
)


def read(make: Callable[[], object]) -> str | None:
    """What is refused, in the words for the client; None if it is read."""
    try:
        make()
    except InvalidRequest as refusal:
        return refusal.message
    return None


@given(query=PAIRS, form=PAIRS)
def test_any_fields_are_read_or_refused_in_one_short_line(
    query: list[tuple[str, str]], form: list[tuple[str, str]]
) -> None:
    fields = Fields.gather(query, form)
    for make in (
        lambda: openai_wish(fields, "transcribe", HttpSettings(), deployment=None),
        lambda: openai_wish(fields, "translate", HttpSettings(), deployment="whisper-1"),
        lambda: asr_wish(fields, HttpSettings(), diarizes=True),
        lambda: [fields.read(parameter) for parameter in known.DETECT],
    ):
        refused = read(make)
        assert refused is None or (len(refused) < 300 and "\n" not in refused)


@given(name=st.sampled_from(NAMES), word=WORDS)
def test_a_field_is_refused_by_its_name(name: str, word: str) -> None:
    for parameter in {p for p in (*known.ASR, *known.AZURE) if p.name == name}:
        refused = read(partial(Fields.gather([(name, word)], ()).read, parameter))
        assert refused is None or name in refused


def outcome(form: Any, chunks: list[bytes]) -> object:
    """What a form says after these chunks: its file and its fields, or why not."""
    try:
        data = b"".join(bytes(piece) for chunk in chunks for piece in form.feed(chunk))
        return data, form.file_name, form.finish()
    except InvalidRequest as refusal:
        return refusal.message


PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b"\r\n", b"\n", b"--" + BOUNDARY, b"--", END, b"\r\n--" + BOUNDARY, b":", b'"']
    ),
    st.sampled_from(
        [b"Content-Disposition: form-data; name=", b"file", b"; filename=", b"\r\n\r\n"]
    ),
    st.builds(field, st.text(max_size=5), st.binary(max_size=10)),
    st.builds(part, st.binary(max_size=40), st.binary(max_size=10)),
    st.just(part(b'form-data; name="file"; filename="a"', b"sound")),
)


@settings(max_examples=300)
@given(pieces=st.lists(PIECES, max_size=8), ended=st.booleans(), data=st.data())
def test_any_body_means_the_same_however_it_is_split(
    pieces: list[bytes], ended: bool, data: DataObject
) -> None:
    body = b"".join(pieces) + (END if ended else b"")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    split = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    for make in (lambda: MultipartForm(BOUNDARY, "file"), UrlEncodedForm):
        assert outcome(make(), split) == outcome(make(), [body])


@given(pairs=st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=20))
def test_urlencoded_pairs_come_back(pairs: list[tuple[str, str]]) -> None:
    line = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    assert outcome(UrlEncodedForm(), [line.encode()]) == (b"", "", pairs)
