"""The hub gives what is missing, and no for an answer soon. A small hub of our own plays it."""

import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from pydantic import SecretStr
from safetensors.numpy import save

from asr.pipeline.checkpoint import DIMENSIONS
from asr.pipeline.errors import ModelUnavailable
from asr.pipeline.hub import Hub
from asr.pipeline.models import ModelSettings, ModelStore

REPO = "org/whisper-own"
COMMIT = "c0ffee" + "0" * 34
CONFIG = json.dumps(dict.fromkeys(DIMENSIONS, 1)).encode()
WEIGHTS = save({"x": np.zeros(100_000, np.float16)})


class FakeHub(ThreadingHTTPServer):
    """One repository, in as much of the hub's protocol as a download needs."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.files = files
        self.sent: list[str] = []
        self.tokens = set[str | None]()
        self.asked: list[str] = []
        self.trouble: int | None = None
        self.cut = False

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Desk(BaseHTTPRequestHandler):
    @property
    def hub(self) -> FakeHub:
        assert isinstance(self.server, FakeHub)
        return self.server

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.tokens.add(self.headers["authorization"])
        self.hub.asked.append(self.path)
        if self.hub.trouble:
            self.send_response(self.hub.trouble)
            self.send_header("Location", self.path)  # round and round
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path = self.path.partition("?")[0]
        entries = [
            {"type": "file", "path": name, "rfilename": name, "size": len(data), "oid": oid(data)}
            for name, data in self.hub.files.items()
        ]
        if path.startswith(f"/api/models/{REPO}/tree/"):
            self.answer(json.dumps(entries).encode())
        elif path.startswith(f"/api/models/{REPO}"):
            info = {"id": REPO, "modelId": REPO, "sha": COMMIT, "siblings": entries}
            self.answer(json.dumps(info).encode())
        elif path.startswith(f"/{REPO}/resolve/"):
            self.send(path.rpartition("/")[2])
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def send(self, name: str) -> None:
        if self.command == "GET":
            self.hub.sent.append(name)
        data = self.hub.files[name]
        large = name.endswith(".safetensors")
        self.answer(data, etag=hashlib.sha256(data).hexdigest() if large else oid(data))

    def answer(self, body: bytes, etag: str | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if etag:
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if etag and self.hub.cut else body)
            self.close_connection = self.hub.cut

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a test's output is its failures."""


def oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FakeHub]:
    with FakeHub(files) as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


def test_a_download_fetches_config_and_one_file_of_weights(tmp_path: Path) -> None:
    files = {"config.json": CONFIG, "weights.safetensors": WEIGHTS}
    with serving(files | {"weights.npz": b"older", "README.md": b"words"}) as server:
        settings = ModelSettings(
            cache_dir=tmp_path / "cache",
            hf_home=tmp_path / "hf",
            hf_endpoint=server.endpoint,
            hf_token=SecretStr("hf_secret"),
            models_allowed=REPO,
        )
        models = ModelStore(settings, accelerated=False)
        folder = models.fetch(REPO)
        assert sorted(server.sent) == ["config.json", "weights.safetensors"]
        assert server.tokens == {"Bearer hf_secret"}
        assert models.fetch(REPO) == folder
        assert len(server.sent) == 2
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files
    offline = replace(settings, hf_hub_offline=True)
    assert ModelStore(offline, accelerated=False).fetch(REPO) == folder


def test_damaged_weights_are_downloaded_again(tmp_path: Path) -> None:
    files = {"config.json": CONFIG, "weights.safetensors": WEIGHTS}
    with serving(files) as server:
        hub = Hub(cache=tmp_path, endpoint=server.endpoint)
        weights = hub.download(REPO) / "weights.safetensors"
        weights.resolve().write_bytes(b"\x08" * len(WEIGHTS))
        assert hub.find(REPO) is None
        hub.download(REPO)
        assert weights.read_bytes() == WEIGHTS


def test_weights_in_which_one_bit_has_flipped_are_downloaded_again(tmp_path: Path) -> None:
    files = {"config.json": CONFIG, "weights.safetensors": WEIGHTS}
    with serving(files) as server:
        settings = ModelSettings(
            cache_dir=tmp_path, hf_home=tmp_path, hf_endpoint=server.endpoint, models_allowed=REPO
        )
        weights = ModelStore(settings, accelerated=False).fetch(REPO) / "weights.safetensors"
        weights.resolve().write_bytes(WEIGHTS[:-1] + b"\x01")
        offline = ModelStore(replace(settings, hf_hub_offline=True), accelerated=False)
        with pytest.raises(ModelUnavailable, match="is damaged on this server, which works off"):
            offline.fetch(REPO)
        ModelStore(settings, accelerated=False).fetch(REPO)
        assert weights.read_bytes() == WEIGHTS


