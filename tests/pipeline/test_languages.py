from __future__ import annotations

import pytest

from asr.pipeline.errors import InvalidRequest
from asr.pipeline.languages import NAMES, OTHER_NAMES, canonical_language, english_name


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("de", "de"),
        (" DE ", "de"),
        ("en-US", "en"),
        ("zh-CN", "zh"),
        ("zh_TW", "zh"),
        ("zh-Hant-TW", "zh"),
        ("es-419", "es"),
        ("fil", "tl"),
        ("iw", "he"),
        ("nb-NO", "no"),
        ("in", "id"),
        ("yue", "yue"),
        ("German", "de"),
        ("HAITIAN creole", "ht"),
        ("mandarin", "zh"),
    ],
)
def test_codes_locales_and_names_mean_whispers_code(sent: str, code: str) -> None:
    assert canonical_language(sent) == code


@pytest.mark.parametrize("sent", ["", "xx", "klingon", "no-thing", "en-", "de-DE-x", "deutsch"])
def test_any_other_language_is_the_callers_mistake_and_names_the_field(sent: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        canonical_language(sent, param="source")
    assert caught.value.param == "source"
    assert repr(sent) in caught.value.message


def test_a_very_long_language_is_not_repeated_in_full() -> None:
    with pytest.raises(InvalidRequest) as caught:
        canonical_language("x" * 1000)
    assert len(caught.value.message) < 200


def test_a_code_has_an_english_name() -> None:
    assert (english_name("de"), english_name("ht")) == ("german", "haitian creole")


def test_languages_are_those_of_the_model_in_its_order() -> None:
    from mlx_whisper.tokenizer import LANGUAGES, TO_LANGUAGE_CODE

    assert list(NAMES.items()) == list(LANGUAGES.items())
    names = {name: code for code, name in LANGUAGES.items()}
    assert {**names, **OTHER_NAMES} == TO_LANGUAGE_CODE
