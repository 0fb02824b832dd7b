"""Where alignment networks come from, and what is said when they cannot be had."""

import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asr.pipeline.align import sources
from asr.pipeline.align.aligner import Alignment
from asr.pipeline.align.networks import LanguageNetworks, Loaded
from asr.pipeline.align.sources import CONFIGS, WEIGHTS, fetch, find, heard_labels, published
from asr.pipeline.align.sparing import RETRY_AFTER_S, Letters, Sparing
from asr.pipeline.align.wording import Alphabet
from asr.pipeline.audio import Audio
from asr.pipeline.errors import AlignmentUnavailable
from asr.pipeline.models import ModelSettings
from asr.pipeline.speakers import Align

NAMES = {code: f"network of {code}" for code in ("de", "en", "fr")}


class Shelf:
    """Has networks, unless it is told to fail; remembers for which names it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    def read(self, name: str) -> Loaded:
        self.asked.append(name)
        if self.fails:
            raise AlignmentUnavailable(f"{name} is out")
        network: Any = None
        return Loaded(network, Alphabet({name: 1}, 0))


def test_each_language_has_the_network_that_whispermlx_chose() -> None:
    names = published()
    assert names["en"] == "WAV2VEC2_ASR_BASE_960H"
    assert names["ja"] == "jonatasgrosman/wav2vec2-large-xlsr-53-japanese"
    assert len(names) > 35


def test_a_language_without_a_network_is_named() -> None:
    with pytest.raises(AlignmentUnavailable, match="language 'xx' is known"):
        LanguageNetworks(NAMES, Shelf().read).get("xx")


def test_the_networks_that_were_used_last_stay_in_memory() -> None:
    shelf = Shelf()
    networks = LanguageNetworks(NAMES, shelf.read)
    for language in ("de", "en", "de", "fr", "de", "en"):
        assert NAMES[language] in networks.get(language).alphabet.labels
    assert shelf.asked == [NAMES[code] for code in ("de", "en", "fr", "en")]


class Borrower:
    """Somebody who has words found."""


def lend(networks: LanguageNetworks, language: str, borrower: Borrower) -> bool:
    """Of somebody who asks once, and for as long as he is there."""
    return networks.lend(language, borrower, question=borrower)


def test_no_more_networks_are_in_memory_than_are_kept_whoever_works() -> None:
    networks = LanguageNetworks(NAMES, Shelf().read)
    german, english, french, other = (Borrower() for _ in range(4))
    assert lend(networks, "de", german)
    assert lend(networks, "en", english)
    networks.get("de")
    networks.get("en")
    assert not lend(networks, "fr", french)
    assert not lend(networks, "de", other)  # who came before goes before, also past what is there
    del german
    assert not lend(networks, "en", other)
    assert lend(networks, "fr", french)
    networks.get("fr")
    assert sorted(networks._kept) == sorted([NAMES["en"], NAMES["fr"]])
    assert lend(networks, "en", other)


def test_who_was_refused_and_left_keeps_nobody_from_what_is_free() -> None:
    networks = LanguageNetworks(NAMES, Shelf().read)
    german, english, french, other = (Borrower() for _ in range(4))
    assert lend(networks, "de", german)
    assert lend(networks, "en", english)
    assert not lend(networks, "fr", french)
    del german
    assert not lend(networks, "de", other)
    del french
    assert lend(networks, "de", other)  # and English is still at work


def test_who_was_refused_and_asks_no_more_is_waited_for_only_while_others_work() -> None:
    networks = LanguageNetworks(NAMES, Shelf().read)
    borrowers, french, other = [Borrower(), Borrower()], Borrower(), Borrower()
    assert lend(networks, "de", borrowers[0])
    assert lend(networks, "en", borrowers[1])
    assert not lend(networks, "fr", french)
    borrowers.clear()
    assert lend(networks, "de", other)


def test_who_fails_lends_nothing_any_more_whoever_keeps_the_error(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.fails = True
    networks = LanguageNetworks(NAMES, shelf.read)
    task = Alignment(networks, Align(Audio(tmp_path, 0), (), "de"), "cpu")
    assert networks.lend("de", task, question=task)
    with pytest.raises(AlignmentUnavailable, match="de is out"):
        task.advance()
    others = [Borrower(), Borrower()]
    for language, other in zip(("en", "fr"), others, strict=True):
        assert lend(networks, language, other)


def test_the_blank_is_what_the_network_was_trained_with_and_a_tokenizer_adds_no_labels() -> None:
    said = {"|": 0, "a": 1, "[UNK]": 2, "[PAD]": 3, "<s>": 4, "<pad>": 5}  # two of the library's
    assert heard_labels(said, 4, 3) == Alphabet({"|": 0, "a": 1, "[unk]": 2, "[pad]": 3}, 3)
    assert heard_labels(said, 4, None).blank == 3
    with pytest.raises(ValueError, match="a blank of 5, with 4 labels"):
        heard_labels(said, 4, 5)


def test_what_could_not_be_had_is_not_tried_again_at_once() -> None:
    shelf, now = Shelf(), 100.0
    read = Sparing(shelf.read, clock=lambda: now)
    shelf.fails = True
    for later_s, tries in ((0, 1), (RETRY_AFTER_S - 1, 1), (RETRY_AFTER_S, 2)):
        now = 100.0 + later_s
        with pytest.raises(AlignmentUnavailable, match="en is out"):
            read("en")
        assert len(shelf.asked) == tries
    shelf.fails = False
    assert "de" in read("de").alphabet.labels  # the others are tried
    now += RETRY_AFTER_S
    assert "en" in read("en").alphabet.labels


def test_a_server_that_works_offline_asks_nobody(tmp_path: Path) -> None:
    settings = ModelSettings(tmp_path, hf_home=tmp_path, hf_hub_offline=True)
    with pytest.raises(AlignmentUnavailable, match="japanese' is not on this server"):
        fetch("ja", settings)


def test_a_hub_that_cannot_be_reached_is_no_crash(tmp_path: Path) -> None:
    settings = ModelSettings(tmp_path, hf_home=tmp_path, hf_endpoint="http://127.0.0.1:9")
    with pytest.raises(AlignmentUnavailable, match="japanese' could not be fetched"):
        fetch("ja", settings)


def test_what_is_on_this_disk_is_not_fetched(tmp_path: Path) -> None:
    folder = tmp_path / "align" / "jonatasgrosman--wav2vec2-large-xlsr-53-japanese"
    folder.mkdir(parents=True)
    for name in (*CONFIGS, WEIGHTS[0]):
        (folder / name).touch()
    settings = ModelSettings(tmp_path, hf_home=tmp_path, hf_endpoint="http://127.0.0.1:9")
    assert fetch("ja", settings) == find("ja", settings) == folder
    assert find("de", settings) is None
    with pytest.raises(AlignmentUnavailable, match="'xx' is known"):
        find("xx", settings)


def test_what_could_not_be_fetched_is_not_read_for_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(tmp_path / "align" / "jonatasgrosman--wav2vec2-large-xlsr-53-japanese")
    letters = Letters(ModelSettings(tmp_path, hf_home=tmp_path, hf_hub_offline=True))
    assert letters.find("ja") is None
    with pytest.raises(AlignmentUnavailable, match="is damaged on this server"):
        letters.fetch("ja")
    monkeypatch.setattr(sources, "find_damaged", None)
    with pytest.raises(AlignmentUnavailable, match="is damaged on this server"):
        letters.find("ja")


def damage(folder: Path) -> None:
    """Put the files of a network there, the weights as torch writes them, with a bit that fell."""
    folder.mkdir(parents=True)
    for name in CONFIGS:
        (folder / name).touch()
    with zipfile.ZipFile(folder / WEIGHTS[1], "w") as archive:
        archive.writestr("data", b"numbers" * 99)
    torn = (folder / WEIGHTS[1]).read_bytes().replace(b"numbers", b"numbess", 1)
    (folder / WEIGHTS[1]).write_bytes(torn)


def test_what_is_damaged_in_the_hubs_cache_is_fetched_again(tmp_path: Path) -> None:
    home = tmp_path / "hub" / "models--jonatasgrosman--wav2vec2-large-xlsr-53-japanese"
    damage(home / "snapshots" / "c0ffee")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("c0ffee")
    offline = ModelSettings(tmp_path, hf_home=tmp_path, hf_hub_offline=True)
    with pytest.raises(
        AlignmentUnavailable, match="is damaged on this server, which works offline"
    ):
        fetch("ja", offline)
    online = ModelSettings(tmp_path, hf_home=tmp_path, hf_endpoint="http://127.0.0.1:9")
    with pytest.raises(AlignmentUnavailable, match="japanese' could not be fetched"):
        fetch("ja", online)  # nobody is there: but it was asked for


def test_what_is_damaged_in_the_operators_own_folder_is_told_as_such(tmp_path: Path) -> None:
    damage(tmp_path / "align" / "jonatasgrosman--wav2vec2-large-xlsr-53-japanese")
    settings = ModelSettings(tmp_path, hf_home=tmp_path, hf_endpoint="http://127.0.0.1:9")
    with pytest.raises(AlignmentUnavailable, match=r"japanese' is damaged on this server$"):
        fetch("ja", settings)


def answering(promised: int, body: bytes) -> tuple[HTTPServer, Callable[[], None]]:
    """A server on this machine that promises so many bytes and sends these, and how to end it."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def end() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    return server, end


@pytest.mark.parametrize(("promised", "whole"), [(5, True), (6, False)])
def test_a_download_is_there_whole_or_not_at_all(
    tmp_path: Path, promised: int, *, whole: bool
) -> None:
    server, end = answering(promised, b"12345")
    file = tmp_path / "align" / "weights"
    try:
        if whole:
            sources._download_file(f"http://127.0.0.1:{server.server_port}/weights", file)
        else:
            with pytest.raises(ConnectionError):
                sources._download_file(f"http://127.0.0.1:{server.server_port}/weights", file)
    finally:
        end()
    assert [left.name for left in file.parent.iterdir()] == (["weights"] if whole else [])


def test_a_download_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_s = iter([0.0, sources.DOWNLOAD_MAX_S + 1])
    clock = SimpleNamespace(monotonic=lambda: next(times_s))
    monkeypatch.setattr(sources, "time", clock)
    server, end = answering(5, b"12345")
    file = tmp_path / "align" / "weights"
    try:
        with pytest.raises(TimeoutError):
            sources._download_file(f"http://127.0.0.1:{server.server_port}/weights", file)
    finally:
        end()
    assert not any(file.parent.iterdir())
