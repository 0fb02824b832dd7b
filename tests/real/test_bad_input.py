"""Bad input against the real process: what nobody's client sends, answered decently, and forgotten.

``python -m bench.bad_input`` sends thousands of the same.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.attack import forms, media
from tests.attack.corpus import Corpus
from tests.attack.corpus_run import Vitals, ask, attack, canaries, left_behind
from tests.real import process, sounds
from tests.real.rig import Rig, serving_fake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.attack.corpus_run import Watched

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read in /proc"),
]

AUDIO_MAX_S = 3600
WARM, CASES = 40, 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad-input")


@pytest.fixture(scope="module")
def watched(folder: Path) -> Iterator[Watched]:
    with canaries(folder) as watched:
        yield watched


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path, folder: Path) -> Iterator[process.Server]:
    """With an engine that says "word"; the front, the disk and ffmpeg are real."""
    orders = folder / "orders"
    orders.mkdir()
    settings = {"ASR_AUDIO_MAX_S": str(AUDIO_MAX_S), "ASR_URL_ALLOWED": "true"}
    with serving_fake(environment, log, Rig(orders), **settings) as server:
        yield server


async def test_each_case_is_answered_decently_and_nothing_is_left_of_any(
    server: process.Server, watched: Watched, tmp_path: Path
) -> None:
    corpus = Corpus(1, tmp_path, watched.canaries)
    warm = await attack(server, corpus, range(CASES, CASES + WARM))
    before = Vitals.of(server.process.pid)
    outcome = await attack(server, corpus, range(CASES))
    assert [*warm.faults, *outcome.faults] == []
    assert sum(outcome.counts.values()) == CASES
    assert outcome.counts["media 200"] > 20  # not only refusals were looked at
    assert outcome.counts["media 400"] > 50
    assert await left_behind(server, before) == []
    assert watched.touched() == []
    assert (await ask(server.url, forms.small().pieces())).status == 200


async def test_a_bomb_of_silence_costs_what_the_longest_audio_does(server: process.Server) -> None:
    """By its header each byte of it is a second: a megabyte would be 32 GB of samples."""
    bomb = media.wav(bytes(1_000_000), rate=1, bits=8)
    before = Vitals.of(server.process.pid)
    request = forms.Request(forms.V1, forms.file(forms.V1, bomb) + forms.END)
    answer = await ask(server.url, request.pieces())
    assert (answer.status, "longer than the 3600 s" in answer.message) == (413, True)
    assert await left_behind(server, before) == []


async def test_a_file_name_is_no_path_and_is_said_back_harmlessly(server: process.Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        for said, heard in (
            (b"../../../../etc/passwd", "..%2F..%2F..%2F..%2Fetc%2Fpasswd.txt"),
            (b"a%0D%0ASet-Cookie: a=b", "a%250D%250ASet-Cookie%3A%20a%3Db.txt"),
            (b"a\0b", "a%00b.txt"),
        ):
            body = forms.file(forms.ASR, name=said) + forms.END
            kind = {"Content-Type": forms.FORM}
            answer = await client.post("/asr?output=txt", content=body, headers=kind)
            assert answer.status_code == 200, said
            assert answer.headers["Content-Disposition"] == f'attachment; filename="{heard}"'
            assert "Set-Cookie" not in answer.headers


@pytest.fixture(scope="module")
def hearing(environment: dict[str, str], log: Path) -> Iterator[process.Server]:
    with (
        log.open("ab") as stderr,
        process.serving(environment, stderr, PRELOAD_MODEL="tiny.en") as server,
    ):
        yield server


async def test_what_is_no_number_never_reaches_the_model(hearing: process.Server) -> None:
    """NaN would spread through a batch, and so into the text of others."""
    async with httpx.AsyncClient(base_url=hearing.url, timeout=120) as client:
        for name in ("no number", "no double", "one sample", "two heads"):
            files = {"audio_file": ("a.wav", media.ODD_WAVS[name])}
            answer = await client.post("/asr?output=json", files=files)
            assert answer.status_code in (200, 400), (name, answer.text)
            assert "NaN" not in answer.text, name
        good = await client.post("/asr?output=txt", files=process.upload(sounds.JFK))
        assert "what your country can do for you" in good.text
