"""What the examination says, and what it never does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from pydantic import SecretStr

from asr.http.settings import HttpSettings
from asr.pipeline.errors import ModelUnavailable
from asr.pipeline.models import ModelInfo, ModelSettings, ModelStore
from asr.settings import Settings, SettingsError
from asr.terminal import checks, doctor
from asr.terminal.descriptors import Need
from asr.terminal.doctor import (
    check_access,
    check_hub,
    check_models,
    check_port,
    check_settings,
    check_token,
    examine,
)
from asr.terminal.findings import Finding, show, write
from tests.terminal.fake_servers import refusing, server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN = Path(__file__).parents[2] / "run.py"


@dataclass(frozen=True, slots=True)
class Store:
    """Lists one model, which is the default one."""

    model: ModelInfo
    default: str = "own"

    def catalogue(self) -> tuple[ModelInfo, ...]:
        return (self.model, ModelInfo("spare", "cache", "/spare", 1, on_disk=True))


def store(model: ModelInfo) -> Callable[[], ModelStore]:
    return lambda: cast("ModelStore", Store(model))


MISSING = ModelInfo("own", "hub", "owner/own", 3_000_000_000, on_disk=False)


def test_each_setting_that_is_not_understood_is_wrong() -> None:
    assert [finding.state for finding in check_settings(("a", "b"))] == ["wrong", "wrong"]
    assert [finding.state for finding in check_settings(())] == ["right"]


def test_a_default_model_that_is_not_here_is_fetched_or_cannot_be() -> None:
    note, others = check_models(store(MISSING), offline=False)
    assert note == Finding(
        "models",
        "note",
        "own, the default one, 3.0 GB, from owner/own",
        "it is fetched at its first use, once",
    )
    assert others == Finding("models", "right", "also on disk: spare")
    wrong, _ = check_models(store(MISSING), offline=True)
    assert wrong.state == "wrong"


def test_a_model_that_is_damaged_or_missing_is_wrong(tmp_path: Path) -> None:
    here = ModelInfo("own", "cache", str(tmp_path), 5, on_disk=True)
    damaged, _ = check_models(store(here), offline=False)
    assert damaged.what.endswith(f"from {tmp_path}: it has no weights in MLX form")
    gone, _ = check_models(
        store(ModelInfo("own", "folder", "/gone", None, on_disk=False)), offline=False
    )
    assert (damaged.state, gone.state) == ("wrong", "wrong")


def test_settings_that_name_no_model_are_wrong() -> None:
    def refuse() -> ModelStore:
        raise SettingsError(("PRELOAD_MODEL names none",))

    (finding,) = check_models(refuse, offline=False)
    assert finding == Finding("models", "wrong", "PRELOAD_MODEL names none")


@pytest.mark.parametrize(("model", "state"), [(MISSING, "wrong"), (None, "note")])
def test_a_hub_that_cannot_be_reached_is_wrong_only_for_who_needs_it(
    tmp_path: Path, model: ModelInfo | None, state: str
) -> None:
    known = store(model or ModelInfo("own", "cache", str(tmp_path), 5, on_disk=True))
    with refusing() as taken:
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (finding,) = check_hub(ModelSettings(hf_endpoint=endpoint), known)
    assert (finding.state, "Connection refused" in finding.what) == (state, True)


def test_a_hub_that_answers_is_right_and_one_that_nobody_may_ask_is_not_asked() -> None:
    with server(b"") as port:
        endpoint = f"http://127.0.0.1:{port}"
        (finding,) = check_hub(ModelSettings(hf_endpoint=endpoint), store(MISSING))
    assert finding == Finding("hub", "right", f"{endpoint} answers")
    (finding,) = check_hub(ModelSettings(hf_hub_offline=True), store(MISSING))
    assert finding.state == "right"


def port_of(port: int, host: str = "127.0.0.1") -> Finding:
    (finding,) = check_port(HttpSettings(host=host, port=port))
    return finding


def test_a_port_is_free_or_ours_or_somebody_elses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        theirs = port_of(port)
    assert (theirs.state, theirs.todo) == ("wrong", "end that program, or choose another PORT")
    assert port_of(port) == Finding("port", "right", f"127.0.0.1:{port} is free")
    assert port_of(0).state == "right"
    with server(b'{"status": "healthy", "loaded_models": ["base"]}') as port:
        assert port_of(port).what.endswith("healthy, with base in memory")
    body = b'{"status": "unhealthy", "reason": "the gpu is down", "loaded_models": []}'
    with server(body, status=503) as port:
        ill = port_of(port)
    assert (ill.state, ill.todo) == ("wrong", "the gpu is down")


def test_an_address_that_is_not_this_machines_is_wrong() -> None:
    finding = port_of(9001, host="192.0.2.1")  # set aside for documentation: nobody's
    assert (finding.state, finding.todo) == ("wrong", "see HOST and PORT")


@pytest.mark.parametrize(
    ("host", "keys", "state"),
    [
        ("127.0.0.1", None, "right"),
        ("localhost", None, "right"),
        ("::1", None, "right"),
        ("0.0.0.0", None, "note"),
        ("0.0.0.0", "hush", "right"),
        ("box.lan", None, "note"),
    ],
)
def test_a_server_that_is_open_to_all_is_worth_knowing(
    host: str, keys: str | None, state: str
) -> None:
    secret = SecretStr(keys) if keys else None
    (finding,) = check_access(HttpSettings(host=host, api_keys=secret))
    assert finding.state == state


def test_of_a_token_is_only_told_that_there_is_one() -> None:
    (finding,) = check_token(ModelSettings(hf_token=SecretStr("hf_hush")))
    assert finding == Finding("token", "right", "HF_TOKEN is set")


def test_a_check_that_fails_itself_is_a_finding_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> Iterator[Finding]:
        raise RuntimeError("ours")

    def refused(*_: object, **__: object) -> Iterator[Finding]:
        raise ModelUnavailable("not to be had")

    settings, _ = Settings.understood({"CACHE_DIR": str(tmp_path), "HF_HUB_OFFLINE": "1"})
    monkeypatch.setattr(checks, "check_ffmpeg", broken)
    monkeypatch.setattr(checks, "check_device", lambda _: iter(()))
    monkeypatch.setattr(doctor, "check_speakers", refused)
    found = list(examine(settings, (), store=store(MISSING), need=lambda: Need(10, 10, 1)))
    wrong = {finding.subject: finding.what for finding in found if finding.state == "wrong"}
    assert wrong["ffmpeg"] == "this could not be examined: RuntimeError"
    assert wrong["speakers"] == "not to be had"
    assert found[-1].subject == "descriptors"


def test_the_exit_code_says_whether_anything_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    fine = (Finding("a", "right", "x"), Finding("b", "note", "y\x1b[2J", "do this"))
    assert show(fine) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "right  a            x",
        r"note   b            y\x1b[2J",
        "                    do this",
        "Nothing is wrong.",
    ]
    assert show((*fine, Finding("c", "wrong", "z"))) == 1
    assert capsys.readouterr().out.endswith("One thing is wrong.\n")
    assert write((*fine, Finding("c", "wrong", "z"))) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["wrong"], [finding["state"] for finding in told["findings"]]) == (
        1,
        ["right", "note", "wrong"],
    )


def examined(cache: Path, **given: str) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """What the command says in a process of its own: it looks at MLX before anybody else does."""
    ended = subprocess.run(
        [sys.executable, str(RUN), "doctor", "--json"],
        env=os.environ | {"CACHE_DIR": str(cache), "HF_HUB_OFFLINE": "true", **given},
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(ended.stdout), ended


def test_the_command_examines_this_machine_whatever_is_set_and_shows_no_secret(
    tmp_path: Path,
) -> None:
    secrets = {"HF_TOKEN": "hf_hush", "API_KEYS": "hush"}
    told, ended = examined(tmp_path, DEVICE="cpu", PORT="many", **secrets)
    found = {finding["subject"]: finding for finding in told["findings"]}
    wrong = [finding["what"] for finding in told["findings"] if finding["state"] == "wrong"]
    assert (ended.returncode, told["wrong"]) == (1, len(wrong))
    assert "PORT cannot be 'many': expected a whole number, from 0 to 65535" in wrong
    assert found["device"]["what"].startswith("cpu in float32, with ")
    assert found["BLAS"]["what"].endswith(" GFLOP/s")
    assert found["token"]["what"] == "HF_TOKEN is set"
    assert "hush" not in ended.stdout + ended.stderr


@pytest.mark.skipif(sys.platform == "darwin", reason="Metal is there")
def test_a_device_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    told, _ = examined(tmp_path, DEVICE="metal", PORT="0")
    wrong = [finding for finding in told["findings"] if finding["state"] == "wrong"]
    assert [finding["subject"] for finding in wrong] == ["device"]  # and is told once
    assert "DEVICE=metal is not available here" in wrong[0]["what"]
