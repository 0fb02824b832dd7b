"""The files of docs/cluster: that Compose, Kubernetes and KEDA take them, and that they are true.

KEDA's schema is that of its own resource definitions, out of models made of them. What the queue's
server is told is told to a real one.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # and it says nothing of its types
import pytest
import yaml

import asr
from asr.actors.cluster.audio import INLINE_FILES
from asr.actors.jobs.settings import ClusterSettings, JobSettings
from asr.actors.queue import QueueStats
from asr.actors.settings import HouseSettings
from asr.http import health
from asr.pipeline.setting import MEGABYTE
from asr.run import SHUTDOWN_SLACK_S
from asr.settings import Settings, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asr.actors.house import House

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "cluster"
COMPOSE = FOLDER / "compose.yaml"
MANIFESTS = sorted((FOLDER / "kubernetes").glob("*.yaml"))

OLDEST, NEWEST = "1.33", kubernetes_validate.latest_version()
PASSWORD = "0123abcd"  # as `openssl rand -hex 32` makes them, in short
SECRET = {"queue-password": PASSWORD, "api-key": PASSWORD}

needs_valkey = pytest.mark.skipif(
    shutil.which("valkey-server") is None, reason="there is no valkey-server here"
)


def composed() -> Any:
    """The services of the compose file, with its one variable filled in."""
    text = re.sub(r"\$\{QUEUE_PASSWORD[^}]*\}", PASSWORD, COMPOSE.read_text())
    return yaml.safe_load(text)["services"]


def manifests() -> list[Any]:
    return [one for file in MANIFESTS for one in yaml.safe_load_all(file.read_text())]


def manifest(kind: str, name: str) -> Any:
    (found,) = (m for m in manifests() if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def pod(name: str) -> Any:
    kind = "StatefulSet" if name == "asr-queue" else "Deployment"
    return manifest(kind, name)["spec"]["template"]["spec"]


def container(name: str) -> Any:
    (only,) = pod(name)["containers"]
    return only


def told(name: str) -> dict[str, str]:
    """The environment of a container, as Kubernetes makes it."""
    environ: dict[str, str] = {}
    for variable in container(name)["env"]:
        value = variable.get("value")
        if value is None:
            source = variable["valueFrom"]["secretKeyRef"]
            assert source["name"] == "asr"
            value = SECRET[source["key"]]
        environ[variable["name"]] = filled(value, environ)
    return environ


def filled(text: str, environ: Mapping[str, str]) -> str:
    """A text with the variables in it that came before, as Kubernetes has it."""
    return re.sub(r"\$\((\w+)\)", lambda found: environ[found[1]], text)


def closed(schema: Any) -> Any:
    """A schema whose objects have no other properties than those it knows."""
    if isinstance(schema, dict):
        inner = {key: closed(value) for key, value in schema.items()}
        return {"additionalProperties": False} | inner if "properties" in schema else inner
    return [closed(one) for one in schema] if isinstance(schema, list) else schema


def keda_schema(kind: str) -> Any:
    # By name: it is twenty thousand lines, which no type checker has to read.
    models = importlib.import_module("cloudcoil.models.keda.v1alpha1")
    return closed(getattr(models, kind).model_json_schema())


def check(document: Any, version: str = NEWEST) -> None:
    """Raise if it is not what the server of Kubernetes, or KEDA's, would take."""
    if document["apiVersion"] == "keda.sh/v1alpha1":
        jsonschema.validate(document, keda_schema(document["kind"]))
    else:
        kubernetes_validate.validate(document, version, strict=True)


def problem(environ: Mapping[str, str]) -> tuple[str, ...]:
    return Settings.understood({**environ, "CACHE_DIR": "/data"})[1]


@pytest.mark.parametrize("file", [COMPOSE, ROOT / "docs" / "docker" / "compose.yaml"])
def test_compose_files_are_what_the_specification_allows(file: Path) -> None:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*argv, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_and_keda_know_all_that_stands_in_the_manifests(version: str) -> None:
    for document in manifests():
        check(document, version)


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("Deployment", "asr-worker", ("spec", "template", "spec", "containers", 0)),
        ("ScaledObject", "asr-worker", ("spec", "advanced", "scalingModifiers")),
        ("TriggerAuthentication", "asr-front", ("spec", "secretTargetRef", 0)),
    ],
)
def test_a_slip_in_a_manifest_would_be_seen(
    kind: str, name: str, path: Sequence[str | int]
) -> None:
    document = inner = manifest(kind, name)
    for step in path:
        inner = inner[step]
    inner["slip"] = "of the pen"
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        check(document)


@pytest.mark.parametrize("name", ["front", "worker"])
def test_everybody_is_told_what_the_settings_have_room_for(name: str) -> None:
    in_pod = told(f"asr-{name}")
    in_compose = composed()[name]["environment"]
    assert in_pod.keys() - {"QUEUE_PASSWORD"} <= names() >= in_compose.keys()
    assert (problem(in_pod), problem(in_compose)) == ((), ())
    assert in_pod["QUEUE_URL"].replace("asr-queue", "queue") == in_compose["QUEUE_URL"]


@pytest.mark.parametrize("name", ["front", "worker"])
def test_a_name_of_ours_in_the_environment_is_ours(name: str) -> None:
    # Kubernetes would add ASR_FRONT_SERVICE_HOST and others, which are no settings.
    assert problem({"ASR_FRONT_SERVICE_HOST": "10.0.0.1"}) != ()
    assert pod(f"asr-{name}")["enableServiceLinks"] is False


