"""Every format of two transcripts, a hard one and an empty one, against golden files."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from operator import mul
from typing import TYPE_CHECKING, Any

import pytest

from asr.pipeline.cues import Layout
from asr.pipeline.formats import (
    CLASSIC,
    OPENAI,
    WRAPPED,
    TextFormat,
    asr_json,
    diarized_json,
    openai_json,
    openai_logprobs,
    verbose_json,
)
from asr.pipeline.letters import lettered
from asr.pipeline.speakers import Diarization
from asr.pipeline.types import Token, Transcript, Word
from tests.pipeline.golden_files import EMPTY, FILES, GOLDEN, HARD, SHAPES, content, segment

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = (*FILES, *SHAPES)
TRANSCRIPTS = {"hard": HARD, "empty": EMPTY}
FORMATS = {
    f"{dialect}-{name}": style
    for dialect, table in (("classic", CLASSIC), ("wrapped", WRAPPED), ("openai", OPENAI))
    for name, style in table.items()
}


@pytest.mark.parametrize("folder", TRANSCRIPTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_is_written_as_the_golden_file(name: str, folder: str) -> None:
    golden = (GOLDEN / folder / name).read_bytes().decode()
    assert content(name, TRANSCRIPTS[folder]) == golden


@pytest.mark.parametrize("folder", TRANSCRIPTS)
def test_there_is_no_golden_file_of_a_format_that_is_none(folder: str) -> None:
    assert {path.name for path in (GOLDEN / folder).iterdir()} == set(NAMES)


def test_speakers_change_no_table() -> None:
    assert CLASSIC["tsv"].write(HARD, speakers=True) == CLASSIC["tsv"].write(HARD)
    assert WRAPPED["tsv"].write(HARD, speakers=True) == WRAPPED["tsv"].write(HARD)


def test_no_name_of_a_speaker_breaks_a_line() -> None:
    said = replace(HARD, segments=(segment(0, 1, " One.", speaker="A\nB\tC"),))
    assert CLASSIC["txt"].write(said, speakers=True) == "[A B\tC] One.\n"
    assert WRAPPED["tsv"].write(said).splitlines()[1:] == ["0.000\t1.000\tOne.\tA B C"]


def test_openais_text_is_one_line_until_speakers_are_asked() -> None:
    said = replace(HARD, segments=(segment(0, 1, " One."), segment(1, 2, " Two.", speaker="A")))
    write = OPENAI["text"].write
    assert (write(said), write(said, speakers=True)) == ("One. Two.\n", "One.\n[A] Two.\n")


@pytest.mark.parametrize("style", FORMATS.values(), ids=FORMATS)
def test_a_layout_changes_the_formats_that_say_so_and_no_other(style: TextFormat) -> None:
    laid_out = style.write(HARD, layout=Layout(line_width_max=20, lines_max=1))
    assert (laid_out != style.write(HARD)) == style.has_cues


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_json_holds_finite_numbers_only(shape: Callable[[Transcript], dict[str, Any]]) -> None:
    lost = Word(" lost", 0.0, 1.0, math.nan)
    measures = dict.fromkeys(("avg_logprob", "no_speech_prob", "compression_ratio"), math.inf)
    said = (Token(b" lost", math.nan),)
    broken = replace(HARD, segments=(segment(0, 1, " lost", words=(lost,), said=said, **measures),))
    assert json.dumps(shape(broken), allow_nan=False)


def test_verbose_json_of_a_translation_is_english() -> None:
    told = verbose_json(replace(EMPTY, language="de", task="translate"))
    assert (told["task"], told["language"], told["language_code"]) == ("translate", "english", "en")


def test_the_asr_object_of_a_translation_tells_the_language_that_was_spoken() -> None:
    told = asr_json(replace(EMPTY, language="de", task="translate"), listed=False)
    assert told["language"] == "de"


@pytest.mark.parametrize("shape", [openai_json, verbose_json, diarized_json])
def test_openais_objects_have_warnings_only_if_there_are_any(
    shape: Callable[[Transcript], dict[str, Any]],
) -> None:
    warned = replace(EMPTY, warnings=("no words",))
    assert (shape(EMPTY).get("warnings"), shape(warned).get("warnings")) == (None, ["no words"])


def test_the_bytes_of_tokens_join_to_the_text_also_where_a_letter_is_spread_over_two() -> None:
    told = openai_logprobs([Token(b" a\xc3", -0.5), Token(b"\xa9", -math.inf)])
    assert told == [
        {"token": " a�", "logprob": -0.5, "bytes": [32, 97, 195]},
        {"token": "�", "logprob": -9999.0, "bytes": [169]},
    ]
    assert bytes(byte for token in told for byte in token["bytes"]).decode() == " aé"


def test_voices_are_those_of_the_segments_speakers_and_who_has_none_is_named() -> None:
    told = asr_json(HARD, listed=False, embeddings=True)
    assert list(told["speaker_embeddings"]) == ["SPEAKER_00", "Zoë"]
    assert told["embedding_model"] == "of a test"
    assert told["warnings"] == [
        *HARD.warnings,
        "there is no embedding of SPEAKER_01: too little of that voice is heard alone",
    ]


def test_where_nobody_was_told_apart_there_are_no_voices_and_no_model_of_them() -> None:
    unheard = replace(HARD, diarization=None)
    told = asr_json(unheard, listed=False, embeddings=True)
    assert (told["speaker_embeddings"], "embedding_model" in told) == ({}, False)
    assert told["warnings"] == list(HARD.warnings)


def test_a_written_voice_is_as_good_as_the_voice() -> None:
    voice = tuple(math.sin(at) / math.sqrt(128) for at in range(256))
    heard = Diarization((), (), {"SPEAKER_00": voice}, "of a test")
    said = replace(HARD, diarization=heard)
    told = asr_json(said, listed=False, embeddings=True)["speaker_embeddings"]["SPEAKER_00"]
    cosine = sum(map(mul, told, voice)) / math.hypot(*told) / math.hypot(*voice)
    assert cosine == pytest.approx(1, abs=1e-12)
    assert math.hypot(*told) == pytest.approx(math.hypot(*voice), abs=1e-7)


def test_verbose_json_names_those_who_speak_once_they_are_told_apart() -> None:
    told = verbose_json(HARD, ("segment", "word"))
    assert [s.get("speaker") for s in told["segments"]] == [s.speaker for s in HARD.segments]
    assert told["words"][0] == {"word": "Look", "start": 0.1, "end": 0.5, "speaker": "SPEAKER_00"}
    assert "speaker" not in told["words"][1]


def test_to_be_called_by_letters_twice_changes_nothing() -> None:
    assert lettered(lettered(HARD)) == lettered(HARD)


@pytest.mark.parametrize(
    ("speakers", "letters"),
    [
        ([None, None], ["A", "A"]),
        (["SPEAKER_01", "SPEAKER_00", "SPEAKER_01"], ["A", "B", "A"]),
        (["SPEAKER_00", None, "SPEAKER_01", None], ["A", "B", "C", "B"]),
        (["SPEAKER_00", "Ann", "SPEAKER_01"], ["A", "Ann", "B"]),
        (["SPEAKER_00", "A", "SPEAKER_01"], ["B", "A", "C"]),
        (["SPEAKER_X", "speaker_00"], ["SPEAKER_X", "speaker_00"]),
    ],
)
def test_speakers_are_letters_in_the_order_they_are_heard_unless_they_are_known(
    speakers: list[str | None], letters: list[str]
) -> None:
    segments = tuple(segment(at, at + 1, " a", speaker=who) for at, who in enumerate(speakers))
    told = diarized_json(replace(EMPTY, segments=segments))
    assert [said["speaker"] for said in told["segments"]] == letters


def test_there_are_letters_for_any_number_of_speakers() -> None:
    crowd = tuple(segment(at, at + 1, " a", speaker=f"SPEAKER_{at:02}") for at in range(30))
    told = diarized_json(replace(EMPTY, segments=crowd))["segments"]
    assert [said["speaker"] for said in told[24:28]] == ["Y", "Z", "AA", "AB"]


def test_vtt_is_text_vtt_for_openai_and_plain_text_for_the_classic_dialect() -> None:
    types = (OPENAI["vtt"].content_type, CLASSIC["vtt"].content_type)
    assert types == ("text/vtt; charset=utf-8", "text/plain; charset=utf-8")
