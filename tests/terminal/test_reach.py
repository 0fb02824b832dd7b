"""Who answers, and that nobody waits for who does not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from asr.terminal import reach
from asr.terminal.reach import health, problem_with, within
from tests.terminal.fake_servers import refusing, server, silent

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

HEALTHY = b'{"status": "healthy", "loaded_models": ["base"]}'


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy takes its time with an answer."""
    monkeypatch.setattr(reach, "ASK_S", 10.0)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_a_server_of_ours_says_how_it_is(host: str) -> None:
    with server(HEALTHY) as port:
        assert health(host, port) == {"status": "healthy", "loaded_models": ["base"]}


@pytest.mark.usefixtures("patience")
def test_one_that_is_not_healthy_says_so_too() -> None:
    with server(b'{"status": "unhealthy", "loaded_models": []}', status=503) as port:
        assert health("127.0.0.1", port) == {"status": "unhealthy", "loaded_models": []}


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("body", [b"junk", b"[]", b"{}", b'{"loaded_models": 1}', b"[" * 70_000])
def test_another_program_is_none_of_ours(body: bytes) -> None:
    with server(body) as port:
        assert health("127.0.0.1", port) is None


@pytest.mark.parametrize("somebody", [silent, refusing])
def test_where_nobody_answers_nobody_waits(somebody: Callable[[], socket.socket]) -> None:
    with somebody() as taken:
        assert health("127.0.0.1", taken.getsockname()[1]) is None


@pytest.mark.parametrize("status", [200, 404, 500])
def test_whatever_a_hub_says_it_can_be_reached(status: int) -> None:
    with server(b"", status=status) as port:
        assert problem_with(f"http://127.0.0.1:{port}", within_s=5.0) is None


@pytest.mark.parametrize(
    ("somebody", "within_s", "problems"),
    [
        (silent, 0.2, {"no answer within 0.2 s", "timed out"}),
        (refusing, 10.0, {"Connection refused"}),
    ],
)
def test_a_hub_that_cannot_be_reached_has_a_reason(
    somebody: Callable[[], socket.socket], within_s: float, problems: set[str]
) -> None:
    with somebody() as taken:
        port = taken.getsockname()[1]
        assert problem_with(f"http://127.0.0.1:{port}", within_s=within_s) in problems


@pytest.mark.parametrize("address", ["no address", "http://[", "nowhere://x"])
def test_what_is_no_address_has_a_reason(address: str) -> None:
    assert problem_with(address, within_s=1.0)


def test_a_call_is_not_waited_for_longer_than_was_said() -> None:
    done = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 s"):
        within(0.01, done.wait)
    done.set()
    assert within(5.0, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 // 0)
