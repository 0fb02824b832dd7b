"""Servers that break off, lie, or let one wait; clients that leave. Real sockets at the end."""

from __future__ import annotations

import ssl
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
import trustme
from trio.testing import wait_all_tasks_blocked

from asr.actors.dialer import LOOKUPS_MAX, Dialer, Resolver
from asr.actors.fetcher import Fetcher, UrlSettings
from asr.pipeline.errors import InvalidRequest, StorageFull, TooLarge
from tests.actors.internet import FILE, Errand, Internet, Talk, answer, head

if TYPE_CHECKING:
    from trio.testing import MockClock

    from asr.pipeline.places import Address


@pytest.fixture
def errand(nursery: trio.Nursery) -> Errand:
    return Errand(nursery)


async def lie_small(stream: trio.abc.Stream) -> None:
    await stream.send_all(head("Content-Length: 5") + b"abcdefgh")


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (answer(b"", status="404 Not Found"), "its server answered 404"),
        (answer(FILE, status="206 Partial Content"), "its server answered 206"),
        (answer(b"", status="302 Found"), "its server answered 302"),
        (
            answer(FILE, "Content-Encoding: gzip"),
            "its server compresses it, although it was asked not to",
        ),
        *(
            (says, "the connection broke, or its server speaks no HTTP")
            for says in (
                b"",
                b"SSH-2.0-OpenSSH_9.9\r\n",
                head("Content-Length: 10") + b"too short",
                head("Content-Length: -1") + b"x",
                head("Content-Length: 3", "Content-Length: 4") + b"abcd",
                head("Transfer-Encoding: chunked") + b"zz\r\n",
            )
        ),
    ],
)
async def test_an_answer_that_is_no_file_is_refused(errand: Errand, says: bytes, why: str) -> None:
    errand.internet.says["/a.mp3"] = says
    await errand.refused(why)


async def test_no_more_is_read_than_was_announced(errand: Errand) -> None:
    errand.internet.says["/a.mp3"] = lie_small
    await errand.fetch()
    assert b"".join(errand.written) == b"abcde"


async def announce(stream: trio.abc.Stream) -> None:
    await stream.send_all(head("Content-Length: 1001"))
    await listening(stream)


async def listening(stream: trio.abc.Stream) -> None:
    """Until whoever asked has hung up."""
    assert await stream.receive_some() == b""


async def test_what_is_announced_as_too_large_is_not_waited_for(errand: Errand) -> None:
    errand.internet.says["/a.mp3"] = announce
    with pytest.raises(TooLarge, match="Maximum content size limit is 1,000 bytes") as refusal:
        await errand.fetch(bytes_max=1000)
    assert (refusal.value.param, refusal.value.code) == ("url", "file_too_large")
    errand.internet.says["/a.mp3"] = answer(bytes(1000))
    await errand.fetch(bytes_max=1000)
    assert len(b"".join(errand.written)) == 1000