def test_a_pinned_model_is_asked_for_by_its_revision(tmp_path: Path) -> None:
    files = {"config.json": CONFIG, "weights.safetensors": WEIGHTS}
    with serving(files) as server:
        settings = ModelSettings(
            cache_dir=tmp_path,
            hf_home=tmp_path,
            hf_endpoint=server.endpoint,
            models_allowed=f"{REPO}@v1.2",
        )
        folder = ModelStore(settings, accelerated=False).fetch(REPO)
        assert any("/revision/v1.2" in path for path in server.asked)
    offline = replace(settings, hf_hub_offline=True)
    assert ModelStore(offline, accelerated=False).fetch(REPO) == folder
    with pytest.raises(ModelUnavailable, match="is not on this server"):
        ModelStore(replace(offline, models_allowed=REPO), accelerated=False).fetch(REPO)


def test_a_damaged_revision_says_nothing_of_another_one(tmp_path: Path) -> None:
    with serving({"config.json": CONFIG, "weights.safetensors": WEIGHTS}) as server:
        hub = Hub(cache=tmp_path, endpoint=server.endpoint)
        old = hub.download(REPO).rename(tmp_path / f"models--{REPO.replace('/', '--')}/snapshots/0")
        (old.parent.parent / "refs" / "old").write_text("0")
        weights = old / "weights.safetensors"
        weights.unlink()
        weights.write_bytes(b"\x08")
        for revision, state in (("old", "is damaged"), ("new", "is not")):
            with pytest.raises(ModelUnavailable, match=f"{state} on this server"):
                Hub(cache=tmp_path, offline=True).download(REPO, revision=revision)
        server.sent.clear()
        hub.download(REPO)
        assert server.sent == []  # its files are here


@pytest.mark.timeout(60)
@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 500])
def test_a_hub_in_trouble_is_told_as_such_and_asked_again_next_time(
    status: int, tmp_path: Path
) -> None:
    files = {"config.json": CONFIG, "weights.safetensors": WEIGHTS}
    with serving(files) as server:
        hub = Hub(cache=tmp_path, endpoint=server.endpoint)
        server.trouble = status
        with pytest.raises(ModelUnavailable, match=r"cannot be reached|has no model"):
            hub.download(REPO)
        server.trouble = None
        assert (hub.download(REPO) / "weights.safetensors").read_bytes() == WEIGHTS


@pytest.mark.timeout(60)
def test_a_download_that_is_cut_leaves_nothing_that_is_taken_for_a_model(tmp_path: Path) -> None:
    files = {"config.json": CONFIG, "weights.safetensors": WEIGHTS}
    with serving(files) as server:
        hub = Hub(cache=tmp_path, endpoint=server.endpoint)
        server.cut = True
        with pytest.raises(ModelUnavailable, match=r"download of the model .* failed"):
            hub.download(REPO)
        assert hub.find(REPO) is None
        server.cut = False
        assert (hub.download(REPO) / "weights.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"config.json": CONFIG, "pytorch_model.bin": b"x"},
            f"{REPO!r} is not a Whisper model in MLX form",
        ),
        (
            {"config.json": CONFIG, "weights.safetensors": b"\x08"},
            f"The model {REPO!r} cannot be used: its weights are damaged",
        ),
        (
            {"config.json": b"{}", "model.safetensors": WEIGHTS},
            f"The model {REPO!r} cannot be used: "
            "its config.json does not describe a Whisper model in MLX form",
        ),
    ],
    ids=["another format", "damaged at the source", "another library's"],
)
def test_a_repository_without_a_usable_model_is_refused(
    files: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    with serving(files) as server, pytest.raises(ModelUnavailable) as caught:
        Hub(cache=tmp_path, endpoint=server.endpoint).download(REPO)
    assert caught.value.message == message


def test_a_repository_that_the_hub_does_not_have_is_refused(tmp_path: Path) -> None:
    with serving({}) as server, pytest.raises(ModelUnavailable, match="has no model 'org/none'"):
        Hub(cache=tmp_path, endpoint=server.endpoint).download("org/none")


# A refused connection must not be tried for long.
@pytest.mark.timeout(10)
def test_a_hub_that_refuses_the_connection_is_unavailable_at_once(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can listen there
        hub = Hub(cache=tmp_path, endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ModelUnavailable, match=f"cannot be reached for {REPO!r}"):
            hub.download(REPO)


def test_offline_nobody_is_asked(tmp_path: Path) -> None:
    with serving({"config.json": CONFIG, "weights.safetensors": WEIGHTS}) as server:
        hub = Hub(cache=tmp_path, endpoint=server.endpoint, offline=True)
        with pytest.raises(ModelUnavailable, match="works offline"):
            hub.download(REPO)
        assert server.tokens == set()
