"""The examination: what is right on this machine, what is worth knowing, what is wrong.

It starts no server and shows no secret. A check that fails itself is a finding, and others go on.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal

from asr.pipeline.checkpoint import find_damage
from asr.pipeline.diarize import sources as speakers
from asr.pipeline.digests import sha256
from asr.pipeline.embedded import EMBEDDED
from asr.pipeline.errors import AsrError
from asr.settings import SettingsError, names
from asr.terminal import checks, reach
from asr.terminal.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from asr.http.settings import HttpSettings
    from asr.pipeline.models import ModelInfo, ModelSettings, ModelStore
    from asr.settings import Settings
    from asr.terminal.descriptors import Need

log = logging.getLogger(__name__)

HUB_S = 5.0

Check = tuple[str, "Callable[[], Iterator[Finding]]"]


def examine(
    settings: Settings,
    problems: tuple[str, ...],
    *,
    store: Callable[[], ModelStore],
    need: Callable[[], Need],
) -> Iterator[Finding]:
    """All findings, one after the other; ``problems`` are those of the settings.

    To be called before MLX is imported; ``store`` and ``need`` may import it.
    """
    keep = settings.models
    yield from _each(
        ("settings", partial(check_settings, problems)),
        ("ffmpeg", checks.check_ffmpeg),
        ("device", partial(checks.check_device, settings.engine)),
        ("models", partial(check_models, store, offline=keep.hf_hub_offline)),
        ("speakers", partial(check_speakers, keep)),
        ("token", partial(check_token, keep)),
        ("hub", partial(check_hub, keep, store)),
        ("disk", partial(checks.check_disk, keep.cache_dir, settings.house)),
        ("port", partial(check_port, settings.http)),
        ("access", partial(check_access, settings.http)),
        ("descriptors", lambda: checks.check_descriptors(need())),
    )


def _each(*checks: Check) -> Iterator[Finding]:
    said: set[str] = set()  # one cause, such as a device that is not there, may fail several
    for subject, check in checks:
        try:
            for finding in check():
                said.add(finding.what)
                yield finding
        except AsrError as error:
            if error.message not in said:
                yield Finding(subject, "wrong", error.message)
        except Exception as error:
            log.exception("the %s could not be examined", subject)
            yield Finding(subject, "wrong", f"this could not be examined: {type(error).__name__}")


def check_settings(problems: Iterable[str]) -> Iterator[Finding]:
    """Whether all that is set was understood."""
    wrong = [
        Finding("settings", "wrong", problem, "nothing starts until this is mended")
        for problem in problems
    ]
    yield from wrong or [
        Finding("settings", "right", f"all understood, of {len(names())} there are")
    ]


def check_models(store: Callable[[], ModelStore], *, offline: bool) -> Iterator[Finding]:
    """The default model, whether it is there and sound; and which others are."""
    try:
        known = store()
    except SettingsError as error:
        yield from (Finding("models", "wrong", problem) for problem in error.problems)
        return
    listed = known.catalogue()
    yield from (_model(model, offline=offline) for model in listed if model.name == known.default)
    others = [model.name for model in listed if model.on_disk and model.name != known.default]
    if others:
        yield Finding("models", "right", f"also on disk: {', '.join(others)}")


def _model(model: ModelInfo, *, offline: bool) -> Finding:
    size = f", {decimal(model.bytes)}" if model.bytes is not None else ""
    what = f"{model.name}, the default one{size}, from {model.location}"
    if not model.on_disk:
        if model.origin == "folder":
            return Finding("models", "wrong", f"{what}: it is not there", "see PRELOAD_MODEL")
        if offline:
            todo = "PRELOAD_MODEL can name one that is there, or the hub be allowed for once"
            return Finding(
                "models",
                "wrong",
                f"{what}: it is not here, and HF_HUB_OFFLINE forbids to fetch it",
                todo,
            )
        return Finding("models", "note", what, "it is fetched at its first use, once")
    damage = _package_damage(model) if model.origin == "embedded" else _damage(model)
    if damage:
        return Finding(
            "models", "wrong", f"{what}: {damage}", "delete it there, or install it anew"
        )
    return Finding("models", "right", f"{what}, sound")


def _damage(model: ModelInfo) -> str | None:
    return find_damage(Path(model.location))


def _package_damage(model: ModelInfo) -> str | None:
    """What is wrong with a model that will be made of an installed package's files."""
    source = next(source for source in EMBEDDED if source.model == model.name)
    for expected in (*source.weights, source.config):
        file = expected.find()
        if file is None or sha256(file) != expected.sha256:
            return "its package is damaged"
    return None


