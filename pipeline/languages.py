"""Whisper's languages: their codes and English names, and the other spellings that clients send."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from asr.pipeline.errors import InvalidRequest

# Code to lower-case English name, in the order of the model's language tokens. A copy, because
# importing the library that owns it costs seconds; a test holds the two together.
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "en": "english",
        "zh": "chinese",
        "de": "german",
        "es": "spanish",
        "ru": "russian",
        "ko": "korean",
        "fr": "french",
        "ja": "japanese",
        "pt": "portuguese",
        "tr": "turkish",
        "pl": "polish",
        "ca": "catalan",
        "nl": "dutch",
        "ar": "arabic",
        "sv": "swedish",
        "it": "italian",
        "id": "indonesian",
        "hi": "hindi",
        "fi": "finnish",
        "vi": "vietnamese",
        "he": "hebrew",
        "uk": "ukrainian",
        "el": "greek",
        "ms": "malay",
        "cs": "czech",
        "ro": "romanian",
        "da": "danish",
        "hu": "hungarian",
        "ta": "tamil",
        "no": "norwegian",
        "th": "thai",
        "ur": "urdu",
        "hr": "croatian",
        "bg": "bulgarian",
        "lt": "lithuanian",
        "la": "latin",
        "mi": "maori",
        "ml": "malayalam",
        "cy": "welsh",
        "sk": "slovak",
        "te": "telugu",
        "fa": "persian",
        "lv": "latvian",
        "bn": "bengali",
        "sr": "serbian",
        "az": "azerbaijani",
        "sl": "slovenian",
        "kn": "kannada",
        "et": "estonian",
        "mk": "macedonian",
        "br": "breton",
        "eu": "basque",
        "is": "icelandic",
        "hy": "armenian",
        "ne": "nepali",
        "mn": "mongolian",
        "bs": "bosnian",
        "kk": "kazakh",
        "sq": "albanian",
        "sw": "swahili",
        "gl": "galician",
        "mr": "marathi",
        "pa": "punjabi",
        "si": "sinhala",
        "km": "khmer",
        "sn": "shona",
        "yo": "yoruba",
        "so": "somali",
        "af": "afrikaans",
        "oc": "occitan",
        "ka": "georgian",
        "be": "belarusian",
        "tg": "tajik",
        "sd": "sindhi",
        "gu": "gujarati",
        "am": "amharic",
        "yi": "yiddish",
        "lo": "lao",
        "uz": "uzbek",
        "fo": "faroese",
        "ht": "haitian creole",
        "ps": "pashto",
        "tk": "turkmen",
        "nn": "nynorsk",
        "mt": "maltese",
        "sa": "sanskrit",
        "lb": "luxembourgish",
        "my": "myanmar",
        "bo": "tibetan",
        "tl": "tagalog",
        "mg": "malagasy",
        "as": "assamese",
        "tt": "tatar",
        "haw": "hawaiian",
        "ln": "lingala",
        "ha": "hausa",
        "ba": "bashkir",
        "jw": "javanese",
        "su": "sundanese",
        "yue": "cantonese",
    }
)

# Names that Whisper knows beside the first.
OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "burmese": "my",
        "castilian": "es",
        "flemish": "nl",
        "haitian": "ht",
        "letzeburgesch": "lb",
        "mandarin": "zh",
        "moldavian": "ro",
        "moldovan": "ro",
        "panjabi": "pa",
        "pushto": "ps",
        "sinhalese": "si",
        "valencian": "ca",
    }
)

# Codes that operating systems and browsers use for a language that Whisper calls otherwise.
OTHER_CODES: Mapping[str, str] = MappingProxyType(
    {
        "cmn": "zh",
        "fil": "tl",
        "in": "id",
        "iw": "he",
        "ji": "yi",
        "jv": "jw",
        "mo": "ro",
        "nb": "no",
    }
)

# A locale: language, perhaps script, perhaps region. en, en-US, zh_TW, zh-Hant-TW, es-419.
LOCALE = re.compile(r"([a-z]{2,3})(?:[-_][a-z]{4})?(?:[-_](?:[a-z]{2}|[0-9]{3}))?")


def canonical_language(text: str, *, param: str = "language") -> str:
    """Whisper's code for a code, locale or English name in any case, or InvalidRequest."""
    wanted = text.strip().lower()
    code = _code_of_name(wanted) or _code_of_locale(wanted)
    if code is None:
        raise InvalidRequest(
            f"The language {text[:40]!r} is not one that Whisper knows; "
            "send a code such as 'en' or a name such as 'english'",
            param=param,
            code="unknown_language",
        )
    return code


def english_name(code: str) -> str:
    """The lower-case English name of a code: 'german' for 'de'; the code, if Whisper has none."""
    return NAMES.get(code, code)


def _code_of_name(name: str) -> str | None:
    by_name = {name: code for code, name in NAMES.items()}
    return by_name.get(name) or OTHER_NAMES.get(name)


def _code_of_locale(locale: str) -> str | None:
    match = LOCALE.fullmatch(locale)
    if match is None:
        return None
    code = OTHER_CODES.get(match[1], match[1])
    return code if code in NAMES else None
