"""What an operator may write, what it becomes, and what the pages say about it."""

import re
import runpy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from asr.settings import FLOORS, RANGES, Settings, SettingsError, names

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = """
    DEVICE ALIGN_DEVICE COMPUTE_TYPE BATCH_SIZE HF_TOKEN HF_HUB_OFFLINE PRELOAD_MODEL
    OPENAI_WHISPER1_MODEL HOST PORT CACHE_DIR HF_HOME MAX_FILE_SIZE_MB GPU_CONCURRENCY
    MAX_QUEUE_SIZE MODEL_KEEP_ALIVE_SECONDS MODEL_EVICTION_INTERVAL_SECONDS
    DIARIZE_CLUSTERING_THRESHOLD DIARIZE_MIN_DURATION_OFF DIARIZE_PARAM_OVERRIDES
    DIARIZE_FILL_NEAREST RESEGMENT_BY_SPEAKER
"""


def problems(environ: Mapping[str, str], dotenv: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ, dotenv)
    return caught.value.problems


def dotenv(folder: Path, text: str) -> Path:
    file = folder / ".env"
    file.write_text(text)
    return file


def test_nothing_set_is_every_default() -> None:
    assert Settings.from_environ({"PATH": "/bin"}) == Settings.from_environ({})


def test_every_name_of_the_reference_service_is_a_setting() -> None:
    assert names() >= set(CONTRACT.split())


def test_every_range_and_floor_belongs_to_a_setting() -> None:
    assert names() >= RANGES.keys() | FLOORS.keys()


def test_text_becomes_the_type_that_the_room_declares() -> None:
    given = {
        "PORT": " 8000 ",
        "ASR_DRAIN_S": "1.5",
        "DIARIZE_FILL_NEAREST": "yes",
        "DIARIZE_PARAM_OVERRIDES": '{"clustering": {"Fb": 1.0}}',
        "ASR_LOG_LEVEL": "error",
    }
    settings, default = Settings.from_environ(given), Settings.from_environ({})
    assert settings == replace(
        default,
        http=replace(default.http, port=8000),
        house=replace(default.house, drain_s=1.5),
        speakers=replace(
            default.speakers, fill_nearest=True, param_overrides={"clustering": {"Fb": 1.0}}
        ),
        log=replace(default.log, level="error"),
    )


def test_an_empty_value_is_not_given_but_an_empty_preload_means_none() -> None:
    default = Settings.from_environ({})
    settings = Settings.from_environ({"PORT": "", "HF_TOKEN": " ", "PRELOAD_MODEL": ""})
    assert settings == replace(default, models=replace(default.models, preload_model=""))


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = dotenv(tmp_path, "PORT=1\nexport HOST='0.0.0.0' # everybody\n")
    http = Settings.from_environ({"PORT": "2"}, file).http
    assert (http.host, http.port) == ("0.0.0.0", 2)


def test_an_empty_value_in_the_environment_leaves_the_one_in_the_file(tmp_path: Path) -> None:
    assert Settings.from_environ({"PORT": ""}, dotenv(tmp_path, "PORT=1")).http.port == 1


def test_a_dollar_in_the_file_is_a_dollar(tmp_path: Path) -> None:
    file = dotenv(tmp_path, "HF_TOKEN=a${HOME}b\n")
    assert Settings.from_environ({}, file).models.hf_token == SecretStr("a${HOME}b")


def test_a_missing_file_says_nothing(tmp_path: Path) -> None:
    assert Settings.from_environ({}, tmp_path / ".env") == Settings.from_environ({})


def test_a_home_of_nobody_is_refused_by_name() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environ({"CACHE_DIR": "~nobody-of-that-name/cache"})
    assert raised.value.problems[0].startswith("CACHE_DIR cannot be")


def test_a_tilde_is_the_home_folder_also_in_a_default() -> None:
    folder = Settings.from_environ({}).models.cache_dir
    assert folder == Path.home() / ".cache" / "asr-service"
    given = {"CACHE_DIR": "~/.cache/asr-service", "PRELOAD_MODEL": "~/model"}
    models = Settings.from_environ(given).models
    assert (models.cache_dir, models.preload_model) == (folder, str(Path.home() / "model"))


def test_a_short_eviction_interval_is_raised_to_its_floor() -> None:
    given = {"MODEL_EVICTION_INTERVAL_SECONDS": "1"}
    raised = {"MODEL_EVICTION_INTERVAL_SECONDS": "30"}
    assert Settings.from_environ(given) == Settings.from_environ(raised)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("PORT", "abc", "a whole number, from 0 to 65535"),
        ("PORT", "65536", "a whole number, from 0 to 65535"),
        ("PORT", "-1", "a whole number, from 0 to 65535"),
        ("GPU_CONCURRENCY", "0", "a whole number, at least 1"),
        ("ASR_DRAIN_S", "nan", "a number, at least 0"),
        ("ASR_DRAIN_S", "-0.1", "a number, at least 0"),
        ("DIARIZE_FILL_NEAREST", "perhaps", "true or false"),
        ("DIARIZE_PARAM_OVERRIDES", "[1]", "a JSON object"),
        ("ASR_LOG_LEVEL", "loud", "one of debug, info, warning, error"),
    ],
)
def test_a_malformed_value_is_named_with_what_was_expected(
    name: str, text: str, expected: str
) -> None:
    assert problems({name: text}) == (f"{name} cannot be {text!r}: expected {expected}",)


