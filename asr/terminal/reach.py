"""Who answers: our own server on this machine, and the model hub. Nothing waits for long."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ASK_S = 1.0  # a server of this machine answers /health in milliseconds, or is not there
HEALTH_BYTES_MAX = 1 << 16
OWN = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def own_address(host: str, port: int) -> str:
    """An address that a server which listens on ``host`` has on this machine."""
    own = OWN.get(host, host)
    return f"[{own}]:{port}" if ":" in own else f"{own}:{port}"


def ask_health(address: str) -> Any:
    """The answer of /health there, to be closed; whatever urllib raises, HTTPError for a 503."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return direct.open(f"http://{address}/health", timeout=ASK_S)


def health(host: str, port: int) -> dict[str, Any] | None:
    """What the server at this address says of itself; None if none of ours is there."""

    def ask() -> Any:
        try:
            with ask_health(own_address(host, port)) as answer:
                return json.loads(answer.read(HEALTH_BYTES_MAX))
        except urllib.error.HTTPError as error:  # one that is not healthy says so, too
            with error:
                return json.loads(error.read(HEALTH_BYTES_MAX))

    try:
        said = within(2 * ASK_S, ask)
    except (OSError, ValueError, RecursionError, http.client.HTTPException):
        return None  # or somebody else's, who says what they like
    ours = isinstance(said, dict) and isinstance(said.get("loaded_models"), list)
    return said if ours else None


def problem_with(address: str, *, within_s: float) -> str | None:
    """Why nobody answers at an address of the web, or None if somebody does, whatever they say."""

    def ask() -> None:
        request = urllib.request.Request(address, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=within_s):
                pass
        except urllib.error.HTTPError as error:
            error.close()  # that is an answer

    try:
        within(within_s, ask)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return None


@dataclass(slots=True)
class Outcome:
    """What a call brought."""

    value: Any = None
    error: Exception | None = None
    there: threading.Event = field(default_factory=threading.Event)


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """What a call returns or raises, or TimeoutError: then it goes on, and nobody waits for it.

    In a thread, as timeouts of sockets begin anew with each byte, and those of names are their own.
    """
    outcome = Outcome()

    def run() -> None:
        try:
            outcome.value = call()
        except Exception as error:
            outcome.error = error
        outcome.there.set()

    threading.Thread(target=run, daemon=True).start()
    if not outcome.there.wait(seconds):
        raise TimeoutError(f"no answer within {seconds:g} s")
    if outcome.error is not None:
        raise outcome.error
    return outcome.value
