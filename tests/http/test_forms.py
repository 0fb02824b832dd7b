"""From fields to options: what is refused by name, and what is named because it changes nothing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from asr.http import parameters as known
from asr.http.fields import Fields
from asr.http.forms import known_speakers, layout, remarks
from asr.pipeline.cues import Layout
from asr.pipeline.errors import InvalidRequest
from asr.pipeline.types import KnownSpeaker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asr.http.parameters import Parameters


def fields(*pairs: tuple[str, str]) -> Fields:
    return Fields.gather((), pairs)


def said(
    *pairs: tuple[str, str], parameters: Parameters = known.TRANSCRIPTIONS, format: str = "json"
) -> list[str]:
    return list(remarks(fields(*pairs), parameters, format=format))


def test_a_name_in_the_query_hides_the_forms() -> None:
    both = Fields.gather([("model", "a")], [("model", "b"), ("prompt", "c"), ("language", " ")])
    assert both.values == {"model": ("a",), "prompt": ("c",)}


@pytest.mark.parametrize("names", [("a", "a"), ("a[]", "a[]"), ("a[0]", "a[1]")])
def test_a_list_has_one_name_however_clients_number_it(names: tuple[str, str]) -> None:
    assert fields(*zip(names, "bc", strict=True)).values == {"a": ("b", "c")}


def test_the_last_of_several_values_counts() -> None:
    twice = fields(("stream", "true"), ("stream", "false"))
    assert twice.read(known.STREAM) is False


def test_nothing_is_remarked_of_what_is_done() -> None:
    assert (
        said(
            ("model", "base"),
            ("prompt", "Ada"),
            ("chunking_strategy", "auto"),
            ("include[]", "logprobs"),
            ("highlight_words", "false"),
            ("stream", "false"),
        )
        == []
    )


@pytest.mark.parametrize(
    ("name", "value", "format", "parameters", "remark"),
    [
        ("best_of", "5", "json", known.TRANSCRIPTIONS, "the parameter 'best_of' is not known here"),
        ("max_line_width", "42", "text", known.ASR, "max_line_width only shows in srt and vtt"),
        ("word_timestamps", "true", "srt", known.ASR, "word_timestamps only shows in json"),
        (
            "include",
            "logprobs",
            "srt",
            known.TRANSCRIPTIONS,
            "include only shows in json and events",
        ),
        (
            *("diarize", "true", "json", known.TRANSCRIPTIONS),
            "diarize only shows in diarized_json, verbose_json, text, srt, vtt and events",
        ),
        (
            *("output", "srt", "json", known.ASR),
            "output=srt changed nothing: the answer is json",
        ),
        (
            *("output_format", "json", "text", known.ASR),
            "output_format=json changed nothing: the answer is text",
        ),
        (
            *("max_line_count", "2", "srt", known.ASR),
            "max_line_count changed nothing: it needs max_line_width",
        ),
        (
            *("response_format", "vtt", "events", known.TRANSCRIPTIONS),
            "response_format changed nothing: a stream has events",
        ),
        (
            *("min_speakers", "2", "json", known.TRANSCRIPTIONS),
            "min_speakers changed nothing: speakers are not told apart",
        ),
        (
            *("known_speaker_names[]", "Ada", "json", known.TRANSCRIPTIONS),
            "known_speaker_names changed nothing: speakers are not told apart",
        ),
        (
            *("return_speaker_embeddings", "true", "json", known.ASR),
            "return_speaker_embeddings changed nothing: speakers are not told apart",
        ),
        (
            *("return_speaker_embeddings", "true", "srt", known.ASR),
            "return_speaker_embeddings only shows in json",
        ),
        (
            *("prompt[text]", "Ada", "json", known.TRANSCRIPTIONS),
            "the parameter 'prompt[text]' is not known here",
        ),
        (
            *("vad_filter", "false", "json", known.ASR),
            "vad_filter=false changed nothing: audio is always cut where nobody speaks",
        ),
        (
            *("chunking_strategy", '{"type": "server_vad", "threshold": 1}', "json"),
            *(known.TRANSCRIPTIONS, "chunking_strategy changed nothing: "),
        ),
        (
            *("chunking_strategy[type]", "server_vad", "json"),
            *(known.TRANSCRIPTIONS, "chunking_strategy changed nothing: "),
        ),
    ],
)
def test_what_changes_nothing_is_named(
    name: str, value: str, format: str, parameters: Any, remark: str
) -> None:
    (only,) = said((name, value), parameters=parameters, format=format)
    assert only.startswith(remark)


@pytest.mark.parametrize("format", ["txt", "text"])
def test_a_format_may_be_named_twice(format: str) -> None:
    assert (
        said(("output", "txt"), ("output_format", "text"), parameters=known.ASR, format=format)
        == []
    )


def test_counts_of_speakers_are_followed_where_speakers_are_asked_for() -> None:
    both = fields(("num_speakers", "2"), ("min_speakers", "1"))
    assert list(remarks(both, known.ASR, format="json", diarize=True)) == []


def test_many_unknown_names_are_counted() -> None:
    names = said(*((f"x{number}", "1") for number in range(12)))
    assert len(names) == 11
    assert names[-1] == "2 more parameters are not known here"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunking_strategy", "manual"),
        ("chunking_strategy", "[" * 60_000),
        ("chunking_strategy", '{"type": "words"}'),
        ("chunking_strategy", "[]"),
        ("chunking_strategy[type]", "words"),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        said((name, value))
    assert caught.value.param == name.partition("[")[0]


def test_an_operators_layout_is_for_who_says_nothing_of_it() -> None:
    default = Layout(line_width_max=42)
    asked = fields(("max_words_per_line", "3"), ("highlight_words", "1"))
    assert layout(fields(), default=default) == default
    assert layout(asked, default=default) == Layout(line_words_max=3, highlight_words=True)


def voices(names: Iterable[str], urls: Iterable[str]) -> Fields:
    return fields(
        *(("known_speaker_names[]", name) for name in names),
        *(("known_speaker_references[]", url) for url in urls),
    )


def data_url(clip: bytes) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(clip).decode()}"


def test_known_voices_are_names_and_clips() -> None:
    both = voices(["Ada", "Bob"], [data_url(b"RIFF"), data_url(b"ID3")])
    assert known_speakers(both) == (KnownSpeaker("Ada", b"RIFF"), KnownSpeaker("Bob", b"ID3"))
    assert known_speakers(fields()) == ()


def test_ten_seconds_of_any_usual_sound_are_a_voice() -> None:
    clip = bytes(10 * 48_000 * 2 * 2 + 44)
    assert known_speakers(voices(["Ada"], [data_url(clip)])) == (KnownSpeaker("Ada", clip),)


@pytest.mark.parametrize(
    ("names", "urls"),
    [
        (["Ada"], []),
        ([], [data_url(b"RIFF")]),
        (["Ada"], ["https://example.org/ada.wav"]),
        (["Ada"], ["data:audio/wav;base64,???"]),
        (["Ada"], ["data:audio/wav;base64,UklG\u00e9"]),
        (["Ada"], ["data:audio/wav;base64,"]),
        (["Ada"], [data_url(bytes(known.REFERENCE_BYTES_MAX + 1))]),
        (["SPEAKER_01"], [data_url(b"a")]),
        (["Ada", "Ada"], [data_url(b"a"), data_url(b"b")]),
        (list("ABCDE"), [data_url(b"a")] * 5),
    ],
)
def test_known_voices_are_refused_by_name(names: list[str], urls: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        known_speakers(voices(names, urls))
    assert str(caught.value.param).startswith("known_speaker_")


@pytest.mark.parametrize("parameters", [known.ASR, known.DETECT, known.AZURE])
def test_no_endpoint_has_a_name_twice(parameters: Parameters) -> None:
    names = [parameter.name for parameter in parameters]
    assert sorted(set(names)) == sorted(names)