async def test_an_endless_head_is_cut_off(errand: Errand) -> None:
    async def talk(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n")
        while True:
            await stream.send_all(b"X-Long: 1234567890\r\n" * 50)

    errand.internet.says["/a.mp3"] = talk
    await errand.refused("the connection broke, or its server speaks no HTTP")


async def endless(stream: trio.abc.Stream) -> None:
    await stream.send_all(head("Transfer-Encoding: chunked"))
    while True:
        await stream.send_all(b"64\r\n" + bytes(100) + b"\r\n")


async def test_an_endless_body_is_cut_off(errand: Errand) -> None:
    errand.internet.says["/a.mp3"] = endless
    with pytest.raises(TooLarge):
        await errand.fetch(bytes_max=100_000)
    assert 0 < len(b"".join(errand.written)) <= 100_000
    await trio.testing.wait_all_tasks_blocked()
    assert errand.internet.left == 1


def drip(part: bytes, *, every_s: float) -> Talk:
    async def talk(stream: trio.abc.Stream) -> None:
        while True:
            await stream.send_all(part)
            with trio.move_on_after(every_s):
                await trio.sleep_forever()

    return talk


async def silent(_stream: trio.abc.Stream) -> None:
    await trio.sleep_forever()


async def test_a_server_that_says_nothing_is_left(
    errand: Errand, autojump_clock: MockClock
) -> None:
    errand.internet.says["/a.mp3"] = silent
    await errand.refused("its server kept us waiting for 15 s")
    assert trio.current_time() == 15.0


async def test_a_server_that_never_shakes_hands_is_hung_up_on(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    errand = Errand(nursery)  # whoever is there reads on for as long as the connection stands
    await errand.refused("its server kept us waiting for 15 s", "https://example.com/a.mp3")
    await trio.testing.wait_all_tasks_blocked()
    assert errand.internet.left == 1


async def test_a_head_that_drips_is_left(errand: Errand, autojump_clock: MockClock) -> None:
    errand.internet.says["/a.mp3"] = drip(head()[:1], every_s=1.0)
    await errand.refused("its server kept us waiting for 15 s")


async def test_a_body_that_drips_is_left_in_the_end(
    errand: Errand, autojump_clock: MockClock
) -> None:
    async def talk(stream: trio.abc.Stream) -> None:
        await stream.send_all(head("Content-Length: 1000"))
        await drip(b"a", every_s=1.0)(stream)

    errand.internet.says["/a.mp3"] = talk
    await errand.refused("it had not come after 60 s")
    assert len(errand.written) == pytest.approx(60, abs=1)


async def test_a_name_that_is_never_resolved_is_left(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def resolve(_host: str, _port: int) -> list[Address]:
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    await Errand(nursery, resolve=resolve).refused("its server kept us waiting for 15 s")


async def test_slow_name_servers_hold_no_thread_that_others_need(nursery: trio.Nursery) -> None:
    asked, all_asked, answered = 0, trio.Event(), threading.Event()

    def count() -> None:
        nonlocal asked
        asked += 1
        if asked == LOOKUPS_MAX:
            all_asked.set()

    def lookup(*_where: object, **_kind: object) -> list[tuple[object, ...]]:
        trio.from_thread.run_sync(count)
        answered.wait(10)
        return []

    resolver = Resolver(lookup)
    try:
        for _ in range(LOOKUPS_MAX + 2):
            nursery.start_soon(resolver, "slow.example", 80)
        with trio.fail_after(10):
            await all_asked.wait()
            await wait_all_tasks_blocked()
        assert asked == LOOKUPS_MAX
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
    finally:
        answered.set()


async def test_a_full_disk_is_not_the_far_servers_fault(errand: Errand) -> None:
    async def write(_part: bytes) -> None:
        await trio.lowlevel.checkpoint()
        raise StorageFull

    errand.internet.says["/a.mp3"] = endless
    with pytest.raises(StorageFull):
        await errand.fetcher.fetch("http://example.com/a.mp3", write, bytes_max=10**6)
    await trio.testing.wait_all_tasks_blocked()
    assert errand.internet.left == 1


async def test_a_caller_who_leaves_closes_the_connection(errand: Errand) -> None:
    errand.internet.says["/a.mp3"] = listening
    async with trio.open_nursery() as caller:
        caller.start_soon(errand.fetch)
        await trio.testing.wait_all_tasks_blocked()
        assert (len(errand.internet.asked), errand.internet.left) == (1, 0)
        caller.cancel_scope.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert errand.internet.left == 1


async def test_what_went_wrong_is_in_the_log_and_no_address_in_the_answer(
    errand: Errand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    errand.internet.says["/a.mp3"] = b"SSH-2.0-OpenSSH_9.9\r\n"
    await errand.refused("the connection broke, or its server speaks no HTTP")
    assert [message[:23] for message in caplog.messages] == ["talking to example.com:"]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def shown(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """What a server speaks TLS with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def secure_errand(nursery: trio.Nursery, authority: trustme.CA) -> Errand:
    """An errand that trusts an authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    errand = Errand(nursery, tls=lambda: context)
    errand.internet.says["/a.mp3"] = answer(FILE)
    return errand


async def test_https_is_spoken_with_whom_an_authority_vouches_for(
    nursery: trio.Nursery, authority: trustme.CA
) -> None:
    errand = secure_errand(nursery, authority)
    errand.internet.tls = shown(authority.issue_cert("example.com"))
    await errand.fetch("https://example.com/a.mp3")
    assert b"".join(errand.written) == FILE
    assert errand.internet.dialled[0][1] == 443


async def test_certificates_of_others_and_of_nobody_are_refused(
    nursery: trio.Nursery, authority: trustme.CA
) -> None:
    theirs, ours = secure_errand(nursery, authority), Errand(nursery)
    for errand, certificate in (
        (theirs, authority.issue_cert("other.example")),
        (theirs, trustme.CA().issue_cert("example.com")),
        (ours, authority.issue_cert("example.com")),  # an authority that nobody knows
    ):
        errand.internet.tls = shown(certificate)
        why = "the certificate of its server cannot be trusted"
        await errand.refused(why, "https://example.com/a.mp3")
        assert errand.internet.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_on_real_sockets_the_inside_is_reached_only_if_it_is_allowed(
    nursery: trio.Nursery, host: str
) -> None:
    internet = Internet(nursery, says={"/a.mp3": answer(FILE)})
    serve = partial(trio.serve_tcp, internet.serve, 0, host=host)
    try:
        listeners: list[trio.SocketListener] = await nursery.start(serve)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    port = listeners[0].socket.getsockname()[1]
    url = f"http://[{host}]:{port}/a.mp3" if ":" in host else f"http://{host}:{port}/a.mp3"
    errand = Errand(nursery)
    settings = UrlSettings(allowed=True)
    with pytest.raises(InvalidRequest, match="no public address"):
        await Fetcher(settings).fetch(url, errand.write, bytes_max=10**6)
    assert (errand.written, internet.asked) == ([], [])
    open_to_all = Fetcher(settings, Dialer(is_allowed=lambda _address: True))
    await open_to_all.fetch(url, errand.write, bytes_max=10**6)
    assert b"".join(errand.written) == FILE
    nursery.cancel_scope.cancel()