@pytest.mark.parametrize(
    ("text", "keys"),
    [("hush", ("hush",)), (" a , b!~/+=_- ", ("a", "b!~/+=_-")), ("", ())],
)
def test_keys_are_a_list(text: str, keys: tuple[str, ...]) -> None:
    assert Settings.from_environ({"API_KEYS": text}).http.keys() == keys


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (",", "key 1 of 2 must be more than nothing"),
        ("hush,", "key 2 of 2 must be more than nothing"),
        ("one, ,hush", "key 2 of 3 must be more than nothing"),
        ("hu sh", "key 1 of 1 must be 1 to 512 visible ASCII characters"),
        ("one,hu\tsh", "key 2 of 2 must be 1 to 512 visible ASCII characters"),
        ("hu\x7fsh", "key 1 of 1 must be 1 to 512 visible ASCII characters"),
        ("hu\u00a0sh", "key 1 of 1 must be 1 to 512 visible ASCII characters"),
        ("hush" * 129, "key 1 of 1 must be 1 to 512 visible ASCII characters"),
    ],
)
def test_a_key_that_no_client_can_send_is_refused_and_not_shown(text: str, problem: str) -> None:
    assert problems({"API_KEYS": text}) == (f"API_KEYS: {problem}",)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://app.example", {"https://app.example"}),
        (" HTTP://LocalHost:3000 , * ", {"http://localhost:3000", "*"}),
        ("https://a.example:443,http://a.example:80", {"https://a.example", "http://a.example"}),
        ("https://a.example:80", {"https://a.example:80"}),
        ("app://obsidian.md,http://[::1]:5173", {"app://obsidian.md", "http://[::1]:5173"}),
        ("", set()),
    ],
)
def test_origins_are_as_browsers_write_them(text: str, origins: set[str]) -> None:
    assert Settings.from_environ({"ASR_CORS_ORIGINS": text}).http.origins() == origins


@pytest.mark.parametrize(
    "entry",
    [
        "app.example",
        "https://app.example/",
        "https://app.example/path",
        "https://*.example",
        "https://user@app.example",
        "https://app.example:",
        "https://app.example:123456",
        "https://",
        "null",
        "",
    ],
)
def test_what_is_no_origin_is_refused(entry: str) -> None:
    expected = "expected scheme://host or scheme://host:port, without a path, or *"
    given = {"ASR_CORS_ORIGINS": f"https://good.example,{entry}"}
    assert problems(given) == (f"ASR_CORS_ORIGINS cannot hold {entry!r}: {expected}",)


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    file = dotenv(tmp_path, "PROT=1\nHF_TOKEN=secret\nthis is no setting\nHOST\n")
    environ = {"ASR_DRIAN_S": "1", "PORT": "x", "MAX_QUEUE_SIZE": "y"}
    assert problems(environ, file) == (
        f"{file}, line 3: expected NAME=value",
        f"{file}, line 4: expected NAME=value",
        f"PROT in {file} is not a setting; did you mean PORT?",
        "ASR_DRIAN_S in the environment is not a setting; did you mean ASR_DRAIN_S?",
        "MAX_QUEUE_SIZE cannot be 'y': expected a whole number, at least 0",
        "PORT cannot be 'x': expected a whole number, from 0 to 65535",
    )


def test_what_is_understood_can_be_had_beside_what_is_not() -> None:
    given = {"PORT": "x", "HOST": "::1", "CACHE_DIR": "", "API_KEYS": ",", "ASR_DRAIN_S": "1"}
    settings, wrong = Settings.understood(given)
    default = Settings.from_environ({})
    assert wrong == (
        "PORT cannot be 'x': expected a whole number, from 0 to 65535",
        "API_KEYS: key 1 of 2 must be more than nothing",
    )
    # Of a room that refuses its values nothing is kept.
    assert settings == replace(default, house=replace(default.house, drain_s=1.0))
    settings, _ = Settings.understood({"PORT": "x", "HOST": "::1", "PRELOAD_MODEL": "tiny"})
    assert settings.http == replace(default.http, host="::1")
    assert settings.models.cache_dir.is_absolute()


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"PORT=\xff\xfe\n")
    assert problems({}, file) == (f"{file} cannot be read as UTF-8 text",)


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    file = dotenv(tmp_path, "HF_TOKEN hf_secret\n")
    assert "hf_secret" not in repr(Settings.from_environ({"HF_TOKEN": "hf_secret"}))
    assert "hf_secret" not in str(problems({}, file))
    assert "hush" not in repr(Settings.from_environ({"API_KEYS": "hush,hush2"}))


@pytest.mark.parametrize("page", [".env.example", "README.md"])
def test_the_pages_name_every_setting_its_default_and_its_meaning(page: str) -> None:
    """Run ``.ci/settings_pages.py`` to bring them up to date."""
    pages = runpy.run_path(str(ROOT / ".ci" / "settings_pages.py"))
    text = (ROOT / page).read_text()
    assert pages["updated"](page, text) == text


def test_the_example_changes_nothing_and_with_every_line_switched_on_only_the_preload(
    tmp_path: Path,
) -> None:
    example = (ROOT / ".env.example").read_text()
    switched_on = dotenv(tmp_path, re.sub(r"^#(?=[A-Z_0-9]+=)", "", example, flags=re.MULTILINE))
    default = Settings.from_environ({})
    assert Settings.from_environ({}, ROOT / ".env.example") == default
    no_preload = replace(default, models=replace(default.models, preload_model=""))
    assert Settings.from_environ({}, switched_on) == no_preload