def test_names_and_ports_lead_to_each_other() -> None:
    for service in (one for one in manifests() if one["kind"] == "Service"):
        name = service["metadata"]["name"]
        assert service["spec"]["selector"] == {"app.kubernetes.io/name": name}
        assert pod(name)  # under the same name
        (port,), (open_port,) = service["spec"]["ports"], container(name)["ports"]
        assert port["targetPort"] == open_port["name"]
    dockerfile = (ROOT / "docs" / "docker" / "Dockerfile").read_text()
    assert f"EXPOSE {container('asr-front')['ports'][0]['containerPort']}" in dockerfile
    assert "USER 1000" in dockerfile
    assert container("asr-front")["image"] == f"asr-service:{asr.__version__}"
    assert container("asr-worker")["image"] == container("asr-front")["image"]
    policy = manifest("NetworkPolicy", "asr-queue")["spec"]["ingress"][0]["from"][0]
    (who,) = policy["podSelector"]["matchExpressions"]
    assert [bool(pod(name)) for name in who["values"]] == [True, True]


def test_there_is_time_to_finish_before_the_end() -> None:
    needed_s = HouseSettings().drain_s + SHUTDOWN_SLACK_S
    front = pod("asr-front")
    before_s = front["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert front["terminationGracePeriodSeconds"] > before_s + needed_s
    assert pod("asr-worker")["terminationGracePeriodSeconds"] > needed_s
    graces_s = {composed()[name]["stop_grace_period"] for name in ("front", "worker")}
    assert all(int(grace.removesuffix("s")) > needed_s for grace in graces_s)


def test_workers_are_as_many_as_the_front_says_there_is_work_for() -> None:
    scaled = manifest("ScaledObject", "asr-worker")["spec"]
    assert pod(scaled["scaleTargetRef"]["name"])
    assert "replicas" not in manifest("Deployment", "asr-worker")["spec"]  # KEDA's business
    stats = QueueStats(waiting=3, running=5, running_max=8, waiting_max=32)
    house = cast("House", SimpleNamespace(queue_stats=lambda: stats))
    answer = {"queue": health.queue(house)}
    asked: dict[str, int] = {}
    for trigger in scaled["triggers"]:
        address = urlsplit(trigger["metadata"]["url"])
        service = manifest("Service", str(address.hostname).removesuffix(".asr.svc"))
        assert (service["spec"]["ports"][0]["port"], address.path) == (80, "/queue-metrics")
        room, _, field = trigger["metadata"]["valueLocation"].partition(".")
        asked[trigger["name"]] = answer[room][field]
        assert manifest("TriggerAuthentication", trigger["authenticationRef"]["name"])
    assert asked == {"waiting": 3, "running": 5}
    assert scaled["advanced"]["scalingModifiers"]["formula"] == " + ".join(asked)


def commands_of_the_queue() -> Iterator[tuple[list[str], str]]:
    """How the queue's server is started, and what asks it whether it is ready."""
    service = composed()["queue"]
    yield service["command"], service["healthcheck"]["test"][1]
    found = container("asr-queue")
    command = [filled(word, {"REDISCLI_AUTH": PASSWORD}) for word in found["command"]]
    yield command, found["readinessProbe"]["exec"]["command"][2]


@contextmanager
def valkey(command: Sequence[str], folder: Path) -> Iterator[str]:
    """A server that was started like that, and its socket."""
    socket = str(folder / "s")
    argv = [*command, "--port", "0", "--unixsocket", socket, "--dir", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert any("Ready to accept" in line for line in process.stdout)
            yield socket
        finally:
            process.kill()


@needs_valkey
@pytest.mark.parametrize("which", [0, 1], ids=["compose", "kubernetes"])
def test_the_queue_keeps_what_it_took_and_asks_for_the_password(which: int, tmp_path: Path) -> None:
    command, ready = list(commands_of_the_queue())[which]
    with valkey(command, tmp_path) as socket:
        ready = ready.replace("valkey-cli", f"valkey-cli -s {socket}")
        config = f"valkey-cli -s {socket} config get append* maxmemory-policy maxmemory"

        def said(line: str, password: str) -> tuple[int, list[str]]:
            environ = {"REDISCLI_AUTH": password, "PATH": "/usr/local/bin:/usr/bin:/bin"}
            argv = ["sh", "-c", line]
            done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout.split()

        assert said(ready, PASSWORD) == (0, [])
        assert said(ready, "another")[0] != 0
        words = said(config, PASSWORD)[1]
        kept = dict(zip(words[::2], words[1::2], strict=True))
    assert (kept["appendonly"], kept["appendfsync"]) == ("yes", "everysec")
    assert kept["maxmemory-policy"] == "noeviction"
    filled_up = INLINE_FILES * ClusterSettings().inline_max_mb + JobSettings().cache_max_mb
    assert int(kept["maxmemory"]) > 1.5 * filled_up * MEGABYTE  # and there are jobs


def test_the_page_about_it_names_what_there_is() -> None:
    page = (ROOT / "docs" / "CLUSTER.md").read_text()
    files = set(re.findall(r"tests/[\w/]+\.py", page))
    assert files
    assert {file for file in files if not (ROOT / file).exists()} == set()
    for module in re.findall(r"python -m ([\w.]+)", page):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists()
    for link in re.findall(r"\]\((\w[^)]*)\)", page):
        assert (ROOT / "docs" / link).exists()
    told = set(re.findall(r"\b(?:ASR_[A-Z_]+|QUEUE_URL|CACHE_DIR|HF_HOME|API_KEYS|HOST)\b", page))
    assert "QUEUE_URL" in told <= names()
    assert f"`{INLINE_FILES} × ASR_INLINE_MAX_MB + ASR_CACHE_MAX_MB`" in page


def test_one_version_of_the_queue_is_named() -> None:
    assert container("asr-queue")["image"] == composed()["queue"]["image"]