def check_speakers(models: ModelSettings) -> Iterator[Finding]:
    """Whether people can be told apart by their voices."""
    source = speakers.find_source(models)
    if source is None:
        todo = "install the group models (uv sync), or set HF_TOKEN"
        yield Finding("speakers", "note", "nothing here can tell them apart", todo)
        return
    if source.hub is None:
        for file in (speakers.SEGMENTATION, speakers.CAMPPLUS, speakers.CAMPPLUS_CODE):
            speakers.checked(file)
    yield Finding("speakers", "right", f"are told apart by {source.name}")


def check_token(models: ModelSettings) -> Iterator[Finding]:
    """Whether there is one, and nothing else of it."""
    known = "is set" if models.hf_token else "is not set: only community-1 would ask for one"
    yield Finding("token", "right", f"HF_TOKEN {known}")


def check_hub(models: ModelSettings, store: Callable[[], ModelStore]) -> Iterator[Finding]:
    """Whether the model hub answers, unless nobody may ask it; without it some do not start."""
    if models.hf_hub_offline:
        yield Finding("hub", "right", "never asked, as HF_HUB_OFFLINE says")
        return
    from huggingface_hub import constants

    address = models.hf_endpoint or constants.ENDPOINT
    problem = reach.problem_with(address, within_s=HUB_S)
    if problem is None:
        yield Finding("hub", "right", f"{address} answers")
    elif _has_default(store()):
        todo = "what is on disk can be used all the same; HF_HUB_OFFLINE=true never asks"
        yield Finding("hub", "note", f"{address} cannot be reached: {problem}", todo)
    else:
        what = f"{address} cannot be reached, where the default model is to come from: {problem}"
        yield Finding("hub", "wrong", what, "see HF_ENDPOINT, or name another PRELOAD_MODEL")


def _has_default(store: ModelStore) -> bool:
    return any(model.on_disk for model in store.catalogue() if model.name == store.default)


def check_port(settings: HttpSettings) -> Iterator[Finding]:
    """Whether a server could listen, or one of ours does."""
    where = f"{settings.host}:{settings.port}"
    if not settings.port:
        yield Finding("port", "right", f"{settings.host} takes a free one at each start")
    elif said := reach.health(settings.host, settings.port):
        well = said.get("status") == "healthy"
        loaded = ", ".join(map(str, said["loaded_models"])) or "no model"
        what = f"a server answers on {where}: {said.get('status')}, with {loaded} in memory"
        yield Finding("port", "right" if well else "wrong", what, str(said.get("reason") or ""))
    elif problem := _binding(settings.host, settings.port):
        todo = "end that program, or choose another PORT" if problem[1] else "see HOST and PORT"
        yield Finding("port", "wrong", f"{where} cannot be listened on: {problem[0]}", todo)
    else:
        yield Finding("port", "right", f"{where} is free")


def _binding(host: str, port: int) -> tuple[str, bool] | None:
    """Why nobody can listen there, and whether somebody does; None if one can."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                probe.listen(1)
    except OSError as error:
        return error.strerror or str(error), error.errno == errno.EADDRINUSE
    return None


def check_access(settings: HttpSettings) -> Iterator[Finding]:
    """Who may ask: this machine, or others as well."""
    keys = settings.keys()
    try:
        inside = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        inside = settings.host == "localhost"
    who = "this machine" if inside else "others"
    if inside or keys:
        with_key = ", with a key" if keys else ""
        yield Finding("access", "right", f"{who} may use the server{with_key}")
    else:
        todo = "API_KEYS asks for a key, HOST=127.0.0.1 keeps others away"
        yield Finding("access", "note", "everybody who reaches the server may use it", todo)
